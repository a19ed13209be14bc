package notebook

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/suggest"
)

// Entry is a notebook and a name it goes by.
type Entry struct {
	Name  string // as the user writes it: "clip", "T1"
	Path  string
	Table string // the table the name stands for; "" if it is the notebook's own
}

// Entries is a shelf of notebooks, in the order of their file names.
type Entries []Entry

// fileName is NN-name.ipynb; the number gives the order alone.
var fileName = regexp.MustCompile(`^(?:\d+[-_])?(.+)\.ipynb$`)

// Shelf lists the notebooks in a folder. A notebook goes by its file name
// without number and ending, and by the names of the tables that its metadata
// lists as {"illm": {"tables": ["A", "T1"]}}.
func Shelf(dir string) (Entries, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the notebooks: %w", err)
	}
	var list Entries
	for _, f := range files {
		m := fileName.FindStringSubmatch(f.Name())
		if m == nil || f.IsDir() {
			continue
		}
		path := filepath.Join(dir, f.Name())
		list = append(list, Entry{Name: m[1], Path: path})
		nb, err := Read(path)
		if err != nil {
			return nil, err
		}
		var meta struct {
			ILLM struct{ Tables []string }
		}
		if err := nb.Metadata(&meta); err != nil {
			return nil, fmt.Errorf("notebook: metadata of %s: %w", path, err)
		}
		for _, table := range meta.ILLM.Tables {
			list = append(list, Entry{Name: table, Path: path, Table: table})
		}
	}
	return list, nil
}

// Names returns the names in order.
func (es Entries) Names() []string {
	names := make([]string, len(es))
	for i, e := range es {
		names[i] = e.Name
	}
	return names
}

// Open returns the notebook that goes by name in the folder dir; a path that
// ends in .ipynb stands for itself.
func Open(dir, name string) (Entry, error) {
	if strings.HasSuffix(name, ".ipynb") {
		if _, err := os.Stat(name); err == nil {
			path, err := filepath.Abs(name)
			return Entry{Name: strings.TrimSuffix(filepath.Base(name), ".ipynb"), Path: path}, err
		}
	}
	shelf, err := Shelf(dir)
	if err != nil {
		return Entry{}, err
	}
	return shelf.Find(name)
}

// UnknownError names a notebook that is not there.
type UnknownError struct {
	Name  string
	Names []string // those that are
}

func (e *UnknownError) Error() string {
	hint := suggest.Hint(e.Name, e.Names)
	if hint != "" {
		hint = ": " + hint
	}
	return fmt.Sprintf("notebook %q: there is none of that name%s: there are %s", e.Name, hint, strings.Join(e.Names, ", "))
}

// Find returns the notebook that goes by name, whatever its case, with or
// without the number and ending of its file.
func (es Entries) Find(name string) (Entry, error) {
	stem := strings.TrimSuffix(filepath.Base(name), ".ipynb")
	i := slices.IndexFunc(es, func(e Entry) bool {
		return strings.EqualFold(e.Name, stem) || strings.EqualFold(strings.TrimSuffix(filepath.Base(e.Path), ".ipynb"), stem)
	})
	if i < 0 {
		return Entry{}, &UnknownError{Name: name, Names: es.Names()}
	}
	return es[i], nil
}
