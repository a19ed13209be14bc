package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"

	hfhub "github.com/gomlx/go-huggingface/hub"
)

// listing is a revision of a repository as the hub describes it.
type listing struct {
	id    repoID
	cache string
	dir   string   // folder of the commit's files
	files []string // names within the repository
	state repoState
}

// list asks the hub for the commit and the files of a repository's revision.
func (c *Client) list(ctx context.Context, cache string, id repoID) (*listing, error) {
	info := filepath.Join(cache, "hf", "info")
	if err := makeDir(info); err != nil { // the library's own message would not say what to do
		return nil, err
	}
	repo := hfhub.New(id.String()).WithType(id.kind).WithRevision(id.revision).WithCacheDir(info).
		WithEndpoint(c.endpoint()).WithAuth(os.Getenv("HF_TOKEN")).WithProgressBar(false)
	repo.Verbosity = 0
	where := strings.TrimSuffix(redact(c.endpoint()), "/")
	// The library takes no context, so it is left behind when ours is done.
	done := make(chan error, 1)
	go func() { done <- repo.DownloadInfo(true) }()
	select {
	case err := <-done:
		if err != nil {
			return nil, fmt.Errorf("hub: list %s at %s: %w: %w: check the name, the network and HF_ENDPOINT; set HF_TOKEN for a model behind a licence", id, where, flat(cause(err)), ErrUnavailable)
		}
	case <-ctx.Done():
		return nil, fmt.Errorf("hub: list %s: %w", id, ctx.Err())
	}
	commit := repo.Info().CommitHash
	if !namePart.MatchString(commit) {
		return nil, fmt.Errorf("hub: list %s at %s: expected a commit, found %q: check HF_ENDPOINT: %w", id, where, commit, ErrUnavailable)
	}
	l := &listing{id: id, cache: cache, dir: filepath.Join(id.folder(cache), commit), state: id.state(cache)}
	if l.state.Commit != commit { // the revision has moved on
		l.state = repoState{Commit: commit, Files: map[string]int64{}}
	}
	for f, err := range repo.IterFileNames() {
		if err != nil {
			return nil, fmt.Errorf("hub: list %s: %w", id, err)
		}
		if filepath.IsLocal(filepath.FromSlash(f)) {
			l.files = append(l.files, f)
		}
	}
	return l, nil
}

// repoFile makes sure that one file of a listed repository is in its folder.
func (c *Client) repoFile(ctx context.Context, l *listing, file string) error {
	kind := ""
	if l.id.kind != hfhub.RepoTypeModel {
		kind = string(l.id.kind) + "/"
	}
	parts := strings.Split(file, "/")
	for i := range parts {
		parts[i] = neturl.PathEscape(parts[i])
	}
	url := fmt.Sprintf("%s/%s%s/resolve/%s/%s", c.endpoint(), kind, l.id, l.state.Commit, strings.Join(parts, "/"))
	dst := filepath.Join(l.dir, filepath.FromSlash(file))
	if _, known := l.state.Files[file]; known && !l.state.has(l.dir, file) {
		os.Remove(dst) // somebody cut it since
	}
	if err := c.Download(ctx, url, dst, Check{Stated: true}); err != nil {
		return err
	}
	st, err := os.Stat(dst)
	if err != nil {
		return fmt.Errorf("hub: fetch %s: %w", l.id, err)
	}
	l.state.Files[file] = st.Size()
	return nil
}

// save writes the state, so that the next call needs no network.
func (l *listing) save() error {
	b, err := json.MarshalIndent(l.state, "", "\t")
	if err != nil {
		return fmt.Errorf("hub: fetch %s: %w", l.id, err)
	}
	path := l.id.statePath(l.cache)
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return cacheError(err)
	}
	defer os.Remove(f.Name()) // nothing is left to remove after success
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return cacheError(err)
	}
	return publish(f.Name(), path)
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
