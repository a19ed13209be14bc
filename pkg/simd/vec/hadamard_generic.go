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

// acrossGeneric applies H_o to the o blocks of t, element by element of a block.
func acrossGeneric(t []int64, order int) {
	c, m := coreOf(order), len(t)/order
	var in, out [36]int64
	x, y := in[:order], out[:order]
	for i := range m {
		for a := range x {
			x[a] = t[a*m+i]
		}
		if c.double {
			c.paley2(y, x)
		} else {
			c.paley1(y, x)
		}
		for a, v := range y {
			t[a*m+i] = v
		}
	}
}

// paley1 sets y = (I + S)·x.
func (c *core) paley1(y, x []int64) {
	for a := range y {
		v := x[a]
		for b, s := range c.sign[a*c.size:][:c.size] {
			v += s * x[b]
		}
		y[a] = v
	}
}

// paley2 sets y = (S ⊗ [[1,1],[1,−1]] + I ⊗ [[1,−1],[−1,−1]])·x: on p = u + v, m = u − v of a pair (u, v) the first
// factor is (p, m) and the second (m, −p).
func (c *core) paley2(y, x []int64) {
	for b := 0; b < len(x); b += 2 {
		x[b], x[b+1] = x[b]+x[b+1], x[b]-x[b+1]
	}
	for a := range c.size {
		p, m := x[2*a+1], -x[2*a]
		for b, s := range c.sign[a*c.size:][:c.size] {
			p += s * x[2*b]
			m += s * x[2*b+1]
		}
		y[2*a], y[2*a+1] = p, m
	}
}
