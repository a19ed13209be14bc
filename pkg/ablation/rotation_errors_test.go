package ablation

import (
	"context"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/model/modeltest"
	"github.com/illm-go/illm/pkg/smooth"
)

// More bits give less error at every site, an offline rotation changes what is rounded, and bad numbers of tokens are refused.
func TestSiteErrors(t *testing.T) {
	m, err := model.Open(modeltest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids := []int32{1, 5, 9, 2, 7, 3, 3, 8}
	measure := func(f *smooth.Factors, bits int) SiteErrors {
		t.Helper()
		e, err := MeasureSiteErrors(context.Background(), m.Config, m, "x", f, bits, ids, 2)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	four, eight := measure(nil, 4), measure(nil, 8)
	for _, r := range siteReaders {
		site := r.site.String()
		if !(eight.Errors[site] > 0 && eight.Errors[site] < four.Errors[site]/8) {
			t.Errorf("%s: %g at 4 bits, %g at 8, want about a 17th", site, four.Errors[site], eight.Errors[site])
		}
	}
	turned := measure(&smooth.Factors{Rotation: smooth.Rotation{ValueOut: true}}, 4)
	if a, b := four.Errors["attn_out"], turned.Errors["attn_out"]; a == b {
		t.Errorf("attn_out: %g with and without a rotation", a)
	}
	if a, b := four.Errors["product"], turned.Errors["product"]; a/b < 0.99 || a/b > 1.01 {
		t.Errorf("product: %g, and %g behind a rotation of another site", a, b)
	}
	g := SiteErrorTable([]SiteErrors{four})
	if len(g.Rows) != 1 || len(g.Rows[0]) != 1+len(siteReaders) || g.Head[4] != "product → down_proj" {
		t.Errorf("table\n%s", g)
	}
	if _, err := MeasureSiteErrors(context.Background(), m.Config, m, "x", nil, 4, ids[:1], 2); err == nil || !strings.Contains(err.Error(), "expected 2 to") {
		t.Errorf("one token: %v", err)
	}
}
