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

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// files maps a package of pkg/simd to what writes its kernels.
var files = []struct {
	pkg      string
	generate func(c *build.Context)
}{
	{"gemm", gemmFile},
	{"gemm4", gemm4File},
	{"sgemm", sgemmFile},
	{"vec", vecFile},
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
		if err := write(filepath.Join(*root, f.pkg), f.pkg, f.generate); err != nil {
			log.Fatalf("%s: %v", f.pkg, err)
		}
	}
}

// write runs one generator and stores PKG_amd64.s and PKG_stub_amd64.go in dir.
func write(dir, pkg string, generate func(c *build.Context)) error {
	c := build.NewContext()
	c.ConstraintExpr("!purego")
	generate(c)
	file, err := c.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	cfg := printer.Config{Name: "pkg/simd/_asm", Pkg: pkg}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, p := range map[string]printer.Printer{
		pkg + "_amd64.s":       printer.NewGoAsm(cfg),
		pkg + "_stub_amd64.go": printer.NewStubs(cfg),
	} {
		text, err := p.Print(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}
