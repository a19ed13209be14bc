package quant

import (
	"slices"
	"strings"
	"testing"
)

// Static settings stand behind the method, whatever the order they are written in, and change nothing but themselves.
func TestStaticRecipes(t *testing.T) {
	for _, c := range []struct{ in, name, method, static string }{
		{"w8a8-static", "w8a8-static", "", "static"},
		{"w8a8-static999", "w8a8-static999", "", "static999"},
		{"w6a6-statichead", "w6a6-statichead", "", "statichead"},
		{"w4a4-mixed", "w4a4-mixed", "", "mixed"},
		{"w4a4-fsbr-static", "w4a4-fsbr-static", "fsbr", "static"},
		{"W4A4-static-fsbr", "w4a4-fsbr-static", "fsbr", "static"},
		{"w4a4-static999-fsbrkv8", "w4a4kv8-fsbr-static999", "fsbr", "static999"},
		{"w8a8-static:attn_in", "w8a8-static:attn_in", "", "static:attn_in"},
		{"w8a8-rtn-static:scores", "w8a8-static:scores", "", "static:scores"},
		{"w4a4-statickv8-fsbremb16", "w4a4kv8emb16-fsbr-static", "fsbr", "static"},
		{"w4a4-static:keykv8", "w4a4kv8-static:key", "", "static:key"},
	} {
		r, err := ParseRecipe(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if r.Name != c.name || r.Method != c.method || r.Static != c.static {
			t.Errorf("%s: name %q, method %q, static %q; want %q, %q, %q", c.in, r.Name, r.Method, r.Static, c.name, c.method, c.static)
		}
		again, err := ParseRecipe(r.Name)
		if err != nil || again != r {
			t.Errorf("%s: its name gives %+v, %v", c.in, again, err)
		}
		plain, err := ParseRecipe(strings.TrimSuffix(r.Name, "-"+r.Static))
		if err != nil || r.Dynamic() != plain {
			t.Errorf("%s: Dynamic %+v, want %+v, %v", c.in, r.Dynamic(), plain, err)
		}
	}
	for _, s := range []string{"w8a8-static-static", "w8a8-static-mixed", "w8a8-static:", "w8a8-static:residual", "w8a8-static99", "w8a8-staticheads", "w8a8-static:attn_in+key"} {
		if r, err := ParseRecipe(s); err == nil {
			t.Errorf("%s: %+v, expected an error", s, r)
		}
	}
	if err := (Recipe{Name: "x", Weight: 8, Act: 8, Query: 8, KV: 8, Score: 8, GLU: 8, Head: 8, Emb: 8, Static: "always"}).Validate(); err == nil || !strings.Contains(err.Error(), "static999") {
		t.Errorf("a recipe with an unknown static setting: %v", err)
	}
	for _, site := range StaticSites() {
		if got := OneStaticSite(StaticSite(site)); got != site {
			t.Errorf("site %s: %s", site, got)
		}
	}
	if slices.ContainsFunc(StaticNames(), func(s string) bool { return OneStaticSite(s) != "" }) {
		t.Error("a setting of all sites names one")
	}
}
