package nb

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// kernelSession decides which output of a kernel session carries the chart
// library. The kernel keeps a temporary folder for its lifetime; the note in it
// names the cell that carries it.
type kernelSession struct {
	dir     string // "": unknown, then each cell carries it
	decided bool
	carries bool   // this cell is the one
	sent    bool   // and has sent it
	place   string // in the output of this name
}

// session is the state of this process, which is one cell.
var session = kernelSession{dir: os.Getenv(protocol.GONB_TMP_DIR_ENV)}

const libraryNote = "illm-chart-library"

// bringsLibrary reports whether the output about to be sent must hold the
// library: the first output of the cell that carries it, and every replacement
// of that output.
func (k *kernelSession) bringsLibrary(place string) bool {
	if !k.decided {
		k.decided, k.carries = true, k.claim()
	}
	if !k.carries {
		return false
	}
	if !k.sent {
		k.sent, k.place = true, place
		return true
	}
	return place != "" && place == k.place
}

// claim makes this cell the carrier if the session has none, and reports whether
// it is the carrier: also when the cell runs again.
func (k *kernelSession) claim() bool {
	if k.dir == "" {
		return true
	}
	id := cellID(k.dir)
	note := filepath.Join(k.dir, libraryNote)
	f, err := os.OpenFile(note, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = f.WriteString(id)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			os.Remove(note)
		}
		return true
	}
	holder, err := os.ReadFile(note)
	return err != nil || string(holder) == id
}

// take makes this cell the carrier whatever the note says.
func (k *kernelSession) take() {
	k.decided, k.carries = true, true
	if k.dir != "" {
		// Without the note a later cell carries the library too, which does no harm.
		_ = os.WriteFile(filepath.Join(k.dir, libraryNote), []byte(cellID(k.dir)), 0o600)
	}
}

// cellID identifies the cell by its code: the kernel composes main.go from the
// definitions of all cells and a func main that is the present one's.
func cellID(dir string) string {
	code, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		return ""
	}
	if at := bytes.LastIndex(code, []byte("func main()")); at >= 0 {
		code = code[at:]
	}
	sum := sha256.Sum256(code)
	return hex.EncodeToString(sum[:])
}
