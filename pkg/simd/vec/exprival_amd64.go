//go:build !purego

package vec

// expRow says whether a row takes the kernels, whose exponents are shifted right by k less the fraction bits and at
// least by 2: larger scales (above 2^14 a step) are left to the definition.
func expRow(n int, k, fraction int32) (right int64, ok bool) {
	return int64(min(k-fraction, 63)), useAVX512 && n > 0 && k >= fraction+2
}

func distanceCodes(d []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top int64) {
	if n := len(d); useAVX512 && n > 0 {
		distanceCodesAVX512(&d[0], &s[0], n, hi, r, s1, g, h, top)
		return
	}
	distanceCodesGeneric(d, s, hi, r, s1, g, h, top)
}

func moments(s []int64, hi int64, shift uint) (sum, squares int64) {
	if n := len(s); useAVX512 && n > 0 {
		return momentsAVX512(&s[0], n, hi, shift)
	}
	return momentsGeneric(s, hi, shift)
}

func expChord(e, d []int32, mf int64, k int32, quad bool) {
	right, ok := expRow(len(e), k, 15)
	switch {
	case !ok:
		expChordGeneric(e, d, mf, k, quad)
	case quad:
		expChordQuadAVX512(&e[0], &d[0], len(e), int32(mf), right)
	default:
		expChordAVX512(&e[0], &d[0], len(e), int32(mf), right)
	}
}

func expFraction(e, d []int32, mf int64, k int32, f *Fractions) {
	right, ok := expRow(len(e), k, 15)
	if !ok {
		expFractionGeneric(e, d, mf, k, f)
		return
	}
	n, t, diff := len(e), &f.table[0], &f.diff[0]
	switch {
	case f.Bits == 2 && f.Lerp && f.Short:
		expFraction4LerpShortAVX512(&e[0], &d[0], n, int32(mf), right, t, diff)
	case f.Short:
		expFractionGeneric(e, d, mf, k, f)
	case f.Bits == 3 && f.Lerp:
		expFraction8LerpAVX512(&e[0], &d[0], n, int32(mf), right, t, diff)
	case f.Bits == 3:
		expFraction8AVX512(&e[0], &d[0], n, int32(mf), right, t)
	case f.Bits == 5 && f.Lerp:
		expFraction32LerpAVX512(&e[0], &d[0], n, int32(mf), right, t, diff)
	case f.Bits == 5:
		expFraction32AVX512(&e[0], &d[0], n, int32(mf), right, t)
	case f.Bits == 6 && f.Lerp:
		expFraction64LerpAVX512(&e[0], &d[0], n, int32(mf), right, t, diff)
	case f.Bits == 6:
		expFraction64AVX512(&e[0], &d[0], n, int32(mf), right, t)
	default:
		expFractionGeneric(e, d, mf, k, f)
	}
}

func expDirect(e, d []int32, m int64, k int32, step int64, table *[256]int32) {
	right, ok := expRow(len(e), k, 16)
	if !ok || step >= 1<<31 {
		expDirectGeneric(e, d, m, k, step, table)
		return
	}
	expDirectAVX512(&e[0], &d[0], len(e), int32(m), right, int32(step), &table[0])
}

func expLookup(e, d []int32, table *[256]int32) {
	if n := len(e); useAVX512 && n > 0 {
		expLookupAVX512(&e[0], &d[0], n, &table[0])
		return
	}
	expLookupGeneric(e, d, table)
}

func expTaylor(e, d []int32, m int64, k int32, order int) {
	right, ok := expRow(len(e), k, 16)
	n := len(e)
	switch {
	case !ok:
		expTaylorGeneric(e, d, m, k, order)
	case order == 2:
		expTaylor2AVX512(&e[0], &d[0], n, int32(m), right)
	case order == 3:
		expTaylor3AVX512(&e[0], &d[0], n, int32(m), right)
	case order == 4:
		expTaylor4AVX512(&e[0], &d[0], n, int32(m), right)
	case order == 5:
		expTaylor5AVX512(&e[0], &d[0], n, int32(m), right)
	default:
		expTaylorGeneric(e, d, m, k, order)
	}
}

func expBERT(e, d []int32, m int64, k int32) {
	right, ok := expRow(len(e), k, 16)
	if !ok {
		expBERTGeneric(e, d, m, k)
		return
	}
	expBERTAVX512(&e[0], &d[0], len(e), int32(m), right)
}

func expLines(e, d []int32, m int64, k int32, l *Lines) {
	right, ok := expRow(len(e), k, 16)
	if !ok {
		expLinesGeneric(e, d, m, k, l)
		return
	}
	expLinesAVX512(&e[0], &d[0], len(e), int32(m), right, &l.Start[0], &l.Slope[0], &l.Intercept[0])
}

// expPublished divides by t with ⌊2^32/t⌋ + 1, which is exact for t and d below 2^16; a larger t has quotients 0.
func expPublished(e, d []int32, t int64) {
	if len(e) == 0 || !useAVX512 || t < 2 || t >= 1<<31 {
		expPublishedGeneric(e, d, t)
		return
	}
	inverse := int64(0)
	if t < 1<<16 {
		inverse = 1<<32/t + 1
	}
	left, _, c := unit(t)
	expPublishedAVX512(&e[0], &d[0], len(e), int32(t), int32(uint32(inverse)), int32(left), c)
}

// expShiftmax divides by t with ⌊2^34/t⌋ + 1, which is exact for t and x below 2^17; a larger t has quotients 0.
func expShiftmax(e, d []int32, t int64) {
	if len(e) == 0 || !useAVX512 || t < 8 || t >= 1<<30 {
		expShiftmaxGeneric(e, d, t)
		return
	}
	inverse := int64(0)
	if t < 1<<17 {
		inverse = 1<<34/t + 1
	}
	left, right, c := unit(t << 15)
	expShiftmaxAVX512(&e[0], &d[0], len(e), int32(t), int32(uint32(inverse)), int32(min(15*t, 1<<31-1)), int64(left), int64(right), c)
}
