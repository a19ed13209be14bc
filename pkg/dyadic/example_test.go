package dyadic_test

import (
	"fmt"

	"github.com/illm-go/illm/pkg/dyadic"
)

// One third with 16 bits, and what it makes of 300.
func ExampleFit() {
	s := dyadic.Fit(1, 3, dyadic.Bits)
	fmt.Println(s, s.Apply(300))
	// Output: {43691 17} 100
}

// 3/2 · 5/4: the product's mantissa is brought back to 16 bits.
func ExampleScale_Mul() {
	s := dyadic.Fit(3, 2, 16).Mul(dyadic.Fit(5, 4, 16), 16)
	fmt.Println(s, s == dyadic.Fit(15, 8, 16))
	// Output: {61440 15} true
}
