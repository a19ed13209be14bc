package pretrain

import (
	"os"
	"testing"

	"github.com/gomlx/gomlx/backends"
	_ "github.com/gomlx/gomlx/backends/simplego" // registers itself
)

// onBackends runs fn on the pure-Go backend and, where its plugin is found, on xla:cpu.
func onBackends(t *testing.T, fn func(t *testing.T, b backends.Backend)) {
	for _, name := range []string{"go:ops_sequential", "xla:cpu"} {
		t.Run(name, func(t *testing.T) { fn(t, openBackend(t, name)) })
	}
}

func openBackend(t *testing.T, name string) backends.Backend {
	t.Helper()
	if name == "xla:cpu" && os.Getenv("PJRT_PLUGIN_LIBRARY_PATH") == "" {
		t.Skipf("backend %s: PJRT_PLUGIN_LIBRARY_PATH names no folder with a plugin", name)
	}
	b, err := backends.NewWithConfig(name)
	if err != nil {
		t.Skipf("backend %s: %v", name, err)
	}
	t.Cleanup(b.Finalize)
	return b
}
