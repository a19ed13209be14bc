package di

import (
	"github.com/illm-go/illm/pkg/intmath"
	"github.com/illm-go/illm/pkg/quant"
)

// Embed sets h to row id of an embedding table in the format of a linear's weights, on the residual grid 2^−kr:
// h_c = (code − z_w)·M·2^(kr−KW) rounded and saturated. It returns how many elements saturated.
//
// table.Out is the vocabulary, table.In = len(h). Error: half a step of the grid.
func Embed(h []int32, table *quant.Linear, id int, kr int32) (saturated int) {
	if uint(id) >= uint(table.Out) || len(h) != table.In {
		panic(errEmbed)
	}
	m, n := int64(table.M[id]), int(table.KW-kr)
	z := int(table.Zero[id])
	if table.Bits > 4 && n >= 2 {
		embedBytes(h, table, id, n)
		return 0
	}
	for c := range h {
		var sat bool
		if h[c], sat = addSat(0, int64(table.Code(id, c)-z)*m, n); sat {
			saturated++
		}
	}
	return saturated
}

// embedBytes is Embed out of a panel of bytes, four channels a depth block. The product is below 2^32, so a shift by 2 or
// more leaves nothing to saturate.
func embedBytes(h []int32, table *quant.Linear, id, n int) {
	m, z := int64(table.M[id]), int64(int32(table.Zero[id])-table.Seen(id))
	row := table.Panel[id/64*((table.In+3)/4)*256+id%64*4:]
	for c := 0; c < len(h); c += 4 {
		for i, q := range row[c*64:][:min(4, len(h)-c)] {
			h[c+i] = int32(intmath.RoundShift((int64(int8(q))-z)*m, n))
		}
	}
}

// AddEmbed adds row id of a table of learned positions to h, as Embed does a token's row: each is rounded to the grid once,
// and the sum saturates to ±(2^31−1).
func AddEmbed(h []int32, table *quant.Linear, id int, kr int32) (saturated int) {
	if uint(id) >= uint(table.Out) || len(h) != table.In {
		panic(errEmbed)
	}
	m, n := int64(table.M[id]), int(table.KW-kr)
	z := int(table.Zero[id])
	for c := range h {
		var sat bool
		if h[c], sat = addSat(h[c], int64(table.Code(id, c)-z)*m, n); sat {
			saturated++
		}
	}
	return saturated
}

// Table16 is a lookup table of emb16: int16 codes, symmetric, row-major, one dyadic scale a row.
type Table16 struct {
	Rows, Cols int
	Codes      []int16
	M          []uint16
	K          []int8
}

// Embed16 is Embed for a Table16: h_c = E·m·2^(kr−k).
func Embed16(h []int32, table *Table16, id int, kr int32) (saturated int) {
	clear(h)
	return AddEmbed16(h, table, id, kr)
}

// AddEmbed16 is AddEmbed for a Table16.
func AddEmbed16(h []int32, table *Table16, id int, kr int32) (saturated int) {
	if uint(id) >= uint(table.Rows) || len(h) != table.Cols {
		panic(errEmbed)
	}
	m, n := int64(table.M[id]), int(table.K[id])-int(kr)
	for c, e := range table.Codes[id*table.Cols:][:len(h)] {
		var sat bool
		if h[c], sat = addSat(h[c], int64(e)*m, n); sat {
			saturated++
		}
	}
	return saturated
}
