package quant

import (
	"slices"
	"strings"
	"testing"
)

// A list of clips survives its text, and its short form counts every layer once.
func TestClips(t *testing.T) {
	for text, want := range map[string]struct {
		list  Clips
		short string
	}{
		"":                   {nil, ""},
		"15":                 {Clips{15000}, "15×1"},
		"none,8,15,8":        {Clips{0, 8000, 15000, 8000}, "none×1 15×1 8×2"},
		"12.5,0.001,1000000": {Clips{12500, 1, 1000_000_000}, "1000000×1 12.5×1 0.001×1"},
	} {
		got, err := ParseClips(text)
		if err != nil || !slices.Equal(got, want.list) || got.String() != text || got.Short() != want.short {
			t.Errorf("%q: %v, %v, text %q, short %q; want %v, %q", text, got, err, got, got.Short(), want.list, want.short)
		}
	}
	for text, want := range map[string]string{
		",": "layer 0", "15,": "layer 1: expected", "15,,8": "layer 1", "15,0": `clip "0"`, "15,-3": "layer 1", "15,1e3": "layer 1", "15,12.3456": "fraction digits",
		strings.Repeat("15,", MaxClips) + "15": "at most 4096",
	} {
		if list, err := ParseClips(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, %v; want an error with %q", text, list, err, want)
		}
	}
}

// A list fits a model of its length beside the default clip, and nothing else.
func TestClipsCheck(t *testing.T) {
	spec := func(clip string) Spec {
		s, err := NewSpec("w4a4", clip, "")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if c := (Clips{8000, 0}); c.Of(spec("15"), 1) != 0 || Clips(nil).Of(spec("12"), 1) != 12000 {
		t.Errorf("layer 1: %v of the list, %v without one", c.Of(spec("15"), 1), Clips(nil).Of(spec("12"), 1))
	}
	for _, c := range []struct {
		list Clips
		clip string
		want string // "": fits
	}{
		{nil, "12", ""},
		{Clips{0, 15000, 1}, "15", ""},
		{Clips{}, "15", "expected 3, one a layer, found 0"},
		{Clips{15000, 15000}, "15", "expected 3, one a layer, found 2"},
		{Clips{15000, -1, 15000}, "15", "layer 1: quant: clip of -1 thousandths"},
		{Clips{15000, 15000, maxClip + 1}, "15", "layer 2"},
		{Clips{12000, 12000, 12000}, "12", "clip 12 beside clips by layer (12×3): expected the default, 15"},
		{Clips{12000, 12000, 12000}, "none", "clip none beside"},
	} {
		err := c.list.Check(spec(c.clip), 3)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v beside %s: %v, want %q", c.list, c.clip, err, c.want)
		}
	}
}
