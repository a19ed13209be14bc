package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// TimingTag marks a cell whose outputs show times or name the machine. Every other cell
// shows the same bytes wherever the same code runs on the same records and texts.
const TimingTag = "timing"

// Differences names the cells whose outputs are not byte for byte those of the other
// execution, cells tagged TimingTag apart. Streams (progress) do not count. Notebooks of
// different code differ as a whole.
func Differences(a, b *Notebook) []string {
	x, y := a.Executable(), b.Executable()
	if len(x) != len(y) {
		return []string{fmt.Sprintf("%d cells against %d", len(x), len(y))}
	}
	var out []string
	for i := range x {
		label := fmt.Sprintf("[%d] %s", i+1, a.Label(i))
		if x[i].Source != y[i].Source {
			out = append(out, label+": other code")
			continue
		}
		if slices.Contains(x[i].Tags, TimingTag) {
			continue
		}
		p, q := x[i].shown(), y[i].shown()
		if len(p) != len(q) {
			out = append(out, fmt.Sprintf("%s: %d outputs against %d", label, len(p), len(q)))
			continue
		}
		for j := range p {
			if at := p[j].differs(q[j]); at != "" {
				out = append(out, fmt.Sprintf("%s: output %d: %s", label, j+1, at))
			}
		}
	}
	return out
}

// shown are the outputs of a cell without its streams.
func (c *Cell) shown() []Output {
	return slices.DeleteFunc(slices.Clone(c.Outputs), func(o Output) bool { return o.Type == "stream" })
}

// differs tells where two outputs part: the form, and the first line that differs.
func (o Output) differs(other Output) string {
	if o.Type != other.Type {
		return o.Type + " against " + other.Type
	}
	for _, mime := range slices.Sorted(maps.Keys(o.Data)) {
		if bytes.Equal(o.Data[mime], other.Data[mime]) {
			continue
		}
		p, q := lines(o.Data[mime]), lines(other.Data[mime])
		for i := range max(len(p), len(q)) {
			if l, m := at(p, i), at(q, i); l != m {
				return fmt.Sprintf("%s, line %d: %.120q against %.120q", mime, i+1, l, m)
			}
		}
	}
	for mime := range other.Data {
		if _, ok := o.Data[mime]; !ok {
			return "no " + mime
		}
	}
	return ""
}

func lines(raw json.RawMessage) []string {
	s, err := text(raw)
	if err != nil {
		s = string(raw)
	}
	return strings.Split(s, "\n")
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}
