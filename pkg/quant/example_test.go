package quant_test

import (
	"fmt"

	"github.com/illm-go/illm/pkg/quant"
)

// A suffix changes one width and the name says so.
func ExampleParseRecipe() {
	r, err := quant.ParseRecipe("w4a4kv8")
	fmt.Println(r.Weight, r.Act, r.KV, err)
	_, err = quant.ParseRecipe("w8a9")
	fmt.Println(err)
	// Output:
	// 4 4 8 <nil>
	// quant: recipe "w8a9": unknown name (did you mean "w8a8"?): use one of w8a8, w6a6, w4a8, w4a4 with suffixes kvN, emb16 or -METHOD, or the path of a JSON file
}

// The clip's scale is an integer fraction: 12.5 = 51200/2^12.
func ExampleClip_Scale() {
	c, _ := quant.ParseClip("12.5")
	s, ok := c.Scale()
	fmt.Println(c, s, ok)
	// Output: 12.5 {51200 12} true
}

// A 2×3 matrix of 8-bit codes: the panel holds code − 128, and SumW its sums.
func ExampleLinear_Pack() {
	l := quant.Linear{Out: 2, In: 3, Bits: 8, Zero: []uint8{128, 100}, M: []int32{1 << 23, 1 << 23}, KW: 30}
	l.Pack([]uint8{128, 129, 127, 255, 0, 100})
	fmt.Println(len(l.Panel), l.SumW, l.Code(1, 0))
	// Output: 256 [0 -29] 255
}
