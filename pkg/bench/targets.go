package bench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
)

// Target is one of the numbers that the project set itself for its speed, with what the newest records say of it. It may
// be about several cases, such as matrices of different shapes; the worst of them decides.
type Target struct {
	Part    string
	Goal           // of the worst case; no number where Cases is 0
	Case    string // the worst one
	Reached int    // cases
	Cases   int
	Idea    string // what to try next where it is missed
	Proof   string // the test that decides, where no record can
	On      string // processor and date of the records
}

// Verdict is "reached", "missed", "open" where the worst case's interval holds the goal, "no record", or "tested".
func (t Target) Verdict() string {
	switch {
	case t.Proof != "":
		return "tested"
	case t.Cases == 0:
		return "no record"
	}
	return t.State()
}

// take enters a case.
func (t *Target) take(g Goal, of string, r *record.Record) {
	t.Cases++
	if g.State() == "reached" {
		t.Reached++
	}
	distance := func(g Goal) float64 {
		if g.AtMost {
			return -g.Value
		}
		return g.Value
	}
	if t.Cases == 1 || distance(g) < distance(t.Goal) {
		g.What, g.Goal, g.AtMost = t.What, t.Goal.Goal, t.AtMost
		t.Goal, t.Case = g, of
		t.On = fmt.Sprintf("%s, %s", r.Env.CPU, r.Time.Format("2006-01-02"))
	}
}

// Targets holds the newest records on a model, shipped and the user's own, against every number that was set. Matrix
// products belong to no model.
func Targets(model string) ([]Target, error) {
	store, err := record.Open(record.Options{Shipped: data.Records()})
	if err != nil {
		return nil, err
	}
	return TargetsOf(store, model), nil
}

// peakBeyond is the share of the arithmetic peak that integer products are to reach beyond what was asked.
const peakBeyond = 0.85

// TargetsOf is Targets of the records of a store.
func TargetsOf(store *record.Store, model string) (out []Target) {
	beside := newestPeers(store, model)
	parts := map[peers.Op]string{peers.Prefill: "prefill", peers.Decode: "decode", peers.Memory: "memory", peers.GEMM: "integer products", peers.SGEMM: "float products"}
	for _, g := range goals() {
		t := Target{Part: parts[g.op], Goal: Goal{What: g.what(), Goal: g.least}, Idea: g.idea}
		g.measure(&t, beside)
		out = append(out, t)
		if g.ours == nameInt8 && g.theirs[0] == namePeak {
			g.least = peakBeyond
			t = Target{Part: t.Part, Goal: Goal{What: "the same, the goal beyond", Goal: g.least}, Idea: g.idea}
			g.measure(&t, beside)
			out = append(out, t)
		}
	}
	out = append(out, firstTokenTarget(beside))
	all := Measured(store.Filter(func(r *record.Record) bool { return r.Axes["study"] != "" && r.Config["task"] == "speed-study" }))
	limit := all.Of(StudyParts, model).products("w8a8")
	for i, t := range out {
		if limit > 0 && t.Cases > 0 && strings.Contains(t.What, string(peers.Prefill)+": illm w8a8") {
			out[i].Idea += fmt.Sprintf("; the linear products alone, with nothing between them, would be at %.2f", t.Value/limit)
		}
	}
	return append(append(out, studyTargets(all, model)...), provedTargets()...)
}

// products is the part of prefill that the linear products of a recipe take, 0 without a record.
func (m Measured) products(recipe string) float64 {
	for _, r := range m {
		if r.Axes["component"] == "linear products" && r.Axes["recipe"] == recipe {
			return number(r, "share") / 100
		}
	}
	return 0
}

// newestPeers are the newest records of bench --peers on a model, and on matrices, by case, subject and form.
func newestPeers(store *record.Store, model string) (out []*record.Record) {
	place := map[string]int{}
	for _, r := range store.Filter(func(r *record.Record) bool {
		return r.Axes["subject"] != "" && (r.Axes["model"] == model || r.Axes["model"] == "")
	}) {
		key := strings.Join([]string{r.Axes["case"], r.Axes["subject"], r.Axes["form"]}, "\x00")
		if i, ok := place[key]; !ok {
			place[key] = len(out)
			out = append(out, r)
		} else if !r.Time.Before(out[i].Time) {
			out[i] = r
		}
	}
	return out
}

// rowsOf is the number of rows of a matrix product's record, 0 of another.
func rowsOf(r *record.Record) int {
	c, _ := r.Config["case"].(map[string]any)
	switch m := c["m"].(type) {
	case float64:
		return int(m)
	case interface{ Int64() (int64, error) }:
		n, _ := m.Int64()
		return int(n)
	}
	return 0
}

// measure enters the cases of a comparison: in each the fastest of theirs.
func (g goal) measure(t *Target, list []*record.Record) {
	best := map[string]*record.Record{}
	var order []string
	for _, r := range list {
		if peers.Op(r.Axes["op"]) != g.op || !slices.Contains(g.theirs, r.Axes["subject"]) {
			continue
		}
		if m := rowsOf(r); g.to > 0 && (m < g.from || m > g.to) {
			continue
		}
		if _, ok := r.Metric("ratio_" + g.ours); !ok {
			continue // not its faster form, or ours was not measured beside it
		}
		name := r.Axes["case"]
		switch old := best[name]; {
		case old == nil:
			order, best[name] = append(order, name), r
		case number(r, "ratio_"+g.ours) < number(old, "ratio_"+g.ours):
			best[name] = r
		}
	}
	for _, name := range order {
		r, metric := best[name], "ratio_"+g.ours
		t.take(Goal{Value: number(r, metric), Low: number(r, metric+"_low"), High: number(r, metric+"_high"), Goal: g.least}, name, r)
	}
}

// firstTokenTarget is about the slowest of our integer recipes.
func firstTokenTarget(list []*record.Record) Target {
	t := Target{Part: "load", Goal: Goal{What: "from the artefact to the first token behind a prompt of 16, in ms", Goal: 1e3 * firstToken, AtMost: true},
		Idea: "read the tokenizer and the norms when they are first asked for"}
	for _, r := range list {
		if peers.Op(r.Axes["op"]) == peers.First && strings.HasPrefix(r.Axes["subject"], "illm w") {
			t.take(Goal{Value: 1e3 * number(r, "seconds"), Low: 1e3 * number(r, "seconds_q1"), High: 1e3 * number(r, "seconds_q3"), Goal: 1e3 * firstToken, AtMost: true}, r.Axes["subject"], r)
		}
	}
	return t
}

// studyGoals are the numbers that the studies answer: goals whose sentence begins so.
var studyGoals = []struct {
	part, study, begins, what string
	goal                      float64
	most                      bool
	idea                      string
}{
	{"operators", StudyOperators, "softmax", "softmax, aligned scores to weights: time by an equally vectorised float32 one", 1, true,
		"one pass for the exponential of all columns that share a shift, 32-bit lanes throughout, the reciprocal in two halves"},
	{"operators", StudyOperators, "softmax", "the same, the goal beyond", 0.5, true, "8-bit scores have 256 values: numerators by a table in registers"},
	{"operators", StudyOperators, "rmsnorm", "RMSNorm to codes: time by float32 with quantisation", 1, true, "16 lanes of 32 bits for what is provably that small, 64 only for the sum of squares"},
	{"operators", StudyOperators, "layernorm", "LayerNorm to codes: time by float32 with quantisation", 1, true, "the same, and mean and squares in one pass"},
	{"operators", StudyOperators, "swiglu", "SwiGLU to codes: time by float32 with quantisation", 1, true, "gate and up share a pass with their requantisation"},
	{"operators", StudyParts, "dynamic requantisation", "dynamic requantisation's share of prefill, in %", 8, true, "the range of a row out of the products' own epilogue"},
	{"prefill", StudyFloats, "prefill with float32", "prefill with float32 operators by prefill with integer ones", 1.2, false,
		"faster integer operators: see softmax, norm and SwiGLU"},
	{"threads", StudyScaling, "prefill on one thread", "prefill on one thread by prefill on two", 1.85, false, "smaller row blocks at the end of a phase"},
	{"length", StudyContext, "linear parts", "linear parts off a constant cost a token", 0.1, true, "a profile of more samples"},
	{"length", StudyContext, "attention off", "attention off a cost a row and a cost a pair", 0.15, true, "a profile of more samples"},
	{"length", StudyContext, "attention's cost a pair", "attention's cost a pair, off that of the shortest long prompt", 0.15, true, "tiles of keys that stay in the second-level cache"},
}

// studyTargets answers them from the newest run of each study.
func studyTargets(all Measured, model string) (out []Target) {
	for _, g := range studyGoals {
		t := Target{Part: g.part, Goal: Goal{What: g.what, Goal: g.goal, AtMost: g.most}, Idea: g.idea}
		of := all.Of(g.study, model)
		for _, x := range of.Goals() {
			if strings.HasPrefix(x.What, g.begins) {
				x.Goal, x.AtMost = g.goal, g.most
				what, _, _ := strings.Cut(x.What, ":")
				t.take(x, what, of[0])
			}
		}
		out = append(out, t)
	}
	return out
}

// provedTargets are those that hold or do not, whatever the machine.
func provedTargets() []Target {
	return []Target{
		{Part: "memory", Goal: Goal{What: "allocations of a decoded token, in steady state"}, Proof: "pkg/engine: TestDecodeAllocates"},
		{Part: "bits", Goal: Goal{What: "every instruction set, batch, split and number of threads gives the same bits"}, Proof: "pkg/engine: TestSameBits; pkg/catalog: TestShippedGolden"},
		{Part: "bits", Goal: Goal{What: "no floating-point instruction between prompt and logits"}, Proof: "pkg: TestNoFloatExpressions, TestNoFloatInstructions"},
	}
}

// TargetGrid is the table of targets.
func TargetGrid(list []Target) chart.Grid {
	g := chart.Grid{Left: 2, Head: []string{"about", "target", "goal", "measured, worst case (95 %)", "cases that reach it", "verdict"}}
	for _, t := range list {
		sign, value, cases, goal := "≥", "–", "–", "–"
		if t.AtMost {
			sign = "≤"
		}
		if t.Proof == "" {
			goal = fmt.Sprintf("%s %g", sign, t.Goal.Goal)
		}
		if t.Cases > 0 {
			value = fmt.Sprintf("%.3g (%.3g–%.3g)", t.Value, t.Low, t.High)
			cases = fmt.Sprintf("%d of %d", t.Reached, t.Cases)
		}
		g.Rows = append(g.Rows, []string{t.Part, t.What, goal, value, cases, t.Verdict()})
	}
	return g
}

// IdeaGrid says of what is not reached where it is worst and what to try next, and of what records cannot tell which test
// does.
func IdeaGrid(list []Target) chart.Grid {
	g := chart.Grid{Left: 4, Head: []string{"target", "verdict", "worst case", "next idea, or the test", "measured on"}}
	for _, t := range list {
		switch t.Verdict() {
		case "missed", "open":
			g.Rows = append(g.Rows, []string{t.What, t.Verdict(), t.Case, t.Idea, t.On})
		case "tested":
			g.Rows = append(g.Rows, []string{t.What, t.Verdict(), "", t.Proof, ""})
		}
	}
	return g
}
