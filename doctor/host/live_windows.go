package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

const nonblock = 0

func executable(name string, _ fs.FileInfo) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".exe", ".com", ".bat", ".cmd":
		return true
	}
	return false
}

// denied: Windows has no device files that programs open by name.
func denied(string, fs.FileInfo) (bool, uint32) { return false, 0 }

// alias is the program that an app execution alias starts, "" for another file.
func alias(name string) string {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return ""
	}
	const self = windows.FILE_FLAG_OPEN_REPARSE_POINT | windows.FILE_FLAG_BACKUP_SEMANTICS
	h, err := windows.CreateFile(p, 0, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil, windows.OPEN_EXISTING, self, 0)
	if err != nil {
		return ""
	}
	defer windows.CloseHandle(h) //nolint:errcheck // read-only
	data := make([]byte, windows.MAXIMUM_REPARSE_DATA_BUFFER_SIZE)
	var n uint32
	if err := windows.DeviceIoControl(h, windows.FSCTL_GET_REPARSE_POINT, nil, 0, &data[0], uint32(len(data)), &n, nil); err != nil {
		return "" // an empty file
	}
	return aliasTarget(data[:n])
}

func statfs(name string) (Disk, error) {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return Disk{}, err
	}
	var free, total, all uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, &total, &all); err != nil {
		return Disk{}, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: name, Err: err}
	}
	d := Disk{Total: total, Free: free}
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(name) + `\`)
	if err != nil {
		return d, nil
	}
	var flags uint32
	kind := make([]uint16, windows.MAX_PATH)
	if err := windows.GetVolumeInformation(root, nil, 0, nil, nil, &flags, &kind[0], uint32(len(kind))); err == nil {
		d.Kind = windows.UTF16ToString(kind)
		d.ReadOnly = flags&windows.FILE_READ_ONLY_VOLUME != 0
	}
	return d, nil
}

// memoryStatus is MEMORYSTATUSEX (sysinfoapi.h); sizes in bytes.
type memoryStatus struct {
	length                                             uint32
	load                                               uint32
	totalPhys, availPhys, totalPageFile, availPageFile uint64
	totalVirtual, availVirtual, availExtendedVirtual   uint64
}

func (live) Memory() (Memory, error) {
	status := memoryStatus{length: uint32(unsafe.Sizeof(memoryStatus{}))}
	call := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	if ok, _, err := call.Call(uintptr(unsafe.Pointer(&status))); ok == 0 {
		return Memory{}, lang.Errorf("GlobalMemoryStatusEx: %w", err)
	}
	m := Memory{Total: status.totalPhys, Available: status.availPhys}
	// The page file's figure is the commit limit: memory and page file together.
	if status.totalPageFile > status.totalPhys {
		m.Swap = status.totalPageFile - status.totalPhys
	}
	return m, nil
}

func (live) RegistryKey(ctx context.Context, key, view string) (Key, error) {
	return await(ctx, func() (Key, error) {
		root, sub, _ := strings.Cut(key, `\`)
		var base registry.Key
		switch root {
		case "HKLM":
			base = registry.LOCAL_MACHINE
		case "HKCU":
			base = registry.CURRENT_USER
		default:
			return Key{}, lang.Errorf("registry key %s: unknown root %s", key, root)
		}
		access := uint32(registry.READ | registry.WOW64_64KEY)
		if view == "32" {
			access = registry.READ | registry.WOW64_32KEY
		}
		k, err := registry.OpenKey(base, sub, access)
		if err != nil {
			return Key{}, lang.Errorf("registry key %s: %w", key, err)
		}
		defer k.Close() //nolint:errcheck // read-only
		out := Key{Values: map[string]Value{}}
		if out.Subkeys, err = k.ReadSubKeyNames(-1); err != nil {
			return Key{}, lang.Errorf("registry key %s: list keys: %w", key, err)
		}
		names, err := k.ReadValueNames(-1)
		if err != nil {
			return Key{}, lang.Errorf("registry key %s: list values: %w", key, err)
		}
		for _, name := range names {
			_, kind, err := k.GetValue(name, nil)
			if err != nil {
				continue // a value may vanish between listing and reading
			}
			switch kind {
			case registry.SZ, registry.EXPAND_SZ:
				s, _, err := k.GetStringValue(name)
				if err == nil {
					out.Values[name] = Value{String: s}
				}
			case registry.MULTI_SZ:
				s, _, err := k.GetStringsValue(name)
				if err == nil {
					out.Values[name] = Value{String: strings.Join(s, "\n")}
				}
			case registry.DWORD, registry.QWORD:
				i, _, err := k.GetIntegerValue(name)
				if err == nil {
					out.Values[name] = Value{Int: i}
				}
			}
		}
		return out, nil
	})
}

// group is the job object that a command and all its children run in.
type group struct {
	cmd *exec.Cmd

	mu  sync.Mutex // kill may come from the goroutine that watches the context
	job windows.Handle
}

func newGroup(c *exec.Cmd) *group {
	// Suspended until it is inside the job, so that no child escapes first.
	c.SysProcAttr = &windows.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_SUSPENDED, HideWindow: true}
	return &group{cmd: c}
}

func (g *group) started() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return lang.Errorf("create a job object: %w", err)
	}
	g.job = job
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		return lang.Errorf("limit the job object: %w", err)
	}
	const access = windows.PROCESS_SET_QUOTA | windows.PROCESS_TERMINATE | windows.PROCESS_SUSPEND_RESUME
	process, err := windows.OpenProcess(access, false, uint32(g.cmd.Process.Pid))
	if err != nil {
		return lang.Errorf("open the process: %w", err)
	}
	defer windows.CloseHandle(process) //nolint:errcheck // nothing is left to do with it
	switch err := windows.AssignProcessToJobObject(job, process); {
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		// Packaged programs (App Installer's winget) may refuse another's job. It is
		// suspended, so it has not ended. Without the job a kill reaches only itself.
		g.job = 0
		if err := windows.CloseHandle(job); err != nil {
			return lang.Errorf("close the job object: %w", err)
		}
	case err != nil:
		return lang.Errorf("put the process into its job: %w", err)
	}
	return Resume(uint32(g.cmd.Process.Pid))
}

// Resume lets the threads of a process run that was started suspended; it has one.
func Resume(pid uint32) error {
	snap, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return lang.Errorf("list threads: %w", err)
	}
	defer windows.CloseHandle(snap) //nolint:errcheck // read-only
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(snap, &entry); err == nil; err = windows.Thread32Next(snap, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return lang.Errorf("open the thread: %w", err)
		}
		_, err = windows.ResumeThread(thread)
		if closeErr := windows.CloseHandle(thread); err == nil {
			err = closeErr
		}
		if err != nil {
			return lang.Errorf("resume the thread: %w", err)
		}
	}
	return nil
}

func (g *group) kill() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.job == 0 {
		return g.cmd.Process.Kill() // it is not started, has ended, or is in no job
	}
	return windows.TerminateJobObject(g.job, 1)
}

func (g *group) finish(string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.job != 0 {
		// Closing the last handle kills what is left in the job.
		_ = windows.CloseHandle(g.job)
		g.job = 0
	}
}

func signalName(*os.ProcessState) string { return "" }

// newMark: the job object already holds every descendant.
func newMark() string { return "DEPLOYCTL_CHILD=1" }
