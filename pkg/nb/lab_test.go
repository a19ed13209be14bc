package nb

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// LabEnv names the built command illm; with it the slider is tried in JupyterLab and in Notebook 7.
const labEnv = "ILLM_LAB"

// cellsOf is a notebook of code cells, written into dir.
func cellsOf(t *testing.T, dir string, sources ...string) string {
	t.Helper()
	var cells []any
	for _, source := range sources {
		cells = append(cells, map[string]any{"cell_type": "code", "metadata": map[string]any{}, "execution_count": nil, "outputs": []any{}, "source": source})
	}
	nb := map[string]any{"nbformat": 4, "nbformat_minor": 4, "cells": cells,
		"metadata": map[string]any{"kernelspec": map[string]any{"name": "illm", "display_name": "Go (illm)", "language": "go"}}}
	data, err := json.Marshal(nb)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "slide.ipynb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// slideNotebook has a slider whose chart needs no model.
func slideNotebook(t *testing.T, dir string) string {
	t.Helper()
	return cellsOf(t, dir, "%noautoget\nconst value = 15", `import (
	"fmt"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/nb"
)

%%
nb.Slider("clip c", 4, 24, value, func(c int) (any, error) {
	points := []chart.Point{{X: 1, Y: 1}, {X: float64(c), Y: float64(c)}}
	return &chart.Chart{Kind: chart.KindLine, Title: fmt.Sprintf("now at %d", c), Series: []chart.Series{{Name: "w8a8", Points: points}}}, nil
})`)
}

// startLab runs "illm lab" on the notebook and returns its address.
func startLab(t *testing.T, command, notebook string, flags ...string) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0") // two runs at once need two ports
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	free.Close()
	cmd := exec.Command(command, append([]string{"lab", "--no-browser", "--port", port, notebook}, flags...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() { cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
		}
	})
	address := make(chan string, 1)
	url := regexp.MustCompile(`http://(localhost|127\.0\.0\.1):` + port + `/(lab|notebooks)\S*token=\S+`)
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if m := url.FindString(lines.Text()); m != "" {
				select {
				case address <- m:
				default:
				}
			}
		}
	}()
	select {
	case a := <-address:
		return a
	case <-time.After(5 * time.Minute):
		t.Fatal("Jupyter did not say its address")
		return ""
	}
}

// frontEnd is Jupyter in a browser, with a notebook of two cells open.
type frontEnd struct {
	*testing.T
	page context.Context // of the browser
	ctx  context.Context // the same with an end
}

// openFrontEnd starts Jupyter and the browser; without them the test is skipped by name.
func openFrontEnd(t *testing.T, notebook func(t *testing.T, dir string) string, flags ...string) *frontEnd {
	t.Helper()
	command := os.Getenv(labEnv)
	if testing.Short() || command == "" {
		t.Skipf("%s: Jupyter was not tried: set %s to the built command illm", t.Name(), labEnv)
	}
	browser, err := findBrowser()
	if err != nil {
		t.Skipf("%s: Jupyter was not tried: %v", t.Name(), err)
	}
	address := startLab(t, command, notebook(t, t.TempDir()), flags...)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1200, 1000), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))...)
	t.Cleanup(stop)
	first, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(first, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	ctx, cancelTime := context.WithTimeout(first, 2*time.Minute)
	t.Cleanup(cancelTime)
	f := &frontEnd{t, first, ctx}
	t.Cleanup(func() {
		if name := os.Getenv("ILLM_SCREENSHOT"); name != "" {
			if png, err := chromedp.Run(first, chromedp.CaptureScreenshot()); err == nil {
				_ = os.WriteFile(name, png, 0o600)
			}
		}
	})
	f.wait("the notebook", `!!document.querySelector('.jp-NotebookPanel .cm-content')`)
	// The page shows GoNB as "unknown" until a cell has run, so the server is asked.
	f.wait("the kernel", `fetch('/api/kernels').then(r => r.json()).then(k => k.length > 0 && k[0].connections > 0)`)
	f.do(chromedp.Sleep(2 * time.Second))
	f.do(chromedp.Click(chromedp.CSS(`.jp-NotebookPanel .cm-content`)))
	return f
}

// wait polls until the script is true.
func (f *frontEnd) wait(what, script string) {
	f.Helper()
	for f.ctx.Err() == nil {
		if ok, err := chromedp.Run(f.ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)); err == nil && ok {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	page, _ := chromedp.Run(f.page, chromedp.Evaluate[string](`document.body.innerText.slice(-3000) + 'slider ' + (document.querySelector('input[type=range]') || {}).value`))
	f.Fatalf("waited in vain for %s; the page ends with:\n%s", what, page)
}

func (f *frontEnd) do(steps ...chromedp.Action[chromedp.Void]) {
	f.Helper()
	if err := chromedp.Do(f.ctx, steps...); err != nil {
		f.Fatal(err)
	}
}

// run executes the selected cell and selects the next.
func (f *frontEnd) run() {
	f.Helper()
	f.do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierShift)), chromedp.Sleep(500*time.Millisecond))
}

// numbers evaluates a script that gives numbers.
func (f *frontEnd) numbers(script string) []float64 {
	f.Helper()
	v, err := chromedp.Run(f.ctx, chromedp.Evaluate[[]float64](script))
	if err != nil {
		f.Fatal(err)
	}
	return v
}

// at is the place of a value on the slider from 4 to 24, in pixels of the page.
func (f *frontEnd) at(v float64) (x, y float64) {
	f.Helper()
	box := f.numbers(`(() => { const e = document.querySelector('input[type=range]');
		const b = e.getBoundingClientRect(); return [b.left, b.width, b.top + b.height / 2]; })()`)
	const thumb = 16.0 // pixels: its middle runs over the rest of the width
	return box[0] + thumb/2 + (v-4)/20*(box[1]-thumb), box[2]
}

// drag moves the slider with the mouse, since JupyterLab takes the arrow keys for itself.
func (f *frontEnd) drag(from, to float64) {
	f.Helper()
	f.numbers(`(document.querySelector('input[type=range]').scrollIntoView({block: 'center'}), [])`)
	x0, y := f.at(from)
	x1, _ := f.at(to)
	f.do(chromedp.DragAndDropXY(x0, y, x1, y, 8))
}

// TestSliderMovesTheChart runs a slider cell in JupyterLab and in Notebook 7, moves the slider with the mouse, and sees
// another chart.
func TestSliderMovesTheChart(t *testing.T) {
	t.Run("JupyterLab", func(t *testing.T) { slides(openFrontEnd(t, slideNotebook)) })
	t.Run("Notebook 7", func(t *testing.T) { slides(openFrontEnd(t, slideNotebook, "--classic")) })
}

func slides(f *frontEnd) {
	f.Helper()
	f.run()
	f.run()
	title := func(v string) string {
		return `Array.from(document.querySelectorAll('.illm-live svg text')).some(e => e.textContent === 'now at ` + v + `')`
	}
	f.wait("the first chart", title("15"))
	f.wait("the slider", `!!document.querySelector('input[type=range]') && !!document.querySelector('.jp-OutputArea button')`)
	f.do(chromedp.Sleep(time.Second))
	const follows = `Array.from(document.querySelectorAll('.illm-live svg text')).some(e => e.textContent === 'now at ' + document.querySelector('input[type=range]').value)`
	f.drag(15, 20)
	f.wait("a slider on the right", `+document.querySelector('input[type=range]').value > 17`)
	f.wait("the chart of the moved slider", follows)
	f.drag(20, 6)
	f.wait("a slider on the left", `+document.querySelector('input[type=range]').value < 10`)
	f.wait("the chart of the slider's last position", follows)
	if n, err := chromedp.Run(f.ctx, chromedp.Evaluate[int](`document.querySelectorAll('.illm-live svg').length`)); err != nil || n != 1 {
		f.Errorf("%d charts on the page (%v), want the one redrawn in place", n, err)
	}
	f.do(chromedp.Click(chromedp.CSS(`.jp-OutputArea button`)))
	f.wait("the end of the cell", `Array.from(document.querySelectorAll('.jp-InputPrompt')).every(e => !e.textContent.includes('*'))`)
}
