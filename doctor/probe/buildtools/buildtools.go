// Package buildtools finds the tools that a build needs beside compilers:
// every copy of cmake, ninja, make, pkg-config, git, go, python, ccache, nasm,
// bazel, protoc and swig on PATH and in the folders where installers put them.
// Versions come from files where one tells. It must never judge.
//
// Active is the copy that its name finds first on PATH. Attrs: real (after
// links and shims), shim (pyenv), implementation (pkgconf), goroot, venv, vendor
// (apple).
package buildtools

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// Provides are the component names of this probe.
func Provides() []string {
	var names []string
	for _, t := range tools() {
		names = append(names, t.component)
	}
	return names
}

// tool is how one component is found and told its version.
type tool struct {
	component string
	// names are the programs, the usual one first.
	names []string
	// file tells the version without running anything, where it can; it may
	// also say that a copy is none (errNotOne).
	file func(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) error
	// args make it say its version; nil means that it must not be run.
	args []string
	says *regexp.Regexp
}

func tools() []tool {
	number := `(\d+(?:\.\d+)+)`
	say := func(before string) *regexp.Regexp { return regexp.MustCompile(`(?m)` + before + number) }
	version := []string{"--version"}
	return []tool{
		{component: "cmake", names: []string{"cmake", "cmake3"}, args: version, says: say(`cmake\d? version `)},
		{component: "ninja", names: []string{"ninja", "ninja-build"}, args: version, says: say(`^`)},
		{component: "make", names: []string{"make", "gmake", "mingw32-make"}, args: version, says: say(`GNU Make `)},
		{component: "pkg-config", names: []string{"pkg-config", "pkgconf"}, args: version, says: say(`^`)},
		{component: "git", names: []string{"git"}, args: version, says: say(`git version `)},
		{component: "go", names: []string{"go"}, file: goVersion, args: []string{"version"}, says: regexp.MustCompile(`go version go(\d+(?:\.\d+)+(?:rc\d+|beta\d+)?)`)},
		{component: "python", names: []string{"python3", "python"}, file: pythonVersion, args: version, says: say(`Python `)},
		{component: "ccache", names: []string{"ccache"}, args: version, says: say(`ccache version v?`)},
		{component: "nasm", names: []string{"nasm"}, args: []string{"-v"}, says: say(`NASM version `)},
		// bazel starts a server and bazelisk downloads: neither is run.
		{component: "bazel", names: []string{"bazel", "bazelisk"}, file: bazelVersion},
		{component: "protoc", names: []string{"protoc"}, args: version, says: say(`libprotoc `)},
		{component: "swig", names: []string{"swig", "swig4.0", "swig3.0"}, args: []string{"-version"}, says: say(`SWIG Version `)},
	}
}

// errNotOne marks a file that only looks like the tool it is named after.
var errNotOne = errors.New("not this tool")

type found struct {
	tool tool
	copy look.Copy
	inst facts.Instance
	err  error
}

// Probe finds build tools. A copy that does not work has no version, and a
// facts.Problem says why.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	var names []string
	for _, t := range tools() {
		names = append(names, t.names...)
	}
	index := look.NewIndex(ctx, h, look.Names(names...))
	var list []found
	for _, t := range tools() {
		for _, c := range index.Find(ctx, t.names, folders(ctx, h, t.component)...) {
			list = append(list, found{tool: t, copy: c})
		}
	}
	crashed := look.Parallel(len(list), func(i int) {
		list[i].inst, list[i].err = inspect(ctx, h, list[i].tool, list[i].copy)
	})
	f := facts.Facts{Components: map[string][]facts.Instance{}}
	seen := map[string]bool{}
	for _, l := range list {
		if errors.Is(l.err, errNotOne) {
			continue
		}
		// A shim and the program behind it, or two shims for one, are one copy.
		key := l.tool.component + " " + l.copy.Real
		if real := l.inst.Attrs["real"]; real != "" {
			key = l.tool.component + " " + real
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		if l.err != nil {
			f.Problems = append(f.Problems, facts.Problem{Probe: "buildtools", Covers: []string{l.tool.component}, Error: l.err.Error()})
		}
		if first := !hasActive(f.Components[l.tool.component]); first && l.copy.OnPath {
			l.inst.Active, l.inst.Via = true, []string{"PATH"}
		}
		f.Add(l.tool.component, l.inst)
	}
	return f, errors.Join(ctx.Err(), crashed)
}

func hasActive(list []facts.Instance) bool {
	for _, i := range list {
		if i.Active {
			return true
		}
	}
	return false
}

func inspect(ctx context.Context, h *host.Host, t tool, c look.Copy) (facts.Instance, error) {
	inst := facts.Instance{Path: c.Path, Attrs: map[string]string{}}
	if c.Real != c.Path {
		inst.Attrs["real"] = c.Real
	}
	run := c.Path
	if h.OS == "darwin" && strings.HasPrefix(c.Path, "/usr/bin/") && appleStub(t.component) {
		real, ok := look.AppleTool(ctx, h, c.Name)
		if !ok {
			return inst, errNotOne // a stub that would only offer to install the tools
		}
		inst.Attrs["real"], run = real, real
	}
	if t.file != nil {
		if err := t.file(ctx, h, c, &inst); err != nil {
			return inst, err
		}
		if inst.Version != "" || t.args == nil {
			return inst, nil
		}
		if real := inst.Attrs["real"]; inst.Attrs["shim"] != "" && real != "" {
			run = real
		}
	}
	version, evidence, text, err := look.Ask(ctx, h, append([]string{run}, t.args...), t.says)
	inst.Evidence = append(inst.Evidence, evidence)
	if err != nil {
		return inst, fmt.Errorf("ask %s for its version: %w", c.Path, err)
	}
	inst.Version = version
	if t.component == "pkg-config" && (h.Base(c.Real) == "pkgconf" || strings.HasPrefix(version, "1.") || strings.HasPrefix(version, "2.")) {
		inst.Attrs["implementation"] = "pkgconf" // the original stops at 0.29.2
	}
	if t.component == "git" && strings.Contains(text, "Apple Git") {
		inst.Attrs["vendor"] = "apple"
	}
	return inst, nil
}

func appleStub(component string) bool {
	switch component {
	case "git", "make", "python":
		return true
	}
	return false
}

// folders are where installers put a tool without PATH knowing.
func folders(ctx context.Context, h *host.Host, component string) []string {
	switch h.OS {
	case "linux":
		switch component {
		case "go":
			dirs := []string{"/usr/local/go/bin"}
			for _, dir := range h.Glob(ctx, "/usr/lib", "go-1.*") {
				dirs = append(dirs, dir+"/bin")
			}
			return dirs
		case "cmake":
			return []string{"/opt/cmake/bin"}
		}
	case "darwin":
		dirs := []string{"/opt/homebrew/bin", "/usr/local/bin"}
		switch component {
		case "cmake":
			dirs = append(dirs, "/Applications/CMake.app/Contents/bin")
		case "go":
			dirs = append(dirs, "/usr/local/go/bin")
		}
		return dirs
	case "windows":
		return windowsFolders(ctx, h, component)
	}
	return nil
}

// windowsFolders: what installers wrote into the registry, and their defaults.
func windowsFolders(ctx context.Context, h *host.Host, component string) []string {
	value := func(key, view, name string) string {
		k, err := h.RegistryKey(ctx, key, view)
		if err != nil {
			return ""
		}
		return k.Values[name].String
	}
	var dirs []string
	add := func(dir string, below ...string) {
		if dir != "" {
			dirs = append(dirs, h.Join(append([]string{dir}, below...)...))
		}
	}
	programs := look.EnvPath(h, "ProgramFiles")
	if programs == "" {
		programs = `C:\Program Files`
	}
	switch component {
	case "cmake":
		for _, view := range []string{"64", "32"} {
			add(value(`HKLM\SOFTWARE\Kitware\CMake`, view, "InstallDir"), "bin")
		}
		add(programs, `CMake\bin`)
	case "git":
		add(value(`HKLM\SOFTWARE\GitForWindows`, "64", "InstallPath"), "cmd")
		add(programs, `Git\cmd`)
	case "go":
		add(programs, `Go\bin`)
		add(`C:\Go\bin`)
	case "python":
		for _, root := range []string{`HKCU\SOFTWARE\Python\PythonCore`, `HKLM\SOFTWARE\Python\PythonCore`} {
			k, err := h.RegistryKey(ctx, root, "64")
			if err != nil {
				continue
			}
			const most = 30
			for _, v := range k.Subkeys[:min(len(k.Subkeys), most)] {
				add(value(root+`\`+v+`\InstallPath`, "64", "")) // the key's default value
			}
		}
	case "nasm":
		add(programs, "NASM")
	}
	return dirs
}

var goVersionLine = regexp.MustCompile(`^go(\d+(?:\.\d+)*(?:rc\d+|beta\d+)?)\s`)

// goVersion reads GOROOT/VERSION beside the program's bin folder.
func goVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) error {
	name := h.Join(h.DirOf(h.DirOf(c.Real)), "VERSION")
	const enough = 4 << 10
	data, _, err := h.ReadFile(ctx, name, enough)
	if err != nil {
		return nil // a shim or a distribution's own layout: it will be asked
	}
	if m := goVersionLine.FindStringSubmatch(string(data) + "\n"); m != nil {
		inst.Version = m[1]
		inst.Attrs["goroot"] = h.DirOf(h.DirOf(c.Real))
		inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: name, Detail: look.FirstLine(string(data))})
	}
	return nil
}

// bazelVersion: only the variable that pins bazelisk's choice is read.
func bazelVersion(_ context.Context, h *host.Host, c look.Copy, inst *facts.Instance) error {
	if m := bazelFile.FindStringSubmatch(h.Base(c.Real)); m != nil {
		inst.Version = m[1]
		inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: c.Real})
		return nil
	}
	if v := look.Clean(h.Env("USE_BAZEL_VERSION")); v != "" {
		inst.Version = v
		inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "env", Source: "USE_BAZEL_VERSION", Detail: v})
		return nil
	}
	inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: c.Path, Detail: "not run: bazel starts a server, bazelisk downloads"})
	return nil
}

var bazelFile = regexp.MustCompile(`^bazel-(\d+\.\d+\.\d+)`)
