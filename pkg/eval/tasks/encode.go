package tasks

import (
	"fmt"
	"strings"
	"unicode"
)

// Encoder turns text into token ids; *tokenizer.Tokenizer is one.
type Encoder interface{ Encode(text string) []int32 }

// Question is an item as tokens.
type Question struct {
	Row, Gold int
	Choices   []Scored
}

// Scored is one choice as tokens: the logits behind the last len(Target) tokens of Input score Target.
type Scored struct {
	Input  []int32
	Target []int32
	Chars  int
}

// Encode turns items into questions for a model with a window of that many tokens (its largest context).
func Encode(items []Item, enc Encoder, window int) ([]Question, error) {
	out := make([]Question, len(items))
	for i, it := range items {
		q := Question{Row: it.Row, Gold: it.Gold, Choices: make([]Scored, len(it.Choices))}
		for j, c := range it.Choices {
			s, err := encode(c, enc, window)
			if err != nil {
				return nil, fmt.Errorf("tasks: encode item %d, choice %d: %w", it.Row, j, err)
			}
			q.Choices[j] = s
		}
		out[i] = q
	}
	return out, nil
}

func encode(c Choice, enc Encoder, window int) (Scored, error) {
	context := strings.TrimRightFunc(c.Context, space)
	whole := enc.Encode(c.Context + c.Continuation)
	n := len(whole) - len(enc.Encode(context)) // tokens of the continuation
	if n < 1 {
		return Scored{}, fmt.Errorf("expected the continuation to add tokens to its context's, found %d", n)
	}
	if len(whole) > window+1 {
		whole = whole[len(whole)-window-1:]
	}
	if n >= len(whole) {
		return Scored{}, fmt.Errorf("expected a context before the %d tokens of the continuation, found room for %d in a window of %d", n, max(0, len(whole)-n), window)
	}
	return Scored{Input: whole[:len(whole)-1], Target: whole[len(whole)-n:], Chars: c.Chars}, nil
}

// space is Python's str.isspace of one character: Unicode's white space and the four separators 1C to 1F.
func space(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }
