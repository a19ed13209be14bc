package nb

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/hub"
)

// HolesEnv names the file to which the cells of a headless run add what they leave
// empty, one Hole a line, so that a runner can name it all at the end.
const HolesEnv = "ILLM_HOLES"

// Hole is a part of a notebook that no record answers and nothing here could compute.
type Hole struct {
	What  string `json:"what"`            // rows of a study, or a model
	Model string `json:"model,omitempty"` // which it is about
	Rows  int    `json:"rows,omitempty"`  // how many rows of a study
	Cells int    `json:"cells,omitempty"` // how many cells ended early for the same reason
	Why   string `json:"why"`
	Cure  string `json:"cure,omitempty"` // a command that fills it

	// Beside marks what is computed beside a shipped record of the same: without it
	// the table has its numbers, and only the check of this machine is missing.
	Beside bool `json:"beside,omitempty"`
}

// Name is what is missing, without the reason.
func (h Hole) Name() string {
	if h.Cells > 1 {
		return fmt.Sprintf("%d cells", h.Cells)
	}
	return h.What
}

// String is the hole on one line.
func (h Hole) String() string {
	s := h.Name()
	if h.Rows > 0 {
		s += fmt.Sprintf(": %d rows", h.Rows)
	}
	s += ": " + h.Why
	if h.Cure != "" {
		s += " (" + h.Cure + ")"
	}
	return s
}

// note adds holes to the runner's file, if there is one. A run that cannot write it
// still shows everything in the notebook.
func note(holes ...Hole) {
	path := os.Getenv(HolesEnv)
	if path == "" || len(holes) == 0 {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	enc := json.NewEncoder(f)
	for _, h := range holes {
		if enc.Encode(h) != nil {
			return
		}
	}
}

// maxHoles bounds what is read of a file of holes: 1 MB holds thousands.
const maxHoles = 1 << 20

// ReadHoles reads the file that cells wrote, each hole once: of rows that several cells
// met, the most; of cells that ended early for one reason, their number.
func ReadHoles(path string) ([]Hole, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("nb: holes: %w", err)
	}
	if info.Size() > maxHoles {
		return nil, fmt.Errorf("nb: holes: %s: expected at most %d bytes, found %d", path, maxHoles, info.Size())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("nb: holes: %w", err)
	}
	var out []Hole
	for line := range strings.Lines(string(raw)) {
		var h Hole
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			return nil, fmt.Errorf("nb: holes: %s: line %q: %w", path, line, err)
		}
		at := slices.IndexFunc(out, func(o Hole) bool {
			return o.What == h.What && o.Model == h.Model && o.Beside == h.Beside && (h.Cells == 0 || o.Why == h.Why)
		})
		switch {
		case at < 0:
			out = append(out, h)
		case h.Rows > out[at].Rows:
			out[at] = h
		default:
			out[at].Cells += h.Cells
		}
	}
	return out, nil
}

// absent says why a model is not here: one to be fetched is not in the cache, one of the
// repository's own was not part of the build.
func absent(model string) Hole {
	base, _, err := catalog.Variant(model)
	if err == nil && base != hub.SmolLM2 && slices.Contains(catalog.Names(), base) {
		return Hole{Model: model, Why: "this program was built without its weights"}
	}
	return Hole{Model: model, Why: "not in the cache", Cure: "illm fetch " + base}
}

// holesOf are the rows of runs without a result, one hole a model.
func holesOf(runs *ablation.Runs) []Hole {
	var out []Hole
	for i := range runs.Len() {
		source, _ := runs.Text(i, "source")
		if !strings.Contains(source, ablation.Missing) {
			continue
		}
		model, _ := runs.Text(i, "model")
		at := slices.IndexFunc(out, func(h Hole) bool { return h.Model == model })
		if at < 0 {
			h := Hole{What: fmt.Sprintf("study %s, %s", runs.Study.Name, model), Model: model, Why: "no record",
				Cure: fmt.Sprintf("illm study run %s --model %s", runs.Study.Name, model)}
			if err := catalog.Here(model); errors.Is(err, hub.ErrUnavailable) {
				h.Why = "no record, and the model is not here"
			}
			at, out = len(out), append(out, h)
		}
		out[at].Rows++
	}
	return out
}

// unavailable ends the cell in peace where the error is a model or text that is not on this machine: the output says what is
// missing and why, a headless run notes the hole, and the cells behind it go on. What is not there is no failure of the cell,
// neither in JupyterLab nor in a run.
func unavailable(err error) {
	if !gonbui.IsNotebook || !errors.Is(err, hub.ErrUnavailable) {
		return
	}
	h := Hole{What: "a cell", Why: err.Error(), Cells: 1}
	display(plain("Missing: "+h.Why+"\nThe rest of this cell is left out."), "")
	note(h)
	gonbui.Sync()
	os.Exit(0)
}
