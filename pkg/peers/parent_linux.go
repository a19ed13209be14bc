package peers

import "syscall"

// endWithParent has the system end the process when this one is killed, which
// leaves no time to do it.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
