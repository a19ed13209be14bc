package baseline

import (
	"fmt"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/simd/cpu"
	"github.com/illm-go/illm/pkg/simd/simdtest"
)

// TestExpRowForms: what is timed is the same numbers in each form, and takes no memory.
func TestExpRowForms(t *testing.T) {
	for _, x := range Exponentials() {
		if x.Float {
			continue
		}
		rows := map[string]*ExpRow{}
		for _, form := range []string{FormDirect, FormTable, FormSoftmax} {
			r, err := NewExpRow(x.Name, form, 777, 8)
			if err != nil {
				t.Fatal(err)
			}
			rows[form] = r
			if n := testing.AllocsPerRun(5, func() { r.Run() }); n != 0 {
				t.Errorf("%s, %s: %g allocations", x.Name, form, n)
			}
		}
		if !slices.Equal(rows[FormDirect].Run(), rows[FormTable].Run()) {
			t.Errorf("%s: the table changes numerators", x.Name)
		}
	}
	for _, bad := range []func() (*ExpRow, error){
		func() (*ExpRow, error) { return NewExpRow("exp", FormDirect, 9, 8) },
		func() (*ExpRow, error) { return NewExpRow("di-exp", "all", 9, 8) },
		func() (*ExpRow, error) { return NewExpRow("di-exp", FormTable, 9, 16) },
		func() (*ExpRow, error) { return NewExpRow("di-exp", FormDirect, 0, 8) },
		func() (*ExpRow, error) { return NewExpRow("float64", FormSoftmax, 9, 8) },
		func() (*ExpRow, error) { return NewExpRow("half", FormDirect, 9, 8) },
	} {
		if _, err := bad(); err == nil {
			t.Error("accepted")
		}
	}
}

// BenchmarkExp: ns an element by row length, 16-bit scores each on their own and 8-bit ones through the row's table.
func BenchmarkExp(b *testing.B) {
	for _, n := range []int{64, 256, 1024, 4096, 16384} {
		for _, x := range exponentials {
			for form, bits := range map[string]int{FormDirect: 16, FormTable: 8, FormSoftmax: 16} {
				if x.Name == "float64" || x.Float && form != FormSoftmax {
					continue
				}
				r, err := NewExpRow(x.Name, form, n, bits)
				if err != nil {
					b.Fatal(err)
				}
				for _, s := range simdtest.Sets("vec") {
					if !cpu.Has(s) {
						continue
					}
					b.Run(fmt.Sprintf("%s/%s/n=%d/%v", x.Name, form, n, s), func(b *testing.B) {
						simdtest.With(s, func() {
							for b.Loop() {
								r.Run()
							}
						})
						b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/elem")
					})
				}
			}
		}
	}
}

// TestInstructions: without instructions everything is Go, with AVX-512 all rivals that have a kernel name it, and only the
// two forms that no engine would use have none.
func TestInstructions(t *testing.T) {
	limit := cpu.Limit()
	defer cpu.SetLimit(limit)
	for _, set := range []cpu.Set{cpu.Generic, cpu.AVX512} {
		cpu.SetLimit(set)
		for _, x := range Exponentials() {
			want := "Go"
			if set == cpu.AVX512 && cpu.Has(set) && len(cpu.Paths("vec")) > 0 && x.Name != "taylor3-raw" && x.Name != "float64" {
				want = "AVX512"
			}
			if got := x.Instructions(); got != want {
				t.Errorf("up to %s: %s: %s, expected %s", set, x.Name, got, want)
			}
		}
	}
}
