// Package sgemm multiplies float32 matrices: the honest rival of the integer
// path, under the float reference model.
//
//	c[i][j] = Σ_k a[i][k]·w[j][k]        i < m rows, j < N channels, k < K
//
// # Layout
//
// w is packed once into panels of 64 channels, [panel][k][64], channels beyond
// N being 0. a and c stay row-major.
//
// # Order of summation
//
// Every c[i][j] is one chain over rising k, starting from 0. The AVX-512 and
// AVX2 paths fuse each step (one rounding), so they agree bit for bit with each
// other and with that chain (TestOrder), whatever m is: a token's result is free
// of its batch. They block the depth, and a block goes on from the float32 sums
// that the one before has left in c. The generic path rounds product and sum
// where the compiler does; it differs from the fused chain by at most
// K·2^-23·Σ|a·w|.
package sgemm

import "unsafe"

// Channels is the number of output channels in one panel.
const Channels = 64

// A Panel is a packed matrix of N output channels and depth K.
type Panel struct {
	N, K int
	data []float32 // [⌈N/64⌉][K][64], 64-byte aligned
}

func pad(n int) int { return (n + Channels - 1) &^ (Channels - 1) }

// reset gives dst the shape [n][k] and reuses its memory if that suffices.
func reset(dst *Panel, n, k int) *Panel {
	if n < 0 || k < 0 {
		panic(badShape)
	}
	if dst == nil {
		dst = new(Panel)
	}
	dst.N, dst.K = n, k
	size := pad(n) * k
	if cap(dst.data) < size {
		const align = 64 / 4
		buf := make([]float32, size+align-1)
		if size > 0 {
			skip := -int(uintptr(unsafe.Pointer(&buf[0]))/4) & (align - 1)
			buf = buf[skip : skip+size : skip+size]
		}
		dst.data = buf
	}
	dst.data = dst.data[:size]
	return dst
}

// Pack packs w, row-major [n][k].
func Pack(w []float32, n, k int) *Panel { return PackInto(nil, w, k, n, k) }

// PackInto packs w, whose row j starts at w[j*ldw], into dst, reusing dst's
// memory if it suffices. A nil dst is allocated. It returns dst.
func PackInto(dst *Panel, w []float32, ldw, n, k int) *Panel {
	dst = reset(dst, n, k)
	if n == 0 || k == 0 {
		return dst
	}
	if ldw < k && n > 1 || len(w) < (n-1)*ldw+k {
		panic(badPack)
	}
	for p := 0; p < n; p += Channels {
		out := dst.data[p*k:][:k*Channels]
		width := min(Channels, n-p)
		if width < Channels {
			clear(out)
		}
		// Blocks of 16 by 16 keep both sides within a few cache lines.
		for j0 := 0; j0 < width; j0 += 16 {
			for i0 := 0; i0 < k; i0 += 16 {
				i1 := min(i0+16, k)
				for j := j0; j < min(j0+16, width); j++ {
					row := w[(p+j)*ldw+i0 : (p+j)*ldw+i1]
					for i, v := range row {
						out[(i0+i)*Channels+j] = v
					}
				}
			}
		}
	}
	return dst
}

// PackTransposed packs the transpose of w: row i of w, starting at w[i*ldw],
// holds depth step i of all n channels (as the values of attention do). dst is
// treated as in PackInto.
func PackTransposed(dst *Panel, w []float32, ldw, n, k int) *Panel {
	dst = reset(dst, n, k)
	if n == 0 || k == 0 {
		return dst
	}
	if ldw < n && k > 1 || len(w) < (k-1)*ldw+n {
		panic(badPack)
	}
	for p := 0; p < n; p += Channels {
		width := min(Channels, n-p)
		for i := range k {
			out := dst.data[p*k+i*Channels:][:Channels]
			clear(out[copy(out, w[i*ldw+p:][:width]):])
		}
	}
	return dst
}

// Columns returns the channels [lo, hi) as a panel that shares memory, for
// callers that split channels over workers. lo is a multiple of 64, hi too or
// equal to N.
func (w *Panel) Columns(lo, hi int) *Panel {
	if lo < 0 || hi < lo || hi > w.N || lo%Channels != 0 || hi%Channels != 0 && hi != w.N {
		panic(badColumn)
	}
	return &Panel{N: hi - lo, K: w.K, data: w.data[lo*w.K : lo*w.K+pad(hi-lo)*w.K]}
}

// MatMul sets c[i*ldc+j] = Σ_k a[i*lda+k]·w[j][k] for i < m and j < w.N.
//
// Concurrency: no state, no allocation; callers split rows or channels.
// It panics if a slice is too short for its shape.
func MatMul(c []float32, ldc int, a []float32, lda int, w *Panel, m int) {
	if m < 0 {
		panic(badShape)
	}
	if m == 0 || w.N == 0 {
		return
	}
	if ldc < w.N && m > 1 || len(c) < (m-1)*ldc+w.N {
		panic(badC)
	}
	if lda < w.K && m > 1 || len(a) < (m-1)*lda+w.K {
		panic(badA)
	}
	if w.K == 0 {
		for i := range m {
			clear(c[i*ldc:][:w.N])
		}
		return
	}
	matMul(c, ldc, a, lda, w, m)
}

// PeakWork runs rounds of the fused multiply-add on registers alone and returns
// how many operations that was, a multiplication and an addition being two:
// timed, it is the peak that MatMul is measured against. It returns 0 on the
// generic path.
func PeakWork(rounds int) int64 {
	if rounds <= 0 {
		return 0
	}
	return peakWork(rounds)
}
