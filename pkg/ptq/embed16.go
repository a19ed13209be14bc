package ptq

import (
	"encoding/binary"
	"fmt"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/model"
)

// writeEmbed16 writes the 16-bit embedding table of emb16.
func writeEmbed16(w *artifact.Writer, h *artifact.Header, m *model.Model) error {
	c := m.Config
	const name = "model.embed_tokens.weight"
	v, err := m.Float32(name, nil)
	if err != nil {
		return err
	}
	if len(v) != c.Vocab*c.Hidden {
		return fmt.Errorf("%s: expected %d values for shape [%d, %d], found %d", name, c.Vocab*c.Hidden, c.Vocab, c.Hidden, len(v))
	}
	codes := make([]int16, len(v))
	ms, ks := make([]byte, 2*c.Vocab), make([]byte, c.Vocab)
	for j := range c.Vocab {
		mant, k, err := quantizeRow16(codes[j*c.Hidden:(j+1)*c.Hidden], v[j*c.Hidden:(j+1)*c.Hidden])
		if err != nil {
			return fmt.Errorf("%s: row %d: %w", name, j, err)
		}
		binary.LittleEndian.PutUint16(ms[2*j:], mant)
		ks[j] = byte(k)
	}
	h.Embed16 = &artifact.Table16{Rows: c.Vocab, Cols: c.Hidden, Codes: w.Int16s(codes), M: w.Bytes(ms), K: w.Bytes(ks)}
	return nil
}
