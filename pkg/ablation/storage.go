package ablation

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// Storage counts the bytes of an artefact by what they hold.
type Storage struct {
	Header *artifact.Header
	Parts  []StoragePart
	Linear int64 // weights of the blocks' matrices
	Table  int64 // weights of embedding and head
}

// StoragePart is one kind of bytes. Of says which weights its bits are shared out to.
type StoragePart struct {
	Name  string
	Bytes int64
	Of    int64
}

// StorageOf accounts for the sections of an artefact; the manifest itself is not in it.
func StorageOf(h *artifact.Header) Storage {
	s := Storage{Header: h}
	var codes, zero, m, sums, bias, table, tableHead int64
	for _, l := range h.Linears {
		if !strings.HasPrefix(l.Name, "model.layers.") {
			s.Table += int64(l.Out) * int64(l.In)
			table += l.Panel.Bytes
			tableHead += l.Zero.Bytes + l.M.Bytes + l.SumW.Bytes + l.Bias.Bytes
			continue
		}
		s.Linear += int64(l.Out) * int64(l.In)
		codes += l.Panel.Bytes
		zero += l.Zero.Bytes
		m += l.M.Bytes
		sums += l.SumW.Bytes
		bias += l.Bias.Bytes
	}
	for _, t := range []*artifact.Table16{h.Embed16, h.Positions16} {
		if t != nil {
			s.Table += int64(t.Rows) * int64(t.Cols)
			table += t.Codes.Bytes
			tableHead += t.M.Bytes + t.K.Bytes
		}
	}
	var gamma, alpha int64
	for _, n := range h.Norms {
		gamma += n.Gamma.Bytes + n.Beta.Bytes
	}
	for _, n := range h.HeadNorms {
		gamma += n.Gamma.Bytes
	}
	for _, g := range h.GLUs {
		alpha += g.Alpha.Bytes
	}
	for _, p := range []StoragePart{
		{"codes of the linears", codes, s.Linear}, {"zero points z, 1 byte a channel", zero, s.Linear},
		{"multipliers M, 4 bytes a channel", m, s.Linear}, {"channel sums ΣW, 4 bytes a channel", sums, s.Linear}, {"biases", bias, s.Linear},
		{"codes of embedding and head", table, s.Table}, {"z, M, ΣW of embedding and head", tableHead, s.Table},
		{"norms: Γ, β", gamma, 0}, {"gate gains α", alpha, 0}, {"rotary phases", h.Phi.Bytes, 0}, {"tokenizer", h.Tokenizer.Bytes, 0},
	} {
		if p.Bytes > 0 {
			s.Parts = append(s.Parts, p)
		}
	}
	return s
}

// Bytes is the sum of the parts.
func (s Storage) Bytes() (n int64) {
	for _, p := range s.Parts {
		n += p.Bytes
	}
	return n
}

// Grid lists the parts with their bits for each weight that they describe.
func (s Storage) Grid() chart.Grid {
	g := chart.Grid{Head: []string{s.Header.Spec.Recipe.Name, "bytes", "share", "bits per weight"}}
	total := s.Bytes()
	for _, p := range s.Parts {
		bits := "–"
		if p.Of > 0 {
			bits = fmt.Sprintf("%.4f", 8*float64(p.Bytes)/float64(p.Of))
		}
		g.Rows = append(g.Rows, []string{p.Name, fmt.Sprint(p.Bytes), percent(float64(p.Bytes) / float64(total)), bits})
	}
	g.Rows = append(g.Rows, []string{"all", fmt.Sprint(total), "100 %", ""})
	return g
}

// StorageChart stacks nothing: a bar a part, a colour an artefact.
func StorageChart(list ...Storage) *chart.Chart {
	c := &chart.Chart{Kind: chart.KindBar, Title: "What the bits per weight are made of", Subtitle: "the blocks' linears without their codes: headers of a channel, shared out to its weights",
		X: chart.Axis{Name: "part"}, Y: chart.Axis{Name: "Storage", Unit: "bits per weight", Better: chart.Lower}}
	for _, s := range list {
		one := chart.Series{Name: s.Header.Spec.Recipe.Name}
		for i, p := range s.Parts {
			if i > 0 && p.Of == s.Linear && s.Linear > 0 {
				name, _, _ := strings.Cut(p.Name, ",")
				one.Points = append(one.Points, chart.Point{Label: name, Y: 8 * float64(p.Bytes) / float64(p.Of)})
			}
		}
		c.Series = append(c.Series, one)
	}
	return c
}

// MultiplierBits is the bits per weight of the blocks' multipliers at b bits each.
func (s Storage) MultiplierBits(b int) float64 {
	channels := int64(0)
	for _, l := range s.Header.Linears {
		if strings.HasPrefix(l.Name, "model.layers.") {
			channels += int64(l.Out)
		}
	}
	return float64(int64(b)*channels) / float64(s.Linear)
}

// RowKind is the quantised rows that one token leaves at one site of a block.
type RowKind struct {
	Site        string
	Rows, Width int // rows a token and block, codes a row
	Bits        int
	Cached      bool
}

// RowKinds lists the rows of a token in one block at the widths of r.
func RowKinds(h *artifact.Header, r quant.Recipe) []RowKind {
	out := []RowKind{
		{"attn_in", 1, h.Hidden, r.Act, false}, {"query", h.Heads, h.HeadDim, r.Query, false},
		{"key", h.KVHeads, h.HeadDim, r.KV, true}, {"value", h.KVHeads, h.HeadDim, r.KV, true},
		{"attn_out", 1, h.Heads * h.HeadDim, r.Act, false}, {"mlp_in", 1, h.Hidden, r.Act, false},
	}
	if h.Architecture != model.OPT {
		out = append(out, RowKind{"gate", 1, h.FFN, r.GLU, false}, RowKind{"up", 1, h.FFN, r.GLU, false})
	}
	return append(out, RowKind{"product", 1, h.FFN, r.Act, false})
}

// codeBits is how many bits a code takes: a nibble up to 4, a byte up to 8, else two.
func codeBits(n int) int {
	switch {
	case n <= 4:
		return 4
	case n <= 8:
		return 8
	}
	return 16
}

// headerBits is what m of b bits, k of 8 and the zero point take: the latter has the codes' width, in bytes.
func headerBits(b, code int) int {
	if code > 8 {
		return b + 8 + 16
	}
	return b + 8 + 8
}

// HeaderGrid says what the dynamic headers m, k, z of b + 8 + 8 bits a row (z: 16 where codes have more than 8) add to the
// codes, by site.
func HeaderGrid(h *artifact.Header, r quant.Recipe, b int) chart.Grid {
	g := chart.Grid{Head: []string{r.Name, "rows a token", "codes a row", "bits a code", "header bytes a token", "header bits a value"}}
	all, values := 0, 0
	for _, k := range RowKinds(h, r) {
		bits := headerBits(b, k.Bits) * k.Rows * h.Layers
		all, values = all+bits, values+k.Rows*k.Width*h.Layers
		g.Rows = append(g.Rows, []string{k.Site, fmt.Sprint(k.Rows * h.Layers), fmt.Sprint(k.Width), fmt.Sprint(k.Bits), fmt.Sprintf("%.1f", float64(bits)/8), fmt.Sprintf("%.3f", float64(headerBits(b, k.Bits))/float64(k.Width))})
	}
	g.Rows = append(g.Rows, []string{"all", "", "", "", fmt.Sprintf("%.1f", float64(all)/8), fmt.Sprintf("%.3f", float64(all)/float64(values))})
	return g
}

// CacheBytes is what a cached token takes with headers of b + 8 + 8 bits (24 + b at 16-bit codes), and the part of it that the headers are.
func CacheBytes(h *artifact.Header, r quant.Recipe, b int) (all, headers float64) {
	for _, k := range RowKinds(h, r) {
		if k.Cached {
			headers += float64(h.Layers*k.Rows*headerBits(b, k.Bits)) / 8
			all += float64(h.Layers*k.Rows*(k.Width*codeBits(k.Bits)+headerBits(b, k.Bits))) / 8
		}
	}
	return all, headers
}
