// Package model opens pretrained models of the LLaMA architecture: configuration,
// weights under canonical names, tokenizer. Sources are GGUF files and directories
// in the layout of the Hugging Face hub (config.json, tokenizer.json, *.safetensors).
//
// # One view of two formats
//
// Whatever the source, tensors have the names of the safetensors files and their
// row order, and read as float32:
//
//	canonical name                                     GGUF                   shape
//	model.embed_tokens.weight                          token_embd             [V, C]
//	model.layers.N.input_layernorm.weight              blk.N.attn_norm        [C]
//	model.layers.N.self_attn.{q,k,v}_proj.weight       blk.N.attn_{q,k,v}     [H·D, C] or [Hkv·D, C]
//	model.layers.N.self_attn.o_proj.weight             blk.N.attn_output      [C, H·D]
//	model.layers.N.post_attention_layernorm.weight     blk.N.ffn_norm         [C]
//	model.layers.N.mlp.{gate,up,down}_proj.weight      blk.N.ffn_{gate,up,down}  [F, C], down [C, F]
//	model.norm.weight                                  output_norm            [C]
//	lm_head.weight                                     output, or tied        [V, C]
//
// V vocabulary, C hidden size, H heads, Hkv key/value heads, D head size, F
// feed-forward size. A tied head reads as the embedding.
//
// # Rotary pairs
//
// The rotation of position p acts on pairs of a head's channels. Safetensors files
// pair (i, i + D/2). Conversion to GGUF reorders the rows of q and k within each
// head so that the pairs are (2i, 2i+1):
//
//	safetensors row   0  1  2 … D/2−1 │ D/2  D/2+1 … D−1
//	GGUF row          0  2  4 …  D−2  │  1     3   … D−1
//
// Float32 undoes it, so users pair (i, i + D/2) always. [Config.RopeFrequencies]
// gives the angles per position.
//
// # Cost and lifetime
//
// Open reads headers and builds the tokenizer (SmolLM2-135M: about 40 ms); weights
// stay in the mapped file. Float32 dequantises on demand into the caller's buffer.
// After Close nothing can be read; Config and Tokenizer stay valid.
//
// # Bad input
//
// Parsers check every number they read, see packages gguf and safetensors.
// [Config.Validate] names the field and the value it refuses; a tensor that is
// missing or has another shape than the configuration implies is refused at Open,
// as are things that a forward pass would have to know about and does not: biases,
// experts, sliding windows, partial rotation, unknown RoPE scalings.
package model
