//go:build unix

package python

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/engine"
)

// TestAnotherUsersPython: root neither runs nor loads what another user could change.
func TestAnotherUsersPython(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root can have another user's files")
	}
	for name, given := range map[string]func(m *module, env map[string]string) string{
		"a file of the module": func(m *module, _ map[string]string) string { return m.Library },
		"the module's folder":  func(m *module, _ map[string]string) string { return m.Location },
		"another package": func(m *module, _ map[string]string) string {
			site := filepath.Join(m.Path[0], "site-packages")
			file := filepath.Join(site, "numpy", "__init__.py")
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			m.Path = append(m.Path, site)
			return file
		},
		"a folder of packages": func(m *module, _ map[string]string) string { return m.Path[0] },
		"PYTHONPATH": func(_ *module, env map[string]string) string {
			env["PYTHONPATH"] = t.TempDir()
			return env["PYTHONPATH"]
		},
		"the packages in HOME": func(_ *module, env map[string]string) string {
			env["HOME"] = t.TempDir()
			site := filepath.Join(env["HOME"], ".local", "lib", "python3.11", "site-packages")
			if err := os.MkdirAll(site, 0o755); err != nil {
				t.Fatal(err)
			}
			return site
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, env := &interpreter{answer: installed(t)}, map[string]string{}
			file := given(p.answer, env)
			if err := os.Chown(file, 12345, -1); err != nil {
				t.Fatal(err)
			}
			getenv := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
			e := OpenCV().New(Options{Process: p, Python: "/usr/bin/python3", Version: "3.11.7", Getenv: getenv})
			var u *engine.Unavailable
			if _, err := e.Prepare(t.Context(), engine.Silent{}); !errors.As(err, &u) || !strings.Contains(u.Why, "root does not use "+file) || u.Fix == "" {
				t.Errorf("%v", err)
			}
			if len(env) > 0 && len(p.calls) > 0 {
				t.Errorf("Python was run: %q", p.calls)
			}
		})
	}
}
