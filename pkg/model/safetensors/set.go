package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Set is the weights of a model: one file or several shards.
type Set struct {
	files []*File // by name
	where map[string]*File
}

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// OpenDir opens the weights in dir: the shards of model.safetensors.index.json if
// there is one, else model.safetensors, else every *.safetensors.
func OpenDir(dir string) (*Set, error) {
	s := &Set{where: make(map[string]*File)}
	var err error
	if _, statErr := os.Stat(filepath.Join(dir, indexName)); statErr == nil {
		err = s.openIndex(dir)
	} else {
		err = s.openPlain(dir)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Set) openPlain(dir string) error {
	paths := []string{filepath.Join(dir, singleName)}
	if _, err := os.Stat(paths[0]); err != nil {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		paths = paths[:0]
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".safetensors") {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	if len(paths) == 0 {
		return fmt.Errorf("safetensors: open %s: no *.safetensors in this directory: is the download complete?", dir)
	}
	for _, p := range paths {
		f, err := Open(p)
		if err != nil {
			return err
		}
		s.files = append(s.files, f)
		for _, name := range f.Names() {
			if other, dup := s.where[name]; dup {
				return fmt.Errorf("safetensors: open %s: tensor %q is in %s too: remove the file that does not belong", p, name, other.path)
			}
			s.where[name] = f
		}
	}
	return nil
}

func (s *Set) openIndex(dir string) error {
	path := filepath.Join(dir, indexName)
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return fmt.Errorf("safetensors: open %s: %w", path, err)
	}
	if len(index.WeightMap) == 0 {
		return fmt.Errorf("safetensors: open %s: no \"weight_map\"", path)
	}
	shards := make(map[string]*File)
	names := make([]string, 0, len(index.WeightMap))
	for name := range index.WeightMap {
		names = append(names, name)
	}
	sort.Strings(names) // so that the first error is always the same
	for _, name := range names {
		shard := index.WeightMap[name]
		// Only a plain name: an index must not reach outside its directory.
		if shard != filepath.Base(shard) || !filepath.IsLocal(shard) {
			return fmt.Errorf("safetensors: open %s: tensor %q: expected the name of a file beside the index, found %q", path, name, shard)
		}
		f, ok := shards[shard]
		if !ok {
			if f, err = Open(filepath.Join(dir, shard)); err != nil {
				if errors.Is(err, os.ErrNotExist) {
					err = fmt.Errorf("%w: the index names this shard, fetch it", err)
				}
				return err
			}
			shards[shard] = f
			s.files = append(s.files, f)
		}
		if _, ok := f.Tensor(name); !ok {
			return fmt.Errorf("safetensors: open %s: tensor %q is not in %s, where the index places it", path, name, shard)
		}
		s.where[name] = f
	}
	sort.Slice(s.files, func(i, j int) bool { return s.files[i].path < s.files[j].path })
	return nil
}

// Files returns the open files by name.
func (s *Set) Files() []*File { return s.files }

// Names returns the tensor names, sorted.
func (s *Set) Names() []string {
	names := make([]string, 0, len(s.where))
	for n := range s.where {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Tensor finds a tensor by name.
func (s *Set) Tensor(name string) (*Tensor, bool) {
	f, ok := s.where[name]
	if !ok {
		return nil, false
	}
	return f.Tensor(name)
}

// Float32 reads a tensor, see [File.Float32].
func (s *Set) Float32(name string, dst []float32) ([]float32, error) {
	f, ok := s.where[name]
	if !ok {
		return nil, fmt.Errorf("safetensors: no tensor %q", name)
	}
	return f.Float32(f.tensors[name], dst)
}

// Close unmaps all files and returns the first error.
func (s *Set) Close() error {
	var first error
	for _, f := range s.files {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
