package smooth

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/model"
	"github.com/illm-go/illm/pkg/quant"
)

// Clips survive a file and change its hash; without them, and without what was noted, the file is the one before.
func TestClips(t *testing.T) {
	f := &Factors{Blocks: []Block{{QKV: []float32{1, 2}}, {}}, Meta: map[string]string{MetaMethod: "fsbr", "clip": "a key of another kind"}}
	before, err := f.Hash()
	if err != nil {
		t.Fatal(err)
	}
	if list, err := f.Clips(); list != nil || err != nil {
		t.Errorf("without a list: %v, %v", list, err)
	}
	want := quant.Clips{0, 12500}
	g := f.WithClips(quant.Clips{1, 2}, map[string]string{"old": "1"}).WithClips(want, map[string]string{"text": "calibration"})
	path := filepath.Join(t.TempDir(), "f.safetensors")
	if err := g.Write(path); err != nil {
		t.Fatal(err)
	}
	r, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := r.Clips(); err != nil || !slices.Equal(list, want) || r.Meta[MetaClips] != "none,12.5" || r.Meta["clips_text"] != "calibration" || r.Meta["clips_old"] != "" {
		t.Errorf("read %v, %v of %v", list, err, r.Meta)
	}
	with, err := r.Hash()
	if err != nil || with == before {
		t.Errorf("hash with clips %s, %v: that of the file without", with, err)
	}
	back := r.WithoutClips()
	if hash, err := back.Hash(); err != nil || hash != before || back.Meta["clip"] == "" {
		t.Errorf("without them again: hash %s, %v, want %s; meta %v", hash, err, before, back.Meta)
	}
	if _, ok := f.Meta[MetaClips]; ok {
		t.Error("the factors they were put on have changed")
	}
}

// A list that is damaged or of another model is refused by name.
func TestBadClips(t *testing.T) {
	cfg := model.Config{Architecture: model.LLaMA, Layers: 2, Hidden: 8, Heads: 2, KVHeads: 1, HeadDim: 4, FFN: 12, Vocab: 9, MaxContext: 16, NormEps: 1e-5, NormEpsText: "1e-05", RopeTheta: 1e4}
	for text, want := range map[string]string{
		"15,none": "", "": "found nothing", "15": "expected 2 clips, one a layer, found 1", "15,15,15": "found 3", "15,0": "layer 1", "15,-1": "layer 1",
		"15,1e4": "layer 1", "15,,": "layer 1", strings.Repeat("1,", 1<<20) + "1": "at most 4096",
	} {
		err := (&Factors{Meta: map[string]string{MetaClips: text}}).Check(cfg)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "metadata clips")) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}
