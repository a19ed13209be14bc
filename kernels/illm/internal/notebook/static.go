package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Static turns an executed notebook into the form that is committed: pictures
// and tables that need no script, which is what code hosts show.
//
// Of an output with a script, the picture (image/svg+xml) and the text stay, one
// below the other, and the HTML goes; progress (streams), widgets and run times go
// too. Keys come out in the order in which Jupyter writes them.
func Static(data []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var nb map[string]any
	if err := dec.Decode(&nb); err != nil {
		return nil, fmt.Errorf("notebook: static form: %w", err)
	}
	cells, _ := nb["cells"].([]any)
	for _, c := range cells {
		cell, _ := c.(map[string]any)
		if cell == nil || cell["cell_type"] != "code" {
			continue
		}
		if meta, _ := cell["metadata"].(map[string]any); meta != nil {
			delete(meta, "execution")
		}
		kept := []any{}
		outputs, _ := cell["outputs"].([]any)
		for _, o := range outputs {
			if out, _ := o.(map[string]any); out != nil && keepStatic(out) {
				kept = append(kept, apart(out)...)
			}
		}
		cell["outputs"] = kept
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(nb); err != nil {
		return nil, fmt.Errorf("notebook: static form: %w", err)
	}
	return b.Bytes(), nil
}

// keepStatic strips one output and reports whether anything is left of it.
func keepStatic(out map[string]any) bool {
	if out["output_type"] != "display_data" && out["output_type"] != "execute_result" {
		return false
	}
	data, _ := out["data"].(map[string]any)
	delete(out, "transient")
	if strings.Contains(joined(data["text/html"]), "<script") {
		delete(data, "text/html")
	}
	for mime := range data {
		switch mime {
		case "text/html", "text/plain", "text/markdown", "image/svg+xml", "image/png":
		default:
			delete(data, mime)
		}
	}
	_, html := data["text/html"]
	_, svg := data["image/svg+xml"]
	_, markdown := data["text/markdown"]
	return html || svg || markdown || strings.TrimSpace(joined(data["text/plain"])) != ""
}

// apart makes two outputs of a picture with a text: a viewer shows only the
// richest form of one output, and the table belongs beside the chart.
func apart(out map[string]any) []any {
	data, _ := out["data"].(map[string]any)
	svg, text := data["image/svg+xml"], data["text/plain"]
	if svg == nil || data["text/html"] != nil || strings.TrimSpace(joined(text)) == "" {
		return []any{out}
	}
	second := map[string]any{"output_type": "display_data", "metadata": map[string]any{}, "data": map[string]any{"text/plain": text}}
	delete(data, "text/plain")
	return []any{out, second}
}

// joined is a multi-line string of the format, a string or a list of lines.
func joined(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var b strings.Builder
		for _, line := range v {
			s, _ := line.(string)
			b.WriteString(s)
		}
		return b.String()
	}
	return ""
}
