package pretrain

// embed returns rows of the embedding [V, C] for tokens [N], in float32.
//
// The gradient adds up the rows of each token, as a product with the one-hot matrix of the tokens: scattered additions
// would come in another order each time on a GPU.
func (t *tape) embed(table *node, tokens val) *node {
	out := &node{val: t.rows(table.val, tokens)}
	t.back = append(t.back, func() {
		hot := t.cast(t.oneHot(tokens, table.dims[0]), t.compute)
		t.give(table, t.dot(hot, 0, t.cast(out.grad, t.compute), 0))
	})
	return out
}

// oneHot is [N, V] of bool: column tokens[n] of row n.
func (t *tape) oneHot(tokens val, vocab int) val {
	n := tokens.dims[0]
	return t.equal(t.iota(i32, 1, n, vocab), t.broadcast(tokens, []int{n, vocab}, 0))
}

// positions adds row i of the table [M, C] to position i of every window of x [B·T, C].
func (t *tape) positions(x, table *node, batch, window int) *node {
	m, c := table.dims[0], table.dims[1]
	rows := t.reshape(t.slice(table.val, 0, 0, window), 1, window, c)
	sum := t.add(t.reshape(x.val, batch, window, c), rows)
	out := &node{val: t.reshape(sum, batch*window, c)}
	t.back = append(t.back, func() {
		t.give(x, out.grad)
		d := t.reshape(t.sum(t.reshape(out.grad, batch, window, c), 0), window, c)
		if window < m {
			d = t.concat(0, d, t.broadcast(t.scalar(0, f32), []int{m - window, c}))
		}
		t.give(table, d)
	})
	return out
}

// crossEntropy returns −log p(targets) [N, 1] of the logits [N, V], in float32. Its gradient is that of the mean:
//
//	dlogits = (softmax(logits) − onehot(targets))/N
func (t *tape) crossEntropy(logits *node, targets val) val {
	n, v := logits.dims[0], logits.dims[1]
	l := t.cast(logits.val, f32)
	top := t.maxOf(l, 1)
	lse := t.add(t.log(t.sum(t.exp(t.sub(l, top)), 1)), top)
	hot := t.oneHot(targets, v)
	picked := t.sum(t.where(hot, l, t.scalar(0, f32)), 1)
	t.back = append(t.back, func() {
		p := t.exp(t.sub(l, lse))
		p = t.sub(p, t.cast(hot, f32))
		t.give(logits, t.scale(p, 1/float64(n)))
	})
	return t.sub(lse, picked)
}
