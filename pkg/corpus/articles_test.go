package corpus

import (
	"context"
	"errors"
	"os"
	"os/exec"
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

// TestArticlesFile reads an .xz file made by the xz program.
func TestArticlesFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "train", "enwiki2015.jsonl")
	write := func(text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("xz", "-kf", path).CombinedOutput(); err != nil {
			t.Skipf("the xz program is needed to make the file: %v %s", err, out)
		}
	}
	all := func() (titles []string, err error) {
		err = Articles(context.Background(), Options{Data: dir}, func(a Article) error {
			titles = append(titles, a.Title)
			return nil
		})
		return titles, err
	}
	if _, err := all(); err == nil || !strings.Contains(err.Error(), ArticlesFile) {
		t.Errorf("no file: %v", err)
	}
	write(`{"title":"A","style":"plain","text":"a"}` + "\n" + `{"title":"B","text":"b"}` + "\n")
	if got, err := all(); err != nil || strings.Join(got, "") != "AB" {
		t.Errorf("%v, %v", got, err)
	}
	write(`{"title":"A","text":"a"}` + "\n" + `{"title":"B"}` + "\n")
	if _, err := all(); err == nil || !strings.Contains(err.Error(), "article 2") {
		t.Errorf("no text: %v", err)
	}
	packed, err := os.ReadFile(path + ".xz")
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(packed) {
		if err := os.WriteFile(path+".xz", packed[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := all(); err == nil {
			t.Fatalf("cut to %d of %d bytes: read without an error", n, len(packed))
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
