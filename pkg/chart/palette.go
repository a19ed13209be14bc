package chart

import (
	"hash/fnv"
	"strings"
)

// The palette follows Okabe and Ito's set, darkened: each colour has a contrast of
// at least 3:1 on the white and on the near-black page, and the first four with
// the grey of the references stay apart under protanopia, deuteranopia and
// tritanopia (TestPalette computes both).
var palette = []string{
	"#0077bb", // blue
	"#d55e00", // vermilion
	"#1b9e4b", // green
	"#b5179e", // purple
	"#b58900", // ochre
	"#3d94cc", // sky
	"#8c6239", // brown
	"#7f8c3a", // olive
}

const (
	neutral = "#808080" // references and the float model
	teal    = "#008b8b" // for names of charts with more series than the palette has colours; both read on both pages
	violet  = "#7c5cd6"
	tan     = "#a0674b"
)

// methods fixes the colour of every name that appears in more than one chart,
// so that a method looks the same in all notebooks.
var methods = map[string]string{
	"fp32":  neutral,
	"fp16":  tan,
	"w8a8":  palette[0],
	"w6a6":  palette[2],
	"w4a8":  palette[3],
	"w4a4":  palette[1],
	"w4a16": palette[6],

	"illm":      palette[0],
	"precise":   palette[2],
	"published": palette[1],

	// Sets of operators. Exponentials of the same names share the colour.
	"integer":         palette[0],
	"float":           neutral,
	"float32":         palette[3],
	"half":            tan,
	"half:softmax":    palette[2],
	"half:activation": palette[4],
	"half:norm":       palette[1],

	// Exponentials. Those of one family (ablation.ExpFamilies) differ, and so do the six that notebook 31 draws together.
	"di-exp":           palette[0],
	"di-exp-log2e":     palette[5],
	"di-exp+":          palette[2],
	"di-exp-published": palette[1],
	"exaq":             palette[4],
	"shiftmax":         palette[6],
	"softermax":        palette[3],
	"lut256":           palette[6],
	"lut8":             palette[1],
	"lut8i":            palette[4],
	"lut32":            palette[3],
	"lut32i":           palette[5],
	"lut64":            palette[2],
	"lut64i":           palette[7],
	"pwl16":            palette[0],
	"taylor2":          palette[1],
	"taylor3":          palette[4],
	"taylor4":          palette[2],
	"taylor5":          palette[0],
	"taylor3-raw":      teal,
	"i-bert":           palette[7],
	"float64":          neutral,

	// Static settings.
	"dynamic":    palette[0],
	"static":     palette[1],
	"static999":  palette[4],
	"statichead": palette[2],
	"mixed":      palette[3],

	// Sites. "static:SITE", that site alone on a constant grid, has the site's colour.
	"attn_in":  palette[0],
	"mlp_in":   palette[5],
	"attn_out": palette[3],
	"product":  palette[1],
	"query":    palette[4],
	"key":      palette[6],
	"value":    palette[7],
	"gate":     teal,
	"up":       violet,
	"scores":   palette[2],
}

// fixed is the colour that a name has in every chart.
func fixed(name string) (string, bool) {
	c, ok := methods[strings.TrimPrefix(name, "static:")]
	return c, ok
}

// Color is the colour of a method, recipe or mode: a fixed one for the known
// names, else one picked by the name alone.
func Color(method string) string {
	if c, ok := fixed(method); ok {
		return c
	}
	h := fnv.New32a()
	h.Write([]byte(method))
	return palette[h.Sum32()%uint32(len(palette))]
}

// colors gives one colour to each series. Known names keep theirs in every chart.
// A name that only one chart has gives way, in order, to one that is there already,
// since two series of one chart must differ before anything else.
func colors(series []Series) []string {
	out := make([]string, len(series))
	used := map[string]bool{}
	key := func(s Series) string {
		if s.Method != "" {
			return s.Method
		}
		return s.Name
	}
	for i, s := range series {
		if c, ok := fixed(key(s)); ok {
			out[i] = c
			used[c] = true
		}
	}
	byMethod := map[string]string{}
	for i, s := range series {
		if out[i] != "" {
			continue
		}
		if c, ok := byMethod[key(s)]; ok {
			out[i] = c
			continue
		}
		h := fnv.New32a()
		h.Write([]byte(key(s)))
		start := int(h.Sum32() % uint32(len(palette)))
		pick := palette[start]
		for step := range palette {
			c := palette[(start+step)%len(palette)]
			if !used[c] {
				pick = c
				break
			}
		}
		out[i], used[pick] = pick, true
		byMethod[key(s)] = pick
	}
	return out
}

// symbols repeats the distinction of the colours in shape.
var symbols = []string{"circle", "rect", "triangle", "diamond", "pin", "roundRect", "arrow"}

// theme is the set of greys that depends on the page, not on the data.
type theme struct {
	Name                            string
	Background, Text, Muted, Line   string
	Split, TooltipBack, TooltipEdge string
}

var (
	light = theme{Name: "light", Background: "#ffffff", Text: "#1f2328", Muted: "#59636e", Line: "#8c959f", Split: "#e4e8ec", TooltipBack: "#fffffe", TooltipEdge: "#d1d9e0"}
	dark  = theme{Name: "dark", Background: "#16191d", Text: "#e6eaee", Muted: "#a3adb8", Line: "#6b7580", Split: "#2b3036", TooltipBack: "#23282e", TooltipEdge: "#3d444d"}
)
