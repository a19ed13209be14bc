package tasks

import (
	"context"
	"os"
	"testing"
)

func TestHashes(t *testing.T) {
	for _, task := range All() {
		_, err := Load(context.Background(), task, Options{})
		t.Log(task.Name, err)
	}
	_ = os.Args
}
