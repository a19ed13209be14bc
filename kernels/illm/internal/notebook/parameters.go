package notebook

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"

	"github.com/illm-go/illm/pkg/suggest"
)

// ParametersTag marks the cell whose values a run may replace.
const ParametersTag = "parameters"

// Kind is what a parameter's value must look like.
type Kind string

// The kinds of parameters, named as messages name them.
const (
	Int    Kind = "an integer"
	Float  Kind = "a number"
	String Kind = "a string"
	Bool   Kind = "true or false"
	List   Kind = "a comma-separated list"
)

// Parameter is a constant or variable of the parameters cell.
type Parameter struct {
	Name    string
	Kind    Kind
	Default string // Go source of the value

	elem     Kind   // of a list
	head     string // of a list: its type, up to the brace
	pos, end int    // of the value in the cell's source
}

// Parameters returns the parameters of the notebook in the order of the cell;
// none if no cell has the tag.
func (nb *Notebook) Parameters() ([]Parameter, error) {
	c, err := nb.parametersCell()
	if c == nil || err != nil {
		return nil, err
	}
	list, err := parseParameters(c.Source)
	if err != nil {
		return nil, fmt.Errorf("notebook: parameters cell of %s: %w", nb.Path, err)
	}
	return list, nil
}

func (nb *Notebook) parametersCell() (*Cell, error) {
	var found *Cell
	for _, c := range nb.Cells {
		if c.Type == "code" && slices.Contains(c.Tags, ParametersTag) {
			if found != nil {
				return nil, fmt.Errorf("notebook: %s: expected one cell tagged %q, found more", nb.Path, ParametersTag)
			}
			found = c
		}
	}
	return found, nil
}

// prefix makes a cell a Go file.
const prefix = "package p;"

// parseParameters finds the declarations with a literal value at the top level
// of a cell. GoNB's own lines are blanked, which keeps all positions; what
// follows a "%%" line is the body of main and declares no parameters.
func parseParameters(source string) ([]Parameter, error) {
	var code strings.Builder
	code.WriteString(prefix)
	body := false
	for line := range strings.Lines(source) {
		trimmed := strings.TrimSpace(line)
		body = body || strings.HasPrefix(trimmed, "%%") || trimmed == "%main"
		if body || isCommand(trimmed) {
			end := strings.TrimRight(line, "\n")
			line = strings.Repeat(" ", len(end)) + line[len(end):]
		}
		code.WriteString(line)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "cell", code.String(), parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("expected Go declarations: %w", err)
	}
	offset := func(p token.Pos) int { return fset.PositionFor(p, false).Offset - len(prefix) }
	var list []Parameter
	for _, d := range file.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || (gen.Tok != token.CONST && gen.Tok != token.VAR) {
			continue
		}
		for _, spec := range gen.Specs {
			value := spec.(*ast.ValueSpec)
			if len(value.Values) != len(value.Names) {
				continue
			}
			for i, name := range value.Names {
				p := Parameter{Name: name.Name, pos: offset(value.Values[i].Pos()), end: offset(value.Values[i].End())}
				if !p.classify(value.Type, value.Values[i], source) {
					continue
				}
				p.Default = source[p.pos:p.end]
				list = append(list, p)
			}
		}
	}
	return list, nil
}

// classify sets the kind of p from its declared type and its value, and reports
// whether it is one that a run can replace.
func (p *Parameter) classify(typ, value ast.Expr, source string) bool {
	if lit, ok := value.(*ast.CompositeLit); ok {
		array, ok := lit.Type.(*ast.ArrayType)
		if !ok || array.Len != nil {
			return false
		}
		elem, ok := array.Elt.(*ast.Ident)
		if !ok {
			return false
		}
		p.Kind, p.elem, p.head = List, kindOfType(elem.Name), "[]"+elem.Name
		return p.elem != ""
	}
	p.Kind = kindOfValue(value)
	if id, ok := typ.(*ast.Ident); ok {
		if k := kindOfType(id.Name); k != "" {
			p.Kind = k
		}
	}
	return p.Kind != ""
}

func kindOfValue(value ast.Expr) Kind {
	switch v := value.(type) {
	case *ast.BasicLit:
		switch v.Kind {
		case token.INT:
			return Int
		case token.FLOAT:
			return Float
		case token.STRING:
			return String
		}
	case *ast.UnaryExpr:
		if v.Op == token.SUB || v.Op == token.ADD {
			if k := kindOfValue(v.X); k == Int || k == Float {
				return k
			}
		}
	case *ast.Ident:
		if v.Name == "true" || v.Name == "false" {
			return Bool
		}
	}
	return ""
}

func kindOfType(name string) Kind {
	switch name {
	case "string":
		return String
	case "bool":
		return Bool
	case "float32", "float64":
		return Float
	case "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64":
		return Int
	}
	return ""
}

// literal returns the Go source of the value that a user gave as plain text.
func literal(kind Kind, s string) (string, bool) {
	s = strings.TrimSpace(s)
	switch kind {
	case Int:
		_, err := strconv.ParseInt(s, 0, 64)
		return s, err == nil
	case Float:
		// ParseFloat also takes NaN, infinities and hexadecimal: not Go
		// literals, or not what anybody means.
		_, err := strconv.ParseFloat(s, 64)
		return s, err == nil && strings.Trim(s, "0123456789.eE+-") == ""
	case Bool:
		return s, s == "true" || s == "false"
	case String:
		if v, err := strconv.Unquote(s); err == nil {
			s = v
		}
		return strconv.Quote(s), true
	}
	return "", false
}

// source returns the Go source that sets p to the given text.
func (p Parameter) source(text string) (string, error) {
	if p.Kind != List {
		lit, ok := literal(p.Kind, text)
		if !ok {
			return "", fmt.Errorf("parameter %s: expected %s (the default is %s), found %q", p.Name, p.Kind, p.Default, text)
		}
		return lit, nil
	}
	var items []string
	if strings.TrimSpace(text) != "" {
		for item := range strings.SplitSeq(text, ",") {
			lit, ok := literal(p.elem, item)
			if !ok {
				return "", fmt.Errorf("parameter %s: expected %s, each %s (the default is %s), found %q", p.Name, p.Kind, p.elem, p.Default, item)
			}
			items = append(items, lit)
		}
	}
	return p.head + "{" + strings.Join(items, ", ") + "}", nil
}

// Set replaces the values of the parameters named in values, plain text by
// name. A name the notebook does not have is an error that lists those it has.
func (nb *Notebook) Set(values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	list, err := nb.Parameters()
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	for name := range values {
		if !slices.Contains(names, name) {
			return &UnknownParameterError{Notebook: nb.Path, Name: name, Parameters: list}
		}
	}
	c, err := nb.parametersCell()
	if err != nil {
		return err
	}
	// From the back, so that the positions of those in front stay true.
	for _, p := range slices.Backward(list) {
		text, ok := values[p.Name]
		if !ok {
			continue
		}
		src, err := p.source(text)
		if err != nil {
			return err
		}
		c.Source = c.Source[:p.pos] + src + c.Source[p.end:]
	}
	// A value outside its type's range, say, is for the compiler to refuse;
	// but what was declarations must be declarations still.
	if _, err := parseParameters(c.Source); err != nil {
		return fmt.Errorf("notebook: set parameters of %s: %w", nb.Path, err)
	}
	return nil
}

// UnknownParameterError names a parameter that a notebook does not have.
type UnknownParameterError struct {
	Notebook, Name string
	Parameters     []Parameter
}

func (e *UnknownParameterError) Error() string {
	if len(e.Parameters) == 0 {
		return fmt.Sprintf("parameter %s: %s has no parameters", e.Name, e.Notebook)
	}
	var has, names []string
	for _, p := range e.Parameters {
		has = append(has, p.Name+" = "+p.Default)
		names = append(names, p.Name)
	}
	s := fmt.Sprintf("parameter %s: not one of %s", e.Name, e.Notebook)
	if hint := suggest.Hint(e.Name, names); hint != "" {
		s += ": " + hint
	}
	return s + ": it has " + strings.Join(has, ", ")
}
