// Package data embeds the records, the small models and the smoothing factors that the repository
// ships, so that every program and notebook cell built from it reads the same
// results and runs a model wherever it is.
package data

import (
	"embed"
	"io/fs"
	"slices"
)

//go:embed all:records
var files embed.FS

// The folder has a file that is always there, so that a checkout without the
// weights builds.
//
//go:embed models
var modelFiles embed.FS

//go:embed factors
var factorFiles embed.FS

// Factors is the folder of shipped smoothing factors, MODEL-RECIPE.safetensors
// with a recipe such as w4a4-fsbr (see its README.md).
func Factors() fs.FS { return must(factorFiles, "factors") }

// Records is the folder of shipped records, *.jsonl.
func Records() fs.FS { return must(files, "records") }

// modelParts are the files of a model; what else lies in its folder describes it.
var modelParts = []string{"config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors"}

// Models lists the names of the shipped models that are there, weights and all.
func Models() []string {
	var names []string
	list, err := modelFiles.ReadDir("models")
	if err != nil {
		panic("data: " + err.Error())
	}
	for _, e := range list {
		if _, ok := Model(e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	return names
}

// Model is the folder of a shipped model: config.json, tokenizer.json,
// model.safetensors and the small files beside them. ok is false if this build
// has none of that name.
func Model(name string) (files fs.FS, ok bool) {
	if !fs.ValidPath(name) || name == "." {
		return nil, false
	}
	sub := must(modelFiles, "models/"+name)
	for _, part := range []string{"config.json", "model.safetensors"} {
		if st, err := fs.Stat(sub, part); err != nil || !st.Mode().IsRegular() {
			return nil, false
		}
	}
	return sub, true
}

// ModelParts lists the files of a model that its function depends on, those that
// are there, in a fixed order.
func ModelParts(model fs.FS) []string {
	return slices.DeleteFunc(slices.Clone(modelParts), func(name string) bool {
		_, err := fs.Stat(model, name)
		return err != nil
	})
}

// must returns a folder that the patterns above hold.
func must(files embed.FS, dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic("data: " + err.Error())
	}
	return sub
}
