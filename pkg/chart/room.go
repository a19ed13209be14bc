package chart

import (
	"math"
	"strings"
	"unicode/utf8"
)

// The room that names take, in pixels. The width of a letter differs between the fonts of browsers, so these are of the
// wider ones: where a line breaks is decided here, alike for the picture and the live chart.
const (
	subtitleLetter = 7    // of the subtitle, at 12.5 pixels
	subtitleLine   = 16   // its lines apart
	legendLetter   = 6.8  // of the legend, at 12.5 pixels
	legendSymbol   = 25   // symbol and gap before a name of the legend
	legendGap      = 16   // between its names and, below a line of 12.5 pixels, between its rows
	legendRow      = 29   // its rows apart
	labelLetter    = 6.4  // a letter of a category label, at 11.5 pixels
	labelHeight    = 11.5 // of a category label
	labelMargin    = 8    // between an axis and its labels
	slantDegrees   = 40   // labels that would touch are slanted by so much
	toolsWidth     = 84   // of the live chart's tools, right of title and subtitle
)

// subtitleLines breaks a subtitle that would reach the tools of the live chart, and says what its further lines add to the height.
func subtitleLines(s string, width int) (lines string, more int) {
	list := breakLines(s, int(float64(width-2*sideMargin-toolsWidth)/subtitleLetter))
	return strings.Join(list, "\n"), (len(list) - 1) * subtitleLine
}

// breakLines breaks a text between words into lines of at most so many letters; a word that is longer has a line of its own.
func breakLines(s string, letters int) []string {
	var lines []string
	used := 0
	for _, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		if len(lines) == 0 || used+1+n > letters {
			lines, used = append(lines, word), n
			continue
		}
		lines[len(lines)-1] += " " + word
		used += 1 + n
	}
	return lines
}

// legendRows breaks the names of a legend into rows that the picture has the width for.
func legendRows(names []string, width int) [][]string {
	rows, used := [][]string{nil}, 0.0
	for _, s := range names {
		size := legendSymbol + legendLetter*float64(utf8.RuneCountInString(s))
		if last := len(rows) - 1; len(rows[last]) > 0 && used+legendGap+size > float64(width-2*sideMargin) {
			rows, used = append(rows, []string{s}), size
			continue
		}
		last := len(rows) - 1
		if len(rows[last]) > 0 {
			used += legendGap
		}
		rows[last], used = append(rows[last], s), used+size
	}
	return rows
}

// legendData is the legend as the library reads it: an empty name begins a row.
func (l layout) legendData() []string {
	var out []string
	for i, row := range l.legendRows {
		if i > 0 {
			out = append(out, "")
		}
		out = append(out, row...)
	}
	return out
}

// crowded reports whether neighbouring category labels would touch.
func (l layout) crowded(width int) bool {
	if len(l.labels) < 2 {
		return false
	}
	const gap = 4
	slot := float64(width) / float64(len(l.labels))
	for i := 1; i < len(l.labels); i++ {
		both := utf8.RuneCountInString(l.labels[i-1]) + utf8.RuneCountInString(l.labels[i])
		if float64(both)*labelLetter/2+gap > slot {
			return true
		}
	}
	return false
}

// slanted is the room of slanted labels: from the axis to below the longest, and what the panel moves to the right by, for
// the labels that would begin more than room pixels left of it.
func (l layout) slanted(room, width int) (below, left int) {
	sin, cos := math.Sincos(slantDegrees * math.Pi / 180)
	slot := float64(width) / float64(len(l.labels))
	deep, wide := 0.0, 0.0
	for i, s := range l.labels {
		long := labelLetter * float64(utf8.RuneCountInString(s))
		deep = max(deep, long*sin)
		wide = max(wide, long*cos-slot*(float64(i)+0.5)-float64(room))
	}
	return labelMargin + int(math.Ceil(deep+labelHeight*cos)) + 6, int(math.Ceil(wide))
}
