package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/nb"
)

// notebookHoles are what one notebook of a run left empty.
type notebookHoles struct {
	notebook string
	holes    []nb.Hole
}

// tellHoles names what the notebooks could not show, and makes of it the exit code of a
// run: exitMissing where a number that was asked for is nowhere.
//
// A row of a table counts when no record, shipped or own, answers it and it was not
// computed. A model that is only run beside its shipped record counts when it was asked
// for: by --full, or by name in -p. So a clone without SmolLM2 has the whole default
// tables, and the run that shows them is a success.
func (a *app) tellHoles(list []notebookHoles, asked func(model string) bool) error {
	var names, tables []string
	for _, n := range list {
		for _, h := range n.holes {
			counts := !h.Beside || asked(h.Model)
			verb := "missing"
			if !counts {
				verb = "left out, its record stands"
			}
			a.printf("%s: %s: %s\n", n.notebook, verb, h)
			if err := a.record(map[string]any{"kind": "hole", "notebook": n.notebook, "hole": h, "counts": counts}); err != nil {
				return err
			}
			if counts {
				names = append(names, h.Name())
				tables = append(tables, n.notebook)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return withCode(exitMissing, fmt.Errorf("reproduce: parts of %s have no numbers (%d): %s", strings.Join(slices.Compact(tables), ", "), len(names), strings.Join(names, "; ")))
}
