package nb

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/record"
)

// DynamicCost says in words what rows of their own grids cost in the records of bench.StudyDynamic: first the requantisation,
// whose two forms differ by the grid alone. Whole operators come apart from it: only their dynamic form has the fused kernel,
// so that being quicker than a constant grid says nothing about grids.
func DynamicCost(m bench.Measured) string {
	if len(m) == 0 {
		return "No time of it yet: illm bench --study " + bench.StudyDynamic + " takes some."
	}
	value := func(r *record.Record, name string) float64 {
		v, _ := r.Metric(name)
		return v.Value
	}
	of := func(r *record.Record) string {
		return fmt.Sprintf("%s channels %+.0f %% (%+.0f ns a row)", r.Axes["n"], value(r, "extra"), value(r, "dynamic_ns")-value(r, "static_ns"))
	}
	var alike, slower []string
	whole := map[string][]string{}
	var operators []string
	for _, r := range m {
		name := r.Axes["operator"]
		if name == "requantisation" {
			alike = append(alike, of(r))
			if value(r, "extra_low") > 0 {
				slower = append(slower, r.Axes["n"])
			}
			continue
		}
		if whole[name] == nil {
			operators = append(operators, name)
		}
		whole[name] = append(whole[name], of(r))
	}
	var lines []string
	if len(alike) > 0 {
		text := "nowhere beyond its interval"
		if len(slower) > 0 {
			text = fmt.Sprintf("beyond its interval at %s channels", strings.Join(slower, ", "))
		}
		lines = append(lines, fmt.Sprintf("Like with like, requantisation with the row's own grid against a constant one: %s; slower %s.", strings.Join(alike, ", "), text))
	}
	var parts []string
	for _, name := range operators {
		parts = append(parts, name+" of "+strings.Join(whole[name], ", "))
	}
	if len(parts) > 0 {
		lines = append(lines, "Not like with like, because the constant grid does without the fused kernel that the dynamic operator has: "+strings.Join(parts, "; ")+".")
	}
	return strings.Join(append(lines, m.Where()+"."), "\n")
}
