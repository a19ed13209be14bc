package peers

import (
	"fmt"
	"iter"
)

// Op is a kind of work; its value is the word of the protocol.
type Op string

// The kinds of work. Seconds of a Sample are those of one whole product (GEMMs),
// of the whole prompt (Prefill), of one token (Decode), from opening the file to
// the first logits (First).
const (
	Prefill Op = "prefill"   // Tokens from an empty cache, logits of the last one
	Decode  Op = "decode"    // Tokens one by one, behind Context others; mean
	First   Op = "first"     // load, then a prompt of Tokens
	Memory  Op = "memory"    // largest resident set of a fresh process after Tokens
	GEMM    Op = "gemm_u8s8" // C s32 [M,N] = A u8 [M,K] · Bᵀ, B s8 [N,K]
	SGEMM   Op = "sgemm"     // the same in float32
)

// Case is one piece of work, the same for every subject.
type Case struct {
	Op      Op     `json:"op"`
	Tokens  int    `json:"tokens,omitempty"`
	Context int    `json:"context,omitempty"`
	M       int    `json:"m,omitempty"`
	N       int    `json:"n,omitempty"`
	K       int    `json:"k,omitempty"`
	Copies  int    `json:"copies,omitempty"` // of B, taken in turn by successive products
	Label   string `json:"label,omitempty"`  // which matrix of which model
}

// Name identifies the case in a table.
func (c Case) Name() string {
	switch c.Op {
	case Prefill:
		return fmt.Sprintf("prefill %d", c.Tokens)
	case Decode:
		return fmt.Sprintf("decode %d at %d", c.Tokens, c.Context)
	case First:
		return fmt.Sprintf("load to first token, prompt %d", c.Tokens)
	case Memory:
		return fmt.Sprintf("peak memory at %d", c.Tokens)
	}
	return fmt.Sprintf("%s %d×%d×%d %s", c.Op, c.M, c.N, c.K, c.Label)
}

// Rate turns the seconds of a sample into the unit that a table shows, a larger
// number being better; ok is false where seconds (or bytes) themselves are shown.
func (c Case) Rate(seconds float64) (value float64, unit string, ok bool) {
	switch c.Op {
	case Prefill:
		return float64(c.Tokens) / seconds, "tok/s", true
	case Decode:
		return 1 / seconds, "tok/s", true
	case GEMM, SGEMM:
		unit = map[Op]string{GEMM: "GOPS", SGEMM: "GFLOP/s"}[c.Op]
		return 2e-9 * float64(c.M) * float64(c.N) * float64(c.K) / seconds, unit, true
	}
	return 0, "", false
}

// needs is the number of token ids that the case is run with.
func (c Case) needs() int { return c.Tokens + c.Context }

// ModelCases is the work of a language model with a 2048-token context.
func ModelCases() []Case {
	return []Case{
		{Op: Prefill, Tokens: 512},
		{Op: Decode, Tokens: 32, Context: 64},
		{Op: Decode, Tokens: 32, Context: 512},
		{Op: First, Tokens: 16},
		{Op: Memory, Tokens: 2048},
	}
}

// Shape is a weight matrix [N, K].
type Shape struct {
	N, K  int
	Label string
}

// Shapes returns the weight matrices of SmolLM2-135M and LLaMA-7B; equal ones once.
func Shapes() []Shape {
	return []Shape{
		{1536, 576, "smollm2 gate, up"}, {576, 1536, "smollm2 down"}, {576, 576, "smollm2 q, o"}, {192, 576, "smollm2 k, v"},
		{49152, 576, "smollm2 head"},
		{4096, 4096, "llama-7b q, k, v, o"}, {11008, 4096, "llama-7b gate, up"}, {4096, 11008, "llama-7b down"},
	}
}

// Rows returns the numbers of tokens that a GEMM is measured at.
func Rows() []int { return []int{1, 16, 128, 512, 2048} }

const (
	coldBytes  = 96 << 20 // of weights, more than caches hold
	coldRows   = 16       // up to here a GEMM reads its weights from memory, as decode does
	headRows   = 512      // a head of more rows would be gigabytes of logits
	headMatrix = 1 << 15  // channels from which on a matrix is taken for a head
)

// GEMMCases crosses rows with shapes for one operation. Few rows cycle through
// copies of the weights that exceed the caches: in decode a matrix comes from
// memory, and the second product in a row with the same one would not.
func GEMMCases(op Op, rows []int, shapes []Shape) []Case {
	bytes := 1
	if op == SGEMM {
		bytes = 4
	}
	var out []Case
	for _, s := range shapes {
		for _, m := range rows {
			if s.N >= headMatrix && m > headRows {
				continue
			}
			c := Case{Op: op, M: m, N: s.N, K: s.K, Copies: 1, Label: s.Label}
			if m <= coldRows {
				c.Copies = max(1, (coldBytes+bytes*s.N*s.K-1)/(bytes*s.N*s.K))
			}
			out = append(out, c)
		}
	}
	return out
}

// pattern yields the operand's bytes for ever: 4093 of a linear congruential
// generator, again and again.
func pattern(seed uint32) iter.Seq[byte] {
	return func(yield func(byte) bool) {
		for {
			x := seed
			for range 4093 {
				x = 1664525*x + 1013904223
				if !yield(byte(x >> 24)) {
					return
				}
			}
		}
	}
}

// Operands returns A u8 [M,K] and B s8 [N,K] of a GEMM, the same bytes that the
// rivals multiply.
func Operands(c Case) (a []uint8, b []int8) {
	a, b = make([]uint8, c.M*c.K), make([]int8, c.N*c.K)
	fill(len(a), 1, func(i int, v byte) { a[i] = v })
	fill(len(b), 2, func(i int, v byte) { b[i] = int8(v) })
	return a, b
}

// Floats returns the operands of an SGEMM: (byte − 128)/128.
func Floats(c Case) (a, b []float32) {
	a, b = make([]float32, c.M*c.K), make([]float32, c.N*c.K)
	fill(len(a), 1, func(i int, v byte) { a[i] = (float32(v) - 128) / 128 })
	fill(len(b), 2, func(i int, v byte) { b[i] = (float32(v) - 128) / 128 })
	return a, b
}

func fill(n int, seed uint32, set func(i int, v byte)) {
	i := 0
	for v := range pattern(seed) {
		if i == n {
			return
		}
		set(i, v)
		i++
	}
}

// Check is the sum of the first and the last row of a product: what a rival
// reports, so that nobody is timed at something else. rows·ld ≤ len(c).
func Check(c []int32, rows, n, ld int) string {
	var sum int64
	for _, row := range []int{0, rows - 1} {
		for _, v := range c[row*ld:][:n] {
			sum += int64(v)
		}
	}
	return fmt.Sprint(sum)
}
