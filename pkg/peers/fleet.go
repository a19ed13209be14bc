package peers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

// StartOptions of a Fleet; zero means the default.
type StartOptions struct {
	Threads int           // of every rival (1)
	Least   time.Duration // a GEMM is repeated for that long (20 ms)
	Limit   time.Duration // for an answer (2 minutes)
	Start   time.Duration // for a process to be ready (1 minute)

	// For llama.cpp:
	Model    string   // a GGUF file; "": no language model is measured
	SHA256   string   // of it: names its quantised copies in the cache
	Types    []string // to requantise it to (Q8_0, Q4_0, F16)
	Cache    string   // folder for the copies (peers/gguf beside the environment)
	Tokens   []int32  // the text, at least as many as the longest case needs
	Progress func(line string)
}

func (o *StartOptions) defaults() {
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Least == 0 {
		o.Least = 20 * time.Millisecond
	}
	if o.Limit == 0 {
		o.Limit = 2 * time.Minute
	}
	if o.Start == 0 {
		o.Start = time.Minute
	}
	if len(o.Types) == 0 {
		o.Types = []string{"Q8_0", "Q4_0", "F16"}
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
}

// Fleet is the running rivals.
type Fleet struct {
	Subjects []Subject         // ready for Measure, beside ours
	Missing  []Missing         // what was not installed or did not start
	Versions map[string]string // by rival: what it says of itself
	workers  []*worker
	opt      StartOptions
	python   string
}

// Start runs a process for each installed rival; ctx is its whole life. A rival
// that does not start is named in Missing. Close ends them all.
func (e *Env) Start(ctx context.Context, opt StartOptions) (*Fleet, error) {
	opt.defaults()
	if opt.Cache == "" {
		opt.Cache = filepath.Join(filepath.Dir(e.Dir), "gguf")
	}
	f := &Fleet{Missing: slices.Clone(e.Missing), Versions: map[string]string{}, opt: opt, python: e.Python()}
	for _, r := range rivals() {
		if !e.Has(r.name) || r.name == LlamaCpp && opt.Model == "" {
			continue
		}
		if err := f.add(ctx, r); err != nil {
			if ctx.Err() != nil {
				f.Close()
				return nil, ctx.Err()
			}
			f.Missing = append(f.Missing, Missing{r.name, firstLine(err.Error())})
		}
	}
	return f, nil
}

// Close ends the processes.
func (f *Fleet) Close() {
	for _, w := range f.workers {
		w.Close()
	}
}

func (f *Fleet) spawn(ctx context.Context, r rival) (*worker, error) {
	return startWorker(ctx, program{name: r.name, python: f.python, script: r.script(), env: threadEnv(f.opt.Threads), start: f.opt.Start})
}

// add starts a rival and makes its subjects.
func (f *Fleet) add(ctx context.Context, r rival) error {
	w, err := f.spawn(ctx, r)
	if err != nil {
		return err
	}
	f.workers = append(f.workers, w)
	f.Versions[r.name] = w.hello.Version
	if w.hello.Detail != "" {
		f.Versions[r.name] += "; " + w.hello.Detail
	}
	if r.name != LlamaCpp {
		for _, form := range r.forms {
			f.Subjects = append(f.Subjects, f.subject(r, w, r.name, form, nil))
		}
		return nil
	}
	for _, kind := range f.opt.Types {
		path, err := f.requantize(ctx, w, kind)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f.Missing = append(f.Missing, Missing{r.name + " " + kind, firstLine(err.Error())})
			continue
		}
		for _, form := range r.forms {
			f.Subjects = append(f.Subjects, f.subject(r, w, r.name+" "+kind, form, map[string]any{"model": path}))
		}
	}
	return nil
}

// subject lets a worker answer cases under a name.
func (f *Fleet) subject(r rival, w *worker, name string, form form, more map[string]any) Subject {
	settings := map[string]any{"threads": f.opt.Threads, "least": f.opt.Least.Seconds(), "packed": false}
	maps.Copy(settings, form.settings)
	maps.Copy(settings, more)
	return Subject{Name: name, Form: form.name, Rival: r.name, Ops: r.ops, Run: func(ctx context.Context, c Case) (Sample, error) {
		request := maps.Clone(settings)
		maps.Copy(request, map[string]any{"op": c.Op, "tokens": c.Tokens, "context": c.Context, "m": c.M, "n": c.N, "k": c.K, "copies": max(1, c.Copies)})
		if r.name == LlamaCpp {
			n := c.needs()
			if len(f.opt.Tokens) < n {
				return Sample{}, fmt.Errorf("the text has %d tokens, expected %d", len(f.opt.Tokens), n)
			}
			request["ids"], request["capacity"] = f.opt.Tokens[:n], capacity(n)
		}
		with := w
		if c.Op == Memory { // a largest resident set is that of a whole life
			fresh, err := f.spawn(ctx, r)
			if err != nil {
				return Sample{}, err
			}
			defer fresh.Close()
			with = fresh
		}
		a, err := with.call(ctx, request, f.opt.Limit)
		return Sample{Seconds: a.Seconds, Bytes: a.Bytes, Base: a.Base, Check: a.Check}, err
	}}
}

// capacity is a context for n tokens: 1024 at least, so that most cases share one.
func capacity(n int) int { return max(1024, (n+255)/256*256) }

// requantize returns the model in another type, made by llama.cpp's own
// quantiser with its default choices of types by tensor, once.
func (f *Fleet) requantize(ctx context.Context, w *worker, kind string) (string, error) {
	if err := os.MkdirAll(f.opt.Cache, 0o755); err != nil {
		return "", cacheError(err)
	}
	id := f.opt.SHA256
	if id == "" {
		return "", errors.New("the model's sha256 is not given: it names the quantised copy")
	}
	path := filepath.Join(f.opt.Cache, fmt.Sprintf("%.16s-%s-%s.gguf", id, kind, w.hello.Version))
	lock := flock.New(path + ".lock")
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", err
	}
	defer lock.Unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	f.opt.Progress("llama.cpp quantises the model to " + kind)
	part := path + ".part"
	defer os.Remove(part)
	if _, err := w.call(ctx, map[string]any{"op": "quantize", "model": f.opt.Model, "to": part, "type": kind, "threads": f.opt.Threads}, 10*time.Minute); err != nil {
		return "", err
	}
	return path, os.Rename(part, path)
}
