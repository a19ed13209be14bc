// Package tape builds programs for GoMLX's backends and differentiates them: values with a shape and a type, nodes with
// a gradient, and a tape that goes back over what was written forward. It knows nothing of models or files.
//
// # Notation
//
// B windows of T tokens make N = B·T positions; C channels, H query heads and KV key/value heads of d channels,
// G = H/KV. Activations are [N, C], heads [B·H, T, d], weights [out, in], all row-major.
//
// # Map
//
//	ops.go         Graph and Val: operations on values; Build compiles a program
//	tape.go        Node and Tape; residual, scaling
//	linear.go      products with weights
//	split.go       products with the accuracy of float32 where the machine has TF32
//	norm.go        RMSNorm, LayerNorm
//	attention.go   RoPE, causal grouped-query attention in chunks of queries
//	mlp.go         SiLU(gate)·up and ReLU
//	loss.go        embedding, positions, cross-entropy
//	dropout.go     masks from a hash
//	adamw.go       a step of the optimizer
//	device.go      copies to and from a backend
//	scratch.go     memory that a program needs beside its inputs and outputs
//
// # Gradients by hand
//
// GoMLX's own Gradient turns the backward pass of a matrix product into broadcast × multiply × reduce: 45 times slower
// than the DotGeneral it could be. So every operation that is written forward here also says how a gradient of its
// output becomes gradients of its inputs. Matrix products come back as matrix products:
//
//	Y = X·Wᵀ   ⇒   dX = dY·W,   dW = dYᵀ·X
//
// An operation is a method that returns a new Node and leaves a closure with [Tape.Then]; other packages add theirs the
// same way. Every node that is built must reach the loss, or its closure finds no gradient.
//
// # Errors
//
// A backend that lacks an operation is the one thing that can fail while a program is built. Methods of Graph panic with
// it and [Build] returns it.
package tape
