// Package baseline holds the rivals of the integer operators of package di: what the literature, or a float unit, would
// put in the same place, so that an ablation replaces one thing and leaves the rest as it is.
//
//	exp_*.go      rival exponentials, one family a file, each integer to the last bit
//	softmax.go    WithExp: the operators of a Spec with another exponential in softmax and sigmoid
//	float_*.go    operators in float32 around integer linears
//	half_*.go     operators in half precision around integer linears
//
// Everything here reaches the engine through di.Operators alone.
package baseline
