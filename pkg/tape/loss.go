package tape

// Embed returns rows of the embedding [V, C] for tokens [N], in float32.
//
// The gradient adds up the rows of each token, as a product with the one-hot matrix of the tokens: scattered additions
// would come in another order each time on a GPU.
func (t *Tape) Embed(table *Node, tokens Val) *Node {
	out := &Node{Val: t.Rows(table.Val, tokens)}
	t.Then(func() {
		hot := t.Cast(t.oneHot(tokens, table.Dims[0]), t.Compute)
		t.Give(table, t.Dot(hot, 0, t.Cast(out.Grad, t.Compute), 0))
	})
	return out
}

// oneHot is [N, V] of bool: column tokens[n] of row n.
func (t *Tape) oneHot(tokens Val, vocab int) Val {
	n := tokens.Dims[0]
	return t.Equal(t.Iota(I32, 1, n, vocab), t.Broadcast(tokens, []int{n, vocab}, 0))
}

// Positions adds row i of the table [M, C] to position i of every window of x [B·T, C].
func (t *Tape) Positions(x, table *Node, batch, window int) *Node {
	m, c := table.Dims[0], table.Dims[1]
	rows := t.Reshape(t.Slice(table.Val, 0, 0, window), 1, window, c)
	sum := t.Add(t.Reshape(x.Val, batch, window, c), rows)
	out := &Node{Val: t.Reshape(sum, batch*window, c)}
	t.Then(func() {
		t.Give(x, out.Grad)
		d := t.Reshape(t.Sum(t.Reshape(out.Grad, batch, window, c), 0), window, c)
		if window < m {
			d = t.Concat(0, d, t.Broadcast(t.Scalar(0, F32), []int{m - window, c}))
		}
		t.Give(table, d)
	})
	return out
}

// CrossEntropy returns −log p(targets) [N, 1] of the logits [N, V], in float32. Its gradient is that of the mean:
//
//	dlogits = (softmax(logits) − onehot(targets))/N
func (t *Tape) CrossEntropy(logits *Node, targets Val) Val {
	n, v := logits.Dims[0], logits.Dims[1]
	l := t.Cast(logits.Val, F32)
	top := t.MaxOf(l, 1)
	lse := t.Add(t.Log(t.Sum(t.Exp(t.Sub(l, top)), 1)), top)
	hot := t.oneHot(targets, v)
	picked := t.Sum(t.Where(hot, l, t.Scalar(0, F32)), 1)
	t.Then(func() {
		p := t.Exp(t.Sub(l, lse))
		p = t.Sub(p, t.Cast(hot, F32))
		t.Give(logits, t.Scale(p, 1/float64(n)))
	})
	return t.Sub(lse, picked)
}
