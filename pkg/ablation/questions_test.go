package ablation

import (
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/record"
)

// A record of the engine's own scales answers mantissa 16 and multiplier 24; one of other scales or of mixed layers answers
// no study that does not ask for it.
func TestScalesMatch(t *testing.T) {
	plain := &record.Record{Kind: record.Quality, Axes: map[string]string{"recipe": "w8a8"}}
	eight := &record.Record{Kind: record.Quality, Axes: map[string]string{"recipe": "w8a8", "mantissa": "8"}}
	mixed := &record.Record{Kind: record.Quality, Axes: map[string]string{"recipe": "w8a8", "layers": "84"}, Config: map[string]any{"layers": "84"}}
	for _, c := range []struct {
		config             Config
		plain, eight, both bool
	}{
		{Config{"recipe": "w8a8"}, true, false, false},
		{Config{"recipe": "w8a8", "mantissa": "16"}, true, false, false},
		{Config{"recipe": "w8a8", "multiplier": "24"}, true, false, false},
		{Config{"recipe": "w8a8", "mantissa": "8"}, false, true, false},
		{Config{"recipe": "w8a8", "layers": "84"}, false, false, true},
		{Config{"recipe": "w8a8", "layers": "88"}, false, false, false},
	} {
		if a, b, d := matches(plain, c.config), matches(eight, c.config), matches(mixed, c.config); a != c.plain || b != c.eight || d != c.both {
			t.Errorf("%v: plain %v, 8 bits %v, mixed %v", c.config, a, b, d)
		}
	}
}

func TestPlans(t *testing.T) {
	if have, want := Plans([]int{2, 0, 1}), []string{"888", "884", "484", "444"}; !slices.Equal(have, want) {
		t.Errorf("plans %v, want %v", have, want)
	}
	if have, want := OneLayer(2), []string{"88", "48", "84", "44", "84", "48"}; !slices.Equal(have, want) {
		t.Errorf("levels %v, want %v", have, want)
	}
	if alone("8848", "8", "4") != 2 || alone("8844", "8", "4") != -1 || alone("8888", "8", "4") != -1 {
		t.Error("alone finds the wrong block")
	}
	for _, bad := range []string{"", "89", "8x"} {
		if _, err := checkLayers(bad); err == nil {
			t.Errorf("layers %q were accepted", bad)
		}
	}
}

func TestSpellKV(t *testing.T) {
	for _, c := range [][3]string{{"w8a8", "8", "w8a8"}, {"w8a8", "4", "w8a8kv4"}, {"w8a8", "16", "w8a8kv16"}, {"w4a4", "4", "w4a4"}, {"w4a4", "8", "w4a4kv8"}, {"w4a4-fsbr", "8", "w4a4kv8-fsbr"}, {"w4a4-fsbr", "4", "w4a4-fsbr"}, {"w8a8-fsbr", "6", "w8a8kv6-fsbr"}, {"fp32", "", "fp32"}} {
		config := Config{"width": c[0], "kv": c[1]}
		if spellKV(config); config["recipe"] != c[2] {
			t.Errorf("%v: recipe %s", c, config["recipe"])
		}
	}
}

// Bytes of a small header, counted by hand.
func TestStorage(t *testing.T) {
	h := &artifact.Header{Layers: 1, Hidden: 64, Heads: 2, KVHeads: 1, HeadDim: 32, FFN: 96, Architecture: "llama", Linears: []artifact.Linear{
		{Name: "model.embed_tokens", Out: 10, In: 64, Bits: 8, Panel: artifact.Section{Bytes: 640}, Zero: artifact.Section{Bytes: 10}, M: artifact.Section{Bytes: 40}, SumW: artifact.Section{Bytes: 40}},
		{Name: "model.layers.0.mlp.up_proj", Out: 96, In: 64, Bits: 4, Panel: artifact.Section{Bytes: 3072}, Zero: artifact.Section{Bytes: 96}, M: artifact.Section{Bytes: 384}},
	}}
	s := StorageOf(h)
	if s.Linear != 96*64 || s.Table != 640 || s.Bytes() != 640+90+3072+96+384 {
		t.Errorf("linear %d, table %d, bytes %d", s.Linear, s.Table, s.Bytes())
	}
	if b := s.MultiplierBits(16); b != 16.0/64 {
		t.Errorf("multipliers of 16 bits take %v bits per weight, want a quarter", b)
	}
	if text := s.Grid().String(); !strings.Contains(text, "4.0000") {
		t.Errorf("no 4 bits per weight for the codes:\n%s", text)
	}
	// a key and a value of 32 codes of 4 bits, with 4 bytes each
	r, err := quant.ParseRecipe("w4a4")
	if err != nil {
		t.Fatal(err)
	}
	if all, headers := CacheBytes(h, r, 16); all != 2*(16+4) || headers != 8 {
		t.Errorf("cache of %v bytes a token, %v of them headers", all, headers)
	}
	// codes of 16 bits: two bytes each, a zero point of two
	if r, err = quant.ParseRecipe("w8a8kv16"); err != nil {
		t.Fatal(err)
	}
	if all, headers := CacheBytes(h, r, 16); all != 2*(64+5) || headers != 10 {
		t.Errorf("at 16 bits a cache of %v bytes a token, %v of them headers", all, headers)
	}
}

// Windows of every length cover the same tokens, the study's own or those asked for; a record does not know the setting.
func TestContextTokens(t *testing.T) {
	for _, c := range []struct {
		set  []Option
		want map[string]string
	}{
		{nil, map[string]string{"128": "32", "1024": "4"}},
		{[]Option{Set("tokens", 16384), Set("window", 512, 8192)}, map[string]string{"512": "32", "8192": "2"}},
		{[]Option{Set("tokens", 1024), Set("window", 2048)}, map[string]string{"2048": "1"}},
	} {
		p := plan{study: Context, only: map[string][]string{}, fixed: map[string]string{}}
		for _, o := range c.set {
			if err := o(&p); err != nil {
				t.Fatal(err)
			}
		}
		configs, err := p.configs()
		if err != nil {
			t.Fatal(err)
		}
		for _, config := range configs {
			if want, ok := c.want[config["window"]]; ok && config["windows"] != want {
				t.Errorf("%v: %s windows of %s tokens, want %s", c.want, config["windows"], config["window"], want)
			}
			r := &record.Record{Kind: record.Quality, Config: map[string]any{}}
			for k, v := range config {
				if k != "tokens" {
					r.Config[k] = v
				}
			}
			if !matches(r, config) {
				t.Errorf("a record without the number of tokens does not answer %s", config)
			}
		}
	}
	for _, bad := range []string{"8", "16384", "1000"} {
		if _, err := checkWindow(bad); err == nil {
			t.Errorf("window %s was accepted", bad)
		}
	}
}

// What was varied stands in the name of a compared row.
func TestComparisonNames(t *testing.T) {
	c := Comparison{{Axes: map[string]string{"recipe": "w8a8", "mantissa": "8", "corpus": "c4"}}, {Axes: map[string]string{"layers": "484", "corpus": "c4"}}}
	rows := c.Table().Rows
	if rows[0][0] != "w8a8 m of 8 bits c4 " || rows[1][0] != "blocks 484 c4 " {
		t.Errorf("rows %q and %q", rows[0][0], rows[1][0])
	}
}
