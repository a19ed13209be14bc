package ablation

import (
	"fmt"

	"github.com/illm-go/illm/pkg/record"
)

// Knower is an Evaluator that knows which models and texts there are. Known returns why there is none called name, for the
// settings "model" and "corpus"; one that would have to be fetched first is known.
type Knower interface {
	Known(setting, name string) error
}

// checkNames refuses a model or a text that there is not, which else would be a table of rows that are all missing. The
// study's own levels are known, and so is what records are about: a path of another machine, say.
func checkNames(e Knower, store *record.Store, s Study, configs []Config) error {
	for _, setting := range []string{"model", "corpus"} {
		checked := map[string]bool{s.Fixed[setting]: true}
		for _, a := range s.Axes {
			for _, level := range a.Levels {
				checked[level] = checked[level] || a.Name == setting
			}
		}
		for _, c := range configs {
			name := c[setting]
			if name == "" || checked[name] {
				continue
			}
			checked[name] = true
			err := e.Known(setting, name)
			if err == nil || recorded(store, setting, name) {
				continue
			}
			return fmt.Errorf("ablation: study %s: %s %q: %w", s.Name, setting, name, err)
		}
	}
	return nil
}

// recorded says that a record has the setting.
func recorded(store *record.Store, name, value string) bool {
	return len(store.Filter(func(r *record.Record) bool { return setting(r, name) == value })) > 0
}
