// Package accel runs the float model, and the float simulation of the integer engine's quantisers, on a backend of GoMLX:
// an accelerator, where there is one. It computes what packages floatref and baseline/fakequant compute, for tables with
// many rows; integers have no place here.
//
// # What runs
//
// Four programs, each for a batch of B sequences of T tokens:
//
//	embed   tokens [B·T]                                → x [B·T, C]
//	block   weights of one block, its numbers, x        → x [B·T, C]
//	head    final norm and head, x, rows [R]            → logits [R, V], or
//	score   final norm and head, x, rows [R], targets   → ln p(target) [R]
//
// One executable of each serves all blocks, all widths and all methods of an architecture: levels of the grids, range
// ratios, clip and gains are inputs. Weights come rounded from fakequant.Plan and stay on the device. Sequences of one
// batch are padded on the right to one of a few lengths, which no position before the padding sees.
//
// # Accuracy
//
// Float32 in another order of additions, with e^x of the backend. Where products round their operands to TF32,
// Options.Split makes them as accurate as float32 (tape.Graph.DotSplit). Against package floatref logits differ by at most 2·10⁻⁵ of
// their range; behind quantisers a value within 10⁻⁶ of a tie may fall on the other side of it, so that single logits of a
// simulation differ by more and its means do not: TestFloat, TestSimulation, on GoMLX's backends for a CPU. The bits depend on
// the backend, and on an accelerator perhaps on the run.
//
// # Limits
//
// No online rotations, no formulas in place of e^x (fakequant.Options.Before, Shapes), no sessions.
package accel
