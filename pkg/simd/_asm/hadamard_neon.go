package main

import "fmt"

// The ±1 transforms of package vec for arm64: two lanes of 64 bits a register, 32 registers. As for amd64 there are no
// tails; unlike there a matrix of Paley keeps one element of every block in registers and forms each row's sum by itself.

// hadamardOps are instructions on 64-bit lanes with three registers.
var hadamardOps = map[string]uint32{"add": 0x4ee08400, "sub": 0x6ee08400, "zip1": 0x4ec03800, "zip2": 0x4ec07800}

func (a *arm) two(op string, d, n, m int) {
	a.word(three(hadamardOps[op], d, n, m), "%s v%d.2d, v%d.2d, v%d.2d", op, d, n, m)
}

func hadamardNEON(a *arm) {
	for _, m := range []int{8, 16, 32} {
		a.walsh(m)
	}
	a.butterfly()
	a.across(12, 11, false)
	a.across(28, 13, true)
	a.across(36, 17, true)
}

// walsh holds m elements in m/2 registers: distance 1 inside a register, by exchanging halves of two, then the distances
// between registers.
func (a *arm) walsh(m int) {
	a.function(fmt.Sprintf("walsh%dNEON", m), fmt.Sprintf("butterflies at distances below %d over n elements, a positive multiple of it.", m), []string{"t *int64", "n int"}, nil)
	a.param("t", 0)
	a.param("n", 1)
	a.label("loop")
	regs := m / 2
	x, spare := make([]int, regs), []int{regs, regs + 1}
	for i := range x {
		x[i] = i
		a.ldr(i, 0, 16*i)
	}
	for i := 0; i < regs; i += 2 {
		u, v := spare[0], spare[1]
		a.two("zip1", u, x[i], x[i+1])
		a.two("zip2", v, x[i], x[i+1])
		a.two("add", x[i], u, v)
		a.two("sub", x[i+1], u, v)
		a.two("zip1", u, x[i], x[i+1])
		a.two("zip2", v, x[i], x[i+1])
		x[i], x[i+1], spare[0], spare[1] = u, v, x[i], x[i+1]
	}
	for d := 1; d < regs; d *= 2 {
		for i := range x {
			if i&d == 0 {
				a.two("sub", spare[0], x[i], x[i+d])
				a.two("add", x[i], x[i], x[i+d])
				x[i+d], spare[0] = spare[0], x[i+d]
			}
		}
	}
	for i, v := range x {
		a.str(v, 0, 16*i)
	}
	a.op("ADD $%d, R0", 8*m)
	a.op("SUBS $%d, R1", m)
	a.op("BNE loop")
	a.op("RET")
}

// butterfly is one distance of at least four registers.
func (a *arm) butterfly() {
	a.function("butterflyNEON", "(t[i], t[i+d]) → (t[i]+t[i+d], t[i]−t[i+d]) over n elements, a positive multiple of 2·d; d a multiple of 8.",
		[]string{"t *int64", "n int", "d int"}, nil)
	a.param("t", 0)
	a.param("n", 1)
	a.param("d", 2)
	a.label("block")
	a.op("MOVD R2, R3")
	a.op("ADD R2<<3, R0, R4")
	a.label("loop")
	for i := range 4 {
		a.ldr(i, 0, 16*i)
		a.ldr(4+i, 4, 16*i)
	}
	for i := range 4 {
		a.two("add", 8+i, i, 4+i)
		a.two("sub", 12+i, i, 4+i)
	}
	for i := range 4 {
		a.str(8+i, 0, 16*i)
		a.str(12+i, 4, 16*i)
	}
	a.op("ADD $64, R0")
	a.op("ADD $64, R4")
	a.op("SUBS $8, R3")
	a.op("BNE loop")
	a.op("MOVD R4, R0")
	a.op("SUB R2<<1, R1")
	a.op("CBNZ R1, block")
	a.op("RET")
}

// across is H_o over o blocks of m elements, two elements of every block at a time.
func (a *arm) across(order, q int, double bool) {
	doc := fmt.Sprintf("H_%d over the blocks of m elements, a positive multiple of 2", order)
	params := []string{"t *int64", "m int"}
	if double {
		doc += fmt.Sprintf("; scratch holds %d", order)
		params = append(params, "scratch *int64")
	}
	a.function(fmt.Sprintf("across%dNEON", order), doc+".", params, nil)
	a.param("t", 0)
	a.param("m", 1)
	a.op("LSL $3, R1, R2") // bytes of a block
	if double {
		a.param("scratch", 3)
		a.op("LSL $4, R1, R6") // of two
	}
	a.label("loop")
	sign := paley(q, double)
	n := len(sign)
	const sum, other = 30, 31
	if !double {
		a.op("MOVD R0, R4")
		for b := range n {
			a.ldr(b, 4, 0)
			a.op("ADD R2, R4")
		}
		a.op("MOVD R0, R4")
		for i := range n {
			sign[i][i] = 1
			a.signed(sum, sign[i])
			a.str(sum, 4, 0)
			a.op("ADD R2, R4")
		}
	} else {
		// Blocks (2a, 2a+1) are u and v: p = u + v to registers and scratch, m = u − v to the odd block. Then the even
		// results S·p + m wait in the even blocks while m comes to the registers, and the odd ones are S·m − p.
		a.op("MOVD R0, R4")
		a.op("ADD R2, R0, R5")
		for b := range n {
			a.ldr(sum, 4, 0)
			a.ldr(other, 5, 0)
			a.two("add", b, sum, other)
			a.two("sub", sum, sum, other)
			a.str(b, 3, 16*b)
			a.str(sum, 5, 0)
			a.op("ADD R6, R4")
			a.op("ADD R6, R5")
		}
		for half := range 2 {
			a.op("MOVD R0, R4")
			a.op("ADD R2, R0, R5")
			for i := range n {
				a.signed(sum, sign[i])
				if half == 0 {
					a.ldr(other, 5, 0)
					a.two("add", sum, sum, other)
					a.str(sum, 4, 0)
				} else {
					a.ldr(other, 3, 16*i)
					a.two("sub", sum, sum, other)
					a.str(sum, 5, 0)
				}
				a.op("ADD R6, R4")
				a.op("ADD R6, R5")
			}
			if half == 0 {
				a.op("ADD R2, R0, R5")
				for b := range n {
					a.ldr(b, 5, 0)
					a.op("ADD R6, R5")
				}
			}
		}
	}
	a.op("ADD $16, R0")
	a.op("SUBS $2, R1")
	a.op("BNE loop")
	a.op("RET")
}

// signed sets d to the sum of ± registers 0, 1 …; two of the signs at least are plus.
func (a *arm) signed(d int, signs []int) {
	var plus, minus []int
	for b, s := range signs {
		switch {
		case s > 0:
			plus = append(plus, b)
		case s < 0:
			minus = append(minus, b)
		}
	}
	a.two("add", d, plus[0], plus[1])
	for _, b := range plus[2:] {
		a.two("add", d, d, b)
	}
	for _, b := range minus {
		a.two("sub", d, d, b)
	}
}
