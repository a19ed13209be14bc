package intmath_test

import (
	"fmt"

	"github.com/illm-go/illm/pkg/intmath"
)

// Halves go away from zero on both sides, so a rounding never drifts.
func ExampleRoundShift() {
	fmt.Println(intmath.RoundShift(3, 1), intmath.RoundShift(-3, 1))
	fmt.Println(intmath.Asr(3, 1), intmath.Asr(-3, 1))
	// Output:
	// 2 -2
	// 1 -2
}

// The clamp comes before the left shift, so a large shift saturates and does not wrap around.
func ExampleSatShift() {
	fmt.Println(intmath.SatShift(3, -2, 31), intmath.SatShift(3, -80, 31), intmath.SatShift(-5, 1, 31))
	// Output: 12 2147483648 -3
}
