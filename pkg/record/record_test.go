package record

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func sample() *Record {
	return &Record{
		Kind:      Quality,
		Config:    map[string]any{"recipe": "w8a8", "clip": "15", "window": 2048, "windows": 4, "seed": uint64(1<<63 + 1), "share": 0.5, "note": "a<b"},
		Axes:      map[string]string{"clip": "15", "recipe": "w8a8"},
		Metrics:   []Metric{{Name: "ppl", Value: 22.25, Stderr: 0.5, N: 4, Unit: "per token", Better: Lower}},
		Windows:   []WindowStat{{Index: 0, N: 2047, NLL: 6351.125}},
		Env:       Env{CPU: "a CPU", Cores: 2},
		Commit:    "c0ffee",
		Artefact:  "aa",
		Corpus:    "bb",
		Semantics: 3,
		Time:      time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
	}
}

// TestKey compares with a hash made by another implementation:
//
//	python3 -c 'import json,hashlib; c={"recipe":"w8a8","clip":"15","window":2048,
//	"windows":4,"seed":2**63+1,"share":0.5,"note":"a\\u003cb"}; s=json.dumps({"kind":
//	"quality","config":c,"seed":0,"artefact":"aa","corpus":"bb","semantics":3},
//	sort_keys=True,separators=(",",":")).replace("\\\\u","\\u");
//	print(hashlib.sha256(s.encode()).hexdigest())'
func TestKey(t *testing.T) {
	const want = "de918c3aeae286b55224f2a628b237e95ddca3ce583b2d849db5c477a7d243d5"
	got, err := sample().ComputeKey()
	if err != nil || got != want {
		t.Errorf("key %s, expected %s: %v", got, want, err)
	}
}

// TestKeyCovers changes one field at a time.
func TestKeyCovers(t *testing.T) {
	changes := map[string]struct {
		change          func(*Record)
		quality, timing bool // whether the key must change
	}{
		"config":    {func(r *Record) { r.Config["clip"] = "12" }, true, true},
		"seed":      {func(r *Record) { r.Seed = 1 }, true, true},
		"artefact":  {func(r *Record) { r.Artefact = "ab" }, true, true},
		"corpus":    {func(r *Record) { r.Corpus = "ab" }, true, true},
		"semantics": {func(r *Record) { r.Semantics = 4 }, true, true},
		"commit":    {func(r *Record) { r.Commit = "beef" }, false, true},
		"dirty":     {func(r *Record) { r.Dirty = true }, false, true},
		"cpu":       {func(r *Record) { r.Env.CPU = "other" }, false, true},
		"metrics":   {func(r *Record) { r.Metrics[0].Value = 1 }, false, false},
		"axes":      {func(r *Record) { r.Axes["x"] = "y" }, false, false},
		"windows":   {func(r *Record) { r.Windows = nil }, false, false},
		"time":      {func(r *Record) { r.Time, r.WallS, r.Note = time.Time{}, 5, "n" }, false, false},
	}
	for name, c := range changes {
		for _, kind := range []string{Quality, Timing} {
			a, b := sample(), sample()
			a.Kind, b.Kind = kind, kind
			c.change(b)
			ka, err1 := a.ComputeKey()
			kb, err2 := b.ComputeKey()
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			want := kind == Quality && c.quality || kind == Timing && c.timing
			if (ka != kb) != want {
				t.Errorf("%s, %s: key changed %v, expected %v", kind, name, ka != kb, want)
			}
		}
	}
	r := sample()
	r.Kind = "quallity"
	if _, err := r.ComputeKey(); err == nil || !strings.Contains(err.Error(), `found "quallity"`) {
		t.Errorf("unknown kind: %v, expected an error that names it", err)
	}
}

// TestHashStruct asks for the same hash of a struct and of its map.
func TestHashStruct(t *testing.T) {
	type config struct {
		Window int    `json:"window"`
		Clip   string `json:"clip"`
		Seed   uint64 `json:"seed"`
	}
	c := config{2048, "15", math.MaxUint64}
	m, err := ConfigOf(c)
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := Hash(c)
	b, err2 := Hash(m)
	d, err3 := Hash(map[string]any{"seed": uint64(math.MaxUint64), "clip": "15", "window": 2048.0})
	if err1 != nil || err2 != nil || err3 != nil || a != b || a != d {
		t.Errorf("hashes %s, %s, %s differ: %v %v %v", a, b, d, err1, err2, err3)
	}
	if _, err := ConfigOf([]int{1}); err == nil {
		t.Error("ConfigOf of a list: expected an error, found none")
	}
	if _, err := Hash(math.NaN()); err == nil {
		t.Error("Hash of NaN: expected an error, found none")
	}
}

// TestLine freezes the form of a line and reads it back.
func TestLine(t *testing.T) {
	r := sample()
	r.V, r.Key = Version, "k"
	r.Metrics = append(r.Metrics, Metric{Name: "bad", Value: math.NaN(), Stderr: math.Inf(1)}, Metric{Name: "low", Value: math.Inf(-1)})
	const want = `{"v":1,"kind":"quality","key":"k","config":{"clip":"15","note":"a\u003cb","recipe":"w8a8","seed":9223372036854775809,"share":0.5,"window":2048,"windows":4},` +
		`"axes":{"clip":"15","recipe":"w8a8"},"metrics":[{"name":"ppl","value":22.25,"stderr":0.5,"n":4,"unit":"per token","better":"lower"},` +
		`{"name":"bad","value":"NaN","stderr":"+Inf"},{"name":"low","value":"-Inf"}],"windows":[{"i":0,"n":2047,"nll":6351.125}],` +
		`"env":{"cpu":"a CPU","cores":2},"commit":"c0ffee","artefact":"aa","corpus":"bb","semantics":3,"time":"2026-11-01T12:00:00Z"}`
	b, err := json.Marshal(r)
	if err != nil || string(b) != want {
		t.Fatalf("line\n%s\nexpected\n%s\n%v", b, want, err)
	}
	back, err := parseLine(b)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = json.Marshal(back); err != nil || string(b) != want {
		t.Errorf("read and written again\n%s\nexpected\n%s\n%v", b, want, err)
	}
	k1, err1 := r.ComputeKey()
	k2, err2 := back.ComputeKey()
	if err1 != nil || err2 != nil || k1 != k2 {
		t.Errorf("keys %s and %s of the same record: %v %v", k1, k2, err1, err2)
	}
	if m, ok := back.Metric("bad"); !ok || !math.IsNaN(m.Value) || !math.IsInf(m.Stderr, 1) {
		t.Errorf("metric bad: %+v %v, expected NaN ± infinity", m, ok)
	}
	if _, ok := back.Metric("none"); ok {
		t.Error("metric none: found, expected none")
	}
}

func TestAxisFloat(t *testing.T) {
	r := &Record{Axes: map[string]string{"clip": "12.5", "none": "none", "nan": "NaN"}}
	if v, ok := r.AxisFloat("clip"); v != 12.5 || !ok {
		t.Errorf("clip: %v %v, expected 12.5", v, ok)
	}
	for _, name := range []string{"none", "nan", "missing"} {
		if v, ok := r.AxisFloat(name); ok {
			t.Errorf("%s: %v, expected no number", name, v)
		}
	}
}

// FuzzParseLine must not panic, and what it accepts must be writable again.
func FuzzParseLine(f *testing.F) {
	r := sample()
	r.V, r.Key = Version, "k"
	b, _ := json.Marshal(r)
	f.Add(b)
	f.Add(b[:len(b)-7])
	f.Add([]byte(`{"v":1,"kind":"quality","key":"k","metrics":[{"value":"NaN"}]}`))
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`[]{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseLine(b)
		if err != nil {
			return
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("accepted %q, which cannot be written: %v", b, err)
		}
	})
}
