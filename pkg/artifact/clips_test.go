package artifact

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/quant"
)

// A header without clips has no byte of them; a list comes back as it was written, and a hostile one is refused by name.
func TestClips(t *testing.T) {
	path, _ := write(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(good, []byte("clips")) {
		t.Error("a header that needs no clips has the field")
	}
	with := func(clips quant.Clips, clip quant.Clip) []byte {
		return reheader(t, good, func(h *Header) {
			h.Layers, h.Clips, h.Spec.Clip = 3, clips, clip
			h.HeadNorms, h.Phi = nil, Section{Offset: h.Linears[0].Panel.Offset, Bytes: 8 * int64(h.HeadDim/2)}
		})
	}
	f, err := parse(with(quant.Clips{0, 12500, 15000}, quant.DefaultClip))
	if err != nil || !slices.Equal(f.Header.Clips, quant.Clips{0, 12500, 15000}) {
		t.Fatalf("clips %v, %v", f, err)
	}
	for _, c := range []struct {
		clips quant.Clips
		clip  quant.Clip
		want  string
	}{
		{quant.Clips{0, 15000}, quant.DefaultClip, "expected 3, one a layer, found 2"},
		{slices.Repeat(quant.Clips{1}, 100_000), quant.DefaultClip, "found 100000"},
		{quant.Clips{0, -15000, 0}, quant.DefaultClip, "clips of layer 1"},
		{quant.Clips{0, 0, 2_000_000_000}, quant.DefaultClip, "clips of layer 2"},
		{quant.Clips{0, 0, 0}, 12000, "clip 12 beside clips by layer"},
	} {
		if _, err := parse(with(c.clips, c.clip)); err == nil || !strings.Contains(err.Error(), "header field clips: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.5v beside %s: %v, want %q", c.clips, c.clip, err, c.want)
		}
	}
}

// A copy with clips has the payload of the original and another identity; written back without them it is the original.
func TestCopy(t *testing.T) {
	path, id := write(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	clips := slices.Repeat(quant.Clips{8000}, f.Header.Layers)
	factors := strings.Repeat("0a", 32)
	with := func(c quant.Clips, factors string) func(h *Header) {
		return func(h *Header) { h.Clips, h.Factors = c, factors }
	}
	copied := filepath.Join(t.TempDir(), "copy.illm")
	got, err := f.Copy(copied, with(clips, factors))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.ID != got || got == id || c.Verify() != nil || !slices.Equal(c.Header.Clips, clips) || c.Header.Factors != factors {
		t.Errorf("identity %s of %s, clips %v, factors %q", c.ID, id, c.Header.Clips, c.Header.Factors)
	}
	if !bytes.Equal(c.data[prologueBytes:c.pro.headerOffset], f.data[prologueBytes:f.pro.headerOffset]) {
		t.Error("the payload is another")
	}
	back := filepath.Join(t.TempDir(), "back.illm")
	if again, err := c.Copy(back, with(nil, f.Header.Factors)); err != nil || again != id {
		t.Errorf("without clips again: identity %s, %v; want %s", again, err, id)
	}
	if _, err := f.Copy(filepath.Join(t.TempDir(), "x.illm"), with(clips[1:], factors)); err == nil || !strings.Contains(err.Error(), "one a layer") {
		t.Errorf("a list too short: %v", err)
	}
	damaged := *f
	damaged.data = bytes.Clone(f.data)
	damaged.data[prologueBytes+5] ^= 1
	if _, err := damaged.Copy(filepath.Join(t.TempDir(), "y.illm"), with(clips, factors)); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("of a damaged file: %v", err)
	}
}
