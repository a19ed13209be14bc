package nb

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// LabEnv names the built command illm; with it the slider is tried in JupyterLab.
const labEnv = "ILLM_LAB"

// slideNotebook has a slider whose chart needs no model.
func slideNotebook(t *testing.T, dir string) string {
	t.Helper()
	cell := func(id, source string) map[string]any {
		return map[string]any{"cell_type": "code", "id": id, "metadata": map[string]any{}, "execution_count": nil, "outputs": []any{}, "source": source}
	}
	nb := map[string]any{"nbformat": 4, "nbformat_minor": 5, "metadata": map[string]any{"kernelspec": map[string]any{"name": "illm", "display_name": "Go (illm)", "language": "go"}},
		"cells": []any{
			cell("parameters", "%noautoget\nconst value = 15"),
			cell("slider", `import (
	"fmt"
	"github.com/illm-go/illm/pkg/chart"
	"github.com/illm-go/illm/pkg/nb"
)

%%
nb.Slider("clip c", 4, 24, value, func(c int) (any, error) {
	points := []chart.Point{{X: 1, Y: 1}, {X: float64(c), Y: float64(c)}}
	return &chart.Chart{Kind: chart.KindLine, Title: fmt.Sprintf("now at %d", c), Series: []chart.Series{{Name: "w8a8", Points: points}}}, nil
})`),
		}}
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

// startLab runs "illm lab" on the notebook and returns its address.
func startLab(t *testing.T, command, notebook string) string {
	t.Helper()
	cmd := exec.Command(command, "lab", "--no-browser", "--port", "18917", notebook)
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
	url := regexp.MustCompile(`http://(localhost|127\.0\.0\.1):18917/lab\S*token=\S+`)
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
		t.Fatal("JupyterLab did not say its address")
		return ""
	}
}

// TestSliderMovesTheChart runs a slider cell in JupyterLab, moves the slider with
// the keyboard, and sees another chart.
func TestSliderMovesTheChart(t *testing.T) {
	command := os.Getenv(labEnv)
	if testing.Short() || command == "" {
		t.Skipf("the slider was not tried in JupyterLab: set %s to the built command illm", labEnv)
	}
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil && browser == "" {
			browser = p
		}
	}
	if browser == "" {
		t.Skip("the slider was not tried in JupyterLab: no Chromium is installed")
	}
	address := startLab(t, command, slideNotebook(t, t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1200, 1000), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))...)
	defer stop()
	first, cancel := chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Do(first, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	ctx, cancelTime := context.WithTimeout(first, 4*time.Minute)
	defer cancelTime()
	defer func() {
		if png, err := chromedp.Run(first, chromedp.CaptureScreenshot()); err == nil && os.Getenv("ILLM_SCREENSHOT") != "" {
			_ = os.WriteFile(os.Getenv("ILLM_SCREENSHOT"), png, 0o600)
		}
	}()
	wait := func(what, script string) {
		t.Helper()
		for ctx.Err() == nil {
			if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)); err == nil && ok {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
		page, _ := chromedp.Run(first, chromedp.Evaluate[string](`document.body.innerText.slice(-3000) + 'slider ' + (document.querySelector('input[type=range]') || {}).value`))
		t.Fatalf("waited in vain for %s; the page ends with:\n%s", what, page)
	}
	does := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatal(err)
		}
	}
	wait("the notebook", `!!document.querySelector('.jp-NotebookPanel .cm-content')`)
	// The page shows GoNB as "unknown" until a cell has run, so the server is asked.
	wait("the kernel", `fetch('/api/kernels').then(r => r.json()).then(k => k.length > 0 && k[0].connections > 0)`)
	does(chromedp.Sleep(2 * time.Second))
	does(chromedp.Click(chromedp.CSS(`.jp-NotebookPanel .cm-content`)))
	run := func() {
		does(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierShift)), chromedp.Sleep(500*time.Millisecond))
	}
	run()
	run()
	title := func(v string) string {
		return `Array.from(document.querySelectorAll('.illm-live svg text')).some(e => e.textContent === 'now at ` + v + `')`
	}
	wait("the first chart", title("15"))
	wait("the slider", `!!document.querySelector('input[type=range]') && !!document.querySelector('.jp-OutputArea button')`)
	does(chromedp.Sleep(time.Second))
	// Dragged, since JupyterLab takes the arrow keys for itself.
	drag := func(from, to float64) {
		t.Helper()
		box, err := chromedp.Run(ctx, chromedp.Evaluate[[]float64](`(() => { const e = document.querySelector('input[type=range]'); e.scrollIntoView({block: 'center'});
			const b = e.getBoundingClientRect(); return [b.left, b.width, b.top + b.height / 2]; })()`))
		if err != nil {
			t.Fatal(err)
		}
		const thumb = 16.0 // pixels: its middle runs over the rest of the width
		at := func(v float64) float64 { return box[0] + thumb/2 + (v-4)/20*(box[1]-thumb) }
		does(chromedp.DragAndDropXY(at(from), box[2], at(to), box[2], 8))
	}
	const follows = `Array.from(document.querySelectorAll('.illm-live svg text')).some(e => e.textContent === 'now at ' + document.querySelector('input[type=range]').value)`
	drag(15, 20)
	wait("a slider on the right", `+document.querySelector('input[type=range]').value > 17`)
	wait("the chart of the moved slider", follows)
	drag(20, 6)
	wait("a slider on the left", `+document.querySelector('input[type=range]').value < 10`)
	wait("the chart of the slider's last position", follows)
	if n, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll('.illm-live svg').length`)); err != nil || n != 1 {
		t.Errorf("%d charts on the page (%v), want the one redrawn in place", n, err)
	}
	does(chromedp.Click(chromedp.CSS(`.jp-OutputArea button`)))
	wait("the end of the cell", `Array.from(document.querySelectorAll('.jp-InputPrompt')).every(e => !e.textContent.includes('*'))`)
}
