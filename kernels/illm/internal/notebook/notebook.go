// Package notebook reads and writes Jupyter notebooks (nbformat 4) without
// losing what it does not know, and replaces the values in the cell that is
// tagged "parameters".
package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Notebook is a notebook in memory.
type Notebook struct {
	Path  string // where it was read from
	Cells []*Cell
	raw   map[string]json.RawMessage
}

// Cell is one cell of a notebook.
type Cell struct {
	Type    string // "code", "markdown" or "raw"
	Source  string
	Tags    []string
	Outputs []Output
	raw     map[string]json.RawMessage
}

// Output is one output of a code cell.
type Output struct {
	Type string                     // "stream", "display_data", "execute_result", "error"
	Data map[string]json.RawMessage // MIME type → content, for the rich ones
	Text string                     // of a stream
	Name string                     // "stdout" or "stderr", of a stream
}

// Read reads the notebook at path.
func Read(path string) (*Notebook, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("notebook: %w", err)
	}
	nb, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("notebook: read %s: %w", path, err)
	}
	nb.Path = path
	return nb, nil
}

// Parse reads a notebook from its JSON.
func Parse(data []byte) (*Notebook, error) {
	nb := &Notebook{}
	if err := json.Unmarshal(data, &nb.raw); err != nil {
		return nil, fmt.Errorf("expected JSON of a notebook: %w", err)
	}
	var format int
	if err := json.Unmarshal(nb.raw["nbformat"], &format); err != nil || format != 4 {
		return nil, fmt.Errorf("expected nbformat 4, found %q", nb.raw["nbformat"])
	}
	var cells []map[string]json.RawMessage
	if err := json.Unmarshal(nb.raw["cells"], &cells); err != nil {
		return nil, fmt.Errorf("expected a list of cells: %w", err)
	}
	for i, raw := range cells {
		c, err := parseCell(raw)
		if err != nil {
			return nil, fmt.Errorf("cell %d: %w", i+1, err)
		}
		nb.Cells = append(nb.Cells, c)
	}
	return nb, nil
}

func parseCell(raw map[string]json.RawMessage) (*Cell, error) {
	c := &Cell{raw: raw}
	if err := json.Unmarshal(raw["cell_type"], &c.Type); err != nil {
		return nil, fmt.Errorf("expected a cell type, found %q", raw["cell_type"])
	}
	var err error
	if c.Source, err = text(raw["source"]); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	if m := raw["metadata"]; m != nil {
		var meta struct{ Tags []string }
		if err := json.Unmarshal(m, &meta); err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		c.Tags = meta.Tags
	}
	if o := raw["outputs"]; o != nil {
		var outputs []struct {
			Type string                     `json:"output_type"`
			Name string                     `json:"name"`
			Text json.RawMessage            `json:"text"`
			Data map[string]json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(o, &outputs); err != nil {
			return nil, fmt.Errorf("outputs: %w", err)
		}
		for _, o := range outputs {
			out := Output{Type: o.Type, Name: o.Name, Data: o.Data}
			if o.Text != nil {
				if out.Text, err = text(o.Text); err != nil {
					return nil, fmt.Errorf("outputs: %w", err)
				}
			}
			c.Outputs = append(c.Outputs, out)
		}
	}
	return c, nil
}

// text decodes what nbformat calls a multi-line string: a string, or a list of
// strings to join.
func text(raw json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		return "", fmt.Errorf("expected a string or a list of strings: %w", err)
	}
	return strings.Join(lines, ""), nil
}

// Plain returns the output as plain text: the text/plain form of a rich one.
func (o Output) Plain() string {
	if raw, ok := o.Data["text/plain"]; ok {
		if s, err := text(raw); err == nil {
			return s
		}
	}
	return ""
}

// Marshal returns the notebook's JSON with the cells' present sources.
func (nb *Notebook) Marshal() ([]byte, error) {
	cells := make([]map[string]json.RawMessage, len(nb.Cells))
	for i, c := range nb.Cells {
		source, err := marshal(c.Source)
		if err != nil {
			return nil, err
		}
		c.raw["source"] = source
		cells[i] = c.raw
	}
	raw, err := marshal(cells)
	if err != nil {
		return nil, err
	}
	nb.raw["cells"] = raw
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err = enc.Encode(nb.raw)
	return out.Bytes(), err
}

// marshal is json.Marshal without the escapes that only a web page needs.
func marshal(v any) (json.RawMessage, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}

// Title returns the notebook's first heading, or its file name if it has none.
func (nb *Notebook) Title() string {
	for _, c := range nb.Cells {
		if h := heading(c); h != "" {
			return h
		}
	}
	return strings.TrimSuffix(filepath.Base(nb.Path), ".ipynb")
}

// Executable returns the code cells that are not blank, in order: the ones a
// kernel runs and counts.
func (nb *Notebook) Executable() []*Cell {
	var list []*Cell
	for _, c := range nb.Cells {
		if c.Type == "code" && strings.TrimSpace(c.Source) != "" {
			list = append(list, c)
		}
	}
	return list
}

// Label says in a few words what the i-th executable cell (from 0) is: the
// heading it stands under, else its first line of code.
func (nb *Notebook) Label(i int) string {
	label, n := "", 0
	for _, c := range nb.Cells {
		switch {
		case c.Type == "markdown":
			if h := heading(c); h != "" {
				label = h
			}
		case c.Type == "code" && strings.TrimSpace(c.Source) != "":
			if n == i {
				if slices.Contains(c.Tags, ParametersTag) {
					return ParametersTag
				}
				if label == "" {
					label = firstCode(c.Source)
				}
				return label
			}
			n++
		}
	}
	return label
}

// heading returns the text of the last markdown heading in a cell.
func heading(c *Cell) string {
	found := ""
	if c.Type != "markdown" {
		return ""
	}
	fenced := false
	for line := range strings.Lines(c.Source) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if h := strings.TrimLeft(line, "#"); !fenced && h != line && strings.HasPrefix(h, " ") {
			found = strings.TrimSpace(h)
		}
	}
	return found
}

func firstCode(source string) string {
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" && !isCommand(line) {
			return line
		}
	}
	return strings.TrimSpace(source)
}

// isCommand reports whether a line is for GoNB rather than for the compiler.
func isCommand(line string) bool {
	return strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!")
}

// Metadata decodes the notebook's own metadata into v.
func (nb *Notebook) Metadata(v any) error {
	if nb.raw["metadata"] == nil {
		return nil
	}
	return json.Unmarshal(nb.raw["metadata"], v)
}

// Tables returns the plain text of every rich output with more than one line,
// in order: the text form of the notebook's tables and charts.
func (nb *Notebook) Tables() []string {
	var tables []string
	for _, c := range nb.Cells {
		for _, o := range c.Outputs {
			if s := strings.TrimRight(o.Plain(), "\n "); strings.Contains(s, "\n") {
				tables = append(tables, s)
			}
		}
	}
	return tables
}
