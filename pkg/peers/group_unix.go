//go:build unix

package peers

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the command into a process group of its own, so that ending it
// ends its children too (pip starts cmake, which starts compilers), and so that
// a terminal's Ctrl-C reaches them through the context alone.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return killGroup(cmd) }
}

func killGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// crashed names the signal that ended the process, "" if none did.
func crashed(err *exec.ExitError) string {
	status, ok := err.Sys().(syscall.WaitStatus)
	switch {
	case !ok || !status.Signaled():
		return ""
	case status.Signal() == syscall.SIGILL:
		return "it uses an instruction that this CPU lacks (SIGILL)"
	case status.Signal() == syscall.SIGKILL:
		return "it was killed (SIGKILL): perhaps the memory did not suffice"
	}
	return "it was ended by a signal: " + status.Signal().String()
}
