package quant

import (
	"fmt"
	"slices"
	"strings"
)

// Static settings of a recipe: which sites have constant grids, and from what.
const (
	StaticTensor     = "static"     // every site, a grid a layer from minimum and maximum over the calibration text
	StaticPercentile = "static999"  // from the 99.9 percentile of |x| instead
	StaticHead       = "statichead" // as static, at sites with heads a grid for each head
	StaticMixed      = "mixed"      // as static, the sites that it hurts most left dynamic
	staticSite       = "static:"    // static at one site alone
)

// staticSites are the names that may follow "static:", those of package artifact.
var staticSites = [...]string{"attn_in", "mlp_in", "attn_out", "product", "query", "key", "value", "gate", "up", "scores"}

// StaticSites lists the sites that can be static.
func StaticSites() []string { return slices.Clone(staticSites[:]) }

// StaticNames lists the static settings but those of one site.
func StaticNames() []string {
	return []string{StaticTensor, StaticPercentile, StaticHead, StaticMixed}
}

// StaticSite returns the setting in which one site alone is static.
func StaticSite(site string) string { return staticSite + site }

// OneStaticSite returns the site of a setting that makes one alone static, "" for other settings.
func OneStaticSite(static string) string {
	site, _ := strings.CutPrefix(static, staticSite)
	if site == static {
		return ""
	}
	return site
}

// CheckStatic refuses what is no static setting.
func CheckStatic(s string) error {
	if slices.Contains(StaticNames(), s) {
		return nil
	}
	if site := OneStaticSite(s); site != "" {
		if !slices.Contains(staticSites[:], site) {
			return fmt.Errorf("static site %q%s: expected one of %s", site, meant(site, staticSites[:]), strings.Join(staticSites[:], ", "))
		}
		return nil
	}
	return fmt.Errorf("static setting %q: expected one of %s or static:SITE", s, strings.Join(StaticNames(), ", "))
}

// cutStatic takes a static setting from the front of s; ok is false if none stands there.
func cutStatic(s string) (static, rest string, ok bool, err error) {
	word, rest := s, ""
	for _, next := range []string{"-", "kv", "emb"} { // what may follow; no setting has them in its name
		if at := strings.Index(word, next); at >= 0 {
			word, rest = s[:at], s[at:]
		}
	}
	if !strings.HasPrefix(word, StaticTensor) && word != StaticMixed {
		return "", s, false, nil
	}
	return word, rest, true, CheckStatic(word)
}

// Dynamic returns the recipe without its static setting: that of the same weights.
func (r Recipe) Dynamic() Recipe {
	if r.Static != "" {
		r.Name, r.Static = strings.TrimSuffix(r.Name, "-"+r.Static), ""
	}
	return r
}
