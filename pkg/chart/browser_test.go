package chart

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// findBrowser returns the path of a Chromium, or says which names were tried.
func findBrowser() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %s is installed", strings.Join(names, ", "))
}

// tab is a page that remembers what it complained about and what it fetched.
type tab struct {
	context.Context
	mu       sync.Mutex
	problems []string
}

func (b *tab) report(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

// openPage writes the page to a file and opens it in a headless browser.
func openPage(t *testing.T, page string) *tab {
	t.Helper()
	if testing.Short() {
		t.Skip("short: the browser is not started")
	}
	path, err := findBrowser()
	if err != nil {
		t.Skipf("the charts were not seen in a browser: %v", err)
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1100, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	first, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := new(tab)
	err = chromedp.Listen(first, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.report("exception: %s %s", e.ExceptionDetails.Text, e.ExceptionDetails.Exception.Description)
		case *runtime.EventConsoleAPICalled:
			if (e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning) && len(e.Args) > 0 {
				b.report("console %s: %s %s", e.Type, e.Args[0].Value, e.Args[0].Description)
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				b.report("log: %s", e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, "file:") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
				b.report("request to %s", u)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var cancelTime context.CancelFunc
	b.Context, cancelTime = context.WithTimeout(first, 60*time.Second)
	t.Cleanup(cancelTime)
	if err := chromedp.Do(b, chromedp.Navigate("file://"+filepath.ToSlash(file))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range b.problems {
			t.Error(p)
		}
	})
	return b
}

// eval runs a script and returns its value.
func eval[T any](t *testing.T, b *tab, script string) T {
	t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// do runs a script for its effect.
func (b *tab) do(t *testing.T, script string) { t.Helper(); eval[bool](t, b, script+"; true") }

// drawn waits until n charts are drawn and returns the look of the last.
func (b *tab) drawn(t *testing.T, n int) string {
	t.Helper()
	count := 0
	for range 100 {
		count = eval[int](t, b, `document.querySelectorAll('.illm-live > div > svg').length`)
		if count == n {
			return eval[string](t, b, `Array.from(document.querySelectorAll('[data-illm-drawn]')).map(e => e.getAttribute('data-illm-drawn')).pop()`)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%d charts drawn, want %d", count, n)
	return ""
}

func render(t *testing.T, c *Chart) Output {
	t.Helper()
	o, err := c.Render()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestBrowser: every kind of chart is drawn, says what it should, answers the
// pointer, and needs nothing from outside.
func TestBrowser(t *testing.T) {
	gallery := gallery()
	names := []string{"panels", "log", "bars", "scatter", "bins"}
	var all []Output
	for _, name := range names {
		all = append(all, render(t, gallery[name]))
	}
	b := openPage(t, Page("charts", all...))
	if look := b.drawn(t, len(all)); look != "light" {
		t.Errorf("on a white page the chart looks %q", look)
	}
	for i, name := range names {
		c := gallery[name]
		text := eval[string](t, b, fmt.Sprintf(`document.querySelectorAll('.illm-live')[%d].textContent`, i))
		for _, s := range c.Series {
			if len(c.Series) > 1 && !strings.Contains(text, s.Name) {
				t.Errorf("%s: the page does not say %q: %s", name, s.Name, text)
			}
		}
	}
	if eval[int](t, b, `document.querySelectorAll('.illm-live b, .illm-chart pre b').length`) != 0 {
		t.Error("a series name became markup")
	}
	if !eval[bool](t, b, `Array.from(document.querySelectorAll('.illm-static')).every(e => e.style.display === 'none')`) {
		t.Error("static pictures stand beside the live charts")
	}

	// The pointer over a point shows its value and its record.
	b.do(t, `document.querySelectorAll('.illm-live')[1].scrollIntoView()`)
	at := eval[[]float64](t, b, `(() => { const host = document.querySelectorAll('.illm-chart')[1];
		const box = host.querySelector('.illm-live').getBoundingClientRect();
		const p = host.illmChart.convertToPixel({seriesIndex: 0}, [3, 22.1]);
		return [box.left + p[0], box.top + p[1]]; })()`)
	tip := ""
	for range 40 {
		if err := chromedp.Do(b, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0]-1, at[1]),
			chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]), chromedp.Sleep(50*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		tip = eval[string](t, b, `document.querySelectorAll('.illm-live')[1].lastElementChild.innerText || ''`)
		if strings.Contains(tip, "22.10") {
			break
		}
	}
	if want := "w8a8\nclip c 15\nPerplexity, WikiText-2 22.10 ± 0.11\nrecord ab12cd34"; tip != want {
		t.Errorf("hover says %q, want %q", tip, want)
	}

	// A click leaves the command that prints the record.
	if err := chromedp.Do(b, chromedp.MouseClickXY(at[0], at[1]), chromedp.Sleep(100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	said := eval[string](t, b, `(document.querySelectorAll('.illm-chart')[1].querySelector('.illm-record') || {}).textContent || ''`)
	if want := tip + "\nillm study record ab12cd34"; said != want {
		t.Errorf("after a click the page says %q, want %q", said, want)
	}

	// A click on the legend takes a series with its error bars away.
	const marks = `document.querySelectorAll('.illm-chart')[1].querySelectorAll('.illm-live path').length`
	before := eval[int](t, b, marks)
	b.do(t, `document.querySelectorAll('.illm-chart')[1].illmChart.dispatchAction({type: 'legendUnSelect', name: 'w8a8'})`)
	if err := chromedp.Do(b, chromedp.Sleep(200*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	after := eval[int](t, b, marks)
	if gone := before - after; gone < 9+8 { // the line, eight symbols, and eight error bars
		t.Errorf("hiding a series removed %d marks, want 17 at least", gone)
	}
}

// TestPages are the surroundings that a chart meets in notebooks.
func TestPages(t *testing.T) {
	a, b := render(t, sweep()), render(t, sweep().Panels())
	const head = `<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,">`
	t.Run("library after the charts", func(t *testing.T) {
		openPage(t, head+`</head><body>`+a.HTML+b.HTML+LibraryHTML()).drawn(t, 2)
	})
	t.Run("library twice, chart twice", func(t *testing.T) {
		openPage(t, head+`</head><body>`+LibraryHTML()+a.HTML+LibraryHTML()+a.HTML).drawn(t, 2)
	})
	t.Run("module loader and another library of the name", func(t *testing.T) {
		p := openPage(t, head+`<script>var define = function () { throw new Error('taken by the loader') }; define.amd = {}; var echarts = 'theirs';</script></head><body>`+LibraryHTML()+a.HTML)
		p.drawn(t, 1)
		if theirs := eval[string](t, p, `window.echarts`); theirs != "theirs" {
			t.Errorf("the page's own library is now %q", theirs)
		}
	})
	t.Run("no library", func(t *testing.T) {
		p := openPage(t, head+`</head><body>`+a.HTML)
		seen := eval[[]bool](t, p, `[document.querySelector('.illm-static img').naturalWidth > 0, document.querySelector('.illm-static').style.display !== 'none', document.querySelector('details').open]`)
		for i, what := range []string{"the static picture loads", "it is shown", "its table is open"} {
			if !seen[i] {
				t.Errorf("without a library: not true that %s", what)
			}
		}
	})
	t.Run("dark page", func(t *testing.T) {
		p := openPage(t, head+`</head><body style="background:#111">`+LibraryHTML()+a.HTML)
		if look := p.drawn(t, 1); look != "dark" {
			t.Errorf("on a black page the chart looks %q", look)
		}
		p.do(t, `document.body.style.background = '#fff'`)
		look := ""
		for range 40 {
			look = eval[string](t, p, `document.querySelector('.illm-chart').getAttribute('data-illm-drawn')`)
			if look == "light" {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if look != "light" {
			t.Error("the chart did not follow the page's change to white")
		}
	})
	t.Run("narrow page", func(t *testing.T) {
		p := openPage(t, head+`</head><body><div id="box" style="width:640px">`+LibraryHTML()+b.HTML+`</div>`)
		p.drawn(t, 1)
		widths := eval[[]float64](t, p, `(() => { const s = document.querySelector('.illm-live svg').getBoundingClientRect(); return [s.width, document.querySelector('#box').clientWidth]; })()`)
		if widths[0] != widths[1] {
			t.Errorf("chart %g wide in a box of %g", widths[0], widths[1])
		}
	})
	t.Run("inserted later and detached first", func(t *testing.T) { // as front ends do it
		p := openPage(t, head+`</head><body>`+LibraryHTML())
		script := fmt.Sprintf(`(() => { const host = document.createElement('div'); host.innerHTML = %q; document.body.appendChild(host);
			host.querySelectorAll('script').forEach(old => { const s = document.createElement('script'); s.textContent = old.textContent; old.replaceWith(s); }); })()`, a.HTML)
		p.do(t, script)
		p.drawn(t, 1)
	})
}
