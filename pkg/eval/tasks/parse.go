package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The parsers below read one line of a task's file. A field that is missing, of another type or
// outside its range is an error; fields that the prompt has no use for are not looked at.

// choices pairs one context with answers.
func choices(context string, answers ...string) []Choice {
	out := make([]Choice, len(answers))
	for i, a := range answers {
		out[i] = Choice{context, " " + a, utf8.RuneCountInString(a)}
	}
	return out
}

// decode reads one JSON object.
func decode(line []byte, v any) error {
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("expected a JSON object of the task's form: %w", err)
	}
	return nil
}

// filled checks that texts are there; fields holds name, text, name, text …
func filled(fields ...string) error {
	for i := 0; i < len(fields); i += 2 {
		if strings.TrimFunc(fields[i+1], space) == "" {
			return fmt.Errorf("expected a text in field %q, found none", fields[i])
		}
	}
	return nil
}

func parsePIQA(line []byte) (Item, error) {
	var d struct {
		ID, Goal, Sol1, Sol2 string
		Label                *int
	}
	if err := decode(line, &d); err != nil {
		return Item{}, err
	}
	if err := filled("goal", d.Goal, "sol1", d.Sol1, "sol2", d.Sol2); err != nil {
		return Item{}, err
	}
	gold, err := label(d.Label, 2)
	return Item{ID: d.ID, Gold: gold, Choices: choices(question(d.Goal), d.Sol1, d.Sol2)}, err
}

// question is the prompt of PIQA and ARC.
func question(text string) string { return "Question: " + text + "\nAnswer:" }

// label checks the number of the right choice.
func label(n *int, of int) (int, error) {
	if n == nil {
		return 0, errors.New(`expected a number in field "label", found none`)
	}
	if *n < 0 || *n >= of {
		return 0, fmt.Errorf(`expected a "label" from 0 to %d, found %d`, of-1, *n)
	}
	return *n, nil
}

func parseARC(line []byte) (Item, error) {
	var d struct {
		ID       string
		Question struct {
			Stem    string
			Choices []struct{ Text, Label string }
		}
		AnswerKey string
	}
	if err := decode(line, &d); err != nil {
		return Item{}, err
	}
	if err := filled("question.stem", d.Question.Stem, "answerKey", d.AnswerKey); err != nil {
		return Item{}, err
	}
	var answers, labels []string
	for _, c := range d.Question.Choices {
		if err := filled("text", c.Text, "label", c.Label); err != nil {
			return Item{}, fmt.Errorf("choice %d: %w", len(labels), err)
		}
		if slices.Contains(labels, c.Label) {
			return Item{}, fmt.Errorf("expected every choice to have a label of its own, found %q twice", c.Label)
		}
		answers, labels = append(answers, c.Text), append(labels, c.Label)
	}
	if len(labels) < 2 {
		return Item{}, fmt.Errorf("expected at least 2 choices, found %d", len(labels))
	}
	gold := slices.Index(labels, d.AnswerKey)
	if gold < 0 {
		return Item{}, fmt.Errorf(`expected an "answerKey" of %s, found %q`, strings.Join(labels, ", "), d.AnswerKey)
	}
	return Item{ID: d.ID, Gold: gold, Choices: choices(question(d.Question.Stem), answers...)}, nil
}

func parseBoolQ(line []byte) (Item, error) {
	var d struct {
		Passage, Question string
		Label             any
	}
	if err := decode(line, &d); err != nil {
		return Item{}, err
	}
	if err := filled("passage", d.Passage, "question", d.Question); err != nil {
		return Item{}, err
	}
	it := Item{Choices: choices(d.Passage+"\nQuestion: "+d.Question+"?\nAnswer:", "no", "yes")}
	switch d.Label {
	case "false", false:
	case "true", true:
		it.Gold = 1
	default:
		return Item{}, fmt.Errorf(`expected "true" or "false" in field "label", found %v`, d.Label)
	}
	return it, nil
}

// endings is the number of choices of HellaSwag.
const endings = 4

func parseHellaSwag(line []byte) (Item, error) {
	var d struct {
		Ctx     string
		Endings []string
		Label   *int
	}
	if err := decode(line, &d); err != nil {
		return Item{}, err
	}
	context := clean(d.Ctx)
	if err := filled("ctx", context); err != nil {
		return Item{}, err
	}
	if len(d.Endings) != endings {
		return Item{}, fmt.Errorf(`expected %d "endings", found %d`, endings, len(d.Endings))
	}
	for i, e := range d.Endings {
		if d.Endings[i] = clean(e); d.Endings[i] == "" {
			return Item{}, fmt.Errorf("expected a text in ending %d, found none", i)
		}
	}
	gold, err := label(d.Label, endings)
	return Item{Gold: gold, Choices: choices(context, d.Endings...)}, err
}

// clean removes the marks that WikiHow's layout left in HellaSwag's texts, in the harness's order: white space at both ends,
// " [title]" becomes ". ", other text in brackets (on one line) goes, and each pair of blanks becomes one.
func clean(s string) string {
	s = strings.TrimFunc(s, space)
	s = strings.ReplaceAll(s, " [title]", ". ")
	var out strings.Builder
	for {
		open := strings.IndexByte(s, '[')
		if open < 0 {
			break
		}
		end := strings.IndexAny(s[open:], "]\n")
		if end < 0 {
			break
		}
		if s[open+end] == '\n' { // the bracket is never closed on its line, nor is any that opens behind it there
			out.WriteString(s[:open+end])
			s = s[open+end:]
			continue
		}
		out.WriteString(s[:open])
		s = s[open+end+1:]
	}
	out.WriteString(s)
	return strings.ReplaceAll(out.String(), "  ", " ")
}

func parseWinoGrande(line []byte) (Item, error) {
	var d struct{ QID, Sentence, Option1, Option2, Answer string }
	if err := decode(line, &d); err != nil {
		return Item{}, err
	}
	if err := filled("sentence", d.Sentence, "option1", d.Option1, "option2", d.Option2); err != nil {
		return Item{}, err
	}
	before, after, ok := strings.Cut(d.Sentence, "_")
	rest := strings.TrimFunc(after, space)
	if !ok || rest == "" {
		return Item{}, errors.New(`expected a gap "_" in field "sentence" and words behind it, found none`)
	}
	it := Item{ID: d.QID}
	for _, option := range []string{d.Option1, d.Option2} {
		it.Choices = append(it.Choices, Choice{before + option, " " + rest, utf8.RuneCountInString(option)})
	}
	switch d.Answer {
	case "1":
	case "2":
		it.Gold = 1
	default:
		return Item{}, fmt.Errorf(`expected "1" or "2" in field "answer", found %q`, d.Answer)
	}
	return it, nil
}
