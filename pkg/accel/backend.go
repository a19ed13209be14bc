package accel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/baseline/fakequant"
	"github.com/illm-go/illm/pkg/floatref"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/tape"
)

// Options of New; the zero value is a batch for a small machine.
type Options struct {
	// Split keeps the accuracy of float32 where the backend's products round their operands to TF32.
	Split bool

	// Tokens is about how many tokens a batch of sequences has; 0: 1024.
	Tokens int

	// Threads read weights and score the logits that come back; 0: one for each CPU that Go may use.
	Threads int

	// Name is what records call the backend; "": its kind.
	Name string
}

// Bounds of numbers that come from a command line.
const (
	maxTokens  = 1 << 20
	maxThreads = 1024
)

const (
	queriesAtOnce = 512 // of a long sequence that attend at a time
	rowsAtOnce    = 512 // positions that get logits at a time
)

// exactBits is the widest code that products take as it is: with its sign it is exact in TF32's 11 bits.
const exactBits = 10

// Backend makes models on one backend. The models share its compiled programs; one runs at a time, and the functions that it
// calls back with its results must not use another.
type Backend struct {
	dev tape.Device
	opt Options

	chunk, rows int // queriesAtOnce, rowsAtOnce

	mu       sync.Mutex // one model runs
	programs map[string]backends.Executable
}

// New returns a maker of models. b stays the caller's, and must outlive the models.
func New(b backends.Backend, opt Options) (*Backend, error) {
	if b == nil {
		return nil, errors.New("accel: expected a backend, found none")
	}
	if opt.Tokens < 0 || opt.Tokens > maxTokens {
		return nil, fmt.Errorf("accel: batch of %d tokens: expected 1 to %d, or 0 for the default", opt.Tokens, maxTokens)
	}
	if opt.Tokens == 0 {
		opt.Tokens = 1024
	}
	if opt.Threads < 0 || opt.Threads > maxThreads {
		return nil, fmt.Errorf("accel: %d threads: expected 1 to %d, or 0 for one a CPU", opt.Threads, maxThreads)
	}
	if opt.Threads == 0 {
		opt.Threads = runtime.GOMAXPROCS(0)
	}
	if opt.Name == "" {
		opt.Name = b.Name()
	}
	return &Backend{dev: tape.Device{Backend: b}, opt: opt, chunk: queriesAtOnce, rows: rowsAtOnce, programs: map[string]backends.Executable{}}, nil
}

// Name describes the backend, for records.
func (b *Backend) Name() string { return b.opt.Name }

// Close ends the compiled programs; models and the backend are ended by whoever made them.
func (b *Backend) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.programs {
		e.Finalize()
	}
	b.programs = map[string]backends.Executable{}
}

// Float is the float model with weights w.
func (b *Backend) Float(cfg model.Config, w floatref.Source) (*Model, error) {
	return b.load(cfg, w, nil)
}

// Simulation is the float simulation that p describes.
func (b *Backend) Simulation(p *fakequant.Plan) (*Model, error) {
	return b.load(p.Config, p.Weights, p)
}

// Model is a model on the device; it satisfies eval.LM and eval.Chooser.
type Model struct {
	b      *Backend
	s      shape
	embed  []backends.Buffer   // table of tokens, that of positions behind it in the OPT family
	blocks [][]backends.Buffer // inputs of the block program without x
	head   []backends.Buffer   // norm, head, and the levels of HeadIn
	host   []float32           // logits of a window
}

// Vocab is the number of token ids.
func (m *Model) Vocab() int { return m.s.cfg.Vocab }

// Close gives the memory on the device back.
func (m *Model) Close() {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	m.b.dev.Free(m.embed...)
	for _, l := range m.blocks {
		m.b.dev.Free(l...)
	}
	m.b.dev.Free(m.head...)
	m.embed, m.blocks, m.head = nil, nil, nil
}

// load puts the weights on the device.
func (b *Backend) load(cfg model.Config, w floatref.Source, p *fakequant.Plan) (m *Model, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("accel: configuration: %w", err)
	}
	m = &Model{b: b, s: shape{cfg: cfg, split: b.opt.Split}}
	if p != nil {
		m.s.rounded = true
		for i, bits := range p.Bits {
			m.s.sites[i], m.s.wide[i] = bits > 0, bits > exactBits
		}
	}
	defer func() {
		if err != nil {
			m.Close()
			m = nil
		}
	}()
	var outside loader
	if err = outside.put(b, w, &m.embed, model.Embedding, cfg.Vocab, cfg.Hidden); err != nil {
		return m, err
	}
	if !cfg.Rotary() {
		if err = outside.put(b, w, &m.embed, model.Positions, cfg.MaxContext, cfg.Hidden); err != nil {
			return m, err
		}
	}
	if err = m.loadBlocks(w, p); err != nil {
		return m, err
	}
	if err = outside.put(b, w, &m.head, model.FinalNorm, cfg.Hidden); err != nil {
		return m, err
	}
	if cfg.LayerNorm() {
		if err = outside.put(b, w, &m.head, finalBias, cfg.Hidden); err != nil {
			return m, err
		}
	}
	name := model.Head
	if cfg.TiedHead {
		name = model.Embedding
	}
	if err = outside.put(b, w, &m.head, name, cfg.Vocab, cfg.Hidden); err != nil {
		return m, err
	}
	if p != nil {
		err = b.put(&m.head, numbers(p, cfg.Layers), numNumbers)
	}
	return m, err
}

// loadBlocks puts the weights of all blocks on the device, several at a time: smoothing and rounding take longer than copies.
func (m *Model) loadBlocks(w floatref.Source, p *fakequant.Plan) error {
	m.blocks = make([][]backends.Buffer, m.s.cfg.Layers)
	loaders := make([]loader, min(m.b.opt.Threads, len(m.blocks)))
	return share(context.Background(), len(loaders), len(m.blocks), func(worker, l int) error { return m.loadBlock(&loaders[worker], w, p, l) })
}

// share has workers do items 0 … n−1 and returns the first error, after which no further item begins.
func share(ctx context.Context, workers, n int, do func(worker, item int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	stop := func(err error) {
		once.Do(func() { first = err })
		next.Store(int64(n))
	}
	for worker := range min(workers, n) {
		wg.Go(func() {
			for {
				item := int(next.Add(1)) - 1
				if item >= n {
					return
				}
				err := ctx.Err()
				if err == nil {
					err = do(worker, item)
				}
				if err != nil {
					stop(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}

func (m *Model) loadBlock(own *loader, w floatref.Source, p *fakequant.Plan, l int) error {
	to := &m.blocks[l]
	for _, t := range m.s.cfg.BlockTensors() {
		if err := own.put(m.b, w, to, model.LayerName(l, t.Name), t.Dims...); err != nil {
			return err
		}
	}
	if p == nil {
		return nil
	}
	if err := m.b.put(to, numbers(p, l), numNumbers); err != nil || !m.s.cfg.Gated() {
		return err
	}
	return m.b.put(to, gains(p, l), m.s.cfg.FFN)
}

// loader keeps the memory of one tensor for the next.
type loader struct{ kept []float32 }

// put reads a tensor, copies it to the device and appends the buffer to list.
func (o *loader) put(b *Backend, w floatref.Source, list *[]backends.Buffer, name string, dims ...int) error {
	x, err := read(w, name, o.kept, dims...)
	if err != nil {
		return err
	}
	o.kept = x
	return b.put(list, x, dims...)
}

// finalBias is β of the final norm in the OPT family.
const finalBias = "model.norm.bias"

// put copies values to the device and appends the buffer to list.
func (b *Backend) put(list *[]backends.Buffer, x []float32, dims ...int) error {
	buf, err := b.dev.Put(x, tape.F32, dims...)
	if err != nil {
		return fmt.Errorf("accel: %w", err)
	}
	*list = append(*list, buf)
	return nil
}

// read fetches a tensor of finite values, into the memory of an earlier one where it has room.
func read(w floatref.Source, name string, into []float32, dims ...int) ([]float32, error) {
	x, err := w.Float32(name, into)
	if err != nil {
		return nil, fmt.Errorf("accel: %w", err)
	}
	n := 1
	for _, d := range dims {
		n *= d
	}
	if len(x) != n {
		return nil, fmt.Errorf("accel: %s: expected %d values, found %d: the weights do not belong to this configuration", name, n, len(x))
	}
	for i, v := range x {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("accel: %s: expected finite weights, found %v at %d: the file is damaged", name, v, i)
		}
	}
	return x, nil
}

// Numbers of a block: levels of the grid of each site, the ratio of its range, then the clip of the scores.
const (
	atLevels   = 0
	atRatios   = floatref.Sites
	atClip     = 2 * floatref.Sites
	numNumbers = 2*floatref.Sites + 1
)

// noClip is beyond any distance of two scores.
const noClip = 1e30

// numbers of layer l; the final norm's is that of the number of layers, and it has no scores.
func numbers(p *fakequant.Plan, l int) []float32 {
	v := make([]float32, numNumbers)
	for site, bits := range p.Bits {
		v[atLevels+site] = float32(int(1)<<bits - 1)
		v[atRatios+site] = float32(p.Ratio(floatref.Site(site), l))
	}
	v[atClip] = noClip
	if l < p.Config.Layers {
		if clip := p.Clip(l); clip > 0 {
			v[atClip] = float32(clip)
		}
	}
	return v
}

// gains of the gate in layer l.
func gains(p *fakequant.Plan, l int) []float32 {
	if p.Alpha != nil {
		if v := p.Alpha(l); v != nil {
			return v
		}
	}
	v := make([]float32, p.Config.FFN)
	for i := range v {
		v[i] = 1
	}
	return v
}
