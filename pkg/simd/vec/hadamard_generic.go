package vec

// walshGeneric sends (t[i], t[i+d]) to their sum and difference for d = 1, 2, … m/2 inside each block of m = 2^j.
func walshGeneric(t []int64, m int) {
	for d := 1; d < m; d *= 2 {
		for from := 0; from < len(t); from += 2 * d {
			a, b := t[from:from+d], t[from+d:from+2*d]
			for i, u := range a {
				a[i], b[i] = u+b[i], u-b[i]
			}
		}
	}
}

// acrossGeneric applies H_o to the o blocks of t, element by element of a block. A row of S times x is twice the sum of
// its columns of +1 less the sum of all but the diagonal.
func acrossGeneric(t []int64, order int) {
	c, m := coreOf(order), len(t)/order
	for i := range m {
		if c.double {
			c.second(t[i:], m)
		} else {
			c.first(t[i:], m)
		}
	}
}

// column is one element of every block, or of every second one: at most 18, and a power of two for the index.
type column [32]int64

func (x *column) sum(n int) (sum int64) {
	for _, v := range x[:n] {
		sum += v
	}
	return sum
}

func (x *column) pick(list []uint8) (sum int64) {
	for _, b := range list {
		sum += x[b&31]
	}
	return sum
}

// first is (I + S)·x.
func (c *core) first(t []int64, m int) {
	var x column
	for b := range c.size {
		x[b] = t[b*m]
	}
	all := x.sum(c.size)
	for a, list := range c.plus {
		t[a*m] = 2*(x[a]+x.pick(list)) - all
	}
}

// second is (S ⊗ [[1,1],[1,−1]] + I ⊗ [[1,−1],[−1,−1]])·x: on p = u + v, d = u − v of a pair (u, v) the first factor is
// (p, d) and the second (d, −p).
func (c *core) second(t []int64, m int) {
	var p, d column
	for b := range c.size {
		u, v := t[2*b*m], t[(2*b+1)*m]
		p[b], d[b] = u+v, u-v
	}
	allP, allD := p.sum(c.size), d.sum(c.size)
	for a, list := range c.plus {
		t[2*a*m] = 2*p.pick(list) - allP + p[a] + d[a]
		t[(2*a+1)*m] = 2*d.pick(list) - allD + d[a] - p[a]
	}
}
