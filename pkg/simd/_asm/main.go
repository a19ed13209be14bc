// Command _asm writes the assembly files of the packages in pkg/simd and the Go
// declarations beside them:
//
//	cd pkg/simd/_asm && go run . -root ..
//
// Each package has one generator function here. The generated files travel with
// their generator in one commit; a test in pkg/simd/simdtest regenerates them
// and compares.
package main

import (
	"flag"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// files maps a package of pkg/simd to what writes its kernels; PACKAGE/FILE is a
// second file of the package.
var files = []struct {
	pkg      string
	generate func(c *build.Context)
}{
	{"gemm", gemmFile},
	{"gemm4", gemm4File},
	{"ordered", orderedFile},
	{"sgemm", sgemmFile},
	{"vec", vecFile},
	{"vec/exprival", expRivalFile},
	{"vec/hadamard", hadamardFile},
	{"fvec", fvecFile},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("_asm: ")
	root := flag.String("root", "..", "`directory` that holds one folder per package")
	only := flag.String("only", "", "write this `package` alone")
	flag.Parse()
	for _, f := range files {
		if *only != "" && f.pkg != *only {
			continue
		}
		pkg, file, ok := strings.Cut(f.pkg, "/")
		if !ok {
			file = pkg
		}
		if err := write(filepath.Join(*root, pkg), pkg, file, f.generate); err != nil {
			log.Fatalf("%s: %v", f.pkg, err)
		}
	}
	if err := writeARM64(*root, *only); err != nil {
		log.Fatal(err)
	}
}

// write runs one generator and stores FILE_amd64.s and FILE_stub_amd64.go in dir.
func write(dir, pkg, file string, generate func(c *build.Context)) error {
	c := build.NewContext()
	c.ConstraintExpr("!purego")
	generate(c)
	result, err := c.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(result); err != nil {
		return err
	}
	cfg := printer.Config{Name: "pkg/simd/_asm", Pkg: pkg}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, p := range map[string]printer.Printer{
		file + "_amd64.s":       printer.NewGoAsm(cfg),
		file + "_stub_amd64.go": printer.NewStubs(cfg),
	} {
		text, err := p.Print(result)
		if err != nil {
			return err
		}
		if text, err = vexDot(text); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}
