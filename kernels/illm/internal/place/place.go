// Package place knows where things are: the clone this command works on, and
// the folders below the user's cache and data folders that it may write to.
// Nothing is ever written into the clone or into folders of other programs.
package place

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/mod/modfile"
)

// Module is the module whose clone the command works on.
const Module = "github.com/illm-go/illm"

// Dirs holds absolute paths.
type Dirs struct {
	Root  string // the clone: the folder of go.mod
	Cache string // downloads, the Python environment, the built tools; may be deleted at any time
	Data  string // the user's results
}

// Find fills Dirs for a process started in the folder wd.
//
// The clone is the nearest folder at or above wd whose go.mod is the module's;
// failing that, the one this program was compiled from. The cache is
// ILLM_CACHE, else illm below os.UserCacheDir.
func Find(wd string) (Dirs, error) {
	root, err := Root(wd)
	if err != nil {
		return Dirs{}, err
	}
	cache, err := Cache()
	if err != nil {
		return Dirs{}, err
	}
	data, err := Data()
	if err != nil {
		return Dirs{}, err
	}
	return Dirs{Root: root, Cache: cache, Data: data}, nil
}

// Root returns the clone that belongs to the folder wd.
func Root(wd string) (string, error) {
	wd, err := filepath.Abs(wd)
	if err != nil {
		return "", fmt.Errorf("find the clone: %w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if isRoot(dir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		// This file is kernels/illm/internal/place/place.go.
		dir := filepath.Dir(file)
		for range 4 {
			dir = filepath.Dir(dir)
		}
		if isRoot(dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("find the clone: neither %s nor a folder above it has the go.mod of %s: change into a clone of the repository", wd, Module)
}

func isRoot(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && modfile.ModulePath(data) == Module
}

// Cache returns the folder for everything that can be made or fetched again.
func Cache() (string, error) {
	if dir := os.Getenv("ILLM_CACHE"); dir != "" {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("find the cache folder: %w", err)
		}
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w: set ILLM_CACHE", err)
	}
	return filepath.Join(dir, "illm"), nil
}

// Data returns the folder for the user's results.
func Data() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "illm"), nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return "", fmt.Errorf("find the data folder: %w", err)
		}
		return filepath.Join(dir, "illm"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w: set HOME or XDG_DATA_HOME", err)
	}
	return filepath.Join(home, ".local", "share", "illm"), nil
}

// Notebooks returns the folder of the notebooks.
func (d Dirs) Notebooks() string { return filepath.Join(d.Root, "notebooks") }

// Jupyter returns the folder that stands in for the user's Jupyter folders
// (data, configuration, runtime files). Each clone has its own, because the
// kernel specification in it names the clone.
func (d Dirs) Jupyter() string {
	sum := sha256.Sum256([]byte(d.Root))
	return filepath.Join(d.Cache, "jupyter", hex.EncodeToString(sum[:6]))
}

// WriteFile writes data to path through a temporary file in the same folder
// and a rename, so that path holds either the old or the new content. A file
// that has this content already is left alone.
func WriteFile(path string, data []byte, mode fs.FileMode) (err error) {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Prune deletes the folders in dir, apart from keep, whose stamp file is older
// than the age given or missing: what former versions of the repository needed.
func Prune(dir, keep, stamp string, age time.Duration) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.IsDir() || path == keep {
			continue
		}
		info, err := os.Stat(filepath.Join(path, stamp))
		if err != nil || time.Since(info.ModTime()) > age {
			_ = os.RemoveAll(path) // the next run tries again
		}
	}
}
