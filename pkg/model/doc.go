// Package model opens, saves and varies pretrained models of the LLaMA and OPT
// families: configuration, weights under canonical names, tokenizer. Sources are GGUF
// files and directories in the layout of the Hugging Face hub (config.json,
// tokenizer.json, *.safetensors), which [Save] writes too.
//
// # Two families
//
//	family (Config.Architecture)   norm        positions        MLP                     model_type of config.json
//	llama                          RMSNorm     RoPE             down(SiLU(gate)·up)     llama, mistral, qwen2, qwen3
//	opt                            LayerNorm   learned rows     down(ReLU(up))          opt (pre-norm)
//
// What differs within a family is a field of [Config]: QKVBias (qwen2; llama with
// attention_bias, which sets OutBias too; opt), MLPBias (llama with mlp_bias; opt),
// HeadNorm (qwen3), grouped key/value heads (all but opt), a tied head.
//
// # One view of the formats
//
// Whatever the source, tensors have one set of names and one row order, and read as
// float32:
//
//	canonical name                                     OPT's own name              GGUF                       shape
//	model.embed_tokens.weight                          model.decoder.embed_tokens  token_embd                 [V, C]
//	model.embed_positions.weight (opt)                 …embed_positions, 2 rows later  –                      [P, C]
//	model.layers.N.input_layernorm.weight              …self_attn_layer_norm       blk.N.attn_norm            [C]
//	model.layers.N.self_attn.{q,k,v}_proj.weight       the same                    blk.N.attn_{q,k,v}         [H·D, C] or [Hkv·D, C]
//	model.layers.N.self_attn.{q,k}_norm.weight         –                           blk.N.attn_{q,k}_norm      [D]
//	model.layers.N.self_attn.o_proj.weight             …out_proj                   blk.N.attn_output          [C, H·D]
//	model.layers.N.post_attention_layernorm.weight     …final_layer_norm           blk.N.ffn_norm             [C]
//	model.layers.N.mlp.{gate,up}_proj.weight           –, …fc1                     blk.N.ffn_{gate,up}        [F, C]
//	model.layers.N.mlp.down_proj.weight                …fc2                        blk.N.ffn_down             [C, F]
//	model.norm.weight                                  …final_layer_norm           output_norm                [C]
//	lm_head.weight                                     the same, or tied           output, or tied            [V, C]
//
// V vocabulary, C hidden size, H heads, Hkv key/value heads, D head size, F
// feed-forward size, P longest context. A bias has the name of its weight with
// ".bias" and stands directly behind it in [Model.Names]; every norm of opt has one.
// A tied head reads as the embedding. OPT's table of positions has two rows that no
// position uses; they are left out here and written as zeros by Save.
//
// # Rotary pairs
//
// The rotation of position p acts on pairs of a head's channels. Safetensors files
// pair (i, i + D/2). Conversion of a LLaMA to GGUF reorders the rows of q and k within
// each head so that the pairs are (2i, 2i+1); that of a Qwen leaves them alone:
//
//	safetensors row   0  1  2 … D/2−1 │ D/2  D/2+1 … D−1
//	GGUF row (llama)  0  2  4 …  D−2  │  1     3   … D−1
//
// Float32 undoes it, so users pair (i, i + D/2) always. [Config.RopeFrequencies]
// gives the angles per position.
//
// # Map of the package
//
//	config.go    Config, its checks               rope.go       rotary frequencies
//	model.go     Open, Float32, Hash              names.go      the tensors of a configuration
//	fromdir.go, hfconfig.go   directories         fromgguf.go   GGUF files
//	save.go      Save                             outliers.go   InjectOutliers: small models as hard to quantise as large ones
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
// missing or has another shape than the configuration implies is refused at Open, as
// is a bias or head norm that the configuration does not announce, a tokenizer with
// more ids than the embedding has rows, and, by field and value, what a forward pass
// would have to know about and does not: other activations, experts, sliding windows
// shorter than the context, partial rotation, unknown RoPE scalings, norms behind the
// blocks, embeddings narrower than the blocks, weights that are quantised already.
package model
