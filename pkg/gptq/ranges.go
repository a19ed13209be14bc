package gptq

// ratioGrid is what a range ratio is chosen from, in Q15: 1, 0.97, 0.94, 0.9, 0.86, 0.8, 0.7.
var ratioGrid = [...]int32{One, 31785, 30802, 29491, 28180, 26214, 22938}

// search chooses the range ratios of the block's activation sites one after the other, in the order of the forward
// pass, on the first windows: each the ratio with the least squared error of the residual behind attention (q, k, v, o
// and what feeds them) or behind the MLP, against the same part of the block with no activation rounded. The weights
// are still floats. Both parts start from the float residual before them, so that one site's ratio does not make up
// for another part's error. Ratios fall from 1; a site's search ends after two that are no better.
func (r *run) search(p *pass) {
	windows := min(r.opt.RatioWindows, len(r.in.Windows))
	if r.opt.RatioWindows == 0 {
		for n := 0; windows < len(r.in.Windows) && n < 2048; windows++ {
			n += len(r.in.Windows[windows])
		}
	}
	s := newSearch(r, p, windows)
	for site := range siteCount {
		if p.set.bits[site] == 0 {
			continue
		}
		best, worse := -1.0, 0
		choice := int32(One)
		for _, ratio := range ratioGrid {
			p.set.ratio[site] = ratio
			e := s.error(site)
			if best < 0 || e < best {
				best, choice, worse = e, ratio, 0
			} else if worse++; worse == 2 {
				break
			}
		}
		p.set.ratio[site] = choice
		s.decided(site)
	}
}

// trial holds one window's tensors: float targets, and what the sites decided so far leave.
type trial struct {
	n            int
	h, mid, out  []float32 // residual before, between and behind, float
	qkv, ao, glu []float32 // not yet rounded: for the search behind the site that feeds them
}

type searcher struct {
	r      *run
	p      *pass
	trials []trial
	x, y   []float32
	rowErr []float64
}

func newSearch(r *run, p *pass, windows int) *searcher {
	s := &searcher{r: r, p: p}
	c := &r.in.Config
	set := p.set
	p.set.bits, p.set.score = [siteCount]int{}, 0
	for w := range windows {
		n, at := len(r.in.Windows[w]), r.start[w]
		t := trial{n: n, h: r.h[at*c.Hidden:][:n*c.Hidden]}
		s.reserve(n)
		p.normed(s.x, t.h, n, attnIn)
		p.project(s.x, n)
		p.attend(s.y, n)
		t.mid = append([]float32(nil), t.h...)
		p.addTo(t.mid, p.o, s.y, n)
		p.normed(s.x, t.mid, n, mlpIn)
		p.wide(s.x, n)
		p.combine(s.y, n)
		t.out = append([]float32(nil), t.mid...)
		p.addTo(t.out, p.down, s.y, n)
		s.trials = append(s.trials, t)
	}
	p.set = set
	return s
}

func (s *searcher) reserve(n int) {
	c := &s.r.in.Config
	s.x = grow(s.x, n*c.Hidden)
	s.y = grow(s.y, n*max(c.FFN, c.Heads*c.HeadDim))
	s.rowErr = make([]float64, n)
}

// error is Σ over the windows of ‖residual − target‖² with the ratio of site under trial.
func (s *searcher) error(site int) float64 {
	sum := 0.0
	for i := range s.trials {
		sum += s.one(&s.trials[i], site)
	}
	return sum
}

func (s *searcher) one(t *trial, site int) float64 {
	p, c, n := s.p, &s.r.in.Config, t.n
	s.reserve(n)
	if site <= attnOut {
		switch site {
		case attnIn:
			p.normed(s.x, t.h, n, attnIn)
			p.project(s.x, n)
		case attnOut:
			copy(s.y, t.ao)
		default:
			p.qkv = append(p.qkv[:0], t.qkv...)
		}
		if site != attnOut {
			p.quantizeHeads(n)
			p.attend(s.y, n)
		}
		p.roundRows(attnOut, s.y, n, c.Heads*c.HeadDim)
		return s.compare(t.h, t.mid, p.o, n)
	}
	switch site {
	case mlpIn:
		p.normed(s.x, t.mid, n, mlpIn)
		p.wide(s.x, n)
		p.combine(s.y, n)
	case product:
		copy(s.y, t.ao)
	default:
		p.glu = append(p.glu[:0], t.glu...)
		p.combine(s.y, n)
	}
	p.roundRows(product, s.y, n, c.FFN)
	return s.compare(t.mid, t.out, p.down, n)
}

// compare returns ‖base + l·y − target‖², row sums in ascending order first.
func (s *searcher) compare(base, target []float32, l *linear, n int) float64 {
	s.p.rows(n, func(w *scratch, r0, r1 int) {
		w.o = grow(w.o, chunk*l.out)
		l.mul(w.o, l.out, s.y[r0*l.in:], l.in, r1-r0)
		for r := r0; r < r1; r++ {
			e := 0.0
			for j, v := range w.o[(r-r0)*l.out:][:l.out] {
				d := float64(base[r*l.out+j]+v) - float64(target[r*l.out+j])
				e += float64(d * d)
			}
			s.rowErr[r] = e
		}
	})
	sum := 0.0
	for _, e := range s.rowErr[:n] {
		sum += e
	}
	return sum
}

// decided keeps what the next sites start from.
func (s *searcher) decided(site int) {
	p, c := s.p, &s.r.in.Config
	for i := range s.trials {
		t := &s.trials[i]
		s.reserve(t.n)
		switch site {
		case attnIn:
			p.normed(s.x, t.h, t.n, attnIn)
			p.project(s.x, t.n)
			t.qkv = append(t.qkv[:0], p.qkv...)
		case value:
			p.qkv = append(p.qkv[:0], t.qkv...)
			p.quantizeHeads(t.n)
			p.attend(s.y, t.n)
			t.ao = append(t.ao[:0], s.y[:t.n*c.Heads*c.HeadDim]...)
		case mlpIn:
			p.normed(s.x, t.mid, t.n, mlpIn)
			p.wide(s.x, t.n)
			t.glu = append(t.glu[:0], p.glu...)
		}
		if site == up || site == mlpIn && p.set.bits[up] == 0 {
			p.glu = append(p.glu[:0], t.glu...)
			p.combine(s.y, t.n)
			t.ao = append(t.ao[:0], s.y[:t.n*c.FFN]...)
		}
	}
}
