package envedit

import (
	"errors"
	"io/fs"
	"testing"

	"golang.org/x/sys/windows/registry"

	"github.com/deployctl/deployctl/installers/step"
)

// TestLiveRegistry changes variables of this user and machine that nobody else
// has, and takes them away again.
func TestLiveRegistry(t *testing.T) {
	for scope, key := range map[string]string{User: userKey, Machine: systemKey} {
		t.Run(scope, func(t *testing.T) {
			const name = "DEPLOYCTL_TEST_LIST"
			root, sub, err := split(key)
			if err != nil {
				t.Fatal(err)
			}
			k, _, err := registry.CreateKey(root, sub, registry.ALL_ACCESS|registry.WOW64_64KEY)
			if errors.Is(err, fs.ErrPermission) {
				t.Skip("needs an administrator")
			} else if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := k.DeleteValue(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
				if err := k.Close(); err != nil {
					t.Error(err)
				}
			})
			is := func(want string, kind uint32) {
				t.Helper()
				got, is, err := k.GetStringValue(name)
				if err != nil || got != want || is != kind {
					t.Errorf("%q of type %d, %v; want %q of type %d", got, is, err, want, kind)
				}
			}
			w := newWorker(t, "windows")
			w.Registry = nil
			x, y := entry("deployctl_test_list", `C:\x ü 日本`, scope), entry(name, `%SystemRoot%\y`, scope)

			for _, kind := range []uint32{registry.SZ, registry.EXPAND_SZ} {
				set := k.SetStringValue
				if kind == registry.EXPAND_SZ {
					set = k.SetExpandStringValue
				}
				if err := set(name, `C:\a;;%SystemRoot%`); err != nil {
					t.Fatal(err)
				}
				first, second := mustApply(t, w, x), mustApply(t, w, y)
				is(`%SystemRoot%\y;C:\x ü 日本;C:\a;;%SystemRoot%`, kind)
				if again := mustApply(t, w, entry(name, `c:\X Ü 日本\`, scope)); again != nil {
					t.Errorf("added in another spelling: %v", again)
				}
				if err := undo(t, w, first, x); err != nil {
					t.Fatal(err)
				}
				is(`%SystemRoot%\y;C:\a;;%SystemRoot%`, kind)
				if err := undo(t, w, second, y); err != nil {
					t.Fatal(err)
				}
				is(`C:\a;;%SystemRoot%`, kind)
			}

			if err := k.DeleteValue(name); err != nil {
				t.Fatal(err)
			}
			takes := mustApply(t, w, y)
			is(`%SystemRoot%\y`, registry.EXPAND_SZ)
			if err := undo(t, w, takes, y); err != nil {
				t.Fatal(err)
			}
			if _, _, err := k.GetStringValue(name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("still there: %v", err)
			}

			if err := k.SetDWordValue(name, 1); err != nil {
				t.Fatal(err)
			}
			if _, err := apply(t, w, install(y)); err == nil {
				t.Error("a number was taken for a list")
			}
			if n, _, err := k.GetIntegerValue(name); err != nil || n != 1 {
				t.Errorf("the number became %d, %v", n, err)
			}
			if err := k.SetStringValue(name, "1"); err != nil {
				t.Fatal(err)
			}
			two := setting(name, "2", scope)
			if takes = mustApply(t, w, two); len(takes) != 1 || takes[0] != (step.Take{Name: name + " (" + key + ")", Version: "2", Was: "1"}) {
				t.Errorf("took %v", takes)
			}
			if err := undo(t, w, takes, two); err != nil {
				t.Fatal(err)
			}
			is("1", registry.SZ)
		})
	}
}
