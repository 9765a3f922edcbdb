package cxx

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
)

// machine stands in for the tools: each writes the program, or fails, and the
// program says what it loaded.
type machine struct {
	calls []host.Command
	// log is what a tool prints before it ends with status 1, by its name; config
	// is CMake's as long as it is not given a folder.
	log    map[string]string
	config string
	// loads are the files that the program of a way loads, by the way's tool.
	loads map[string][]string
	// dies is the standard error of a program that ends with status 127.
	dies    string
	version string
	hang    bool
}

func (m *machine) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	m.calls = append(m.calls, cmd)
	if m.hang {
		<-ctx.Done()
		return host.Output{Exit: -1, Signal: "killed"}, ctx.Err()
	}
	tool := filepath.Base(cmd.Argv[0])
	switch {
	case tool == compile.Exe():
		return m.program(cmd)
	case m.log[tool] != "":
		return host.Output{Stderr: []byte(m.log[tool]), Exit: 1}, nil
	case tool == "cmake" && m.config != "" && !slices.ContainsFunc(cmd.Argv, func(a string) bool { return strings.HasPrefix(a, "-DOpenCV_DIR") }) && !slices.Contains(cmd.Argv, "--build"):
		return host.Output{Stderr: []byte(m.config), Exit: 1}, nil
	case tool == "pkg-config" && cmd.Argv[1] == "--libs":
		return host.Output{Stdout: []byte("-L/usr/lib -lopencv_dnn\n")}, nil
	case tool == "pkg-config":
		return host.Output{Stdout: []byte("-I/usr/include/opencv4 \"-DA=b c\"\n")}, nil
	case slices.Contains(cmd.Argv, "--build"):
		return host.Output{}, os.WriteFile(filepath.Join(cmd.Dir, compile.Exe()), []byte("cmake"), 0o700)
	case tool == "g++":
		return host.Output{}, os.WriteFile(filepath.Join(cmd.Dir, compile.Exe()), []byte("pkg-config"), 0o700)
	}
	return host.Output{}, nil
}

func (m *machine) program(cmd host.Command) (host.Output, error) {
	if m.dies != "" {
		return host.Output{Stderr: []byte(m.dies), Exit: 127}, nil
	}
	made, err := os.ReadFile(cmd.Argv[0])
	if err != nil {
		return host.Output{}, err
	}
	var j engine.Job
	if err := json.Unmarshal(cmd.Stdin, &j); err != nil || j.Target != "cpu" {
		return host.Output{Exit: 1}, err
	}
	a := engine.Answer{Schema: engine.Schema, Versions: map[string]string{"opencv": "4.6.0"}, Libraries: m.loads[string(made)]}
	if m.version != "" {
		a.Error = "OpenCV's headers are of " + m.version + ", and the library that was loaded is 4.6.0"
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return host.Output{}, err
	}
	return host.Output{}, os.WriteFile(j.AnswerFile, raw, 0o600)
}

// builder is one for an OpenCV in a folder of the test's, with all tools.
func builder(t *testing.T, m *machine) *Builder {
	t.Helper()
	dir := t.TempDir()
	own := filepath.Join(dir, "libopencv_core.so.406")
	if err := os.WriteFile(own, []byte("own"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m.loads == nil {
		m.loads = map[string][]string{"cmake": {own}, "pkg-config": {own}}
	}
	c := &engine.Copy{Name: "OpenCV", Version: "4.6.0", Prefixes: []string{"libopencv_"}, File: own}
	return &Builder{
		Engine: "opencv", Process: m, Cache: t.TempDir(), Target: engine.Target{Name: "cpu", Backend: "opencv"},
		Tools: Tools{CMake: "/usr/bin/cmake", Ninja: "/usr/bin/ninja", PkgConfig: "/usr/bin/pkg-config", Compiler: []string{"/usr/bin/g++"}, Versions: "g++ 12.2.0"},
		Library: Library{
			Name: "OpenCV", Component: "opencv", Package: "OpenCV", Module: "opencv4", Version: "4.6.0", File: own, ConfigDir: "/opt/cv/cmake", PkgDir: "/opt/cv/pc",
			Headers: "opencv2/", Install: "install libopencv-dev", Standard: 11,
		},
		Source: []fs.FS{fstest.MapFS{"main.cpp": {Data: []byte("int main() {}")}, "CMakeLists.txt": {Data: []byte("project(worker)")}}},
		Getenv: func(string) (string, bool) { return "", false },
		Worker: func(exe string) engine.Worker {
			return engine.Worker{Engine: "opencv", Argv: []string{exe}, Copy: c, Runs: engine.Runs{Component: "opencv", Display: "OpenCV"}}
		},
	}
}

func TestBothWays(t *testing.T) {
	m := &machine{}
	b := builder(t, m)
	w, err := b.Prepare(t.Context(), engine.Silent{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile(w.Argv[0])
	if err != nil || string(made) != "cmake" || !w.Built || w.BuildTime <= 0 {
		t.Errorf("%s, %v, %+v", made, err, w)
	}
	if len(w.Notes) != 1 || !strings.Contains(w.Notes[0], "with pkg-config as well; both load the same") {
		t.Errorf("notes %q", w.Notes)
	}
	for _, name := range []string{"main.cpp", "CMakeLists.txt", "worker.hpp", "worker.cpp", "json.hpp", "peak.cpp"} {
		if _, err := os.Stat(filepath.Join(filepath.Dir(w.Argv[0]), name)); err != nil {
			t.Error(err)
		}
	}
	configure, compiler := m.calls[0], slices.IndexFunc(m.calls, func(c host.Command) bool { return filepath.Base(c.Argv[0]) == "g++" })
	if !slices.Contains(configure.Argv, "Ninja") || configure.Argv[len(configure.Argv)-1] != ".." || !slices.Contains(configure.Env, "LC_ALL=C") || !slices.Contains(configure.Env, "CXX=/usr/bin/g++") {
		t.Errorf("%q %q", configure.Argv, configure.Env)
	}
	for _, want := range []string{"-std=gnu++11", "-pthread", "-I/usr/include/opencv4", "-DA=b c", "-lopencv_dnn"} {
		if !slices.Contains(m.calls[compiler].Argv, want) {
			t.Errorf("%q lacks %s", m.calls[compiler].Argv, want)
		}
	}
	before := len(m.calls)
	again, err := b.Prepare(t.Context(), engine.Silent{})
	if err != nil || again.Built || len(m.calls) != before+2 || !slices.Equal(again.Notes, w.Notes) {
		t.Errorf("second time: %v, %d more calls, %+v", err, len(m.calls)-before, again)
	}
	// Another folder to look in is another program.
	b.Getenv = func(name string) (string, bool) { return "/opt/other", name == "CMAKE_PREFIX_PATH" }
	if other, err := b.Prepare(t.Context(), engine.Silent{}); err != nil || !other.Built || other.Argv[0] == w.Argv[0] {
		t.Errorf("another CMAKE_PREFIX_PATH: %v, %+v", err, other)
	}
	b.Fresh = true
	if fresh, err := b.Prepare(t.Context(), engine.Silent{}); err != nil || !fresh.Built {
		t.Errorf("fresh: %v, %+v", err, fresh)
	}
}

const noConfig = `CMake Error at CMakeLists.txt:7 (find_package):
  By not providing "FindOpenCV.cmake" in CMAKE_MODULE_PATH this project has
  asked CMake to find a package configuration file provided by "OpenCV", but
  CMake did not find one.

  Could not find a package configuration file provided by "OpenCV" with any of
  the following names:

    OpenCVConfig.cmake
    opencv-config.cmake


-- Configuring incomplete, errors occurred!
`

// TestOneWay: what fails in one way is told, and the other is the proof.
func TestOneWay(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(b *Builder, m *machine)
		made   string // by which way
		notes  []string
	}{
		{"find_package finds nothing", func(_ *Builder, m *machine) { m.log = map[string]string{"cmake": noConfig} }, "pkg-config",
			[]string{"built with pkg-config; with CMake it fails: find_package(OpenCV) finds nothing, though its CMake package is in /opt/cv/cmake. To fix it: pass -DOpenCV_DIR=/opt/cv/cmake"}},
		{"pkg-config finds nothing", func(_ *Builder, m *machine) {
			m.log = map[string]string{"pkg-config": "Package opencv4 was not found in the pkg-config search path.\n"}
		}, "cmake", []string{"with pkg-config it fails: pkg-config does not find opencv4.pc, which is in /opt/cv/pc", "PKG_CONFIG_PATH"}},
		{"neither finds it without help", func(_ *Builder, m *machine) {
			m.config, m.log = noConfig, map[string]string{"pkg-config": "Package opencv4 was not found in the pkg-config search path.\n"}
		}, "cmake", []string{"built with cmake -DOpenCV_DIR=/opt/cv/cmake; with CMake it fails", "built with cmake -DOpenCV_DIR=/opt/cv/cmake; with pkg-config it fails"}},
		{"find_package finds another copy", func(_ *Builder, m *machine) { m.loads["cmake"] = []string{"/opt/other/libopencv_core.so.410"} }, "pkg-config",
			[]string{"a program built with CMake loads OpenCV 4.6.0 (/opt/other/libopencv_core.so.410), one built with pkg-config 4.6.0", "depending on its build system"}},
		{"both find another copy", func(_ *Builder, m *machine) {
			m.loads["cmake"], m.loads["pkg-config"] = []string{"/opt/other/libopencv_core.so.410"}, []string{"/opt/other/libopencv_core.so.410"}
		}, "cmake", nil},
		{"no CMake", func(b *Builder, _ *machine) { b.Tools.CMake = "" }, "pkg-config", nil},
		{"no pkg-config", func(b *Builder, _ *machine) { b.Tools.PkgConfig = "" }, "cmake", nil},
		{"no compiler for pkg-config's flags", func(b *Builder, _ *machine) { b.Tools.Compiler = nil }, "cmake", nil},
	} {
		m := &machine{}
		b := builder(t, m)
		c.change(b, m)
		w, err := b.Prepare(t.Context(), engine.Silent{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		made, err := os.ReadFile(w.Argv[0])
		if err != nil || string(made) != c.made {
			t.Errorf("%s: built by %s, %v", c.name, made, err)
		}
		all := strings.Join(w.Notes, "\n")
		for _, want := range c.notes {
			if !strings.Contains(all, want) {
				t.Errorf("%s: notes %q lack %q", c.name, w.Notes, want)
			}
		}
	}
}

// TestUnavailable: what keeps the worker from being had is a sentence with a fix.
func TestUnavailable(t *testing.T) {
	noHeader := "main.cpp:8:10: fatal error: opencv2/dnn.hpp: No such file or directory\n"
	for _, c := range []struct {
		name   string
		change func(b *Builder, m *machine)
		why    []string
		broken bool
	}{
		{"no tools", func(b *Builder, _ *machine) { b.Tools = Tools{} }, []string{"there is no C++ compiler"}, false},
		{"no CMake for a library without .pc", func(b *Builder, _ *machine) { b.Tools.CMake, b.Library.Module = "", "" }, []string{"there is no CMake"}, false},
		{"compiles in neither way", func(_ *Builder, m *machine) { m.log = map[string]string{"g++": noHeader, "cmake": noConfig} },
			[]string{"with pkg-config: OpenCV 4.6.0 here lacks the header opencv2/dnn.hpp", "with CMake: find_package(OpenCV) finds nothing"}, true},
		{"dies when it loads", func(_ *Builder, m *machine) {
			m.dies = "worker: error while loading shared libraries: libopencv_dnn.so.406: cannot open shared object file: No such file or directory\n"
		}, []string{"the program is built, and then the shared library libopencv_dnn.so.406 is not where the loader looks"}, true},
		{"headers of another release", func(_ *Builder, m *machine) { m.version = "4.10.0" }, []string{"headers are of 4.10.0"}, true},
		{"hangs", func(b *Builder, m *machine) { m.hang, b.Limit = true, time.Millisecond }, []string{"did not end within"}, false},
	} {
		m := &machine{}
		b := builder(t, m)
		c.change(b, m)
		_, err := b.Prepare(t.Context(), engine.Silent{})
		var u *engine.Unavailable
		if !errors.As(err, &u) || u.Fix == "" || u.Broken != c.broken {
			t.Errorf("%s: %v, %+v", c.name, err, u)
			continue
		}
		for _, want := range c.why {
			if !strings.Contains(u.Why, want) {
				t.Errorf("%s: %q lacks %q", c.name, u.Why, want)
			}
		}
		if u.Log != "" {
			if raw, err := os.ReadFile(u.Log); err != nil || len(raw) == 0 {
				t.Errorf("%s: log %v", c.name, err)
			}
		}
	}
}

func TestStopped(t *testing.T) {
	m := &machine{hang: true}
	b := builder(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := b.Prepare(ctx, engine.Silent{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	left, err := filepath.Glob(filepath.Join(b.Cache, "workers", "opencv", "*.build-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                      nil,
		" -I/a  -lb\n":                          {"-I/a", "-lb"},
		`-I/with\ blank -DX="a b" -DY='c\d' ""`: {"-I/with blank", "-DX=a b", `-DY=c\d`, ""},
		`-DZ=\"q\"`:                             {`-DZ="q"`},
	} {
		if diff := cmp.Diff(want, Words(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestFindTools(t *testing.T) {
	all := map[string][]facts.Instance{}
	for _, name := range []string{"cmake", "ninja", "pkg-config", "g++", "clang++", "msvc"} {
		all[name] = []facts.Instance{{Version: "1", Path: "/usr/bin/" + name, Active: true}}
	}
	onlyClang := map[string][]facts.Instance{"clang++": all["clang++"], "g++": {{Path: "/opt/g++"}}}
	for _, c := range []struct {
		name, family, cxx string
		components        map[string][]facts.Instance
		mingw             bool
		compiler          []string
	}{
		{"Linux", "linux", "", all, false, []string{"/usr/bin/g++"}},
		{"Linux with clang only", "linux", "", onlyClang, false, []string{"/usr/bin/clang++"}},
		{"CXX", "linux", "ccache clang++-17", all, false, []string{"ccache", "clang++-17"}},
		{"Visual Studio", "windows", "", all, false, nil},
		{"MinGW", "windows", "", all, true, []string{"/usr/bin/g++"}},
		{"nothing", "linux", "", nil, false, nil},
	} {
		m := engine.Machine{Facts: &facts.Facts{OS: facts.OS{Family: c.family}, Components: c.components},
			Getenv: func(name string) (string, bool) { return c.cxx, name == "CXX" && c.cxx != "" }}
		got := FindTools(m, c.mingw)
		if !slices.Equal(got.Compiler, c.compiler) || (got.CMake == "") != (len(c.components["cmake"]) == 0) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
