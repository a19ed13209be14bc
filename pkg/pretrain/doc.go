// Package pretrain trains decoder language models from random weights, described by the same model.Config that drives
// the float reference and the integer engine. It is written on GoMLX's backend interface and runs on its XLA backends
// ("xla:cuda", "xla:cpu") and on its pure-Go one ("go", for small tests).
//
// # Notation
//
// B windows of T tokens make a batch of N = B·T positions; C = Hidden, V = Vocab, H query heads and KV key/value heads
// of d channels, G = H/KV. Activations are [N, C], weights [out, in], both row-major.
//
// # Map
//
//	preset.go      the two tiny models
//	tensors.go     which tensors a configuration has, their initial values, FLOPs per token
//	network.go     the two families, on the operations of package tape
//	step.go        one step as one program: forward, backward, clipping, AdamW, moving average
//	data.go        token streams, the order of windows
//	schedule.go    learning rate
//	options.go     Options, their defaults and checks
//	train.go       Train: the loop
//	run.go         its start, validations, checkpoints, its end with the export
//	curve.go       the training curve
//	checkpoint.go  files to resume from
//
// # Gradients by hand
//
// GoMLX's own Gradient turns the backward pass of a matrix product into broadcast × multiply × reduce: 45 times slower
// than the DotGeneral it could be. So package tape differentiates by itself: every
// operation that is written forward also says how a gradient of its output becomes gradients of its inputs. Matrix
// products come back as matrix products:
//
//	Y = X·Wᵀ   ⇒   dX = dY·W,   dW = dYᵀ·X
//
// The tests hold all of them against finite differences and against another library's gradients.
//
// # Precision
//
// Parameters, optimizer state, the residual stream, norms, softmax and loss are float32. With Precision "bf16" the
// inputs and outputs of matrix products are bfloat16 (accumulated in float32 by the backend), among them the attention
// scores [B·KV, G·T, T], the largest tensors by far.
//
// # Determinism
//
// Initial weights come from ChaCha8, the order of windows from PCG, the dropout masks from a hash of (seed, step, place,
// index), all of them independent of the backend. A run that is interrupted and resumed has the same bits as one that is
// not, on the same backend and the same number of threads, once its length is known: with Minutes that follows from the
// speed of the first steps. XLA's CUDA backend needs two settings for that, which
// kernels/trainer gives it unless told not to: it otherwise times its kernels and takes the fastest of the day. The models
// in data/models were trained without them: the same command gives models like them, not the same bits.
package pretrain
