package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
)

// modelCapacity is the context that sessions are made for, ours and llama.cpp's, unless a case needs more.
const modelCapacity = 1024

// PeersRequest asks for the rivals beside us on one model and on matrices.
type PeersRequest struct {
	Model   string   // run by llama.cpp too if it is a GGUF file
	Recipes []string // ours; none: w8a8, w4a8, w4a4, fp32
	Clip    string
	Mode    string
	Rivals  []string      // none: all of peers.Rivals
	Ops     []peers.Op    // none: all that the rivals and the model allow
	Rows    []int         // of the matrices; none: peers.Rows
	Shapes  []peers.Shape // none: peers.Shapes
	Runs    int           // counted rounds; 0: 10
	Root    string        // folder below which the rivals are installed
	Python  string        // interpreter that their environment is made with

	// Memory runs Loaded.PeakOf in a fresh process; nil leaves the memory out.
	Memory func(ctx context.Context, l Loaded, ids []int32) (int64, error)
	// Say is told of what goes on, a line at a time; nil: silent.
	Say func(line string)
}

// PeersReport is the outcome.
type PeersReport struct {
	Table    *peers.Table
	Versions map[string]string // by rival
	Notes    []string          // what was left out, and why
	Records  []*record.Record  // filed; none if the run was cut short

	artefacts map[string]string // by our subjects
	model     string
	corpus    string
}

// ErrNoRival marks that none of the rivals could be run, ErrNothing that the request fits none of them.
var (
	ErrNoRival = errors.New("no rival could be run")
	ErrNothing = errors.New("nothing to measure")
)

// OpNames are the kinds of work, for a command line.
func OpNames() []peers.Op {
	return []peers.Op{peers.Prefill, peers.Decode, peers.First, peers.Memory, peers.GEMM, peers.SGEMM}
}

func isMatrix(op peers.Op) bool { return op == peers.GEMM || op == peers.SGEMM }

func (q *PeersRequest) defaults() {
	if len(q.Recipes) == 0 {
		q.Recipes = []string{"w8a8", "w4a8", "w4a4", "fp32"}
	}
	if len(q.Rivals) == 0 {
		q.Rivals = peers.Rivals()
	}
	if len(q.Ops) == 0 {
		q.Ops = OpNames()
	}
	if len(q.Rows) == 0 {
		q.Rows = peers.Rows()
	}
	if len(q.Shapes) == 0 {
		q.Shapes = peers.Shapes()
	}
	if q.Say == nil {
		q.Say = func(string) {}
	}
}

// Peers installs the rivals, runs them and us in turn, and files the records. The report of a run that ctx ended holds
// what was measured until then, with ctx's error; without any rival the error wraps ErrNoRival.
func (r *Runner) Peers(ctx context.Context, q PeersRequest) (*PeersReport, error) {
	q.defaults()
	if q.Runs < 0 {
		return nil, fmt.Errorf("bench: peers: %d rounds: expected a positive number", q.Runs)
	}
	p := &PeersReport{Versions: map[string]string{}, artefacts: map[string]string{}, model: q.Model}
	cases, entry, err := r.peerCases(ctx, &q, p)
	if err != nil {
		return nil, err
	}
	env, err := peers.Install(ctx, q.Root, q.Python, q.Say, q.Rivals...)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("bench: peers: %w: %w", ErrNoRival, err)
	}
	release, err := r.claimClock(ctx, q.Say)
	if err != nil {
		return nil, err
	}
	defer release()
	opt := peers.StartOptions{Threads: r.threads(), Least: gemmLeast, Progress: q.Say}
	var ours []peers.Subject
	if entry != nil {
		list, ids, err := r.ownModels(ctx, entry, &q, p)
		defer func() {
			for _, w := range list {
				w.end() // the entry is closed by the runner
			}
		}()
		if err != nil {
			return nil, err
		}
		for _, w := range list {
			ours = append(ours, w.subject())
		}
		opt.Model, opt.Tokens = entry.Path, ids
		if opt.SHA256, err = fileHash(entry.Path); err != nil {
			return nil, err
		}
	}
	fleet, err := env.Start(ctx, opt)
	if err != nil {
		return nil, err
	}
	defer fleet.Close()
	p.Versions = fleet.Versions
	if len(fleet.Subjects) == 0 {
		p.Table = &peers.Table{Missing: fleet.Missing}
		return p, fmt.Errorf("bench: peers: %w: %s", ErrNoRival, reasons(fleet.Missing))
	}
	if slices.ContainsFunc(cases, func(c peers.Case) bool { return isMatrix(c.Op) }) {
		x := newMatrices(r.threads())
		defer x.close()
		ours = append(ours, x.subjects()...)
	}
	p.Table, err = peers.Measure(ctx, append(ours, fleet.Subjects...), cases, peers.Options{Rounds: q.Runs, Threads: r.threads(),
		Progress: func(done, total int, c peers.Case) {
			if done < total {
				q.Say(fmt.Sprintf("  %d/%d  %s", done+1, total, strings.TrimSpace(c.Name())))
			}
		}})
	p.Table.Missing = fleet.Missing
	p.Table.Results = slices.DeleteFunc(p.Table.Results, func(r peers.Result) bool { return r.Rival == roofline && r.Missing != "" })
	if err != nil {
		return p, err
	}
	if !p.ran() {
		return p, fmt.Errorf("bench: peers: %w: each failed in every case", ErrNoRival)
	}
	return p, r.filePeers(p)
}

// ran tells whether a rival has numbers.
func (p *PeersReport) ran() bool {
	return slices.ContainsFunc(p.Table.Results, func(r peers.Result) bool {
		return r.Rival != "" && r.Rival != roofline && r.Missing == "" && len(r.Seconds) > 0
	})
}

// reasons joins the first lines.
func reasons(list []peers.Missing) string {
	var out []string
	for _, m := range list {
		first, _, _ := strings.Cut(m.String(), "\n")
		out = append(out, first)
	}
	if out == nil {
		return "none is installed"
	}
	return strings.Join(out, "; ")
}

// peerCases chooses the work that the request, the rivals and the model allow. entry is nil without a model's cases.
func (r *Runner) peerCases(ctx context.Context, q *PeersRequest, p *PeersReport) (cases []peers.Case, entry *catalog.Entry, err error) {
	asked := q.Rivals
	without := func(drop func(name string) bool) { q.Rivals = slices.DeleteFunc(slices.Clone(q.Rivals), drop) }
	isLlama := func(name string) bool { return name == peers.LlamaCpp }
	for _, op := range []peers.Op{peers.GEMM, peers.SGEMM} {
		if slices.Contains(q.Ops, op) && slices.ContainsFunc(q.Rivals, func(name string) bool { return name != peers.LlamaCpp && (op == peers.SGEMM || name != peers.OpenBLAS) }) {
			cases = append(cases, peers.GEMMCases(op, q.Rows, q.Shapes)...)
		}
	}
	if len(cases) == 0 {
		without(func(name string) bool { return !isLlama(name) })
	}
	if slices.Contains(q.Rivals, peers.LlamaCpp) && slices.ContainsFunc(q.Ops, func(op peers.Op) bool { return !isMatrix(op) }) {
		if entry, err = r.open(ctx, q.Model); err != nil {
			return nil, nil, err
		}
		if !isGGUF(entry.Path) {
			entry = nil
			p.Notes = append(p.Notes, fmt.Sprintf("%s is no GGUF file, which llama.cpp would need: matrix products only", q.Model))
			q.Say(p.Notes[0])
			without(isLlama)
		}
	} else {
		without(isLlama)
	}
	if entry != nil {
		var own []peers.Case
		for _, c := range peers.ModelCases() {
			if !slices.Contains(q.Ops, c.Op) || c.Op == peers.Memory && q.Memory == nil {
				continue
			}
			if need := c.Tokens + c.Context; need > entry.MaxContext() {
				p.Notes = append(p.Notes, fmt.Sprintf("%s: left out: %s has a context of %d", c.Name(), q.Model, entry.MaxContext()))
				continue
			}
			own = append(own, c)
		}
		cases = append(own, cases...)
	}
	if len(cases) == 0 {
		return nil, nil, fmt.Errorf("bench: peers: %w with %s on %s: llama.cpp runs models (GGUF files such as smollm2), the others multiply matrices",
			ErrNothing, strings.Join(asked, ", "), q.Model)
	}
	return cases, entry, nil
}

// ownModels loads our recipes; those that were loaded come back with an error too, to be ended.
func (r *Runner) ownModels(ctx context.Context, entry *catalog.Entry, q *PeersRequest, p *PeersReport) (list []*warm, ids []int32, err error) {
	text, err := r.text(ctx, "opticks")
	if err != nil {
		return nil, nil, err
	}
	p.corpus = text.SHA256
	if ids, err = r.encode(entry, text); err != nil {
		return nil, nil, err
	}
	for _, recipe := range q.Recipes {
		q.Say("loading " + recipe)
		l := Loaded{Recipe: recipe, Clip: q.Clip, Mode: q.Mode, Threads: r.threads()}
		n, err := l.startOn(ctx, entry, modelCapacity)
		if err != nil {
			return list, nil, err
		}
		l.Path = n.path
		w := &warm{Loaded: l, line: n, ids: ids, memory: q.Memory}
		list = append(list, w)
		if p.artefacts["illm "+recipe] = n.artefact; n.artefact == "" {
			if p.artefacts["illm "+recipe], err = entry.Source(); err != nil {
				return list, nil, err
			}
		}
	}
	return list, ids, nil
}

// filePeers appends the records.
func (r *Runner) filePeers(p *PeersReport) error {
	recs, err := p.Table.Records(p.model, p.Versions)
	if err != nil {
		return err
	}
	for _, rec := range recs {
		r.provenance(rec)
		rec.Artefact = p.artefacts[rec.Axes["subject"]]
		if rec.Axes["model"] != "" {
			rec.Corpus = p.corpus
		}
		if err := r.Store.Append(rec); err != nil {
			return err
		}
	}
	p.Records = recs
	return nil
}

// isGGUF looks at the first bytes of a regular file.
func isGGUF(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && string(magic[:]) == "GGUF"
}

func fileHash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
