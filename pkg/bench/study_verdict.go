package bench

import (
	"fmt"
	"strings"
)

// FloatsVerdict says of the records of StudyFloats, a model each, whether integer operators make a prompt faster. What
// contradicts the paper, which claims so, comes first.
func FloatsVerdict(models ...Measured) string {
	var slower, even, faster []string
	for _, m := range models {
		for _, r := range m {
			if r.Axes["study"] != StudyFloats || r.Axes["operators"] == "integer" {
				continue
			}
			if _, ok := r.Metric("slower"); !ok {
				continue
			}
			line := fmt.Sprintf("%s, %s operators: %s times the integer ones' prompt", r.Axes["model"], r.Axes["operators"], ranged(r, "slower"))
			switch low, high := number(r, "slower_low"), number(r, "slower_high"); {
			case high < 1:
				slower = append(slower, line)
			case low > 1:
				faster = append(faster, line)
			default:
				even = append(even, line)
			}
		}
	}
	var lines []string
	add := func(head string, list []string) {
		if len(list) > 0 {
			lines = append(lines, head+"\n  "+strings.Join(list, "\n  "))
		}
	}
	add("Against the paper's claim, integer operators are slower:", slower)
	add("Against the paper's claim of a lead, no difference is told (the interval holds 1):", even)
	add("As the paper claims, integer operators are faster:", faster)
	if len(lines) == 0 {
		return "No record of the whole prompt yet: illm bench --study " + StudyFloats + " -m MODEL makes one."
	}
	return strings.Join(lines, "\n")
}
