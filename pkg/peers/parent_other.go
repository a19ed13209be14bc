//go:build unix && !linux

package peers

import "syscall"

func endWithParent(*syscall.SysProcAttr) {}
