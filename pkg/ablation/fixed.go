package ablation

import (
	"cmp"
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

// CheckSetting returns why no study takes a value for an axis or a setting called name; nil too where no study has the name.
func CheckSetting(name, value string) error {
	var refused error
	for _, s := range Studies() {
		for _, a := range s.Axes {
			if a.Name != name {
				continue
			}
			_, err := a.level(value)
			if err == nil {
				return nil
			}
			refused = cmp.Or(refused, err)
		}
		_, number := counts[name]
		if _, ok := s.Fixed[name]; ok && (number || name == "mode" || name == "clip") { // what checkFixed knows
			_, err := checkFixed(name, value)
			if err == nil {
				return nil
			}
			refused = cmp.Or(refused, err)
		}
	}
	return refused
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
