package quant

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRecipe(t *testing.T) {
	for s, want := range map[string]Recipe{
		"w8a8":         {"w8a8", 8, 8, 8, 8, 8, 8, 8, 8, "", "", ""},
		"w6a6":         {"w6a6", 6, 6, 6, 6, 8, 8, 8, 8, "", "", ""},
		"w4a8":         {"w4a8", 4, 8, 8, 8, 8, 8, 8, 8, "", "", ""},
		"W4A4":         {"w4a4", 4, 4, 4, 4, 8, 8, 8, 8, "", "", ""},
		"w4a4kv8":      {"w4a4kv8", 4, 4, 4, 8, 8, 8, 8, 8, "", "", ""},
		"w8a8emb16":    {"w8a8emb16", 8, 8, 8, 8, 8, 8, 8, 16, "", "", ""},
		"w8a8kv4emb16": {"w8a8kv4emb16", 8, 8, 8, 4, 8, 8, 8, 16, "", "", ""},
		"w8a8emb16kv4": {"w8a8kv4emb16", 8, 8, 8, 4, 8, 8, 8, 16, "", "", ""},
		"w8a8kv16":     {"w8a8kv16", 8, 8, 8, 16, 8, 8, 8, 8, "", "", ""},
		"w4a4-rtn":     {"w4a4", 4, 4, 4, 4, 8, 8, 8, 8, "", "", ""},
		"w4a4-fsbr":    {"w4a4-fsbr", 4, 4, 4, 4, 8, 8, 8, 8, "fsbr", "", ""},
		"w4a4-bestkv8": {"w4a4kv8-best", 4, 4, 4, 8, 8, 8, 8, 8, "best", "", ""},
		"W6A6kv8-GPTQ": {"w6a6kv8-gptq", 6, 6, 6, 8, 8, 8, 8, 8, "gptq", "", ""},
		"w8a8emb8":     {"w8a8", 8, 8, 8, 8, 8, 8, 8, 8, "", "", ""},
	} {
		got, err := ParseRecipe(s)
		if err != nil || got != want {
			t.Errorf("ParseRecipe(%q) = %+v, %v, want %+v", s, got, err, want)
		}
	}
}

// The widths come from the name alone, whatever the method.
func TestWithMethod(t *testing.T) {
	base, err := ParseRecipe("w4a4kv8")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range Methods() {
		r, err := base.WithMethod(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := r.WithMethod("")
		if err != nil || back != base || r.MethodName() != m {
			t.Errorf("%s: %+v and back %+v, %v", m, r, back, err)
		}
		if parsed, err := ParseRecipe("w4a4kv8-" + m); err != nil || parsed != r {
			t.Errorf("%s: parsed %+v, %v, want %+v", m, parsed, err, r)
		}
	}
	if _, err := base.WithMethod("magic"); err == nil {
		t.Error("an unknown method was taken")
	}
}

// wantError checks that an error names what the user needs to mend the input.
func wantError(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%s: error %q does not mention %q", what, err, p)
		}
	}
}

func TestParseRecipeErrors(t *testing.T) {
	for s, parts := range map[string][]string{
		"w8a9":                    {`"w8a9"`, "did you mean", "w8a8"},
		"wba8":                    {"did you mean", "w8a8"},
		"int8":                    {"unknown name", "w4a4"},
		"":                        {"unknown name"},
		"fp32":                    {"float model"},
		"w8a8kv":                  {"kv", "without a width"},
		"w8a8kv9":                 {"kv = 9 bits", "2…8 or 16"},
		"w8a8kv1":                 {"kv = 1 bits"},
		"w8a8kv4kv4":              {"twice"},
		"w8a8emb12":               {"emb12", "emb16"},
		"w8a8-fsbrx":              {"unknown suffix", "x"},
		"w8a8-fsbt":               {"unknown method", "did you mean", "fsbr"},
		"w8a8-":                   {"unknown method", "smoothquant"},
		"w8a8-fsbr-gptq":          {"two methods"},
		"w8a8gq8":                 {"unknown suffix", "gq8"},
		"w8a8kv99999999999999999": {"kv"},
		"no/such/file.json":       {"no/such/file.json"},
		strings.Repeat("w", 1e6):  {"unknown name"},
	} {
		_, err := ParseRecipe(s)
		wantError(t, "ParseRecipe("+s[:min(len(s), 30)]+")", err, parts...)
	}
}

func TestRecipeFile(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "r.json")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := `{"name":"mine","weight":5,"act":8,"query":8,"kv":7,"score":8,"glu":16,"head":8,"emb":8}`
	got, err := ParseRecipe(write(good))
	if want := (Recipe{"mine", 5, 8, 8, 7, 8, 16, 8, 8, "", "", ""}); err != nil || got != want {
		t.Errorf("recipe file: %+v, %v, want %+v", got, err, want)
	}
	for text, part := range map[string]string{
		``:                                         "expected {",
		`{"name":"x"`:                              "expected {",
		good + `{}`:                                "after the object",
		strings.Replace(good, `"kv"`, `"vk"`, 1):   "unknown field",
		strings.Replace(good, `mine`, ``, 1):       "name",
		strings.Replace(good, `mine`, `../x`, 1):   "part of file names",
		strings.Replace(good, `mine`, `a/b`, 1):    "part of file names",
		strings.Replace(good, `5`, `"5"`, 1):       "expected {",
		strings.Replace(good, `"act":8,`, ``, 1):   "act = 0 bits",
		strings.Replace(good, `:16`, `:9`, 1):      "glu = 9 bits",
		`{"name":"` + strings.Repeat("x", 1<<17):   "longer than",
		strings.Replace(good, `:5`, `:1e300`, 1):   "expected {",
		strings.Replace(good, `:5,`, `:-5000,`, 1): "weight = -5000 bits",
	} {
		_, err := ParseRecipe(write(text))
		wantError(t, text[:min(len(text), 40)], err, part)
	}
	_, err = ParseRecipe(t.TempDir() + "/")
	wantError(t, "a directory", err, "recipe file")
}

func TestParseClip(t *testing.T) {
	for s, want := range map[string]Clip{"15": 15000, "12.5": 12500, "none": 0, "": 15000, "0.001": 1, "20.125": 20125, "1000000": 1000000000} {
		got, err := ParseClip(s)
		if err != nil || got != want {
			t.Errorf("ParseClip(%q) = %d, %v, want %d", s, got, err, want)
		}
		if back, err := ParseClip(got.String()); err != nil || back != got {
			t.Errorf("ParseClip(%v.String()) = %d, %v", got, back, err)
		}
	}
	for _, s := range []string{"0", "-1", "NaN", "inf", "1e3", "15,0", "15.1234", "1000000.001", "0.000", "+3", "٣", "6.", ".5", "1.2.3", strings.Repeat("9", 1e5)} {
		_, err := ParseClip(s)
		wantError(t, "ParseClip("+s[:min(len(s), 20)]+")", err, "clip", "expected")
	}
}

// TestClipScale holds the mantissas of the clips of the sweep.
func TestClipScale(t *testing.T) {
	for _, c := range []struct {
		clip Clip
		m    uint32
		k    int32
	}{{15000, 61440, 12}, {12500, 51200, 12}, {17000, 34816, 11}, {6000, 49152, 13}} {
		if s, ok := c.clip.Scale(); !ok || s.M != c.m || s.K != c.k {
			t.Errorf("Clip(%d).Scale() = %v, %v, want (%d, %d)", c.clip, s, ok, c.m, c.k)
		}
	}
	if _, ok := Clip(0).Scale(); ok {
		t.Error("no clip has a scale")
	}
}

func TestSpec(t *testing.T) {
	s, err := NewSpec("w4a4kv8", "12.5", "precise")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if s.Clip != 12500 || s.Mode != Precise || s.MantissaBits != 16 || s.ProbBits != 15 {
		t.Errorf("NewSpec = %+v", s)
	}
	if e := s.Effective(); e.Score != 16 || e.GLU != 16 || e.KV != 8 || e.Head != 8 {
		t.Errorf("Effective = %+v", e)
	}
	if s.Mode = ILLM; s.Effective() != s.Recipe {
		t.Errorf("Effective of illm changes the recipe: %+v", s.Effective())
	}
	for _, c := range [][4]string{
		{"w8a8", "15", "publish", `did you mean "published"`}, {"w8a8", "15", "precis", `did you mean "precise"`},
		{"w8a8", "15", "float", "unknown"}, {"w8", "15", "", "did you mean"}, {"w8a8", "0", "", "positive"},
	} {
		_, err := NewSpec(c[0], c[1], c[2])
		wantError(t, strings.Join(c[:3], " "), err, c[3])
	}
	for _, change := range []func(*Spec){
		func(s *Spec) { s.MantissaBits = 3 }, func(s *Spec) { s.MantissaBits = 17 }, func(s *Spec) { s.ProbBits = 7 },
		func(s *Spec) { s.Clip = -1 }, func(s *Spec) { s.Mode = "" }, func(s *Spec) { s.Recipe.KV = 0 },
	} {
		bad := s
		change(&bad)
		if bad.Validate() == nil {
			t.Errorf("Validate accepts %+v", bad)
		}
	}
}

// TestPanel holds the two known panels and reads every code back.
func TestPanel(t *testing.T) {
	const n, k = 70, 10
	for _, c := range []struct {
		bits       int
		size       int
		first, sum string
		code       func(j, k int) int
	}{
		{8, 1536, "8184878a888b8e91", "788f1ed67f8e8484c4d271515200d1996bc7083e4f5ae893ec12c2171ee59777",
			func(j, k int) int { return (7*j+3*k)%255 - 127 + 128 }},
		{4, 1024, "c0f32659376a9dc0", "d18d680767272912ee93c6362f9b1fa71bf10b739ef511bcc7ba67666a70e27f",
			func(j, k int) int { return (7*j + 3*k) % 16 }},
	} {
		l := Linear{In: k, Out: n, Bits: c.bits, Zero: make([]uint8, n)}
		codes := make([]uint8, n*k)
		for i := range codes {
			codes[i] = uint8(c.code(i/k, i%k))
		}
		l.Pack(codes)
		sum := sha256.Sum256(l.Panel)
		if len(l.Panel) != c.size || hex.EncodeToString(l.Panel[:8]) != c.first || hex.EncodeToString(sum[:]) != c.sum {
			t.Errorf("panel of %d bits: %d bytes, first %x, sha256 %x", c.bits, len(l.Panel), l.Panel[:8], sum)
		}
	}
}

// TestCodeAndSums: codes survive the panel at every width, and SumW is the sum of what the product sees.
func TestCodeAndSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for bits := 2; bits <= 8; bits++ {
		for _, shape := range [][2]int{{1, 1}, {64, 8}, {65, 9}, {130, 37}, {63, 4}, {3, 100}} {
			l := Linear{Out: shape[0], In: shape[1], Bits: bits, Zero: make([]uint8, shape[0])}
			codes := make([]uint8, l.Out*l.In)
			for i := range codes {
				codes[i] = uint8(rng.IntN(1 << bits))
			}
			for j := range l.Zero {
				l.Zero[j] = uint8(rng.IntN(1 << bits))
			}
			l.Pack(codes)
			if len(l.Panel) != PanelBytes(l.Out, l.In, bits) {
				t.Fatalf("panel %v at %d bits: %d bytes, want %d", shape, bits, len(l.Panel), PanelBytes(l.Out, l.In, bits))
			}
			for j := range l.Out {
				sum := int32(0)
				for k := range l.In {
					c := codes[j*l.In+k]
					if got := l.Code(j, k); got != int(c) {
						t.Fatalf("code (%d, %d) at %d bits = %d, want %d", j, k, bits, got, c)
					}
					switch {
					case bits == 8:
						sum += int32(c) - 128
					case bits > 4:
						sum += int32(c) - int32(l.Zero[j])
					default:
						sum += int32(c)
					}
				}
				if l.SumW[j] != sum {
					t.Fatalf("SumW[%d] of %v at %d bits = %d, want %d", j, shape, bits, l.SumW[j], sum)
				}
			}
		}
	}
}

func TestActs(t *testing.T) {
	a := NewActs(3, 65, 8)
	if a.Stride != 128 || len(a.Row(2)) != 128 || a.Codes16 != nil || len(a.Params) != 3 {
		t.Errorf("NewActs(3, 65, 8) = stride %d, row %d", a.Stride, len(a.Row(2)))
	}
	a.Row(1)[127] = 1
	if a.Codes[255] != 1 || cap(a.Row(0)) != 128 {
		t.Error("rows overlap or reach into the next")
	}
	if b := NewActs(2, 64, 16); b.Stride != 64 || len(b.Row16(1)) != 64 || b.Codes != nil {
		t.Errorf("NewActs(2, 64, 16): stride %d", b.Stride)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"w8a8", "w4a4kv8emb16", "w8a8kv", "15", "12.5", "none", "1e9", "NaN", "0.0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseClip(s); err == nil {
			if back, err := ParseClip(c.String()); err != nil || back != c {
				t.Errorf("clip %q → %v → %v, %v", s, c, back, err)
			}
		}
		if strings.ContainsAny(s, `/\`) || strings.HasSuffix(s, ".json") {
			return // would read the file system
		}
		if r, err := ParseRecipe(s); err == nil {
			if back, err := ParseRecipe(r.Name); err != nil || back != r {
				t.Errorf("recipe %q → %+v → %+v, %v", s, r, back, err)
			}
		}
	})
}

// A variant stands behind its method, whatever follows, and goes with it.
func TestVariants(t *testing.T) {
	for _, c := range []struct{ in, name, widths, variant string }{
		{"w4a4-fsbr@seed3", "w4a4-fsbr@seed3", "w4a4", "seed3"},
		{"w4a4-fsbr@no_qkvkv8", "w4a4-fsbr@no_qkvkv8", "w4a4", "no_qkvkv8"},
		{"w4a4-fsbr@no_qkv-statickv8", "w4a4kv8-fsbr@no_qkv-static", "w4a4kv8", "no_qkv"},
		{"W4A4kv8-static-best@e40.2", "w4a4kv8-best@e40.2-static", "w4a4kv8", "e40.2"},
	} {
		r, err := ParseRecipe(c.in)
		if err != nil || r.Name != c.name || r.Widths() != c.widths || r.Variant != c.variant {
			t.Errorf("%s: %+v, %v; want %+v", c.in, r, err, c)
			continue
		}
		if again, err := ParseRecipe(r.Name); err != nil || again != r {
			t.Errorf("%s: its name gives %+v, %v", c.in, again, err)
		}
		if same, err := r.WithMethod(r.Method); err != nil || same != r {
			t.Errorf("%s: the same method gives %+v, %v", c.in, same, err)
		}
		other, err := r.WithMethod("gptq")
		if err != nil || other.Variant != "" || strings.Contains(other.Name, "@") {
			t.Errorf("%s: another method gives %+v, %v", c.in, other, err)
		}
	}
	for _, s := range []string{"w4a4@x", "w4a4-fsbr@", "w4a4-fsbr@../x", "w4a4-fsbr@a..b", "w4a4-fsbr@.a", "w4a4-rtn@x", "w4a4-fsbr@a@b", "w4a4-fsbr@" + strings.Repeat("a", 33)} {
		if r, err := ParseRecipe(s); err == nil {
			t.Errorf("%s: %+v, expected an error", s, r)
		}
	}
}
