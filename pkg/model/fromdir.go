package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/illm-go/illm/pkg/model/safetensors"
	"github.com/illm-go/illm/pkg/model/tokenizer"
)

// openDir opens a directory in the layout of the Hugging Face hub. The first error
// is the tokenizer's.
func (m *Model) openDir(dir string) (tokErr, err error) {
	cfg, err := readHFConfig(dir)
	if err != nil {
		return nil, err
	}
	set, err := safetensors.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	m.src = setSource{dir, set}
	shapeOf := func(name string) ([]int, bool) {
		t, ok := set.Tensor(name)
		if !ok {
			return nil, false
		}
		return t.Shape, true
	}
	if m.Config, err = cfg.config(); err != nil {
		return nil, err
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "tokenizer.json")); err == nil {
		m.Tokenizer, tokErr = tokenizer.FromJSON(raw)
		err = m.Config.special(dir, raw)
		if err != nil {
			return nil, err
		}
	} else if errors.Is(err, os.ErrNotExist) {
		tokErr = fmt.Errorf("no tokenizer.json in the directory: fetch it beside the weights")
		if err := m.Config.special(dir, nil); err != nil {
			return nil, err
		}
	} else {
		return nil, err
	}
	if err := m.Config.Validate(); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return tokErr, m.find(m.Config.hfName(shapeOf), false, shapeOf)
}

// setSource reads from safetensors files.
type setSource struct {
	dir string
	set *safetensors.Set
}

func (s setSource) float32(name string, dst []float32) ([]float32, error) {
	return s.set.Float32(name, dst)
}

func (s setSource) close() error { return s.set.Close() }

func (s setSource) hash() (string, error) {
	var list strings.Builder
	line := func(name string, b []byte) { fmt.Fprintf(&list, "%s  %s\n", sha256Hex(b), name) }
	for _, name := range []string{"config.json", "tokenizer.json"} {
		b, err := os.ReadFile(filepath.Join(s.dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("model: hash: %w", err)
		}
		line(name, b)
	}
	for _, f := range s.set.Files() {
		line(filepath.Base(f.Path()), f.Bytes())
	}
	return sha256Hex([]byte(list.String())), nil
}

// special settles BOS and EOS from the files beside config.json, all optional.
// tokJSON is tokenizer.json.
func (c *Config) special(dir string, tokJSON []byte) error {
	var tc struct {
		AddBOS   *bool           `json:"add_bos_token"`
		Template json.RawMessage `json:"chat_template"`
	}
	if err := readOptional(dir, "tokenizer_config.json", &tc); err != nil {
		return err
	}
	_ = json.Unmarshal(tc.Template, &c.ChatTemplate) // a list of templates is left out
	bos := c.BOS
	c.BOS = -1
	if first, ok := tokenizer.Leading(tokJSON); ok {
		c.BOS = int(first)
	}
	if tc.AddBOS != nil {
		if !*tc.AddBOS {
			c.BOS = -1
		} else if c.BOS < 0 {
			c.BOS = bos
		}
	}
	var gen struct {
		EOS intOrList `json:"eos_token_id"`
	}
	if err := readOptional(dir, "generation_config.json", &gen); err != nil {
		return err
	}
	for _, id := range gen.EOS {
		if !c.IsEOS(id) {
			c.EOSAll = append(c.EOSAll, id)
		}
	}
	if c.EOS < 0 && len(c.EOSAll) > 0 {
		c.EOS = c.EOSAll[0]
	}
	return nil
}

func readOptional(dir, name string, v any) error {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
