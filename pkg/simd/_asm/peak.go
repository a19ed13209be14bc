package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peak writes a loop of chains independent multiply-adds on registers: as many
// as the tiles keep, and enough to cover their latency.
func peak(c *build.Context, name string, chains int, vector func() reg.VecVirtual, op func(a, b, sum reg.VecVirtual)) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Doc(name + ": rounds times as many independent multiply-adds as a tile has accumulators.")
	c.SignatureExpr("func(rounds int)")
	rounds := c.Load(c.Param("rounds"), c.GP64())
	regs := make([]reg.VecVirtual, chains+2)
	for i := range regs {
		regs[i] = vector()
		if regs[i].Size() == 64 {
			c.VPXORD(regs[i], regs[i], regs[i])
		} else {
			c.VPXOR(regs[i], regs[i], regs[i])
		}
	}
	c.Label("loop")
	for i := range chains {
		op(regs[chains], regs[chains+1], regs[i])
	}
	c.DECQ(rounds)
	c.JNZ(LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}

// peakRead writes a loop that loads blocks of 1024 bytes into registers and
// does nothing else with them than an OR, in as many chains as loads.
func peakRead(c *build.Context, name string) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.Pragma("noescape")
	c.Doc(name + ": loads blocks of 1024 bytes from p; the OR of their 64-byte lines' first words.")
	c.SignatureExpr("func(p *byte, blocks int) uint32")
	p := c.Load(c.Param("p"), c.GP64()).(reg.GPVirtual)
	blocks := c.Load(c.Param("blocks"), c.GP64())
	var acc [8]reg.VecVirtual
	for i := range acc {
		acc[i] = c.ZMM()
		c.VPXORD(acc[i], acc[i], acc[i])
	}
	c.Label("loop")
	for i := range 16 {
		c.VPORD(Mem{Base: p, Disp: 64 * i}, acc[i%8], acc[i%8])
	}
	c.ADDQ(U32(1024), p)
	c.DECQ(blocks)
	c.JNZ(LabelRef("loop"))
	for i := 1; i < 8; i++ {
		c.VPORD(acc[i], acc[0], acc[0])
	}
	sum := c.GP32()
	c.VMOVD(acc[0].AsX(), sum)
	c.Store(sum, c.ReturnIndex(0))
	c.VZEROUPPER()
	c.RET()
}
