package pkg

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/illm-go/illm"

// layers is the order of the packages: a package imports only packages of strictly lower layers. A package that is
// missing here fails the test, so that the cut is decided and not grown.
var layers = [][]string{
	0: {"intmath", "simd/cpu"},
	1: {"dyadic", "simd/gemm", "simd/gemm4", "simd/vec", "simd/sgemm", "simd/ordered", "simd/fvec"},
	2: {"quant", "model/gguf", "model/safetensors", "model/tokenizer", "hub"},
	3: {"di", "model", "corpus", "record", "eval/tasks"},
	4: {"baseline", "artifact", "floatref", "chart", "eval", "tape"},
	5: {"engine", "baseline/fakequant", "peers", "smooth"},
	6: {"ptq", "gptq", "accel"},
	7: {"catalog", "pretrain", "fsbr"},
	8: {"bench", "ablation"},
	9: {"nb"},
}

// commandLayer is that of everything under kernels/, which may import any package.
const commandLayer = 10

// helpers are small leaf packages without a domain of their own; they import nothing of the project and anyone may
// import them. Test support may import anything and only tests import it.
var (
	leaves      = []string{"half", "mmap", "suggest"}
	testSupport = []string{"simd/simdtest", "model/modeltest"}
)

// fences names libraries and the packages that alone may import them.
var fences = map[string][]string{
	"github.com/go-echarts/go-echarts":  {"chart"},
	"github.com/gomlx/gomlx":            {"tape", "pretrain", "fsbr", "accel"},
	"github.com/therootcompany/xz":      {"corpus"},
	"github.com/janpfeifer/gonb/gonbui": {"nb"},
}

// links names commands that may import GoMLX's backends, which need cgo, to register them.
var links = map[string]string{
	"kernels/trainer": "github.com/gomlx/gomlx/backends",
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles, Imports        []string
	Error                   *struct{ Err string }
}

// goList runs go list and decodes its packages.
func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-json"}, args...)...)
	cmd.Dir = ".." // the module's root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// layerOf returns the layer of an import path of this module; ok is false for an unlisted one.
func layerOf(importPath string) (layer int, ok bool) {
	rel, inPkg := strings.CutPrefix(importPath, module+"/pkg/")
	if importPath == module+"/data" {
		return -1, true // embedded records and manifests: data, no code to speak of
	}
	if !inPkg {
		return commandLayer, strings.HasPrefix(importPath, module+"/kernels/")
	}
	if slices.Contains(leaves, rel) {
		return -1, true
	}
	for n, names := range layers {
		for _, name := range names {
			if rel == name || strings.HasPrefix(rel, name+"/internal/") {
				return n, true
			}
		}
	}
	return 0, false
}

// checkDeps returns one line for every import that breaks the layers or a fence.
func checkDeps(packages []listed) (broken []string) {
	report := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	for _, p := range packages {
		rel := strings.TrimPrefix(p.ImportPath, module+"/pkg/")
		if p.ImportPath == module || p.ImportPath == module+"/pkg" || slices.Contains(testSupport, rel) {
			continue
		}
		layer, ok := layerOf(p.ImportPath)
		if !ok {
			report("%s: no layer: add it to layers in pkg/deps_test.go", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			lib := links[strings.TrimPrefix(p.ImportPath, module+"/")]
			if lib != "" && (imp == lib || strings.HasPrefix(imp, lib+"/")) {
				continue
			}
			if owners, ok := fencedBy(imp); ok && !slices.Contains(owners, rel) {
				report("%s imports %s: only %s may", p.ImportPath, imp, strings.Join(owners, " or "))
			}
			if !strings.HasPrefix(imp, module+"/") {
				continue
			}
			if slices.Contains(testSupport, strings.TrimPrefix(imp, module+"/pkg/")) {
				report("%s imports %s: only tests may", p.ImportPath, imp)
				continue
			}
			below, ok := layerOf(imp)
			inside := path.Dir(imp) == p.ImportPath+"/internal" // a package's own internals
			if !ok || below >= layer && !inside && layer != commandLayer {
				report("%s (layer %d) imports %s (layer %d): only lower layers may be imported", p.ImportPath, layer, imp, below)
			}
		}
	}
	return broken
}

func fencedBy(imp string) (owners []string, ok bool) {
	for lib, names := range fences {
		if imp == lib || strings.HasPrefix(imp, lib+"/") {
			return names, true
		}
	}
	return nil, false
}

func TestLayers(t *testing.T) {
	for _, line := range checkDeps(goList(t, "./...")) {
		t.Error(line)
	}
}

// TestLayersCatches: the check finds what it is there for.
func TestLayersCatches(t *testing.T) {
	p := func(name string, imports ...string) listed {
		for i, imp := range imports {
			if !strings.Contains(imp, ".") {
				imports[i] = module + "/pkg/" + imp
			}
		}
		return listed{ImportPath: module + "/pkg/" + name, Imports: imports}
	}
	for _, c := range []struct {
		p    listed
		want string
	}{
		{p("dyadic", "quant"), "only lower layers"},
		{p("di", "model"), "only lower layers"},
		{p("brandnew"), "no layer"},
		{p("engine", "github.com/go-echarts/go-echarts/v2/charts"), "only chart may"},
		{p("di", "simd/simdtest"), "only tests may"},
		{p("chart", "github.com/go-echarts/go-echarts/v2/charts", "record", "half"), ""},
		{p("engine", "di", "quant", "intmath"), ""},
		{p("simd/cpu/internal/x", "dyadic"), "only lower layers"},
	} {
		got := strings.Join(checkDeps([]listed{c.p}), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s imports %v: %q, want %q", c.p.ImportPath, c.p.Imports, got, c.want)
		}
	}
}
