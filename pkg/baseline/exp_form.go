package baseline

import (
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// Instructions says what computes a row of the exponential on this machine: "AVX512" for a row kernel of package vec or, in
// floating point, of fvec; "Go" for a loop over the definition, which every exponential is without such a kernel or without
// the instructions.
func (x Exponential) Instructions() string {
	pkg := "vec"
	switch {
	case x.Float && x.Name != "float64":
		pkg = "fvec"
	case !x.Vector:
		return "Go"
	}
	for _, p := range cpu.Paths(pkg) { // the largest first
		// the row kernels of exponentials in vec are for AVX-512 alone
		if p.Set <= cpu.Limit() && cpu.Has(p.Set) && (pkg == "fvec" || p.Set >= cpu.AVX512) {
			return p.Set.String()
		}
	}
	return "Go"
}
