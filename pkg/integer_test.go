package pkg

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// integerOnly lists the packages in which no expression has a float type outside a file named float.go; those that
// must exist come first, the others are checked as soon as they do.
var (
	integerOnly  = []string{"intmath", "dyadic", "quant", "di", "simd/vec"}
	integerLater = []string{"engine", "simd/gemm", "simd/gemm4"}
)

// isFloat reports whether a type is, or is made of, floats or complex numbers. Named types of other packages count by
// what they are, not by what their fields hold.
func isFloat(t types.Type) bool {
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		return t.Info()&(types.IsFloat|types.IsComplex) != 0
	case *types.Named:
		b, ok := t.Underlying().(*types.Basic)
		return ok && isFloat(b)
	case *types.Pointer:
		return isFloat(t.Elem())
	case *types.Slice:
		return isFloat(t.Elem())
	case *types.Array:
		return isFloat(t.Elem())
	case *types.Chan:
		return isFloat(t.Elem())
	case *types.Map:
		return isFloat(t.Key()) || isFloat(t.Elem())
	case *types.Tuple:
		for v := range t.Variables() {
			if isFloat(v.Type()) {
				return true
			}
		}
	case *types.Signature:
		return isFloat(t.Params()) || isFloat(t.Results())
	case *types.Struct:
		for f := range t.Fields() {
			if isFloat(f.Type()) {
				return true
			}
		}
	case *types.Union:
		for term := range t.Terms() {
			if isFloat(term.Type()) {
				return true
			}
		}
	}
	return false
}

// floatExpressions type-checks the files of one package and returns a line for every expression of a float type.
func floatExpressions(fset *token.FileSet, path string, files []*ast.File, imp types.Importer) ([]string, error) {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imp, FakeImportC: true}
	if _, err := conf.Check(path, fset, files, info); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	note := func(pos token.Pos, t types.Type) {
		p := fset.Position(pos)
		if t != nil && isFloat(t) && filepath.Base(p.Filename) != "float.go" {
			seen[fmt.Sprintf("%s:%d: expression of type %s", p.Filename, p.Line, t)] = true
		}
	}
	for e, tv := range info.Types {
		note(e.Pos(), tv.Type)
	}
	for id, obj := range info.Defs {
		if v, ok := obj.(*types.Var); ok {
			note(id.Pos(), v.Type())
		}
	}
	for id, obj := range info.Uses {
		note(id.Pos(), obj.Type())
	}
	var lines []string
	for l := range seen {
		lines = append(lines, l)
	}
	slices.Sort(lines)
	return lines, nil
}

// TestNoFloatExpressions checks every integer package, with the assembly and without.
func TestNoFloatExpressions(t *testing.T) {
	for _, tags := range []string{"", "purego"} {
		var patterns []string
		for _, name := range slices.Concat(integerOnly, integerLater) {
			if _, err := os.Stat(filepath.FromSlash(name)); err == nil {
				patterns = append(patterns, "./pkg/"+name)
			} else if slices.Contains(integerOnly, name) {
				t.Errorf("package %s is missing", name)
			}
		}
		all := goList(t, append([]string{"-tags=" + tags, "-export", "-deps"}, patterns...)...)
		exports := map[string]string{}
		for _, p := range all {
			exports[p.ImportPath] = p.Export
		}
		fset := token.NewFileSet()
		imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
		checked := 0
		for _, p := range all {
			rel := strings.TrimPrefix(p.ImportPath, module+"/pkg/")
			if !slices.Contains(patterns, "./pkg/"+rel) || len(p.GoFiles) == 0 {
				continue
			}
			if p.Error != nil {
				t.Errorf("%s: %s", p.ImportPath, p.Error.Err)
				continue
			}
			var files []*ast.File
			for _, name := range p.GoFiles {
				f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, f)
			}
			lines, err := floatExpressions(fset, p.ImportPath, files, imp)
			if err != nil {
				t.Errorf("%s (tags %q): %v", p.ImportPath, tags, err)
				continue
			}
			for _, l := range lines {
				t.Errorf("%s (tags %q)", l, tags)
			}
			checked++
		}
		if checked < len(integerOnly) {
			t.Errorf("%d packages checked with tags %q, expected at least %d", checked, tags, len(integerOnly))
		}
	}
}

// TestFloatExpressionsCatches: the check sees each way a float can enter, and lets integers and float.go pass.
func TestFloatExpressionsCatches(t *testing.T) {
	for src, caught := range map[string]bool{
		`var x = 1.5`:                  true,
		`var x float32`:                true,
		`type T struct{ A []float64 }`: true,
		`func f(x int) int { return int(float32(x)) }`: true,
		`const c = 1e3`:                      true,
		`func f() (r complex128) { return }`: true,
		`type F float64`:                     true,
		`func f[E int | float64](e E) {}`:    true,
		`import "math"; func f() uint64 { return math.Float64bits(0) }`: true,
		`import "math"; var x = math.MaxInt32`:                          false,
		`type T struct{ A map[string]int }; var c = 1 << 10`:            false,
		`import "strconv"; var f = strconv.ParseFloat`:                  true,
		`import "encoding/json"; var d json.Decoder`:                    false,
	} {
		for _, name := range []string{"x.go", "float.go"} {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, name, "package x; "+src, 0)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := floatExpressions(fset, "x", []*ast.File{f}, importer.ForCompiler(fset, "source", nil))
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			if got := len(lines) > 0; got != (caught && name != "float.go") {
				t.Errorf("%s in %s: %v, want caught: %v", src, name, lines, caught)
			}
		}
	}
}

// floatMnemonic matches arithmetic, comparison and conversion of floats; moves and shuffles that only carry a float's
// name (MOVUPS, VBROADCASTSS, XORPS) move bits of any kind and are allowed.
var floatMnemonic = regexp.MustCompile(`^(` +
	`V?(ADD|SUB|MUL|DIV|SQRT|MAX|MIN|HADD|HSUB|ADDSUB|RCP|RCP14|RSQRT|RSQRT14|ROUND|RNDSCALE|SCALEF|RANGE|REDUCE|GETEXP|GETMANT|DP|CMP[A-Z_]*|COMI|UCOMI)(SS|SD|PS|PD|SH|PH)` +
	`|VFN?M(ADD|SUB|ADDSUB|SUBADD)(132|213|231)(SS|SD|PS|PD|SH|PH)` +
	`|V?CVT[A-Z0-9]+|VDPBF16PS|VFC?MULC[A-Z]+` +
	`|F[A-Z0-9]+|VF[A-Z0-9]+|[SU]CVTF[A-Z]*` + // x87, and arm64's FADD, VFMLA, SCVTFD
	`)$`)

// asmLine takes the mnemonic off a line of Go assembly.
var asmLine = regexp.MustCompile(`^\s*(?:[A-Za-z_0-9]+:\s*)?([A-Z][A-Z0-9_]*)(?:\.[A-Z.]+)?(?:\s|$)`)

// floatInstructions returns the mnemonics of r that compute with floats, with their lines.
func floatInstructions(r io.Reader) (found []string, err error) {
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		code, _, _ := strings.Cut(sc.Text(), "//")
		for part := range strings.SplitSeq(code, ";") {
			m := asmLine.FindStringSubmatch(part)
			if m != nil && m[1] != "FUNCDATA" && floatMnemonic.MatchString(m[1]) {
				found = append(found, fmt.Sprintf("%d: %s", n, m[1]))
			}
		}
	}
	return found, sc.Err()
}

func TestNoFloatInstructions(t *testing.T) {
	for _, name := range slices.Concat(integerOnly, integerLater) {
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(name), "*.s"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			found, err := floatInstructions(f)
			f.Close()
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			for _, l := range found {
				t.Errorf("%s:%s computes with floats", file, l)
			}
		}
	}
}

func TestFloatInstructionsCatches(t *testing.T) {
	const float = "\tVADDPS Z0, Z1, Z2\n\tVFMADD231PS Z0, Z1, Z2\nloop: MULSD X0, X1\n\tCVTSQ2SD AX, X0\n\tVCVTDQ2PS Y0, Y1\n" +
		"\tFADDD F0, F1, F2\n\tVUCOMISS X0, X1; SQRTPD X0, X0\n\tVFMLA V0.S4, V1.S4, V2.S4\n\tSCVTFD R0, F0\n\tVMULPD.Z Z0, Z1, K1, Z2\n"
	const integer = "// VADDPS\n\tVPDPBUSD Z0, Z1, Z2\n\tVPDPWSSD Z0, Z1, Z2\n\tVPADDD Y0, Y1, Y2\n\tVBROADCASTSS (AX), Z0\n\tVMOVUPS (AX), Y0\n" +
		"\tVPMULDQ Z0, Z1, Z2\n\tFUNCDATA $0, x(SB)\nfloat: RET\n\tVPSRAQ $3, Z0, Z1\n\tVXORPS X0, X0, X0\n\tVPACKSSDW Y0, Y1, Y2\n\tCMPQ AX, BX\n\tADDQ $1, AX\n\tSUBQ AX, BX\n"
	got, err := floatInstructions(strings.NewReader(float))
	if err != nil || len(got) != 11 {
		t.Errorf("%d of 11 float instructions found: %v, %v", len(got), got, err)
	}
	if got, err := floatInstructions(strings.NewReader(integer)); err != nil || len(got) != 0 {
		t.Errorf("integer instructions taken for floats: %v, %v", got, err)
	}
}
