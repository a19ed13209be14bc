// Package kernelspec writes the Jupyter kernel specification of this project:
// GoNB, with this clone in the workspace of every notebook, so that a cell
// imports its packages without fetching anything.
package kernelspec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/illm-go/illm/kernels/illm/internal/gotool"
	"github.com/illm-go/illm/kernels/illm/internal/place"
)

// Name is the kernel's name, as notebooks hold it in metadata.kernelspec.name.
const Name = "illm"

// DisplayName is what a user sees in the list of kernels.
const DisplayName = "Go (illm)"

// Options choose between the kernel of a person and that of a program.
type Options struct {
	Headless bool   // errors as plain text; no language server; nobody to move a slider
	Python   string // folder of a Python with pip, for cells that fetch a model; "" for none
}

// file is the content of kernel.json.
type file struct {
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
}

// Write writes kernels/illm/kernel.json below dir, a Jupyter data folder. All
// paths in it are absolute: it works from any folder and any front end.
func Write(dir string, tools gotool.Tools, root string, opt Options) error {
	if strings.Contains(root, ",") {
		return fmt.Errorf("write the kernel specification: the clone's path %s has a comma, which GoNB takes for the end of a path: move the clone", root)
	}
	path := tools.Path(!opt.Headless)
	if opt.Python != "" {
		path = append(path, opt.Python)
	}
	spec := file{
		Argv: []string{tools.GoNB(), "--kernel", "{connection_file}", "-go_work=" + root,
			// The kernel's log says nothing a user can act on.
			"-logtostderr=false", "-stderrthreshold=FATAL", "-log_file=" + os.DevNull},
		DisplayName: DisplayName,
		Language:    "go",
		// GoNB handles the interrupt message of the protocol, not the signal.
		InterruptMode: "message",
		Env: map[string]string{
			"PATH": strings.Join(append(escapeAll(path),
				"${PATH}", escape(filepath.Dir(tools.Go.Path))), string(os.PathListSeparator)),
			// The workspace is GoNB's own, whatever the user's shell has.
			"GOWORK":    "",
			"ILLM_REPO": escape(root),
		},
	}
	if opt.Headless {
		spec.Argv = append(spec.Argv, "-raw_error")
		spec.Env["ILLM_HEADLESS"] = "1"
	}
	data, err := json.MarshalIndent(spec, "", " ")
	if err != nil {
		return fmt.Errorf("write the kernel specification: %w", err)
	}
	if err := place.WriteFile(filepath.Join(dir, "kernels", Name, "kernel.json"), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the kernel specification: %w", err)
	}
	return nil
}

// escape protects a dollar sign from Jupyter's expansion of variables.
func escape(s string) string { return strings.ReplaceAll(s, "$", "$$") }

func escapeAll(list []string) []string {
	for i := range list {
		list[i] = escape(list[i])
	}
	return list
}
