// Package probetest holds what every probe must stand: hostile hosts, and the
// contract that is checked over them. It is for tests only.
package probetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/probe"
)

// Patience is how long a probe may take over a host that never answers. Only
// a probe that ignores its context is stopped by more than it.
const Patience = 100 * time.Millisecond

// folder is where deployctl is started on a hostile machine.
func folder(goos string) string {
	if goos == "windows" {
		return `C:\Users\user\project`
	}
	return "/home/user/project"
}

// Hostile are worlds that give a probe a hard time, by what they do.
func Hostile(goos string) map[string]host.World {
	worlds := map[string]host.World{
		"denies everything":        world{os: goos, err: fs.ErrPermission},
		"is too large":             world{os: goos, err: host.ErrTooLarge},
		"was never recorded":       world{os: goos, err: host.ErrNotRecorded},
		"loops":                    world{os: goos, err: fmt.Errorf("too many links")},
		"never answers":            world{os: goos, hang: true},
		"answers with nothing":     world{os: goos},
		"answers with itself":      world{os: goos, data: "self"},
		"ends each process by bug": world{os: goos, data: "exec", exit: -1},
	}
	for name, text := range map[string]string{
		"answers with binary garbage":  strings.Repeat("\x00\xff\xfe:=\n\"'\\%\x1b[31m", 2000),
		"answers with endless lines":   strings.Repeat("processor\t: 0\nmodel name\t: x @ 9e99GHz\nflags\t: a\n\n", 2000),
		"answers with one long line":   "PRETTY_NAME=\"" + strings.Repeat("é", 50000),
		"answers with huge numbers":    "MemTotal: 99999999999999999999 kB\nUid: 99999999999999999999 0\nCpus_allowed_list:\t0-999999999\n99999999999999999999 1\n0::/../..\nprocessor\t: 99999999999\nCPU implementer : 0xffffffffff\n",
		"answers with broken markup":   "<plist><dict><key>ProductVersion</key><string>1</dict></string>",
		"answers with broken versions": "gcc version ..\nclang version 9999999999999999999999.1\nPython 3.\x00",
	} {
		worlds[name] = world{os: goos, data: text}
	}
	worlds["is crowded"] = world{os: goos, data: "\xff", crowd: 3000}
	return worlds
}

type world struct {
	os    string
	err   error
	hang  bool
	data  string // what files, processes, variables and values say
	crowd int    // names in a folder, entries of PATH
	exit  int
}

func (w world) wait(ctx context.Context) error {
	if w.hang {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.err
}

func (w world) ReadFile(ctx context.Context, _ string, limit int64) ([]byte, bool, error) {
	if err := w.wait(ctx); err != nil {
		return nil, false, err
	}
	if int64(len(w.data)) > limit {
		return []byte(w.data)[:limit], true, nil
	}
	return []byte(w.data), false, nil
}

func (w world) ReadAt(ctx context.Context, _ string, at int64, n int) ([]byte, error) {
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	from := min(max(at, 0), int64(len(w.data)))
	return []byte(w.data)[from:min(int64(len(w.data)), from+int64(n))], nil
}

func (w world) Search(ctx context.Context, _, marker string, _ int64, want int) ([]byte, error) {
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	text := marker + w.data
	return []byte(text)[:min(len(text), want)], nil
}

// names are what probes look for, and a crowd of others.
func (w world) names() []string {
	names := strings.Fields(`gcc g++ clang clang++ gcc-99 x86_64-linux-gnu-g++-9 a-b-gcc cmake ninja make pkg-config git go python3 python
		bazel swig apt-get dnf brew pip3 conda vcpkg npm uv 1.2.3 python3.12 llvm-19 go-1.99 ld-musl-x.so.1 cpu@0 pip-1.dist-info gcc.exe choco.bat
		cuda-12.4 cuda_12.4.1_550.54.15_linux.run nvcc nvidia-smi libcuda.so.1 libcudart.so.12.4.127 libcudnn.so.9.1.0 cudnn64_9.dll cudart64_12.dll libnvinfer.so.10
		libopencv_core.so.4.9.0 libopencv_core.so opencv4.pc OpenCVConfig.cmake opencv_world490.dll opencv4 libtorch libonnxruntime.so.1.18.0 darknet openpose
		pocl.icd libOpenCL.so.1 lvp_icd.x86_64.json ndk 26.1.10909125 android-34 Xcode.app mingw64 msys64 vulkan-1.dll 2022 Community 14.38.33130 v12.4 0000 card0`)
	for i := range w.crowd {
		names = append(names, fmt.Sprintf("gcc-%d", i), fmt.Sprintf("\xff\x00%d", i))
	}
	return names
}

func (w world) ReadDir(ctx context.Context, _ string) ([]host.Entry, error) {
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	var list []host.Entry
	for _, name := range w.names() {
		list = append(list, host.Entry{Name: name, Link: true})
	}
	return list, nil
}

func (w world) Stat(ctx context.Context, _ string) (host.Info, error) {
	if err := w.wait(ctx); err != nil {
		return host.Info{}, err
	}
	return host.Info{Size: 1 << 62, Exec: true}, nil
}

func (w world) Resolve(ctx context.Context, name string) (string, error) {
	return name, w.wait(ctx)
}

func (w world) Getenv(name string) (string, bool) {
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

func (w world) Run(ctx context.Context, _ host.Command) (host.Output, error) {
	if err := w.wait(ctx); err != nil {
		return host.Output{}, err
	}
	return host.Output{Stdout: []byte(w.data), Stderr: []byte(w.data), Exit: w.exit, Truncated: true}, nil
}

func (w world) RegistryKey(ctx context.Context, key, _ string) (host.Key, error) {
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

func (w world) Disk(ctx context.Context, _ string) (host.Disk, error) {
	return host.Disk{Total: 1, Free: 1 << 63, Kind: w.data}, w.wait(ctx)
}

func (w world) CPUID() (host.CPUID, error) {
	return host.CPUID{
		Vendor: w.data, Model: w.data, Family: -1, ModelNum: 1 << 30, Features: []string{w.data, "avx"},
		Logical: 1 << 30, Physical: -5, Hz: -1, BoostHz: 1 << 62,
	}, w.err
}

func (w world) Memory() (host.Memory, error) {
	return host.Memory{Total: 1<<64 - 1, Swap: 1<<64 - 1}, w.err
}

func (w world) Now() time.Time { return hosttest.Time }

// Look runs one probe over a host as deployctl does.
type Look func(ctx context.Context, h *host.Host, p probe.Probe) *facts.Facts

// Contract checks what must hold of every probe whatever host it looks at: it
// ends with its context, does not panic, fills in only what it provides, says
// the same twice, and leaves facts that can be written as JSON and shown on a
// terminal. A place that a variable names and that is not there hurts nobody.
func Contract(t *testing.T, look Look, probes []probe.Probe) {
	t.Helper()
	for _, p := range probes {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			for _, goos := range []string{"linux", "windows", "darwin"} {
				contract(t, look, p, goos)
			}
		})
	}
}

func contract(t *testing.T, look Look, p probe.Probe, goos string) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(goos+"/"+arch+"/is empty", func(t *testing.T) {
			found := look(t.Context(), hosttest.Empty(goos, arch), p)
			check(t, p, found)
			if len(found.Components) != 0 || len(found.GPUs) != 0 {
				t.Errorf("found on an empty host: %v %v", found.Components, found.GPUs)
			}
			// Every machine has a processor and memory; nothing else must be there.
			if len(found.Problems) != 0 && !slices.Contains(p.Provides, "cpu") && !slices.Contains(p.Provides, "memory") {
				t.Errorf("problems on an empty host: %v", found.Problems)
			}
		})
	}
	for name, world := range Hostile(goos) {
		t.Run(goos+"/"+name, func(t *testing.T) {
			hostile(t, look, p, &host.Host{World: world, OS: goos, Arch: "amd64", Dir: folder(goos)})
		})
	}
	t.Run(goos+"/places", func(t *testing.T) { places(t, look, p, goos) })
}

// hostile looks at a bad world three times.
func hostile(t *testing.T, look Look, p probe.Probe, h *host.Host) {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	counted := &count{World: h.World}
	h.World = counted
	found := look(ctx, h, p)
	// Time would depend on how busy this machine is.
	if n := counted.late.Load(); n > mostLate {
		t.Errorf("asked for %d more files after its deadline", n)
	}
	check(t, p, found)
	if again := look(ctx, h, p); ctx.Err() == nil {
		found.Timings, again.Timings = nil, nil
		if diff := cmp.Diff(found, again); diff != "" {
			t.Errorf("a second look says something else:\n%s", diff)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	found = look(stopped, h, p)
	check(t, p, found)
	if len(found.Problems) == 0 && len(found.Components) > 0 {
		t.Error("it was stopped before it began and says that all is well")
	}
}

// mostLate bounds what a probe may ask for after its deadline: it need not look
// at its context at every step.
const mostLate = 2000

// count counts the files that are asked for after the deadline.
type count struct {
	host.World
	late atomic.Int64
}

func (c *count) ReadFile(ctx context.Context, name string, limit int64) ([]byte, bool, error) {
	if ctx.Err() != nil {
		c.late.Add(1)
	}
	return c.World.ReadFile(ctx, name, limit)
}

// places has every variable that a probe asks for name a place that does not
// do. One that is not there is as if the variable were not set; one that may
// not be entered leaves a problem of what it could hold, and of that alone.
func places(t *testing.T, look Look, p probe.Probe, goos string) {
	empty := hosttest.Empty(goos, "amd64")
	asked, rec := host.Record(empty)
	look(t.Context(), asked, p)
	before := look(t.Context(), empty, p)
	for name := range rec.Env {
		for what, cause := range map[string]error{"a file": syscall.ENOTDIR, "nothing": fs.ErrNotExist, "a link to itself": syscall.ELOOP, "a locked folder": fs.ErrPermission} {
			place := "/opt/place"
			if goos == "windows" {
				place = `C:\place`
			}
			w := &misled{World: empty.World, name: name, place: place, file: what == "a file", err: cause}
			found := look(t.Context(), &host.Host{World: w, OS: goos, Arch: "amd64", Dir: folder(goos)}, p)
			check(t, p, found)
			if what != "a locked folder" {
				if diff := cmp.Diff(before.Problems, found.Problems, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s names %s:\n%s", name, what, diff)
				}
				continue
			}
			for _, problem := range found.Problems {
				if len(problem.Covers) == len(p.Provides) && len(p.Provides) > 2 && len(before.Problems) == 0 {
					t.Errorf("%s names %s: all of %v is unknown: %s", name, what, problem.Covers, problem.Error)
				}
			}
		}
	}
}

// misled is a world in which one variable names a place that does not do.
type misled struct {
	host.World
	name, place string
	file        bool
	err         error
}

func (m *misled) at(name string) error {
	name = strings.ReplaceAll(name, "/", `\`)
	place := strings.ReplaceAll(m.place, "/", `\`)
	switch {
	case strings.HasPrefix(name, place+`\`), name == place && !m.file:
		return &fs.PathError{Op: "open", Path: name, Err: m.err}
	}
	return nil
}

func (m *misled) Getenv(name string) (string, bool) {
	if name == m.name {
		return m.place, true
	}
	return m.World.Getenv(name)
}

func (m *misled) ReadFile(ctx context.Context, name string, limit int64) ([]byte, bool, error) {
	if err := m.at(name); err != nil {
		return nil, false, err
	}
	if name == m.place {
		return []byte("#!/bin/sh\n"), false, nil
	}
	return m.World.ReadFile(ctx, name, limit)
}

func (m *misled) ReadAt(ctx context.Context, name string, at int64, n int) ([]byte, error) {
	if err := m.at(name); err != nil {
		return nil, err
	}
	return m.World.ReadAt(ctx, name, at, n)
}

func (m *misled) Search(ctx context.Context, name, marker string, limit int64, want int) ([]byte, error) {
	if err := m.at(name); err != nil {
		return nil, err
	}
	return m.World.Search(ctx, name, marker, limit, want)
}

func (m *misled) ReadDir(ctx context.Context, name string) ([]host.Entry, error) {
	if err := m.at(name); err != nil {
		return nil, err
	}
	if name == m.place {
		return nil, &fs.PathError{Op: "list", Path: name, Err: m.err}
	}
	return m.World.ReadDir(ctx, name)
}

func (m *misled) Stat(ctx context.Context, name string) (host.Info, error) {
	if err := m.at(name); err != nil {
		return host.Info{}, err
	}
	if name == m.place {
		return host.Info{Size: 4 << 30, Exec: true}, nil
	}
	return m.World.Stat(ctx, name)
}

func (m *misled) Resolve(ctx context.Context, name string) (string, error) {
	if err := m.at(name); err != nil {
		return "", err
	}
	if name == m.place {
		return name, nil
	}
	return m.World.Resolve(ctx, name)
}

// Windows is the bare Windows 11 of doctor/testdata/hosts, with what the named
// fixtures beside it and a text add.
func Windows(t *testing.T, text string, names ...string) *host.Host {
	t.Helper()
	all := ""
	for _, name := range append([]string{"windows-11"}, names...) {
		data, err := os.ReadFile("../../testdata/hosts/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		all += string(data)
	}
	return hosttest.Parse(t, all+text)
}

// Machines compares what a probe finds on the machines of testdata/machines, each a file
// whose first lines say what it stands for, with the golden facts beside it, which update
// writes. A line "on NAME NAME ..." among the first names what it adds to: files beside it,
// or of doctor/testdata/hosts.
func Machines(t *testing.T, look func(context.Context, *host.Host) (facts.Facts, error), update bool) {
	fixtures, err := filepath.Glob("testdata/machines/*.txtar")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, name := range fixtures {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			for line := range strings.Lines(string(archive.Comment)) {
				if bases, ok := strings.CutPrefix(line, "on "); ok {
					for base := range strings.FieldsSeq(bases) {
						file := "testdata/machines/" + base + ".txtar"
						if _, err := os.Stat(file); err != nil {
							file = "../../testdata/hosts/" + base + ".txtar"
						}
						files = append(files, file)
					}
				}
			}
			f, err := look(t.Context(), hosttest.Load(t, append(files, name)...))
			if err != nil {
				f.Problems = append(f.Problems, facts.Problem{Error: err.Error()})
			}
			f.Sort()
			got, err := json.MarshalIndent(f, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(name, ".txtar") + ".json"
			if update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			Same(t, golden+" (run with -update when it should differ)", string(want), string(got)+"\n")
		})
	}
}

// Of gives a probe as a function that ends the test when the probe fails.
func Of(look func(context.Context, *host.Host) (facts.Facts, error)) func(*testing.T, *host.Host) facts.Facts {
	return func(t *testing.T, h *host.Host) facts.Facts {
		t.Helper()
		f, err := look(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
}

// Stuck is a machine on which no process ever exits.
type Stuck struct{ host.World }

// Run waits for the end of ctx.
func (Stuck) Run(ctx context.Context, _ host.Command) (host.Output, error) {
	<-ctx.Done()
	return host.Output{}, ctx.Err()
}

// mostBytes bounds the facts of one probe: a hostile host must not fill memory.
const mostBytes = 1 << 20

func check(t *testing.T, p probe.Probe, found *facts.Facts) {
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
			// A driver whose library is gone has none.
			if i.Path == "" && i.Unusable == nil && i.Attrs["state"] == "" {
				t.Errorf("an instance of %s has no path and does not say why", name)
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
	for _, problem := range found.Problems {
		if strings.Contains(problem.Error, "a bug in deployctl") {
			t.Errorf("%s", problem.Error)
		}
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

// Brief gives version and path of each copy, "*" before the active one.
func Brief(list []facts.Instance) []string {
	var out []string
	for _, i := range list {
		s := i.Version + " " + i.Path
		if i.Active {
			s = "*" + s
		}
		out = append(out, s)
	}
	return out
}

// Same reports how a value differs from the one that is wanted; what says of which
// case, "" where the test's name does.
func Same(t testing.TB, what string, want, got any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Copies compares the copies of a component with what Brief is to give of them.
func Copies(t testing.TB, f facts.Facts, component string, want ...string) {
	t.Helper()
	Same(t, component, want, Brief(f.Components[component]))
}
