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
