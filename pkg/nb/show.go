package nb

import (
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/chart"
)

// Must returns v, or ends the cell with the error on its error output: a cell
// that fails shows one sentence instead of a stack of goroutines.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check ends the cell if err is not nil. Without its model or text, a cell of a notebook
// says what is missing and ends as if it had worked.
func Check(err error) {
	if err == nil {
		return
	}
	unavailable(err)
	gonbui.Sync()
	fmt.Fprintln(os.Stderr, "error:", err)
	os.Exit(1)
}

// bundle is one display output in the forms a front end may choose from.
type bundle struct {
	html, svg, text string
	library         bool // the HTML needs the chart library
}

// out is where text goes outside a notebook.
var out io.Writer = os.Stdout

// Show displays a chart, a rendered chart, a table, or anything with a String
// method or fmt form, as one output each.
func Show(items ...any) {
	for _, item := range items {
		b, err := bundleOf(item)
		Check(err)
		display(b, "")
	}
}

// Update shows an item in place of the one shown before under the same name, or
// in a new place the first time. Names hold for one cell.
func Update(name string, item any) error {
	b, err := bundleOf(item)
	if err != nil {
		return err
	}
	display(b, name)
	return nil
}

func bundleOf(item any) (bundle, error) {
	switch v := item.(type) {
	case nil:
		return bundle{}, fmt.Errorf("nb: show: expected a chart or a table, found nil")
	case *chart.Chart:
		if v == nil { // a study's chart when none of its rows has a number
			return plain("Nothing to draw: no record."), nil
		}
		o, err := v.Render()
		if errors.Is(err, chart.ErrEmpty) { // rows are missing, and later cells may do better
			reason, lack := "none of its values is recorded", (*chart.Lack)(nil)
			if errors.As(err, &lack) {
				reason = lack.Reason
			}
			return plain(fmt.Sprintf("Nothing to draw for %q: %s.", v.Title, reason)), nil
		}
		return bundle{o.HTML, o.SVG, o.Text, true}, err
	case chart.Output:
		return bundle{v.HTML, v.SVG, v.Text, true}, nil
	case ablation.Comparison:
		return bundleOf(v.Table())
	case chart.Grid:
		return bundle{html: gridHTML(v), text: v.String()}, nil
	case error:
		return bundle{html: `<div style="color:#b4508f">` + html.EscapeString(v.Error()) + `</div>`, text: v.Error()}, nil
	case fmt.Stringer:
		return plain(v.String()), nil
	default:
		return plain(fmt.Sprint(v)), nil
	}
}

func plain(s string) bundle {
	return bundle{html: `<div style="white-space:pre-line">` + html.EscapeString(s) + `</div>`, text: s + "\n"}
}

// display sends one output; place names an output to replace.
func display(b bundle, place string) {
	if !gonbui.IsNotebook {
		fmt.Fprintln(out, strings.TrimRight(b.text, "\n"))
		return
	}
	page := b.html
	if b.library && session.bringsLibrary(place) {
		page = chart.LibraryHTML() + page
	}
	data := map[protocol.MIMEType]any{protocol.MIMETextHTML: page, protocol.MIMETextPlain: b.text}
	if b.svg != "" {
		data[protocol.MIMEImageSVG] = b.svg
	}
	id := ""
	if place != "" {
		id = fmt.Sprintf("illm-%d-%s", os.Getpid(), place)
	}
	gonbui.SendData(&protocol.DisplayData{Data: data, DisplayID: id})
	gonbui.Sync()
}
