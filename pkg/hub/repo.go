package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	neturl "net/url"
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

// folder is the place of the repository's files in the cache.
func (id repoID) folder(cache string) string {
	return filepath.Join(cache, "hf", string(id.kind), id.org+"--"+id.name, id.revision)
}

// complete is the file that says that all files of a model are there.
const complete = "complete.json"

// repoState is the content of the file complete.
type repoState struct {
	Commit string           `json:"commit"`
	Files  map[string]int64 `json:"files"` // length of each
}

// cachedRepo returns the folder of a model whose files are all there.
func cachedRepo(cache string, id repoID) (string, bool) {
	dir := id.folder(cache)
	b, err := os.ReadFile(filepath.Join(dir, complete))
	if err != nil {
		return "", false
	}
	var s repoState
	if json.Unmarshal(b, &s) != nil || len(s.Files) == 0 {
		return "", false
	}
	for name, size := range s.Files {
		if !filepath.IsLocal(filepath.FromSlash(name)) || !sizeIs(filepath.Join(dir, filepath.FromSlash(name)), size) {
			return "", false
		}
	}
	return dir, true
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
	commit, files, err := c.list(ctx, cache, id)
	if err != nil {
		return "", err
	}
	dir := id.folder(cache)
	state := repoState{Commit: commit, Files: map[string]int64{}}
	get := func(file string) error {
		if _, done := state.Files[file]; done {
			return nil
		}
		size, err := c.repoFile(ctx, cache, id, commit, file)
		state.Files[file] = size
		return err
	}
	const index = "model.safetensors.index.json"
	if slices.Contains(files, index) {
		if err := get(index); err != nil {
			return "", err
		}
	}
	want, err := modelFiles(id, files, filepath.Join(dir, index))
	if err != nil {
		return "", err
	}
	for _, file := range want {
		if err := get(file); err != nil {
			return "", err
		}
	}
	b, err := json.MarshalIndent(state, "", "\t")
	if err != nil {
		return "", fmt.Errorf("hub: fetch %s: %w", id, err)
	}
	if err := writeFile(filepath.Join(dir, complete), b); err != nil {
		return "", err
	}
	return dir, nil
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

// DatasetFile returns the path of one file of a data set repository ORG/NAME.
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
	dst := filepath.Join(id.folder(cache), filepath.FromSlash(file))
	if _, err := os.Stat(dst); err == nil {
		return dst, nil
	}
	commit, files, err := c.list(ctx, cache, id)
	if err != nil {
		return "", err
	}
	if !slices.Contains(files, file) {
		return "", fmt.Errorf("hub: fetch %s: expected a file %s in the data set, found none", id, file)
	}
	_, err = c.repoFile(ctx, cache, id, commit, file)
	return dst, err
}

// list asks the hub for the commit and the files of a repository's revision.
func (c *Client) list(ctx context.Context, cache string, id repoID) (commit string, files []string, err error) {
	info := filepath.Join(cache, "hf", "info")
	if err := makeDir(info); err != nil { // the library's own message would not say what to do
		return "", nil, err
	}
	repo := hfhub.New(id.String()).WithType(id.kind).WithRevision(id.revision).WithCacheDir(info).
		WithEndpoint(c.endpoint()).WithAuth(os.Getenv("HF_TOKEN")).WithProgressBar(false)
	repo.Verbosity = 0
	// The library takes no context, so it is left behind when ours is done.
	done := make(chan error, 1)
	go func() { done <- repo.DownloadInfo(true) }()
	select {
	case err := <-done:
		if err != nil {
			return "", nil, fmt.Errorf("hub: list %s at %s: %w: %w: check the name, the network and HF_ENDPOINT; set HF_TOKEN for a model behind a licence", id, strings.TrimSuffix(redact(c.endpoint()), "/"), flat(cause(err)), ErrUnavailable)
		}
	case <-ctx.Done():
		return "", nil, fmt.Errorf("hub: list %s: %w", id, ctx.Err())
	}
	if commit = repo.Info().CommitHash; !namePart.MatchString(commit) {
		return "", nil, fmt.Errorf("hub: list %s at %s: expected a commit, found %q: check HF_ENDPOINT: %w", id, strings.TrimSuffix(redact(c.endpoint()), "/"), commit, ErrUnavailable)
	}
	for f, err := range repo.IterFileNames() {
		if err != nil {
			return "", nil, fmt.Errorf("hub: list %s: %w", id, err)
		}
		if filepath.IsLocal(filepath.FromSlash(f)) {
			files = append(files, f)
		}
	}
	return commit, files, nil
}

// repoFile fetches one file of a repository at a commit and returns its length.
func (c *Client) repoFile(ctx context.Context, cache string, id repoID, commit, file string) (int64, error) {
	kind := ""
	if id.kind != hfhub.RepoTypeModel {
		kind = string(id.kind) + "/"
	}
	parts := strings.Split(file, "/")
	for i := range parts {
		parts[i] = neturl.PathEscape(parts[i])
	}
	url := fmt.Sprintf("%s/%s%s/resolve/%s/%s", c.endpoint(), kind, id, commit, strings.Join(parts, "/"))
	dst := filepath.Join(id.folder(cache), filepath.FromSlash(file))
	if err := c.Download(ctx, url, dst, Check{Stated: true}); err != nil {
		return 0, err
	}
	st, err := os.Stat(dst)
	if err != nil {
		return 0, fmt.Errorf("hub: fetch %s: %w", id, err)
	}
	return st.Size(), nil
}

// endpoint is the address of the hub.
func (c *Client) endpoint() string {
	e := c.Endpoint
	if e == "" {
		e = os.Getenv("HF_ENDPOINT")
	}
	if e == "" {
		e = "https://huggingface.co"
	}
	return strings.TrimRight(e, "/")
}

// flat is an error on one line, without the library's stack.
func flat(err error) error { return errors.New(strings.Join(strings.Fields(err.Error()), " ")) }

// writeFile writes a small file so that it is there whole or not at all.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return cacheError(err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return cacheError(err)
	}
	return publish(f.Name(), path)
}
