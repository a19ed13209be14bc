package chart

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"strings"
)

//go:embed assets/mount.js
var mount string

// Output is a rendered chart in its three forms. HTML is a fragment that shows
// the interactive chart where the page holds the library (LibraryHTML) and
// scripts run, and otherwise the static picture over its table.
type Output struct {
	HTML, SVG, Text string
}

// Render draws the chart.
func (c *Chart) Render() (Output, error) {
	if err := c.Validate(); err != nil {
		return Output{}, err
	}
	options, err := c.options()
	if err != nil {
		return Output{}, err
	}
	l := c.layout()
	picture, err := svg(options, light, l.width, l.height)
	if err != nil {
		return Output{}, err
	}
	text := c.text()
	page, err := c.fragment(options, picture, text, l)
	if err != nil {
		return Output{}, err
	}
	return Output{HTML: page, SVG: picture, Text: text}, nil
}

// fragment is the HTML of one chart. The picture sits in an img element: viewers
// that clean HTML (code hosts) keep images and drop inline drawings.
func (c *Chart) fragment(options []byte, picture, text string, l layout) (string, error) {
	sum := sha256.Sum256(options)
	id := hex.EncodeToString(sum[:8])
	look := func(t theme) node {
		tree := t.tree()
		tree["page"] = t.Background
		return tree
	}
	job, err := json.Marshal(node{ // Marshal escapes <, > and &, so the JSON cannot end the script element
		"id": id, "width": l.width, "height": l.height, "options": json.RawMessage(options),
		"themes": node{"light": look(light), "dark": look(dark)},
	})
	if err != nil {
		return "", fmt.Errorf("chart: %q: encode the page: %w", c.Title, err)
	}
	alt := strings.TrimSpace(c.Title + ": " + c.Y.Title() + " against " + c.X.Title())
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="illm-chart" data-illm="%s" style="max-width:100%%;overflow-x:auto;margin:4px 0">`+"\n", id)
	fmt.Fprintf(&b, `<div class="illm-static"><img alt="%s" width="%d" style="max-width:100%%;height:auto" src="data:image/svg+xml;base64,%s"/></div>`+"\n",
		html.EscapeString(alt), l.width, base64.StdEncoding.EncodeToString([]byte(picture)))
	b.WriteString(`<div class="illm-live" style="display:none"></div>` + "\n")
	fmt.Fprintf(&b, `<details open style="margin:4px 14px;font-size:90%%"><summary>Values</summary><pre>%s</pre></details>`+"\n", html.EscapeString(text))
	fmt.Fprintf(&b, "<script>%s(window, %s);</script>\n</div>\n", strings.TrimSpace(mount), job)
	return b.String(), nil
}

// LibraryHTML is the fragment that brings the chart library into a page: once a
// page, in any place. It hides module loaders from the library, which would
// otherwise hand itself to them instead of to the page, and gives a page that
// has a library of the same name its own back.
func LibraryHTML() string {
	return "<script class=\"illm-library\">(function (w) {\n" +
		"var state = w.illmCharts || (w.illmCharts = { jobs: {} });\n" +
		"if (state.echarts) return;\n" +
		"var before = w.echarts;\n" +
		"(function () { var define, exports, module;\n" + library + "\n}).call(w);\n" +
		strings.TrimSpace(marks) + "(w.echarts);\n" +
		"state.echarts = w.echarts;\n" +
		"if (before) w.echarts = before;\n" +
		"if (state.draw) state.draw();\n" +
		"})(window);</script>\n"
}

// Page is a complete HTML file with the given charts, which needs no network.
func Page(title string, charts ...Output) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>\n", html.EscapeString(title))
	b.WriteString(`<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">` + "\n")
	fmt.Fprintf(&b, "<style>body{font-family:%s;margin:24px;background:%s;color:%s}@media (prefers-color-scheme: dark){body{background:%s;color:%s}}</style>\n",
		fonts, light.Background, light.Text, dark.Background, dark.Text)
	b.WriteString("</head><body>\n" + LibraryHTML())
	for _, c := range charts {
		b.WriteString(c.HTML)
	}
	b.WriteString("</body></html>\n")
	return b.String()
}

// StripLibrary removes what LibraryHTML added from a notebook's or a page's HTML,
// for outputs that are kept in a repository: charts then show their static
// picture. It is the identity on HTML without the library.
func StripLibrary(page string) string {
	const open, end = `<script class="illm-library">`, "</script>\n"
	for {
		at := strings.Index(page, open)
		if at < 0 {
			return page
		}
		stop := strings.Index(page[at:], end)
		if stop < 0 {
			return page[:at]
		}
		page = page[:at] + page[at+stop+len(end):]
	}
}
