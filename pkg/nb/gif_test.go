package nb

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// gifEnv names the file that TestSliderGIF writes. With it and ILLM_LAB set, the README's picture of the slider is made
// again:
//
//	go build -o /tmp/illm ./kernels/illm
//	ILLM_LAB=/tmp/illm ILLM_GIF=$PWD/data/charts/slider.gif go test -count=1 -run TestSliderGIF ./pkg/nb
const gifEnv = "ILLM_GIF"

// maxGIF bounds the README's animation in bytes.
const maxGIF = 600_000

// clipNotebook is the slider of notebooks/10-clip.ipynb with what it needs.
func clipNotebook(t *testing.T, dir string) string {
	t.Helper()
	return cellsOf(t, dir, "%noautoget\nconst (\n\tmodel = \"tiny-llama\"\n\tsample = 512\n)", `import "github.com/illm-go/illm/pkg/nb"

%%
s := nb.Open()
text := nb.Must(s.Text("wikitext2", "opticks"))
nb.Slider("clip c", 4, 24, 20, s.TraceClip(model, "w8a8", text, sample))`)
}

// TestSliderGIF drags the slider of the clip notebook through its range in JupyterLab and films it.
func TestSliderGIF(t *testing.T) {
	out := os.Getenv(gifEnv)
	if out == "" {
		t.Skipf("the README's animation was not made: set %s to the file", gifEnv)
	}
	f := openFrontEnd(t, clipNotebook)
	f.run()
	f.run()
	f.wait("the chart", `document.querySelectorAll('.illm-live svg text').length > 3`)
	f.wait("the slider", `!!document.querySelector('input[type=range]') && !!document.querySelector('.jp-OutputArea button')`)
	f.numbers(`(document.querySelector('input[type=range]').scrollIntoView({block: 'end'}), [])`)
	f.do(chromedp.Sleep(time.Second))
	box := f.numbers(`(() => { const a = document.querySelector('.illm-chart').getBoundingClientRect(), b = document.querySelector('input[type=range]').getBoundingClientRect();
		return [a.left - 4, a.top - 4, Math.min(a.width, 780) + 8, b.bottom - a.top + 16]; })()`)
	var frames []image.Image
	shoot := func() {
		t.Helper()
		raw, err := chromedp.Run(f.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		whole, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		cut, ok := whole.(interface {
			SubImage(image.Rectangle) image.Image
		})
		if !ok {
			t.Fatalf("a screenshot of type %T", whole)
		}
		frames = append(frames, cut.SubImage(image.Rect(int(box[0]), int(box[1]), int(box[0]+box[2]), int(box[1]+box[3]))))
	}
	shoot()
	x, y := f.at(20)
	f.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, x, y, chromedp.ButtonLeft))
	for _, v := range []float64{18, 16, 14, 12, 11, 10, 9, 8, 7, 6, 5, 6, 8, 10, 12, 15, 20} {
		x, y = f.at(v)
		f.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y, chromedp.ButtonLeft))
		f.wait(fmt.Sprintf("the chart at %g", v), fmt.Sprintf(`+document.querySelector('input[type=range]').value === %g && Array.from(document.querySelectorAll('.illm-live svg text')).some(e => /\b%g\b/.test(e.textContent))`, v, v))
		f.do(chromedp.Sleep(700 * time.Millisecond))
		shoot()
	}
	f.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, x, y, chromedp.ButtonLeft))
	movie, err := film(frames, 70)
	if err != nil {
		t.Fatal(err)
	}
	if len(movie) > maxGIF {
		t.Errorf("%d bytes, want at most %d", len(movie), maxGIF)
	}
	if err := os.WriteFile(filepath.Clean(out), movie, 0o644); err != nil {
		t.Fatal(err)
	}
}

// film joins frames of one size into a GIF that runs for ever, each shown for so many hundredths of a second. A frame
// holds the rectangle that changed; the palette is that of the commonest colours of all frames.
func film(frames []image.Image, delay int) ([]byte, error) {
	count := map[color.RGBA]int{}
	for _, f := range frames {
		for y := f.Bounds().Min.Y; y < f.Bounds().Max.Y; y++ {
			for x := f.Bounds().Min.X; x < f.Bounds().Max.X; x++ {
				count[opaque(f.At(x, y))]++
			}
		}
	}
	var colours []color.RGBA
	for c := range count {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return bytes.Compare([]byte{a.R, a.G, a.B}, []byte{b.R, b.G, b.B})
	})
	var palette color.Palette
	for _, c := range colours[:min(len(colours), 256)] {
		palette = append(palette, c)
	}
	var g gif.GIF
	var last *image.Paletted
	for i, f := range frames {
		whole := image.NewPaletted(image.Rect(0, 0, f.Bounds().Dx(), f.Bounds().Dy()), palette)
		draw.Draw(whole, whole.Rect, f, f.Bounds().Min, draw.Src)
		part := whole
		if last != nil {
			part = whole.SubImage(changed(last, whole)).(*image.Paletted)
		}
		last = whole
		if i == 0 || i == len(frames)-1 {
			g.Delay = append(g.Delay, 2*delay)
		} else {
			g.Delay = append(g.Delay, delay)
		}
		g.Image = append(g.Image, part)
		g.Disposal = append(g.Disposal, gif.DisposalNone)
	}
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &g)
	return b.Bytes(), err
}

func opaque(c color.Color) color.RGBA {
	r, g, b, _ := c.RGBA()
	return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255}
}

// changed is the smallest rectangle outside which two pictures agree; never empty.
func changed(a, b *image.Paletted) image.Rectangle {
	r := image.Rectangle{}
	for y := range b.Rect.Dy() {
		for x := range b.Rect.Dx() {
			if a.ColorIndexAt(x, y) != b.ColorIndexAt(x, y) {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if r.Empty() {
		return image.Rect(0, 0, 1, 1)
	}
	return r
}

// The film shows what the frames show: decoded, and painted one over the other, the pixels are the frames' own.
func TestFilm(t *testing.T) {
	var frames []image.Image
	for i := range 4 {
		f := image.NewRGBA(image.Rect(5, 7, 45, 37))
		draw.Draw(f, f.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(f, image.Rect(5+3*min(i, 2), 10, 15+3*min(i, 2), 20), image.NewUniform(color.RGBA{200, 10, 30, 255}), image.Point{}, draw.Src)
		frames = append(frames, f)
	}
	movie, err := film(frames, 5)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gif.DecodeAll(bytes.NewReader(movie))
	if err != nil || len(g.Image) != len(frames) {
		t.Fatalf("%d frames, %v", len(g.Image), err)
	}
	canvas := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i, part := range g.Image {
		draw.Draw(canvas, part.Rect, part, part.Rect.Min, draw.Over)
		for y := range 30 {
			for x := range 40 {
				if got, want := canvas.RGBAAt(x, y), opaque(frames[i].At(5+x, 7+y)); got != want {
					t.Fatalf("frame %d at %d, %d: %v, want %v", i, x, y, got, want)
				}
			}
		}
	}
	if size := g.Image[1].Rect; size.Dx() > 13 || size.Dy() > 10 {
		t.Errorf("the second frame holds %v, want what changed", size)
	}
}
