package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/data"
	"github.com/illm-go/illm/pkg/record"
)

// fewestDigits of a record's id that are taken for one: fewer are a typing error rather than a choice.
const fewestDigits = 4

func (a *app) studyRecordCommand() *cobra.Command {
	var f settings
	cmd := &cobra.Command{
		Use:   "record ID…",
		Short: "Everything that a result was made with, by the id that its point shows",
		Long: `record prints the records whose id begins with ID: what was set, what was measured, on
which machine and with which code. Charts show the id of a point under the pointer and,
after a click, below the picture; tables name it where they name a record.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := record.Open(record.Options{Shipped: data.Records(), Dir: f.records})
			if err != nil {
				return err
			}
			for _, id := range args {
				if err := a.showRecords(store, id); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f.recordFlag(cmd)
	return cmd
}

// showRecords prints each record whose key begins with id, the newest of one key.
func (a *app) showRecords(store *record.Store, id string) error {
	if len(id) < fewestDigits || strings.Trim(strings.ToLower(id), "0123456789abcdef") != "" {
		return usageError(fmt.Errorf("record %q: expected the first %d or more hexadecimal digits of a record's id", id, fewestDigits))
	}
	found := store.Latest(func(r *record.Record) bool { return strings.HasPrefix(r.Key, strings.ToLower(id)) })
	if len(found) == 0 {
		return usageError(fmt.Errorf("record %s: none of the records here has an id that begins so: copy it from a chart or table, or name the folder with --records", id))
	}
	for _, r := range found {
		if err := a.record(r); err != nil {
			return err
		}
		if a.json {
			continue
		}
		if err := a.printRecord(r); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printRecord(r *record.Record) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" && value != "null" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	line("record", r.Key)
	line("kind", r.Kind)
	for _, part := range []struct {
		name string
		of   any
	}{{"axes", r.Axes}, {"settings", r.Config}} {
		text, err := json.Marshal(part.of)
		if err != nil {
			return fmt.Errorf("record %s: show the %s: %w", r.Key, part.name, err)
		}
		line(part.name, string(text))
	}
	for _, m := range r.Metrics {
		v := fmt.Sprintf("%.6g", m.Value)
		if m.Stderr != 0 {
			v += fmt.Sprintf(" ± %.2g", m.Stderr)
		}
		line(m.Name, strings.TrimSpace(v+" "+m.Unit))
	}
	if n := len(r.Windows); n > 0 {
		line("windows", fmt.Sprintf("%d, first %d", n, r.Windows[0].Index))
	}
	line("model", r.Artefact)
	line("text", r.Corpus)
	commit := r.Commit
	if r.Dirty {
		commit += ", and changes that were not committed"
	}
	line("code", commit)
	var env []string
	for _, s := range []string{r.Env.CPU, r.Env.OS, r.Env.Arch, r.Env.Go} {
		if s != "" && !slices.Contains(env, s) {
			env = append(env, s)
		}
	}
	line("machine", strings.Join(append(env, fmt.Sprintf("%d threads", r.Env.Threads)), ", "))
	if !r.Time.IsZero() {
		line("made", fmt.Sprintf("%s, in %.1f s", r.Time.Format("2006-01-02 15:04"), r.WallS))
	}
	line("note", r.Note)
	fmt.Fprintln(w)
	return w.Flush()
}
