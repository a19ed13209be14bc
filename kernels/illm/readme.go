package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/kernels/illm/internal/place"
	"github.com/illm-go/illm/kernels/illm/internal/readme"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/record"
)

// readmeCommand regenerates what is written from records. It is for whoever adds some, and hidden from the others.
func (a *app) readmeCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:     "readme",
		Short:   "Write the README's tables and charts and the models' cards from the shipped records",
		Example: "  illm readme\n  illm readme --check",
		Hidden:  true,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.writeReadme(check)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only tell whether the files are up to date")
	return cmd
}

// writeReadme writes the files that are made from records, or tells whether they are up to date.
func (a *app) writeReadme(check bool) error {
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	files, err := written(dirs.Root)
	if err != nil {
		return err
	}
	for path, text := range files {
		if check {
			if old, err := os.ReadFile(path); err != nil || string(old) != text {
				return withCode(exitMismatch, fmt.Errorf("readme: %s differs from the shipped records: run \"illm readme\"", path))
			}
		} else if err := place.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// written returns, by path, what the files of the clone root that are made from records
// have to hold. The user's own records do not count.
func written(root string) (map[string]string, error) {
	empty, err := os.MkdirTemp("", "illm-readme")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(empty)
	store, err := record.Open(record.Options{Shipped: data.Records(), Dir: empty})
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	path := filepath.Join(root, "README.md")
	old, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if files[path], err = readme.Rewrite(string(old), store); err != nil {
		return nil, err
	}
	pictures, err := readme.Charts(store)
	if err != nil {
		return nil, err
	}
	for name, svg := range pictures {
		files[filepath.Join(root, "data", "charts", name+".svg")] = svg
	}
	for _, name := range catalog.Names() {
		if err := card(filepath.Join(root, "data", "models", name), name, store, files); err != nil {
			return nil, fmt.Errorf("card of %s: %w", name, err)
		}
	}
	return files, nil
}

// card adds the card and the loss curve of the model in dir, if it is there with the
// record of its training.
func card(dir, name string, store *record.Store, files map[string]string) error {
	t, err := readme.ReadTraining(os.DirFS(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	w, err := weightsOf(dir, name)
	if err != nil {
		return err
	}
	if t.Model != name {
		return fmt.Errorf("%s is of the model %q", readme.TrainingFile, t.Model)
	}
	if files[filepath.Join(dir, "README.md")], err = readme.Card(os.DirFS(dir), t, w, store); err != nil {
		return err
	}
	if len(t.Curve) < 2 {
		return nil
	}
	files[filepath.Join(dir, "training.svg")], err = t.CurveSVG()
	return err
}

// weightsOf reads a model's folder.
func weightsOf(dir, name string) (w readme.Weights, err error) {
	m, err := model.Open(dir)
	if err != nil {
		return w, err
	}
	defer m.Close()
	c := m.Config
	w = readme.Weights{Name: name, Kind: "LLaMA", Layers: c.Layers, Hidden: c.Hidden, Heads: c.Heads, KVHeads: c.KVHeads, FFN: c.FFN, Vocab: c.Vocab, Context: c.MaxContext}
	if c.Architecture == model.OPT {
		w.Kind = "OPT"
	}
	for _, tensor := range m.Names() {
		if tensor == model.Head && c.TiedHead {
			continue
		}
		n := int64(1)
		for _, d := range m.Shape(tensor) {
			n *= int64(d)
		}
		w.Parameters += n
	}
	if w.Source, err = m.Hash(); err != nil {
		return w, err
	}
	standard := catalog.Outliers{Seed: catalog.OutlierSeed, Strength: catalog.OutlierStrength}
	view, err := m.InjectOutliers(standard.Seed, standard.Strength)
	if err != nil {
		return w, err
	}
	w.Variant = name + standard.String()
	w.Uneven, err = view.Hash()
	return w, err
}
