package notebook

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDifferences(t *testing.T) {
	cell := func(source, plain string, tags ...string) map[string]any {
		return map[string]any{"cell_type": "code", "source": source, "metadata": map[string]any{"tags": tags}, "outputs": []any{
			map[string]any{"output_type": "stream", "name": "stderr", "text": plain + " took so long"},
			map[string]any{"output_type": "display_data", "data": map[string]any{"text/plain": strings.SplitAfter(plain, "\n"), "image/svg+xml": "<svg/>"}},
		}}
	}
	book := func(cells ...map[string]any) *Notebook {
		t.Helper()
		raw, err := json.Marshal(map[string]any{"nbformat": 4, "cells": cells})
		if err != nil {
			t.Fatal(err)
		}
		nb, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return nb
	}
	a := book(cell("one", "a\nb"), cell("two", "1 s", TimingTag))
	for _, test := range []struct {
		b    *Notebook
		want string
	}{
		{book(cell("one", "a\nb"), cell("two", "2 s", TimingTag)), ""},
		{book(cell("one", "a\nc"), cell("two", "1 s", TimingTag)), `[1] one: output 1: text/plain, line 2: "b" against "c"`},
		{book(cell("one", "a\nb")), "2 cells against 1"},
		{book(cell("uno", "a\nb"), cell("two", "1 s", TimingTag)), "[1] one: other code"},
		{book(cell("one", "a\nb\nc"), cell("two", "1 s", TimingTag)), "line 3"},
	} {
		if got := strings.Join(Differences(a, test.b), "; "); !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("got %q, want %q", got, test.want)
		}
		if back := Differences(test.b, a); (len(back) == 0) != (test.want == "") {
			t.Errorf("the other way round: %q", back)
		}
	}
	fewer := book(cell("one", "a\nb"), cell("two", "1 s", TimingTag))
	delete(fewer.Cells[0].Outputs[1].Data, "image/svg+xml")
	if got := Differences(fewer, a); len(got) != 1 || !strings.Contains(got[0], "no image/svg+xml") {
		t.Errorf("a missing form: %q", got)
	}
}
