package fsbr

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/tape"
)

// TestDevice: live and peak are the bytes that were put there, by hand.
func TestDevice(t *testing.T) {
	onBackends(t, func(t *testing.T, b backends.Backend) {
		d := newDevice(b)
		e, err := tape.Build(b, "double", func(g *tape.Graph) []tape.Val {
			return []tape.Val{g.Scale(g.Input("x", tape.F32, 5, 3), 2)}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Finalize()
		x, err := d.Put(make([]float32, 15), tape.F32, 5, 3)
		if err != nil {
			t.Fatal(err)
		}
		if d.live != 60 || d.peak != 60 {
			t.Errorf("after one table: %d live, %d peak, want 60", d.live, d.peak)
		}
		outs, err := d.Run(e, x)
		if err != nil {
			t.Fatal(err)
		}
		if want := 120 + tape.Scratch(e); d.live != 120 || d.peak != want {
			t.Errorf("after a program: %d live, %d peak, want 120, %d", d.live, d.peak, want)
		}
		d.Free(x, nil)
		d.Free(outs...)
		if d.live != 0 || len(d.sizes) != 0 {
			t.Errorf("after all is freed: %d live", d.live)
		}
	})
}

// TestMemory: a run gives everything back, and its curve says where it was computed and what it took: at least the
// block's weights and two tables.
func TestMemory(t *testing.T) {
	for config := range configs {
		o := options(t, openBackend(t, "go:ops_sequential"), config)
		o.Epochs, o.Loss.Aug, o.Alpha = 1, true, []float64{0.3, 0.5}
		o.Curve = filepath.Join(t.TempDir(), "curve")
		r, err := newRun(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.all(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.close()
		if r.dev.live != 0 {
			t.Errorf("%s: %d bytes in %d buffers stay on the device", config, r.dev.live, len(r.dev.sizes))
		}
		least := 2 * len(o.Windows) * o.window() * o.Config.Hidden
		for _, s := range blockTensors(o.Config) {
			n := 1
			for _, d := range s.dims {
				n *= d
			}
			least += n
		}
		lines, err := ReadCurve(o.Curve)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if l.Epoch > 0 {
				continue
			}
			if l.Windows != len(o.Windows) || l.Tokens != o.window() || l.Batch != o.Batch || l.Backend != "go" || l.Device < int64(4*least) || runtime.GOOS == "linux" && l.Host < 1<<20 {
				t.Errorf("%s: block %d: %+v, want at least %d bytes on backend go", config, l.Block, l, 4*least)
			}
		}
	}
}

// A backend's name in records holds no path.
func TestPlatform(t *testing.T) {
	for name, want := range map[string]string{
		"xla:cuda": "xla:cuda", "xla:/a/b.c/pjrt_c_api_cpu_plugin.so": "xla:cpu", `xla:C:\x\pjrt_c_api_cpu_plugin.dll`: "xla:cpu", "xla:/a/other.so": "xla:other.so",
	} {
		if got := platform(name); got != want {
			t.Errorf("platform(%q) = %q, want %q", name, got, want)
		}
	}
}
