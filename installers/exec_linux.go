package installers

import "syscall"

// dieWithParent has the kernel interrupt the command when this process dies:
// ninja and make then stop their compilers, too.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGINT }
