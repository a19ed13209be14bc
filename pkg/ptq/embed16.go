package ptq

import (
	"encoding/binary"
	"fmt"

	"github.com/illm-go/illm/pkg/artifact"
)

// writeTables16 writes the lookup tables of emb16: the embedding's and, where positions are learned, theirs.
func writeTables16(w *artifact.Writer, h *artifact.Header, m *Input) (err error) {
	c := m.Config
	if h.Embed16, err = writeTable16(w, m, artifact.Embedding+".weight", c.Vocab, c.Vocab); err != nil || c.Rotary() {
		return err
	}
	h.Positions16, err = writeTable16(w, m, artifact.Positions+".weight", c.MaxContext, h.MaxContext)
	return err
}

// writeTable16 writes the first rows of a tensor [have, hidden].
func writeTable16(w *artifact.Writer, m *Input, name string, have, rows int) (*artifact.Table16, error) {
	n := m.Config.Hidden
	v, err := vector(m, name, have*n)
	if err != nil {
		return nil, err
	}
	codes := make([]int16, rows*n)
	ms, ks := make([]byte, 2*rows), make([]byte, rows)
	for j := range rows {
		mant, k, err := quantizeRow16(codes[j*n:(j+1)*n], v[j*n:(j+1)*n])
		if err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", name, j, err)
		}
		binary.LittleEndian.PutUint16(ms[2*j:], mant)
		ks[j] = byte(k)
	}
	return &artifact.Table16{Rows: rows, Cols: n, Codes: w.Int16s(codes), M: w.Bytes(ms), K: w.Bytes(ks)}, nil
}
