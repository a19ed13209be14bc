//go:build !unix

package place

import "errors"

// Free is not known here.
func Free(dir string) (uint64, error) { return 0, errors.ErrUnsupported }
