package quant

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Clips holds one clip value a layer; nil: Spec.Clip in all of them. A list stands in for the default clip alone, so that
// no two settings contradict one another silently.
type Clips []Clip

// MaxClips is the most layers that a list is read for.
const MaxClips = 4096

// ParseClips reads what String writes: values of ParseClip, separated by commas, none of them empty; "" is nil.
func ParseClips(s string) (Clips, error) {
	if s == "" {
		return nil, nil
	}
	if n := strings.Count(s, ",") + 1; n > MaxClips {
		return nil, fmt.Errorf("quant: clips: expected at most %d values, one a layer, found %d", MaxClips, n)
	}
	var list Clips
	for text := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(text) == "" {
			return nil, fmt.Errorf("quant: clips of layer %d: expected a positive decimal such as 15 or 12.5, or \"none\", found nothing", len(list))
		}
		c, err := ParseClip(text)
		if err != nil {
			return nil, fmt.Errorf("quant: clips of layer %d: %w", len(list), err)
		}
		list = append(list, c)
	}
	return list, nil
}

// String lists the values in the order of the layers, "15,12.5,none".
func (c Clips) String() string {
	text := make([]string, len(c))
	for i, v := range c {
		text[i] = v.String()
	}
	return strings.Join(text, ",")
}

// Short counts the layers of each value, the largest first: "none×2 15×20 12.5×8".
func (c Clips) Short() string {
	count := map[Clip]int{}
	var values []Clip
	for _, v := range c {
		if count[v]++; count[v] == 1 {
			values = append(values, v)
		}
	}
	slices.SortFunc(values, func(a, b Clip) int { return cmp.Compare(uint32(b-1), uint32(a-1)) }) // 0, no clip, is the largest
	text := make([]string, len(values))
	for i, v := range values {
		text[i] = fmt.Sprintf("%s×%d", v, count[v])
	}
	return strings.Join(text, " ")
}

// Of is the clip value of a layer under spec.
func (c Clips) Of(spec Spec, layer int) Clip {
	if c == nil {
		return spec.Clip
	}
	return c[layer]
}

// Check reports a list that does not fit a model or a spec: of another length, with a value that no spec may have, or
// beside a clip other than the default. nil fits everything.
func (c Clips) Check(spec Spec, layers int) error {
	if c == nil {
		return nil
	}
	if len(c) != layers {
		return fmt.Errorf("quant: clips by layer: expected %d, one a layer, found %d: they are of another model", layers, len(c))
	}
	for i, v := range c {
		if err := v.Check(); err != nil {
			return fmt.Errorf("clips of layer %d: %w", i, err)
		}
	}
	if spec.Clip != DefaultClip {
		return fmt.Errorf("quant: clip %s beside clips by layer (%s): expected the default, %s, which the list stands in for: leave the clip out, or take the recipe without the list", spec.Clip, c.Short(), DefaultClip)
	}
	return nil
}

// Check is the rule for a single value, of a Spec too.
func (c Clip) Check() error {
	if c < 0 || c > maxClip {
		return fmt.Errorf("quant: clip of %d thousandths: expected 0 (no clip) … %d", int32(c), maxClip)
	}
	return nil
}
