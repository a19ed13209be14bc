package ablation

import (
	"fmt"
	"math"
	"strconv"

	"github.com/illm-go/illm/pkg/quant"
)

// counts are the fixed settings that are numbers, with the least that makes sense and the word that leaves them open.
var counts = map[string]struct {
	least int
	word  string
	what  string
}{
	"windows": {0, Most, "windows of the text; 0: all"},
	"items":   {0, Most, "questions of each zero-shot task; 0: all"},
	"window":  {2, Longest, "tokens, one to predict and one before it"},
	"first":   {0, "", "the number of the first window"},
	"bins":    {0, "", "bins of positions"},
}

// checkFixed returns the spelling of a fixed setting's value, or says what is allowed. Settings that it does not know, and
// the absence of one, are left to what uses them.
func checkFixed(name, value string) (string, error) {
	if c, ok := counts[name]; ok && value != "" {
		if value == c.word && c.word != "" {
			return value, nil
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < c.least || n > math.MaxInt32 {
			or := ""
			if c.word != "" {
				or = fmt.Sprintf(", or %q", c.word)
			}
			return "", fmt.Errorf("ablation: setting %s: expected a whole number from %d on (%s)%s, found %q", name, c.least, c.what, or, value)
		}
		return strconv.Itoa(n), nil
	}
	var err error
	switch name {
	case "mode":
		var m quant.Mode
		if m, err = quant.ParseMode(value); err == nil {
			value = string(m)
		}
	case "clip":
		value, err = checkClip(value)
	case "model":
		value, err = checkModel(value)
	}
	if err != nil {
		return "", fmt.Errorf("ablation: setting %s: %w", name, err)
	}
	return value, nil
}
