package proc

import "syscall"

// endWithParent has the system end the program when this process is killed,
// which leaves no time to do it: an installer must not go on writing when the
// lock it wrote under is gone.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
