package main

// vecNEON writes the row kernels of package vec for arm64; letters and names are
// those of vecLinear and its neighbours.
func vecNEON(a *arm) {
	vecLinearNEON(a)
	vecStreamNEON(a)
	vecAttentionNEON(a)
	vecGatesNEON(a)
}

func nothing() {}

// parts runs f for the four parts of a step, giving back the registers of each.
func (a *arm) parts(f func(i int)) {
	for i := range 4 {
		a.scope(func() { f(i) })
	}
}

// vecLinearNEON: what follows a linear layer.
func vecLinearNEON(a *arm) {
	a.row("minMaxNEON", "min(0, min t), max(0, max t).",
		[]string{"t *int64", "n int"}, []string{"lo int64", "hi int64"},
		func() (func(), func()) {
			t, lim := a.ptr("t", 8), a.zeroLimits()
			return func() { a.parts(func(i int) { a.foldLimits(a.int64s(t, i), lim) }) },
				func() { a.returnLimits(lim, "lo", "hi") }
		})

	a.row("accumulateNEON", "t = (acc − z·sum − (zero−off)·c)·m and its range.",
		[]string{"t *int64", "acc *int32", "sum *int32", "m *int32", "zero *uint8", "n int", "z int", "c int", "off int"}, []string{"lo int64", "hi int64"},
		func() (func(), func()) {
			t, acc, sum, m, zero := a.ptr("t", 8), a.ptr("acc", 4), a.ptr("sum", 4), a.ptr("m", 4), a.ptr("zero", 1)
			z, c, off, lim := a.d("z"), a.d("c"), a.d("off"), a.zeroLimits()
			return func() {
				o := a.uint8s(zero)
				var v, f [2]int
				for i := range v {
					v[i], f[i] = a.int32s(acc, i), a.int32s(m, i)
					a.v3("mls.4s", v[i], a.int32s(sum, i), z)
					a.v3("sub.4s", o[i], o[i], off)
					a.v3("mls.4s", v[i], o[i], c)
				}
				a.parts(func(i int) {
					w := a.mull("smull", v, f, i)
					a.store(w, t, i)
					a.foldLimits(w, lim)
				})
			}, func() { a.returnLimits(lim, "lo", "hi") }
		})

	a.row("addBiasNEON", "t += round(bias·r·2^l / 2^s) and its range.",
		[]string{"t *int64", "bias *int32", "n int", "r int", "l uint", "s uint"}, []string{"lo int64", "hi int64"},
		func() (func(), func()) {
			t, bias := a.ptr("t", 8), a.ptr("bias", 4)
			r, l, s, lim := a.d("r"), a.q("l"), a.rounding("s", true), a.zeroLimits()
			return func() {
				b := [2]int{a.int32s(bias, 0), a.int32s(bias, 1)}
				a.parts(func(i int) {
					x := a.mull("smull", b, both(r), i)
					a.v3("sshl.2d", x, x, l)
					a.round(x, s)
					a.v3("add.2d", x, x, a.int64s(t, i))
					a.store(x, t, i)
					a.foldLimits(x, lim)
				})
			}, func() { a.returnLimits(lim, "lo", "hi") }
		})

	a.row("reluNEON", "t = max(0, t).", []string{"t *int64", "n int"}, nil,
		func() (func(), func()) {
			t := a.ptr("t", 8)
			return func() {
				a.parts(func(i int) {
					x, s := a.int64s(t, i), a.fresh()
					a.shift("sshr.2d", s, x, 63)
					a.v3("bic.16b", x, x, s)
					a.store(x, t, i)
				})
			}, nothing
		})

	for _, wide := range []bool{false, true} {
		name, dst, size := "requantNEON", "dst *uint8", 1
		if wide {
			name, dst, size = "requant16NEON", "dst *uint16", 2
		}
		a.row(name, "dst = clamp(z + round((t>>s)·g / 2^h), 0, top) and its sum.",
			[]string{dst, "t *int64", "n int", "s uint", "mul int", "h uint", "z int", "top int"}, []string{"sum int64"},
			func() (func(), func()) {
				dst, t := a.ptr("dst", size), a.ptr("t", 8)
				s, g, h, z, top := a.right("s"), a.d("mul"), a.rounding("h", false), a.d("z"), a.d("top")
				zero, sum := a.zero(), a.zero()
				return func() {
						u, v := a.pairOf(), a.pairOf()
						a.parts(func(i int) {
							x := a.int64s(t, i)
							a.v3("sshl.2d", x, x, s)
							a.narrow("xtn", u, x, i)
						})
						a.parts(func(i int) {
							x := a.mull("smull", u, both(g), i)
							a.round(x, h)
							a.narrow("sqxtn", v, x, i) // what saturates here is clamped below
						})
						for _, x := range v {
							a.v3("sqadd.4s", x, x, z)
							a.v3("smax.4s", x, x, zero)
							a.v3("smin.4s", x, x, top)
						}
						for i := range 4 {
							a.v3(high("uaddw.2d.2d.2s", i), sum, sum, v[i/2])
						}
						if wide {
							a.storeWords(v, dst)
						} else {
							a.storeBytes(v, dst)
						}
					},
					func() { a.returnSum(sum, "sum") }
			})
	}
}

// vecStreamNEON: norms and the residual stream.
func vecStreamNEON(a *arm) {
	a.row("maxAbsNEON", "the least and the largest of 0 and h.",
		[]string{"h *int32", "n int"}, []string{"lo int64", "hi int64"},
		func() (func(), func()) {
			h, lo, hi := a.ptr("h", 4), a.zero(), a.zero()
			return func() {
					for i := range 2 {
						v := a.int32s(h, i)
						a.v3("smin.4s", lo, lo, v)
						a.v3("smax.4s", hi, hi, v)
					}
				}, func() {
					a.returnBest32(lo, "smin", "LT", "lo")
					a.returnBest32(hi, "smax", "GT", "hi")
				}
		})

	// shifted reads round(h·2^l / 2^s) into 32-bit lanes, or without l, and takes mean away if there is one.
	shifted := func(left, centred bool) func() [2]int {
		h := a.ptr("h", 4)
		l, mean := noMask, noMask
		if left {
			l = a.q("l")
		}
		s := a.rounding("s", true)
		if centred {
			mean = a.q("mean")
		}
		return func() [2]int {
			in, out := [2]int{a.int32s(h, 0), a.int32s(h, 1)}, a.pairOf()
			a.parts(func(i int) {
				x := a.extend(in, i)
				if left {
					a.v3("sshl.2d", x, x, l)
				}
				a.round(x, s)
				if centred {
					a.v3("sub.2d", x, x, mean)
				}
				a.narrow("xtn", out, x, i)
			})
			return out
		}
	}
	squares := func(name, doc string, params []string, left bool) {
		a.row(name, doc, params, []string{"sum int64"}, func() (func(), func()) {
			x, sum := shifted(left, left), a.zero()
			return func() {
				v := x()
				for i := range 4 {
					a.v3(high("smlal.2d.2s", i), sum, v[i/2], v[i/2])
				}
			}, func() { a.returnSum(sum, "sum") }
		})
	}
	squares("sumSquaresNEON", "Σ round(h/2^s)².", []string{"h *int32", "n int", "s uint"}, false)
	squares("centredSquaresNEON", "Σ (round(h·2^l / 2^s) − mean)².", []string{"h *int32", "n int", "l uint", "s uint", "mean int"}, true)

	a.row("sumRoundNEON", "Σ round(h·2^l / 2^s).", []string{"h *int32", "n int", "l uint", "s uint"}, []string{"sum int64"},
		func() (func(), func()) {
			x, sum := shifted(true, false), a.zero()
			return func() {
				v := x()
				for i := range 4 {
					a.v3(high("saddw.2d.2d.2s", i), sum, sum, v[i/2])
				}
			}, func() { a.returnSum(sum, "sum") }
		})

	norm := func(name, doc string, params []string, layer, beta bool) {
		a.row(name, doc, params, []string{"lo int64", "hi int64"}, func() (func(), func()) {
			v, gamma := a.ptr("v", 8), a.ptr("gamma", 4)
			var shift pointer
			if beta {
				shift = a.ptr("beta", 8)
			}
			x, rho, sh, lim := shifted(layer, layer), a.d("rho"), a.rounding("shift", false), a.zeroLimits()
			return func() {
				in, q := x(), a.pairOf()
				a.parts(func(i int) {
					y := a.mull("smull", in, both(rho), i)
					a.round(y, sh)
					a.narrow("xtn", q, y, i)
				})
				f := [2]int{a.int32s(gamma, 0), a.int32s(gamma, 1)}
				a.parts(func(i int) {
					y := a.mull("smull", q, f, i)
					if beta {
						a.v3("add.2d", y, y, a.int64s(shift, i))
					}
					a.store(y, v, i)
					a.foldLimits(y, lim)
				})
			}, func() { a.returnLimits(lim, "lo", "hi") }
		})
	}
	norm("normNEON", "v = round(round(h/2^s)·rho / 2^shift)·gamma and its range; rho < 2^31.",
		[]string{"v *int64", "h *int32", "gamma *int32", "n int", "s uint", "rho int", "shift uint"}, false, false)
	const layer = "v = round((round(h·2^l / 2^s) − mean)·rho / 2^shift)·gamma"
	norm("layerNormNEON", layer+" and its range; rho < 2^31.",
		[]string{"v *int64", "h *int32", "gamma *int32", "n int", "l uint", "s uint", "mean int", "rho int", "shift uint"}, true, false)
	norm("layerNormBetaNEON", layer+" + beta and its range; rho < 2^31.",
		[]string{"v *int64", "h *int32", "gamma *int32", "beta *int64", "n int", "l uint", "s uint", "mean int", "rho int", "shift uint"}, true, true)

	a.row("addResidualNEON", "h += round(round(t/2^16)·m / 2^shift) with both clamps, and how many they left alone; shift ≤ 62.",
		[]string{"h *int32", "t *int64", "n int", "m int", "shift uint"}, []string{"kept int64"},
		func() (func(), func()) {
			h, t := a.ptr("h", 4), a.ptr("t", 8)
			add, finish := a.residual(h)
			return func() { add(func(i int) int { return a.int64s(t, i) }) }, finish
		})
}

// residual adds parts of T to eight elements of h.
func (a *arm) residual(h pointer) (add func(part func(i int) int), finish func()) {
	m, sh, kept := a.d("m"), a.rounding("shift", true), a.zero()
	least, most, bottom, top := a.constQ(-1<<31), a.constQ(1<<31), a.constQ(-(1<<31 - 1)), a.constQ(1<<31-1)
	return func(part func(i int) int) {
		in, out := [2]int{a.int32s(h, 0), a.int32s(h, 1)}, a.pairOf()
		a.parts(func(i int) {
			d, l, u, x, y := part(i), a.fresh(), a.fresh(), a.extend(in, i), a.fresh()
			a.roundBy(d, 16)
			a.v2("xtn.2s.2d", l, d) // 45 bits by 16 in two halves
			a.shift("shrn.2s.2d", u, d, 32)
			a.v3("umull.2d.2s", d, l, m)
			a.v3("umull.2d.2s", u, u, m)
			a.shift("shl.2d", u, u, 32)
			a.v3("add.2d", d, d, u)
			a.round(d, sh)
			a.copy(y, d)
			a.minQ(most, y)
			a.maxQ(least, y)
			a.v3("add.2d", y, y, x)
			a.minQ(top, y)
			a.maxQ(bottom, y)
			a.v3("add.2d", d, d, x)
			a.v3("cmeq.2d", d, d, y)
			a.v3("sub.2d", kept, kept, d)
			a.narrow("xtn", out, y, i)
		})
		a.store(out[0], h, 0)
		a.store(out[1], h, 1)
	}, func() { a.returnSum(kept, "kept") }
}

// returnBest32 stores the extreme of four 32-bit lanes, found with the op and the condition.
func (a *arm) returnBest32(v int, op, condition, name string) {
	w := a.fresh()
	a.v2("sxtl2.2d.4s", w, v)
	a.v2("sxtl.2d.2s", v, v)
	if op == "smin" {
		a.minQ(w, v)
	} else {
		a.maxQ(w, v)
	}
	a.returnBest(v, condition, name)
}
