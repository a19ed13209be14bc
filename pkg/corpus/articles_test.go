package corpus

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/hub"
)

// TestArticleText checks the two spacings against rows written by hand.
func TestArticleText(t *testing.T) {
	body := " \n = A = \n \n One . \n Two . \n"
	if got, want := (Article{Style: "wikitext", Body: body}).Text(), "\n\n = A = \n\n\n\n\n One . \n\n\n Two . \n"; got != want {
		t.Errorf("wikitext: %q, expected %q", got, want)
	}
	if got := (Article{Style: "plain", Body: body}).Text(); got != body {
		t.Errorf("plain: %q, expected the body as it is", got)
	}
}

// TestHeldOut checks the share over many titles.
func TestHeldOut(t *testing.T) {
	n := 0
	for i := range 20000 {
		if (Article{Title: strings.Repeat("x", i%50) + string(rune('a'+i%26)) + string(rune(0x4e00+i))}).HeldOut() {
			n++
		}
	}
	if n < 140 || n > 260 { // 200 ± 4 standard deviations
		t.Errorf("%d of 20000 titles held out, expected about 200", n)
	}
}

// Files made by the xz program: two articles, and two of which the second has no text.
const (
	twoArticles = "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4ABBADBdAD2IiobUVOndN3jVVn7qFFaHnBBypexoUXcknxkcQfxshL1+nJTfBQb5BHDyT/JTAABt90QDNj/3PQABTEKelZjkH7bzfQEAAAAABFla"
	noText      = "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AAmACJdAD2IiobUVOndN3jVVn7qFFaWp01pHOQBE9F4vLdZETvgqGAAAACrvZVStuuYwwABPic9G0nEH7bzfQEAAAAABFla"
)

// TestArticlesFile reads .xz files, whole and cut.
func TestArticlesFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, filepath.FromSlash(ArticlesFile))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	decode := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	read := func(packed []byte) (titles []string, err error) {
		if err := os.WriteFile(path, packed, 0o644); err != nil {
			t.Fatal(err)
		}
		err = Articles(context.Background(), Options{Data: dir}, func(a Article) error {
			titles = append(titles, a.Title)
			return nil
		})
		return titles, err
	}
	if err := Articles(context.Background(), Options{Data: dir}, func(Article) error { return nil }); err == nil || !strings.Contains(err.Error(), ArticlesFile) {
		t.Errorf("no file: %v", err)
	}
	if _, err := read(decode(noText)); err == nil || !strings.Contains(err.Error(), "article 2") {
		t.Errorf("no text: %v", err)
	}
	good := decode(twoArticles)
	if got, err := read(good); err != nil || strings.Join(got, "") != "AB" {
		t.Errorf("%v, %v", got, err)
	}
	for n := range good {
		if _, err := read(good[:n]); err == nil {
			t.Fatalf("cut to %d of %d bytes: read without an error", n, len(good))
		}
	}
}

// TestEnwikiUnavailable: without ILLM_DATA there is no place to fetch it from.
func TestEnwikiUnavailable(t *testing.T) {
	_, err := LoadFrom(context.Background(), Enwiki, Options{Data: t.TempDir(), Client: &hub.Client{Cache: t.TempDir()}})
	if !errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), ArticlesFile) {
		t.Error(err)
	}
}
