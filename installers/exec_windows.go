package installers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// process is a command in a job object, so that a kill reaches its children (job is 0
// for a program that refuses one); or one that Windows started as administrator (cmd
// is nil).
type process struct {
	cmd   *exec.Cmd
	job   windows.Handle
	runas windows.Handle
}

// apart is for Unix: Windows has no history that root writes for a user.
func apart(*exec.Cmd) {}

func start(job Job, out *os.File) (*process, error) {
	if job.UAC {
		return startUAC(job, out)
	}
	handle, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, lang.Errorf("create a job object: %w", err)
	}
	if job.Owned {
		limit := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
		limit.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
		if _, err := windows.SetInformationJobObject(handle, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limit)), uint32(unsafe.Sizeof(limit))); err != nil {
			return nil, errors.Join(lang.Errorf("limit the job object: %w", err), windows.CloseHandle(handle))
		}
	}
	cmd := exec.Command(job.Argv[0], job.Argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, job.Dir
	if len(job.Env) > 0 {
		cmd.Env = append(os.Environ(), job.Env...)
	}
	// Suspended until it is in the job: a command that ends at once could not be put
	// into it any more, and a child could be started outside.
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_SUSPENDED}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, windows.CloseHandle(handle))
	}
	p := &process{cmd: cmd, job: handle}
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
	if err == nil {
		err = windows.AssignProcessToJobObject(handle, h)
		if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			// A packaged program (winget's) may refuse another's job. It is run without.
			p.job = 0
			_, err = fmt.Fprintf(out, "deployctl: %s does not run in a job object; stopping it would not stop the programs that it starts\n", job.Argv[0])
			err = errors.Join(err, windows.CloseHandle(handle))
		}
		err = errors.Join(err, windows.CloseHandle(h))
	}
	if err == nil {
		err = host.Resume(uint32(cmd.Process.Pid))
	}
	if err != nil {
		// Without the job a kill would miss the children: better not to run.
		err = errors.Join(lang.Errorf("put the command into a job object: %w", err), cmd.Process.Kill(), cmd.Wait())
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *process) wait() (int, error) {
	if p.cmd == nil {
		return p.waitUAC()
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return p.cmd.ProcessState.ExitCode(), err
}

// close lets go of the job, where there is one.
func (p *process) close() error {
	if p.job == 0 {
		return nil
	}
	return windows.CloseHandle(p.job)
}

// accounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION (winnt.h).
type accounting struct {
	userTime, kernelTime, periodUserTime, periodKernelTime int64
	faults, processes, active, terminated                  uint32
}

// left reports whether programs are at work that the command started. Of a program that
// refuses a job, and of one that UAC started, this cannot be told.
func (p *process) left() bool {
	if p.job == 0 {
		return false
	}
	var a accounting
	err := windows.QueryInformationJobObject(p.job, windows.JobObjectBasicAccountingInformation, uintptr(unsafe.Pointer(&a)), uint32(unsafe.Sizeof(a)), nil)
	return err == nil && a.active > 0
}

func (p *process) interrupt() error {
	if p.cmd == nil {
		return lang.Errorf("it runs as administrator and has no console of this one's; it is left to finish")
	}
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(p.cmd.Process.Pid))
}

func (p *process) kill() error {
	if p.cmd == nil {
		// Denied but to an administrator: the handle of a process that UAC
		// started may only be waited for and asked.
		return windows.TerminateProcess(p.runas, 1)
	}
	if p.job == 0 {
		return p.cmd.Process.Kill()
	}
	return windows.TerminateJobObject(p.job, 1)
}
