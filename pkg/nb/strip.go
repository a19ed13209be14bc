package nb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/chart"
)

// Committable returns an executed notebook as it is kept in a repository: without
// the chart library, which a code host would not run, and without the times of the
// run. Charts keep their static picture and their table. The JSON has sorted keys
// and an indent of one, as Jupyter writes it.
func Committable(notebook []byte) ([]byte, error) {
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(notebook))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("nb: notebook: expected JSON: %w", err)
	}
	cells, ok := doc["cells"].([]any)
	if !ok {
		return nil, fmt.Errorf("nb: notebook: expected a list of cells, found none")
	}
	for _, c := range cells {
		cell, _ := c.(map[string]any)
		if meta, ok := cell["metadata"].(map[string]any); ok {
			delete(meta, "execution")
		}
		outputs, _ := cell["outputs"].([]any)
		for _, o := range outputs {
			output, _ := o.(map[string]any)
			if data, ok := output["data"].(map[string]any); ok {
				if page, ok := joined(data["text/html"]); ok {
					data["text/html"] = strings.SplitAfter(strings.TrimSuffix(chart.StripLibrary(page), "\n"), "\n")
				}
			}
		}
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("nb: notebook: %w", err)
	}
	return out.Bytes(), nil
}

// joined is the text of a value that notebooks keep as a string or as its lines.
func joined(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []any:
		var b strings.Builder
		for _, line := range v {
			s, ok := line.(string)
			if !ok {
				return "", false
			}
			b.WriteString(s)
		}
		return b.String(), true
	}
	return "", false
}
