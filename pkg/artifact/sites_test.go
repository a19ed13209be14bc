package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Rotations, ratios and the factor file's hash come back as they were written; a header without them has no byte of them.
func TestSites(t *testing.T) {
	path, _ := write(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"rotations", "range_ratios", "factors_sha256"} {
		if bytes.Contains(good, []byte(field)) {
			t.Errorf("a header that needs none has the field %s", field)
		}
	}
	hash := strings.Repeat("0a", 32)
	file := reheader(t, good, func(h *Header) {
		h.Layers, h.HeadDim, h.Phi.Bytes = 3, 6, 24
		h.Rotations, h.Factors = Rotations{Out: true, Down: true}, hash
		for _, site := range h.Sites() {
			for layer, r := range []int32{MinRatio, RatioOne, 31130} {
				if site == SiteUp {
					r = RatioOne
				}
				if err := h.SetRangeRatio(site, layer, r); err != nil {
					t.Fatal(err)
				}
			}
		}
		h.DropUnitRatios()
	})
	f, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	h := &f.Header
	if (h.Rotations != Rotations{Out: true, Down: true}) || h.Factors != hash {
		t.Errorf("rotations %+v, factors %q", h.Rotations, h.Factors)
	}
	if got := slices.Sorted(maps.Keys(h.RangeRatios)); len(got) != 8 || slices.Contains(got, SiteUp) {
		t.Errorf("sites with ratios: %v, want all but %s", got, SiteUp)
	}
	if a, b, c := h.RangeRatio(SiteGate, 0), h.RangeRatio(SiteGate, 2), h.RangeRatio(SiteUp, 0); a != MinRatio || b != 31130 || c != RatioOne {
		t.Errorf("ratios %d, %d, %d", a, b, c)
	}
	if again, err := json.Marshal(h); err != nil || !bytes.HasSuffix(file, again) {
		t.Errorf("the header read and written again differs: %v", err)
	}
}

// A header whose ratios are all 1 loses them and is the header without.
func TestUnitRatios(t *testing.T) {
	h := Header{Architecture: opt, Layers: 2}
	plain, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetRangeRatio(SiteProduct, 1, RatioOne); err != nil {
		t.Fatal(err)
	}
	h.DropUnitRatios()
	if text, err := json.Marshal(&h); err != nil || !bytes.Equal(text, plain) {
		t.Errorf("%s, want %s (%v)", text, plain, err)
	}
	for _, c := range []struct {
		site  string
		layer int
		ratio int32
		want  string
	}{
		{SiteProduct, 2, RatioOne, "layer from 0 to 1"}, {SiteProduct, -1, RatioOne, "layer from 0 to 1"}, {SiteProduct, 0, 0, "16384 to 32768"},
		{SiteGate, 0, RatioOne, `found "gate"`}, {"", 0, RatioOne, `found ""`},
	} {
		if err := h.SetRangeRatio(c.site, c.layer, c.ratio); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, layer %d, ratio %d: error %v, want one that says %q", c.site, c.layer, c.ratio, err, c.want)
		}
	}
}

func TestHostileSites(t *testing.T) {
	for _, c := range []struct {
		family, want string
		change       func(h *Header)
	}{
		{llama, "attn_in of layer 0: expected 16384 to 32768 (one half to 1 in Q15), found 0", func(h *Header) { h.RangeRatios = RangeRatios{"attn_in": {0}} }},
		{llama, "found 40000", func(h *Header) { h.RangeRatios = RangeRatios{"value": {40000}} }},
		{llama, "found -20000", func(h *Header) { h.RangeRatios = RangeRatios{"value": {-20000}} }},
		{llama, "found 16383", func(h *Header) { h.RangeRatios = RangeRatios{"up": {16383}} }},
		{llama, `found "residual"`, func(h *Header) { h.RangeRatios = RangeRatios{"residual": {RatioOne}} }},
		{llama, `found "residual"`, func(h *Header) { h.RangeRatios = RangeRatios{"residual": nil} }},
		{llama, "expected 1 ratios, one a layer, found 2", func(h *Header) { h.RangeRatios = RangeRatios{"key": {RatioOne, RatioOne}} }},
		{llama, "found 0", func(h *Header) { h.RangeRatios = RangeRatios{"key": {}} }},
		{opt, `found "gate"`, func(h *Header) { h.RangeRatios = RangeRatios{"gate": {RatioOne}} }},
		{opt, "qk", func(h *Header) { h.Rotations.QK = true }},
		{llama, "qk: di: Hadamard matrix of order 6", func(h *Header) { h.Rotations.QK = true }},
		{llama, "down: di: Hadamard matrix of order 10", func(h *Header) { h.Rotations.Down, h.FFN = true, 10 }},
		{llama, "order 8192 over entries of 48 bits: expected an order of at most 4096", func(h *Header) { h.Rotations.Out, h.HeadDim, h.Heads = true, 8, 1024 }},
		{llama, "down: di: Hadamard matrix of order 16384 over entries of 47 bits", func(h *Header) { h.Rotations.Down, h.FFN, h.Spec.Mode = true, 16384, "precise" }},
		{llama, "factors_sha256", func(h *Header) { h.Factors = "1234" }},
		{llama, "factors_sha256", func(h *Header) { h.Factors = strings.Repeat("G", 64) }},
	} {
		path, _ := writeFamily(t, c.family)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file := reheader(t, good, func(h *Header) {
			h.Phi, h.HeadNorms = Section{}, nil
			if h.Architecture == llama {
				h.Phi = Section{Offset: h.Linears[0].Panel.Offset, Bytes: 24}
			}
			c.change(h)
		})
		if _, err := parse(file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one that says %q", err, c.want)
		}
	}
	// an unknown kind of rotation is a newer file, not a plain one
	path, _ := write(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := reheader(t, good, func(h *Header) { h.Rotations.Out = true })
	if _, err := parse(rehash(t, file, `"out":true`, `"in" :true`)); err == nil || !strings.Contains(err.Error(), "unknown field") {
		t.Errorf("rotation of an unknown site: error %v", err)
	}
}

// rehash replaces a piece of the header's text by one of the same length, with the checksum right.
func rehash(t testing.TB, file []byte, old, text string) []byte {
	t.Helper()
	p, err := decodePrologue(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(old) != len(text) || bytes.Count(file[p.headerOffset:], []byte(old)) != 1 {
		t.Fatalf("%q for %q", text, old)
	}
	out := bytes.Clone(file)
	copy(out[p.headerOffset:], bytes.Replace(out[p.headerOffset:], []byte(old), []byte(text), 1))
	p.headerHash = sha256.Sum256(out[p.headerOffset:])
	copy(out, p.encode())
	return out
}
