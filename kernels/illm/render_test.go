package main

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/illm-go/illm/kernels/illm/internal/notebook"
)

// view is a page in a headless browser that minds exceptions and requests to anywhere.
type view struct {
	*testing.T
	ctx context.Context
}

// see opens a file; without a browser the test is skipped by name.
func see(t *testing.T, file string, scripts bool) view {
	t.Helper()
	path, err := findBrowser()
	if err != nil {
		t.Skipf("%s was not seen in a browser: %v", t.Name(), err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1100, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))...)
	t.Cleanup(stop)
	first, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	err = chromedp.Listen(first, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("exception: %s", e.ExceptionDetails.Text)
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, "file:") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") && !strings.HasPrefix(u, "about:") {
				t.Errorf("request to %s", u)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancelTime := context.WithTimeout(first, 2*time.Minute)
	t.Cleanup(cancelTime)
	v := view{t, ctx}
	if !scripts {
		_, err := chromedp.Run(ctx, func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
			_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			return chromedp.Void{}, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("file://"+filepath.ToSlash(file))); err != nil {
		t.Fatal(err)
	}
	return v
}

// until waits for a script to be true.
func (v view) until(what, script string) {
	v.Helper()
	for range 200 {
		if ok, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool](script)); err == nil && ok {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	v.Errorf("not seen: %s", what)
}

// html is what an output offers as text/html.
func htmlOf(t *testing.T, o notebook.Output) string {
	t.Helper()
	var lines []string
	raw := o.Data["text/html"]
	if json.Unmarshal(raw, &lines) == nil {
		return strings.Join(lines, "")
	}
	var s string
	if raw != nil {
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func put(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(`<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,"></head><body>`+text+`</body></html>`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRendering runs a notebook with a chart and a table and looks at it the ways that readers do.
func TestRendering(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Jupyter and a browser")
	}
	dir, out := t.TempDir(), t.TempDir()
	writeNotebook(t, dir, "10-look", "%noautoget\nconst top = 3", `import "github.com/illm-go/illm/pkg/chart"
import "github.com/illm-go/illm/pkg/nb"

%%
nb.Show(&chart.Chart{Kind: chart.KindLine, Title: "a line", X: chart.Axis{Name: "x"}, Y: chart.Axis{Name: "y"},
	Series: []chart.Series{{Name: "w8a8", Points: []chart.Point{{X: 1, Y: 1}, {X: 2, Y: top}, {X: 3, Y: 2, Err: 0.5}}}}})
nb.Show(chart.Grid{Head: []string{"name", "number"}, Rows: [][]string{{"first", "1.25"}, {"second", "2.50"}}})`)
	if code, _, stderr := command(t, "reproduce", filepath.Join(dir, "10-look.ipynb"), "--out", out); code != exitOK {
		t.Fatalf("code %d: %s", code, stderr)
	}
	page := filepath.Join(out, "10-look.html")
	raw, err := os.ReadFile(filepath.Join(out, "10-look.ipynb"))
	if err != nil {
		t.Fatal(err)
	}

	t.Run("nbconvert", func(t *testing.T) {
		v := see(t, page, true)
		v.until("the live chart", `document.querySelectorAll('.illm-live svg').length === 1`)
		v.until("its series", `document.querySelector('.illm-live').textContent.includes('w8a8') || document.querySelector('.illm-live').textContent.includes('a line')`)
		v.until("the table", `Array.from(document.querySelectorAll('td')).some(e => e.textContent === '2.50')`)
	})
	t.Run("PDF", func(t *testing.T) {
		if _, err := findBrowser(); err != nil {
			t.Skipf("%s was not printed: %v", t.Name(), err)
		}
		var said bytes.Buffer
		if err := (&app{stdout: &said, stderr: &said}).printPDF(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		pages, strokes := readPDF(t, filepath.Join(out, "10-look.pdf"))
		if pages < 1 || strokes < 20 {
			t.Errorf("%d pages with %d drawn paths, want the chart's lines", pages, strokes)
		}
	})
	t.Run("VS Code", func(t *testing.T) { // each output's HTML alone in a frame, without a module loader
		n, err := notebook.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		frames := ""
		for _, o := range n.Executable()[1].Outputs {
			if page := htmlOf(t, o); page != "" {
				frames += `<iframe width="900" height="600" srcdoc="` + html.EscapeString(`<!doctype html><body class="vscode-body">`+page) + `"></iframe>`
			}
		}
		v := see(t, put(t, "frames.html", frames), true)
		v.until("a frame an output", `document.querySelectorAll('iframe').length === 2`)
		v.until("the live chart in the first", `document.querySelector('iframe').contentDocument.querySelectorAll('.illm-live svg').length === 1`)
		v.until("the table in the second", `Array.from(document.querySelectorAll('iframe')[1].contentDocument.querySelectorAll('td')).some(e => e.textContent === '2.50')`)
		v.until("no module loader", `typeof document.querySelector('iframe').contentWindow.require === 'undefined'`)
	})
	t.Run("GitHub", func(t *testing.T) { // pictures and tables of the committed form, with no script
		static, err := notebook.Static(raw)
		if err != nil {
			t.Fatal(err)
		}
		hostPage(t, static, 1, 1)
	})
}

// TestCommittedNotebooksOnACodeHost looks at every notebook of the repository as a page without scripts.
func TestCommittedNotebooksOnACodeHost(t *testing.T) {
	if testing.Short() {
		t.Skip("short: the browser is not started")
	}
	files, err := filepath.Glob(filepath.Join(notebooksDir, "*.ipynb"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d notebooks, %v", len(files), err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(f), func(t *testing.T) { hostPage(t, raw, 0, 1) })
	}
}

// hostPage shows the outputs of a notebook as a code host does, the richest form of each, and sees that every picture
// loads. It expects at least so many pictures and tables.
func hostPage(t *testing.T, raw []byte, pictures, tables int) {
	t.Helper()
	n, err := notebook.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	seen := [2]int{}
	for _, c := range n.Executable() {
		for _, o := range c.Outputs {
			var svg string
			var lines []string
			if m := o.Data["image/svg+xml"]; m != nil && json.Unmarshal(m, &svg) != nil && json.Unmarshal(m, &lines) == nil {
				svg = strings.Join(lines, "")
			}
			page := htmlOf(t, o)
			switch {
			case page != "":
				if strings.Contains(page, "<script") {
					t.Errorf("a script in %.60q", page)
				}
				seen[1] += strings.Count(page, "<table")
				b.WriteString(page)
			case svg != "":
				seen[0]++
				b.WriteString(`<img src="data:image/svg+xml;base64,` + base64.StdEncoding.EncodeToString([]byte(svg)) + `">`)
			default:
				b.WriteString("<pre>" + html.EscapeString(o.Plain()) + "</pre>")
			}
		}
	}
	if seen[0] < pictures || seen[1] < tables {
		t.Errorf("%d pictures and %d tables, want at least %d and %d", seen[0], seen[1], pictures, tables)
	}
	v := see(t, put(t, "host.html", b.String()), false)
	v.until(fmt.Sprintf("all of %d pictures, loaded", seen[0]), `Array.from(document.images).filter(i => i.complete && i.naturalWidth > 100).length === `+fmt.Sprint(seen[0]))
	v.until("text to read", `document.body.innerText.trim().length > 10`)
}

var (
	pdfPage   = regexp.MustCompile(`/Type\s*/Page\b[^s]`)
	pdfStream = regexp.MustCompile(`(?s)stream\r?\n(.*?)\r?\nendstream`)
	pdfPaint  = regexp.MustCompile(`(?m)(^|\s)(S|s|f|B)\s*$`) // stroke, close and stroke, fill, both
)

// readPDF counts the pages of a PDF, and the paths that its streams paint.
func readPDF(t *testing.T, path string) (pages, paints int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw[max(0, len(raw)-32):], []byte("%%EOF")) {
		t.Errorf("%s is cut off", path)
	}
	for _, m := range pdfStream.FindAllSubmatch(raw, -1) {
		z, err := zlib.NewReader(bytes.NewReader(m[1]))
		if err != nil {
			continue // a font or a picture
		}
		text, _ := io.ReadAll(z)
		paints += len(pdfPaint.FindAll(text, -1))
		pages += len(pdfPage.FindAll(text, -1)) // objects may be packed
	}
	return pages + len(pdfPage.FindAll(raw, -1)), paints
}
