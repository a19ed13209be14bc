package di

// Ratio is the part of a row's range that a requantisation keeps, in Q15; what lies beyond saturates. 0 stands for
// RatioOne, so that the zero value of what holds a Ratio changes nothing.
type Ratio int32

// RatioOne is 1, MinRatio one half.
const (
	RatioOne = 1 << 15
	MinRatio = 1 << 14
)
