package nb

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/chart"
)

func TestCommittable(t *testing.T) {
	page := chart.LibraryHTML() + "<p>chart</p>\n<p>é & <b></p>"
	doc := map[string]any{"nbformat": 4, "cells": []any{
		map[string]any{"cell_type": "markdown", "source": "a < b"},
		map[string]any{"cell_type": "code", "metadata": map[string]any{"execution": map[string]any{"start": "now"}, "tags": []string{"x"}}, "outputs": []any{
			map[string]any{"output_type": "display_data", "data": map[string]any{"text/html": strings.SplitAfter(page, "\n"), "text/plain": "chart"}},
			map[string]any{"output_type": "display_data", "data": map[string]any{"text/html": page}},
			map[string]any{"output_type": "stream", "text": "out"},
		}},
	}}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Committable(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > 2000 || strings.Contains(string(got), "echarts") || strings.Contains(string(got), "execution") {
		t.Errorf("%d bytes are left, with the library or the times", len(got))
	}
	for _, want := range []string{`"a < b"`, `"<p>chart</p>\n"`, `"<p>é & <b></p>"`, `"text/plain": "chart"`, `"nbformat": 4`, `"tags"`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is gone from\n%s", want, got)
		}
	}
	again, err := Committable(got)
	if err != nil || string(again) != string(got) {
		t.Errorf("twice is not once (%v)", err)
	}
	for _, bad := range []string{"", "[]", "{}", `{"cells": 3}`} {
		if _, err := Committable([]byte(bad)); err == nil {
			t.Errorf("%q was taken for a notebook", bad)
		}
	}
	if _, err := Committable([]byte(`{"cells": [3, {"outputs": [null, {"data": {"text/html": [1]}}]}]}`)); err != nil {
		t.Errorf("odd cells: %v", err)
	}
}
