package smooth

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/model/safetensors"
)

// Version of the file format, in the metadata under "illm_smooth".
const Version = "1"

const (
	maxBlocks = 4096    // as model.Config
	maxValues = 1 << 20 // of one vector
	keyFormat = "illm_smooth"
	keyLayers = "layers"
	keyRotate = "rotation"
	keySeed   = "rotation_seed"
)

// meta is Meta with what else the header of a file holds.
func (f *Factors) meta() map[string]string {
	m := map[string]string{}
	maps.Copy(m, f.Meta)
	delete(m, "format")
	m[keyFormat], m[keyLayers] = Version, strconv.Itoa(len(f.Blocks))
	delete(m, keyRotate)
	delete(m, keySeed)
	if r := f.Rotation; r.Any() {
		m[keyRotate] = strings.Join(r.names(), ",")
		m[keySeed] = strconv.FormatUint(r.Seed, 10)
	}
	return m
}

// tensors lists the vectors in the order of the file.
func (f *Factors) tensors() (list []safetensors.NamedTensor) {
	add := func(name string, v []float32) {
		if v != nil {
			list = append(list, safetensors.NamedTensor{Name: name, Type: "F16", Shape: []int{len(v)}, Values: v})
		}
	}
	for i := range f.Blocks {
		b := &f.Blocks[i]
		for _, s := range slots {
			add(layerName(i, "smooth.", s.name), *s.at(b))
		}
		for _, name := range slices.Sorted(maps.Keys(b.Clip)) {
			add(layerName(i, name, ".clip.lo"), b.Clip[name].Lo)
			add(layerName(i, name, ".clip.hi"), b.Clip[name].Hi)
		}
	}
	return list
}

// Write writes a safetensors file of half precision with the metadata in its header. The bytes depend on the factors
// alone; the file appears when it is whole.
func (f *Factors) Write(path string) error {
	if err := safetensors.WriteMeta(path, f.meta(), f.tensors()); err != nil {
		return fmt.Errorf("smooth: write factors: %w", err)
	}
	return nil
}

// Read reads a factor file. Whether it fits a model is for Check and CheckSource to say.
func Read(path string) (*Factors, error) {
	file, err := safetensors.Open(path)
	if err != nil {
		return nil, fmt.Errorf("smooth: read factors: %w", err)
	}
	defer file.Close()
	f, err := fromFile(file)
	if err != nil {
		return nil, fmt.Errorf("smooth: read factors %s: %w", path, err)
	}
	return f, nil
}

// Parse is Read of a file in memory; name appears in errors.
func Parse(name string, data []byte) (*Factors, error) {
	file, err := safetensors.Parse(name, data)
	if err != nil {
		return nil, fmt.Errorf("smooth: read factors: %w", err)
	}
	f, err := fromFile(file)
	if err != nil {
		return nil, fmt.Errorf("smooth: read factors %s: %w", name, err)
	}
	return f, nil
}

func fromFile(file *safetensors.File) (*Factors, error) {
	m := maps.Clone(file.Metadata)
	if v, ok := m[keyFormat]; !ok || v != Version {
		return nil, fmt.Errorf("expected metadata %s = %s, found %q: this is no factor file of this build", keyFormat, Version, v)
	}
	layers, err := strconv.Atoi(m[keyLayers])
	if err != nil || layers < 0 || layers > maxBlocks {
		return nil, fmt.Errorf("metadata %s: expected 0 to %d, found %q", keyLayers, maxBlocks, m[keyLayers])
	}
	f := &Factors{}
	if text, ok := m[keyRotate]; ok {
		if f.Rotation, err = parseRotation(text); err != nil {
			return nil, err
		}
		if f.Rotation.Seed, err = strconv.ParseUint(m[keySeed], 10, 64); err != nil {
			return nil, fmt.Errorf("metadata %s: expected a number, found %q", keySeed, m[keySeed])
		}
	}
	for _, k := range []string{"format", keyFormat, keyLayers, keyRotate, keySeed} {
		delete(m, k)
	}
	f.Meta = m
	if layers > 0 {
		f.Blocks = make([]Block, layers)
	}
	for _, name := range file.Names() {
		if err := f.take(file, name); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return f, nil
}

// take puts one tensor where it belongs.
func (f *Factors) take(file *safetensors.File, name string) error {
	rest, ok := strings.CutPrefix(name, "model.layers.")
	number, rest, found := strings.Cut(rest, ".")
	layer, err := strconv.Atoi(number)
	if !ok || !found || err != nil || strconv.Itoa(layer) != number {
		return fmt.Errorf("expected a name like model.layers.0.smooth.qkv")
	}
	if layer < 0 || layer >= len(f.Blocks) {
		return fmt.Errorf("block %d of a file with %d blocks", layer, len(f.Blocks))
	}
	t, _ := file.Tensor(name)
	if t.Type != "F16" || len(t.Shape) != 1 || t.Shape[0] < 1 || t.Shape[0] > maxValues {
		return fmt.Errorf("expected one dimension of 1 to %d values of F16, found %v of %s", maxValues, t.Shape, t.Type)
	}
	v, err := file.Float32(t, nil)
	if err != nil {
		return err
	}
	b := &f.Blocks[layer]
	if kind, ok := strings.CutPrefix(rest, "smooth."); ok {
		for _, s := range slots {
			if s.name == kind {
				*s.at(b) = v
				return nil
			}
		}
		return fmt.Errorf("kind %q is unknown to this build", kind)
	}
	linear, side, _ := strings.Cut(rest, ".clip.")
	if side != "lo" && side != "hi" {
		return fmt.Errorf("expected smooth.KIND or LINEAR.clip.lo or .hi")
	}
	if b.Clip == nil {
		b.Clip = map[string]Range{}
	}
	r := b.Clip[linear]
	if side == "lo" {
		r.Lo = v
	} else {
		r.Hi = v
	}
	b.Clip[linear] = r
	return nil
}

// ratioSites are the names that range ratios may have: those of the artefact.
var ratioSites = []string{"attn_in", "query", "key", "value", "attn_out", "mlp_in", "gate", "up", "product"}

// Bounds of a range ratio, Q15: one half to 1.
const (
	minRatio = 1 << 14
	oneRatio = 1 << 15
)

// Ratios reads Meta's range ratios: by site one Q15 integer a layer, which the dynamic range of a row is multiplied by
// before requantisation. nil: none.
func (f *Factors) Ratios() (map[string][]int32, error) {
	text := f.Meta[MetaRatios]
	if text == "" {
		return nil, nil
	}
	var r map[string][]int32
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("smooth: metadata %s: %w: expected {\"query\": [one of each layer], …}", MetaRatios, err)
	}
	for _, site := range slices.Sorted(maps.Keys(r)) {
		if !slices.Contains(ratioSites, site) {
			return nil, fmt.Errorf("smooth: metadata %s: expected one of %s, found %q", MetaRatios, strings.Join(ratioSites, ", "), site)
		}
		for layer, x := range r[site] {
			if x < minRatio || x > oneRatio {
				return nil, fmt.Errorf("smooth: metadata %s: %s of layer %d: expected %d to %d (one half to 1 in Q15), found %d", MetaRatios, site, layer, minRatio, oneRatio, x)
			}
		}
	}
	return r, nil
}

// SetRatios puts range ratios into Meta.
func (f *Factors) SetRatios(r map[string][]int32) {
	if f.Meta == nil {
		f.Meta = map[string]string{}
	}
	text, _ := json.Marshal(r) // of a map of integers: never an error, in order of the keys
	f.Meta[MetaRatios] = string(text)
}
