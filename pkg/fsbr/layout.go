package fsbr

import (
	"math"
	"slices"

	"github.com/illm-go/illm/pkg/half"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/smooth"
	"github.com/illm-go/illm/pkg/tape"
)

// entry is one vector of learnable numbers of a block inside the one flat vector that is trained.
type entry struct {
	name   string // of smooth.Table, or the linear for clipping ratios
	what   byte   // 's': θ = ln s; 'd': δ; 'l', 'h': logit of the clipping ratio of the minimum, the maximum; 'r': of a range ratio
	at, n  int
	kind   smooth.Kind
	linear int // index in smooth.Linears, for ratios
}

// layout says where everything of a block stands in the flat vector.
type layout struct {
	entries []entry
	size    int
}

// clipKind names learnable weight clipping among the kinds, rangeKind the learnable parts of the activations' ranges.
const (
	clipKind  = "clip"
	rangeKind = "range"
)

// rounded lists the sites whose rows are rounded with a dynamic range, by their names in artefacts.
func rounded(c model.Config) []string {
	list := []string{siteAttnIn, "query", "key", "value", siteAttnOut, siteMLPIn}
	if c.Gated() {
		list = append(list, "gate", "up")
	}
	return append(list, siteProduct)
}

// newLayout lists the vectors of the kinds that are on.
func newLayout(c model.Config, on func(kind string) bool) layout {
	var l layout
	add := func(e entry) {
		e.at = l.size
		l.size += e.n
		l.entries = append(l.entries, e)
	}
	for _, k := range smooth.Table(c) {
		if !on(k.Name) {
			continue
		}
		what := byte('s')
		if k.Shift {
			what = 'd'
		}
		add(entry{name: k.Name, what: what, n: k.Length, kind: k})
	}
	if on(clipKind) {
		for i, name := range smooth.Linears(c) {
			out := outputs(c, name)
			add(entry{name: name, what: 'l', n: out, linear: i})
			add(entry{name: name, what: 'h', n: out, linear: i})
		}
	}
	if on(rangeKind) {
		for _, site := range rounded(c) {
			add(entry{name: site, what: 'r', n: 1})
		}
	}
	return l
}

// blockSize is the number of weights of a block.
func blockSize(c model.Config) (n int64) {
	for _, t := range blockTensors(c) {
		size := int64(1)
		for _, d := range t.dims {
			size *= int64(d)
		}
		n += size
	}
	return n
}

// outputs is the number of output channels of a linear.
func outputs(c model.Config, name string) int {
	for _, t := range blockTensors(c) {
		if t.name == name+".weight" {
			return t.dims[0]
		}
	}
	return 0
}

// rates is the learning rate of every element.
func (l layout) rates(s, clip float64) []float32 {
	v := make([]float32, l.size)
	for _, e := range l.entries {
		r := s
		if e.what == 'l' || e.what == 'h' || e.what == 'r' {
			r = clip
		}
		for i := range e.n {
			v[e.at+i] = float32(r)
		}
	}
	return v
}

// Bounds of what is kept: half precision holds the factors with 11 bits between these.
const (
	minFactor = 1.0 / (1 << 13)
	maxFactor = 1 << 13
	minRatio  = 1.0 / (1 << 13)
	oneRange  = 1 << 15 // range ratios are Q15, from one half to 1: r = ½ + ½·σ(logit)
)

// values turns trained parameters into factors, rounded to half precision: what is shipped and what acts.
func (l layout) values(p []float32) []float32 {
	v := make([]float32, l.size)
	for _, e := range l.entries {
		for i := e.at; i < e.at+e.n; i++ {
			x := float64(p[i])
			switch e.what {
			case 's':
				x = min(max(math.Exp(x), minFactor), maxFactor)
			case 'l', 'h':
				x = max(1/(1+math.Exp(-x)), minRatio)
			case 'r':
				v[i] = float32(math.Round((0.5+0.5/(1+math.Exp(-x)))*oneRange) / oneRange)
				continue
			}
			v[i] = half.F16(half.ToF16(float32(x)))
		}
	}
	return v
}

// block puts values into the form of package smooth.
func (l layout) block(v []float32) smooth.Block {
	var b smooth.Block
	for _, e := range l.entries {
		part := slices.Clone(v[e.at : e.at+e.n])
		switch e.what {
		case 's', 'd':
			b.SetVector(e.name, part)
			continue
		case 'r':
			continue // see ranges
		}
		if b.Clip == nil {
			b.Clip = map[string]smooth.Range{}
		}
		r := b.Clip[e.name]
		if e.what == 'l' {
			r.Lo = part
		} else {
			r.Hi = part
		}
		b.Clip[e.name] = r
	}
	return b
}

// ranges are the range ratios among values, Q15 by site; nil without.
func (l layout) ranges(v []float32) map[string]int32 {
	var r map[string]int32
	for _, e := range l.entries {
		if e.what == 'r' {
			if r == nil {
				r = map[string]int32{}
			}
			r[e.name] = int32(math.Round(float64(v[e.at]) * oneRange))
		}
	}
	return r
}

// flat is the inverse of block and ranges: the values of b in one vector; what b lacks is 1, shifts 0.
func (l layout) flat(b *smooth.Block, ranges map[string]int32) []float32 {
	v := make([]float32, l.size)
	for _, e := range l.entries {
		var part []float32
		switch e.what {
		case 's', 'd':
			part = b.Vector(e.name)
		case 'l':
			part = b.Clip[e.name].Lo
		case 'h':
			part = b.Clip[e.name].Hi
		case 'r':
			if x, ok := ranges[e.name]; ok {
				part = []float32{float32(x) / oneRange}
			}
		}
		for i := range e.n {
			switch {
			case part != nil:
				v[e.at+i] = part[i]
			case e.what != 'd':
				v[e.at+i] = 1
			}
		}
	}
	return v
}

// leaves are the parameters of a block as nodes.
type leaves struct {
	list   []*tape.Node // in the order of the entries
	logs   map[string]*tape.Node
	shifts map[string]*tape.Node
	ratios map[string]*ratio // by linear
	ranges map[string]*ratio // by site
}

// nodes cuts the flat vector p into nodes. With trained, p holds parameters; else values as shipped.
func (l layout) nodes(t *tape.Tape, p tape.Val, trained bool) leaves {
	v := leaves{logs: map[string]*tape.Node{}, shifts: map[string]*tape.Node{}, ratios: map[string]*ratio{}, ranges: map[string]*ratio{}}
	for _, e := range l.entries {
		leaf := &tape.Node{Val: t.Slice(p, 0, e.at, e.at+e.n)}
		v.list = append(v.list, leaf)
		switch e.what {
		case 's':
			if !trained {
				leaf = &tape.Node{Val: t.Log(leaf.Val)}
			}
			v.logs[e.name] = leaf
		case 'd':
			v.shifts[e.name] = leaf
		case 'r':
			if trained {
				leaf = half01(t, sigmoid(t, leaf))
			}
			v.ranges[e.name] = &ratio{leaf, leaf}
		default:
			if trained {
				leaf = sigmoid(t, leaf)
			}
			r := v.ratios[e.name]
			if r == nil {
				r = &ratio{}
				v.ratios[e.name] = r
			}
			if e.what == 'l' {
				r.lo = leaf
			} else {
				r.hi = leaf
			}
		}
	}
	return v
}

// gradient is that of the flat vector.
func (v leaves) gradient(t *tape.Tape) tape.Val {
	var gs []tape.Val
	for _, n := range v.list {
		gs = append(gs, n.Grad)
	}
	return t.Concat(0, gs...)
}
