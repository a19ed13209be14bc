//go:build !unix

package place

import (
	"context"
	"fmt"
	"runtime"
)

// Lock says that this system is not one the notebook kernel runs on.
func Lock(ctx context.Context, path string, wait func()) (unlock func(), err error) {
	return nil, fmt.Errorf("lock %s: the notebook kernel needs Linux, macOS or another Unix, this is %s", path, runtime.GOOS)
}
