package model

import (
	"fmt"
	"strconv"
)

func parseDecimal(what, s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: expected a number, found %q", what, s)
	}
	return v, nil
}
