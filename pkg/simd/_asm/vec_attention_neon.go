package main

// vecAttentionNEON: RoPE, scores, softmax, weights, merge.
func vecAttentionNEON(a *arm) {
	a.row("rotateNEON", "the pairs (a, b) turned in place, and their range; n pairs.",
		[]string{"a *int64", "b *int64", "cos *int16", "sin *int16", "n int", "s uint"}, []string{"lo int64", "hi int64"},
		func() (func(), func()) {
			pa, pb, cos, sin := a.ptr("a", 8), a.ptr("b", 8), a.ptr("cos", 2), a.ptr("sin", 2)
			s, lim, least, most := a.rounding("s", true), a.zeroLimits(), a.constD(-32767), a.constD(32767)
			return func() {
				x, y, co, si := a.pairOf(), a.pairOf(), a.int16s(cos), a.int16s(sin)
				for k, v := range [][2]int{x, y} {
					a.parts(func(i int) {
						w := a.int64s([]pointer{pa, pb}[k], i)
						a.round(w, s)
						a.narrow("sqxtn", v, w, i)
					})
					for _, w := range v {
						a.v3("smin.4s", w, w, most)
						a.v3("smax.4s", w, w, least)
					}
				}
				a.parts(func(i int) {
					u, w := a.mull("smull", x, co, i), a.mull("smull", x, si, i)
					a.v3(high("smlsl.2d.2s", i), u, y[i/2], si[i/2])
					a.v3(high("smlal.2d.2s", i), w, y[i/2], co[i/2])
					a.roundBy(u, 14)
					a.roundBy(w, 14)
					a.store(u, pa, i)
					a.store(w, pb, i)
					a.foldLimits(u, lim)
					a.foldLimits(w, lim)
				})
			}, func() { a.returnLimits(lim, "lo", "hi") }
		})

	// turned reads the shifts min(k − kmin, 62) of part i, turned around.
	turned := func(k [2]int, i int) int {
		n := a.extend(k, i)
		a.v2("neg.2d", n, n)
		return n
	}
	near := func(k pointer, kmin, most int) [2]int {
		v := [2]int{a.int32s(k, 0), a.int32s(k, 1)}
		for _, n := range v {
			a.v3("sub.4s", n, n, kmin)
			a.v3("umin.4s", n, n, most)
		}
		return v
	}

	a.row("scoresNEON", "s = round((acc − zq·sum − zero·c)·m·2^16 / 2^(k−kmin)) and its plain range.",
		[]string{"s *int64", "acc *int32", "sum *int32", "zero *int32", "k *int32", "m *uint32", "n int", "zq int", "c int", "kmin int"}, []string{"lo int64", "hi int64"},
		func() (func(), func()) {
			s, acc, sum, zero, k, m := a.ptr("s", 8), a.ptr("acc", 4), a.ptr("sum", 4), a.ptr("zero", 4), a.ptr("k", 4), a.ptr("m", 4)
			zq, c, kmin, most, lim := a.d("zq"), a.d("c"), a.d("kmin"), a.constD(62), a.plainLimits()
			return func() {
				shift := near(k, kmin, most)
				var v, f [2]int
				for i := range v {
					v[i], f[i] = a.int32s(acc, i), a.int32s(m, i)
					a.v3("mls.4s", v[i], a.int32s(sum, i), zq)
					a.v3("mls.4s", v[i], a.int32s(zero, i), c)
				}
				a.parts(func(i int) {
					w, n, t := a.mull("smull", v, f, i), turned(shift, i), a.fresh()
					a.shift("shl.2d", w, w, 16)
					a.shift("sshr.2d", t, n, 63)
					a.round(w, nround{n, t})
					a.store(w, s, i)
					a.foldLimits(w, lim)
				})
			}, func() { a.returnLimits(lim, "lo", "hi") }
		})

	for _, quad := range []bool{false, true} {
		for _, wide := range []bool{false, true} {
			vecExpNEON(a, quad, wide)
		}
	}

	a.row("foldNEON", "w = round(e·m / 2^(k−kmin)), max(0, max w), Σw, Σe.",
		[]string{"w *int64", "e *int32", "m *uint32", "k *int32", "n int", "kmin int"}, []string{"top int64", "sumW int64", "sumE int64"},
		func() (func(), func()) {
			w, e, m, k := a.ptr("w", 8), a.ptr("e", 4), a.ptr("m", 4), a.ptr("k", 4)
			kmin, most, top, sumW, sumE := a.d("kmin"), a.constD(62), a.zero(), a.zero(), a.zero()
			return func() {
					shift := near(k, kmin, most)
					x, f := [2]int{a.int32s(e, 0), a.int32s(e, 1)}, [2]int{a.int32s(m, 0), a.int32s(m, 1)}
					a.parts(func(i int) {
						a.v3(high("saddw.2d.2d.2s", i), sumE, sumE, x[i/2])
						v := a.mull("umull", x, f, i)
						a.v3("urshl.2d", v, v, turned(shift, i))
						a.store(v, w, i)
						a.v3("add.2d", sumW, sumW, v)
						a.maxQ(v, top)
					})
				}, func() {
					a.returnBest(top, "GT", "top")
					a.returnSum(sumW, "sumW")
					a.returnSum(sumE, "sumE")
				}
		})

	a.row("sumShiftNEON", "Σ w>>s.", []string{"w *int64", "n int", "s uint"}, []string{"sum int64"},
		func() (func(), func()) {
			w, s, sum := a.ptr("w", 8), a.right("s"), a.zero()
			return func() {
				a.parts(func(i int) {
					v := a.int64s(w, i)
					a.v3("sshl.2d", v, v, s)
					a.v3("add.2d", sum, sum, v)
				})
			}, func() { a.returnSum(sum, "sum") }
		})

	a.row("splitNEON", "N = min(32767, round((w>>s)·c / 2^shift)) in two bytes, ΣN, ΣN·zero.",
		[]string{"lo *uint8", "hi *uint8", "w *int64", "zero *int32", "n int", "s uint", "c int", "shift uint"}, []string{"sum int64", "dot int64"},
		func() (func(), func()) {
			lo, hi, w, zero := a.ptr("lo", 1), a.ptr("hi", 1), a.ptr("w", 8), a.ptr("zero", 4)
			s, c, sh, most, low := a.right("s"), a.d("c"), a.right("shift"), a.constD(32767), a.constD(127)
			sum, dot := a.zero(), a.zero()
			return func() {
					u, v := a.pairOf(), a.pairOf()
					a.parts(func(i int) {
						x := a.int64s(w, i)
						a.v3("sshl.2d", x, x, s)
						a.narrow("xtn", u, x, i)
					})
					a.parts(func(i int) {
						x := a.mull("umull", u, both(c), i)
						a.v3("urshl.2d", x, x, sh)
						a.narrow("uqxtn", v, x, i)
					})
					z := [2]int{a.int32s(zero, 0), a.int32s(zero, 1)}
					for i, x := range v {
						a.v3("umin.4s", x, x, most)
						for j := range 2 {
							a.v3(high("uaddw.2d.2d.2s", j), sum, sum, x)
							a.v3(high("smlal.2d.2s", j), dot, x, z[i])
						}
						a.v3("and.16b", u[i], x, low)
						a.shift("ushr.4s", x, x, 7)
					}
					a.storeBytes(u, lo)
					a.storeBytes(v, hi)
				}, func() {
					a.returnSum(sum, "sum")
					a.returnSum(dot, "dot")
				}
		})

	a.row("mergeNEON", "u = round((acc − dot)·m·2^8 / 2^shift) and its range; shift ≤ 62.",
		[]string{"u *int64", "acc *int32", "n int", "dot int", "m int", "shift uint"}, []string{"least int64", "most int64"},
		func() (func(), func()) {
			u, acc := a.ptr("u", 8), a.ptr("acc", 4)
			dot, m, sh, lim := a.d("dot"), a.d("m"), a.rounding("shift", true), a.zeroLimits()
			return func() {
				v := [2]int{a.int32s(acc, 0), a.int32s(acc, 1)}
				for _, x := range v {
					a.v3("sub.4s", x, x, dot)
				}
				a.parts(func(i int) {
					w := a.mull("smull", v, both(m), i)
					a.shift("shl.2d", w, w, 8)
					a.round(w, sh)
					a.store(w, u, i)
					a.foldLimits(w, lim)
				})
			}, func() { a.returnLimits(lim, "least", "most") }
		})

	a.row("joinNEON", "u = 128·hi + lo.", []string{"u *int32", "hi *int32", "lo *int32", "n int"}, nil,
		func() (func(), func()) {
			u, hi, lo := a.ptr("u", 4), a.ptr("hi", 4), a.ptr("lo", 4)
			return func() {
				for i := range 2 {
					v := a.int32s(hi, i)
					a.shift("shl.4s", v, v, 7)
					a.v3("add.4s", v, v, a.int32s(lo, i))
					a.store(v, u, i)
				}
			}, nothing
		})
}

// curve is what the exponentials keep in registers.
type curve struct {
	quad                        bool
	limit, left, right, octaves int
	one, frac, eleven           int
	limitQ, leftQ, rightQ       int
}

// curve loads the constants and the parameters cap, left and right, of 32 bits or, wide, of 64.
func (a *arm) curve(quad, wide bool) *curve {
	c := &curve{quad: quad, octaves: a.constD(1<<20 - 1), one: a.constD(32768), frac: a.constD(32767)}
	if quad {
		c.eleven = a.constD(11)
	}
	if wide {
		c.limitQ, c.leftQ, c.rightQ = a.q("cap"), a.q("left"), a.right("right")
	} else {
		c.limit, c.left = a.d("cap"), a.d("left")
		a.param("right", 20)
		a.op("NEG R20, R20")
		c.right = a.dupD()
	}
	return c
}

// octaves turns w < 2^25 into (min(w, cap)<<left)>>right below 32 octaves.
func (a *arm) octaves(v int, c *curve) {
	a.v3("umin.4s", v, v, c.limit)
	a.v3("ushl.4s", v, v, c.left)
	a.v3("ushl.4s", v, v, c.right)
	a.v3("umin.4s", v, v, c.octaves)
}

// octavesQ is the same for part i of w < 2^62, narrowed into v, but for the last cap.
func (a *arm) octavesQ(w int, v [2]int, i int, c *curve) {
	a.minQ(c.limitQ, w)
	a.v3("ushl.2d", w, w, c.leftQ)
	a.v3("ushl.2d", w, w, c.rightQ)
	a.narrow("uqxtn", v, w, i)
}

// power returns (Pow2 or Pow2Quad of v)<<left >> octaves; v is spent.
func (a *arm) power(v, left int, c *curve) int {
	b := a.fresh()
	a.scope(func() {
		f, t := a.fresh(), a.fresh()
		a.v3("and.16b", f, v, c.frac)
		a.shift("ushr.4s", v, v, 15)
		a.shift("ushr.4s", t, f, 1)
		a.v3("sub.4s", b, c.one, t)
		if c.quad {
			a.v3("sub.4s", t, c.one, f)
			a.v3("mul.4s", t, t, f)
			a.shift("ushr.4s", t, t, 15)
			a.v3("mul.4s", t, t, c.eleven)
			a.shift("ushr.4s", t, t, 6)
			a.v3("sub.4s", b, b, t)
		}
		if left > 0 {
			a.shift("shl.4s", b, b, left)
		}
		a.v2("neg.4s", v, v)
		a.v3("ushl.4s", b, b, v)
	})
	return b
}

// vecExpNEON writes the exponential of distance codes: of at most 8 bits, or wide.
func vecExpNEON(a *arm, quad, wide bool) {
	name := "exp8"
	if wide {
		name = "exp16"
	}
	q, doc := suffix(quad)
	a.row(name+q+"NEON", "e = b·2^15 >> octaves of the distance codes; octaves (min(d·mf, cap)<<left)>>right"+doc+".",
		[]string{"e *int32", "s *int64", "n int", "hi int64", "r int64", "s1 uint", "mul int", "h uint", "top int", "mf int", "cap int", "left int", "right int"}, nil,
		func() (func(), func()) {
			e, s := a.ptr("e", 4), a.ptr("s", 8)
			hi, r, s1, mul, h, top, mf := a.q("hi"), a.q("r"), a.right("s1"), a.d("mul"), a.right("h"), a.d("top"), a.d("mf")
			c := a.curve(quad, wide)
			return func() {
				u, v := a.pairOf(), a.pairOf()
				a.parts(func(i int) {
					d := a.int64s(s, i)
					a.v3("sub.2d", d, hi, d)
					a.minQ(r, d)
					a.v3("sshl.2d", d, d, s1)
					a.narrow("xtn", u, d, i)
				})
				a.parts(func(i int) {
					d := a.mull("umull", u, both(mul), i)
					a.v3("urshl.2d", d, d, h)
					a.narrow("uqxtn", v, d, i)
				})
				for i, x := range v {
					a.v3("umin.4s", x, x, top)
					if !wide {
						a.v3("mul.4s", x, x, mf)
						a.octaves(x, c)
						a.store(a.power(x, 15, c), e, i)
					}
				}
				if wide {
					a.parts(func(i int) { a.octavesQ(a.mull("umull", v, both(mf), i), u, i, c) })
					for i, x := range u {
						a.v3("umin.4s", x, x, c.octaves)
						a.store(a.power(x, 15, c), e, i)
					}
				}
			}, nothing
		})
}

// vecGatesNEON: SwiGLU and its table.
func vecGatesNEON(a *arm) {
	a.row("swigluNEON", "y = (g − zg)·table[g]·(u − zu) and its range.",
		[]string{"y *int64", "gate *uint8", "u *uint8", "table *uint16", "n int", "zg int", "zu int"}, []string{"lo int64", "hi int64"},
		func() (func(), func()) {
			y, g, u, table := a.ptr("y", 8), a.ptr("gate", 1), a.ptr("u", 1), a.base("table")
			zg, zu, lo, hi := a.d("zg"), a.d("zu"), a.zero(), a.zero()
			return func() {
					x, t := a.uint8s(g), a.uint8s(u)
					s := a.gather(table, x)
					for i, v := range s {
						a.v3("sub.4s", x[i], x[i], zg)
						a.v3("sub.4s", t[i], t[i], zu)
						a.v3("mul.4s", v, v, x[i])
						a.v3("mul.4s", v, v, t[i])
						a.v3("smin.4s", lo, lo, v)
						a.v3("smax.4s", hi, hi, v)
					}
					a.parts(func(i int) { a.store(a.extend(s, i), y, i) })
				}, func() {
					a.returnBest32(lo, "smin", "LT", "lo")
					a.returnBest32(hi, "smax", "GT", "hi")
				}
		})

	// sigmoid looks the octaves v up and turns σ to 2^15 − σ in the negative lanes of x.
	sigmoid := func(v, x [2]int, sigma int, c *curve) [2]int {
		e := [2]int{a.power(v[0], 0, c), a.power(v[1], 0, c)}
		s := a.gather(sigma, e)
		for i, w := range s {
			a.v3("sub.4s", e[i], c.one, w)
			a.shift("sshr.4s", v[i], x[i], 31)
			a.v3("bit.16b", w, e[i], v[i])
		}
		return s
	}

	for _, quad := range []bool{false, true} {
		q, doc := suffix(quad)
		a.row("gates"+q+"NEON", "table[x] = σ, or 2^15 − σ where x < zg, for n codes x"+doc+".",
			[]string{"table *uint16", "n int", "zg int", "mf int", "cap int", "left int", "right int", "sigma *uint16"}, nil,
			func() (func(), func()) {
				table, sigma := a.ptr("table", 2), a.base("sigma")
				zg, mf, eight, c := a.d("zg"), a.d("mf"), a.constD(8), a.curve(quad, false)
				x := a.pairOf()
				for i, codes := range []int64{0x03020100, 0x07060504} {
					a.op("MOVD $%d, R20", codes)
					v := a.dupQ()
					a.v2("uxtl.8h.8b", v, v)
					a.v2("uxtl.4s.4h", v, v)
					a.v3("sub.4s", x[i], v, zg)
				}
				return func() {
					v := a.pairOf()
					for i, w := range v {
						a.v2("abs.4s", w, x[i])
						a.v3("mul.4s", w, w, mf)
						a.octaves(w, c)
					}
					a.storeWords(sigmoid(v, x, sigma, c), table)
					for _, w := range x {
						a.v3("add.4s", w, w, eight)
					}
				}, nothing
			})
		a.row("swigluAlpha"+q+"NEON", "y = x·σ·(u − zu), x = g − zg, σ of |x|·mf·alpha, and its range"+doc+".",
			[]string{"y *int64", "gate *uint8", "u *uint8", "alpha *int32", "n int", "zg int", "zu int", "mf int", "cap int", "left int", "right int", "sigma *uint16"}, []string{"lo int64", "hi int64"},
			func() (func(), func()) {
				y, g, u, alpha, sigma := a.ptr("y", 8), a.ptr("gate", 1), a.ptr("u", 1), a.ptr("alpha", 4), a.base("sigma")
				zg, zu, mf, lim, c := a.d("zg"), a.d("zu"), a.d("mf"), a.zeroLimits(), a.curve(quad, true)
				return func() {
					x, v := a.uint8s(g), a.pairOf()
					a.scope(func() {
						p, f := a.pairOf(), [2]int{a.int32s(alpha, 0), a.int32s(alpha, 1)}
						for i, w := range p {
							a.v3("sub.4s", x[i], x[i], zg)
							a.v2("abs.4s", w, x[i])
							a.v3("mul.4s", w, w, mf)
						}
						a.parts(func(i int) { a.octavesQ(a.mull("smull", p, f, i), v, i, c) })
						for _, w := range v {
							a.v3("umin.4s", w, w, c.octaves)
						}
					})
					s, t := sigmoid(v, x, sigma, c), a.uint8s(u)
					for i, w := range s {
						a.v3("mul.4s", w, w, x[i])
						a.v3("sub.4s", t[i], t[i], zu)
					}
					a.parts(func(i int) {
						w := a.mull("smull", s, t, i)
						a.store(w, y, i)
						a.foldLimits(w, lim)
					})
				}, func() { a.returnLimits(lim, "lo", "hi") }
			})
	}
}
