package readme

import (
	"fmt"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/record"
)

// peersOf is the newest comparison with the rivals on one model: the records of "illm bench --peers" that were made by
// the commit, on the CPU and with the threads of the newest one, the faster form of each subject, in the order of filing.
func peersOf(store *record.Store, model string) []*record.Record {
	list := store.Filter(func(r *record.Record) bool {
		return r.Kind == record.Timing && fmt.Sprint(r.Config["task"]) == "peers" && r.Axes["model"] == model // matrix products have no model
	})
	if len(list) == 0 {
		return nil
	}
	newest := slices.MaxFunc(list, func(a, b *record.Record) int { return a.Time.Compare(b.Time) })
	at := map[[3]string]*record.Record{} // by case, subject and form: the last one
	var order [][3]string
	for _, r := range list {
		if r.Commit != newest.Commit || r.Env.CPU != newest.Env.CPU || r.Env.Threads != newest.Env.Threads {
			continue
		}
		key := [3]string{r.Axes["case"], r.Axes["subject"], r.Axes["form"]}
		if at[key] == nil {
			order = append(order, key)
		}
		if old := at[key]; old == nil || !r.Time.Before(old.Time) {
			at[key] = r
		}
	}
	best := map[[2]string]*record.Record{}
	for _, key := range order {
		r, old := at[key], best[[2]string{key[0], key[1]}]
		if old == nil || size(r) < size(old) {
			best[[2]string{key[0], key[1]}] = r
		}
	}
	var out []*record.Record
	for _, key := range order {
		if best[[2]string{key[0], key[1]}] == at[key] {
			out = append(out, at[key])
		}
	}
	return out
}

// size is what a subject took: seconds, or bytes where memory was measured.
func size(r *record.Record) float64 {
	for _, name := range []string{"peak_rss_bytes", "seconds"} {
		if m, ok := r.Metric(name); ok {
			return m.Value
		}
	}
	return 0
}

// comparison is the table on SmolLM2: the rows are the cases of the model, the columns ours, then the rivals with how
// many times slower they are than our first column.
func comparison(store *record.Store) string {
	list := slices.DeleteFunc(peersOf(store, "smollm2"), func(r *record.Record) bool { return r.Axes["model"] == "" })
	if len(list) == 0 {
		return "No comparison with other programs is on record.\n"
	}
	var cases, ours, rivals []string
	at := map[[2]string]*record.Record{}
	add := func(list *[]string, s string) {
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for _, r := range list {
		name := r.Axes["subject"]
		add(&cases, r.Axes["case"])
		if strings.HasPrefix(name, "illm ") {
			add(&ours, name)
		} else {
			add(&rivals, name)
		}
		at[[2]string{r.Axes["case"], name}] = r
	}
	head := append([]string{"SmolLM2-135M"}, ours...)
	for _, name := range rivals {
		head = append(head, name)
		for _, own := range ours[:min(1, len(ours))] {
			head = append(head, strings.TrimPrefix(own, "illm ")+" is faster")
		}
	}
	var rows [][]string
	for _, c := range cases {
		row := []string{c}
		for _, name := range ours {
			row = append(row, median(at[[2]string{c, name}]))
		}
		for _, name := range rivals {
			r := at[[2]string{c, name}]
			row = append(row, median(r))
			for _, own := range ours[:min(1, len(ours))] {
				row = append(row, times(r, "ratio_"+own))
			}
		}
		rows = append(rows, row)
	}
	r := list[0]
	rounds := fmt.Sprint(r.Config["rounds"])
	notes := fmt.Sprintf("\nMedian of %s interleaved rounds; × is the ratio of paired rounds with its 95 %% interval, of memory how many times smaller; rivals in their faster form. %s, %d threads each.",
		rounds, r.Env.CPU, r.Env.Threads)
	for _, r := range list {
		if v, _, _ := strings.Cut(fmt.Sprint(r.Config["version"]), ";"); !strings.HasPrefix(r.Axes["subject"], "illm ") && v != "" {
			notes += fmt.Sprintf(" %s is version %s.", strings.Fields(r.Axes["subject"])[0], v)
			break
		}
	}
	if busy, ok := r.Metric("busy_others"); ok && busy.Value > 0.1 {
		notes += fmt.Sprintf(" The machine was busy: others used %.0f %% of it.", 100*busy.Value)
	}
	return grid(head, rows) + notes + "\n"
}

// median is a result in the unit that its case is read in.
func median(r *record.Record) string {
	if r == nil {
		return "–"
	}
	if m, ok := r.Metric("peak_rss_bytes"); ok {
		return fmt.Sprintf("%.0f MB", m.Value/1e6)
	}
	if m, ok := r.Metric("rate"); ok {
		return fmt.Sprintf("%.0f %s", m.Value, m.Unit)
	}
	if m, ok := r.Metric("seconds"); ok {
		return fmt.Sprintf("%.0f ms", 1e3*m.Value)
	}
	return "–"
}

// times is a ratio with its interval, where there is one.
func times(r *record.Record, name string) string {
	if r == nil {
		return "–"
	}
	m, ok := r.Metric(name)
	if !ok {
		return "–"
	}
	low, _ := r.Metric(name + "_low")
	high, _ := r.Metric(name + "_high")
	if m.N < 2 {
		return fmt.Sprintf("%.2f×", m.Value)
	}
	return fmt.Sprintf("%.2f× [%.2f, %.2f]", m.Value, low.Value, high.Value)
}
