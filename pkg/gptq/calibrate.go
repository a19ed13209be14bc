package gptq

import (
	"context"
	"fmt"
	"runtime"

	"github.com/illm-go/illm/pkg/simd/ordered"
)

// run is a calibration under way.
type run struct {
	ctx     context.Context
	in      *Input
	opt     Options
	threads int
	start   []int // first row of each window
	h       []float32
	wide    []float32 // [tokens][max(ffn, heads·d)]: input of o, then of down
	x       []float32 // rows of one window
	rope    *rope
	workers []scratch
	hess    *hessian
	result  *Result
	maxima  []Maxima // nil: not asked for
	quiet   bool     // weights stay as they are
	done    int
}

// Calibrate runs the blocks of the model over the windows, one block at a time, each from the outputs of the blocks
// already quantised, and chooses the codes of its linears.
//
// The same input and options but Threads give the same Result, bit for bit, on every machine. Memory: one block, its
// largest Hessian three times in float64, and (hidden + max(ffn, heads·d))·4 bytes a token.
//
// Errors: a tensor that is missing, misshapen or not finite (with its name), a residual stream that overflows (with
// the block), an end of ctx.
func Calibrate(ctx context.Context, in Input, opt Options) (*Result, error) {
	r, err := newRun(ctx, &in, opt)
	if err != nil {
		return nil, err
	}
	if err := r.blocks(); err != nil {
		return nil, err
	}
	return r.result, nil
}

func newRun(ctx context.Context, in *Input, opt Options) (*run, error) {
	if err := in.check(opt); err != nil {
		return nil, err
	}
	r := &run{ctx: ctx, in: in, opt: opt, threads: opt.Threads, result: &Result{Hash: tokenHash(in.Windows), Linears: map[string]*Linear{}}}
	if r.threads == 0 {
		r.threads = runtime.GOMAXPROCS(0)
	}
	if r.opt.Damping == 0 {
		r.opt.Damping = 0.01
	}
	r.workers = make([]scratch, r.threads)
	total, longest := 0, 0
	for _, w := range in.Windows {
		r.start = append(r.start, total)
		total += len(w)
		longest = max(longest, len(w))
	}
	c := &in.Config
	if c.Rotary() {
		r.rope = newRope(c.RopeFrequencies(), longest)
	}
	var err error
	if r.h, err = embed(in, opt.FloatActivations, total); err != nil {
		return nil, err
	}
	r.wide = make([]float32, total*max(c.FFN, c.Heads*c.HeadDim))
	r.x = make([]float32, longest*c.Hidden)
	return r, nil
}

// blocks is the loop over the decoder blocks.
func (r *run) blocks() error {
	for i := range r.in.Config.Layers {
		b, err := readBlock(r.in, i)
		if err != nil {
			return err
		}
		p := &pass{cfg: &r.in.Config, threads: r.threads, rope: r.rope, online: r.in.Online, set: newSettings(r.in, r.opt), layer: i, block: b, workers: r.workers}
		if r.opt.Ratios {
			r.search(p)
			r.keepRatios(p)
		}
		if err := r.block(p); err != nil {
			return err
		}
	}
	return nil
}

// watch keeps the largest magnitude of residual rows and notices those that are not finite.
func (r *run) watch(p *pass, h []float32) error {
	lo, hi := ordered.Extremes(h)
	if i := finite(h); i >= 0 {
		return fmt.Errorf("gptq: calibrate: block %d: channel %d of a residual row is %v: expected finite numbers: the quantised model diverges", p.layer, i%p.cfg.Hidden, h[i])
	}
	r.result.Residual = max(r.result.Residual, float64(hi), -float64(lo))
	return nil
}

// block takes the residual rows through one block, group of linears after group: the inputs of each over all windows,
// then its codes, then the next inputs from them.
func (r *run) block(p *pass) error {
	c, d := p.cfg, p.cfg.Heads*p.cfg.HeadDim
	groups := p.block.groups()
	stages := []struct {
		cols int
		run  func(h, x, wide []float32, n int) (inputs []float32)
	}{
		{c.Hidden, func(h, x, _ []float32, n int) []float32 {
			p.normed(x, h, n, attnIn)
			return x
		}},
		{d, func(h, x, wide []float32, n int) []float32 {
			p.normed(x, h, n, attnIn)
			p.project(x, n)
			p.quantizeHeads(n)
			p.attend(wide, n)
			p.roundRows(attnOut, wide, n, d)
			return wide
		}},
		{c.Hidden, func(h, x, wide []float32, n int) []float32 {
			p.addTo(h, p.o, wide, n)
			p.normed(x, h, n, mlpIn)
			return x
		}},
		{c.FFN, func(h, x, wide []float32, n int) []float32 {
			p.normed(x, h, n, mlpIn)
			p.wide(x, n)
			p.combine(wide, n)
			p.roundRows(product, wide, n, c.FFN)
			return wide
		}},
	}
	each := func(f func(h, x, wide []float32, n int)) error { // and looks at what it leaves of h
		for w, ids := range r.in.Windows {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			n, at := len(ids), r.start[w]
			h := r.h[at*c.Hidden:][:n*c.Hidden]
			f(h, r.x[:n*c.Hidden], r.wide[at*max(c.FFN, d):], n)
			if err := r.watch(p, h); err != nil {
				return err
			}
		}
		return nil
	}
	solve := !r.quiet && !r.opt.Nearest
	for i, s := range stages {
		if solve {
			r.hess = r.hess.reset(s.cols)
		}
		err := each(func(h, x, wide []float32, n int) {
			inputs := s.run(h, x, wide, n)[:n*s.cols]
			if solve {
				r.hess.add(r.threads, inputs, n)
			}
			if r.maxima != nil {
				r.maxima[p.layer].take(i, inputs, s.cols)
			}
		})
		if err != nil {
			return err
		}
		if !r.quiet {
			if err := r.round(groups[i]); err != nil {
				return err
			}
		}
		if r.done++; r.opt.Progress != nil {
			r.opt.Progress(r.done, 4*c.Layers, groups[i][0].name)
		}
	}
	return each(func(h, _, wide []float32, n int) { p.addTo(h, p.down, wide, n) })
}

// round chooses the codes of linears that share their inputs, and puts their values in place of the weights.
func (r *run) round(group []*linear) error {
	var f *factor
	if !r.opt.Nearest {
		var err error
		if f, err = r.hess.factorize(r.opt.Damping, r.threads); err != nil {
			return fmt.Errorf("gptq: %s: %w", group[0].name, err)
		}
	}
	for _, l := range group {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		t := &rounding{l: l, bits: r.in.Spec.Effective().Weight, f: f, clip: r.opt.Clip}
		if r.in.Clip != nil {
			lo, hi := r.in.Clip(l.name)
			if lo != nil || hi != nil {
				if err := checkRatios(l, lo, hi); err != nil {
					return err
				}
				t.fixed, t.lo, t.hi = true, lo, hi
			}
		}
		source := digest(l.w)
		t.run(r.threads)
		e := &Linear{Clip: Ratios{t.lo, t.hi}, out: l.out, in: l.in, bits: t.bits, codes: t.codes, scale: t.scale, zero: t.zero, source: source}
		for _, v := range t.loss {
			e.Loss += v
		}
		r.result.Linears[l.name] = e
	}
	return nil
}

func checkRatios(l *linear, lo, hi []float32) error {
	if len(lo) != l.out || len(hi) != l.out {
		return fmt.Errorf("gptq: %s: clipping ratios: expected %d for each side, found %d and %d", l.name, l.out, len(lo), len(hi))
	}
	for j := range lo {
		if !(lo[j] > 0 && lo[j] <= 1 && hi[j] > 0 && hi[j] <= 1) {
			return fmt.Errorf("gptq: %s: clipping ratios of channel %d: expected numbers in (0, 1], found %v and %v", l.name, j, lo[j], hi[j])
		}
	}
	return nil
}

// keepRatios stores the range ratios of a block.
func (r *run) keepRatios(p *pass) {
	if r.result.Ratios == nil {
		r.result.Ratios = map[string][]int32{}
	}
	for site, ratio := range p.set.ratio {
		if p.set.bits[site] == 0 {
			continue
		}
		list := r.result.Ratios[Sites[site]]
		if list == nil {
			list = make([]int32, r.in.Config.Layers)
			for i := range list {
				list[i] = One
			}
			r.result.Ratios[Sites[site]] = list
		}
		list[p.layer] = ratio
	}
}
