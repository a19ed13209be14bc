// Package chart draws the project's charts: one option tree, three forms.
//
// A Chart is a plain description (kind, axes, series of points with errors,
// baselines). Render gives an Output of
//
//	HTML  a fragment for a notebook: the interactive chart where scripts run,
//	      the static picture over its table of values where they do not;
//	SVG   the static picture alone;
//	Text  the table of values, aligned, for terminals and text/plain.
//
// Where the pieces come from:
//
//	  Chart ──► go-echarts option tree (JSON without any function)
//	               │                                │
//	mount.js + echarts in the page        goja runs the same echarts
//	               │                                │
//	              HTML ◄─────── img ───────────────SVG
//
// The library is echarts 6.1.0, embedded (assets/), never fetched. A page needs
// it once: LibraryHTML is the fragment that holds it, and a chart that finds no
// library keeps its static picture until one arrives, so cells may be shown in
// any order and run again alone. Page makes a file of its own with library and
// charts.
//
// What go-echarts would do with JavaScript functions is done otherwise, so that
// the tree stays data: error bars and histogram bins are custom series that
// marks.js registers by name, ticks are computed in Go, and the text shown on
// hover is the datum's name.
//
// What every chart shows: axes with units; ↓ or ↑ better; error bars of one
// standard error where points have one; baselines as dashed lines with their
// value; one colour for a method in all charts (Color), chosen to stay apart
// under colour-vision deficiencies and readable on white and on black; a symbol
// per series as second cue. Charts follow the page's light or dark look.
//
// Points come as structs, or from anything that implements Source (the rows of
// a study do): Line, Bar, Scatter and Histogram build a Chart from its columns.
//
// HeatMap draws matrices, pooled to what can be looked at, as panels under one scale
// of colours that lightness alone orders.
//
// Only this package imports go-echarts. Licences of the embedded library:
// assets/echarts.
//
// Sources: echarts 6 (apache/echarts) for options and server-side rendering;
// Okabe and Ito's colour set, darkened (palette.go).
package chart
