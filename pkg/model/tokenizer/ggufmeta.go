package tokenizer

import (
	"fmt"
	"slices"
	"strings"
)

// Metadata is what FromGGUF needs of a GGUF file; *gguf.File has it.
type Metadata interface {
	Has(key string) bool
	String(key string) (string, error)
	Strings(key string) ([]string, error)
	Ints(key string) ([]int64, error)
}

// pre describes the splitting that a value of tokenizer.ggml.pre stands for.
type pre struct {
	steps      []step
	wholeFirst bool
	nfc        bool
}

var (
	preGPT2   = pre{steps: []step{stepGPT2}}
	preDigits = pre{steps: []step{stepDigits, stepGPT2}}
	preLlama3 = pre{steps: []step{stepLlama3}, wholeFirst: true}
	preQwen2  = pre{steps: []step{stepQwen2}, nfc: true}
)

// pres maps the names that converters write. Models not listed split in ways of
// their own and are refused, because a near miss yields plausible wrong ids.
var pres = map[string]pre{
	"gpt-2": preGPT2, "gpt2": preGPT2, "phi-2": preGPT2, "mpt": preGPT2, "olmo": preGPT2, "jais": preGPT2,
	"smollm": preDigits, "starcoder": preDigits, "refact": preDigits, "command-r": preDigits, "codeshell": preDigits, "exaone": preDigits,
	"llama3": preLlama3, "llama-v3": preLlama3, "llama-bpe": preLlama3,
	"qwen2": preQwen2, "deepseek-r1-qwen": preQwen2,
}

const (
	keyModel  = "tokenizer.ggml.model"
	keyPre    = "tokenizer.ggml.pre"
	keyTokens = "tokenizer.ggml.tokens"
	keyTypes  = "tokenizer.ggml.token_type"
	keyMerges = "tokenizer.ggml.merges"
)

// FromGGUF builds the tokenizer that a GGUF file describes. It must be a
// byte-level BPE (tokenizer.ggml.model "gpt2") with a known tokenizer.ggml.pre.
func FromGGUF(m Metadata) (*Tokenizer, error) {
	t, err := fromGGUF(m)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

func fromGGUF(m Metadata) (*Tokenizer, error) {
	if !m.Has(keyModel) {
		return nil, fmt.Errorf("the file has no tokenizer (metadata %q is missing): use a file converted with its vocabulary", keyModel)
	}
	model, err := m.String(keyModel)
	if err != nil {
		return nil, err
	}
	if model != "gpt2" {
		return nil, fmt.Errorf("metadata %q is %q, this build reads byte-level BPE (%q) only", keyModel, model, "gpt2")
	}
	if !m.Has(keyPre) {
		return nil, fmt.Errorf("metadata %q is missing, so it is not known how words are split: convert the model again with a current converter", keyPre)
	}
	name, err := m.String(keyPre)
	if err != nil {
		return nil, err
	}
	p, ok := pres[name]
	if !ok {
		names := make([]string, 0, len(pres))
		for n := range pres {
			names = append(names, n)
		}
		slices.Sort(names)
		return nil, fmt.Errorf("metadata %q is %q, this build knows %s", keyPre, name, strings.Join(names, ", "))
	}
	tokens, err := m.Strings(keyTokens)
	if err != nil {
		return nil, err
	}
	roles, err := ggufRoles(m, len(tokens))
	if err != nil {
		return nil, err
	}
	lines, err := m.Strings(keyMerges)
	if err != nil {
		return nil, err
	}
	merges := make([][2]string, len(lines))
	for i, s := range lines {
		if merges[i], err = splitMerge(s); err != nil {
			return nil, fmt.Errorf("metadata %q, entry %d: %w", keyMerges, i, err)
		}
	}
	t := &Tokenizer{steps: p.steps, wholeFirst: p.wholeFirst, nfc: p.nfc}
	if err := t.build(tokens, roles, merges); err != nil {
		return nil, err
	}
	return t, nil
}

// ggufRoles reads token_type: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
func ggufRoles(m Metadata, n int) ([]Role, error) {
	roles := make([]Role, n)
	if !m.Has(keyTypes) {
		return roles, nil
	}
	types, err := m.Ints(keyTypes)
	if err != nil {
		return nil, err
	}
	if len(types) != n {
		return nil, fmt.Errorf("metadata %q has %d entries for %d tokens", keyTypes, len(types), n)
	}
	for i, x := range types {
		switch x {
		case 2, 3:
			roles[i] = Control
		case 4:
			roles[i] = Added
		case 5:
			roles[i] = Unused
		}
	}
	return roles, nil
}
