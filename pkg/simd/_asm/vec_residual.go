package main

import (
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A residual adds rows to the residual stream, sixteen elements a step. While
// nothing saturates, the sum fits 32-bit lanes; a step in which a summand or a
// sum does not fit goes through the definition's clamps instead.
type residual struct {
	*wide
	h          reg.GPVirtual
	m, fit     reg.VecVirtual
	first      rounding
	sh         rounding
	count      reg.GPVirtual
	label      string
	upperHalf  reg.VecVirtual
	leastInt32 reg.VecVirtual
}

func newResidual(r *wide) *residual {
	s := &residual{
		wide: r, h: r.ptr("h"), m: r.q("m"), fit: r.constQ(1 << 31),
		first: rounding{count: r.constQ(16), half: r.constQ(1 << 15)}, sh: r.rounding("shift", true),
		count: r.GP64(), upperHalf: r.constQ(-1 << 32), leastInt32: r.const16(-1 << 31), label: "whole",
	}
	r.XORQ(s.count, s.count)
	return s
}

// add adds the pair d of T, which it spends.
func (s *residual) add(d [2]reg.VecVirtual) {
	bad := s.K()
	var y [2]reg.VecVirtual
	for i, v := range d {
		s.round(v, s.first)
		s.VPMULLQ(s.m, v, v)
		s.round(v, s.sh)
		f, k := s.ZMM(), s.K()
		s.VPADDQ(s.fit, v, f) // of 33 bits and more, or negative
		s.VPTESTMQ(s.upperHalf, f, k)
		if i == 0 {
			s.KMOVW(k, bad)
		} else {
			s.KORW(k, bad, bad)
		}
		y[i] = s.YMM()
		s.VPMOVQD(v, y[i])
	}
	e, x, sum, k := s.ZMM(), s.wide.int32s(s.h), s.ZMM(), s.K()
	s.VINSERTI64X4(Imm(1), y[1], y[0].AsZ(), e)
	s.VPADDD(x, e, sum)
	s.VPCMPEQD(s.leastInt32, sum, k)
	s.KORW(k, bad, bad)
	s.VPTERNLOGD(Imm(0x24), x, sum, e) // the sign of x and e alike, that of the sum not
	s.VPMOVD2M(e, k)
	s.KORW(k, bad, bad)
	slow, done := s.label+"slow", s.label+"done"
	s.label = "tail" // of the next step
	s.KORTESTW(bad, bad)
	s.JNZ(LabelRef(slow))
	s.wide.storeInt32s(sum, s.h)
	s.JMP(LabelRef(done))
	s.Label(slow)
	for i, v := range d {
		s.clamped(v, i)
	}
	s.Label(done)
}

// clamped is half a step of the definition.
func (s *residual) clamped(d reg.VecVirtual, i int) {
	x, y, k, g := s.wide.int32sTo64(s.h, i), s.ZMM(), s.K(), s.GP32()
	low, top := s.ZMM(), s.ZMM()
	s.VPSUBQ(s.fit, s.zero(), low) // −2^31
	s.VPMINSQ(s.fit, d, y)
	s.VPMAXSQ(low, y, y)
	s.VPADDQ(x, y, y)
	s.VPTERNLOGQ(Imm(0xff), top, top, top)
	s.VPADDQ(s.fit, top, top) // 2^31 − 1
	s.VPMINSQ(top, y, y)
	s.VPSUBQ(top, s.zero(), top)
	s.VPMAXSQ(top, y, y)
	s.VPADDQ(x, d, d)
	out, m := s.YMM(), s.half(s.h, 4, i)
	s.VPMOVQD(y, out)
	if s.masked {
		s.VPCMPQ(Imm(4), d, y, s.tails[i], k)
		s.VMOVDQU32(out, s.tails[i], m)
	} else {
		s.VPCMPQ(Imm(4), d, y, k)
		s.VMOVDQU32(out, m)
	}
	s.KMOVB(k, g)
	s.POPCNTL(g, g)
	s.ADDQ(g.As64(), s.count)
}

func vecResidual(c *build.Context) {
	writeWide(c, "addResidualWideAVX512", "h += round(round(t/2^16)·m / 2^shift) with both clamps, and how many they changed; shift ≤ 62.",
		"func(h *int32, t *int64, n int, m int64, shift uint) (saturated int64)",
		func(r *wide) (func(), func()) {
			t, s := r.ptr("t"), newResidual(r)
			return func() { s.add([2]reg.VecVirtual{r.int64s(t, 0), r.int64s(t, 1)}) },
				func() { r.Store(s.count, r.Return("saturated")) }
		})
}
