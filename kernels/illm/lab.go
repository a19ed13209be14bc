package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/kernels/illm/internal/notebook"
)

func (a *app) labCommand() *cobra.Command {
	var opt labOptions
	cmd := &cobra.Command{
		Use:   "lab [NAME]",
		Short: "Open the notebooks in JupyterLab",
		Long: `lab opens JupyterLab on the folder notebooks, or on the notebook NAME, with the
kernel "Go (illm)"; --classic opens Jupyter Notebook 7 instead. It listens to this machine
only, unless --ip says otherwise. Ctrl-C ends it and all its kernels. What is missing is
installed first.`,
		Example: `  illm lab
  illm lab clip
  illm lab clip --classic
  illm lab --no-browser --port 8899`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError(fmt.Errorf("lab opens one notebook, found %q", args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if opt.port < 0 || opt.port > 65535 {
				return usageError(fmt.Errorf("--port: expected 0 to 65535, found %d", opt.port))
			}
			return a.lab(cmd.Context(), args, opt)
		},
	}
	cmd.Flags().IntVar(&opt.port, "port", 0, "port to listen on; 0: 8888, or the next free one")
	cmd.Flags().StringVar(&opt.ip, "ip", "localhost", "address to listen on; another one lets other machines in that have the token")
	cmd.Flags().BoolVar(&opt.classic, "classic", false, "open Jupyter Notebook 7, one notebook a page, instead of JupyterLab")
	cmd.Flags().BoolVar(&opt.noBrowser, "no-browser", false, "print the address instead of opening a browser")
	return cmd
}

// labOptions are the flags of lab.
type labOptions struct {
	port      int
	ip        string
	noBrowser bool
	classic   bool
}

func (a *app) lab(ctx context.Context, args []string, opt labOptions) error {
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	folder, url, page := dirs.Notebooks(), "/lab", "/lab/tree/"
	if opt.classic { // the server that JupyterLab runs on serves both
		url, page = "/tree", "/notebooks/"
	}
	if len(args) == 1 {
		found, err := notebook.Open(folder, args[0])
		if err != nil {
			return err
		}
		folder = filepath.Dir(found.Path)
		url = page + filepath.Base(found.Path)
	}
	in, err := a.ensure(ctx)
	if err != nil {
		return err
	}
	options := []string{
		"--ServerApp.root_dir=" + folder,
		"--ServerApp.ip=" + opt.ip,
		"--LabApp.default_url=" + url,
		"--LabApp.extension_manager=readonly", // asks no package index
		"--MultiKernelManager.default_kernel_name=illm",
	}
	if opt.port != 0 {
		options = append(options, "--ServerApp.port="+strconv.Itoa(opt.port), "--ServerApp.port_retries=0")
	}
	if opt.noBrowser {
		options = append(options, "--no-browser")
	}
	if os.Geteuid() == 0 {
		// Jupyter wants to be told; a container's only user is root.
		options = append(options, "--allow-root")
	}
	cmd := in.Python.Module(ctx, "jupyterlab", options...)
	cmd.Env = in.Env()
	cmd.Dir = folder
	cmd.Stdout, cmd.Stderr = a.stderr, a.stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil // Ctrl-C is how one leaves JupyterLab
	}
	if err != nil {
		return fmt.Errorf("run JupyterLab: %w: its last lines above say why; \"illm doctor\" checks the installation", err)
	}
	return nil
}
