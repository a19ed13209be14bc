package chart_test

import (
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/quant"
)

// levels are those of a study's axis.
func levels(t *testing.T, s ablation.Study, axis string) []string {
	t.Helper()
	for _, a := range s.Axes {
		if a.Name == axis {
			return a.Levels
		}
	}
	t.Fatalf("study %s has no axis %s", s.Name, axis)
	return nil
}

// A name has one colour in all charts, whatever stands beside it, and names that are drawn together differ.
func TestNamesKeepTheirColors(t *testing.T) {
	var exps []string
	for _, x := range baseline.Exponentials() {
		exps = append(exps, x.Name)
	}
	static, sites := levels(t, ablation.Static, "setting"), levels(t, ablation.StaticSites, "setting")
	operators := levels(t, ablation.NonLinear, "operators")
	for _, list := range [][]string{exps, static, sites, operators, quant.StaticSites()} {
		for i, name := range list {
			want, ok := chart.Fixed(name)
			if !ok {
				t.Errorf("%s has no colour of its own: expected one in the palette's list of names", name)
			}
			// Alone, after the names before it, before those after it, and beside a name that no list has.
			for _, company := range [][]string{nil, list[:i], list[i+1:], {"a rival", "another rival", "a third"}} {
				series := []chart.Series{{Name: name}}
				for _, c := range company {
					series = append(series, chart.Series{Name: c})
				}
				slices.Reverse(series)
				if got := chart.Colors(series); got[len(got)-1] != want || chart.Color(name) != want {
					t.Errorf("%s beside %v is %s, and %s by itself; want %s", name, company, got[len(got)-1], chart.Color(name), want)
				}
			}
		}
	}
	together := [][]string{static, quant.StaticSites(), sites[1 : len(sites)-1], operators, {"di-exp", "di-exp+", "di-exp-published", "lut32", "taylor3", "i-bert"}}
	for _, f := range ablation.ExpFamilies() {
		var names []string
		for _, n := range f.Names {
			names = append(names, n.(string))
		}
		together = append(together, names)
	}
	for _, list := range together {
		of := map[string]string{}
		for _, name := range list {
			c := chart.Color(name)
			if other := of[c]; other != "" {
				t.Errorf("%s and %s, drawn in one chart, are both %s", other, name, c)
			}
			of[c] = name
		}
	}
	for _, site := range quant.StaticSites() {
		if a, b := chart.Color(site), chart.Color(quant.StaticSite(site)); a != b {
			t.Errorf("%s is %s and %s on its own grid", site, a, b)
		}
	}
}
