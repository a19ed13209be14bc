//go:build !purego

package vec

// walsh goes through the row once for distances up to 64, in registers, and once more for each larger one.
func walsh(t []int64, m int) {
	if !useAVX512 || m < 8 {
		walshGeneric(t, m)
		return
	}
	n := len(t)
	switch m {
	case 8:
		walsh8AVX512(&t[0], n)
	case 16:
		walsh16AVX512(&t[0], n)
	case 32:
		walsh32AVX512(&t[0], n)
	case 64:
		walsh64AVX512(&t[0], n)
	default:
		walsh128AVX512(&t[0], n)
		for d := 128; d < m; d *= 2 {
			butterflyAVX512(&t[0], n, d)
		}
	}
}

func across(t []int64, order int) {
	m := len(t) / order
	if !useAVX512 || m < 8 {
		acrossGeneric(t, order)
		return
	}
	switch order {
	case 12:
		across12AVX512(&t[0], m)
	case 28:
		across28AVX512(&t[0], m)
	default:
		across36AVX512(&t[0], m)
	}
}
