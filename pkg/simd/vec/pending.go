package vec

// Pending is a row between the pass that measures its range and the one that quantises it. A path may hold it in an order
// and a width of its own there: one that saves it the moving and widening of lanes which the two passes would undo for
// each other. The zero value holds rows of no elements. One goroutine at a time.
type Pending struct {
	wide   []int64
	narrow []int32
	most   int // the longest row
	n      int
	form   form
}

// form is how a Pending lies in memory; rows are filled up to whole blocks.
type form uint8

const (
	natural  form = iota // wide[:n]
	pairs                // wide: of every sixteen elements the even ones, then the odd ones
	unpacked             // narrow: of every thirty-two elements 0…3, 8…11, 16…19, 24…27, then the others
)

// Blocks of the two forms.
const pairBlock, unpackedBlock = 16, 32

// NewPending returns a Pending for rows of up to maxRow elements.
func NewPending(maxRow int) Pending {
	n := blocks(max(maxRow, 0), FoldedBlock) // the longest step of a kernel
	return Pending{wide: make([]int64, n), narrow: make([]int32, n), most: max(maxRow, 0)}
}

// Cap is the longest row that p holds.
func (p *Pending) Cap() int { return p.most }

// Row makes p a row of n elements in their order, for the caller to write.
func (p *Pending) Row(n int) []int64 {
	p.n, p.form = n, natural
	return p.wide[:n]
}

// Norm is the function Norm with s = 0: it makes p the row round(h[j]·rho / 2^n)·gamma[j] and returns its range.
//
// top is the largest |h|, at most 2^24, 0 ≤ rho ≤ 2^31, 1 ≤ n; the quotient is at most 2^30; |gamma| ≤ 2^23.
func (p *Pending) Norm(h, gamma []int32, top uint32, rho int64, n uint) (lo, hi int64) {
	v := p.Row(len(h))
	gamma = gamma[:len(h)]
	if lo, hi, ok := p.normPairs(h, gamma, top, rho, n); ok {
		return lo, hi
	}
	return norm(v, h, gamma, 0, rho, n)
}

// LayerNorm is the function LayerNorm with s = 0, for l ≤ 8 and |h·2^l| ≤ 2^23; the rest as there.
func (p *Pending) LayerNorm(h, gamma []int32, beta []int64, l uint, mean, rho int64, n uint) (lo, hi int64) {
	v := p.Row(len(h))
	gamma = gamma[:len(h)]
	if beta != nil {
		beta = beta[:len(h)]
	}
	if lo, hi, ok := p.layerPairs(h, gamma, beta, l, mean, rho, n); ok {
		return lo, hi
	}
	return layerNorm(v, h, gamma, beta, l, 0, mean, rho, n)
}

// SwiGLU makes p the row of the function SwiGLU and returns its range.
func (p *Pending) SwiGLU(g, u []uint8, table *[256]uint16, zg, zu int32) (lo, hi int64) {
	y := p.Row(len(g))
	u = u[:len(g)]
	if lo, hi, ok := p.swiGLUNarrow(g, u, table, zg, zu); ok {
		return lo, hi
	}
	return swiGLU(y, g, u, table, zg, zu)
}

// Requant is the function Requant of the row; len(dst) is the row's length.
func (p *Pending) Requant(dst []uint8, s uint, g int64, h uint, z, top int64) (sum int64) {
	dst = dst[:p.n]
	if sum, ok := p.requantHeld(dst, s, g, h, z, top); ok {
		return sum
	}
	return requant(dst, p.Natural(), s, g, h, z, top)
}

// Natural returns the row in its order.
func (p *Pending) Natural() []int64 {
	switch p.form {
	case pairs:
		for i := 0; i < p.n; i += pairBlock {
			b := p.wide[i:][:pairBlock]
			old := [pairBlock]int64(b)
			for j := range b {
				b[j] = old[j&1*8+j>>1]
			}
		}
	case unpacked:
		for i := range p.wide[:p.n] {
			j := i & (unpackedBlock - 1)
			p.wide[i] = int64(p.narrow[i-j+j>>2&1*16+j>>3*4+j&3])
		}
	}
	p.form = natural
	return p.wide[:p.n]
}

// Squares returns max |h[j]| and, where that is at most 2^24 and the row has at most 16384 elements, Σ h[j]².
func Squares(h []int32) (top uint32, sum int64) { return squares(h) }

// AbsSum returns max |h[j]| and, where that is at most 2^23 and the row has at most 4096 elements, Σ h[j].
func AbsSum(h []int32) (top uint32, sum int64) { return absSum(h) }

func squaresPlain(h []int32) (top uint32, sum int64) {
	if top = maxAbs(h); top <= 1<<24 {
		sum = sumSquares(h, 0)
	}
	return top, sum
}

func absSumPlain(h []int32) (top uint32, sum int64) {
	if top = maxAbs(h); top <= 1<<23 {
		sum = sumRound(h, 0, 0)
	}
	return top, sum
}
