package tasks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnknown marks a name that is no task.
var ErrUnknown = errors.New("unknown task")

// Task describes one task; the values of the package are complete.
type Task struct {
	Name    string // in commands, metrics and files
	Title   string // in tables
	File    string // below ILLM_DATA
	Split   string // of the data set
	Version int    // raised whenever the same file gives other scores
	Items   int    // number of items
	SHA256  string // of the items (Set.Hash)
	Normed  bool   // acc_norm is defined

	parse func(line []byte) (Item, error)
	hub   source
}

// Item is one question as text.
type Item struct {
	Row     int    // number of its line, from 0
	ID      string // the data set's own name for it, "" where it has none
	Gold    int    // the right choice
	Choices []Choice
}

// Choice is what one answer adds up from.
type Choice struct {
	Context      string // the model reads this
	Continuation string // and is scored on this
	Chars        int    // code points of the answer, for acc_norm
}

// PIQA … WinoGrande are the names of the tasks.
const (
	PIQA         = "piqa"
	ARCEasy      = "arc_easy"
	ARCChallenge = "arc_challenge"
	BoolQ        = "boolq"
	HellaSwag    = "hellaswag"
	WinoGrande   = "winogrande"
)

// All returns the tasks in the order of the paper's tables.
func All() []Task {
	return []Task{
		{Name: PIQA, Title: "PIQA", File: "zeroshot/piqa.jsonl.gz", Split: "validation", Version: 1, Items: 1838, Normed: true, parse: parsePIQA, hub: hubPIQA,
			SHA256: "19d827fe54c84de5269c6337271f8db5e9885754d48a25a6a3eb28829e7c2d3a"},
		{Name: ARCEasy, Title: "ARC-e", File: "zeroshot/arc_easy.jsonl.gz", Split: "test", Version: 1, Items: 2376, Normed: true, parse: parseARC, hub: hubARC("ARC-Easy"),
			SHA256: "28ef7945675faff36ccd5df5a66533c04cf6017ee54e886d580645d5a871defa"},
		{Name: ARCChallenge, Title: "ARC-c", File: "zeroshot/arc_challenge.jsonl.gz", Split: "test", Version: 1, Items: 1172, Normed: true, parse: parseARC, hub: hubARC("ARC-Challenge"),
			SHA256: "ebec8871db0dd5c20d9a599cb6a507067084600d45112acca56056135bdb17e3"},
		{Name: BoolQ, Title: "BoolQ", File: "zeroshot/boolq.jsonl.gz", Split: "validation", Version: 1, Items: 3270, parse: parseBoolQ, hub: hubBoolQ,
			SHA256: "c24e2e346ef5a43d5ce6064cc48d5545877c9dc9dd4cd1455c7467c784ea5df7"},
		{Name: HellaSwag, Title: "HellaSwag", File: "zeroshot/hellaswag.jsonl.gz", Split: "validation", Version: 1, Items: 10042, Normed: true, parse: parseHellaSwag, hub: hubHellaSwag,
			SHA256: "d5c3042809ba30eb67ba655b0edea51e6c9fbe66af2c959b7136239c4752a723"},
		{Name: WinoGrande, Title: "WinoGrande", File: "zeroshot/winogrande.jsonl.gz", Split: "validation", Version: 1, Items: 1267, parse: parseWinoGrande, hub: hubWinoGrande,
			SHA256: "9f368878ba09306bf95d896f0a77efbe7754163720f80f17c92d7c4ca581c014"},
	}
}

// Names lists the tasks' names in the order of All.
func Names() []string {
	var names []string
	for _, t := range All() {
		names = append(names, t.Name)
	}
	return names
}

// Find returns the tasks of a list of names separated by commas, in the order of All and each once;
// "all" stands for all of them. An error for another name wraps ErrUnknown.
func Find(list string) ([]Task, error) {
	all := All()
	want := make([]bool, len(all))
	for _, name := range strings.Split(list, ",") {
		switch name = strings.TrimSpace(name); name {
		case "":
			continue
		case "all":
			for i := range want {
				want[i] = true
			}
			continue
		}
		i := slices.IndexFunc(all, func(t Task) bool { return t.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("tasks: %w %q: expected all, or some of %s", ErrUnknown, name, strings.Join(Names(), ", "))
		}
		want[i] = true
	}
	var out []Task
	for i, t := range all {
		if want[i] {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("tasks: %w: expected all, or some of %s, found none", ErrUnknown, strings.Join(Names(), ", "))
	}
	return out, nil
}
