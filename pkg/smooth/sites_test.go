package smooth

import (
	"slices"
	"testing"
)

// The sites that are on have the names that files have, in the order of the fields.
func TestSites(t *testing.T) {
	if got := (Rotation{Residual: true, Down: true, Seed: 3}).Sites(); !slices.Equal(got, []string{"residual", "down"}) {
		t.Errorf("sites %v", got)
	}
	if got := (Rotation{Seed: 3}).Sites(); len(got) != 0 {
		t.Errorf("no rotation has sites %v", got)
	}
}
