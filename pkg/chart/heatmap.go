package chart

import (
	"fmt"
	"math"
)

// HeatMap draws matrices as coloured cells: panels side by side under one scale of colours, so that "before" and "after"
// compare at a glance. A matrix that is larger than what can be looked at is pooled first (Pool).
//
//	Cells[0] is the lowest row, as on any y axis
//	columns start at X·XStep, rows at Y·YStep: 0, 8, 16 … for XStep 8
//
// Render gives the three forms of every chart. Cells that are NaN or infinite have no colour; with Z.Log neither have those
// at 0 and below.
type HeatMap struct {
	Title, Subtitle string
	X, Y, Z         Axis // Z names what the colours mean; Z.Log spaces them by factors
	Panels          []HeatPanel
	Width, Height   int // 0: 1000×380 pixels, 600 wide for one panel
}

// HeatPanel is one matrix.
type HeatPanel struct {
	Name         string
	Cells        [][]float64 // rows of equal length
	XStep, YStep int         // what a column and a row stand for; 0 is 1
}

const (
	heatWidth, heatHeight = 1000, 380
	heatSingle            = 600
	maxCells              = 40_000 // in one picture: its rows of paths stay below a megabyte
	maxPanels             = 4
)

// heatColors go from dark blue through teal to light yellow: lightness alone orders them, also without colour vision
// (TestHeatColors). Cells are drawn in the nearest of so many steps.
var heatColors = [...]string{"#0d1b4c", "#17306b", "#1d4a80", "#206489", "#2a7d8c", "#41958a", "#62ab84", "#8bbf7e", "#b8d07b", "#e3de83", "#fbf1a9"}

// steps is into how many colours the scale is cut, two a given colour: the ones between are halfway.
const steps = 2*len(heatColors) - 1

// heatColor is colour i of the scale.
func heatColor(i int) string {
	a, b := heatColors[i/2], heatColors[(i+1)/2]
	if a == b {
		return a
	}
	out := "#"
	for at := 1; at < 7; at += 2 {
		var x, y int
		fmt.Sscanf(a[at:at+2], "%x", &x)
		fmt.Sscanf(b[at:at+2], "%x", &y)
		out += fmt.Sprintf("%02x", (x+y+1)/2)
	}
	return out
}

// Pool reduces a matrix of rows × columns values to at most maxRows × maxColumns cells, each the largest of its block, so
// that one outlier stays visible. at(r, c) reads the matrix; NaN is no value.
func Pool(name string, rows, columns, maxRows, maxColumns int, at func(r, c int) float64) HeatPanel {
	p := HeatPanel{Name: name, YStep: blockOf(rows, maxRows), XStep: blockOf(columns, maxColumns)}
	for r := 0; r < rows; r += p.YStep {
		line := make([]float64, 0, (columns+p.XStep-1)/p.XStep)
		for c := 0; c < columns; c += p.XStep {
			top := math.NaN()
			for i := r; i < min(r+p.YStep, rows); i++ {
				for j := c; j < min(c+p.XStep, columns); j++ {
					if v := at(i, j); !math.IsNaN(v) && !(top >= v) {
						top = v
					}
				}
			}
			line = append(line, top)
		}
		p.Cells = append(p.Cells, line)
	}
	return p
}

// blockOf is how many of n go into each of at most limit blocks.
func blockOf(n, limit int) int { return max((n+max(limit, 1)-1)/max(limit, 1), 1) }

// Validate reports what keeps the heat map from being drawn.
func (h *HeatMap) Validate() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("chart: %q: "+format, append([]any{h.Title}, args...)...)
	}
	for _, size := range []int{h.Width, h.Height} {
		if size != 0 && (size < minSize || size > maxSize) {
			return fail("size %d pixels, want %d to %d", size, minSize, maxSize)
		}
	}
	if len(h.Panels) > maxPanels {
		return fail("%d panels, at most %d are readable", len(h.Panels), maxPanels)
	}
	cells, drawn := 0, 0
	for _, p := range h.Panels {
		if p.XStep < 0 || p.YStep < 0 {
			return fail("panel %q: steps of %d and %d, want 1 or more", p.Name, p.XStep, p.YStep)
		}
		for i, row := range p.Cells {
			if len(row) != len(p.Cells[0]) {
				return fail("panel %q: row %d has %d cells, row 0 has %d", p.Name, i, len(row), len(p.Cells[0]))
			}
			cells += len(row)
			for _, v := range row {
				if h.colored(v) {
					drawn++
				}
			}
		}
	}
	if drawn == 0 {
		return fail("%w", ErrEmpty)
	}
	if cells > maxCells {
		return fail("%d cells, at most %d: pool them first (Pool)", cells, maxCells)
	}
	return nil
}

// colored reports whether a value has a colour.
func (h *HeatMap) colored(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && !(h.Z.Log && v <= 0)
}

// scale is the extent of the colours over all panels.
func (h *HeatMap) scale() (lo, hi float64) {
	z := newSpan()
	for _, p := range h.Panels {
		for _, row := range p.Cells {
			for _, v := range row {
				if h.colored(v) {
					z.add(v)
				}
			}
		}
	}
	if z.lo == z.hi { // one value has the middle of some scale
		if pad := math.Abs(z.lo) / 2; pad > 0 {
			return z.lo - pad, z.hi + pad
		}
		return -1, 1
	}
	return z.lo, z.hi
}

// edge is the value at which colour i begins; edge(steps) is the upper end.
func (h *HeatMap) edge(lo, hi float64, i int) float64 {
	f := float64(i) / float64(steps)
	if h.Z.Log {
		return lo * math.Exp(f*math.Log(hi/lo))
	}
	return lo + f*(hi-lo)
}

// step is the colour of a value, -1 for none.
func (h *HeatMap) step(lo, hi, v float64) int {
	if !h.colored(v) {
		return -1
	}
	f := (v - lo) / (hi - lo)
	if h.Z.Log {
		f = math.Log(v/lo) / math.Log(hi/lo)
	}
	return min(max(int(f*float64(steps)), 0), steps-1)
}
