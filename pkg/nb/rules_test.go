package nb

import (
	"testing"

	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
)

// A rule a recipe, of scores that differ from one another; a model that is nowhere is an error.
func TestRules(t *testing.T) {
	if testing.Short() {
		t.Skip("quantises a model")
	}
	if catalog.Here(catalog.TinyOPT) != nil {
		t.Skip("the model is not in this checkout")
	}
	s := &Session{runner: &bench.Runner{}}
	defer s.runner.Close()
	rules, err := s.Rules(catalog.TinyOPT, "opticks", 32, "w8a8", "w4a4")
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != 2 || rules[0].Recipe != "w8a8" || !(rules[0].Sigma > 0) || rules[0].Clip <= rules[0].Sigma || rules[0].Sigma == rules[1].Sigma {
		t.Errorf("rules %+v", rules)
	}
	if _, err := s.Rules("no-such-model", "opticks", 32, "w8a8"); err == nil {
		t.Error("a model that is nowhere has rules")
	}
}
