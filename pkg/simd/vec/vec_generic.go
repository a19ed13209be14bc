package vec

func minMaxGeneric(t []int64) (lo, hi int64) {
	for _, v := range t {
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return lo, hi
}

func accumulateGeneric(t []int64, acc, sum, m []int32, zero []uint8, z, c, off int32) (lo, hi int64) {
	n := len(t)
	acc, sum, m, zero = acc[:n], sum[:n], m[:n], zero[:n]
	for j := range t {
		v := int64(acc[j]-z*sum[j]-(int32(zero[j])-off)*c) * int64(m[j])
		t[j] = v
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return lo, hi
}

func addBiasGeneric(t []int64, bias []int32, r int64, l, s uint) (lo, hi int64) {
	bias = bias[:len(t)]
	l, s = l&63, s&63
	c, neg := half(s), -half(s)>>63
	for j, b := range bias {
		x := int64(b) * r << l
		x = t[j] + (x+c+x>>63&neg)>>s
		t[j] = x
		lo = min(lo, x)
		hi = max(hi, x)
	}
	return lo, hi
}

func reluGeneric(t []int64) {
	for j, v := range t {
		t[j] = max(0, v)
	}
}

func requantGeneric(dst []uint8, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	t = t[:len(dst)]
	s, h = s&63, h&63
	r := half(h)
	for j, v := range t {
		p := (v >> s) * g
		y := max(0, min(z+(p+r+p>>63)>>h, top))
		dst[j] = uint8(y)
		sum += y
	}
	return sum
}

func requant16Generic(dst []uint16, t []int64, s uint, g int64, h uint, z, top int64) (sum int64) {
	t = t[:len(dst)]
	s, h = s&63, h&63
	r := half(h)
	for j, v := range t {
		p := (v >> s) * g
		y := max(0, min(z+(p+r+p>>63)>>h, top))
		dst[j] = uint16(y)
		sum += y
	}
	return sum
}

func rotateGeneric(t []int64, cos, sin []int16, s uint) (lo, hi int64) {
	d := len(t) / 2
	ta, tb := t[:d], t[d:2*d]
	cos, sin = cos[:d], sin[:d]
	s &= 63
	r, neg := half(s), -half(s)>>63
	for i, a := range ta {
		b := tb[i]
		a = max(-32767, min((a+r+a>>63&neg)>>s, 32767))
		b = max(-32767, min((b+r+b>>63&neg)>>s, 32767))
		c, n := int64(cos[i]), int64(sin[i])
		x, y := a*c-b*n, a*n+b*c
		x = (x + 1<<13 + x>>63) >> 14
		y = (y + 1<<13 + y>>63) >> 14
		ta[i], tb[i] = x, y
		lo = min(lo, x, y)
		hi = max(hi, x, y)
	}
	return lo, hi
}

func scoresGeneric(s []int64, acc, sum, zero, k []int32, m []uint32, zq, c, kmin int32) (lo, hi int64) {
	n := len(s)
	acc, sum, zero, k, m = acc[:n], sum[:n], zero[:n], k[:n], m[:n]
	lo, hi = 1<<63-1, -1<<63
	for j := range s {
		v := int64(acc[j]-zq*sum[j]-zero[j]*c) * int64(m[j]) << 16
		v = roundShift(v, uint32(k[j]-kmin))
		s[j] = v
		lo = min(lo, v)
		hi = max(hi, v)
	}
	return lo, hi
}

func expGeneric(e []int32, s []int64, hi, r int64, s1 uint, g int64, h uint, top, mf int64, k int32, quad bool) {
	s = s[:len(e)]
	s1, h = s1&63, h&63
	c := half(h)
	if top > 255 || len(e) < 256 {
		for j, v := range s {
			d := min((min(hi-v, r)>>s1*g+c)>>h, top)
			e[j] = pow2Q30(Octaves(d*mf, k), quad)
		}
		return
	}
	var table [256]int32 // a long row meets each code many times
	for d := range top + 1 {
		table[d] = pow2Q30(Octaves(d*mf, k), quad)
	}
	for j, v := range s {
		d := min((min(hi-v, r)>>s1*g+c)>>h, top)
		e[j] = table[uint8(d)]
	}
}

func foldGeneric(w []int64, e []int32, m []uint32, k []int32, kmin int32) (top, sumW, sumE int64) {
	n := len(w)
	e, m, k = e[:n], m[:n], k[:n]
	for j := range w {
		v := int64(e[j])
		sumE += v
		v = roundShift(v*int64(m[j]), uint32(k[j]-kmin))
		w[j] = v
		sumW += v
		top = max(top, v)
	}
	return top, sumW, sumE
}

func sumShiftGeneric(w []int64, s uint) (sum int64) {
	s &= 63
	for _, v := range w {
		sum += v >> s
	}
	return sum
}

func splitGeneric(lo, hi []uint8, w []int64, s uint, c int64, n uint, zero []int32) (sum, dot int64) {
	k := len(w)
	lo, hi, zero = lo[:k], hi[:k], zero[:k]
	s, n = s&63, n&63
	r := half(n)
	for j, v := range w {
		p := min((v>>s*c+r)>>n, 32767)
		lo[j] = uint8(p & 127)
		hi[j] = uint8(p >> 7)
		sum += p
		dot += p * int64(zero[j])
	}
	return sum, dot
}

func joinGeneric(u, hi, lo []int32) {
	hi, lo = hi[:len(u)], lo[:len(u)]
	for j := range u {
		u[j] = hi[j]<<7 + lo[j]
	}
}

func mergeGeneric(u []int64, acc []int32, dot int32, m int64, n uint) (least, most int64) {
	acc = acc[:len(u)]
	for j := range u {
		v := roundShift(int64(acc[j]-dot)*m<<8, uint32(n))
		u[j] = v
		least = min(least, v)
		most = max(most, v)
	}
	return least, most
}
