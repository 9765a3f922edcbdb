package pkgmgr

import (
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Code is what an exit status means. Its texts are translated when it is shown.
type Code struct {
	Kind        step.Kind
	Cause, Next string
}

// Statuses of a success that takes effect after a restart, for Manager.Reboot:
// ERROR_SUCCESS_REBOOT_REQUIRED and ERROR_SUCCESS_REBOOT_INITIATED.
const (
	RebootRequired  = 3010
	RebootInitiated = 1641
)

// WindowsCode explains a status that any Windows program may end with: system
// errors, Windows Installer's, and the NTSTATUS of a process that did not end by
// itself. ok is false for any other.
//
// Sources: learn.microsoft.com/windows/win32/msi/error-codes and
// .../windows/win32/debug/system-error-codes (1601 to 1654, 5, 112, 740),
// [MS-ERREF] 2.3.1 (NTSTATUS). An exit status has 32 bits and no sign: what
// documents write as -1073741510 is 0xC000013A here.
func WindowsCode(exit int) (c Code, ok bool) {
	switch uint32(exit) {
	case 5: // ERROR_ACCESS_DENIED
		return Code{step.NoPrivilege, "Windows denied access to something that the installer needs", "run deployctl from a terminal opened with \"Run as administrator\""}, true
	case 112: // ERROR_DISK_FULL
		return Code{step.DiskFull, "the disk is full", "free some, then run deployctl again"}, true
	case 740: // ERROR_ELEVATION_REQUIRED
		return Code{step.NoPrivilege, "the installer needs administrator rights", "run deployctl from a terminal opened with \"Run as administrator\""}, true
	case 1223: // ERROR_CANCELLED
		return Code{step.Refused, "Windows' question for administrator rights was answered with no", "answer yes, or run deployctl from a terminal opened with \"Run as administrator\""}, true
	case 1601: // ERROR_INSTALL_SERVICE_FAILURE
		return Code{step.Other, "the Windows Installer service cannot be reached", "start the service msiserver, then run deployctl again"}, true
	case 1602: // ERROR_INSTALL_USEREXIT
		return Code{step.Cancelled, "the installation was cancelled", "run deployctl again and let it finish"}, true
	case 1603: // ERROR_INSTALL_FAILURE
		return Code{step.Other, "the installer met a fatal error (1603)", "read its own log (newest files in %TEMP%), fix what it says, then run deployctl again"}, true
	case 1604: // ERROR_INSTALL_SUSPEND
		return Code{step.Interrupted, "the installation is suspended, incomplete", "restart Windows, then run deployctl again"}, true
	case 1605: // ERROR_UNKNOWN_PRODUCT
		return Code{step.NotFound, "Windows does not know the product as installed", "look in Settings, Apps"}, true
	case 1612: // ERROR_INSTALL_SOURCE_ABSENT
		return Code{step.NotFound, "the file that the product was installed from is not there any more", "fetch the same installer again and repair the product, then run deployctl again"}, true
	case 1618: // ERROR_INSTALL_ALREADY_RUNNING
		return Code{step.Locked, "another installation is running", "let it finish, then run deployctl again"}, true
	case 1619, 1620: // ERROR_INSTALL_PACKAGE_OPEN_FAILED, _INVALID
		return Code{step.Other, "Windows Installer could not open the package", "see that no virus scanner holds the file, then run deployctl again"}, true
	case 1622: // ERROR_INSTALL_LOG_FAILURE
		return Code{step.ReadOnly, "the installer could not write its log", "make %TEMP% writable, then run deployctl again"}, true
	case 1624: // ERROR_INSTALL_TRANSFORM_FAILURE
		return Code{step.Other, "Windows Installer could not apply the package's transform", "read its own log (newest files in %TEMP%)"}, true
	case 1625, 1640, 1643, 1644: // by policy
		return Code{step.Refused, "a policy of this machine forbids the installation", "ask its administrator"}, true
	case 1633: // ERROR_INSTALL_PLATFORM_UNSUPPORTED
		return Code{step.Conflict, "the package is not made for this machine's processor", "choose another package"}, true
	case 1636, 1637, 1642: // patches
		return Code{step.Conflict, "a patch does not fit what is installed", "update the product first, then run deployctl again"}, true
	case 1638: // ERROR_PRODUCT_VERSION
		return Code{step.Conflict, "another version of this product is installed already", "update or remove it in Settings, Apps, then run deployctl again"}, true
	case 1639: // ERROR_INVALID_COMMAND_LINE
		return Code{step.Other, "the installer did not understand its arguments", "this is a mistake in the recipe or in deployctl: report it"}, true
	case 1654: // ERROR_INSTALL_REJECTED
		return Code{step.Conflict, "the app cannot be installed on this version of Windows", "update Windows, then run deployctl again"}, true
	case 3017, 3018: // ERROR_FAIL_REBOOT_REQUIRED, _INITIATED
		return Code{step.Interrupted, "Windows must be restarted before anything can be installed", "restart Windows, then run deployctl again"}, true
	case 0x80070005: // E_ACCESSDENIED
		return WindowsCode(5)
	case 0x80070070: // ERROR_DISK_FULL as an HRESULT
		return WindowsCode(112)
	case 0x80072EE2, 0x80072EE7, 0x80072EFD, 0x80072EFE: // WinINet: time-out, name, connect, reset
		return Code{step.NoNetwork, "a server could not be reached", "check the network and the proxy settings, then run deployctl again"}, true
	case 0xC0000005: // STATUS_ACCESS_VIOLATION
		return Code{step.Other, "the installer crashed", "run deployctl again; if it crashes again, install it by hand"}, true
	case 0xC0000135: // STATUS_DLL_NOT_FOUND
		return Code{step.NotFound, "the installer could not start: a DLL that it needs is missing", "install the Visual C++ runtime, then run deployctl again"}, true
	case 0xC000013A: // STATUS_CONTROL_C_EXIT
		return Code{step.Cancelled, "the installer was stopped from outside", "run deployctl again and let it finish"}, true
	}
	return Code{}, false
}

// SaidOnWindows are the causes that programs tell in Windows' or .NET's words.
func SaidOnWindows() []Rule {
	return []Rule{
		{Kind: step.DiskFull, Any: []string{"no space left on device", "not enough space on the disk", "there is not enough space"},
			Cause: "the disk is full", Next: "free some, then run deployctl again"},
		{Kind: step.NoNetwork, Any: []string{"remote name could not be resolved", "unable to connect to the remote server", "could not resolve host", "no such host is known", "the operation has timed out", "connection timed out", "connection was closed", "failed when opening source"},
			Cause: "a server could not be reached", Next: "check the network and the proxy settings, then run deployctl again"},
		{Kind: step.NoPrivilege, Any: []string{"access is denied", "access to the path", "requires elevation", "permission denied", "run as administrator"},
			Cause: "Windows denied access to something that the installer needs", Next: "run deployctl from a terminal opened with \"Run as administrator\""},
	}
}

// WindowsExplainer explains by the manager's own statuses, then by those that
// every Windows program may end with, then by what was said.
func WindowsExplainer(tool string, own func(exit int) (Code, bool), rules []Rule) func(int, []string) *step.Failure {
	rules = append(rules, SaidOnWindows()...)
	return func(exit int, lines []string) *step.Failure {
		f := Unexplained(tool, exit, lines)
		for _, of := range []func(int) (Code, bool){own, WindowsCode} {
			if of == nil {
				continue
			}
			if c, ok := of(exit); ok {
				f.Kind, f.Cause, f.Next, f.StatusOnly = c.Kind, lang.T(c.Cause), lang.T(c.Next), false
				return f
			}
		}
		if said := Match(rules, lines); said != nil {
			return said
		}
		if uint32(exit) >= 1<<31 {
			f.Cause = lang.F("%s ended with exit status 0x%08X", tool, uint32(exit)) // as its documents write it
		}
		return f
	}
}
