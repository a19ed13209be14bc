package notebook

import (
	"errors"
	"strings"
	"testing"
)

// withCell returns a notebook whose parameters cell has the source.
func withCell(source string) *Notebook {
	return &Notebook{Path: "10-clip.ipynb", Cells: []*Cell{{Type: "code", Source: source, Tags: []string{ParametersTag}}}}
}

func TestParameters(t *testing.T) {
	source := `%noautoget
// Values of the paper.
import "time"

const clip = 15.0 // thousandths
const (
	windows      = -4
	model, note  = "smollm2", ` + "`raw`" + `
	live         = true
	width  uint8 = 8
	ratio  float64 = 1
	pause        = 2 * time.Second
)
var recipes = []string{"w8a8", "w4a4"}
var bits = []int{8, 6}
var table = map[string]int{}
%%
const inside = 3
`
	list, err := withCell(source).Parameters()
	if err != nil {
		t.Fatal(err)
	}
	want := []Parameter{
		{Name: "clip", Kind: Float, Default: "15.0"},
		{Name: "windows", Kind: Int, Default: "-4"},
		{Name: "model", Kind: String, Default: `"smollm2"`},
		{Name: "note", Kind: String, Default: "`raw`"},
		{Name: "live", Kind: Bool, Default: "true"},
		{Name: "width", Kind: Int, Default: "8"},
		{Name: "ratio", Kind: Float, Default: "1"},
		{Name: "recipes", Kind: List, Default: `[]string{"w8a8", "w4a4"}`},
		{Name: "bits", Kind: List, Default: "[]int{8, 6}"},
	}
	if len(list) != len(want) {
		t.Fatalf("%d parameters, want %d: %+v", len(list), len(want), list)
	}
	for i, w := range want {
		if g := list[i]; g.Name != w.Name || g.Kind != w.Kind || g.Default != w.Default {
			t.Errorf("parameter %d: %s %s %s, want %s %s %s", i, g.Name, g.Kind, g.Default, w.Name, w.Kind, w.Default)
		}
	}
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		source string
		values map[string]string
		want   string
	}{
		{"const clip = 15.0 // paper", map[string]string{"clip": "8"}, "const clip = 8 // paper"},
		{"const clip = 15.0", map[string]string{"clip": " 12.5 "}, "const clip = 12.5"},
		{"const a, b = 1, 2", map[string]string{"a": "1000", "b": "-3"}, "const a, b = 1000, -3"},
		{`const model = "x"`, map[string]string{"model": `a "b" \c`}, `const model = "a \"b\" \\c"`},
		{`const model = "x"`, map[string]string{"model": `"quoted"`}, `const model = "quoted"`},
		{`const model = "x"`, map[string]string{"model": `x" + os.Getenv("A") + "`}, `const model = "x\" + os.Getenv(\"A\") + \""`},
		{"const live = true", map[string]string{"live": "false"}, "const live = false"},
		{`var r = []string{"w8a8"}`, map[string]string{"r": "w4a4, w6a6"}, `var r = []string{"w4a4", "w6a6"}`},
		{`var r = []int{1}`, map[string]string{"r": ""}, `var r = []int{}`},
		{"%noautoget\nconst é, n = \"ü\", 1", map[string]string{"n": "2"}, "%noautoget\nconst é, n = \"ü\", 2"},
		{"const a = 1", nil, "const a = 1"},
	} {
		nb := withCell(c.source)
		if err := nb.Set(c.values); err != nil {
			t.Errorf("%q: %v", c.source, err)
		} else if got := nb.Cells[0].Source; got != c.want {
			t.Errorf("%q with %v:\n got %q\nwant %q", c.source, c.values, got, c.want)
		}
	}
}

func TestSetErrors(t *testing.T) {
	const source = "const clip = 15.0\nconst windows = 4\nconst live = true\nvar bits = []int{8}"
	for _, c := range []struct{ name, value, want string }{
		{"clip", "fast", "expected a number"},
		{"clip", "NaN", "expected a number"},
		{"clip", "Inf", "expected a number"},
		{"clip", "0x1p3", "expected a number"},
		{"clip", "1; var x = 2", "expected a number"},
		{"clip", "", "expected a number"},
		{"windows", "2.5", "expected an integer"},
		{"windows", "9223372036854775808", "expected an integer"},
		{"live", "1", "true or false"},
		{"bits", "8,x", "comma-separated"},
		{"cilp", "8", `did you mean "clip"?`},
		{"zzz", "8", "it has clip = 15.0, windows = 4, live = true"},
	} {
		nb := withCell(source)
		err := nb.Set(map[string]string{c.name: c.value})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: error %v, want %q in it", c.name, c.value, err, c.want)
		}
		if nb.Cells[0].Source != source {
			t.Errorf("%s=%s: the cell changed in spite of the error", c.name, c.value)
		}
	}
	var unknown *UnknownParameterError
	if err := (&Notebook{Path: "x.ipynb"}).Set(map[string]string{"a": "1"}); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "has no parameters") {
		t.Errorf("a notebook without the cell: %v", err)
	}
	if err := withCell("this is not Go").Set(map[string]string{"a": "1"}); err == nil || !strings.Contains(err.Error(), "expected Go declarations") {
		t.Errorf("a cell that is not Go: %v", err)
	}
	two := withCell("const a = 1")
	two.Cells = append(two.Cells, two.Cells[0])
	if err := two.Set(map[string]string{"a": "2"}); err == nil || !strings.Contains(err.Error(), "expected one cell") {
		t.Errorf("two cells with the tag: %v", err)
	}
}
