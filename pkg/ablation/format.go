package ablation

import (
	"fmt"
	"strconv"
	"strings"
)

// percent prints a share with two digits that mean something.
func percent(share float64) string {
	switch p := 100 * share; {
	case p == 0:
		return "0 %"
	case p < 0.0001:
		return "< 0.0001 %"
	case p < 1:
		return strconv.FormatFloat(p, 'g', 2, 64) + " %"
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}

func fixed3(v float64) string { return fmt.Sprintf("%.3f", v) }

func trim(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// four prints a perplexity with four digits, without the point that would end a whole number: 26.20, 2061, 8.881e+05.
func four(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%#.4g", v), ".") }
