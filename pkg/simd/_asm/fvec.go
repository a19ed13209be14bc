package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// fvecFile writes the float rows of package fvec. Their definitions are the Go functions named …Generic there.
func fvecFile(c *build.Context) {
	cpuid(c)
	data := map[float32]Mem{}
	for _, f := range []form{{true, false, data}, {true, true, data}, {false, false, data}, {false, true, data}} {
		if !f.half {
			fvecRange(c, f)
		}
		fvecSoftmax(c, f)
		fvecNorm(c, f)
		fvecGLU(c, f)
		fvecConvert(c, f)
	}
}

// cpuid writes the instruction's wrapper: golang.org/x/sys/cpu knows neither F16C nor AVX-512 FP16.
func cpuid(c *build.Context) {
	c.Function("cpuid")
	c.Attributes(attr.NOSPLIT)
	c.Doc("cpuid: the processor's answer to a leaf and sub-leaf.")
	c.SignatureExpr("func(leaf, sub uint32) (a, b, c, d uint32)")
	c.Load(c.Param("leaf"), reg.EAX)
	c.Load(c.Param("sub"), reg.ECX)
	c.CPUID()
	for i, r := range []reg.Register{reg.EAX, reg.EBX, reg.ECX, reg.EDX} {
		c.Store(r, c.ReturnIndex(i))
	}
	c.RET()
}

// fvecRange: extremes and codes, which know no precision.
func fvecRange(c *build.Context, f form) {
	writeFloatRow(c, f, "maximum", "the largest x; n ≥ 1.", "func(x *float32, n int) float32", 4, false,
		func(r *frow) (func(), func()) {
			x, least := r.ptr("x"), r.constF(float32(math.Inf(-1)))
			acc := make([]reg.VecVirtual, 4)
			for i := range acc {
				acc[i] = r.vec()
				r.move(least, acc[i])
			}
			return func() {
				v := r.floats(x)
				switch {
				case r.masked && r.wide:
					r.VMAXPS(v, acc[r.u], r.tail, acc[r.u])
					return
				case r.masked:
					r.VBLENDVPS(r.mask, v, least, v)
				}
				r.VMAXPS(v, acc[r.u], acc[r.u])
			}, func() { r.returns(r.reduce(r.VMAXPS, acc)) }
		})

	writeFloatRow(c, f, "extremes", "min(0, min x), max(0, max x).", "func(x *float32, n int) (lo, hi float32)", 4, false,
		func(r *frow) (func(), func()) {
			x, lo, hi := r.ptr("x"), r.chains(4), r.chains(4)
			return func() {
				v := r.floats(x)
				r.VMINPS(v, lo[r.u], lo[r.u])
				r.VMAXPS(v, hi[r.u], hi[r.u])
			}, func() { r.returns(r.reduce(r.VMINPS, lo), r.reduce(r.VMAXPS, hi)) }
		})

	writeFloatRow(c, f, "codes", "dst = clamp(z + round(x·c), 0, top) and its sum.",
		"func(dst *uint8, x *float32, n int, c float32, z, top int32) (sum int32)", 2, !f.wide,
		func(r *frow) (func(), func()) {
			dst, x, k, z, top := r.ptr("dst"), r.ptr("x"), r.f("c"), r.d("z"), r.d("top")
			zero, sum := r.zero(), r.chains(2)
			return func() {
					v := r.floats(x)
					r.VMULPS(k, v, v)
					r.VCVTPS2DQ(v, v)
					r.VPADDD(z, v, v)
					r.VPMAXSD(zero, v, v)
					r.VPMINSD(top, v, v)
					r.own(v)
					r.VPADDD(v, sum[r.u], sum[r.u])
					m := r.at(dst, 1)
					b := r.XMM()
					if r.wide {
						r.VPMOVDB(v, b)
						if r.masked {
							r.VMOVDQU8(b, r.tail, m)
						} else {
							r.VMOVDQU(b, m)
						}
						return
					}
					r.VEXTRACTI128(Imm(1), v, b)
					r.VPACKUSDW(b, v.AsX(), b)
					r.VPACKUSWB(b, b, b)
					r.VMOVQ(b, m)
				}, func() {
					x, g := r.reduce(r.VPADDD, sum), r.GP32()
					r.VMOVD(x, g)
					r.VZEROUPPER()
					r.Store(g, r.ReturnIndex(0))
				}
		})
}

// fvecSoftmax: e^x and what divides by its sum.
func fvecSoftmax(c *build.Context, f form) {
	writeFloatRow(c, f, "expSum", "dst = e^(x − shift) and its sum; x ≤ shift.",
		"func(dst, x *float32, n int, shift float32) (sum float32)", 2, false,
		func(r *frow) (func(), func()) {
			dst, x, shift := r.ptr("dst"), r.ptr("x"), r.f("shift")
			k, sum := r.expo(), r.chains(2)
			return func() {
				v := r.floats(x)
				r.VSUBPS(shift, v, v)
				r.round(v)
				r.exp(v, k)
				r.round(v)
				r.own(v)
				r.VADDPS(v, sum[r.u], sum[r.u])
				r.store(v, dst)
			}, func() { r.returns(r.reduce(r.VADDPS, sum)) }
		})

	writeFloatRow(c, f, "scale", "dst = x·c.", "func(dst, x *float32, n int, c float32)", 4, false,
		func(r *frow) (func(), func()) {
			dst, x, k := r.ptr("dst"), r.ptr("x"), r.f("c")
			return func() {
				v := r.floats(x)
				r.VMULPS(k, v, v)
				r.round(v)
				r.store(v, dst)
			}, func() { r.returns() }
		})

	writeFloatRow(c, f, "scaleQ30", "dst = round(x·c·2^30), 0 ≤ x·c ≤ 1.", "func(dst *int32, x *float32, n int, c float32)", 2, false,
		func(r *frow) (func(), func()) {
			dst, x, k := r.ptr("dst"), r.ptr("x"), r.f("c")
			one := r.constF(1 << 30)
			return func() {
				v := r.floats(x)
				r.VMULPS(k, v, v)
				r.round(v)
				r.VMULPS(one, v, v)
				r.VCVTPS2DQ(v, v)
				r.store(v, dst)
			}, func() { r.returns() }
		})
}

// fvecNorm: sums of a row, and the row behind them.
func fvecNorm(c *build.Context, f form) {
	if !f.half {
		writeFloatRow(c, f, "sum", "Σx.", "func(x *float32, n int) float32", 4, false,
			func(r *frow) (func(), func()) {
				x, sum := r.ptr("x"), r.chains(4)
				return func() {
					v := r.floats(x)
					r.VADDPS(v, sum[r.u], sum[r.u])
				}, func() { r.returns(r.reduce(r.VADDPS, sum)) }
			})
	}
	writeFloatRow(c, f, "sumSquares", "Σ(x − mean)².", "func(x *float32, n int, mean float32) float32", 4, false,
		func(r *frow) (func(), func()) {
			x, mean, sum := r.ptr("x"), r.f("mean"), r.chains(4)
			return func() {
				v := r.floats(x)
				r.VSUBPS(mean, v, v)
				r.round(v)
				r.own(v)
				r.VFMADD231PS(v, v, sum[r.u])
			}, func() { r.returns(r.reduce(r.VADDPS, sum)) }
		})
	for _, shifted := range []bool{false, true} {
		name, doc, parameter := "normalise", "", ""
		if shifted {
			name, doc, parameter = "normaliseBeta", " + beta", ", beta"
		}
		writeFloatRow(c, f, name, "dst = (x − mean)·c·gamma"+doc+".",
			"func(dst, x, gamma"+parameter+" *float32, n int, mean, c float32)", 2, false,
			func(r *frow) (func(), func()) {
				dst, x, gamma := r.ptr("dst"), r.ptr("x"), r.ptr("gamma")
				var beta reg.GPVirtual
				if shifted {
					beta = r.ptr("beta")
				}
				mean, k := r.f("mean"), r.f("c")
				return func() {
					v := r.floats(x)
					r.VSUBPS(mean, v, v)
					r.round(v)
					r.VMULPS(k, v, v)
					r.round(v)
					r.VMULPS(r.floats(gamma), v, v)
					r.round(v)
					if shifted {
						r.VADDPS(r.floats(beta), v, v)
						r.round(v)
					}
					r.store(v, dst)
				}, func() { r.returns() }
			})
	}
}

// fvecGLU: gate·σ(alpha·gate)·up.
func fvecGLU(c *build.Context, f form) {
	for _, smooth := range []bool{false, true} {
		name, doc, parameter := "swiGLU", "gate", ""
		if smooth {
			name, doc, parameter = "swiGLUAlpha", "alpha·gate", ", alpha"
		}
		writeFloatRow(c, f, name, "dst = gate·up/(1 + e^(−"+doc+")).",
			"func(dst, gate, up"+parameter+" *float32, n int)", 2, false,
			func(r *frow) (func(), func()) {
				dst, gate, up := r.ptr("dst"), r.ptr("gate"), r.ptr("up")
				var alpha reg.GPVirtual
				if smooth {
					alpha = r.ptr("alpha")
				}
				k, zero, most := r.expo(), r.zero(), r.constF(86)
				return func() {
					g, e := r.floats(gate), r.vec()
					if smooth {
						r.VMULPS(r.floats(alpha), g, e)
						r.round(e)
						r.VSUBPS(e, zero, e)
					} else {
						r.VSUBPS(g, zero, e)
					}
					r.VMINPS(most, e, e)
					r.exp(e, k)
					r.round(e)
					r.VADDPS(r.take(k.one), e, e)
					r.round(e)
					r.VDIVPS(e, g, g)
					r.round(g)
					r.VMULPS(r.floats(up), g, g)
					r.round(g)
					r.store(g, dst)
				}, func() { r.returns() }
			})
	}
}

// fvecConvert: integers of the engine as floats.
func fvecConvert(c *build.Context, f form) {
	writeFloatRow(c, f, "fromInt32", "dst = x·c.", "func(dst *float32, x *int32, n int, c float32)", 2, false,
		func(r *frow) (func(), func()) {
			dst, x, k := r.ptr("dst"), r.ptr("x"), r.f("c")
			return func() {
				v := r.floats(x)
				r.VCVTDQ2PS(v, v)
				r.VMULPS(k, v, v)
				r.round(v)
				r.store(v, dst)
			}, func() { r.returns() }
		})

	writeFloatRow(c, f, "fromCodes", "dst = (x − z)·c.", "func(dst *float32, x *uint8, n int, z int32, c float32)", 2, !f.wide,
		func(r *frow) (func(), func()) {
			dst, x, k, z := r.ptr("dst"), r.ptr("x"), r.f("c"), r.d("z")
			return func() {
				v := r.vec()
				if r.masked {
					r.VPMOVZXBD_Z(r.at(x, 1), r.tail, v)
				} else {
					r.VPMOVZXBD(r.at(x, 1), v)
				}
				r.VPSUBD(z, v, v)
				r.VCVTDQ2PS(v, v)
				r.VMULPS(k, v, v)
				r.round(v)
				r.store(v, dst)
			}, func() { r.returns() }
		})

	if !f.wide {
		return // AVX2 has no conversion from 64-bit integers
	}
	writeFloatRow(c, f, "fromInt64", "dst = x·c.", "func(dst *float32, x *int64, n int, c float32)", 2, false,
		func(r *frow) (func(), func()) {
			dst, x, k := r.ptr("dst"), r.ptr("x"), r.f("c")
			return func() {
				v := r.int64s(x)
				r.VMULPS(k, v, v)
				r.round(v)
				r.store(v, dst)
			}, func() { r.returns() }
		})
}
