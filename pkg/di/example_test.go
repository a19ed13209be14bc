package di_test

import (
	"fmt"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// A row in steps of 40000/2^25 becomes 8-bit codes; value = (code − zero)·m/2^k.
func ExampleRequant() {
	t := []int64{3000, -5000, 0, 12000, -1}
	codes := make([]uint8, len(t))
	lo, hi := di.MinMax(t)
	p := di.Requant(codes, t, lo, hi, 40000, 25, 8, 16)
	fmt.Println(codes, p.Zero, p.M, p.K)
	// Output: [120 0 75 255 75] 75 41667 19
}

// e^−x by shifts and adds: x = 10·15/255, in Q30.
func ExampleExp() {
	fmt.Println(di.Exp(10, 61681, 20), di.ExpPlus(10, 61681, 20))
	// Output: 619773952 594444288
}

// Scores three units apart, clipped at 15: the numerators, then the probabilities in 15 bits.
func ExampleInteger() {
	spec, err := quant.NewSpec("w8a8", "15", "illm")
	if err != nil {
		fmt.Println(err)
		return
	}
	w := di.Integer(spec).NewWorker(3)
	s := []int64{0, -3 << 20, -6 << 20} // steps of 32768/2^35 = 2^−20
	e, p := make([]int32, 3), make([]int32, 3)
	w.Softmax(e, s, -6<<20, 0, 32768, 35)
	di.Normalise(p, e, make([]int64, 3))
	fmt.Println(p)
	// Output: [31063 1622 83]
}

// Greedy decoding takes the lowest id on ties.
func ExampleArgmax() {
	fmt.Println(di.Argmax([]int64{1, 9, 9, 3}))
	// Output: 1
}
