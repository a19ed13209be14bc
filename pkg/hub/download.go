package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	neturl "net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Check says what a downloaded file must be; zero fields are not checked.
type Check struct {
	Size   int64
	SHA256 string // hex
	Stated bool   // check against the hash that the hub states in its headers
}

// errWrong marks a file whose bytes are not the expected ones.
var errWrong = errors.New("wrong content")

// Download fetches url into the file dst unless that exists. It continues a
// part left by an earlier run; dst appears only when complete and checked.
func (c *Client) Download(ctx context.Context, url, dst string, check Check) error {
	if _, err := os.Stat(dst); err == nil {
		return nil
	}
	unlock, err := lockFile(ctx, dst)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(dst); err == nil {
		return nil // another process was faster
	}
	part := dst + ".part"
	for try := 0; ; try++ {
		st, err := os.Stat(part)
		resumed := err == nil && st.Size() > 0
		err = c.transfer(ctx, url, part, filepath.Base(dst), check)
		switch {
		case err == nil:
			return publish(part, dst)
		case errors.Is(err, errWrong):
			// Only a continued part can be wrong through no fault of the server.
			os.Remove(part)
			os.Remove(part + ".etag")
			if resumed && try == 0 {
				continue
			}
			return fmt.Errorf("hub: download %s: %w: the server or a proxy on the way gives another file: try again later", redact(url), err)
		case ctx.Err() != nil:
			return fmt.Errorf("hub: download %s: %w: run again to continue", redact(url), ctx.Err())
		default:
			return err
		}
	}
}

// lockFile waits until no other process works on dst. The lock file stays: to
// remove it would let a third process lock another file of the same name.
func lockFile(ctx context.Context, dst string) (unlock func(), err error) {
	if err := makeDir(filepath.Dir(dst)); err != nil {
		return nil, err
	}
	lock := flock.New(dst + ".lock")
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("hub: wait for another process that fetches %s: %w", filepath.Base(dst), ctx.Err())
		}
		return nil, cacheError(err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// publish gives a complete part its name.
func publish(part, dst string) error {
	if err := os.Rename(part, dst); err != nil {
		return cacheError(err)
	}
	os.Remove(part + ".etag")
	return nil
}

// transfer continues part to the end of url, syncs and checks it.
func (c *Client) transfer(ctx context.Context, url, part, name string, check Check) error {
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return cacheError(err)
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return cacheError(err)
	}
	if check.Size > 0 && have > check.Size {
		return fmt.Errorf("%w: expected %d bytes, found %d", errWrong, check.Size, have)
	}
	if check.Size == 0 || have < check.Size {
		if err := c.fill(ctx, f, url, part, name, have, &check); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return cacheError(err)
	}
	return verify(f, check)
}

// fill requests the bytes of url from have on and appends them to f. It
// completes check by what the server states.
func (c *Client) fill(ctx context.Context, f *os.File, url, part, name string, have int64, check *Check) error {
	resp, stated, err := c.request(ctx, url, part, have)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	total := int64(0)
	switch resp.StatusCode {
	case http.StatusOK: // from the beginning, asked for or not
		have = 0
		if err := f.Truncate(0); err != nil {
			return cacheError(err)
		}
		total = max(resp.ContentLength, 0)
	case http.StatusPartialContent:
		from, all, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || from != have {
			return fmt.Errorf("%w: expected the bytes from %d on, found Content-Range %q", errWrong, have, resp.Header.Get("Content-Range"))
		}
		total = all
	case http.StatusRequestedRangeNotSatisfiable: // the part is as long as the file, or longer
		return fmt.Errorf("%w: the server has no bytes after %d", errWrong, have)
	default:
		return fmt.Errorf("hub: download %s: expected status 200, found %s: %w", redact(url), resp.Status, ErrUnavailable)
	}
	if check.Size > 0 && total > 0 && total != check.Size {
		return fmt.Errorf("%w: expected %d bytes, found %d announced", errWrong, check.Size, total)
	}
	if check.Size == 0 {
		check.Size = total
	}
	if check.Stated && check.SHA256 == "" {
		check.SHA256 = stated
	}
	if tag := resp.Header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		if err := os.WriteFile(part+".etag", []byte(tag), 0o666); err != nil {
			return cacheError(err)
		}
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return cacheError(err)
	}
	return c.copy(ctx, f, resp.Body, url, name, have, check.Size)
}

// copy appends the body to f. A body longer than size is wrong at once, so that
// a server cannot fill the disk.
func (c *Client) copy(ctx context.Context, f *os.File, body io.Reader, url, name string, have, size int64) error {
	buf := make([]byte, 1<<18)
	for {
		n, rerr := body.Read(buf)
		if n > 0 {
			if _, err := f.Write(buf[:n]); err != nil {
				return cacheError(err)
			}
			have += int64(n)
			if size > 0 && have > size {
				return fmt.Errorf("%w: expected %d bytes, found more", errWrong, size)
			}
			c.progress(name, have, size)
		}
		if rerr == io.EOF {
			if have < size {
				rerr = io.ErrUnexpectedEOF
			} else {
				return nil
			}
		}
		if rerr != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("hub: download %s: broken off after %d of %d bytes: %w: %w: run again to continue", redact(url), have, size, rerr, ErrUnavailable)
		}
	}
}

// request sends the GET; with bytes in hand it asks for the rest, provided that
// the file is still the one the part began with. stated is the hash that the hub
// gives in the headers of the file or of the redirection to it.
func (c *Client) request(ctx context.Context, url, part string, have int64) (resp *http.Response, stated string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "", fmt.Errorf("hub: download %s: %w", redact(url), err)
	}
	// A compressed body would have other offsets than the file.
	req.Header.Set("Accept-Encoding", "identity")
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if tag, err := os.ReadFile(part + ".etag"); err == nil {
			req.Header.Set("If-Range", string(tag))
		}
	}
	if token := os.Getenv("HF_TOKEN"); token != "" && strings.HasPrefix(url, c.endpoint()+"/") {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := *c.client()
	follow := client.CheckRedirect
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if next.Response != nil && stated == "" {
			stated = statedHash(next.Response.Header.Get("X-Linked-Etag"))
		}
		if follow != nil {
			return follow(next, via)
		}
		if len(via) >= 10 {
			return errors.New("stopped after 10 redirections")
		}
		return nil
	}
	resp, err = client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
		return nil, "", fmt.Errorf("hub: download %s: %w: %w: check the network and the proxy settings", redact(url), cause(err), ErrUnavailable)
	}
	for _, name := range []string{"X-Linked-Etag", "ETag"} {
		if stated == "" {
			stated = statedHash(resp.Header.Get(name))
		}
	}
	return resp, stated, nil
}

// statedHash returns the hash within an entity tag, "" if it holds none.
func statedHash(tag string) string {
	h := strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	if b, err := hex.DecodeString(h); err != nil || len(b) != sha256.Size && len(b) != sha1.Size {
		return ""
	}
	return strings.ToLower(h)
}

// verify compares the whole file with check. A hash of 40 digits is git's: SHA-1
// of "blob", the length, a zero byte and the content.
func verify(f *os.File, check Check) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return cacheError(err)
	}
	if check.Size > 0 && size != check.Size {
		return fmt.Errorf("%w: expected %d bytes, found %d", errWrong, check.Size, size)
	}
	var h hash.Hash
	switch len(check.SHA256) {
	case 0:
		return nil
	case 2 * sha1.Size:
		h = sha1.New()
		fmt.Fprintf(h, "blob %d\x00", size)
	default:
		h = sha256.New()
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return cacheError(err)
	}
	if _, err := io.Copy(h, f); err != nil {
		return cacheError(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != check.SHA256 {
		return fmt.Errorf("%w: expected hash %s, found %s", errWrong, check.SHA256, got)
	}
	return nil
}

// contentRange reads "bytes 5-9/10" as 5, 10.
func contentRange(s string) (from, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, all, ok2 := strings.Cut(s, "/")
	first, _, ok3 := strings.Cut(span, "-")
	from, err1 := strconv.ParseInt(first, 10, 64)
	total, err2 := strconv.ParseInt(all, 10, 64)
	return from, total, ok && ok2 && ok3 && err1 == nil && err2 == nil && from >= 0 && total >= from
}

// cause strips the method and address that net/http puts before a failure: they
// may hold credentials, and the message has the address already.
func cause(err error) error {
	var u *neturl.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// redact removes credentials and queries from an address in a message.
func redact(url string) string {
	url, _, _ = strings.Cut(url, "?")
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	return scheme + "://" + host + "/" + path
}
