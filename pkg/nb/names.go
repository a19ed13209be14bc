package nb

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/suggest"
)

// Known returns why no model or text has the name.
func (e stored) Known(setting, name string) error { return known(setting, name) }

// Known is as for stored results.
func (e *live) Known(setting, name string) error { return known(setting, name) }

func known(setting, name string) error {
	switch setting {
	case "model":
		err := catalog.Here(name)
		if !errors.Is(err, catalog.ErrUnknown) {
			return nil // here, or to be had
		}
		base, variant := name, ""
		if at := strings.LastIndexByte(name, '+'); at > 0 {
			base, variant = name[:at], name[at:]
		}
		if near := nearest(base, catalog.Names()); near != "" && near != base {
			return fmt.Errorf("%w: did you mean %q?", err, near+variant)
		}
		return err
	case "corpus":
		for _, n := range corpus.Names() {
			if n == name {
				return nil
			}
		}
		_, err := os.Stat(name)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("%w: no text has the name: use %s, or the path of a text file", err, strings.Join(corpus.Names(), ", "))
		if near := nearest(name, corpus.Names()); near != "" {
			err = fmt.Errorf("%w: did you mean %q?", err, near)
		}
		return err
	}
	return nil
}

// nearest is the name that another spelling means: the same letters and digits, else those with the least edits up to two;
// "" if none is near.
func nearest(name string, names []string) string {
	best, least := "", 3
	for _, n := range names {
		if d := suggest.Distance(folded(name), folded(n)); d < least {
			best, least = n, d
		}
	}
	return best
}

// folded leaves letters and digits, the letters small.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
