package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// OutlierSeed and OutlierStrength are what "+outliers" means when it says no more:
// channels about 64 times as large as the rest, which lies within what is reported
// of models of 7B parameters and more (see model.InjectOutliers).
const (
	OutlierSeed     = 1
	OutlierStrength = 64
)

// Outliers is what was injected into a model.
type Outliers struct {
	Seed     uint64  `json:"seed"`
	Strength float64 `json:"strength"`
}

// String is the suffix of a model's name that stands for o, in its shortest form.
func (o Outliers) String() string {
	switch strength := strconv.FormatFloat(o.Strength, 'g', -1, 64); {
	case o.Seed != OutlierSeed:
		return fmt.Sprintf("%s=%s:%d", outliersSuffix, strength, o.Seed)
	case o.Strength != OutlierStrength:
		return outliersSuffix + "=" + strength
	}
	return outliersSuffix
}

const (
	outliersSuffix = "+outliers"
	variantForms   = "+outliers, +outliers=STRENGTH or +outliers=STRENGTH:SEED"
)

// Variant splits NAME+outliers[=STRENGTH[:SEED]] into the model's name and what is
// to be injected, nil for nothing. A file or folder whose own name has a + in it is
// taken as it is.
func Variant(name string) (base string, o *Outliers, err error) {
	at := strings.LastIndexByte(name, '+')
	if at < 0 || strings.ContainsAny(name[at:], `/\`) {
		return name, nil, nil
	}
	if _, err := os.Stat(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return name, nil, nil
	}
	base, suffix := name[:at], name[at:]
	refuse := func(why string) (string, *Outliers, error) {
		return "", nil, fmt.Errorf("catalog: model %q: %w: %s: expected %s", name, ErrUnknown, why, variantForms)
	}
	kind, setting, given := strings.Cut(suffix, "=")
	if kind != outliersSuffix {
		return refuse(fmt.Sprintf("no variant %q", suffix))
	}
	if base == "" {
		return refuse("a variant of no model")
	}
	o = &Outliers{OutlierSeed, OutlierStrength}
	if !given {
		return base, o, nil
	}
	strength, seed, seeded := strings.Cut(setting, ":")
	if o.Strength, err = strconv.ParseFloat(strength, 64); err != nil {
		return refuse(fmt.Sprintf("strength %q is no number", strength))
	}
	if seeded {
		if o.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
			return refuse(fmt.Sprintf("seed %q is no whole number from 0", seed))
		}
	}
	return base, o, nil
}
