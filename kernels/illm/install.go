package main

import (
	"time"

	"github.com/spf13/cobra"
)

func (a *app) installCommand() *cobra.Command {
	var xla bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install JupyterLab and the Go kernel into the cache folder",
		Long: `install makes a Python virtual environment with JupyterLab (every package pinned
by hash), builds GoNB, goimports and gopls at the versions of go.mod, and writes
a kernel specification whose workspace is this clone.

Everything goes into the cache folder (ILLM_CACHE, else illm in the user's cache
folder). The system's Python and your own Jupyter folders are left alone. What is
there already is not done again; reproduce and lab call install by themselves.
ILLM_PYTHON names the Python to use.

--xla-cpu also installs the plugin behind the training backend xla:cpu, a library of
270 MB pinned by hash, for "illm calibrate --method fsbr --backend xla:cpu". The backend
go needs nothing, and is much slower.`,
		Example: `  illm install
  illm install --xla-cpu
  ILLM_CACHE=/scratch/illm illm install`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			start := time.Now()
			in, err := a.ensure(cmd.Context())
			if err != nil {
				return err
			}
			if xla {
				if err := a.train(cmd.Context(), []string{"plugin"}); err != nil {
					return err
				}
			}
			a.printf("python  %s\nkernel  %s\nclone   %s\n", in.Python.Python(), in.Tools.GoNB(), in.Dirs.Root)
			return a.record(map[string]any{
				"kind": "install", "python": in.Python.Python(), "gonb": in.Tools.GoNB(),
				"go": in.Tools.Go.Version, "jupyter_path": in.JupyterPath(), "clone": in.Dirs.Root,
				"wall_s": seconds(start),
			})
		},
	}
	cmd.Flags().BoolVar(&xla, "xla-cpu", false, "the plugin behind the training backend xla:cpu too")
	return cmd
}

// seconds returns the time since start in seconds, to the millisecond.
func seconds(start time.Time) float64 {
	return float64(time.Since(start).Milliseconds()) / 1000
}
