package intmath

// SplitMix64 advances the state of a SplitMix64 generator and returns its next number: the same sequence on every
// platform, and a bijection of 64 bits from state to number.
//
// Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", figure 17.
func SplitMix64(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
