package report

import (
	"context"
	"fmt"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/nb"
	"github.com/illm-go/illm/pkg/record"
)

// tableSections are the paper's tables by their numbers, for the models that have records. The studies behind them
// follow with every row.
func tableSections(ctx context.Context, store *record.Store, ev ablation.Evaluator, session *nb.Session) ([]Section, error) {
	t1 := Section{Name: "T1", Question: "Perplexity by model, method and width: what does the paper's first table look like here?"}
	t23 := Section{Name: "T2, T3", Question: "Zero-shot accuracy on six tasks, same rows?"}
	t4 := Section{Name: "T4", Question: "How fast, and how much memory? Components, shapes of large models and rivals follow below as speed studies."}
	t5 := Section{Name: "T5", Question: "From simulated quantisation to integers alone: what does each step cost?"}
	t6 := Section{Name: "T6", Question: "Which clip value: what does each cost against no clip?"}
	run := func(study ablation.Study, model string, options ...ablation.Option) (*ablation.Runs, error) {
		runs, err := study.Run(ctx, store, ev, append([]ablation.Option{ablation.Set("model", model), ablation.Stored()}, options...)...)
		if err != nil {
			return nil, fmt.Errorf("report: tables: %s of %s: %w", study.Name, model, err)
		}
		return runs, nil
	}
	for _, model := range ablation.Models4 {
		runs, err := run(ablation.Methods, model, ablation.Only(ablation.PaperRow), ablation.OwnWindows())
		if err != nil {
			return nil, err
		}
		table, missing := runs.T1()
		t1.block(runs, Block{Title: model, Table: table, Chart: runs.T1Chart("wikitext2")}, len(missing), model)
		if kl := runs.KLBlock("wikitext2"); len(kl.Rows) > 0 {
			t1.Blocks = append(t1.Blocks, Block{Title: model + ": divergence from fp32, WikiText-2", Table: kl})
		}

		if runs, err = run(ablation.ZeroShots, model, ablation.Only(ablation.AnswerRow), ablation.OwnWindows()); err != nil {
			return nil, err
		}
		accuracy, holes := runs.ZeroShotTable()
		t23.block(runs, Block{Title: model, Table: accuracy}, holes, model)
		if lengths, _ := runs.ZeroShotNormTable(); len(lengths.Rows) > 0 {
			t23.Blocks = append(t23.Blocks, Block{Title: model + ": by log probability a character (acc_norm)", Table: lengths})
		}

		if runs, err = run(ablation.ZeroShots, model, ablation.EveryQuestion()...); err != nil {
			return nil, err
		}
		final, holes := runs.ZeroShotTable()
		t23.block(runs, Block{Title: model + ": every question of the six tasks", Table: final}, holes, model+" on every question")

		if runs, err = run(ablation.Cumulative, model); err != nil {
			return nil, err
		}
		steps, err := nb.TableOf(runs.Against("method", "fsbr"), "width", "method", "ppl_wikitext2", "delta_wikitext2", "kld_mean_wikitext2", "ppl_c4", "kld_mean_c4", "windows", "source")
		if err != nil {
			return nil, err
		}
		divergence := chart.Bar(runs, "method", "kld_mean_wikitext2", "width").Titled("Divergence from fp32: "+model, runs.Caption()).Size(1000, 420)
		t5.block(runs, Block{Title: model, Table: steps, Chart: divergence}, runs.Count()[ablation.Missing], model)

		if runs, err = run(ablation.Clip, model, ablation.Set("recipe", t6Recipes), ablation.WithoutBase()); err != nil {
			return nil, err
		}
		rules, err := clipRules(session, model, t6Recipes)
		if err != nil {
			return nil, err
		}
		change := runs.Against("clip", "none")
		clips, err := nb.TableOf(change, "recipe", "clip", "ppl_wikitext2", "delta_wikitext2", "ppl_c4", "delta_c4", "windows", "source")
		if err != nil {
			return nil, err
		}
		t6.block(runs, Block{Title: model, Table: clips}, runs.Count()[ablation.Missing], model)
		for _, text := range change.Texts() {
			b := Block{Title: model + ": " + chart.Text(text), Chart: change.ClipChart(text, 8, rules[:min(1, len(rules))]...)}
			if len(rules) > 0 {
				b.Title, b.Table = b.Title+", the analytic rule beside what was measured", change.RuleGrid(text, rules...)
			}
			if b.Chart.Validate() == nil {
				t6.Blocks = append(t6.Blocks, b)
			}
		}
	}
	for _, model := range ablation.Models4 {
		_, speeds, used, missing := nb.SpeedOf(store, model)
		if len(used) == 0 {
			t4.Missing = append(t4.Missing, "speed of "+model)
			continue
		}
		t4.Blocks, t4.Records = append(t4.Blocks, Block{Title: model, Table: speeds}), append(t4.Records, used...)
		for _, m := range missing {
			t4.Missing = append(t4.Missing, "speed of "+m)
		}
	}
	return []Section{t1, t23, t4, t5, t6}, nil
}

// t6Recipes are the widths of table T6.
var t6Recipes = []string{"w8a8", "w6a6", "w4a8", "w4a4"}

// block adds one model to a table if any of its rows has a record, and counts the others.
func (s *Section) block(runs *ablation.Runs, b Block, holes int, model string) {
	if len(runs.Records()) == 0 {
		s.Missing = append(s.Missing, model+": the whole table")
		return
	}
	s.Records = append(s.Records, runs.Records()...)
	if b.Chart != nil && b.Chart.Validate() != nil {
		b.Chart = nil
	}
	s.Blocks = append(s.Blocks, b)
	if holes > 0 {
		s.Missing = append(s.Missing, fmt.Sprintf("%s: %d rows", model, holes))
	}
}
