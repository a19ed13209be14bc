//go:build !purego

package vec

// walsh goes through the row once for the distances that fit the registers, and once more for each larger one.
func walsh(t []int64, m int) {
	n, p := len(t), &t[0]
	switch {
	case useAVX512 && m >= 8:
		switch m {
		case 8:
			walsh8AVX512(p, n)
		case 16:
			walsh16AVX512(p, n)
		case 32:
			walsh32AVX512(p, n)
		case 64:
			walsh64AVX512(p, n)
		default:
			walsh128AVX512(p, n)
		}
		for d := 128; d < m; d *= 2 {
			butterflyAVX512(p, n, d)
		}
	case useAVX2 && m >= 4:
		switch m {
		case 4:
			walsh4AVX2(p, n)
		case 8:
			walsh8AVX2(p, n)
		case 16:
			walsh16AVX2(p, n)
		default:
			walsh32AVX2(p, n)
		}
		for d := 32; d < m; d *= 2 {
			butterflyAVX2(p, n, d)
		}
	default:
		walshGeneric(t, m)
	}
}

func across(t []int64, order int) {
	m := len(t) / order
	switch {
	case useAVX512 && m >= 8:
		switch order {
		case 12:
			across12AVX512(&t[0], m)
		case 28:
			across28AVX512(&t[0], m)
		default:
			across36AVX512(&t[0], m)
		}
	case useAVX2 && m >= 4:
		switch order {
		case 12:
			across12AVX2(&t[0], m)
		case 28:
			across28AVX2(&t[0], m)
		default:
			across36AVX2(&t[0], m)
		}
	default:
		acrossGeneric(t, order)
	}
}
