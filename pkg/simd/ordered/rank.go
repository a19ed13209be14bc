package ordered

// RankRows and RankCols are the tile of the fastest path of Rank: multiples of them have no slow rest.
const (
	RankRows = 4
	RankCols = 32
)

// Rank adds to c[i*ldc+j] the products a[t*lda+i]·b[t*ldb+j], t = 0 … steps−1 in this order, for i < m and j < n:
// one accumulator a result, each product rounded before it is added.
//
// With a and b rows of activations widened to float64 it is a Hessian, H += Σ x xᵀ; with a negated panel of factors
// the trailing update of a Cholesky factorisation or of GPTQ. Cutting steps into several calls changes no bit.
//
// Aliasing: c must not overlap a or b. Concurrency: as MatMul. It panics if a slice is too short for its shape.
func Rank(c []float64, ldc int, a []float64, lda int, b []float64, ldb int, m, n, steps int) {
	if m < 0 || n < 0 || steps < 0 {
		panic(badShape)
	}
	if m == 0 || n == 0 || steps == 0 {
		return
	}
	if ldc < n && m > 1 || len(c) < (m-1)*ldc+n {
		panic(badC)
	}
	if lda < m && steps > 1 || len(a) < (steps-1)*lda+m {
		panic(badA)
	}
	if ldb < n && steps > 1 || len(b) < (steps-1)*ldb+n {
		panic(badB)
	}
	rank(c, ldc, a, lda, b, ldb, m, n, steps)
}
