package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The README's tables are what the shipped records give.
func TestReadmeMatchesRecords(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := shippedReadme(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	if want != string(raw) {
		t.Error(`README.md differs from the shipped records: run "go run ./kernels/illm readme"`)
	}
	for _, name := range []string{"quality", "speed"} {
		if !strings.Contains(want, "<!-- table:"+name+" -->") {
			t.Errorf("README.md has no table %q", name)
		}
	}
}
