package report

import (
	"strings"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/nb"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
)

const speedModel = "smollm2"

// questions are what the speed studies ask.
var questions = map[string]string{
	bench.StudyOperators: "Are integer softmax, norm and SwiGLU faster than equally vectorised float ones, a row at a time?",
	bench.StudyParts:     "Where does the time of a prompt go, component by component?",
	bench.StudyFloats:    "How fast is the engine with integer and with float non-linear operators?",
	bench.StudyScaling:   "What do more threads bring?",
	bench.StudyContext:   "How does the cost grow with the length of the prompt?",
	bench.StudyFloatPart: "Where does the time go when the non-linear operators are float ones?",
	bench.StudyDynamic:   "What does a grid of its own cost a row, beside a constant one?",
	bench.StudyEfficient: "T4: how much memory and time in float, in integers between float operators, and in integers alone?",
	bench.StudyShapes:    "T4: the same for blocks of large models' shapes, with synthetic weights?",
	bench.StudyRoofline:  "How close are products to the machine's arithmetic peak and read bandwidth?",
}

// speedSections are the studies of package bench and the speed of each recipe.
func speedSections(store *record.Store) []Section {
	out := []Section{speedOf(store)}
	all := bench.Measured(store.Filter(func(r *record.Record) bool { return r.Axes["study"] != "" && r.Config["task"] == "speed-study" }))
	for _, name := range bench.StudyNames() {
		of := ablation.Models4
		switch name {
		case bench.StudyOperators, bench.StudyDynamic, bench.StudyShapes: // of no model
			of = []string{""}
		}
		s := Section{Name: "speed: " + name, Question: questions[name]}
		for _, model := range of {
			if m := all.Of(name, model); len(m) > 0 {
				s.Records = append(s.Records, m...)
				s.Notes = append(s.Notes, m.Sentences())
				s.Blocks = append(s.Blocks, Block{Title: model, Chart: m.Chart(), Table: m.Grid()})
			}
		}
		if len(s.Blocks) == 0 {
			s.Missing = []string{"the whole study"}
		}
		out = append(out, s)
	}
	return out
}

// speedOf is prefill, decode and memory of the recipes, of the newest run.
func speedOf(store *record.Store) Section {
	s := Section{Name: "speed", Question: "How fast is each recipe, and how much memory do its weights and cache take?"}
	c, g, used, missing := nb.SpeedOf(store, speedModel)
	s.Records, s.Missing = used, missing
	if len(used) > 0 {
		s.Blocks = []Block{{Chart: c, Table: g}}
	}
	return s
}

// peerSection is the comparison with llama.cpp.
func peerSection(store *record.Store) Section {
	s := Section{Name: "peers", Question: "How fast is the engine beside llama.cpp on the same machine?"}
	newest := map[string]*record.Record{}
	var order []string
	for _, r := range store.Filter(func(r *record.Record) bool { return r.Axes["subject"] != "" && r.Axes["model"] == speedModel }) {
		key := strings.Join([]string{r.Axes["case"], r.Axes["subject"], r.Axes["form"]}, "\x00")
		if newest[key] == nil {
			order = append(order, key)
		}
		if old := newest[key]; old == nil || !r.Time.Before(old.Time) {
			newest[key] = r
		}
	}
	var b bench.Beside
	for _, key := range order {
		b = append(b, newest[key])
	}
	if len(b) == 0 {
		s.Missing = []string{"the whole comparison"}
		return s
	}
	s.Records = b
	s.Blocks = []Block{{Chart: b.Chart(peers.Prefill)}, {Chart: b.Chart(peers.Decode), Table: b.Grid("illm w8a8", "illm w4a8", "illm w4a4")}}
	return s
}

// command is what computes a section's records.
func (s Section) command() string {
	if _, ok := ablation.ByName(s.Name); ok {
		return "illm study run " + s.Name
	}
	if study, ok := strings.CutPrefix(s.Name, "speed: "); ok {
		return "illm bench --model " + speedModel + " --study " + study
	}
	if study, ok := map[string]string{"T1": ablation.Methods.Name, "T2, T3": ablation.ZeroShots.Name, "T5": ablation.Cumulative.Name, "T6": ablation.Clip.Name}[s.Name]; ok {
		return "illm study run " + study + " --model NAME"
	}
	switch s.Name {
	case "speed", "T4":
		return "illm bench --model " + speedModel
	case "peers":
		return "illm bench --model " + speedModel + " --peers llama.cpp"
	}
	return "illm verify tables names them"
}
