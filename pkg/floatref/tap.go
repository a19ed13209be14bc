package floatref

// Site names a tensor of the forward pass; doc.go shows where each one stands.
type Site uint8

const (
	Residual    Site = iota // h entering block Layer; Layer = number of blocks: h entering the final norm
	ResidualMid             // h between attention and MLP of block Layer
	AttnIn                  // input of q, k, v: [hidden]
	Query                   // q after bias, head norm and RoPE, before 1/√d: per query head, [head_dim]
	Key                     // k, likewise: per KV head, [head_dim]
	Value                   // v: per KV head, [head_dim]
	Scores                  // q·k_j/√d of the visible keys j ≤ position: one row a call, per query head, [position+1]
	AttnOut                 // input of o, all heads side by side: [heads·head_dim]
	MLPIn                   // input of gate and up, of up alone without a gate: [hidden]
	Gate                    // g: [ffn]; not seen in the OPT family, which has no gate
	Up                      // u: [ffn]; OPT: output of fc1 with its bias, before ReLU
	Product                 // g·σ(g)·u, OPT: max(0, u), input of down: [ffn]
	HeadIn                  // input of the head: [hidden]; Layer = number of blocks
	siteCount
)

var siteNames = [siteCount]string{"residual", "residual_mid", "attn_in", "query", "key", "value", "scores",
	"attn_out", "mlp_in", "gate", "up", "product", "head_in"}

// String is the name of the site in lower case, as in statistics and records.
func (s Site) String() string {
	if s < siteCount {
		return siteNames[s]
	}
	return "unknown"
}

// Sites is the number of sites; they are 0 … Sites−1.
const Sites = int(siteCount)

// Block is a block of rows of one tensor, rows being consecutive token positions.
type Block struct {
	Site   Site
	Layer  int
	Head   int       // query or KV head at Query, Key, Value, Scores; 0 elsewhere
	Pos    int       // position of the first row
	Rows   int       //
	Cols   int       // values of a row
	X      []float32 // row r: X[r·Stride : r·Stride+Cols]
	Stride int
}

// Row returns row r of the block.
func (b *Block) Row(r int) []float32 { return b.X[r*b.Stride:][:b.Cols] }

// Tap sees the tensors of the forward pass while they are computed and may change them in place:
// the pass goes on with what the tap leaves. Calls come from several goroutines at a time, for different rows
// or heads. The block and its values must not be kept after the call.
//
// Every row of every site that the model has is seen exactly once in a call of Logits or Session.Append.
type Tap interface {
	Tap(b *Block)
}

// Taps calls several taps in order.
type Taps []Tap

// Tap implements Tap.
func (t Taps) Tap(b *Block) {
	for _, x := range t {
		x.Tap(b)
	}
}
