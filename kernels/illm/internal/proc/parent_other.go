//go:build unix && !linux

package proc

import "syscall"

// endWithParent does nothing: only Linux knows such a request.
func endWithParent(attr *syscall.SysProcAttr) {}
