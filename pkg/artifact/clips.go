package artifact

import (
	"fmt"

	"github.com/illm-go/illm/pkg/quant"
)

// WithClips writes a copy of the artefact at path whose header has other clips by layer and names the factor file that
// brings them. The payload is the same, byte for byte: codes that took minutes to choose are not chosen again, and cannot
// come out differently. It returns the copy's identity.
func (f *File) WithClips(path string, clips quant.Clips, factors string) (id string, err error) {
	if err := f.Verify(); err != nil {
		return "", err
	}
	w, err := Create(path)
	if err != nil {
		return "", err
	}
	defer w.Abort()
	w.write(f.data[prologueBytes:f.pro.headerOffset])
	h := f.Header
	h.Clips, h.Factors = clips, factors
	if id, err = w.Finish(&h); err != nil {
		return "", fmt.Errorf("artifact: copy %s: %w", f.Path, err)
	}
	return id, nil
}
