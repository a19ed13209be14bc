package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vecFile writes the row kernels of package vec. Their definitions are the Go
// functions named …Generic there; names and letters are the same.
func vecFile(c *build.Context) {
	vecLinear(c)
	vecAttention(c)
	vecStream(c)
	upper, packed := upperTable(c), packedOrder(c)
	vecWide(c, upper)
	vecSoftmax(c, upper, packed)
	vecResidual(c)
	vecPending(c, upper, packed)
	vecAVX2(c)
}

// vecLinear: what follows a linear layer.
func vecLinear(c *build.Context) {
	writeRow(c, "minMaxAVX512", "min(0, min t), max(0, max t).",
		"func(t *int64, n int) (lo, hi int64)",
		func(r *row) (func(), func()) {
			t := r.ptr("t")
			m := r.zeroRange()
			return func() { r.foldRange(r.int64s(t), m) },
				func() { r.returnRange(m, "lo", "hi") }
		})

	writeRow(c, "accumulateAVX512", "t = (acc − z·sum − (zero−off)·c)·m and its range.",
		"func(t *int64, acc, sum, m *int32, zero *uint8, n int, z, c, off int32) (lo, hi int64)",
		func(r *row) (func(), func()) {
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
				w := r.widen(v)
				r.VPMULDQ(r.int32sTo64(m), w, w)
				r.storeInt64s(w, t)
				r.foldRange(w, lim)
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	writeRow(c, "addBiasAVX512", "t += round(bias·r·2^l / 2^s) and its range.",
		"func(t *int64, bias *int32, n int, r int64, l, s uint) (lo, hi int64)",
		func(r *row) (func(), func()) {
			t, bias := r.ptr("t"), r.ptr("bias")
			f, l, s := r.q("r"), r.q("l"), r.rounding("s", true)
			lim := r.zeroRange()
			return func() {
				x := r.int32sTo64(bias)
				r.VPMULDQ(f, x, x)
				r.VPSLLVQ(l, x, x)
				r.round(x, s)
				r.VPADDQ(r.int64s(t), x, x)
				r.storeInt64s(x, t)
				r.foldRange(x, lim)
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	writeRow(c, "reluAVX512", "t = max(0, t).",
		"func(t *int64, n int)",
		func(r *row) (func(), func()) {
			t, zero := r.ptr("t"), r.zero()
			return func() {
				x := r.int64s(t)
				r.VPMAXSQ(zero, x, x)
				r.storeInt64s(x, t)
			}, func() {}
		})

	for _, wide := range []bool{false, true} {
		name, elem := "requantAVX512", "uint8"
		if wide {
			name, elem = "requant16AVX512", "uint16"
		}
		writeRow(c, name, "dst = clamp(z + round((t>>s)·g / 2^h), 0, top) and its sum.",
			"func(dst *"+elem+", t *int64, n int, s uint, mul int64, h uint, z, top int64) (sum int64)",
			func(r *row) (func(), func()) {
				dst, t := r.ptr("dst"), r.ptr("t")
				s, g, h, z, top := r.q("s"), r.q("mul"), r.rounding("h", false), r.q("z"), r.q("top")
				zero, sum := r.zero(), r.zero()
				return func() {
					v := r.int64s(t)
					r.VPSRAVQ(s, v, v)
					r.VPMULDQ(g, v, v)
					r.round(v, h)
					r.VPADDQ(z, v, v)
					r.VPMAXSQ(zero, v, v)
					r.VPMINSQ(top, v, v)
					r.fold(r.VPADDQ, v, sum)
					if wide {
						r.storeWords(v, dst)
					} else {
						r.storeBytes(v, dst)
					}
				}, func() { r.Store(r.reduce(r.VPADDQ, sum), r.Return("sum")) }
			})
	}
}

// vecStream: norms and the residual stream.
func vecStream(c *build.Context) {
	writeRow(c, "maxAbsAVX512", "the least and the largest of 0 and h.",
		"func(h *int32, n int) (lo, hi int64)",
		func(r *row) (func(), func()) {
			h, lim := r.ptr("h"), r.zeroRange()
			return func() { r.foldRange(r.int32sTo64(h), lim) },
				func() { r.returnRange(lim, "lo", "hi") }
		})

	writeRow(c, "sumSquaresAVX512", "Σ round(h/2^s)².",
		"func(h *int32, n int, s uint) (sum int64)",
		func(r *row) (func(), func()) {
			h, s, sum := r.ptr("h"), r.rounding("s", true), r.zero()
			return func() {
					v := r.int32sTo64(h)
					r.round(v, s)
					r.VPMULDQ(v, v, v)
					r.fold(r.VPADDQ, v, sum)
				},
				func() { r.Store(r.reduce(r.VPADDQ, sum), r.Return("sum")) }
		})

	writeRow(c, "normAVX512", "v = round(round(h/2^s)·rho / 2^shift)·gamma and its range.",
		"func(v *int64, h, gamma *int32, n int, s uint, rho int64, shift uint) (lo, hi int64)",
		func(r *row) (func(), func()) {
			v, h, gamma := r.ptr("v"), r.ptr("h"), r.ptr("gamma")
			s, rho, sh := r.rounding("s", true), r.q("rho"), r.rounding("shift", false)
			lim := r.zeroRange()
			return func() {
				x := r.int32sTo64(h)
				r.round(x, s)
				r.VPMULLQ(rho, x, x) // rho may be 2^31: no signed 32-bit factor
				r.round(x, sh)
				r.VPMULDQ(r.int32sTo64(gamma), x, x)
				r.storeInt64s(x, v)
				r.foldRange(x, lim)
			}, func() { r.returnRange(lim, "lo", "hi") }
		})

	// centred reads x = round(h·2^l / 2^s) − mean.
	centred := func(r *row) func() reg.VecVirtual {
		h, l, s, mean := r.ptr("h"), r.q("l"), r.rounding("s", true), r.q("mean")
		return func() reg.VecVirtual {
			x := r.int32sTo64(h)
			r.VPSLLVQ(l, x, x)
			r.round(x, s)
			r.VPSUBQ(mean, x, x)
			return x
		}
	}

	writeRow(c, "sumRoundAVX512", "Σ round(h·2^l / 2^s).",
		"func(h *int32, n int, l, s uint) (sum int64)",
		func(r *row) (func(), func()) {
			h, l, s, sum := r.ptr("h"), r.q("l"), r.rounding("s", true), r.zero()
			return func() {
					x := r.int32sTo64(h)
					r.VPSLLVQ(l, x, x)
					r.round(x, s)
					r.fold(r.VPADDQ, x, sum)
				},
				func() { r.Store(r.reduce(r.VPADDQ, sum), r.Return("sum")) }
		})

	writeRow(c, "centredSquaresAVX512", "Σ (round(h·2^l / 2^s) − mean)².",
		"func(h *int32, n int, l, s uint, mean int64) (sum int64)",
		func(r *row) (func(), func()) {
			x, sum := centred(r), r.zero()
			return func() {
					v := x()
					r.VPMULDQ(v, v, v)
					r.fold(r.VPADDQ, v, sum)
				},
				func() { r.Store(r.reduce(r.VPADDQ, sum), r.Return("sum")) }
		})

	for _, shifted := range []bool{false, true} {
		name, doc, parameter := "layerNormAVX512", "", ""
		if shifted {
			name, doc, parameter = "layerNormBetaAVX512", " + beta", ", beta *int64"
		}
		writeRow(c, name, "v = round((round(h·2^l / 2^s) − mean)·rho / 2^shift)·gamma"+doc+" and its range.",
			"func(v *int64, h, gamma *int32"+parameter+", n int, l, s uint, mean, rho int64, shift uint) (lo, hi int64)",
			func(r *row) (func(), func()) {
				v, gamma, x := r.ptr("v"), r.ptr("gamma"), centred(r)
				rho, sh, lim := r.q("rho"), r.rounding("shift", false), r.zeroRange()
				var beta reg.GPVirtual
				if shifted {
					beta = r.ptr("beta")
				}
				return func() {
					y := x()
					r.VPMULLQ(rho, y, y) // rho may be 2^31: no signed 32-bit factor
					r.round(y, sh)
					r.VPMULDQ(r.int32sTo64(gamma), y, y)
					if shifted {
						r.VPADDQ(r.int64s(beta), y, y)
					}
					r.storeInt64s(y, v)
					r.foldRange(y, lim)
				}, func() { r.returnRange(lim, "lo", "hi") }
			})
	}

	writeRow(c, "addResidualAVX512", "h += round(round(t/2^16)·m / 2^shift) with both clamps, and how many they changed; shift ≤ 62.",
		"func(h *int32, t *int64, n int, m int64, shift uint) (saturated int64)",
		func(r *row) (func(), func()) {
			h, t := r.ptr("h"), r.ptr("t")
			m, sh := r.q("m"), r.rounding("shift", true)
			first := rounding{count: r.constQ(16), half: r.constQ(1 << 15)}
			low, high, top, bottom := r.constQ(-1<<31), r.constQ(1<<31), r.constQ(1<<31-1), r.constQ(-(1<<31 - 1))
			count := r.GP64()
			r.XORQ(count, count)
			return func() {
				d := r.int64s(t)
				r.round(d, first)
				r.VPMULLQ(m, d, d)
				r.round(d, sh)
				x, y := r.int32sTo64(h), r.ZMM()
				r.VPMINSQ(high, d, y)
				r.VPMAXSQ(low, y, y)
				r.VPADDQ(x, y, y)
				r.VPMINSQ(top, y, y)
				r.VPMAXSQ(bottom, y, y)
				r.VPADDQ(x, d, d)
				k, g := r.K(), r.GP32()
				if r.masked {
					r.VPCMPQ(Imm(4), d, y, r.tail, k)
				} else {
					r.VPCMPQ(Imm(4), d, y, k)
				}
				r.KMOVB(k, g)
				r.POPCNTL(g, g)
				r.ADDQ(g.As64(), count)
				out := r.YMM()
				r.VPMOVQD(y, out)
				r.storeInt32s(out, h)
			}, func() { r.Store(count, r.Return("saturated")) }
		})
}
