package bench

import (
	"context"
	"errors"
	"time"

	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/mmap"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/simd/gemm"
	"github.com/illm-go/illm/pkg/simd/gemm4"
	"github.com/illm-go/illm/pkg/simd/sgemm"
)

// Names of our matrix products, and of what they are held against: the arithmetic of a register loop and the reading of
// memory, measured in the same rounds as everybody else.
const (
	nameInt8, nameInt4, nameFloat = "illm int8", "illm int4", "illm float32"
	roofline                      = "roofline" // as a Rival
	namePeak, nameRead            = "arithmetic peak", "read bandwidth"
)

const (
	gemmLeast = 20 * time.Millisecond // a product is repeated for that long, as the rivals' are
	fewRows   = 16                    // up to here a product reads its weights from memory (peers.Case.Copies)
	readBytes = 160 << 20             // more than caches hold
	tileRows  = 6                     // a part of the rows is a multiple of the tile's
	partRows  = 48                    // and at least that many
)

// matrices multiplies for the cases of one after the other, and keeps the operands of the last.
type matrices struct {
	pool *engine.Pool         // the engine's way of sharing out: a product of microseconds must not pay for goroutines
	n    int                  // workers
	kept map[string]*operands // by subject
	read []byte               // for the bandwidth
	free []func() error
}

// operands are those of one case, ready to be multiplied.
type operands struct {
	c     peers.Case
	run   func(i int)   // i chooses the copy of the weights
	check func() string // integers only
	free  func() error
}

func newMatrices(threads int) *matrices {
	return &matrices{pool: engine.NewPool(threads), n: threads, kept: map[string]*operands{}}
}

func (x *matrices) close() {
	x.pool.Close()
	for _, o := range x.kept {
		_ = o.free() // memory of a process that is about to end
	}
	for _, f := range x.free {
		_ = f()
	}
	x.kept, x.free = nil, nil
}

// subjects are our products and the two roofs.
func (x *matrices) subjects() []peers.Subject {
	gemms, both := []peers.Op{peers.GEMM}, []peers.Op{peers.GEMM, peers.SGEMM}
	list := []peers.Subject{
		{Name: nameInt8, Ops: gemms, Run: x.runner(nameInt8, x.int8)},
		{Name: nameInt4, Form: "4-bit weights", Ops: gemms, Run: x.runner(nameInt4, x.int4)},
		{Name: nameFloat, Ops: []peers.Op{peers.SGEMM}, Run: x.runner(nameFloat, x.float)},
	}
	var peaks []peers.Op
	if gemm.PeakWork(1) > 0 {
		peaks = append(peaks, peers.GEMM)
	}
	if sgemm.PeakWork(1) > 0 {
		peaks = append(peaks, peers.SGEMM)
	}
	return append(list, peers.Subject{Name: namePeak, Rival: roofline, Ops: peaks, Run: x.peak},
		peers.Subject{Name: nameRead, Rival: roofline, Ops: both, Run: x.bandwidth})
}

// runner measures the products that prepare makes of a case.
func (x *matrices) runner(name string, prepare func(c peers.Case) (*operands, error)) func(context.Context, peers.Case) (peers.Sample, error) {
	return func(_ context.Context, c peers.Case) (peers.Sample, error) {
		o := x.kept[name]
		if o == nil || o.c != c {
			if o != nil {
				delete(x.kept, name)
				if err := o.free(); err != nil {
					return peers.Sample{}, err
				}
			}
			var err error
			if o, err = prepare(c); err != nil {
				return peers.Sample{}, err
			}
			o.c = c
			x.kept[name] = o
		}
		s := peers.Sample{Seconds: peers.Repeat(gemmLeast, o.run)}
		if name == nameInt8 { // the other products are not the rivals'
			s.Check = o.check()
		}
		return s, nil
	}
}

// copies fills n parts of huge pages with the same packed weights: those of the engine lie in such pages once it decodes.
func copies(n, size int, pack func(dst []byte)) (parts [][]byte, free func() error, err error) {
	all, free, err := mmap.Huge(n * size)
	if err != nil {
		return nil, nil, err
	}
	for i := range n {
		parts = append(parts, all[i*size:][:size:size])
		if i == 0 {
			pack(parts[0])
		} else {
			copy(parts[i], parts[0])
		}
	}
	return parts, free, nil
}

// stretch gives the rows of a [m][k] a stride that is a multiple of 8, which the kernels may read to.
func stretch(a []uint8, m, k int) (rows []uint8, stride int) {
	stride = (k + 7) &^ 7
	if stride == k {
		return a, k
	}
	rows = make([]uint8, m*stride)
	for i := range m {
		copy(rows[i*stride:], a[i*k:][:k])
	}
	return rows, stride
}

func (x *matrices) int8(c peers.Case) (*operands, error) {
	a, b := peers.Operands(c)
	rows, ldx := stretch(a, c.M, c.K)
	weights, free, err := copies(max(1, c.Copies), gemm.PanelBytes(c.N, c.K), func(dst []byte) { gemm.Pack(dst, b, c.N, c.K) })
	if err != nil {
		return nil, err
	}
	ld, ldp := gemm.Pad(c.N), gemm.Stride(c.K)
	acc := make([]int32, c.M*ld)
	return &operands{free: free, check: func() string { return peers.Check(acc, c.M, c.N, ld) }, run: func(i int) {
		w := weights[i%len(weights)]
		x.share(c, func(r0, r1, p0, p1 int) {
			gemm.MatMul(acc[r0*ld+p0*gemm.Channels:], ld, rows[r0*ldx:], ldx, w[p0*ldp:], ldp, r1-r0, (p1-p0)*gemm.Channels, c.K)
		})
	}}, nil
}

// int4 multiplies by the low nibbles of the same bytes. Its weights take half the room, so there are twice the copies.
func (x *matrices) int4(c peers.Case) (*operands, error) {
	a, b := peers.Operands(c)
	rows, ldx := stretch(a, c.M, c.K)
	codes := make([]uint8, len(b))
	for i, v := range b {
		codes[i] = uint8(v) & 15
	}
	n := 1
	if c.Copies > 1 {
		n = 2 * c.Copies
	}
	weights, free, err := copies(n, gemm4.PanelBytes(c.N, c.K), func(dst []byte) { gemm4.Pack(dst, codes, c.N, c.K) })
	if err != nil {
		return nil, err
	}
	ld, ldp := gemm4.Pad(c.N), gemm4.Stride(c.K)
	acc := make([]int32, c.M*ld)
	return &operands{free: free, check: func() string { return peers.Check(acc, c.M, c.N, ld) }, run: func(i int) {
		w := weights[i%len(weights)]
		x.share(c, func(r0, r1, p0, p1 int) {
			gemm4.MatMul(acc[r0*ld+p0*gemm4.Channels:], ld, rows[r0*ldx:], ldx, w[p0*ldp:], ldp, r1-r0, (p1-p0)*gemm4.Channels, c.K)
		})
	}}, nil
}

func (x *matrices) float(c peers.Case) (*operands, error) {
	a, b := peers.Floats(c)
	weights := []*sgemm.Panel{sgemm.Pack(b, c.N, c.K)}
	for len(weights) < c.Copies {
		weights = append(weights, sgemm.Pack(b, c.N, c.K))
	}
	out := make([]float32, c.M*c.N)
	return &operands{free: func() error { return nil }, run: func(i int) {
		w := weights[i%len(weights)]
		x.share(c, func(r0, r1, p0, p1 int) {
			lo, hi := p0*sgemm.Channels, min(p1*sgemm.Channels, c.N)
			sgemm.MatMul(out[r0*c.N+lo:], c.N, a[r0*c.K:], c.K, w.Columns(lo, hi), r1-r0)
		})
	}}, nil
}

// share splits a product over the workers by panels of 64 channels, as the engine does while it decodes, and many rows into
// blocks: whoever is done first waits for a block of a panel at most. Neighbours are multiplied in one call.
func (x *matrices) share(c peers.Case, multiply func(r0, r1, p0, p1 int)) {
	panels := (c.N + gemm.Channels - 1) / gemm.Channels
	parts := max(1, c.M/partRows)
	block := ((c.M+parts-1)/parts + tileRows - 1) / tileRows * tileRows
	parts = (c.M + block - 1) / block
	x.pool.Each(panels*parts, func(_, from, to int) {
		for from < to {
			p, r, n := from/parts, from%parts, to-from
			if r == 0 && n >= parts {
				n /= parts
				multiply(0, c.M, p, p+n)
				from += n * parts
				continue
			}
			n = min(n, parts-r)
			multiply(r*block, min((r+n)*block, c.M), p, p+1)
			from += n
		}
	})
}

// peak gives the time that a case's operations would take at the rate of the multiply-add on registers alone.
func (x *matrices) peak(_ context.Context, c peers.Case) (peers.Sample, error) {
	work := gemm.PeakWork
	if c.Op == peers.SGEMM {
		work = sgemm.PeakWork
	}
	const rounds = 1 << 16 // a quarter of a millisecond: short as products are, so that the median means the same
	ops := make([]int64, x.n)
	seconds := peers.Repeat(gemmLeast, func(int) {
		x.pool.Each(x.n, func(_, from, to int) {
			for i := from; i < to; i++ {
				ops[i] = work(rounds)
			}
		})
	})
	var total int64
	for _, n := range ops {
		total += n
	}
	return peers.Sample{Seconds: 2 * float64(c.M) * float64(c.N) * float64(c.K) / (float64(total) / seconds)}, nil
}

var errManyRows = errors.New("bench: many rows are not bound by memory")

// bandwidth gives the time that reading a case's weights once from memory would take.
func (x *matrices) bandwidth(_ context.Context, c peers.Case) (peers.Sample, error) {
	if c.M > fewRows {
		return peers.Sample{}, errManyRows // the row is taken out of the table
	}
	if x.read == nil {
		data, free, err := mmap.Huge(readBytes)
		if err != nil {
			return peers.Sample{}, err
		}
		for i := 0; i < len(data); i += 4096 {
			data[i] = 1 // a page that was never written to may be one that all share
		}
		x.read, x.free = data, append(x.free, free)
	}
	const piece, pieces = 256 << 10, 64 // 16 MiB a call
	seconds := peers.Repeat(gemmLeast, func(i int) {
		part := x.read[i*pieces*piece%len(x.read):][:pieces*piece]
		x.pool.Each(pieces, func(_, from, to int) { gemm.PeakRead(part[from*piece : to*piece]) })
	})
	size := c.N * c.K
	if c.Op == peers.SGEMM {
		size *= 4
	}
	return peers.Sample{Seconds: float64(size) * seconds / (pieces * piece)}, nil
}
