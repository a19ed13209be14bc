package fsbr

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/illm-go/illm/pkg/smooth"
)

// TestActivations: with the activations in files the factors have the same bits, of both families, with every option that
// has a table of its own; nothing stays in the folder.
func TestActivations(t *testing.T) {
	onBackends(t, func(t *testing.T, b backends.Backend) {
		for config := range configs {
			if slow(b) && config != "llama, rotatable" {
				continue
			}
			o := options(t, b, config)
			o.Epochs, o.Loss.Aug, o.Alpha, o.Scratch = 2, true, []float64{0.3, 0.5}, t.TempDir()
			if config == "llama, rotatable" {
				o.Rotation = smooth.Rotation{Residual: true, ValueOut: true, QueryKey: true, Down: true}
			}
			o.Activations = OnDevice
			want := hashOf(t, train(t, o))
			for _, batch := range []int{2, 8} { // 8: one batch is the table
				o.Batch = batch
				o.Activations = OnDevice
				if batch != 2 {
					want = hashOf(t, train(t, o))
				}
				o.Activations = OnDisk
				if got := hashOf(t, train(t, o)); got != want {
					t.Errorf("%s, batch %d: files give %s, the device %s", config, batch, got, want)
				}
			}
			if list, err := os.ReadDir(o.Scratch); err != nil || len(list) > 0 {
				t.Errorf("%s: left behind: %v, %v", config, list, err)
			}
		}
	})
}

// TestBoundedMemory: on the device the peak grows with the windows by four tables (three and the parts of the new one);
// with files it does not grow.
func TestBoundedMemory(t *testing.T) {
	b := openBackend(t, "go:ops_sequential")
	peak := func(where string, windows int) int64 {
		o := options(t, b, "llama")
		ids := make([]int32, 200)
		var err error
		if o.Windows, err = DrawWindows(ids, windows, 8, 2); err != nil {
			t.Fatal(err)
		}
		o.Epochs, o.Activations, o.Scratch = 1, where, t.TempDir()
		r, err := newRun(o)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		if _, err := r.all(t.Context()); err != nil {
			t.Fatal(err)
		}
		if need := r.plan().Device; where == OnDevice && need < r.dev.peak {
			t.Errorf("%d windows: %d bytes on the device, %d foreseen", windows, r.dev.peak, need)
		}
		return r.dev.peak
	}
	c := configs["llama"]
	table := int64(4 * 8 * c.Hidden)
	if got, want := peak(OnDevice, 400)-peak(OnDevice, 100), 4*300*table; got != want {
		t.Errorf("300 more windows on the device: %d more bytes, want %d", got, want)
	}
	// What grows is the loss of each step of an epoch: one number.
	if got := peak(OnDisk, 400) - peak(OnDisk, 100); got > 4*300/2 {
		t.Errorf("300 more windows in files: %d more bytes on the device", got)
	}
}

// TestPlace: the disk is taken where the device would be too small, and what is asked for is done.
func TestPlace(t *testing.T) {
	b := openBackend(t, "go:ops_sequential")
	for _, test := range []struct {
		where  string
		memory int64
		disk   bool
	}{{"", 0, false}, {"", 1000, true}, {OnDevice, 1000, false}, {OnDisk, 0, true}} {
		o := options(t, b, "llama")
		o.Method, o.Activations, o.Memory = SmoothQuant, test.where, test.memory
		r, err := newRun(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.all(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.disk != test.disk {
			t.Errorf("activations %q, memory %d: in files: %v", test.where, test.memory, r.disk)
		}
		r.close()
	}
	for _, test := range []struct {
		want   string
		change func(o *Options)
	}{
		{"Activations: expected device, disk or nothing, found tape", func(o *Options) { o.Activations = "tape" }},
		{"Memory: expected a number of bytes, found -1", func(o *Options) { o.Memory = -1 }},
		{"expected a folder for up to 3 files of 0.0 GB", func(o *Options) { o.Activations, o.Scratch = OnDisk, "no/such/folder" }},
		{"not a folder", func(o *Options) { o.Activations, o.Scratch = OnDisk, "table_test.go" }},
	} {
		o := options(t, b, "llama")
		test.change(&o)
		if _, err := Train(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}

// TestResumeFromDisk: a run with files that was interrupted, in the middle of a pass too, ends in the bits of one that was
// not and had its tables on the device.
func TestResumeFromDisk(t *testing.T) {
	o := options(t, openBackend(t, "go:ops_sequential"), "llama")
	o.Epochs, o.Activations = 2, OnDevice
	want := hashOf(t, train(t, o))
	dir := t.TempDir()
	o.State, o.Curve, o.Activations = filepath.Join(dir, "state"), filepath.Join(dir, "curve"), OnDisk
	if err := stopAfter(t, o, 1); !errors.Is(err, ErrPaused) || !strings.Contains(err.Error(), "1 blocks are saved") {
		t.Fatalf("error %v, want that one block is saved", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := o
	stop.Log = func(format string, _ ...any) {
		if strings.HasPrefix(format, "compiled") { // the next thing is to fill the tables
			cancel(errors.New("enough"))
		}
	}
	if _, err := Train(ctx, stop); !errors.Is(err, ErrPaused) || !strings.Contains(err.Error(), "enough") {
		t.Errorf("interrupted while the tables are filled: %v", err)
	}
	if list, err := filepath.Glob(filepath.Join(dir, "fsbr-activations*")); err != nil || len(list) > 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
	if got := hashOf(t, train(t, o)); got != want {
		t.Errorf("a resumed run has other factors")
	}
}

// A full disk ends a table with an error that says what it needs and how to go on.
func TestFullDiskActivations(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_RDWR, 0) // every write to it fails as on a full disk
	if err != nil {
		t.Skip(err)
	}
	o := options(t, openBackend(t, "go:ops_sequential"), "llama")
	r, err := newRun(o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	x := &table{file: f}
	defer r.drop(x)
	err = r.writeRows(x, 0, make([]float32, r.row()))
	for _, want := range []string{"activations: write window 0", "no space left", "up to 3 stand side by side", "--resume goes on"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
