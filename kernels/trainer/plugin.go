package main

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/hub"
)

// The wheel with XLA's CPU backend as a plugin, and the library in it.
const (
	wheelPackage = "fastatomstruct-xla-cpu==2026.6.23"
	wheelSHA256  = "88b1c430b341b4bea40a37420311c9c75db6e22b46d2ff95b6986577bee6afe9"
	wheelLibrary = "fastatomstruct_xla_cpu/libpjrt_cpu.so"
	wheelSystem  = "linux/amd64"
	cpuPlugin    = "pjrt_c_api_cpu_plugin.so"
	maxLibrary   = 1 << 30 // bytes; a wheel does not say truly how much comes out of it
)

// pluginFolder is where "trainer plugin" puts it and openBackend looks when nothing else is said.
func pluginFolder() (string, error) {
	cache, err := hub.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "pjrt"), nil
}

// pluginCmd installs the plugin behind the backend xla:cpu.
func pluginCmd() *cobra.Command {
	var wheel, into string
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Install the plugin behind the backend xla:cpu",
		Long: `Downloads ` + wheelPackage + ` with pip, checks its SHA-256 and puts
its library into the cache folder, where ` + backendVariable + `=xla:cpu finds it unless
` + pluginVariable + ` names another folder. For ` + wheelSystem + `.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if system := runtime.GOOS + "/" + runtime.GOARCH; system != wheelSystem {
				return fmt.Errorf("plugin: expected a machine of %s, found %s: use the backend go", wheelSystem, system)
			}
			if into == "" {
				if into, err = pluginFolder(); err != nil {
					return err
				}
			}
			if wheel == "" {
				dir, err := os.MkdirTemp("", "illm-plugin-*")
				if err != nil {
					return err
				}
				defer os.RemoveAll(dir)
				if wheel, err = downloadWheel(cmd.Context(), dir, cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			path, err := installPlugin(wheel, wheelSHA256, into)
			if err != nil {
				return err
			}
			cmd.Println(path)
			return nil
		},
	}
	cmd.Flags().StringVar(&wheel, "wheel", "", "the wheel, where it is here already")
	cmd.Flags().StringVar(&into, "into", "", "folder for the plugin (empty: the cache folder)")
	return cmd
}

// downloadWheel fetches the wheel into dir.
func downloadWheel(ctx context.Context, dir string, log io.Writer) (string, error) {
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", dir, wheelPackage)
	pip.Stdout, pip.Stderr = log, log
	if err := pip.Run(); err != nil {
		return "", fmt.Errorf("plugin: pip download %s: %w: fetch the wheel elsewhere and name it with --wheel", wheelPackage, err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("plugin: pip download %s: expected one wheel, found %d", wheelPackage, len(found))
	}
	return found[0], nil
}

// installPlugin checks a wheel and unpacks its library into a folder. The file appears under its name when it is whole.
func installPlugin(wheel, want, into string) (path string, err error) {
	f, err := os.Open(wheel)
	if err != nil {
		return "", fmt.Errorf("plugin: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return "", fmt.Errorf("plugin: %s: %w", wheel, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return "", fmt.Errorf("plugin: %s: expected sha256 %s, found %s in %d bytes: fetch %s again", wheel, want, got, size, wheelPackage)
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return "", fmt.Errorf("plugin: %s: %w", wheel, err)
	}
	src, err := z.Open(wheelLibrary)
	if err != nil {
		return "", fmt.Errorf("plugin: %s: expected %s in it: %w", wheel, wheelLibrary, err)
	}
	defer src.Close()
	if err := os.MkdirAll(into, 0o755); err != nil {
		return "", fmt.Errorf("plugin: %w", err)
	}
	dst, err := os.CreateTemp(into, cpuPlugin+".*.part")
	if err != nil {
		return "", fmt.Errorf("plugin: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(dst.Name())
		}
	}()
	n, err := io.Copy(dst, io.LimitReader(src, maxLibrary+1))
	if err = errors.Join(err, dst.Chmod(0o755), dst.Sync(), dst.Close()); err != nil {
		return "", fmt.Errorf("plugin: unpack %s: %w: make room", wheelLibrary, err)
	}
	if n > maxLibrary {
		return "", fmt.Errorf("plugin: unpack %s: expected at most %d bytes", wheelLibrary, maxLibrary)
	}
	path = filepath.Join(into, cpuPlugin)
	return path, os.Rename(dst.Name(), path)
}
