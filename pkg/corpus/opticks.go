package corpus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// opticksFile is the path of the text below GOROOT.
const opticksFile = "src/testdata/Isaac.Newton-Opticks.txt"

// loadOpticks reads the text from the Go distribution and keeps it for programs
// that run where no Go is installed.
func loadOpticks(ctx context.Context, p protocol, cached string) (*Text, error) {
	root, err := goroot(ctx)
	if err != nil {
		return nil, fmt.Errorf("corpus: load %s: find the Go distribution: %w: install Go, or set GOROOT", Opticks, err)
	}
	path := filepath.Join(root, filepath.FromSlash(opticksFile))
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("corpus: load %s: %w: set GOROOT to a complete Go distribution", Opticks, err)
	}
	t, err := p.text(Opticks, b, path, "set GOROOT to an unchanged Go distribution")
	if err != nil {
		return nil, err
	}
	keep(cached, b)
	return t, nil
}

// goroot asks the environment, then the go command. (The function of package
// runtime is deprecated: it knows only where the program was built.)
func goroot(ctx context.Context) (string, error) {
	if dir := os.Getenv("GOROOT"); dir != "" {
		return dir, nil
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", err
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		return "", errors.New("the go command names no GOROOT")
	}
	return dir, nil
}
