//go:build unix

package nb

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/illm-go/illm/pkg/hub"
)

// missingCell makes this test binary a cell: its value is "model" for one whose model is not here, else for one that fails.
const missingCell = "ILLM_TEST_CELL"

// TestMissingCell is the cell of TestMissingModel.
func TestMissingCell(t *testing.T) {
	kind := os.Getenv(missingCell)
	if kind == "" {
		t.Skip("runs in a process of its own")
	}
	err := errors.New("a slip")
	if kind == "model" {
		err = fmt.Errorf("recipe=w8a8 corpus=c4: catalog: model \"smollm2\": not in the cache: %w", hub.ErrUnavailable)
	}
	Must(0, err)
	Show("behind the error")
}

// TestMissingModel: without its model a cell shows what is missing and ends well, in JupyterLab as in a headless run; any
// other error fails the cell.
func TestMissingModel(t *testing.T) {
	for _, test := range []struct {
		kind, headless string
		well           bool
	}{{"model", "", true}, {"model", "1", true}, {"slip", "", false}, {"slip", "1", false}} {
		shown, stderr, err := playCell(t, test.kind, test.headless)
		what := fmt.Sprintf("%s, headless %q", test.kind, test.headless)
		if (err == nil) != test.well {
			t.Errorf("%s: ended with %v, want well %v: %s", what, err, test.well, stderr)
		}
		if strings.Contains(shown, "behind the error") {
			t.Errorf("%s: the cell went on: %s", what, shown)
		}
		if missing := strings.Contains(shown, "Missing: recipe=w8a8 corpus=c4: catalog: model \"smollm2\": not in the cache"); missing != test.well {
			t.Errorf("%s: shown %q: says what is missing %v, want %v", what, shown, missing, test.well)
		}
		if !test.well && !strings.Contains(stderr, "error: a slip") {
			t.Errorf("%s: stderr %q", what, stderr)
		}
	}
}

// playCell runs TestMissingCell as GoNB runs a cell and returns the texts of its outputs.
func playCell(t *testing.T, kind, headless string) (shown, stderr string, err error) {
	t.Helper()
	dir := t.TempDir()
	to, back := filepath.Join(dir, "to"), filepath.Join(dir, "back")
	if err := errors.Join(syscall.Mkfifo(to, 0o600), syscall.Mkfifo(back, 0o600)); err != nil {
		t.Skip(err)
	}
	var talk strings.Builder
	cell := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMissingCell$")
	cell.Stderr = &talk
	cell.WaitDelay = time.Second
	cell.Env = append(os.Environ(), missingCell+"="+kind, HeadlessEnv+"="+headless, HolesEnv+"=", protocol.GONB_PIPE_ENV+"="+to, protocol.GONB_PIPE_BACK_ENV+"="+back)
	// Opened for both ways, so that neither end waits for the other.
	in, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(back, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	texts := make(chan string)
	go func() {
		var list []string
		dec, enc := gob.NewDecoder(in), gob.NewEncoder(out)
		for {
			var d protocol.DisplayData
			if dec.Decode(&d) != nil {
				texts <- strings.Join(list, "\n")
				return
			}
			if v, ok := d.Data[protocol.MIMECommValue].(protocol.CommValue); ok { // a request to synchronise
				if enc.Encode(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: v.Value}) != nil {
					continue
				}
			}
			if s, ok := d.Data[protocol.MIMETextPlain].(string); ok {
				list = append(list, s)
			}
		}
	}()
	err = cell.Run()
	_ = in.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // all that was sent is in the pipe
	return <-texts, talk.String(), err
}
