package nb

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
)

// Overview is the table of a study for several models, one below the other, from records alone: nothing is computed, so
// that a table of four models never waits for one of them. table lays one model's rows out, as ablation.StaticTable does.
// What has no record is named below the table, model by model.
func (s *Session) Overview(study ablation.Study, table func(*ablation.Runs) chart.Grid, models []string, options ...ablation.Option) error {
	if s.err != nil {
		return s.err
	}
	if len(models) == 0 {
		return fmt.Errorf("nb: overview of study %s: expected at least one model, found none", study.Name)
	}
	ctx, stop := interruptible()
	defer stop()
	var all chart.Grid
	var gaps []string
	stale := 0
	for _, model := range models {
		runs, err := study.Run(ctx, s.store, stored{s.runner}, append([]ablation.Option{ablation.Set("model", model), ablation.Stored()}, options...)...)
		if err != nil {
			return err
		}
		note(holesOf(runs)...)
		stale += runs.Stale
		if gap := runs.Gaps(); gap != "" {
			gaps = append(gaps, model+": "+gap)
		}
		if runs.Count()[ablation.Missing] == len(runs.Records())+runs.Count()[ablation.Missing] {
			continue // nothing but dashes
		}
		g := table(runs)
		if all.Head == nil {
			all.Head, all.Left = append([]string{"model"}, g.Head...), max(g.Left, 1)+1
		}
		for _, row := range g.Rows {
			all.Rows = append(all.Rows, append([]string{model}, row...))
		}
	}
	if all.Head == nil {
		Show("No record of study " + study.Name + " on " + strings.Join(models, ", ") + " yet.")
	} else {
		Show(all)
	}
	if len(gaps) > 0 {
		Show("No record yet (illm study run " + study.Name + " -m MODEL makes some):\n" + strings.Join(gaps, "\n"))
	}
	if stale > 0 {
		Show(fmt.Sprintf("%d records of another version of the arithmetic or of other weights were left out.", stale))
	}
	return nil
}
