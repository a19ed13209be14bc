//go:build !unix

package proc

import "os/exec"

func ownGroup(cmd *exec.Cmd) {}

// KillGroup kills the process group that pid leads; there are none here.
func KillGroup(pid int) error { return nil }
