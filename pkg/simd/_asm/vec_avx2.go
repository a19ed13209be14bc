package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vecAVX2 writes the row kernels of package vec for AVX2. Where the general form
// needs what AVX2 lacks, the kernel is that of vecWide with its condition, and Go
// does the rows that fail it.
func vecAVX2(c *build.Context) {
	k := &ykit{c, map[string]Mem{}}
	vecLinearAVX2(k)
	vecStreamAVX2(k)
	vecAttentionAVX2(k)
	vecGatesAVX2(k)
}

// vecLinearAVX2: what follows a linear layer.
func vecLinearAVX2(k *ykit) {
	k.write("minMaxAVX2", "min(0, min t), max(0, max t).",
		"func(t *int64, n int) (lo, hi int64)",
		func(r *yrow) (func(), func()) {
			t := r.ptr("t")
			m, second := r.zeroRange(), r.zeroRange()
			return func() {
					r.foldRange(r.int64s(t, 0), m)
					r.foldRange(r.int64s(t, 1), second)
				}, func() {
					r.minQ(second.lo, m.lo)
					r.maxQ(second.hi, m.hi)
					r.returnRange(m, "lo", "hi")
				}
		})

	k.write("accumulateAVX2", "t = (acc − z·sum − (zero−off)·c)·m and its range.",
		"func(t *int64, acc, sum, m *int32, zero *uint8, n int, z, c, off int32) (lo, hi int64)",
		func(r *yrow) (func(), func()) {
			t, acc, sum, m, zero := r.ptr("t"), r.ptr("acc"), r.ptr("sum"), r.ptr("m"), r.ptr("zero")
			z, cc, off := r.d("z"), r.d("c"), r.d("off")
			lim := r.zeroRange()
			return func() {
				v, s, o := r.int32s(acc), r.int32s(sum), r.uint8sTo32(zero)
				r.VPMULLD(z, s, s)
				r.VPSUBD(off, o, o)
				r.VPMULLD(cc, o, o)
				r.VPSUBD(s, v, v)
				r.VPSUBD(o, v, v)
				for i, w := range r.widen(v) {
					r.VPMULDQ(r.int32sTo64(m, i), w, w)
					r.storeInt64s(w, t, i)
					r.foldRange(w, lim)
				}
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	k.write("addBiasAVX2", "t += round(bias·r·2^l / 2^s) and its range.",
		"func(t *int64, bias *int32, n int, r int64, l, s uint) (lo, hi int64)",
		func(r *yrow) (func(), func()) {
			t, bias := r.ptr("t"), r.ptr("bias")
			f, l, s := r.q("r"), r.count("l"), r.rounding("s", true)
			lim := r.zeroRange()
			return func() {
				for i := range 2 {
					x := r.int32sTo64(bias, i)
					r.VPMULDQ(f, x, x)
					r.VPSLLQ(l, x, x)
					r.round(x, r.sign(x), s)
					r.VPADDQ(r.at(t, 8, 4*i), x, x)
					r.storeInt64s(x, t, i)
					r.foldRange(x, lim)
				}
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	k.write("reluAVX2", "t = max(0, t).",
		"func(t *int64, n int)",
		func(r *yrow) (func(), func()) {
			t := r.ptr("t")
			return func() {
				for i := range 2 {
					x := r.int64s(t, i)
					r.VPANDN(x, r.sign(x), x)
					r.storeInt64s(x, t, i)
				}
			}, func() {}
		})

	for _, wide := range []bool{false, true} {
		name, elem := "requantAVX2", "uint8"
		if wide {
			name, elem = "requant16AVX2", "uint16"
		}
		k.write(name, "dst = clamp(((t>>s)·g + base)>>(32 + h32), 0, top) and its sum; s ≤ 32.",
			"func(dst *"+elem+", t *int64, n int, s uint, mul, base int64, h32, top int32) (sum int64)",
			func(r *yrow) (func(), func()) {
				dst, t := r.ptr("dst"), r.ptr("t")
				s, g, base, h, top := r.count("s"), r.q("mul"), r.q("base"), r.count32("h32"), r.d("top")
				zero, sum := r.zero(), r.zero()
				return func() {
					var p pair
					for i := range p {
						p[i] = r.int64s(t, i)
						r.VPSRLQ(s, p[i], p[i]) // the product reads the lower half alone
						r.VPMULDQ(g, p[i], p[i])
						r.VPADDQ(base, p[i], p[i])
					}
					v := r.upper(p)
					r.VPSRAD(h, v, v)
					r.VPMAXSD(zero, v, v)
					r.VPMINSD(top, v, v)
					r.VPADDD(v, sum, sum)
					if wide {
						r.storeWords(v, dst)
					} else {
						r.storeBytes(v, dst)
					}
				}, func() { r.returnSum32(sum, "sum") }
			})
	}
}

// vecStreamAVX2: norms and the residual stream.
func vecStreamAVX2(k *ykit) {
	k.write("maxAbsAVX2", "the least and the largest of 0 and h.",
		"func(h *int32, n int) (lo, hi int64)",
		func(r *yrow) (func(), func()) {
			h, lo, hi := r.ptr("h"), r.zero(), r.zero()
			return func() {
				v := r.int32s(h)
				r.VPMINSD(v, lo, lo)
				r.VPMAXSD(v, hi, hi)
			}, func() { r.returnRange32(lo, hi) }
		})

	k.write("sumSquaresAVX2", "Σ round(h/2^s)².",
		"func(h *int32, n int, s uint) (sum int64)",
		func(r *yrow) (func(), func()) {
			h, s, sum := r.ptr("h"), r.rounding("s", true), r.zero()
			return func() {
				for i := range 2 {
					v := r.int32sTo64(h, i)
					r.round(v, r.sign(v), s)
					r.VPMULDQ(v, v, v)
					r.VPADDQ(v, sum, sum)
				}
			}, func() { r.returnSum(sum, "sum") }
		})

	k.write("normAVX2", "v = round(round(h/2^s)·rho / 2^shift)·gamma and its range; rho < 2^31.",
		"func(v *int64, h, gamma *int32, n int, s uint, rho int64, shift uint) (lo, hi int64)",
		func(r *yrow) (func(), func()) {
			v, h, gamma := r.ptr("v"), r.ptr("h"), r.ptr("gamma")
			s, rho, sh := r.rounding("s", true), r.q("rho"), r.rounding("shift", false)
			lim := r.zeroRange()
			return func() {
				for i := range 2 {
					x := r.int32sTo64(h, i)
					sign := r.sign(x) // of the product as well, and of no account where that is 0
					r.round(x, sign, s)
					r.VPMULDQ(rho, x, x)
					r.round(x, sign, sh)
					r.VPMULDQ(r.int32sTo64(gamma, i), x, x)
					r.storeInt64s(x, v, i)
					r.foldRange(x, lim)
				}
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	// shifted reads round(h·2^l / 2^s).
	shifted := func(r *yrow) func(i int) reg.VecVirtual {
		h, l, s := r.ptr("h"), r.count("l"), r.rounding("s", true)
		return func(i int) reg.VecVirtual {
			x := r.int32sTo64(h, i)
			r.VPSLLQ(l, x, x)
			r.round(x, r.sign(x), s)
			return x
		}
	}

	k.write("sumRoundAVX2", "Σ round(h·2^l / 2^s).",
		"func(h *int32, n int, l, s uint) (sum int64)",
		func(r *yrow) (func(), func()) {
			x, sum := shifted(r), r.zero()
			return func() {
				for i := range 2 {
					r.VPADDQ(x(i), sum, sum)
				}
			}, func() { r.returnSum(sum, "sum") }
		})

	k.write("centredSquaresAVX2", "Σ (round(h·2^l / 2^s) − mean)².",
		"func(h *int32, n int, l, s uint, mean int64) (sum int64)",
		func(r *yrow) (func(), func()) {
			x, mean, sum := shifted(r), r.q("mean"), r.zero()
			return func() {
				for i := range 2 {
					v := x(i)
					r.VPSUBQ(mean, v, v)
					r.VPMULDQ(v, v, v)
					r.VPADDQ(v, sum, sum)
				}
			}, func() { r.returnSum(sum, "sum") }
		})

	for _, beta := range []bool{false, true} {
		name, doc, parameter := "layerNormAVX2", "", ""
		if beta {
			name, doc, parameter = "layerNormBetaAVX2", " + beta", ", beta *int64"
		}
		k.write(name, "v = round((round(h·2^l / 2^s) − mean)·rho / 2^shift)·gamma"+doc+" and its range; rho < 2^31.",
			"func(v *int64, h, gamma *int32"+parameter+", n int, l, s uint, mean, rho int64, shift uint) (lo, hi int64)",
			func(r *yrow) (func(), func()) {
				v, gamma, x, mean := r.ptr("v"), r.ptr("gamma"), shifted(r), r.q("mean")
				rho, sh, lim := r.q("rho"), r.rounding("shift", false), r.zeroRange()
				var shift reg.GPVirtual
				if beta {
					shift = r.ptr("beta")
				}
				return func() {
					for i := range 2 {
						y := x(i)
						r.VPSUBQ(mean, y, y)
						r.VPMULDQ(rho, y, y)
						r.round(y, r.sign(y), sh)
						r.VPMULDQ(r.int32sTo64(gamma, i), y, y)
						if beta {
							r.VPADDQ(r.at(shift, 8, 4*i), y, y)
						}
						r.storeInt64s(y, v, i)
						r.foldRange(y, lim)
					}
				}, func() { r.returnRange(lim, "lo", "hi") }
			})
	}

	k.write("addResidualAVX2", "h += round(round(t/2^16)·m / 2^shift) with both clamps, and how many they left alone; shift ≤ 62.",
		"func(h *int32, t *int64, n int, m int64, shift uint) (kept int64)",
		func(r *yrow) (func(), func()) {
			h, t := r.ptr("h"), r.ptr("t")
			m, sh, kept := r.q("m"), r.rounding("shift", true), r.zero()
			return func() {
				r.addResidual(pair{r.int64s(t, 0), r.int64s(t, 1)}, h, m, sh, kept)
			}, func() { r.returnSum(kept, "kept") }
		})
}

// addResidual adds the pair d of T, which it spends, to eight elements of h.
func (r *yrow) addResidual(in pair, h reg.GPVirtual, m reg.VecVirtual, sh yround, kept reg.VecVirtual) {
	var out pair
	for i, d := range in {
		u := r.YMM()
		r.roundBy(d, 16)
		r.VPSRLQ(Imm(32), d, u) // 45 bits by 16: the upper half's product, whose carries leave 64 bits as they must
		r.VPMULUDQ(m, u, u)
		r.VPMULUDQ(m, d, d)
		r.VPSLLQ(Imm(32), u, u)
		r.VPADDQ(u, d, d)
		r.round(d, r.sign(d), sh)
		x, y := r.int32sTo64(h, i), r.YMM()
		r.VMOVDQU(d, y)
		r.capQ(y, r.k64(1<<31))
		r.floorQ(y, r.k64(-1<<31))
		r.VPADDQ(x, y, y)
		r.capQ(y, r.k64(1<<31-1))
		r.floorQ(y, r.k64(-(1<<31 - 1)))
		r.VPADDQ(x, d, d)
		r.VPCMPEQQ(d, y, d)
		r.VPSUBQ(d, kept, kept)
		out[i] = y
	}
	r.storeInt32s(r.lower(out), h)
}
