package chart

import (
	"math"
	"strconv"
	"testing"
)

type rgb [3]float64 // linear light, 0…1

func parseColor(t *testing.T, hex string) rgb {
	t.Helper()
	n, err := strconv.ParseUint(hex[1:], 16, 32)
	if err != nil || len(hex) != 7 {
		t.Fatalf("colour %q is not #rrggbb", hex)
	}
	var c rgb
	for i, shift := range []uint{16, 8, 0} {
		v := float64(n>>shift&255) / 255
		if v <= 0.04045 {
			c[i] = v / 12.92
		} else {
			c[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return c
}

// contrast is the WCAG 2 ratio of two colours.
func contrast(a, b rgb) float64 {
	y := func(c rgb) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] + 0.05 }
	r := y(a) / y(b)
	return math.Max(r, 1/r)
}

// deficiencies are the full-strength matrices of Machado, Oliveira and Fernandes
// (2009) on linear RGB.
var deficiencies = map[string][3]rgb{
	"normal":       {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

func seen(m [3]rgb, c rgb) rgb {
	var out rgb
	for i := range out {
		for j := range c {
			out[i] += m[i][j] * c[j]
		}
		out[i] = math.Min(math.Max(out[i], 0), 1)
	}
	return out
}

// lab is CIE L*a*b* under D65.
func lab(c rgb) [3]float64 {
	x := (0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.95047
	y := 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
	z := (0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.08883
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	return [3]float64{116*f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))}
}

func distance(a, b rgb) float64 {
	p, q := lab(a), lab(b)
	return math.Sqrt((p[0]-q[0])*(p[0]-q[0]) + (p[1]-q[1])*(p[1]-q[1]) + (p[2]-q[2])*(p[2]-q[2]))
}

// TestPalette: every colour reads on both pages, and the recipes, which meet in
// most charts, stay apart for all kinds of sight. A difference of 2.3 is just
// noticeable; 10 is plain.
func TestPalette(t *testing.T) {
	all := append([]string{neutral, teal, violet, tan}, palette...)
	for _, c := range methods {
		all = append(all, c)
	}
	for _, c := range all {
		for _, page := range []string{light.Background, dark.Background} {
			if r := contrast(parseColor(t, c), parseColor(t, page)); r < 3 {
				t.Errorf("%s on %s: contrast %.2f, want 3", c, page, r)
			}
		}
	}
	for _, th := range []theme{light, dark} {
		for _, c := range []string{th.Text, th.Muted} {
			if r := contrast(parseColor(t, c), parseColor(t, th.Background)); r < 4.5 {
				t.Errorf("%s text %s: contrast %.2f, want 4.5", th.Name, c, r)
			}
		}
	}
	recipes := []string{"fp32", "w8a8", "w6a6", "w4a8", "w4a4"}
	for sight, m := range deficiencies {
		for i, a := range recipes {
			for _, b := range recipes[:i] {
				d := distance(seen(m, parseColor(t, Color(a))), seen(m, parseColor(t, Color(b))))
				if d < 10 {
					t.Errorf("%s: %s and %s differ by %.1f, want 10", sight, a, b, d)
				}
			}
		}
	}
}

func TestColorIsStable(t *testing.T) {
	// A name that no table holds has the same colour alone and in company.
	for _, name := range []string{"a rival", "lut 64"} {
		if c := colors([]Series{{Name: "w8a8"}, {Name: name}}); c[1] != Color(name) && Color(name) != Color("w8a8") {
			t.Errorf("%s is %s beside w8a8 and %s alone", name, c[1], Color(name))
		}
	}
	// Series of one chart differ as long as the palette has colours left.
	var list []Series
	for i := range len(palette) {
		list = append(list, Series{Name: "variant " + strconv.Itoa(i)})
	}
	used := map[string]bool{}
	for _, c := range colors(list) {
		used[c] = true
	}
	if len(used) != len(palette) {
		t.Errorf("%d series use %d colours, want as many", len(list), len(used))
	}
	same := colors([]Series{{Name: "w8a8 c=15", Method: "w8a8"}, {Name: "w8a8 c=8", Method: "w8a8"}})
	if same[0] != same[1] || same[0] != Color("w8a8") {
		t.Errorf("one method, colours %v", same)
	}
}
