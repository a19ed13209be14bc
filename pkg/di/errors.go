package di

import "errors"

// Misuse by the program; bad data never reaches these, the artefact's checks stop it before.
var (
	errRoPEDim  = errors.New("di: RoPE: len(t) != head dimension")
	errRoPEPos  = errors.New("di: RoPE: position outside the tables")
	errRow      = errors.New("di: row longer than the worker's maxRow")
	errLengths  = errors.New("di: rows of different lengths")
	errSpec     = errors.New("di: invalid Spec")
	errEmbed    = errors.New("di: Embed: id or length outside the table")
	errHadamard = errors.New("di: Hadamard: len(t) != order")
	errRatio    = errors.New("di: Ratio outside one half to 1")
	errMergeRow = errors.New("di: Merge: row scale below the common one")
)
