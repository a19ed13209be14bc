//go:build purego || !amd64

package vec

func distanceCodes(d []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top int64) {
	distanceCodesGeneric(d, s, hi, r, s1, g, h, top)
}

func moments(s []int64, hi int64, shift uint) (sum, squares int64) {
	return momentsGeneric(s, hi, shift)
}

func expChord(e, d []int32, mf int64, k int32, quad bool) { expChordGeneric(e, d, mf, k, quad) }

func expFraction(e, d []int32, mf int64, k int32, f *Fractions) {
	expFractionGeneric(e, d, mf, k, f)
}

func expDirect(e, d []int32, m int64, k int32, step int64, table *[256]int32) {
	expDirectGeneric(e, d, m, k, step, table)
}

func expLookup(e, d []int32, table *[256]int32) { expLookupGeneric(e, d, table) }

func expTaylor(e, d []int32, m int64, k int32, order int) { expTaylorGeneric(e, d, m, k, order) }

func expBERT(e, d []int32, m int64, k int32) { expBERTGeneric(e, d, m, k) }

func expLines(e, d []int32, m int64, k int32, l *Lines) { expLinesGeneric(e, d, m, k, l) }

func expPublished(e, d []int32, t int64) { expPublishedGeneric(e, d, t) }

func expShiftmax(e, d []int32, t int64) { expShiftmaxGeneric(e, d, t) }
