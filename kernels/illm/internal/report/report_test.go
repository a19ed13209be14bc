package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/record"
)

// void elements have no end tag.
var void = []string{"meta", "link", "img", "br", "hr", "input", "col"}

// The page of the shipped records names every study, closes what it opens, holds the chart
// library once and loads nothing.
func TestPage(t *testing.T) {
	if testing.Short() {
		t.Skip("draws every chart")
	}
	store, err := record.Open(record.Options{Shipped: data.Records(), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	page, err := Page(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	checkPage(t, page)
	if n := strings.Count(page, `class="illm-chart"`); n < 5 {
		t.Errorf("%d charts, want at least 5", n)
	}
	for _, want := range []string{"24.98", "AMD EPYC", "holds"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	for _, want := range []string{"Divergence from fp32 beyond that of integer", "Divergence from fp32 by position", "Divergence from fp32 that one block makes",
		"Divergence from fp32: smollm2", "Perplexity by calibration windows", "tiny-llama: divergence from fp32, WikiText-2", "tiny-opt: C4"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	// plans of blocks are drawn for each model that has records with a first window behind those that chose the order
	planned := map[string]bool{}
	for _, r := range store.Filter(func(r *record.Record) bool { return r.Axes["layers"] != "" && fmt.Sprint(r.Config["first"]) != "0" }) {
		planned[r.Axes["model"]] = true
	}
	for model := range planned {
		if !strings.Contains(page, "for the bytes of the weights: "+model) {
			t.Errorf("the plans of %s are not drawn", model)
		}
	}
	if len(planned) == 0 {
		t.Error("no record of a plan of blocks")
	}
}

func TestQuestions(t *testing.T) {
	for _, name := range bench.StudyNames() {
		if questions[name] == "" {
			t.Errorf("the speed study %s has no question", name)
		}
	}
}

// Without a record every part is there and named as missing.
func TestEmpty(t *testing.T) {
	store, err := record.Open(record.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	page, err := Page(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	checkPage(t, page)
	if !strings.Contains(page, "no record yet") || !strings.Contains(page, "the whole study") {
		t.Error("nothing is named as missing")
	}
}

func checkPage(t *testing.T, page string) {
	t.Helper()
	if len(page) > 12e6 {
		t.Errorf("%d bytes, want at most 12 MB", len(page))
	}
	if n := strings.Count(page, `<script class="illm-library">`); n != 1 {
		t.Errorf("the chart library is there %d times, want once", n)
	}
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	var links []string
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			switch a.Key {
			case "src", "href", "data", "action", "poster", "srcset":
				if a.Key == "href" && strings.HasPrefix(a.Val, "#") {
					links = append(links, a.Val[1:])
				} else if !strings.HasPrefix(a.Val, "data:") {
					t.Errorf("<%s %s=%.80q> loads something", n.Data, a.Key, a.Val)
				}
			case "id":
				if ids[a.Val] {
					t.Errorf("the id %q is there twice", a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
	for _, l := range links {
		if !ids[l] {
			t.Errorf("a link leads to #%s, which is not there", l)
		}
	}
	for _, s := range ablation.Studies() {
		if !ids[s.Name] {
			t.Errorf("no section of the study %s", s.Name)
		}
	}
	for _, name := range append([]string{"claims", "T1", "T2,-T3", "T4", "T5", "T6", "speed", "peers", "missing", "provenance"}, bench.StudyNames()...) {
		if !ids[name] && !ids["speed:-"+name] {
			t.Errorf("no section %s", name)
		}
	}
	// Parse mends what is not closed; the tokens tell.
	var open []string
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		name, _ := z.TagName()
		switch tag := string(name); {
		case kind == html.StartTagToken && !slices.Contains(void, tag):
			open = append(open, tag)
		case kind == html.EndTagToken && (len(open) == 0 || open[len(open)-1] != tag):
			t.Fatalf("</%s> within %v", tag, open)
		case kind == html.EndTagToken:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("not closed: %v", open)
	}
}
