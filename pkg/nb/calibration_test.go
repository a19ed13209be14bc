package nb

import (
	"slices"
	"testing"
)

// The shipped lists of clips have a value for each of the nine layers; what has no list is left out.
func TestClips(t *testing.T) {
	lists, err := new(Session).Clips("tiny-llama", "w4a4-best", "w4a4-best@clips", "w4a4-fsbr@clips", "w4a4-nothing@clips")
	if err != nil {
		t.Fatal(err)
	}
	if len(lists) != 2 || len(lists["w4a4-best@clips"]) != 9 || len(lists["w4a4-fsbr@clips"]) != 9 || slices.Equal(lists["w4a4-best@clips"], lists["w4a4-fsbr@clips"]) {
		t.Errorf("lists %v", lists)
	}
}
