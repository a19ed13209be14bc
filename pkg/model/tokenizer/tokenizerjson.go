package tokenizer

import (
	"encoding/json"
	"fmt"
)

// FromJSON builds the tokenizer that a tokenizer.json describes: a BPE over bytes
// whose pre_tokenizer is made of ByteLevel, Digits and Split with one
// of the expressions in split.go. Anything else is refused by name, because
// skipping an unknown part yields plausible wrong ids.
func FromJSON(data []byte) (*Tokenizer, error) {
	t, err := fromJSON(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	return t, nil
}

type jsonFile struct {
	AddedTokens []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	Normalizer   *jsonPart `json:"normalizer"`
	PreTokenizer *jsonPart `json:"pre_tokenizer"`
	Model        jsonModel `json:"model"`
}

// jsonPart is a normalizer or a pre-tokenizer; each type uses some of the fields.
type jsonPart struct {
	Type             string     `json:"type"`
	Normalizers      []jsonPart `json:"normalizers"`
	PreTokenizers    []jsonPart `json:"pretokenizers"`
	IndividualDigits bool       `json:"individual_digits"`
	AddPrefixSpace   bool       `json:"add_prefix_space"`
	UseRegex         *bool      `json:"use_regex"` // absent in old files: true
	Behavior         string     `json:"behavior"`
	Invert           bool       `json:"invert"`
	Pattern          struct {
		Regex  *string `json:"Regex"`
		String *string `json:"String"`
	} `json:"pattern"`
}

type jsonModel struct {
	Type                    string         `json:"type"`
	Vocab                   map[string]int `json:"vocab"`
	Merges                  []jsonMerge    `json:"merges"`
	UnkToken                *string        `json:"unk_token"`
	Dropout                 *float64       `json:"dropout"`
	ContinuingSubwordPrefix *string        `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string        `json:"end_of_word_suffix"`
	ByteFallback            bool           `json:"byte_fallback"`
	IgnoreMerges            bool           `json:"ignore_merges"`
}

// jsonMerge is "left right" or, in newer files, ["left", "right"].
type jsonMerge [2]string

func (m *jsonMerge) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var list []string
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		if len(list) != 2 || list[0] == "" || list[1] == "" {
			return fmt.Errorf("merge: expected two tokens, found %q", list)
		}
		m[0], m[1] = list[0], list[1]
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var err error
	*m, err = splitMerge(s)
	return err
}

func fromJSON(data []byte) (*Tokenizer, error) {
	var f jsonFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	t := &Tokenizer{wholeFirst: f.Model.IgnoreMerges}
	if err := f.Model.check(); err != nil {
		return nil, err
	}
	if err := t.normalizer(f.Normalizer); err != nil {
		return nil, err
	}
	if f.PreTokenizer == nil {
		return nil, fmt.Errorf("pre_tokenizer: expected one with ByteLevel, found none: this build reads byte-level BPE only")
	}
	bytes, err := t.preTokenizer(f.PreTokenizer)
	if err != nil {
		return nil, err
	}
	if !bytes {
		return nil, fmt.Errorf("pre_tokenizer: no ByteLevel part: this build reads byte-level BPE only")
	}
	tokens, roles, err := f.tokens()
	if err != nil {
		return nil, err
	}
	merges := make([][2]string, len(f.Model.Merges))
	for i, m := range f.Model.Merges {
		merges[i] = m
	}
	if err := t.build(tokens, roles, merges); err != nil {
		return nil, err
	}
	if f.Model.UnkToken != nil && *f.Model.UnkToken != "" {
		// The library emits this token for a byte without one. That cannot happen
		// when all 256 are there; else refuse rather than differ.
		for b, id := range t.byteID {
			if id < 0 {
				return nil, fmt.Errorf("model: unk_token %q together with a vocabulary that lacks byte %#02x is not supported", *f.Model.UnkToken, b)
			}
		}
	}
	return t, nil
}

func (m *jsonModel) check() error {
	set := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case m.Type != "BPE" && m.Type != "":
		return fmt.Errorf("model: expected type \"BPE\", found %q", m.Type)
	case m.ByteFallback:
		return fmt.Errorf("model: byte_fallback (SentencePiece) is not supported: this build reads byte-level BPE only")
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("model: dropout %v makes ids random, expected none", *m.Dropout)
	case set(m.ContinuingSubwordPrefix):
		return fmt.Errorf("model: continuing_subword_prefix %q is not supported", *m.ContinuingSubwordPrefix)
	case set(m.EndOfWordSuffix):
		return fmt.Errorf("model: end_of_word_suffix %q is not supported", *m.EndOfWordSuffix)
	case len(m.Vocab) == 0:
		return fmt.Errorf("model: no vocabulary")
	}
	return nil
}

func (t *Tokenizer) normalizer(p *jsonPart) error {
	if p == nil {
		return nil
	}
	switch p.Type {
	case "NFC":
		t.nfc = true
		return nil
	case "Sequence":
		for i := range p.Normalizers {
			if err := t.normalizer(&p.Normalizers[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("normalizer: this build knows \"NFC\" and \"Sequence\", found %q", p.Type)
}

// preTokenizer appends the steps of p and reports whether it maps to bytes.
func (t *Tokenizer) preTokenizer(p *jsonPart) (bytes bool, err error) {
	switch p.Type {
	case "Sequence":
		for i := range p.PreTokenizers {
			if bytes {
				return false, fmt.Errorf("pre_tokenizer: ByteLevel is not the last of its sequence")
			}
			if bytes, err = t.preTokenizer(&p.PreTokenizers[i]); err != nil {
				return false, err
			}
		}
		return bytes, nil
	case "ByteLevel":
		t.prefixSpace = p.AddPrefixSpace
		if p.UseRegex == nil || *p.UseRegex {
			t.steps = append(t.steps, stepGPT2)
		} else if p.AddPrefixSpace {
			t.steps = append(t.steps, stepWhole)
		}
		return true, nil
	case "Digits":
		if p.IndividualDigits {
			t.steps = append(t.steps, stepDigits)
		} else {
			t.steps = append(t.steps, stepDigitRuns)
		}
		return false, nil
	case "Split":
		return false, t.splitPart(p)
	}
	return false, fmt.Errorf("pre_tokenizer: this build knows Sequence, ByteLevel, Digits and Split, found %q", p.Type)
}

// splitPart recognises the expression of a Split. Behaviours other than "Isolated"
// matter only for what lies between matches: the word expressions leave nothing
// between, and "Removed" with invert is the same as isolating.
func (t *Tokenizer) splitPart(p *jsonPart) error {
	if p.Pattern.Regex == nil {
		return fmt.Errorf("pre_tokenizer: Split: expected a pattern \"Regex\"")
	}
	st, ok := patterns[*p.Pattern.Regex]
	if !ok {
		return fmt.Errorf("pre_tokenizer: Split: the expression %q is unknown to this build", *p.Pattern.Regex)
	}
	words := st == stepGPT2 || st == stepLlama3 || st == stepQwen2
	if isolated := p.Behavior == "Isolated" && !p.Invert; !isolated && !(words && p.Behavior == "Removed" && p.Invert) {
		return fmt.Errorf("pre_tokenizer: Split: behavior %q (invert %v) is not supported, expected \"Isolated\"", p.Behavior, p.Invert)
	}
	t.steps = append(t.steps, st)
	return nil
}

// tokens merges the vocabulary and the added tokens into one list by id.
func (f *jsonFile) tokens() ([]string, []Role, error) {
	// A file with few entries must not make room for ids beyond all reason.
	limit := min(maxVocab, len(f.Model.Vocab)+len(f.AddedTokens)+1<<16)
	top := -1
	check := func(s string, id int) error {
		if id < 0 || id >= limit {
			return fmt.Errorf("token %q: expected an id below %d, found %d", s, limit, id)
		}
		top = max(top, id)
		return nil
	}
	for s, id := range f.Model.Vocab {
		if err := check(s, id); err != nil {
			return nil, nil, err
		}
	}
	for _, a := range f.AddedTokens {
		if err := check(a.Content, a.ID); err != nil {
			return nil, nil, err
		}
		if a.Content == "" {
			return nil, nil, fmt.Errorf("added token %d is empty", a.ID)
		}
	}
	tokens, roles := make([]string, top+1), make([]Role, top+1)
	for i := range roles {
		roles[i] = Unused
	}
	for s, id := range f.Model.Vocab {
		if roles[id] != Unused {
			return nil, nil, fmt.Errorf("tokens %q and %q share the id %d", min(s, tokens[id]), max(s, tokens[id]), id)
		}
		tokens[id], roles[id] = s, Normal
	}
	for _, a := range f.AddedTokens {
		if roles[a.ID] != Unused && tokens[a.ID] != a.Content {
			return nil, nil, fmt.Errorf("added token %q has the id %d of %q", a.Content, a.ID, tokens[a.ID])
		}
		tokens[a.ID], roles[a.ID] = a.Content, Added
		if a.Special {
			roles[a.ID] = Control
		}
	}
	return tokens, roles, nil
}

// Leading returns the token that the post_processor of a tokenizer.json puts before
// a text (the beginning-of-text token of LLaMA models), false if it puts none.
func Leading(data []byte) (int32, bool) {
	type template struct {
		Type   string `json:"type"`
		Single []struct {
			SpecialToken *struct {
				ID string `json:"id"`
			} `json:"SpecialToken"`
		} `json:"single"`
		SpecialTokens map[string]struct {
			IDs []int32 `json:"ids"`
		} `json:"special_tokens"`
	}
	var f struct {
		PostProcessor *struct {
			template
			Processors []template `json:"processors"`
		} `json:"post_processor"`
	}
	if json.Unmarshal(data, &f) != nil || f.PostProcessor == nil {
		return 0, false
	}
	for _, p := range append([]template{f.PostProcessor.template}, f.PostProcessor.Processors...) {
		if p.Type != "TemplateProcessing" || len(p.Single) == 0 || p.Single[0].SpecialToken == nil {
			continue
		}
		if ids := p.SpecialTokens[p.Single[0].SpecialToken.ID].IDs; len(ids) > 0 {
			return ids[0], true
		}
	}
	return 0, false
}
