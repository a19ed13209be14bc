package nb

import (
	"fmt"
	"os/exec"
	"strings"
)

// findBrowser returns the path of a Chromium, or says which names were tried.
func findBrowser() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %s is installed", strings.Join(names, ", "))
}
