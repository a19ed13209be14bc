package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	hfhub "github.com/gomlx/go-huggingface/hub"
)

// repoID names a revision of a repository.
type repoID struct {
	kind     hfhub.RepoType
	org      string
	name     string
	revision string
}

// namePart is what the hub allows for owners and repositories; it cannot leave
// the cache folder.
var namePart = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)

// parseRepo reads hf:ORG/NAME[@REVISION].
func parseRepo(s string) (repoID, error) {
	rest := strings.TrimPrefix(s, "hf:")
	rest, revision, pinned := strings.Cut(rest, "@")
	org, name, ok := strings.Cut(rest, "/")
	if !pinned {
		revision = "main"
	}
	if !ok || !namePart.MatchString(org) || !namePart.MatchString(name) || !namePart.MatchString(revision) {
		return repoID{}, fmt.Errorf("hub: fetch: expected hf:ORG/NAME or hf:ORG/NAME@REVISION, found %q", s)
	}
	return repoID{hfhub.RepoTypeModel, org, name, revision}, nil
}

func (id repoID) String() string { return id.org + "/" + id.name }

// folder is the place of the repository in the cache.
func (id repoID) folder(cache string) string {
	return filepath.Join(cache, "hf", string(id.kind), id.org+"--"+id.name)
}

// repoState is what the cache holds of a revision. It is written after the files
// of a model are all there, and after each file of a data set.
type repoState struct {
	Commit string           `json:"commit"`
	Files  map[string]int64 `json:"files"` // length of each
}

func (id repoID) statePath(cache string) string {
	return filepath.Join(id.folder(cache), "refs", id.revision+".json")
}

// state reads the revision's state; what cannot be read is empty.
func (id repoID) state(cache string) repoState {
	var s repoState
	b, err := os.ReadFile(id.statePath(cache))
	if err != nil || json.Unmarshal(b, &s) != nil || !namePart.MatchString(s.Commit) {
		return repoState{Files: map[string]int64{}}
	}
	for name := range s.Files {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return repoState{Files: map[string]int64{}}
		}
	}
	return s
}

// has tells whether the cached file has the length it was stored with.
func (s repoState) has(dir, file string) bool {
	size, ok := s.Files[file]
	return ok && sizeIs(filepath.Join(dir, filepath.FromSlash(file)), size)
}

// cachedRepo returns the folder of a model whose files are all there.
func cachedRepo(cache string, id repoID) (string, bool) {
	s := id.state(cache)
	dir := filepath.Join(id.folder(cache), s.Commit)
	for name := range s.Files {
		if !s.has(dir, name) {
			return "", false
		}
	}
	return dir, len(s.Files) > 0
}

// fetchRepo returns the folder of a model of the hub.
func (c *Client) fetchRepo(ctx context.Context, name string) (string, error) {
	id, err := parseRepo(name)
	if err != nil {
		return "", err
	}
	cache, err := c.dir()
	if err != nil {
		return "", err
	}
	if dir, ok := cachedRepo(cache, id); ok {
		return dir, nil
	}
	l, err := c.list(ctx, cache, id)
	if err != nil {
		return "", err
	}
	const index = "model.safetensors.index.json"
	if slices.Contains(l.files, index) {
		if err := c.repoFile(ctx, l, index); err != nil {
			return "", err
		}
	}
	want, err := modelFiles(id, l.files, filepath.Join(l.dir, index))
	if err != nil {
		return "", err
	}
	for _, file := range want {
		if err := c.repoFile(ctx, l, file); err != nil {
			return "", err
		}
	}
	return l.dir, l.save()
}

// modelFiles selects what a loader needs: configuration, tokenizer, and the
// weights as safetensors, those of the index if there is one.
func modelFiles(id repoID, files []string, index string) ([]string, error) {
	var want, weights []string
	for _, f := range files {
		switch f {
		case "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "LICENSE", "README.md":
			want = append(want, f)
		}
		if path.Ext(f) == ".safetensors" && !strings.Contains(f, "/") {
			weights = append(weights, f)
		}
	}
	if !slices.Contains(want, "config.json") {
		return nil, fmt.Errorf("hub: fetch %s: expected a file config.json in the repository, found none: choose a model in the transformers layout", id)
	}
	switch {
	case slices.Contains(weights, "model.safetensors"):
		weights = []string{"model.safetensors"}
	case slices.Contains(files, "model.safetensors.index.json"):
		var err error
		if weights, err = shards(index, files); err != nil {
			return nil, fmt.Errorf("hub: fetch %s: %w", id, err)
		}
	case len(weights) == 0:
		return nil, fmt.Errorf("hub: fetch %s: expected *.safetensors in the repository, found none: choose a model or a revision that has them", id)
	}
	return append(want, weights...), nil
}

// shards reads the names of weight files from an index.
func shards(index string, files []string) ([]string, error) {
	b, err := os.ReadFile(index)
	if err != nil {
		return nil, err
	}
	var m struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(index), err)
	}
	var out []string
	for tensor, f := range m.WeightMap {
		if !slices.Contains(files, f) {
			return nil, fmt.Errorf("read %s: tensor %s: expected a file of the repository, found %q", filepath.Base(index), tensor, f)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read %s: expected a weight_map, found none", filepath.Base(index))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// DatasetFile returns the path of one file of a data set repository
// (ORG/NAME[@REVISION]).
func (c *Client) DatasetFile(ctx context.Context, repository, file string) (string, error) {
	id, err := parseRepo(repository)
	if err != nil {
		return "", err
	}
	id.kind = hfhub.RepoTypeDataset
	cache, err := c.dir()
	if err != nil {
		return "", err
	}
	if s, local := id.state(cache), filepath.FromSlash(file); s.has(filepath.Join(id.folder(cache), s.Commit), file) {
		return filepath.Join(id.folder(cache), s.Commit, local), nil
	}
	l, err := c.list(ctx, cache, id)
	if err != nil {
		return "", err
	}
	if !slices.Contains(l.files, file) {
		return "", fmt.Errorf("hub: fetch %s: expected a file %s in the data set, found none", id, file)
	}
	if err := c.repoFile(ctx, l, file); err != nil {
		return "", err
	}
	return filepath.Join(l.dir, filepath.FromSlash(file)), l.save()
}
