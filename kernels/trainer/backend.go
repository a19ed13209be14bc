package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/gomlx/backends"
	_ "github.com/gomlx/gomlx/backends/simplego" // registers itself
)

// backendVariable chooses the backend, pluginVariable says where XLA's plugins are.
const (
	backendVariable = "GOMLX_BACKEND"
	pluginVariable  = "PJRT_PLUGIN_LIBRARY_PATH"
)

// openBackend returns the backend that the environment names; without a name, the pure-Go one. Another one that cannot be
// opened is an error: nothing falls back to a backend that was not asked for.
func openBackend() (b backends.Backend, err error) {
	name := os.Getenv(backendVariable)
	switch name {
	case "", "go":
		name = "go:ops_sequential" // its parallel mode can block for ever (v0.26.0, two cores)
	}
	kind, _, _ := strings.Cut(name, ":")
	known := false
	for _, k := range backends.List() {
		known = known || k == kind
	}
	if !known {
		return nil, fmt.Errorf("%w: %s=%s: expected one of %v, the backends of this build: build with cgo for xla", errUsage, backendVariable, name, backends.List())
	}
	config := name
	if name == "xla:cpu" && os.Getenv(pluginVariable) == "" { // what "illm install --xla-cpu" installed, by pluginCmd
		if dir, err := pluginFolder(); err == nil {
			if path := filepath.Join(dir, cpuPlugin); isFile(path) {
				config = "xla:" + path
			}
		}
	}
	// A file that is no plugin makes the library panic (go-xla v0.1.4, checkPlugin).
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, pluginError(name, config, fmt.Errorf("%v", p))
		}
	}()
	if b, err = backends.NewWithConfig(config); err != nil {
		return nil, pluginError(name, config, err)
	}
	return b, nil
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// pluginError says what was tried and what to do.
func pluginError(name, config string, cause error) error {
	var tried []string
	for _, dir := range filepath.SplitList(os.Getenv(pluginVariable)) {
		files, _ := filepath.Glob(filepath.Join(dir, "pjrt_*plugin*"))
		for _, f := range files {
			st, err := os.Stat(f)
			switch {
			case err != nil:
				tried = append(tried, f+" (leads nowhere)")
			default:
				tried = append(tried, fmt.Sprintf("%s (%d bytes)", f, st.Size()))
			}
		}
		if len(files) == 0 {
			tried = append(tried, dir+" (no pjrt_c_api_*_plugin file in it)")
		}
	}
	if config != name {
		tried = append(tried, strings.TrimPrefix(config, "xla:"))
	}
	if len(tried) == 0 {
		tried = []string{"the system's folders, " + pluginVariable + " is not set"}
	}
	return fmt.Errorf("backend %s: no plugin loads: tried %s: %w: "+
		"\"illm install --xla-cpu\" installs that of xla:cpu (from "+wheelPackage+"), "+
		"xla:cuda needs xla_cuda_plugin.so of jax-cuda13-pjrt as DIR/pjrt_c_api_cuda_plugin.so, and %s=DIR; %s=go needs nothing and is slow",
		name, strings.Join(tried, ", "), cause, pluginVariable, backendVariable)
}
