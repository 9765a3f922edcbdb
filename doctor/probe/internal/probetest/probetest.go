// Package probetest holds what every probe must stand: hostile hosts, and the
// contract that is checked over them. It is for tests only.
package probetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/probe"
)

// Patience is how long a probe may take over a host that never answers. Only
// a probe that ignores its context is stopped by more than it.
const Patience = 100 * time.Millisecond

// Hostile are worlds that give a probe a hard time, by what they do.
func Hostile(goos string) map[string]host.World {
	worlds := map[string]host.World{
		"denies everything":        hostile{os: goos, err: fs.ErrPermission},
		"is too large":             hostile{os: goos, err: host.ErrTooLarge},
		"was never recorded":       hostile{os: goos, err: host.ErrNotRecorded},
		"loops":                    hostile{os: goos, err: fmt.Errorf("too many links")},
		"never answers":            hostile{os: goos, hang: true},
		"answers with nothing":     hostile{os: goos},
		"answers with itself":      hostile{os: goos, data: "self"},
		"ends each process by bug": hostile{os: goos, data: "exec", exit: -1},
	}
	for name, text := range map[string]string{
		"answers with binary garbage":  strings.Repeat("\x00\xff\xfe:=\n\"'\\%\x1b[31m", 2000),
		"answers with endless lines":   strings.Repeat("processor\t: 0\nmodel name\t: x @ 9e99GHz\nflags\t: a\n\n", 20000),
		"answers with one long line":   "PRETTY_NAME=\"" + strings.Repeat("é", 500000),
		"answers with huge numbers":    "MemTotal: 99999999999999999999 kB\nUid: 99999999999999999999 0\nCpus_allowed_list:\t0-999999999\n99999999999999999999 1\n0::/../..\nprocessor\t: 99999999999\nCPU implementer : 0xffffffffff\n",
		"answers with broken markup":   "<plist><dict><key>ProductVersion</key><string>1</dict></string>",
		"answers with broken versions": "gcc version ..\nclang version 9999999999999999999999.1\nPython 3.\x00",
	} {
		worlds[name] = hostile{os: goos, data: text}
	}
	worlds["is crowded"] = hostile{os: goos, data: "\xff", crowd: 3000}
	return worlds
}

type hostile struct {
	os    string
	err   error
	hang  bool
	data  string // what files, processes, variables and values say
	crowd int    // names in a folder, entries of PATH
	exit  int
}

func (w hostile) wait(ctx context.Context) error {
	if w.hang {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.err
}

func (w hostile) ReadFile(ctx context.Context, _ string, limit int64) ([]byte, bool, error) {
	if err := w.wait(ctx); err != nil {
		return nil, false, err
	}
	if int64(len(w.data)) > limit {
		return []byte(w.data)[:limit], true, nil
	}
	return []byte(w.data), false, nil
}

func (w hostile) ReadAt(ctx context.Context, _ string, at int64, n int) ([]byte, error) {
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	from := min(max(at, 0), int64(len(w.data)))
	return []byte(w.data)[from:min(int64(len(w.data)), from+int64(n))], nil
}

func (w hostile) Search(ctx context.Context, _, marker string, _ int64, want int) ([]byte, error) {
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	text := marker + w.data
	return []byte(text)[:min(len(text), want)], nil
}

// names are what probes look for, and a crowd of others.
func (w hostile) names() []string {
	names := strings.Fields(`gcc g++ clang clang++ gcc-99 x86_64-linux-gnu-g++-9 a-b-gcc cmake ninja make pkg-config git go python3 python
		bazel swig apt-get dnf brew pip3 conda vcpkg npm uv 1.2.3 python3.12 llvm-19 go-1.99 ld-musl-x.so.1 cpu@0 pip-1.dist-info gcc.exe choco.bat`)
	for i := range w.crowd {
		names = append(names, fmt.Sprintf("gcc-%d", i), fmt.Sprintf("\xff\x00%d", i))
	}
	return names
}

func (w hostile) ReadDir(ctx context.Context, _ string) ([]host.Entry, error) {
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	var list []host.Entry
	for _, name := range w.names() {
		list = append(list, host.Entry{Name: name, Link: true})
	}
	return list, nil
}

func (w hostile) Stat(ctx context.Context, _ string) (host.Info, error) {
	if err := w.wait(ctx); err != nil {
		return host.Info{}, err
	}
	return host.Info{Size: 1 << 62, Exec: true}, nil
}

func (w hostile) Resolve(ctx context.Context, name string) (string, error) {
	return name, w.wait(ctx)
}

func (w hostile) Getenv(name string) (string, bool) {
	if !strings.EqualFold(name, "PATH") {
		return w.data, w.data != ""
	}
	dirs := []string{"/usr/bin", `C:\Windows`, "relative", "..", ""}
	for i := range 3 * w.crowd {
		dirs = append(dirs, fmt.Sprintf("/p/%d", i))
	}
	if w.os == "windows" {
		return strings.Join(dirs, ";"), true
	}
	return strings.Join(dirs, ":"), true
}

func (w hostile) Run(ctx context.Context, _ host.Command) (host.Output, error) {
	if err := w.wait(ctx); err != nil {
		return host.Output{}, err
	}
	return host.Output{Stdout: []byte(w.data), Stderr: []byte(w.data), Exit: w.exit, Truncated: true}, nil
}

func (w hostile) RegistryKey(ctx context.Context, key, _ string) (host.Key, error) {
	if err := w.wait(ctx); err != nil {
		return host.Key{}, err
	}
	if w.os != "windows" {
		return host.Key{}, fmt.Errorf("registry key %s: %w", key, host.ErrUnsupported)
	}
	values := map[string]host.Value{}
	for _, name := range []string{"", "CurrentBuild", "EditionID", "InstallDir", "InstallPath", "ProductName", "PROCESSOR_ARCHITECTURE"} {
		values[name] = host.Value{String: w.data}
	}
	for _, name := range []string{"UBR", "CurrentMajorVersionNumber", "~MHz", "CP 4000", "CP 4030"} {
		values[name] = host.Value{Int: 1<<64 - 1}
	}
	return host.Key{Values: values, Subkeys: w.names()}, nil
}

func (w hostile) Disk(ctx context.Context, _ string) (host.Disk, error) {
	return host.Disk{Total: 1, Free: 1 << 63, Kind: w.data}, w.wait(ctx)
}

func (w hostile) CPUID() (host.CPUID, error) {
	return host.CPUID{
		Vendor: w.data, Model: w.data, Family: -1, ModelNum: 1 << 30, Features: []string{w.data, "avx"},
		Logical: 1 << 30, Physical: -5, Hz: -1, BoostHz: 1 << 62,
	}, w.err
}

func (w hostile) Memory() (host.Memory, error) {
	return host.Memory{Total: 1<<64 - 1, Swap: 1<<64 - 1}, w.err
}

func (w hostile) Now() time.Time { return hosttest.Time }

// Contract checks what must hold of every probe whatever host it looks at:
// it ends with its context, does not panic, fills in only what it provides,
// and leaves facts that can be written as JSON and shown on a terminal.
func Contract(t *testing.T, probes []probe.Probe) {
	t.Helper()
	for _, goos := range []string{"linux", "windows", "darwin"} {
		for _, arch := range []string{"amd64", "arm64"} {
			for _, p := range probes {
				empty := hosttest.Empty(goos, arch)
				t.Run(fmt.Sprintf("%s/%s/%s/is empty", p.Name, goos, arch), func(t *testing.T) {
					found, err := p.Run(t.Context(), empty)
					check(t, p, found, err)
					if len(found.Components) != 0 || len(found.GPUs) != 0 {
						t.Errorf("found on an empty host: %v %v", found.Components, found.GPUs)
					}
				})
			}
		}
		for name, world := range Hostile(goos) {
			for _, p := range probes {
				t.Run(fmt.Sprintf("%s/%s/%s", p.Name, goos, name), func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), Patience)
					defer cancel()
					found, err := p.Run(ctx, &host.Host{World: world, OS: goos, Arch: "amd64"})
					check(t, p, found, err)
				})
			}
		}
	}
}

// mostBytes bounds the facts of one probe: a hostile host must not fill memory.
const mostBytes = 1 << 20

func check(t *testing.T, p probe.Probe, found facts.Facts, err error) {
	t.Helper()
	provides := map[string]bool{}
	for _, name := range p.Provides {
		provides[name] = true
	}
	for name, filled := range map[string]bool{
		"os": found.OS.Family != "", "cpu": found.CPU.Arch != "", "memory": found.Memory.Total != 0,
		"disks": len(found.Disks) != 0, "gpus": len(found.GPUs) != 0,
	} {
		if filled && !provides[name] {
			t.Errorf("fills %s, which it does not provide", name)
		}
	}
	for name, list := range found.Components {
		if !provides[name] {
			t.Errorf("fills %s, which it does not provide", name)
		}
		active := 0
		for _, i := range list {
			if i.Active {
				active++
			}
			if i.Path == "" {
				t.Errorf("an instance of %s has no path", name)
			}
		}
		if active > 1 {
			t.Errorf("%d copies of %s are active", active, name)
		}
	}
	for _, problem := range found.Problems {
		for _, c := range problem.Covers {
			if !provides[c] {
				t.Errorf("a problem covers %s, which the probe does not provide", c)
			}
		}
	}
	if err != nil && !utf8.ValidString(err.Error()) {
		t.Errorf("the error is no text: %q", err)
	}
	data, jsonErr := json.Marshal(found)
	if jsonErr != nil {
		t.Fatalf("facts cannot be written: %v", jsonErr)
	}
	if len(data) > mostBytes {
		t.Errorf("facts of %d bytes", len(data))
	}
	for _, bad := range []string{`\u001b`, `\u0000`, `\ufffd`} {
		if strings.Contains(string(data), bad) {
			t.Errorf("%s in the facts", bad)
		}
	}
}
