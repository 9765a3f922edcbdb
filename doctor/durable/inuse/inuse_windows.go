package inuse

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Is reports whether an error says that a file is in use. Replacing or removing a file
// that a program has open, a DLL that it has loaded, or a folder with one in it is
// denied with one of these (Microsoft, System Error Codes).
func Is(err error) bool {
	for _, code := range []windows.Errno{windows.ERROR_SHARING_VIOLATION, windows.ERROR_LOCK_VIOLATION, windows.ERROR_USER_MAPPED_FILE, windows.ERROR_ACCESS_DENIED} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// held opens a file as one that shall be written and removed, and closes it again. Both
// rights are needed to see all holders: a loaded DLL may be opened to be removed, which
// then fails, and an open one may be shared for writing only. Any other reason why it
// cannot be opened is none of a holder's.
func held(file string) error {
	name, err := windows.UTF16PtrFromString(file)
	if err != nil {
		return nil //nolint:nilerr // no file has such a name
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	h, err := windows.CreateFile(name, windows.GENERIC_WRITE|windows.DELETE, share, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	switch {
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION), errors.Is(err, windows.ERROR_USER_MAPPED_FILE):
		return err
	case err != nil:
		return nil //nolint:nilerr // the removal will tell
	}
	return windows.CloseHandle(h)
}

// processInfo is RM_PROCESS_INFO (restartmanager.h).
type processInfo struct {
	id       uint32
	start    windows.Filetime
	name     [256]uint16 // CCH_RM_MAX_APP_NAME + 1
	service  [64]uint16  // CCH_RM_MAX_SVC_NAME + 1
	kind     uint32
	status   uint32
	session  uint32
	canStart int32
}

// holders asks the Restart Manager for the programs that use files, at most eight. It
// does not stop or restart anything. What it does not tell stays unknown.
func holders(files []string) []string {
	manager := windows.NewLazySystemDLL("rstrtmgr.dll")
	start, register, list, end := manager.NewProc("RmStartSession"), manager.NewProc("RmRegisterResources"), manager.NewProc("RmGetList"), manager.NewProc("RmEndSession")
	if start.Find() != nil || register.Find() != nil || list.Find() != nil || end.Find() != nil {
		return nil
	}
	var names []*uint16
	for _, file := range files {
		if p, err := windows.UTF16PtrFromString(file); err == nil {
			names = append(names, p)
		}
	}
	var session uint32
	key := make([]uint16, 33) // CCH_RM_SESSION_KEY + 1
	if code, _, _ := start.Call(uintptr(unsafe.Pointer(&session)), 0, uintptr(unsafe.Pointer(&key[0]))); code != 0 || len(names) == 0 {
		return nil
	}
	defer end.Call(uintptr(session)) //nolint:errcheck // nothing is left to do
	if code, _, _ := register.Call(uintptr(session), uintptr(len(names)), uintptr(unsafe.Pointer(&names[0])), 0, 0, 0, 0); code != 0 {
		return nil
	}
	found := make([]processInfo, 8)
	count, needed, reasons := uint32(len(found)), uint32(0), uint32(0)
	code, _, _ := list.Call(uintptr(session), uintptr(unsafe.Pointer(&needed)), uintptr(unsafe.Pointer(&count)), uintptr(unsafe.Pointer(&found[0])), uintptr(unsafe.Pointer(&reasons)))
	if code != 0 && windows.Errno(code) != windows.ERROR_MORE_DATA {
		return nil
	}
	var out []string
	for _, p := range found[:min(int(count), len(found))] {
		if name := windows.UTF16ToString(p.name[:]); name != "" {
			out = append(out, fmt.Sprintf("%s (process %d)", name, p.id))
		}
	}
	return out
}
