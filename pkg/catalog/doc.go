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
// # Methods
//
// A recipe may say how the weights were prepared: w4a4-fsbr. The factors behind it (package
// smooth) are looked up as MODEL-RECIPE.safetensors in the folder of ILLM_FACTORS, among the
// shipped ones (data/factors), in the cache ("illm calibrate" puts them there); first under the
// recipe's own name, then under that of its base: w4a4kv8-fsbr takes w4a4-fsbr. They name the
// weights that they belong to. The artefact's name in the cache has their hash. Where the codes
// are chosen by GPTQ, that happens when the artefact is made, on the pinned tokens that the file
// names; such codes depend on all widths of the recipe, and so does the artefact.
//
//	smoothquant, rotate, gptq, best   MakeFactors: closed form
//	omniquant, fsbr                   trained (package fsbr)
//
// A factor file may also hold one clip value of the softmax a layer, in place of c = 15 in all of them (SearchClips;
// variants such as w4a4-best@clips). The list changes no code: its artefact is a copy of the one without it, with another
// header, and a run with any other clip is refused.
//
// Simulation is the float simulation of the same.
//
// # Calibration
//
// The residual grid needs one pass of the float model over calibration text. Its
// result is looked up among the shipped calibrations (data/records), then in the
// cache, then computed: raw WikiText-2 train text where it can be had, else
// Isaac Newton's Opticks from the Go distribution. Factors leave the residual stream as it is;
// a residual rotation does not, and its factors bring the range of the rotated stream along.
//
// # Static recipes
//
// w8a8-static, w4a4-fsbr-static999 and their like run on the artefact of the dynamic recipe, with constant grids from one
// more pass of the float model over the same text (16 windows, Options.StaticWindows; the recipe's factors and rotations
// folded in). Its ranges are kept in the cache's calibrations/static-WEIGHTS-WINDOWS[-FACTORS].json, checked when they
// are read, and made again where they are damaged or of another text. An artefact alone has no such ranges: its float
// model is needed.
package catalog
