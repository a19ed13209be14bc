package artifact

import "fmt"

// Copy writes the artefact at path with another header and the same payload, byte for byte: codes that took minutes to
// choose are not chosen again, and cannot come out differently. It returns the copy's identity.
func (f *File) Copy(path string, change func(h *Header)) (id string, err error) {
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
	change(&h)
	if id, err = w.Finish(&h); err != nil {
		return "", fmt.Errorf("artifact: copy %s: %w", f.Path, err)
	}
	return id, nil
}
