package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// hadamardFile writes the butterflies of package vec and the ±1 matrices of Paley over blocks. All lengths are powers of
// two of at least one register, so that there are no tails; the matrices are unrolled into sums and differences.
func hadamardFile(c *build.Context) {
	for _, v := range []lanes{
		{Context: c, name: "AVX512", n: 8, most: 16, rows: 18},
		{Context: c, name: "AVX2", n: 4, most: 8, rows: 6},
	} {
		for regs := 1; regs <= v.most; regs *= 2 {
			v.walsh(regs)
		}
		v.butterfly()
		v.across(12, 11, false)
		v.across(28, 13, true)
		v.across(36, 17, true)
	}
}

// lanes is a width of registers: n numbers of 64 bits each, most of them in a walsh, rows sums of a matrix at once.
type lanes struct {
	*build.Context
	name          string
	n, most, rows int
}

func (l lanes) function(name, doc, signature string) {
	l.Function(name + l.name)
	l.Pragma("noescape")
	l.Doc(name + l.name + ": " + doc)
	l.SignatureExpr(signature)
}

func (l lanes) pointer(name string) reg.GPVirtual {
	return l.Load(l.Param(name), l.GP64()).(reg.GPVirtual)
}

func (l lanes) new() reg.VecVirtual {
	if l.n == 8 {
		return l.ZMM()
	}
	return l.YMM()
}

func (l lanes) move(from, to Op) {
	if l.n == 8 {
		l.VMOVDQU64(from, to)
	} else {
		l.VMOVDQU(from, to)
	}
}

func (l lanes) read(m Mem) reg.VecVirtual {
	v := l.new()
	l.move(m, v)
	return v
}

// inside does the butterflies of one register: the other of each pair is swapped in, the sum taken everywhere, and the
// difference where the lane holds the second of a pair.
func (l lanes) inside(x reg.VecVirtual, minus []reg.OpmaskVirtual) reg.VecVirtual {
	for d := 1; d < l.n; d *= 2 {
		s, y := l.new(), l.new()
		switch d {
		case 1:
			l.VPSHUFD(Imm(0x4e), x, s)
		case 2:
			l.VPERMQ(Imm(0x4e), x, s)
		default:
			l.VSHUFI64X2(Imm(0x4e), x, x, s)
		}
		l.VPADDQ(s, x, y)
		if l.n == 8 {
			l.VPSUBQ(x, s, minus[d/2], y)
		} else {
			l.VPSUBQ(x, s, s)
			l.VPBLENDD(Imm(map[int]uint64{1: 0xcc, 2: 0xf0}[d]), s, y, y)
		}
		x = y
	}
	return x
}

// walsh: distances inside a register, then between so many of them.
func (l lanes) walsh(regs int) {
	m := l.n * regs
	l.function(fmt.Sprintf("walsh%d", m), fmt.Sprintf("butterflies at distances below %d over n elements, a positive multiple of it.", m), "func(t *int64, n int)")
	l.Attributes(attr.NOSPLIT)
	t, n := l.pointer("t"), l.pointer("n")
	var minus []reg.OpmaskVirtual
	if l.n == 8 {
		for _, bits := range []uint32{0xaa, 0xcc, 0xf0} { // for distances 1, 2, 4; d/2 is the index
			g, k := l.GP32(), l.K()
			l.MOVL(U32(bits), g)
			l.KMOVB(g, k)
			minus = append(minus, k)
		}
	}
	l.Label("loop")
	x := make([]reg.VecVirtual, regs)
	for i := range x {
		x[i] = l.inside(l.read(Mem{Base: t, Disp: 8 * l.n * i}), minus)
	}
	for d := 1; d < regs; d *= 2 {
		for i := range x {
			if i&d == 0 {
				v := l.new()
				l.VPSUBQ(x[i+d], x[i], v)
				l.VPADDQ(x[i+d], x[i], x[i])
				x[i+d] = v
			}
		}
	}
	for i := range x {
		l.move(x[i], Mem{Base: t, Disp: 8 * l.n * i})
	}
	l.ADDQ(U32(uint32(8*m)), t)
	l.SUBQ(U32(uint32(m)), n)
	l.JNZ(LabelRef("loop"))
	l.VZEROUPPER()
	l.RET()
}

// butterfly: one distance of at least a register.
func (l lanes) butterfly() {
	l.function("butterfly", fmt.Sprintf("(t[i], t[i+d]) → (t[i]+t[i+d], t[i]−t[i+d]) over n elements, a positive multiple of 2·d; d a multiple of %d.", l.n),
		"func(t *int64, n int, d int)")
	l.Attributes(attr.NOSPLIT)
	t, n, d, i := l.pointer("t"), l.pointer("n"), l.pointer("d"), l.GP64()
	near, far := Mem{Base: t}, Mem{Base: t, Index: d, Scale: 8}
	l.Label("block")
	l.MOVQ(d, i)
	l.Label("loop")
	u, v, x := l.read(near), l.read(far), l.new()
	l.VPADDQ(v, u, x)
	l.VPSUBQ(v, u, u)
	l.move(x, near)
	l.move(u, far)
	l.ADDQ(U32(uint32(8*l.n)), t)
	l.SUBQ(U32(uint32(l.n)), i)
	l.JNZ(LabelRef("loop"))
	l.LEAQ(far, t)
	l.SUBQ(d, n)
	l.SUBQ(d, n)
	l.JNZ(LabelRef("block"))
	l.VZEROUPPER()
	l.RET()
}

// across: H_o over o blocks of m elements, one register of every block at a time.
func (l lanes) across(order, q int, double bool) {
	l.function(fmt.Sprintf("across%d", order), fmt.Sprintf("H_%d over the blocks of m elements, a positive multiple of %d.", order, l.n), "func(t *int64, m int)")
	a := &acrossing{lanes: l, sign: paley(q, double), t: l.pointer("t"), stride: l.GP64(), p: l.GP64()}
	a.slots = l.AllocLocal(8 * l.n * len(a.sign)) // past the frame of a NOSPLIT function: this one may split
	m := l.pointer("m")
	l.MOVQ(m, a.stride)
	l.SHLQ(Imm(3), a.stride)
	l.Label("loop")
	if double {
		a.second()
	} else {
		a.first()
	}
	l.ADDQ(U32(uint32(8*l.n)), a.t)
	l.SUBQ(U32(uint32(l.n)), m)
	l.JNZ(LabelRef("loop"))
	l.VZEROUPPER()
	l.RET()
}

type acrossing struct {
	lanes
	sign         [][]int
	t, stride, p reg.GPVirtual
	slots        Mem
}

func (a *acrossing) slot(i int) Mem { return a.slots.Offset(8 * a.n * i) }

// blocks calls f with p at each of n blocks, step apart.
func (a *acrossing) blocks(n, step int, f func(i int)) {
	a.MOVQ(a.t, a.p)
	for i := range n {
		f(i)
		for range step {
			if i < n-1 {
				a.ADDQ(a.stride, a.p)
			}
		}
	}
}

// first is (I + S)·x.
func (a *acrossing) first() {
	h, x := make([][]int, len(a.sign)), Mem{Base: a.p}
	for i := range h {
		h[i] = append([]int(nil), a.sign[i]...)
		h[i][i] = 1
	}
	a.products(h, x, 1)
	a.blocks(len(h), 1, func(i int) { a.move(a.read(a.slot(i)), x) })
}

// second is Paley's second form. Blocks (2a, 2a+1) become p = u + v and m = u − v; the even results are S·p + m, the odd
// ones S·m − p.
func (a *acrossing) second() {
	n := len(a.sign)
	even, odd := Mem{Base: a.p}, Mem{Base: a.p, Index: a.stride, Scale: 1}
	a.blocks(n, 2, func(int) {
		u, v, p := a.read(even), a.read(odd), a.new()
		a.VPADDQ(v, u, p)
		a.VPSUBQ(v, u, u)
		a.move(p, even)
		a.move(u, odd)
	})
	a.products(a.sign, even, 2)
	sums := a.AllocLocal(8 * a.n * n)
	a.blocks(n, 2, func(i int) {
		p, sum := a.read(even), a.read(a.slot(i))
		a.VPADDQ(odd, sum, sum)
		a.move(sum, even)
		a.move(p, sums.Offset(8*a.n*i))
	})
	a.products(a.sign, odd, 2)
	a.blocks(n, 2, func(i int) {
		sum := a.read(a.slot(i))
		a.VPSUBQ(sums.Offset(8*a.n*i), sum, sum)
		a.move(sum, odd)
	})
}

// products puts the rows' products with the columns at m, step blocks apart, into the slots.
func (a *acrossing) products(rows [][]int, m Mem, step int) {
	for from := 0; from < len(rows); from += a.rows {
		chunk := rows[from:min(from+a.rows, len(rows))]
		sums := make([]term, len(chunk))
		var x []term
		n := len(a.sign)
		a.blocks(n, step, func(b int) {
			x = append(x, term{v: a.read(m), shared: true})
			if len(x) == 4 || b == n-1 {
				a.patterns(sums, chunk, b+1-len(x), x)
				x = nil
			}
		})
		for i, t := range sums {
			a.move(a.finished(t), a.slot(from+i))
		}
	}
}

// A term is ±v; shared says that v serves others, too, and must stay.
type term struct {
	v      reg.VecVirtual
	minus  bool
	shared bool
}

// plus returns x + y as ±(v ± w), without a negation.
func (l lanes) plus(x, y term) term {
	switch {
	case x.v == nil:
		return y
	case y.v == nil:
		return x
	}
	out := term{v: x.v, minus: x.minus && y.minus}
	if x.shared {
		out.v = l.new()
	}
	switch {
	case x.minus == y.minus:
		l.VPADDQ(y.v, x.v, out.v)
	case x.minus:
		l.VPSUBQ(x.v, y.v, out.v)
	default:
		l.VPSUBQ(y.v, x.v, out.v)
	}
	return out
}

// finished returns the value of a sum in a register.
func (l lanes) finished(t term) reg.VecVirtual {
	if !t.minus {
		return t.v
	}
	v := l.new()
	l.VPXOR(v.AsY(), v.AsY(), v.AsY())
	l.VPSUBQ(t.v, v, v)
	return v
}

// patterns adds the columns x, number from and on, to the rows' sums. But for sign and the one zero of a row, four
// columns meet the rows in eight patterns at most: each is summed once for all of its rows, out of sums of two.
func (a *acrossing) patterns(sums []term, rows [][]int, from int, x []term) {
	done, pairs := make([]bool, len(rows)), map[string]term{}
	for i := range rows {
		if done[i] {
			continue
		}
		signs, sum := rows[i][from:from+len(x)], term{}
		for k := 0; k < len(x); k += 2 {
			to := min(k+2, len(x))
			sum = a.plus(sum, a.pair(pairs, k, signs[k:to], x[k:to]))
		}
		sum.shared = true
		for j := i; j < len(rows); j++ {
			if same, opposite := compare(signs, rows[j][from:from+len(x)]); !done[j] && (same || opposite) {
				y := sum
				y.minus = y.minus != opposite
				sums[j] = a.plus(sums[j], y)
				done[j] = true
			}
		}
	}
}

// pair returns ±x ± y of two neighbours, summed once for both signs of the sum; one of the two may be absent.
func (a *acrossing) pair(known map[string]term, at int, signs []int, x []term) term {
	opposite := make([]int, len(signs))
	for i, s := range signs {
		opposite[i] = -s
	}
	if t, ok := known[fmt.Sprint(at, signs)]; ok {
		return t
	}
	if t, ok := known[fmt.Sprint(at, opposite)]; ok {
		t.minus = !t.minus
		return t
	}
	var sum term
	for i, s := range signs {
		if s != 0 {
			sum = a.plus(sum, term{v: x[i].v, minus: s < 0, shared: true})
		}
	}
	sum.shared = true
	known[fmt.Sprint(at, signs)] = sum
	return sum
}

// compare reports whether b is a or −a.
func compare(a, b []int) (same, opposite bool) {
	same, opposite = true, true
	for i := range a {
		same = same && a[i] == b[i]
		opposite = opposite && a[i] == -b[i]
	}
	return same, opposite
}

// paley returns S over the residues of the prime q, as package vec defines it.
func paley(q int, symmetric bool) [][]int {
	square := make(map[int]bool)
	for x := 1; x < q; x++ {
		square[x*x%q] = true
	}
	s := make([][]int, q+1)
	for a := range s {
		s[a] = make([]int, q+1)
		for b := range s[a] {
			switch {
			case a == b:
			case a == 0 || b == 0 && symmetric:
				s[a][b] = 1
			case b > 0 && square[(a-b+q)%q]:
				s[a][b] = 1
			default:
				s[a][b] = -1
			}
		}
	}
	return s
}
