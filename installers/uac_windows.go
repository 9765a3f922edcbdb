package installers

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/deployctl/deployctl/installers/step"

	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// shellExecuteInfo is SHELLEXECUTEINFOW (shellapi.h).
type shellExecuteInfo struct {
	size                              uint32
	mask                              uint32
	window                            windows.Handle
	verb, file, parameters, directory *uint16
	show                              int32
	instance                          windows.Handle
	idList                            uintptr
	class                             *uint16
	classKey                          windows.Handle
	hotKey                            uint32
	icon                              windows.Handle
	process                           windows.Handle
}

const (
	maskNoCloseProcess = 0x00000040 // SEE_MASK_NOCLOSEPROCESS: hand over the process
	maskNoAsync        = 0x00000100 // SEE_MASK_NOASYNC: this thread has no message loop
	maskFlagNoUI       = 0x00000400 // SEE_MASK_FLAG_NO_UI: errors come back, not up
	showMinimized      = 7          // SW_SHOWMINNOACTIVE
)

// startUAC starts the job's program by the verb "runas", which makes Windows ask
// the user. It waits for the answer.
//
// Sources: learn.microsoft.com/windows/win32/api/shellapi/nf-shellapi-shellexecuteexw
// and ns-shellapi-shellexecuteinfow.
func startUAC(job Job, out *os.File) (*process, error) {
	if _, err := fmt.Fprintf(out, "deployctl: starting %s as administrator; its output is not visible to deployctl\n", step.Quote(job.Argv)); err != nil {
		return nil, lang.Errorf("write the log: %w", err)
	}
	words := make([]string, len(job.Argv)-1)
	for i, a := range job.Argv[1:] {
		words[i] = syscall.EscapeArg(a)
	}
	info := shellExecuteInfo{mask: maskNoCloseProcess | maskNoAsync | maskFlagNoUI, show: showMinimized}
	info.size = uint32(unsafe.Sizeof(info))
	for _, s := range []struct {
		to   **uint16
		text string
	}{{&info.verb, "runas"}, {&info.file, job.Argv[0]}, {&info.parameters, strings.Join(words, " ")}, {&info.directory, job.Dir}} {
		if s.text == "" {
			continue
		}
		p, err := windows.UTF16PtrFromString(s.text)
		if err != nil {
			return nil, err
		}
		*s.to = p
	}
	// The shell may hand the work to COM objects.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := windows.CoInitializeEx(0, windows.COINIT_APARTMENTTHREADED|windows.COINIT_DISABLE_OLE1DDE); err == nil {
		defer windows.CoUninitialize()
	}
	call := windows.NewLazySystemDLL("shell32.dll").NewProc("ShellExecuteExW")
	if ok, _, err := call.Call(uintptr(unsafe.Pointer(&info))); ok == 0 {
		if errors.Is(err, windows.ERROR_CANCELLED) {
			return nil, elevate.Denied(err)
		}
		return nil, lang.Errorf("start it as administrator: %w", err)
	}
	if info.process == 0 {
		return nil, lang.Errorf("start it as administrator: Windows gave no process to wait for")
	}
	return &process{runas: info.process}, nil
}

func (p *process) waitUAC() (int, error) {
	defer windows.CloseHandle(p.runas) //nolint:errcheck // nothing is left to do with it
	if _, err := windows.WaitForSingleObject(p.runas, windows.INFINITE); err != nil {
		return -1, err
	}
	var exit uint32
	if err := windows.GetExitCodeProcess(p.runas, &exit); err != nil {
		return -1, err
	}
	return int(exit), nil
}
