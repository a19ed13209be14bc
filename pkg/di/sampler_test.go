package di

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestArgmax(t *testing.T) {
	for _, c := range []struct {
		t    []int64
		want int
	}{{nil, -1}, {[]int64{5}, 0}, {[]int64{1, 3, 3, 2}, 1}, {[]int64{math.MinInt64, math.MinInt64}, 0}, {[]int64{-3, -1, -2}, 1}} {
		if got := Argmax(c.t); got != c.want {
			t.Errorf("Argmax(%v) = %d, want %d", c.t, got, c.want)
		}
	}
}

// TestSplitMix64 holds the first outputs for seed 1234567, published with the reference implementation.
func TestSplitMix64(t *testing.T) {
	s := Sampler{state: 1234567}
	var got []uint64
	for range 5 {
		got = append(got, s.next())
	}
	wantEqual(t, "SplitMix64", got, []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821})
}

func sampler(t testing.TB, c Sampling) *Sampler {
	t.Helper()
	s, err := NewSampler(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSamplerErrors(t *testing.T) {
	for _, c := range []struct {
		s    Sampling
		part string
	}{
		{Sampling{Temperature: "-1"}, "temperature"}, {Sampling{Temperature: "NaN"}, "temperature"}, {Sampling{Temperature: "1e3"}, "temperature"},
		{Sampling{Temperature: "0.1234567"}, "6 fraction digits"}, {Sampling{Temperature: "1000.1"}, "0…1000"}, {Sampling{Temperature: "."}, "temperature"},
		{Sampling{Temperature: strings.Repeat("9", 1e6)}, "temperature"},
		{Sampling{TopP: "0"}, "top-p"}, {Sampling{TopP: "1.000001"}, "top-p"}, {Sampling{TopP: "x"}, "top-p"}, {Sampling{TopK: -1}, "top-k"},
	} {
		if _, err := NewSampler(c.s); err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("NewSampler(%.40v): error %v, want one that mentions %q", c.s, err, c.part)
		}
	}
}

// logits draws v logits of standard deviation 3 in steps of 32768/2^45.
func logits(seed uint64, v int) []int64 {
	s, _, _ := scoreRow(newRand(seed), v, 3, 45)
	return s
}

// TestSampleDistribution counts draws against the float softmax: total variation of the weights themselves, and of a
// sample within its noise.
func TestSampleDistribution(t *testing.T) {
	const v = 50
	row := logits(61, v)
	s := sampler(t, Sampling{Temperature: "0.8", Seed: 5})
	top := row[Argmax(row)]
	exact, sum := make([]float64, v), 0.0
	for j := range row {
		exact[j] = math.Exp(float64(row[j]-top) * value(32768, 45) / 0.8)
		sum += exact[j]
	}
	total := float64(s.exponentials(row, s.candidates(row), top, 32768, 45))
	tv := 0.0
	for j := range row {
		tv += math.Abs(float64(s.e[j])/total-exact[j]/sum) / 2
	}
	if tv > 0.001 {
		t.Errorf("total variation %.5f, want at most 0.001", tv)
	}
	const draws = 20000
	counts := make([]float64, v)
	for range draws {
		counts[s.Sample(row, 32768, 45)]++
	}
	for j := range counts {
		p := exact[j] / sum
		if math.Abs(counts[j]/draws-p) > 5*math.Sqrt(p/draws)+0.001 {
			t.Errorf("token %d: frequency %.4f, probability %.4f", j, counts[j]/draws, p)
		}
	}
}

// TestSampleTruncation: top-k and top-p keep what a sort of the whole row keeps, and cutting nothing changes no draw.
func TestSampleTruncation(t *testing.T) {
	const v = 200
	row := logits(62, v)
	row[7], row[9] = row[3], row[3] // ties by id
	order := make([]int, v)
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case row[a] > row[b]:
			return -1
		case row[a] < row[b]:
			return 1
		}
		return a - b
	})
	plain := sampler(t, Sampling{Temperature: "1", Seed: 9})
	all := sampler(t, Sampling{Temperature: "1", TopK: v, TopP: "1", Seed: 9})
	for range 200 {
		if a, b := plain.Sample(row, 32768, 45), all.Sample(row, 32768, 45); a != b {
			t.Fatalf("top-k = V and top-p = 1 draw %d instead of %d", b, a)
		}
	}
	for _, k := range []int{1, 2, 5, 50, 199} {
		s := sampler(t, Sampling{Temperature: "3", TopK: k, Seed: 1})
		want := slices.Clone(order[:k])
		slices.Sort(want)
		var got []int
		for _, id := range s.candidates(row) {
			got = append(got, int(id))
		}
		wantEqual(t, "top-k candidates", got, want)
	}
	for _, p := range []string{"0.000001", "0.3", "0.9", "0.999", "0.999999"} {
		s := sampler(t, Sampling{Temperature: "2", TopP: p, Seed: 1})
		ids := s.candidates(row)
		sum := s.exponentials(row, ids, row[order[0]], 32768, 45)
		need, mass, n := s.topP*sum, uint64(0), 0
		for mass<<16 < need {
			mass += uint64(s.e[order[n]])
			n++
		}
		want := slices.Clone(order[:n])
		slices.Sort(want)
		kept, keptMass := s.nucleus(row, ids, sum)
		var got []int
		for _, id := range kept {
			got = append(got, int(id))
		}
		wantEqual(t, "top-p "+p, got, want)
		if keptMass != mass {
			t.Errorf("top-p %s: mass %d, want %d", p, keptMass, mass)
		}
	}
}

func TestSampleEdges(t *testing.T) {
	row := logits(63, 30)
	for _, tau := range []string{"", "0", "0.000"} {
		if got := sampler(t, Sampling{Temperature: tau}).Sample(row, 32768, 45); got != Argmax(row) {
			t.Errorf("temperature %q: token %d, want the largest logit %d", tau, got, Argmax(row))
		}
	}
	s := sampler(t, Sampling{Temperature: "0.000001", Seed: 3})
	if got := s.Sample(row, 32768, 45); got != Argmax(row) {
		t.Errorf("τ → 0: token %d, want %d", got, Argmax(row))
	}
	if got := s.Sample(nil, 32768, 45); got != -1 {
		t.Errorf("no logits: %d", got)
	}
	if got := s.Sample(row, 0, 0); got != Argmax(row) {
		t.Errorf("scale 0: %d", got)
	}
	if got := s.Sample([]int64{-1 << 59, 1 << 59}, 65535, 50); got != 1 {
		t.Errorf("logits at the ends of their range: %d", got)
	}
	a, b := sampler(t, Sampling{Temperature: "1", Seed: 77}), sampler(t, Sampling{Temperature: "1", Seed: 77})
	for range 50 {
		if a.Sample(row, 32768, 45) != b.Sample(row, 32768, 45) {
			t.Fatal("same seed, different tokens")
		}
	}
}
