// Package ablation is the study engine: questions as axes × levels, answers as
// records.
//
//	Study   name, axes with their levels, what is held fixed
//	Config  one point: a level for every axis, and the fixed settings
//	Run     for each Config the record that answers it, computing only those
//	        that no record answers
//	Runs    the answers as a tidy table: one row a configuration, values with
//	        their standard error; it is a chart.Source
//
// The package knows no engine. An Evaluator turns Configs into records: Stands
// says whether a record still answers a Config, Evaluate computes a batch and
// hands over each result as soon as it is finished. A batch holds configurations
// that share text, window and number of windows, so that an evaluator can score
// them all against one pass of the base model.
//
//	records ──► find by settings ──► found ────────┐
//	                 │                             ▼
//	              missing ──► Evaluate ──► append ─► Runs ──► table, chart
//	                 │
//	      no evaluator, or it fails ──► row without values, with the reason
//
// Finished configurations survive an interruption because each is appended
// before the next is waited for. A configuration that cannot be computed (its
// model is not here and cannot be fetched) stays in the table with the reason;
// Runs.Err joins the reasons. Records of another semantics version are never
// mixed in; Runs.Stale counts them.
//
// Models and Widths ask what each bit width costs, on every model and on one. Clip
// is the study of the clip value c of DI-ClippedSoftmax, one for all layers (algorithm
// reference, 4.4; table T6), Rule the theory beside it. Methods and its T1 are the paper's first table, ZeroShots T2 and T3,
// Cumulative T5; Mantissa, Multiplier, KV, Context, Layers, Shares, Rotation and Calibration are its reviewers' questions;
// Surface and Smoothness look at channels before and after factors.
//
// Static and StaticSites ask what constant grids cost against the rows' own (ablation A), at all sites and one by one;
// Amplitudes and TokenModel show why. Exp is ablation B, NonLinear D. ByModel are the runs of a study on several models:
// StaticTable, ExpTable and NonLinearTable lay them out, StaticVerdict, ExpVerdict and NonLinearVerdict say what they amount
// to, with what contradicts the paper first, and Gaps names what has no record.
package ablation
