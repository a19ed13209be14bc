package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// talk is a buffer that one goroutine writes and another reads.
type talk struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *talk) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

func (t *talk) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

// TestLab starts JupyterLab, asks it for its kernels and notebooks, and ends it
// the way Ctrl-C does.
func TestLab(t *testing.T) {
	if testing.Short() {
		t.Skip("runs JupyterLab")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	var said talk
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &said}
	ended := make(chan int, 1)
	go func() { ended <- a.main(ctx, []string{"lab", "--no-browser"}) }()

	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+/[^ ]*\?(token=[0-9a-f]+)`)
	var url []string
	for deadline := time.Now().Add(5 * time.Minute); url == nil; time.Sleep(200 * time.Millisecond) {
		select {
		case code := <-ended:
			t.Fatalf("lab ended with code %d: %s", code, said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("no address within five minutes: %s", said.String())
		}
		url = address.FindStringSubmatch(said.String())
	}
	server := url[0][:strings.Index(url[0], "/lab")]
	get := func(path string, v any) {
		t.Helper()
		resp, err := http.Get(server + path + "?" + url[1])
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(v); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s, %v", path, resp.Status, err)
		}
	}
	var kernels struct {
		Default string
		Specs   map[string]struct {
			Spec struct {
				DisplayName string `json:"display_name"`
			}
		} `json:"kernelspecs"`
	}
	get("/api/kernelspecs", &kernels)
	if got := kernels.Specs["illm"].Spec.DisplayName; got != "Go (illm)" || kernels.Default != "illm" {
		t.Errorf("JupyterLab shows the kernel as %q, its default is %q", got, kernels.Default)
	}
	var folder struct {
		Content []struct{ Name string }
	}
	get("/api/contents", &folder)
	if len(folder.Content) == 0 {
		t.Error("JupyterLab shows no notebooks")
	}
	cancel()
	select {
	case code := <-ended:
		if code != exitOK {
			t.Errorf("Ctrl-C ends lab with code %d, want %d", code, exitOK)
		}
	case <-time.After(time.Minute):
		t.Error("lab is still there a minute after Ctrl-C")
	}
	if _, err := http.Get(server + "/api"); err == nil {
		t.Error("the server still answers")
	}
}
