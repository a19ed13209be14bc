package notebook

import (
	"bytes"
	"strings"
	"testing"
)

func TestStatic(t *testing.T) {
	const executed = `{"cells": [
 {"cell_type": "markdown", "metadata": {}, "source": ["# t & <b>"]},
 {"cell_type": "code", "execution_count": 3, "metadata": {"execution": {"started": "now"}, "tags": ["x"]}, "source": "y", "outputs": [
  {"output_type": "stream", "name": "stderr", "text": "progress"},
  {"output_type": "display_data", "metadata": {}, "transient": {"display_id": "1"}, "data": {
    "text/html": ["<div></div>\n", "<script>draw()</script>"], "image/svg+xml": "<svg/>", "text/plain": "a table", "application/x-widget": {}}},
  {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<table></table>", "text/plain": "t"}},
  {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<script>only()</script>", "text/plain": ""}}
 ]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}`
	got, err := Static([]byte(executed))
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	for _, bad := range []string{"script", "progress", "widget", "started", "display_id"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is still there:\n%s", bad, text)
		}
	}
	for _, want := range []string{"<svg/>", "a table", "<table></table>", "# t & <b>", `"execution_count": 3`, `"nbformat_minor": 5`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is gone:\n%s", want, text)
		}
	}
	if n := strings.Count(text, `"display_data"`); n != 3 {
		t.Errorf("%d outputs are left, want 3: picture, its table, table", n)
	}
	again, err := Static(got)
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("the static form of a static form differs: %v", err)
	}
	if nb, err := Parse(got); err != nil || len(nb.Executable()) != 1 {
		t.Errorf("the static form is no notebook: %v", err)
	}
	if _, err := Static([]byte("no JSON")); err == nil {
		t.Error("what is no JSON passed")
	}
}
