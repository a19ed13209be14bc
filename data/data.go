// Package data embeds the records that the repository ships, so that every
// program and notebook cell built from it reads the same results wherever it
// runs.
package data

import (
	"embed"
	"io/fs"
)

//go:embed all:records
var files embed.FS

// Records is the folder of shipped records, *.jsonl.
func Records() fs.FS {
	sub, err := fs.Sub(files, "records")
	if err != nil {
		panic("data: " + err.Error()) // the pattern above holds the folder
	}
	return sub
}
