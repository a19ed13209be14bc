package engine_test

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/dyadic"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
)

// plain is the forward pass of a gated model as its definition reads: one token after the other, matrices by three loops
// over codes, requantisation in math/big, rotations by the ±1 matrix itself. It shares with the engine the operators that
// have tests of their own (norm, RoPE, softmax, numerators) and none of its layouts.
type plain struct {
	t      testing.TB
	a      *artifact.File
	h      *artifact.Header
	r      quant.Recipe
	exact  bool
	worker di.Worker
	rope   *di.RoPE
	keys   map[[2]int]*past // by layer and KV head
	values map[[2]int]*past

	grids  artifact.Static // constant grids, see plain_static_test.go
	head   int             // whose row is requantised
	beyond map[string]int64
}

// past holds the cached rows of one KV head, as value = (code − z)·m/2^k.
type past struct {
	codes  [][]uint16
	params []quant.RowParams
}

func newPlain(t testing.TB, a *artifact.File, n int) *plain {
	h := &a.Header
	return &plain{t: t, a: a, h: h, r: h.Spec.Effective(), exact: h.Spec.Mode == quant.Precise, worker: di.Integer(h.Spec).NewWorker(1 << 10),
		rope: di.NewRoPE(a.Phi(), n), keys: map[[2]int]*past{}, values: map[[2]int]*past{}}
}

// requant is the requantisation over the ratio of a site, in math/big.
func (p *plain) requant(row []int64, site string, layer int, m uint32, k int32, bits int) ([]uint16, quant.RowParams) {
	if g, ok := p.grid(site, layer); ok {
		return p.static(row, site, g, m, k, bits)
	}
	lo, hi := int64(0), int64(0)
	for _, v := range row {
		lo, hi = min(lo, v), max(hi, v)
	}
	s := uint(max(0, big.NewInt(hi-lo).BitLen()-31))
	ratio := int64(1 << 15)
	if list := p.h.RangeRatios[site]; list != nil {
		ratio = int64(list[layer])
	}
	part := func(x int64) *big.Int {
		v := big.NewInt(x)
		return v.Quo(v.Mul(v, big.NewInt(ratio)), big.NewInt(1<<15))
	}
	l, h := part(lo), part(hi)
	codes := make([]uint16, len(row))
	rr := new(big.Int).Rsh(new(big.Int).Sub(h, l), s)
	if rr.Sign() == 0 {
		return codes, quant.RowParams{M: 1 << 15, K: 15}
	}
	top := int64(1)<<bits - 1
	shift := uint(rr.BitLen() - 1 + 31 - bits)
	g := new(big.Int).Lsh(big.NewInt(top), shift)
	g.Add(g, new(big.Int).Rsh(rr, 1)).Div(g, rr)
	times := func(v *big.Int) int64 { // v·g/2^shift, halves away from zero
		v.Mul(v, g)
		x := new(big.Int).Abs(v)
		return int64(v.Sign()) * x.Add(x, new(big.Int).Lsh(big.NewInt(1), shift-1)).Rsh(x, shift).Int64()
	}
	q := quant.RowParams{Zero: int32(times(l.Neg(l).Rsh(l, s)))}
	for j, v := range row {
		x := big.NewInt(v)
		codes[j] = uint16(max(0, min(int64(q.Zero)+times(x.Rsh(x, s)), top)))
		q.Sum += int32(codes[j])
	}
	f := dyadic.Fit(rr.Uint64()*uint64(m), uint64(top), 16)
	q.M, q.K = f.M, f.K+k-int32(s)
	return codes, q
}

// linear multiplies a row of codes by a matrix: T_j = M_j·Σ (X − z)(w − z_w).
func (p *plain) linear(name string, x []uint16, q quant.RowParams, out int) (row []int64, k int32) {
	l, err := p.a.Linear(name, out, len(x))
	if err != nil {
		p.t.Fatal(err)
	}
	row = make([]int64, out)
	for j := range row {
		for i, c := range x {
			row[j] += (int64(c) - int64(q.Zero)) * int64(l.Code(j, i)-int(l.Zero[j]))
		}
		row[j] *= int64(l.M[j])
	}
	return row, q.K + l.KW
}

func (p *plain) norm(name, site string, layer int, h []int32, bits int) ([]uint16, quant.RowParams) {
	d, err := p.a.Norm(name, len(h))
	if err != nil {
		p.t.Fatal(err)
	}
	v := make([]int64, len(h))
	di.NormRow(v, h, d)
	return p.requant(v, site, layer, 1<<15, 30+d.KGamma+15, bits)
}

// rotate multiplies a row by H/√n.
func (p *plain) rotate(on bool, row []int64, m uint32, k int32) ([]int64, uint32, int32) {
	if !on {
		return row, m, k
	}
	out := make([]int64, len(row))
	for i, signs := range hadamard(len(row)) {
		for j, s := range signs {
			out[i] += int64(s) * row[j]
		}
	}
	num := new(big.Int).Sqrt(big.NewInt(1 << 60 / int64(len(row))))
	f := dyadic.Fit(num.Uint64(), 1<<30, 16)
	g := dyadic.Fit(uint64(m)*uint64(f.M), 1, 16)
	return out, g.M, k + f.K + g.K
}

// logits runs ids and returns T of each.
func (p *plain) logits(ids []int32) (out []engine.Logits) {
	for pos, id := range ids {
		c := p.h
		h := make([]int32, c.Hidden)
		table, err := p.a.Linear("model.embed_tokens", c.Vocab, c.Hidden)
		if err != nil {
			p.t.Fatal(err)
		}
		di.Embed(h, table, int(id), c.KR)
		for n := range c.Layers {
			at := fmt.Sprintf("model.layers.%d.", n)
			x, q := p.norm(at+"input_layernorm", "attn_in", n, h, p.r.Act)
			u := p.attention(at+"self_attn.", n, pos, x, q)
			x, q = p.requant(u.T, "attn_out", n, u.M, u.K, p.r.Act)
			row, k := p.linear(at+"self_attn.o_proj", x, q, c.Hidden)
			di.AddResidual(h, row, q.M, k, c.KR)

			x, q = p.norm(at+"post_attention_layernorm", "mlp_in", n, h, p.r.Act)
			y := p.product(at+"mlp", n, x, q)
			x, q = p.requant(y.T, "product", n, y.M, y.K, p.r.Act)
			row, k = p.linear(at+"mlp.down_proj", x, q, c.Hidden)
			di.AddResidual(h, row, q.M, k, c.KR)
		}
		x, q := p.norm("model.norm", "", 0, h, p.r.Head)
		head := "lm_head"
		if c.TiedHead {
			head = "model.embed_tokens"
		}
		row, k := p.linear(head, x, q, c.Vocab)
		out = append(out, engine.Logits{T: row, M: q.M, K: k})
	}
	return out
}

// attention returns the merged heads of one token.
func (p *plain) attention(at string, layer, pos int, x []uint16, q quant.RowParams) engine.Logits {
	c, d := p.h, p.h.HeadDim
	project := func(name, site string, head, heads, bits int, turn bool) ([]uint16, quant.RowParams) {
		row, k := p.linear(at+name, x, q, heads*d)
		row = row[head*d:][:d]
		m := q.M
		p.head = head
		if turn {
			lo, hi := di.MinMax(row)
			k, _, _ = p.rope.Rotate(row, lo, hi, k, pos)
			row, m, k = p.rotate(c.Rotations.QK, row, m, k)
		}
		return p.requant(row, site, layer, m, k, bits)
	}
	for g := range c.KVHeads {
		for _, kv := range []struct {
			all        map[[2]int]*past
			name, site string
			turn       bool
		}{{p.keys, "k_proj", "key", true}, {p.values, "v_proj", "value", false}} {
			list := kv.all[[2]int{layer, g}]
			if list == nil {
				list = &past{}
				kv.all[[2]int{layer, g}] = list
			}
			codes, params := project(kv.name, kv.site, g, c.KVHeads, p.r.KV, kv.turn)
			list.codes, list.params = append(list.codes, codes), append(list.params, params)
		}
	}
	heads := make([]engine.Logits, c.Heads)
	kmin := int32(1 << 30)
	for head := range heads {
		g := head / (c.Heads / c.KVHeads)
		codes, params := project("q_proj", "query", head, c.Heads, p.r.Query, true)
		heads[head] = p.mixed(layer, codes, params, p.keys[[2]int{layer, g}], p.values[[2]int{layer, g}])
		kmin = min(kmin, heads[head].K)
	}
	u, guard := make([]int64, 0, c.Heads*d), int32(8)
	if p.r.KV > 8 && c.Rotations.Out { // the sum of 16-bit values needs the room
		guard = 0
	}
	for _, o := range heads {
		for _, v := range o.T {
			u = append(u, intmath.RoundShift(v*int64(o.M)<<guard, int(o.K-kmin)))
		}
	}
	row, m, k := p.rotate(c.Rotations.Out, u, 1<<15, kmin+guard+15)
	return engine.Logits{T: row, M: m, K: k}
}

// spec is what a layer runs with: the header's, under the layer's own clip where there is a list.
func (p *plain) spec(layer int) quant.Spec {
	s := p.h.Spec
	if p.h.Clips != nil {
		s.Clip = p.h.Clips[layer]
	}
	return s
}

func (p *plain) softmax(layer int) di.Worker { return di.Integer(p.spec(layer)).NewWorker(1 << 10) }

// mixed is scores, softmax and the product with the values of one query.
func (p *plain) mixed(layer int, query []uint16, q quant.RowParams, keys, values *past) engine.Logits {
	n, guard := len(keys.codes), int32(16)
	if p.r.KV > 8 {
		guard = 8
	}
	least := func(rows []quant.RowParams) int32 {
		k := rows[0].K
		for _, r := range rows {
			k = min(k, r.K)
		}
		return k
	}
	kmin, s := least(keys.params), make([]int64, n)
	for j, r := range keys.params {
		for i, c := range keys.codes[j] {
			s[j] += (int64(query[i]) - int64(q.Zero)) * (int64(c) - int64(r.Zero))
		}
		s[j] = intmath.RoundShift(s[j]*int64(r.M)<<guard, int(r.K-kmin))
	}
	lo, hi := s[0], s[0]
	for _, v := range s {
		lo, hi = min(lo, v), max(hi, v)
	}
	if g, ok := p.grid(artifact.SiteScores, layer); ok {
		lo = p.floor(layer, s, g, hi, q.M, q.K+kmin+guard)
	}
	e := make([]int32, n)
	p.softmax(layer).Softmax(e, s, lo, hi, q.M, q.K+kmin+guard)
	vals := di.NewKeys(n)
	for j, r := range values.params {
		vals.M[j], vals.K[j], vals.Zero[j], vals.KMin[j] = r.M, r.K, r.Zero, least(values.params[:j+1])
	}
	low, high := make([]uint8, n), make([]uint8, n)
	row := di.Weights(low, high, make([]int64, n), e, vals, n)
	out := make([]int64, len(query))
	for j, codes := range values.codes {
		for i, c := range codes {
			out[i] += (int64(high[j])*128 + int64(low[j])) * (int64(c) - int64(values.params[j].Zero))
		}
	}
	return engine.Logits{T: out, M: row.M, K: row.K}
}

// product is gate·σ(α·gate)·up before its requantisation.
func (p *plain) product(at string, layer int, x []uint16, q quant.RowParams) engine.Logits {
	glu, err := p.a.GLU(at, p.h.FFN)
	if err != nil {
		p.t.Fatal(err)
	}
	row, k := p.linear(at+".gate_proj", x, q, p.h.FFN)
	gate, g := p.requant(row, "gate", layer, q.M, k, p.r.GLU)
	row, k = p.linear(at+".up_proj", x, q, p.h.FFN)
	up, u := p.requant(row, "up", layer, q.M, k, p.r.GLU)
	y := make([]int64, p.h.FFN)
	for j := range y {
		alpha, ka := int32(1), int32(0)
		if glu.Alpha != nil {
			alpha, ka = glu.Alpha[j], glu.KAlpha
		}
		v := int64(gate[j]) - int64(g.Zero)
		y[j] = v * di.Sigmoid(v, alpha, g.M, g.K+ka, p.exact) * (int64(up[j]) - int64(u.Zero))
	}
	f := dyadic.Fit(uint64(g.M)*uint64(u.M), 1, 16)
	y, m, k := p.rotate(p.h.Rotations.Down, y, f.M, f.K+g.K+u.K+15)
	return engine.Logits{T: y, M: m, K: k}
}

// hadamard is H of order n by its formulas: Paley's matrices by Euler's criterion, Sylvester's by the parity of common bits.
func hadamard(n int) [][]int8 {
	order := map[int]int{1: 1, 3: 12, 7: 28, 9: 36}[n>>big.NewInt(int64(n)).TrailingZeroBits()]
	inner := n / order
	chi := func(a, q int) int8 {
		v := new(big.Int).Exp(big.NewInt(int64((a%q+q)%q)), big.NewInt(int64(q-1)/2), big.NewInt(int64(q))).Int64()
		return map[int64]int8{0: 0, 1: 1, int64(q - 1): -1}[v]
	}
	conference := func(a, b, q int, below int8) int8 {
		switch {
		case a == 0 && b == 0:
			return 0
		case a == 0:
			return 1
		case b == 0:
			return below
		}
		return chi(a-b, q)
	}
	small := func(a, b int) int8 {
		switch {
		case order == 1:
			return 1
		case order == 12 && a == b:
			return 1
		case order == 12:
			return conference(a, b, 11, -1)
		case a/2 == b/2:
			return [4]int8{1, -1, -1, -1}[a%2*2+b%2]
		}
		return conference(a/2, b/2, order/2-1, 1) * [4]int8{1, 1, 1, -1}[a%2*2+b%2]
	}
	h := make([][]int8, n)
	for i := range h {
		h[i] = make([]int8, n)
		for j := range h[i] {
			h[i][j] = small(i/inner, j/inner)
			for bits := i % inner & (j % inner); bits > 0; bits &= bits - 1 {
				h[i][j] = -h[i][j]
			}
		}
	}
	return h
}
