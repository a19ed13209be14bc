package bench

import (
	"context"
	"runtime"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/record"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// open returns the model, opened once for the life of the runner.
func (r *Runner) open(ctx context.Context, name string) (*catalog.Entry, error) {
	if e := r.entries[name]; e != nil {
		return e, nil
	}
	e, err := catalog.Open(ctx, name, catalog.Options{Threads: r.Threads, Progress: func(what string, done, total int) {
		if r.Progress != nil {
			r.Progress(Progress{What: what, Done: done, Total: total})
		}
	}})
	if err != nil {
		return nil, err
	}
	if r.entries == nil {
		r.entries = map[string]*catalog.Entry{}
	}
	r.entries[name] = e
	return e, nil
}

// Entry is the opened model, for what the runner does not measure itself.
func (r *Runner) Entry(ctx context.Context, name string) (*catalog.Entry, error) {
	return r.open(ctx, name)
}

func (r *Runner) text(ctx context.Context, name string) (*corpus.Text, error) {
	if t := r.texts[name]; t != nil {
		return t, nil
	}
	t, err := corpus.Load(ctx, name)
	if err != nil {
		return nil, err
	}
	if r.texts == nil {
		r.texts = map[string]*corpus.Text{}
	}
	r.texts[name] = t
	return t, nil
}

// encode cuts a text into tokens, once for each model and text.
func (r *Runner) encode(e *catalog.Entry, t *corpus.Text) ([]int32, error) {
	key := [2]string{e.Name, t.SHA256}
	if ids := r.tokens[key]; ids != nil {
		return ids, nil
	}
	ids, err := e.Encode(string(t.Bytes))
	if err != nil {
		return nil, err
	}
	if r.tokens == nil {
		r.tokens = map[[2]string][]int32{}
	}
	r.tokens[key] = ids
	return ids, nil
}

// provenance fills in where and with what a record was made.
func (r *Runner) provenance(rec *record.Record) {
	rec.Env = record.Environment()
	rec.Env.Threads = r.threads()
	rec.Env.Paths = []string{cpu.Active()}
	rec.Commit, rec.Dirty = record.Revision(sourceDir())
}

func (r *Runner) threads() int {
	if r.Threads > 0 {
		return r.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// sourceDir is the folder of this file: where the working tree is, if there is one.
func sourceDir() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return ""
	}
	for i := len(file) - 1; i > 0; i-- {
		if file[i] == '/' || file[i] == '\\' {
			return file[:i]
		}
	}
	return ""
}
