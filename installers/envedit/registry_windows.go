package envedit

import (
	"errors"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// liveRegistry is this machine's.
type liveRegistry struct{}

func split(key string) (registry.Key, string, error) {
	root, sub, _ := strings.Cut(key, `\`)
	switch root {
	case "HKCU":
		return registry.CURRENT_USER, sub, nil
	case "HKLM":
		return registry.LOCAL_MACHINE, sub, nil
	}
	return 0, "", lang.Errorf("registry key %s: unknown root", key)
}

func (liveRegistry) Get(key, name string) (Value, error) {
	root, sub, err := split(key)
	if err != nil {
		return Value{}, err
	}
	k, err := registry.OpenKey(root, sub, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return Value{}, lang.Errorf("open: %w", err)
	}
	text, kind, err := k.GetStringValue(name)
	if err = errors.Join(err, k.Close()); err != nil {
		return Value{}, lang.Errorf("read %s: %w", name, err)
	}
	return Value{Text: text, Expand: kind == registry.EXPAND_SZ}, nil
}

func (liveRegistry) Set(key, name string, v Value) error {
	root, sub, err := split(key)
	if err != nil {
		return err
	}
	k, _, err := registry.CreateKey(root, sub, registry.SET_VALUE|registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return lang.Errorf("open: %w", err)
	}
	if v.Expand {
		err = k.SetExpandStringValue(name, v.Text)
	} else {
		err = k.SetStringValue(name, v.Text)
	}
	if err == nil {
		err = flush(k)
	}
	if err = errors.Join(err, k.Close()); err != nil {
		return lang.Errorf("write %s: %w", name, err)
	}
	return nil
}

func (liveRegistry) Delete(key, name string) error {
	root, sub, err := split(key)
	if err != nil {
		return err
	}
	k, err := registry.OpenKey(root, sub, registry.SET_VALUE|registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return lang.Errorf("open: %w", err)
	}
	err = k.DeleteValue(name)
	if err == nil {
		err = flush(k)
	}
	if err = errors.Join(err, k.Close()); err != nil {
		return lang.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// flush returns when the change is on the disk, as what the journal says of it will be.
// Windows writes the registry when it has time: a power cut would take the change back,
// and deployctl would still believe in it.
func flush(k registry.Key) error {
	code, _, _ := windows.NewLazySystemDLL("advapi32.dll").NewProc("RegFlushKey").Call(uintptr(k))
	if code != 0 {
		return lang.Errorf("flush: %w", windows.Errno(code))
	}
	return nil
}

// Announce sends WM_SETTINGCHANGE to all top-level windows, as Microsoft asks
// of programs that change these keys (Environment Variables; winuser.h for the
// numbers). Programs that hang are passed over, and none gets more than 5 s.
func (liveRegistry) Announce() {
	const (
		broadcast     = 0xffff // HWND_BROADCAST
		settingChange = 0x001a // WM_SETTINGCHANGE
		abortIfHung   = 0x0002 // SMTO_ABORTIFHUNG
		milliseconds  = 5000
	)
	what, err := windows.UTF16PtrFromString("Environment")
	if err != nil {
		return // it has no zero byte
	}
	send := windows.NewLazySystemDLL("user32.dll").NewProc("SendMessageTimeoutW")
	if send.Find() != nil {
		return // a Windows without windows
	}
	// The answer is of no use: what is running keeps its old environment then.
	_, _, _ = send.Call(broadcast, settingChange, 0, uintptr(unsafe.Pointer(what)), abortIfHung, milliseconds, 0)
}
