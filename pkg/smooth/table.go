package smooth

import (
	"fmt"

	"github.com/illm-go/illm/pkg/model"
)

// Kind is one row of the table of smoothing pairs.
type Kind struct {
	Name      string // as in Block and in files
	Length    int    // factors of a block
	Unit      string // what is counted
	Shift     bool   // δ instead of s
	Uses      []Use
	Condition string
	Remains   string // at run time
	pairs     int    // rotary: length that an untied vector would have
}

// Use is one tensor of the block on which a kind acts.
type Use struct {
	Linear string // "self_attn.q_proj" or the norm "input_layernorm", without ".weight"
	Cols   bool   // inputs are scaled; else outputs, the bias (of a norm: γ and β) with them
	Divide bool   // by s; else multiplied
	Index  func(i int) int
}

// hint explains the length that comes from untied rotary pairs.
func (k Kind) hint(found int) string {
	if k.pairs > 0 && found == k.pairs {
		return ": RoPE turns channels i and i + d/2 into each other, their factor must be one"
	}
	return ""
}

// Table derives the smoothing pairs of a model, in the order in which they are applied. Apply, Check and the training
// of factors are driven by it.
//
//	kind      divided by s              multiplied by s           index of the factor
//	qkv       input_layernorm γ, β      columns of q, k, v        channel
//	mlp       post_attention_… γ, β     columns of gate, up       channel
//	vo        rows of v                 columns of o              channel of the KV head, for each query head of its group
//	qk        rows of q                 rows of k                 rotary pair of the KV head (channel without RoPE);
//	                                                              with head norms: their γ instead of the rows, pair of any head
//	gate_up   rows of up                rows of gate              channel; σ(g) becomes σ(α·g), α = 1/s
//	up_down   rows of up                columns of down           channel
//	shift_…   β − δ, b_v − δ before the division; the linears behind take b + Wδ
func Table(cfg model.Config) []Kind {
	d, half, group := cfg.HeadDim, cfg.HeadDim/2, cfg.Heads/cfg.KVHeads
	same := func(i int) int { return i }
	reader := func(i int) int { return i/(d*group)*d + i%d } // channel of the KV head that query channel i reads
	const q, k, v, o = "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"
	const gate, up, down = "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"
	const first, second = "input_layernorm", "post_attention_layernorm"
	mlp := []Use{{Linear: second, Divide: true, Index: same}}
	if cfg.Gated() {
		mlp = append(mlp, Use{Linear: gate, Cols: true, Index: same})
	}
	mlp = append(mlp, Use{Linear: up, Cols: true, Index: same})
	qkv := []Use{{Linear: first, Divide: true, Index: same}, {Linear: q, Cols: true, Index: same},
		{Linear: k, Cols: true, Index: same}, {Linear: v, Cols: true, Index: same}}
	vo := []Use{{Linear: v, Divide: true, Index: same}, {Linear: o, Cols: true, Index: reader}}
	table := []Kind{
		{Name: "qkv", Length: cfg.Hidden, Unit: "channels of the norm", Uses: qkv, Condition: "one s for all linears behind the norm", Remains: "Γ of the norm"},
		{Name: "mlp", Length: cfg.Hidden, Unit: "channels of the norm", Uses: mlp, Condition: "one s for all linears behind the norm", Remains: "Γ of the norm"},
		{Name: "vo", Length: cfg.KVHeads * d, Unit: "channels of the KV heads", Uses: vo, Condition: "repeated over the query heads of a group", Remains: "nothing"},
	}
	qk := Kind{Name: "qk", Length: cfg.KVHeads * d, Unit: "channels of the KV heads", Remains: "nothing",
		Uses: []Use{{Linear: q, Divide: true, Index: reader}, {Linear: k, Index: same}}}
	switch {
	case cfg.HeadNorm: // a scaled row would be normalised away
		pair := func(i int) int { return i % half }
		qk.Length, qk.pairs, qk.Unit = half, d, "rotary pairs of a head"
		qk.Uses = []Use{{Linear: "self_attn.q_norm", Divide: true, Index: pair}, {Linear: "self_attn.k_norm", Index: pair}}
		qk.Condition, qk.Remains = "one s for all heads and for both channels of a rotary pair", "Γ of the head norms"
	case cfg.Rotary():
		qk.Length, qk.pairs, qk.Unit = cfg.KVHeads*half, cfg.KVHeads*d, "rotary pairs of the KV heads"
		qk.Uses[0].Index = func(i int) int { c := reader(i); return c/d*half + c%half }
		qk.Uses[1].Index = func(i int) int { return i/d*half + i%half }
		qk.Condition = "one s for both channels of a rotary pair"
	}
	table = append(table, qk)
	if cfg.Gated() {
		table = append(table, Kind{Name: "gate_up", Length: cfg.FFN, Unit: "channels of the MLP", Condition: "s > 0", Remains: "α = 1/s in DI-SwiGLU",
			Uses: []Use{{Linear: gate, Index: same}, {Linear: up, Divide: true, Index: same}}})
	}
	table = append(table, Kind{Name: "up_down", Length: cfg.FFN, Unit: "channels of the MLP", Condition: "s > 0 where a ReLU lies between", Remains: "nothing",
		Uses: []Use{{Linear: up, Divide: true, Index: same}, {Linear: down, Cols: true, Index: same}}})
	if !cfg.LayerNorm() || !cfg.QKVBias {
		return table
	}
	table = append(table, Kind{Name: "shift_qkv", Length: cfg.Hidden, Unit: "channels of the norm", Shift: true, Uses: qkv, Remains: "biases"})
	if cfg.MLPBias {
		table = append(table, Kind{Name: "shift_mlp", Length: cfg.Hidden, Unit: "channels of the norm", Shift: true, Uses: mlp, Remains: "biases"})
	}
	if cfg.OutBias {
		table = append(table, Kind{Name: "shift_vo", Length: cfg.KVHeads * d, Unit: "channels of the KV heads", Shift: true, Uses: vo,
			Condition: "the weights of the softmax sum to 1", Remains: "biases"})
	}
	return table
}

// linearRows is the number of output channels of a linear of a block, 0 if the model has none of that name.
func linearRows(cfg model.Config, name string) int {
	switch name {
	case "self_attn.q_proj":
		return cfg.Heads * cfg.HeadDim
	case "self_attn.k_proj", "self_attn.v_proj":
		return cfg.KVHeads * cfg.HeadDim
	case "self_attn.o_proj", "mlp.down_proj":
		return cfg.Hidden
	case "mlp.up_proj":
		return cfg.FFN
	case "mlp.gate_proj":
		if cfg.Gated() {
			return cfg.FFN
		}
	}
	return 0
}

// Linears lists the linears of a block by their names in Clip, in network order.
func Linears(cfg model.Config) []string {
	list := []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"}
	if cfg.Gated() {
		list = append(list, "mlp.gate_proj")
	}
	return append(list, "mlp.up_proj", "mlp.down_proj")
}

// layerName is model.LayerName with ".weight" or ".bias" put on.
func layerName(n int, linear, part string) string {
	return fmt.Sprintf("model.layers.%d.%s%s", n, linear, part)
}
