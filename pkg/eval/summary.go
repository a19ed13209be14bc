package eval

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/illm-go/illm/pkg/record"
)

// Summary is the statistics of one model over its windows. Errors (…Err) are
// standard errors of the mean over windows, by first order where the number is
// a function of a mean; they are 0 for a single window.
type Summary struct {
	Windows, Predictions int

	NLL, NLLErr float64 // mean negative log-likelihood a token, nats
	PPL, PPLErr float64 // exp(NLL)

	// Against the base model; all zero unless Compared.
	Compared           bool
	LnRatio, LnErr     float64 // ln(PPL/PPL_base), paired by window
	KL, KLErr          float64 // mean KL divergence, nats
	KLMedian, KLP99    float64 // over positions: the smallest value that 50 %, 99 % of them do not exceed
	RMSDP, RMSDPErr    float64 // root of the mean squared change of the target's probability
	SameTop, SameTopSE float64 // positions with the base's most likely token, percent
}

// Summarize combines windows; kl holds the KL divergence of each position, nil
// without a base model.
func Summarize(stats []record.WindowStat, kl []float32) Summary {
	var s Summary
	s.Windows = len(stats)
	nll := make([]float64, len(stats))
	diff, div, dp2, same := slices.Clone(nll), slices.Clone(nll), slices.Clone(nll), slices.Clone(nll)
	for i, w := range stats {
		n := float64(w.N)
		s.Predictions += w.N
		nll[i], diff[i] = w.NLL/n, (w.NLL-w.BaseNLL)/n
		div[i], dp2[i], same[i] = w.KL/n, w.DP2/n, float64(w.Same)/n
	}
	s.NLL, s.NLLErr = meanErr(nll)
	s.PPL = math.Exp(s.NLL)
	s.PPLErr = s.PPL * s.NLLErr
	if len(kl) == 0 {
		return s
	}
	s.Compared = true
	s.LnRatio, s.LnErr = meanErr(diff)
	s.KL, s.KLErr = meanErr(div)
	sorted := make([]float64, len(kl))
	for i, v := range kl {
		sorted[i] = float64(v)
	}
	slices.Sort(sorted)
	s.KLMedian = stat.Quantile(0.5, stat.Empirical, sorted, nil)
	s.KLP99 = stat.Quantile(0.99, stat.Empirical, sorted, nil)
	m, e := meanErr(dp2)
	if s.RMSDP = math.Sqrt(m); m > 0 {
		s.RMSDPErr = e / (2 * s.RMSDP)
	}
	m, e = meanErr(same)
	s.SameTop, s.SameTopSE = 100*m, 100*e
	return s
}

// meanErr returns the mean of x and its standard error.
func meanErr(x []float64) (mean, err float64) {
	if len(x) < 2 {
		return stat.Mean(x, nil), 0
	}
	mean, sd := stat.MeanStdDev(x, nil)
	return mean, stat.StdErr(sd, float64(len(x)))
}

// Coverage is the amount of text that the predictions of some windows cover.
type Coverage struct {
	Tokens int // predicted tokens
	Bytes  int // their length in the text
	Words  int // words that begin in them; a word is a longest run without white space
}

// Cover measures the predicted part (all but the first token) of windows
// first … first+windows−1. decode gives the bytes of tokens, as the tokenizer's
// Decode does.
func Cover(tokens []int32, window, first, windows int, decode func([]int32) []byte) Coverage {
	var c Coverage
	for w := first; w < first+windows; w++ {
		chunk := tokens[w*window:][:window]
		text := decode(chunk)
		skip := min(len(decode(chunk[:1])), len(text))
		c.Tokens += window - 1
		c.Bytes += len(text) - skip
		c.Words += wordStarts(text, skip)
	}
	return c
}

// Metrics returns the summary as metrics of a record. The window length and the
// number of windows belong to the record's configuration. A zero Coverage leaves
// out what is measured by word and by byte.
func (s Summary) Metrics(c Coverage) []record.Metric {
	m := []record.Metric{
		{Name: "ppl", Value: s.PPL, Stderr: s.PPLErr, N: s.Windows, Unit: "per token", Better: record.Lower},
		{Name: "nll", Value: s.NLL, Stderr: s.NLLErr, N: s.Windows, Unit: "nats/token", Better: record.Lower},
	}
	if c.Words > 0 {
		f := float64(c.Tokens) / float64(c.Words)
		p := math.Exp(s.NLL * f)
		m = append(m, record.Metric{Name: "ppl_word", Value: p, Stderr: p * f * s.NLLErr, N: s.Windows, Unit: "per word", Better: record.Lower})
	}
	if c.Bytes > 0 {
		f := float64(c.Tokens) / float64(c.Bytes) / math.Ln2
		m = append(m, record.Metric{Name: "bits_per_byte", Value: s.NLL * f, Stderr: f * s.NLLErr, N: s.Windows, Unit: "bit/byte", Better: record.Lower})
	}
	if !s.Compared {
		return m
	}
	return append(m,
		record.Metric{Name: "ln_ppl_ratio", Value: s.LnRatio, Stderr: s.LnErr, N: s.Windows, Unit: "nats/token", Better: record.Lower},
		record.Metric{Name: "kld_mean", Value: s.KL, Stderr: s.KLErr, N: s.Windows, Unit: "nats", Better: record.Lower},
		record.Metric{Name: "kld_median", Value: s.KLMedian, N: s.Predictions, Unit: "nats", Better: record.Lower},
		record.Metric{Name: "kld_p99", Value: s.KLP99, N: s.Predictions, Unit: "nats", Better: record.Lower},
		record.Metric{Name: "dp_rms", Value: s.RMSDP, Stderr: s.RMSDPErr, N: s.Windows, Unit: "probability", Better: record.Lower},
		record.Metric{Name: "same_top", Value: s.SameTop, Stderr: s.SameTopSE, N: s.Windows, Unit: "%", Better: record.Higher},
	)
}
