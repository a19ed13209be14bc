package quant

// RowParams is the scale header of one quantised row: value = (code − Zero)·M/2^K.
type RowParams struct {
	M    uint32
	K    int32
	Zero int32 // 0 … 2^bits − 1
	Sum  int32 // ΣX over the true columns, for the zero-point correction of a product
}

// Acts holds quantised activations, one RowParams a row.
//
// Codes are stored with Stride ≥ Cols entries a row, Stride a multiple of 64; the pad stays 0. Exactly one of Codes
// (Bits ≤ 8) and Codes16 is set.
type Acts struct {
	Bits, Rows, Cols, Stride int
	Codes                    []uint8
	Codes16                  []uint16
	Params                   []RowParams
}

// NewActs allocates rows × cols codes of the given width, all 0.
//
// Panics if a number is negative or bits is not in 1…16: shapes come from a checked model.
func NewActs(rows, cols, bits int) *Acts {
	if rows < 0 || cols < 0 || bits < 1 || bits > 16 {
		panic("quant: NewActs needs rows, cols ≥ 0 and 1 ≤ bits ≤ 16")
	}
	a := &Acts{Bits: bits, Rows: rows, Cols: cols, Stride: (cols + 63) &^ 63, Params: make([]RowParams, rows)}
	if bits > 8 {
		a.Codes16 = make([]uint16, rows*a.Stride)
	} else {
		a.Codes = make([]uint8, rows*a.Stride)
	}
	return a
}

// Row returns the codes of row i with the pad: length Stride. Bits ≤ 8.
func (a *Acts) Row(i int) []uint8 {
	return a.Codes[i*a.Stride : (i+1)*a.Stride : (i+1)*a.Stride]
}

// Row16 returns the codes of row i with the pad: length Stride. Bits > 8.
func (a *Acts) Row16(i int) []uint16 {
	return a.Codes16[i*a.Stride : (i+1)*a.Stride : (i+1)*a.Stride]
}

// Linear is a weight matrix [Out, In] with one zero point and one scale a channel:
// value of (j, k) = (code − Zero[j])·M[j]/2^KW.
type Linear struct {
	In, Out, Bits int
	Panel         []byte  // codes in the layout of the package documentation
	Zero          []uint8 // z_w, 0 … 2^Bits − 1
	M             []int32 // 0 ≤ M < 2^24, at least one near the top
	KW            int32
	SumW          []int32 // Σ over In of what the dot product sees (see Seen); filled at load
	Bias          []int32 // nil: none; |Bias| < 2^23
	KB            int32   // bias value = Bias[j]/2^KB
}

// Seen returns the offset o that turns a code into what the dot product sees, code − o: 128 for 8
// bits (int8), Zero[j] for 5–7 bits (the weight itself), 0 for nibbles (the raw code).
func (l *Linear) Seen(j int) int32 {
	switch {
	case l.Bits == 8:
		return 128
	case l.Bits > 4:
		return int32(l.Zero[j])
	}
	return 0
}

// Code returns the unsigned code of output channel j and input k, 0 … 2^Bits − 1, out of the panel.
func (l *Linear) Code(j, k int) int {
	if l.Bits <= 4 {
		b := l.Panel[nibbleIndex(l.In, j, k)]
		if k&4 != 0 {
			b >>= 4
		}
		return int(b & 15)
	}
	return int(int8(l.Panel[byteIndex(l.In, j, k)])) + int(l.Seen(j))
}

// byteIndex is the place of weight (j, k) in a panel of bytes [panel][depth block][64][4].
func byteIndex(in, j, k int) int {
	return (j>>6*((in+3)>>2)+k>>2)*256 + j&63*4 + k&3
}

// nibbleIndex is the byte of code (j, k) in a panel of nibbles; depth block 2i is the low nibble.
func nibbleIndex(in, j, k int) int {
	return (j>>6*((in+7)>>3)+k>>3)*256 + j&63*4 + k&3
}

// PanelBytes returns the length of the panel of an [out, in] matrix of the given width.
func PanelBytes(out, in, bits int) int {
	panels := (out + 63) >> 6
	if bits <= 4 {
		return panels * ((in + 7) >> 3) * 256
	}
	return panels * ((in + 3) >> 2) * 256
}

// FillSums computes SumW from the panel, in the panel's own order.
func (l *Linear) FillSums() {
	l.SumW = make([]int32, l.Out)
	step := 4
	if l.Bits <= 4 {
		step = 8
	}
	blocks := (l.In + step - 1) / step
	for p := 0; p < l.Out; p += 64 {
		sums := l.SumW[p:min(p+64, l.Out)]
		panel := l.Panel[p/64*blocks*256:][:blocks*256]
		// Pads are byte 0 and add nothing: a stored byte is what the dot product sees.
		for ; len(panel) >= 256; panel = panel[256:] {
			for j := range sums {
				q := panel[4*j:][:4]
				if l.Bits <= 4 {
					low := q[0]&15 + q[1]&15 + q[2]&15 + q[3]&15
					high := q[0]>>4 + q[1]>>4 + q[2]>>4 + q[3]>>4
					sums[j] += int32(low) + int32(high)
				} else {
					sums[j] += int32(int8(q[0])) + int32(int8(q[1])) + int32(int8(q[2])) + int32(int8(q[3]))
				}
			}
		}
	}
}

// Pack fills Panel from unsigned codes [Out, In], row-major, with Bits and Zero set, and then SumW.
func (l *Linear) Pack(codes []uint8) {
	l.Panel = make([]byte, PanelBytes(l.Out, l.In, l.Bits))
	for j := range l.Out {
		row := codes[j*l.In:][:l.In]
		seen := uint8(l.Seen(j))
		for k, c := range row {
			if l.Bits <= 4 {
				l.Panel[nibbleIndex(l.In, j, k)] |= c & 15 << (k & 4)
			} else {
				l.Panel[byteIndex(l.In, j, k)] = c - seen
			}
		}
	}
	l.FillSums()
}
