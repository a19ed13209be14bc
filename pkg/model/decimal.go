package model

import (
	"fmt"
	"strconv"
)

// parseDecimal returns the float64 nearest to s and the shortest decimal that
// denotes it, so that 0.00001 and 1e-05 leave the same text behind.
func parseDecimal(what, s string) (text string, value float64, err error) {
	value, err = strconv.ParseFloat(s, 64)
	if err != nil {
		return "", 0, fmt.Errorf("%s: expected a number, found %q", what, s)
	}
	return strconv.FormatFloat(value, 'g', -1, 64), value, nil
}
