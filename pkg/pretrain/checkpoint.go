package pretrain

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/model"
)

// A checkpoint is one file:
//
//	magic, 16 bytes │ length of the header, uint64 │ header, JSON │ float32 values │ sha256 of all before
//
// little-endian. The values are w of every tensor in the order of Tensors, then m, v and, if there is one, the average.
const checkpointMagic = "illm pretrain 1\n"

// Recipe is what must be equal for a run to go on from a checkpoint with the bits of one that was never interrupted.
type Recipe struct {
	Config    model.Config `json:"config"`
	Tokenizer string       `json:"tokenizer_sha256"`
	Train     string       `json:"train_sha256"`
	Backend   string       `json:"backend"`
	Precision string       `json:"precision"`

	Batch           int     `json:"batch"`
	Window          int     `json:"window"`
	AttentionChunks int     `json:"attention_chunks"`
	Seed            uint64  `json:"seed"`
	Rate            float64 `json:"learning_rate"`
	Floor           float64 `json:"learning_rate_floor"`
	Warmup          int     `json:"warmup_steps"`
	Steps           int     `json:"steps"`   // asked for; 0: from Minutes
	Minutes         float64 `json:"minutes"` // asked for; 0: from Steps
	Decay           float64 `json:"weight_decay"`
	EmbedDecay      bool    `json:"decay_embeddings"`
	Clip            float64 `json:"clip"`
	Dropout         float64 `json:"dropout"`
	Average         float64 `json:"average"`
	Deterministic   bool    `json:"deterministic"`
}

// state is where a run is.
type state struct {
	Recipe  Recipe  `json:"recipe"`
	Step    int     `json:"step"`        // steps done
	Total   int     `json:"total_steps"` // 0: not known yet
	Cursor  cursor  `json:"cursor"`
	Seconds float64 `json:"seconds"` // spent so far
}

// differs names the first field of a recipe that is not as in the checkpoint.
func (r Recipe) differs(saved Recipe) error {
	fields := func(r Recipe) (names []string, values map[string]string) {
		values = map[string]string{}
		add := func(v any, prefix string) {
			raw, _ := json.Marshal(v) // plain numbers and strings
			dec := json.NewDecoder(bytes.NewReader(raw))
			var m map[string]json.RawMessage
			_ = dec.Decode(&m)
			for k, v := range m {
				if prefix+k != "config" {
					names = append(names, prefix+k)
					values[prefix+k] = string(v)
				}
			}
		}
		add(r, "")
		add(r.Config, "config.")
		slices.Sort(names)
		return names, values
	}
	names, now := fields(r)
	_, then := fields(saved)
	for _, n := range names {
		if now[n] != then[n] {
			return fmt.Errorf("%s is %s in the checkpoint, %s is asked for: use the same value, or another folder for a new run", n, then[n], now[n])
		}
	}
	return nil
}

// checkpointPath is the file of a step.
func checkpointPath(dir string, step int) string {
	return filepath.Join(dir, fmt.Sprintf("step-%08d.ckpt", step))
}

// checkpoints lists the files of a folder, oldest first. The folder's own name may have any letters, also [ and *.
func checkpoints(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("pretrain: checkpoints: %w", err)
	}
	for _, e := range entries {
		if ok, _ := filepath.Match("step-????????.ckpt", e.Name()); ok {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

// latest returns the newest checkpoint of a folder, "" if it has none.
func latest(dir string) (string, error) {
	all, err := checkpoints(dir)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return slices.Max(all), nil
}

// saveCheckpoint writes s and the groups of values (w, m, v, average; each by tensor) and removes all but the newest
// keep files. The file appears under its name when it is complete.
func saveCheckpoint(dir string, s state, groups [][][]float32, keep int) (path string, err error) {
	path = checkpointPath(dir, s.Step)
	f, err := os.Create(path + ".tmp") // of this name there is one at most, so a crash leaves no pile of them
	if err != nil {
		return "", fmt.Errorf("pretrain: save checkpoint: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("pretrain: save checkpoint %s: %w", path, errors.Join(err, f.Close(), os.Remove(f.Name())))
		}
	}()
	header, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	w.WriteString(checkpointMagic)
	w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	w.Write(header)
	var buf []byte
	for _, group := range groups {
		for _, values := range group {
			buf = buf[:0]
			for _, x := range values {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
			}
			w.Write(buf)
		}
	}
	if err := w.Flush(); err != nil { // remembers the first failure of all writes
		return "", err
	}
	if _, err := f.Write(sum.Sum(nil)); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return "", err
	}
	all, err := checkpoints(dir)
	if err != nil {
		return "", err
	}
	slices.Sort(all)
	for len(all) > keep {
		if err := os.Remove(all[0]); err != nil {
			return "", err
		}
		all = all[1:]
	}
	return path, nil
}

// loadCheckpoint reads a file whose recipe must be r: the state and the groups of values.
func loadCheckpoint(path string, r Recipe) (s state, groups [][][]float32, err error) {
	fail := func(format string, args ...any) (state, [][][]float32, error) {
		return state{}, nil, fmt.Errorf("pretrain: resume from %s: "+format, append([]any{path}, args...)...)
	}
	f, err := os.Open(path)
	if err != nil {
		return fail("%w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail("%w", err)
	}
	const fixed = len(checkpointMagic) + 8
	sum := sha256.New()
	in := bufio.NewReaderSize(f, 1<<20)
	read := func(p []byte) error {
		_, err := io.ReadFull(in, p)
		sum.Write(p)
		return err
	}
	head := make([]byte, fixed)
	if err := read(head); err != nil || string(head[:len(checkpointMagic)]) != checkpointMagic {
		return fail("not a checkpoint of this program: delete it or name another folder")
	}
	n := binary.LittleEndian.Uint64(head[len(checkpointMagic):])
	if n > 1<<20 || int64(n) > info.Size() {
		return fail("header of %d bytes in a file of %d: damaged: delete it to go on from the one before", n, info.Size())
	}
	header := make([]byte, n)
	if err := read(header); err != nil {
		return fail("header: %w", err)
	}
	if err := json.Unmarshal(header, &s); err != nil {
		return fail("header: %w", err)
	}
	if err := r.differs(s.Recipe); err != nil {
		return fail("%w", err)
	}
	if c := s.Cursor; s.Step < 0 || s.Total < 0 || c.Epoch < 0 || c.Next < 0 {
		return fail("header: expected numbers of 0 or more, found step %d of %d, epoch %d, window %d: delete it to go on from the one before", s.Step, s.Total, c.Epoch, c.Next)
	}
	count := 3
	if r.Average > 0 {
		count = 4
	}
	ts := Tensors(r.Config)
	size := int64(fixed) + int64(n) + sha256.Size
	for _, t := range ts {
		size += int64(count) * 4 * int64(t.Size())
	}
	if size != info.Size() {
		return fail("expected %d bytes, found %d: damaged: delete it to go on from the one before", size, info.Size())
	}
	for range count {
		var group [][]float32
		for _, t := range ts {
			raw := make([]byte, 4*t.Size())
			if err := read(raw); err != nil {
				return fail("%s: %w", t.Name, err)
			}
			values := make([]float32, t.Size())
			for i := range values {
				values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
			}
			group = append(group, values)
		}
		groups = append(groups, group)
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(in, want); err != nil {
		return fail("%w", err)
	}
	if !bytes.Equal(want, sum.Sum(nil)) {
		return fail("sha256 does not match: damaged: delete it to go on from the one before")
	}
	return s, groups, nil
}

// hashTokens identifies a stream of tokens.
func hashTokens(t Tokens) string {
	sum := sha256.New()
	var buf []byte
	for chunk := range slices.Chunk(t.IDs, 1<<16) {
		buf = buf[:0]
		for _, id := range chunk {
			buf = binary.LittleEndian.AppendUint16(buf, id)
		}
		sum.Write(buf)
	}
	return hexSum(sum)
}

func hashBytes(b []byte) string {
	sum := sha256.New()
	sum.Write(b)
	return hexSum(sum)
}

func hexSum(h hash.Hash) string { return strings.ToLower(hex.EncodeToString(h.Sum(nil))) }
