package smooth

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MetaKinds is the key under which Select notes what it kept.
const MetaKinds = "kinds_kept"

// clipKind is the name of the weight-clipping ratios among the kinds.
const clipKind = "clip"

// KindNames lists what Select knows, in the order of Table: the kinds of factors, each with its shift, and "clip".
func KindNames() []string {
	var names []string
	for _, s := range slots {
		if !s.shift {
			names = append(names, s.name)
		}
	}
	return append(names, clipKind)
}

// Select returns a copy that keeps some kinds and has 1 (shifts: 0) for the others:
//
//	"" or "all"   every kind        "none"      no kind
//	"qk+clip"     these alone       "-qk+clip"  all but these
//
// A kind takes its shift along. The copy computes the same function in real arithmetic, as any factors do. What is kept
// was trained together with what is not: nothing is trained again, so the result is an upper bound of what the kinds
// kept could do alone. Rotations and the rest stay as they are.
func (f *Factors) Select(kinds string) (*Factors, error) {
	if kinds == "" || kinds == "all" {
		return f, nil
	}
	list, without := strings.CutPrefix(kinds, "-")
	named := map[string]bool{}
	if list != "none" || without {
		for _, k := range strings.Split(list, "+") {
			if !slices.Contains(KindNames(), k) {
				return nil, fmt.Errorf("smooth: kinds %q: expected all, none, or some of %s joined by +, with - in front for all but these; found %q", kinds, strings.Join(KindNames(), ", "), k)
			}
			named[k] = true
		}
	}
	kept := func(kind string) bool { return named[kind] != without }
	r := &Factors{Rotation: f.Rotation, Meta: maps.Clone(f.Meta), Blocks: slices.Clone(f.Blocks)}
	if r.Meta == nil {
		r.Meta = map[string]string{}
	}
	r.Meta[MetaKinds] = kinds
	for i := range r.Blocks {
		b := &r.Blocks[i]
		for _, s := range slots {
			if !kept(strings.TrimPrefix(s.name, "shift_")) {
				*s.at(b) = nil
			}
		}
		if !kept(clipKind) {
			b.Clip = nil
		}
	}
	return r, nil
}
