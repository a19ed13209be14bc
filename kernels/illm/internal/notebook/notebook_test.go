package notebook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const sample = `{
 "nbformat": 4, "nbformat_minor": 5,
 "metadata": {"kernelspec": {"name": "illm"}, "illm": {"tables": ["A", "T1"]}, "own": {"kept": [1, 2.50]}},
 "cells": [
  {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# Clipping <the> scores\n", "text"]},
  {"cell_type": "code", "id": "b", "metadata": {"tags": ["parameters"], "more": 1}, "execution_count": null, "outputs": [],
   "source": ["// what to run\n", "const clip = 15.0 // paper\n", "const windows = 4"]},
  {"cell_type": "code", "id": "c", "metadata": {}, "execution_count": null, "outputs": [], "source": "  \n"},
  {"cell_type": "markdown", "id": "d", "metadata": {}, "source": "## Sweep\n` + "```" + `\n# not a heading\n` + "```" + `"},
  {"cell_type": "code", "id": "e", "metadata": {}, "execution_count": 2, "source": "%%\nrun()",
   "outputs": [
    {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
    {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b>", "text/plain": ["a b\n", "1 2\n"]}},
    {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "one line"}}
   ]}
 ]
}`

func parse(t *testing.T, s string) *Notebook {
	t.Helper()
	nb, err := Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return nb
}

func TestParse(t *testing.T) {
	nb := parse(t, sample)
	if got := nb.Title(); got != "Clipping <the> scores" {
		t.Errorf("Title = %q", got)
	}
	if got := len(nb.Executable()); got != 2 {
		t.Errorf("%d executable cells, want 2: a blank one does not count", got)
	}
	for i, want := range []string{"parameters", "Sweep"} {
		if got := nb.Label(i); got != want {
			t.Errorf("Label(%d) = %q, want %q", i, got, want)
		}
	}
	if got, want := nb.Tables(), []string{"a b\n1 2"}; !slices.Equal(got, want) {
		t.Errorf("Tables = %q, want %q", got, want)
	}
	if got := nb.Cells[4].Outputs[0]; got.Text != "one\ntwo\n" || got.Name != "stdout" {
		t.Errorf("stream output %+v", got)
	}
}

// TestMarshal changes one value and expects everything else as it was.
func TestMarshal(t *testing.T) {
	nb := parse(t, sample)
	if err := nb.Set(map[string]string{"windows": "8"}); err != nil {
		t.Fatal(err)
	}
	data, err := nb.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(sample), &want); err != nil {
		t.Fatal(err)
	}
	for _, m := range []map[string]any{got, want} { // a list of lines and their join are the same source
		for _, c := range m["cells"].([]any) {
			c := c.(map[string]any)
			if lines, ok := c["source"].([]any); ok {
				s := ""
				for _, l := range lines {
					s += l.(string)
				}
				c["source"] = s
			}
		}
	}
	cell := want["cells"].([]any)[1].(map[string]any)
	cell["source"] = strings.Replace(cell["source"].(string), "windows = 4", "windows = 8", 1)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s", data)
	}
	if !strings.Contains(string(data), "Clipping <the> scores") {
		t.Error("letters were escaped")
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", "expected JSON"},
		{"list", "[]", "expected JSON"},
		{"old", `{"nbformat": 3, "worksheets": []}`, "expected nbformat 4"},
		{"no cells", `{"nbformat": 4}`, "list of cells"},
		{"source", `{"nbformat": 4, "cells": [{"cell_type": "code", "source": 7}]}`, "cell 1"},
		{"type", `{"nbformat": 4, "cells": [{"source": ""}]}`, "cell type"},
		{"tags", `{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "metadata": {"tags": 1}}]}`, "metadata"},
		{"outputs", `{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "outputs": 1}]}`, "outputs"},
	} {
		if _, err := Parse([]byte(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"nbformat":4,"cells":[null,{"cell_type":"code","source":["const a = 1"],"metadata":{"tags":["parameters"]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		nb, err := Parse(data)
		if err != nil {
			return
		}
		list, err := nb.Parameters()
		if err != nil {
			return
		}
		values := map[string]string{}
		for _, p := range list {
			values[p.Name] = p.Default
		}
		_ = nb.Set(values)
		_ = nb.Label(len(nb.Cells))
		out, err := nb.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(out); err != nil {
			t.Fatalf("written notebook cannot be read: %v", err)
		}
	})
}

func TestShelf(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"10-clip.ipynb": sample, "00-start.ipynb": `{"nbformat":4,"cells":[]}`, "notes.txt": "no",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shelf, err := Shelf(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := shelf.Names(), []string{"start", "clip", "A", "T1"}; !slices.Equal(got, want) {
		t.Fatalf("Names = %q, want %q", got, want)
	}
	for name, want := range map[string]Entry{
		"clip":          {Name: "clip"},
		"CLIP":          {Name: "clip"},
		"10-clip":       {Name: "clip"},
		"10-clip.ipynb": {Name: "clip"},
		"t1":            {Name: "T1", Table: "T1"},
	} {
		got, err := shelf.Find(name)
		want.Path = filepath.Join(dir, "10-clip.ipynb")
		if err != nil || got != want {
			t.Errorf("Find(%q) = %+v, %v; want %+v", name, got, err, want)
		}
	}
	if _, err := shelf.Find("cilp"); err == nil || !strings.Contains(err.Error(), `did you mean "clip"?`) {
		t.Errorf("Find(cilp): %v", err)
	}
	if got, err := Open("/nowhere", filepath.Join(dir, "00-start.ipynb")); err != nil || got.Name != "00-start" {
		t.Errorf("Open of a path: %+v, %v", got, err)
	}
}

func TestKeepTable(t *testing.T) {
	cell := func(tags ...string) *Cell { return &Cell{Type: "code", Source: strings.Join(tags, " "), Tags: tags} }
	for _, test := range []struct{ table, want string }{
		{"T1", "parameters|T1 T5|T1|"},
		{"T5", "parameters|T1 T5|"},
		{"T3", "parameters|T1 T5|T1|T4 timing|"}, // nothing is tagged with it
	} {
		nb := &Notebook{Cells: []*Cell{cell("parameters"), cell("T1", "T5"), cell("T1"), cell("T4", "timing"), cell()}}
		nb.KeepTable(test.table)
		var got []string
		for _, c := range nb.Cells {
			got = append(got, c.Source)
		}
		if strings.Join(got, "|") != test.want {
			t.Errorf("%s: cells %q, want %q", test.table, got, test.want)
		}
	}
}
