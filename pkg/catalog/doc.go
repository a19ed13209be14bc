// Package catalog turns the name of a model into something that runs: the float
// reference, or an integer artefact with its engine.
//
//	tiny-llama   16 million weights, LLaMA type, trained by this project; carried by
//	             the program (package data) and unpacked into the cache on first use
//	tiny-opt     6 million weights, OPT type, the same way
//	smollm2      SmolLM2-135M-Instruct, fetched once (package hub)
//	hf:ORG/NAME  a LLaMA- or OPT-type model of the Hugging Face hub
//	PATH         a GGUF file, a folder with config.json and safetensors, or an artefact
//
//	NAME+outliers[=STRENGTH[:SEED]]
//	             a view on any of these float models whose function is the same and
//	             whose channels are as uneven as those of a large one, so that it is as
//	             hard to quantise (model.InjectOutliers); float reference, simulation and
//	             integer engine all see the view
//
// An artefact is made on first use and kept in the cache folder; its name there
// is made of everything that decides its bytes: the model's hash, the widths of
// weights, head and embedding, the calibration and the semantics version. Widths
// of activations, clip and mode are settings of the run, so the recipes w4a4 and
// w4a8 share one file.
//
// The residual grid needs one pass of the float model over calibration text. Its
// result is looked up among the shipped calibrations (data/records), then in the
// cache, then computed: raw WikiText-2 train text where it can be had, else
// Isaac Newton's Opticks from the Go distribution.
package catalog
