package smooth_test

import (
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/smooth"
)

// The table says for every spelling which vectors are left; the original keeps all.
func TestSelect(t *testing.T) {
	all := smooth.Block{QKV: []float32{2}, MLP: []float32{2}, VO: []float32{2}, QK: []float32{2}, GateUp: []float32{2}, UpDown: []float32{2},
		ShiftQKV: []float32{1}, ShiftMLP: []float32{1}, ShiftVO: []float32{1}, Clip: map[string]smooth.Range{"mlp.up_proj": {}}}
	names := []string{"qkv", "mlp", "vo", "qk", "gate_up", "up_down", "shift_qkv", "shift_mlp", "shift_vo"}
	for kinds, want := range map[string]string{
		"":          "qkv mlp vo qk gate_up up_down shift_qkv shift_mlp shift_vo clip",
		"all":       "qkv mlp vo qk gate_up up_down shift_qkv shift_mlp shift_vo clip",
		"none":      "",
		"qkv":       "qkv shift_qkv",
		"qk+clip":   "qk clip",
		"-vo":       "qkv mlp qk gate_up up_down shift_qkv shift_mlp clip",
		"-clip":     "qkv mlp vo qk gate_up up_down shift_qkv shift_mlp shift_vo",
		"-mlp+clip": "qkv vo qk gate_up up_down shift_qkv shift_vo",
	} {
		f := &smooth.Factors{Blocks: []smooth.Block{all}, Meta: map[string]string{smooth.MetaMethod: "fsbr"}}
		s, err := f.Select(kinds)
		if err != nil {
			t.Fatal(err)
		}
		left := func(b smooth.Block) string {
			var have []string
			for _, n := range names {
				if b.Vector(n) != nil {
					have = append(have, n)
				}
			}
			if b.Clip != nil {
				have = append(have, "clip")
			}
			return strings.Join(have, " ")
		}
		if have := left(s.Blocks[0]); have != want {
			t.Errorf("%q keeps %q, want %q", kinds, have, want)
		}
		if have := left(f.Blocks[0]); len(strings.Fields(have)) != 10 {
			t.Errorf("%q changed the original: %q", kinds, have)
		}
		if s.Meta[smooth.MetaMethod] != "fsbr" || len(f.Meta) != 1 {
			t.Errorf("%q: metadata %v of the copy, %v of the original", kinds, s.Meta, f.Meta)
		}
		if note := s.Meta[smooth.MetaKinds]; note != kinds && kinds != "all" {
			t.Errorf("%q is noted as %q", kinds, note)
		}
	}
	for _, bad := range []string{"q", "qk,clip", "-", "-none", "+", "qk+", "none+qk"} {
		if _, err := new(smooth.Factors).Select(bad); err == nil || !strings.Contains(err.Error(), "gate_up") {
			t.Errorf("Select(%q): %v, want an error that lists the kinds", bad, err)
		}
	}
}
