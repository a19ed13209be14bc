// Package nb is the glue of notebook cells: it opens the records and the engine,
// shows charts and tables as cell output, and runs sliders.
//
//	runs := nb.Must(nb.Open().Run(ablation.Clip, ablation.Set("clip", clip)))
//	nb.Table(runs, "recipe", "clip", "ppl_wikitext2")
//	nb.Show(chart.Line(runs, "clip", "ppl_wikitext2", "recipe").Panels())
//
// # A cell is a process
//
// GoNB compiles every cell and runs it anew, so nothing stays in memory between
// cells: results live in records, models are memory-mapped, and Open is called
// in each cell that needs a session (it reads the records and opens no model
// until one is used).
//
// # Output
//
// Show sends one display output with text/html, image/svg+xml and text/plain:
// front ends choose what they can show. The chart library (1.1 MB) goes into
// the first output of a kernel session that needs it; which one that was is
// noted in the kernel's own temporary folder, and that output carries it again
// when its cell is run again. A chart that comes before the library, or without
// one, shows its static picture. Outside a notebook (go run, tests) the text is
// printed.
//
// # Headless runs
//
// A runner sets ILLM_HEADLESS=1 for the kernel. Slider then draws once at its
// initial value and returns. The same happens when the front end does not answer
// within a few seconds (VS Code, nbclient), so that no run hangs on a widget.
//
// Only this package imports gonbui.
package nb
