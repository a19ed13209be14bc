// Package fsbr finds smoothing factors and weight-clipping ratios by block reconstruction: fully-smooth block
// reconstruction of I-LLM (arXiv:2405.17849) with the integer engine's quantisers, and OmniQuant (arXiv:2308.13137) and
// SmoothQuant (arXiv:2211.10438) as special cases of the same code. The result is a smooth.Factors.
package fsbr
