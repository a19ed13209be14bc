package tasks

import (
	"reflect"
	"strings"
	"testing"
)

func mustSay(t *testing.T, err error, want ...string) {
	t.Helper()
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Fatalf("error %v, expected %q in it", err, w)
		}
	}
}

func named(t *testing.T, name string) Task {
	t.Helper()
	list, err := Find(name)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// TestPrompts gives one made-up line of each task and its prompts as lm-evaluation-harness's templates write them.
// (testdata/harness.py of package eval hashes the prompts of all real items.)
func TestPrompts(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want Item
	}{
		PIQA: {`{"id":"x","goal":"Dry a cup","sol1":"Use a towel. ","sol2":"Süß","label":1}`,
			Item{ID: "x", Gold: 1, Choices: []Choice{
				{"Question: Dry a cup\nAnswer:", " Use a towel. ", 13},
				{"Question: Dry a cup\nAnswer:", " Süß", 3}}}},
		ARCEasy: {`{"id":"y","question":{"stem":"What floats?","choices":[{"text":"a stone","label":"1"},{"text":"ice","label":"2"},{"text":"lead","label":"3"}]},"answerKey":"2"}`,
			Item{ID: "y", Gold: 1, Choices: []Choice{
				{"Question: What floats?\nAnswer:", " a stone", 7},
				{"Question: What floats?\nAnswer:", " ice", 3},
				{"Question: What floats?\nAnswer:", " lead", 4}}}},
		BoolQ: {`{"question":"is ice cold","passage":"Ice -- It is cold.","label":"true"}`,
			Item{Gold: 1, Choices: []Choice{
				{"Ice -- It is cold.\nQuestion: is ice cold?\nAnswer:", " no", 2},
				{"Ice -- It is cold.\nQuestion: is ice cold?\nAnswer:", " yes", 3}}}},
		HellaSwag: {`{"ctx":" Skating [header] How to fall [title] Bend.  [step] Then","endings":["a [b] c","[x]d","e","f"],"label":2}`,
			Item{Gold: 2, Choices: []Choice{
				{"Skating How to fall. Bend.  Then", " a c", 3},
				{"Skating How to fall. Bend.  Then", " d", 1},
				{"Skating How to fall. Bend.  Then", " e", 1},
				{"Skating How to fall. Bend.  Then", " f", 1}}}},
		WinoGrande: {`{"qID":"z","sentence":"Ann met Eve, but _ left  early _.","option1":"Ann","option2":"Eve","answer":"2"}`,
			Item{ID: "z", Gold: 1, Choices: []Choice{
				{"Ann met Eve, but Ann", " left  early _.", 3},
				{"Ann met Eve, but Eve", " left  early _.", 3}}}},
	} {
		got, err := named(t, name).parse([]byte(c.line))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n%+v\nexpected\n%+v", name, got, c.want)
		}
	}
}

// TestClean: results of the harness's preprocess in Python 3.11,
// s.strip().replace(" [title]", ". "), re.sub("\\[.*?\\]", ""), replace("  ", " ").
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		" \t\u00a0a\x1c\n":        "a",
		"a [title] b":             "a. b",
		"a[title]b":               "ab",
		"a [b] c":                 "a c",
		"a   b":                   "a  b",
		"a [b [c] d] e":           "a d] e",
		"a ] b [ c":               "a ] b [ c",
		"a [b\nc] d":              "a [b\nc] d",
		"a [b\nc [d] e":           "a [b\nc e",
		"[x][y]z [":               "z [",
		"How [substeps]  to. [s]": "How  to. ",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, expected %q", in, got, want)
		}
	}
}

// TestBadLines: what is wrong is said, with what was expected and found.
func TestBadLines(t *testing.T) {
	arc := func(choices, key string) string {
		return `{"question":{"stem":"s","choices":[` + choices + `]},"answerKey":"` + key + `"}`
	}
	for _, c := range []struct{ task, line, want string }{
		{PIQA, `{`, "JSON object"},
		{PIQA, `[]`, "JSON object"},
		{PIQA, `{"goal":1}`, "JSON object"},
		{PIQA, `{"goal":"g","sol1":"a","label":0}`, `"sol2", found none`},
		{PIQA, `{"goal":" \n","sol1":"a","sol2":"b","label":0}`, `"goal", found none`},
		{PIQA, `{"goal":"g","sol1":"a","sol2":"b"}`, `"label", found none`},
		{PIQA, `{"goal":"g","sol1":"a","sol2":"b","label":2}`, "from 0 to 1, found 2"},
		{PIQA, `{"goal":"g","sol1":"a","sol2":"b","label":-1}`, "found -1"},
		{ARCEasy, arc(``, "A"), "at least 2 choices, found 0"},
		{ARCEasy, arc(`{"text":"t","label":"A"}`, "A"), "at least 2 choices, found 1"},
		{ARCEasy, arc(`{"text":"t","label":"A"},{"text":"u","label":"A"}`, "A"), `found "A" twice`},
		{ARCEasy, arc(`{"text":"t","label":"A"},{"text":"u","label":"B"}`, "C"), `of A, B, found "C"`},
		{ARCEasy, arc(`{"text":"","label":"A"}`, "A"), "choice 0"},
		{ARCEasy, `{"question":{"stem":"s"}}`, `"answerKey", found none`},
		{BoolQ, `{"passage":"p","question":"q","label":"yes"}`, `"true" or "false"`},
		{BoolQ, `{"passage":"p","question":"q"}`, `"label"`},
		{BoolQ, `{"passage":"p","question":"q","label":[]}`, `"label"`},
		{BoolQ, `{"question":"q","label":true}`, `"passage"`},
		{HellaSwag, `{"ctx":"c","endings":["a","b"],"label":0}`, `4 "endings", found 2`},
		{HellaSwag, `{"ctx":"c","endings":["a","b","[c]","d"],"label":0}`, "ending 2"},
		{HellaSwag, `{"ctx":"c","endings":["a","b","c","d"],"label":4}`, "from 0 to 3, found 4"},
		{HellaSwag, `{"ctx":"[c]","endings":["a","b","c","d"],"label":0}`, `"ctx"`},
		{HellaSwag, `{"endings":["a","b","c","d"],"label":0}`, `"ctx"`},
		{WinoGrande, `{"sentence":"no gap","option1":"a","option2":"b","answer":"1"}`, `gap "_"`},
		{WinoGrande, `{"sentence":"gap at the end _ ","option1":"a","option2":"b","answer":"1"}`, "words behind it"},
		{WinoGrande, `{"sentence":"a _ b","option1":"a","option2":"b","answer":""}`, `"1" or "2"`},
		{WinoGrande, `{"sentence":"a _ b","option1":"a","answer":"1"}`, `"option2"`},
	} {
		_, err := named(t, c.task).parse([]byte(c.line))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v, expected %q in it", c.task, c.line, err, c.want)
		}
	}
}

// FuzzParse: no line makes a parser panic, and what it accepts is a question.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		`{"goal":"g","sol1":"a","sol2":"b","label":1}`,
		`{"question":{"stem":"s","choices":[{"text":"t","label":"A"},{"text":"u","label":"B"}]},"answerKey":"B"}`,
		`{"passage":"p","question":"q","label":false}`,
		`{"ctx":"c [title] [","endings":["a","b","c]","d"],"label":3}`,
		`{"sentence":"a _ b","option1":"a","option2":"b","answer":"2"}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, task := range All() {
			it, err := task.parse(line)
			if err != nil {
				continue
			}
			if len(it.Choices) < 2 || it.Gold < 0 || it.Gold >= len(it.Choices) {
				t.Fatalf("%s: %q: %+v", task.Name, line, it)
			}
			for _, c := range it.Choices {
				if c.Context == "" || len(c.Continuation) < 2 || c.Chars < 1 {
					t.Fatalf("%s: %q: %+v", task.Name, line, c)
				}
			}
		}
	})
}
