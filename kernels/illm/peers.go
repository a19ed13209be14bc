package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/kernels/illm/internal/proc"
	"github.com/illm-go/illm/kernels/illm/internal/pyenv"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/suggest"
)

// peersLong is the part of bench's help about the rivals.
const peersLong = `
--peers measures rivals beside us, in turn, on the same model, tokens, shapes and
threads: llama.cpp (prefill, decode, load, memory), and MKL, oneDNN, ONNX Runtime
and OpenBLAS (matrix products). They are installed into an environment of their
own in the cache folder, llama.cpp compiled for this CPU: minutes and 3 GB the
first time. A rival that cannot be had is named with the reason. The table shows
how many times faster ours is, the share of the arithmetic peak and of the read
bandwidth of the same run, and the project's goals. Without --model it runs
smollm2, without --recipe w8a8, w4a8, w4a4 and fp32. A model that is no GGUF file
leaves the matrix products. All of it takes an hour; --cases, --rows and --shapes
choose. The command fails (4) if not one rival could be run.`

// allRivals is the value of a bare --peers.
const allRivals = "all"

// versus are the flags of bench --peers.
type versus struct {
	names  string
	gemm   bool
	cases  string
	rows   []int
	shapes string
	memory bool // this process is the fresh one
}

func (v *versus) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&v.names, "peers", "", "measure rivals beside us: `NAMES` after it or separated by commas, of "+strings.Join(peers.Rivals(), ", "))
	f.Lookup("peers").NoOptDefVal = allRivals
	f.BoolVar(&v.gemm, "gemm", false, "with --peers: the matrix products alone")
	f.StringVar(&v.cases, "cases", "", "with --peers: kinds of work, of "+strings.Join(caseNames(), ", "))
	f.IntSliceVar(&v.rows, "rows", nil, fmt.Sprintf("with --peers: rows of the matrix products (default %s)", strings.Trim(fmt.Sprint(peers.Rows()), "[]")))
	f.StringVar(&v.shapes, "shapes", "", "with --peers: matrices whose name holds one of these words, such as llama-7b or head")
	f.BoolVar(&v.memory, "peers-memory", false, "")
	if err := f.MarkHidden("peers-memory"); err != nil {
		panic(err)
	}
}

// args takes the rivals that follow --peers.
func (v *versus) args(cmd *cobra.Command, args []string) error {
	if v.names == "" {
		for _, name := range []string{"gemm", "cases", "rows", "shapes"} {
			if cmd.Flags().Changed(name) {
				return usageError(fmt.Errorf("bench: --%s goes with --peers", name))
			}
		}
		return noArgs(cmd, args)
	}
	for _, name := range []string{"prefill", "decode", "warmup"} {
		if cmd.Flags().Changed(name) {
			return usageError(fmt.Errorf("bench: --%s does not go with --peers, whose cases are fixed: --cases chooses", name))
		}
	}
	if len(args) == 0 {
		return nil
	}
	if v.names == allRivals {
		v.names = ""
	}
	v.names += "," + strings.Join(args, ",")
	return nil
}

func caseNames() (names []string) {
	for _, op := range bench.OpNames() {
		names = append(names, caseName(op))
	}
	return names
}

func caseName(op peers.Op) string {
	if op == peers.GEMM {
		return "gemm"
	}
	return string(op)
}

// request checks the flags.
func (v *versus) request() (q bench.PeersRequest, err error) {
	for _, name := range list(v.names) {
		if name == allRivals {
			q.Rivals = peers.Rivals()
			break
		}
		if !slices.Contains(peers.Rivals(), name) {
			return q, usageError(fmt.Errorf("bench: rival %q: expected all, %s%s", name, strings.Join(peers.Rivals(), ", "), hint(name, peers.Rivals())))
		}
		q.Rivals = append(q.Rivals, name)
	}
	if v.gemm && v.cases != "" {
		return q, usageError(errors.New("bench: expected --gemm or --cases, found both"))
	}
	if v.gemm {
		q.Ops = []peers.Op{peers.GEMM, peers.SGEMM}
	}
	for _, name := range list(v.cases) {
		i := slices.Index(caseNames(), name)
		if i < 0 {
			return q, usageError(fmt.Errorf("bench: case %q: expected %s%s", name, strings.Join(caseNames(), ", "), hint(name, caseNames())))
		}
		q.Ops = append(q.Ops, bench.OpNames()[i])
	}
	for _, m := range v.rows {
		if m < 1 || m > 1<<14 {
			return q, usageError(fmt.Errorf("bench: --rows %d: expected 1 to %d", m, 1<<14))
		}
	}
	q.Rows = v.rows
	words := list(v.shapes)
	for _, s := range peers.Shapes() {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s.Label, w) }) {
			q.Shapes = append(q.Shapes, s)
		}
	}
	if len(words) > 0 && q.Shapes == nil {
		var labels []string
		for _, s := range peers.Shapes() {
			labels = append(labels, s.Label)
		}
		return q, usageError(fmt.Errorf("bench: --shapes %q: expected a word of one of: %s", v.shapes, strings.Join(labels, "; ")))
	}
	return q, nil
}

func hint(name string, known []string) string {
	if h := suggest.Hint(name, known); h != "" {
		return ": " + h
	}
	return ""
}

// peers runs bench --peers.
func (a *app) peers(cmd *cobra.Command, s *settings, v *versus, runs int) error {
	ctx := cmd.Context()
	q, err := v.request()
	if err != nil {
		return err
	}
	if runs < 1 {
		return usageError(fmt.Errorf("bench: --runs %d: expected at least 1", runs))
	}
	if q.Model = s.model; !cmd.Flags().Changed("model") {
		q.Model = hub.SmolLM2
	}
	if cmd.Flags().Changed("recipe") {
		q.Recipes = list(s.recipe)
	}
	for _, recipe := range q.Recipes {
		if !quant.IsFloat(recipe) {
			if _, err := s.spec(recipe); err != nil {
				return err
			}
		}
	}
	q.Clip, q.Mode, q.Runs, q.Memory = s.clip, s.mode, runs, a.freshMemory
	q.Say = func(line string) { a.logf("%s", line) }
	dirs, err := a.dirs()
	if err != nil {
		return err
	}
	python, err := pyenv.FindPython(ctx)
	if err != nil {
		return withCode(exitSetup, err)
	}
	q.Root, q.Python = dirs.Cache, python.Path
	r, err := a.runner(s)
	if err != nil {
		return err
	}
	defer r.Close()
	report, err := r.Peers(ctx, q)
	if report != nil {
		if text := report.Warning(); text != "" {
			a.logf("illm: warning: %s", text)
		}
		for _, rec := range report.Records {
			if err := a.record(rec); err != nil {
				return err
			}
		}
		if !a.json && len(report.Table.Results) > 0 {
			if err := report.Text(a.stdout); err != nil {
				return err
			}
		}
	}
	switch {
	case errors.Is(err, bench.ErrNoRival):
		return withCode(exitSetup, err)
	case errors.Is(err, bench.ErrNothing):
		return usageError(err)
	case err != nil:
		return asUsage(err)
	}
	for _, m := range report.Table.Missing {
		first, _, _ := strings.Cut(m.String(), "\n")
		a.logf("illm: missing: %s", first)
	}
	return nil
}

// freshRequest is what the process with --peers-memory reads from standard input.
type freshRequest struct {
	Load bench.Loaded
	IDs  []int32
}

// freshMemory runs this program once more, for a largest resident set that holds one model alone.
func (a *app) freshMemory(ctx context.Context, l bench.Loaded, ids []int32) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("bench: find this program: %w", err)
	}
	raw, err := json.Marshal(freshRequest{l, ids})
	if err != nil {
		return 0, err
	}
	cmd := proc.Command(ctx, self, "bench", "--peers-memory")
	cmd.Stdin = strings.NewReader(string(raw))
	out, err := proc.Output(ctx, cmd)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("bench: memory of a fresh process: expected a number of bytes, found %.40q", out)
	}
	return n, nil
}

// memoryOf is that process.
func (a *app) memoryOf(ctx context.Context) error {
	var q freshRequest
	if err := json.NewDecoder(a.stdin).Decode(&q); err != nil {
		return usageError(fmt.Errorf("bench: --peers-memory: %w", err))
	}
	n, err := q.Load.PeakOf(ctx, q.IDs)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, n)
	return nil
}
