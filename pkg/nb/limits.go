package nb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/bench"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/eval/tasks"
	"github.com/illm-go/illm/pkg/hub"
	"github.com/illm-go/illm/pkg/record"
)

// Allowed returns why configurations ask for more than there is: a window beyond the model's context, windows beyond the end of
// the text, more questions than a task has. What is not on this machine is not fetched to be asked: of a model that is not
// here the records tell the longest window, and of a text that is not here nothing is said.
func Allowed(ctx context.Context, runner *bench.Runner, configs []ablation.Config) error {
	checked := map[string]bool{}
	for _, c := range configs {
		var key strings.Builder
		for _, name := range []string{"model", "corpus", "task", "window", "windows", "first", "items"} {
			key.WriteString(c[name] + "\x00")
		}
		if checked[key.String()] {
			continue
		}
		checked[key.String()] = true
		if err := allowedItems(c); err != nil {
			return err
		}
		if c["corpus"] == ablation.ZeroShot || c["corpus"] == ablation.Speed {
			continue
		}
		if err := allowedWindows(ctx, runner, c); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// allowedItems compares the number of questions with the smallest of the tasks asked.
func allowedItems(c ablation.Config) error {
	if c["items"] == "" {
		return nil
	}
	n, err := c.Int("items")
	if err != nil {
		return err
	}
	var least tasks.Task
	for _, t := range tasks.All() {
		if name := c["task"]; (name == "" || name == t.Name) && (least.Items == 0 || t.Items < least.Items) {
			least = t
		}
	}
	if least.Items > 0 && n > least.Items {
		return fmt.Errorf("nb: setting items: expected 1 to %d, the questions of %s, or 0 for all of each task, found %d", least.Items, least.Title, n)
	}
	return nil
}

// allowedWindows compares a window with the model's context, and the windows with the text's tokens.
func allowedWindows(ctx context.Context, runner *bench.Runner, c ablation.Config) error {
	req, err := request(c)
	if err != nil {
		return err
	}
	if req.Window == 0 {
		req.Window = window(ctx, runner, req.Model)
	}
	if catalog.Here(req.Model) != nil {
		if longest := longestWindow(runner.Store, req.Model); longest > 0 && req.Window > longest {
			return fmt.Errorf("nb: setting window: expected 2 to %d, the longest that %s has a record of (it is not on this machine), found %d", longest, req.Model, req.Window)
		}
		return nil
	}
	entry, err := runner.Entry(ctx, req.Model)
	if err != nil {
		return err
	}
	if req.Window > entry.MaxContext() {
		return fmt.Errorf("nb: setting window: expected 2 to %d tokens, the context of %s, found %d", entry.MaxContext(), req.Model, req.Window)
	}
	text, err := corpus.LoadFrom(ctx, req.Corpus, corpus.Options{Client: &hub.Client{HTTP: &http.Client{Transport: offline{}}}})
	if errors.Is(err, hub.ErrUnavailable) {
		return nil
	}
	if err != nil {
		return err
	}
	ids, err := entry.Encode(string(text.Bytes))
	if err != nil {
		return err
	}
	switch have := len(ids) / req.Window; {
	case have == 0:
		return fmt.Errorf("nb: setting window: expected 2 to %d, the tokens of %s, found %d", len(ids), text.Name, req.Window)
	case req.First >= have:
		return fmt.Errorf("nb: setting first: expected 0 to %d, the windows of %d tokens in %s, found %d", have-1, req.Window, text.Name, req.First)
	case req.First+req.Windows > have:
		from := ""
		if req.First > 0 {
			from = fmt.Sprintf(" from window %d on", req.First)
		}
		return fmt.Errorf("nb: setting windows: expected 1 to %d, the windows of %d tokens in %s%s, or 0 for all, found %d", have-req.First, req.Window, text.Name, from, req.Windows)
	}
	return nil
}

// offline is a network that nothing is reached through.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nothing is downloaded to check a setting")
}

// longestWindow is the longest window of all records of a model: that of the zero-shot tasks is its context.
func longestWindow(store *record.Store, model string) int {
	all := store.Filter(func(r *record.Record) bool { return r.Axes["model"] == model })
	lengths := make([]int, 0, len(all))
	for _, r := range all {
		var n int
		if _, err := fmt.Sscan(fmt.Sprint(r.Config["window"]), &n); err == nil {
			lengths = append(lengths, n)
		}
	}
	if len(lengths) == 0 {
		return 0
	}
	return slices.Max(lengths)
}
