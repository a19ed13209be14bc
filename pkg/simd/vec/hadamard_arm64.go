//go:build !purego

package vec

// walsh goes through the row once for the distances that fit the registers, and once more for each larger one.
func walsh(t []int64, m int) {
	if !useNEON || m < 8 {
		walshGeneric(t, m)
		return
	}
	n, p := len(t), &t[0]
	switch m {
	case 8:
		walsh8NEON(p, n)
	case 16:
		walsh16NEON(p, n)
	default:
		walsh32NEON(p, n)
	}
	for d := 32; d < m; d *= 2 {
		butterflyNEON(p, n, d)
	}
}

func across(t []int64, order int) {
	m := len(t) / order
	if !useNEON || m < 2 {
		acrossGeneric(t, order)
		return
	}
	var sums [36]int64
	switch order {
	case 12:
		across12NEON(&t[0], m)
	case 28:
		across28NEON(&t[0], m, &sums[0])
	default:
		across36NEON(&t[0], m, &sums[0])
	}
}
