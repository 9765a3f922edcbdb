// Package tools finds the programs that builds and installations need beside
// compilers: build tools (cmake, ninja, git, python …), and the package managers
// of the system and those that a user brings along. Most versions come from
// files, as many of the programs are slow to start. It must never judge, and never
// asks a package manager for its packages.
//
// Active is the copy that its name finds first on PATH. Attrs: real (after links
// and shims), shim (pyenv), goroot, venv, vendor (apple), root (vcpkg, conda, brew's
// prefix), package (the version as the distribution writes it).
package tools

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// The groups of the table; each is a probe, so that they run side by side.
const (
	BuildTools = "buildtools"
	Packagers  = "packagers"
)

// Probe is the probe of one group. A copy that does not work has no version, and
// a facts.Problem says why.
func Probe(group string) probe.Probe {
	rows := table()[group]
	var names []string
	for _, t := range rows {
		names = append(names, t.component)
	}
	return probe.Probe{Name: group, Provides: names, Run: func(ctx context.Context, h *host.Host) (facts.Facts, error) {
		return find(ctx, h, group, rows)
	}}
}

// errNotOne marks a file that only looks like the tool it is named after.
var errNotOne = lang.New("not this tool")

type found struct {
	tool *tool
	copy look.Copy
	inst facts.Instance
	err  error
}

func find(ctx context.Context, h *host.Host, group string, rows []tool) (facts.Facts, error) {
	var names []string
	for i := range rows {
		if other := h.Env(rows[i].variable); other != "" {
			rows[i].names = []string{strings.TrimSuffix(h.Base(other), ".exe")}
		}
		names = append(names, rows[i].names...)
	}
	index := look.NewIndex(ctx, h, look.Names(names...))
	var list []found
	var debs, stale []string
	if h.Windows() { // an error is the operating system's probe's to tell
		stale, _, _ = look.StalePath(ctx, h)
	}
	for i := range rows {
		t := &rows[i]
		if t.on != "" && t.on != h.OS {
			continue
		}
		for _, c := range index.Find(ctx, t.names, append(t.folders(ctx, h, group), stale...)...) {
			list = append(list, found{tool: t, copy: c})
			if t.deb != "" {
				debs = append(debs, t.deb)
			}
		}
	}
	var packages map[string]string
	var failed error
	if len(debs) > 0 {
		packages, failed = look.Dpkg(ctx, h, debs...)
		if host.IsNotExist(failed) {
			failed = nil
		}
	}
	crashed := look.Parallel(len(list), func(i int) {
		list[i].inst, list[i].err = inspect(ctx, h, list[i].tool, list[i].copy, packages[list[i].tool.deb])
	})
	f := facts.Facts{Components: map[string][]facts.Instance{}}
	seen, active := map[string]bool{}, map[string]bool{}
	for _, l := range list {
		name := l.tool.component
		key := name + " " + l.same()
		if errors.Is(l.err, errNotOne) || seen[key] {
			continue
		}
		seen[key] = true
		if l.err != nil {
			f.Problems = append(f.Problems, facts.Problem{Probe: group, Covers: []string{name}, Error: l.err.Error()})
		}
		if l.copy.OnPath && !active[name] {
			active[name] = true
			l.inst.Active, l.inst.Via = true, []string{"PATH"}
		}
		f.Add(name, l.inst)
	}
	return f, errors.Join(failed, crashed)
}

// same is equal for the names of one copy: a shim and the program behind it, and
// pip and pip3, which are two scripts for one package.
func (l *found) same() string {
	if e := l.inst.Evidence; len(e) > 0 && strings.HasSuffix(e[0].Source, ".dist-info") {
		return e[0].Source
	}
	return cmp.Or(l.inst.Attrs["real"], l.copy.Real)
}

func inspect(ctx context.Context, h *host.Host, t *tool, c look.Copy, deb string) (facts.Instance, error) {
	inst := facts.Instance{Path: c.Path, Attrs: map[string]string{}}
	run := c.Path
	if h.OS == "darwin" && strings.HasPrefix(c.Path, "/usr/bin/") && t.appleStub {
		real, ok := look.AppleTool(ctx, h, c.Name)
		if !ok {
			return inst, errNotOne // a stub that would only offer to install the tools
		}
		inst.Attrs["real"], run = real, real
	} else if c.Real != c.Path {
		inst.Attrs["real"] = c.Real
	}
	if t.shims {
		if shim, ok := look.ShimOf(ctx, h, c); ok {
			if shim.Target == "" {
				return inst, errNotOne // it stands for the next one on PATH
			}
			inst.Attrs["shim"], inst.Attrs["real"] = shim.Manager, shim.Target
			run, c.Real = shim.Target, shim.Target
			if t.component == "python" {
				inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: shim.Source, Detail: shim.Target})
			}
		}
	}
	if deb != "" && strings.HasPrefix(c.Path, "/usr/") {
		inst.Version = look.Upstream(deb)
		inst.Attrs["package"] = deb
		inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: look.DpkgStatus, Detail: t.deb + " " + deb})
		return inst, nil
	}
	if t.file != nil {
		t.file(ctx, h, c, &inst)
	}
	if inst.Version != "" || t.args == nil || t.only != "" && h.Base(c.Real) != t.only {
		if len(inst.Evidence) == 0 {
			inst.Evidence = []facts.Evidence{{Kind: "file", Source: c.Path}}
		}
		return inst, nil
	}
	if gone := look.Interpreter(ctx, h, run); gone != "" {
		inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: run, Detail: "#!" + gone})
		inst.Unusable = &facts.Unusable{Reason: facts.MissingFile, Detail: lang.F("%s is a script for %s, which is not here", run, gone), Remedy: t.repair(h, c, "")}
		return inst, nil
	}
	version, evidence, text, err := look.Ask(ctx, h, append([]string{run}, t.args...), t.says)
	inst.Evidence = append(inst.Evidence, evidence)
	var broken *look.UnusableError
	if errors.As(err, &broken) && broken.Ran {
		inst.Unusable = &facts.Unusable{Reason: facts.Broken, Detail: broken.Error(), Remedy: t.repair(h, c, broken.Said)}
	}
	if err != nil && (broken == nil || !broken.Ran) && t.component == "python" && h.Windows() && pythonOfDLL(ctx, h, c, &inst) {
		return inst, nil
	}
	if err != nil {
		return inst, lang.Errorf("ask %s for its version: %w", c.Path, err)
	}
	inst.Version = version
	if m := goPlatform.FindStringSubmatch(text); t.component == "go" && m != nil {
		inst.Makes.Target = m[1]
	}
	if t.component == "git" && strings.Contains(text, "Apple Git") {
		inst.Attrs["vendor"] = "apple"
	}
	return inst, nil
}

// repair says what to do about a copy that does not work; said is what it says when it is run.
func (t *tool) repair(h *host.Host, c look.Copy, said string) string {
	again := lang.T("Install it again with the package manager of this system.")
	if !strings.HasPrefix(c.Path, "/usr/bin/") && !strings.HasPrefix(c.Path, "/bin/") {
		again = lang.F("Remove %s, or install it again.", c.Path)
		if !h.Windows() && slices.Contains([]string{"cmake", "ninja"}, t.component) {
			again = lang.F("Remove %s, or install it again (with pip: pip install --force-reinstall %s).", c.Path, t.component)
		}
	}
	loading := slices.ContainsFunc([]string{"loading shared libraries", "symbol lookup error", "not found (required by"}, func(words string) bool { return strings.Contains(said, words) })
	if loading && h.Env("LD_LIBRARY_PATH") != "" {
		return lang.F("unset LD_LIBRARY_PATH, by which it gets other libraries than it was built with. If it still fails: %s", again)
	}
	return again
}

// folders are where installers put a tool without PATH knowing.
func (t *tool) folders(ctx context.Context, h *host.Host, group string) []string {
	var dirs []string
	if h.Windows() {
		for _, r := range t.registry {
			for _, view := range []string{"64", "32"} {
				dirs = append(dirs, registered(ctx, h, r, view)...)
			}
		}
	}
	if h.OS == "darwin" && group == BuildTools {
		dirs = append(dirs, "/opt/homebrew/bin", "/usr/local/bin")
	}
	patterns := t.places[h.OS]
	if !h.Windows() {
		patterns = append(patterns[:len(patterns):len(patterns)], t.places["unix"]...)
	}
	for _, p := range patterns {
		if name, ok := strings.CutPrefix(p, "$"); ok {
			below := ""
			if i := strings.IndexAny(name, `/\`); i >= 0 {
				name, below = name[:i], name[i+1:]
			}
			base := look.EnvPath(h, name)
			if name == "ProgramFiles" {
				base = look.ProgramFiles(h)
			}
			if base == "" {
				continue
			}
			p = h.Join(base, below)
		}
		if parent := h.DirOf(p); strings.Contains(parent, "*") {
			for _, dir := range h.Glob(ctx, h.DirOf(parent), h.Base(parent)) {
				dirs = append(dirs, h.Join(dir, h.Base(p)))
			}
			continue
		}
		dirs = append(dirs, p)
	}
	return dirs
}

// registered are the folders that a value of the registry names; a key that ends
// in \* stands for all its subkeys.
func registered(ctx context.Context, h *host.Host, r registry, view string) []string {
	keys := []string{r.key}
	if top, ok := strings.CutSuffix(r.key, `\*`); ok {
		k, err := h.RegistryKey(ctx, top, view)
		if err != nil {
			return nil
		}
		keys = nil
		const most = 30
		for _, sub := range k.Subkeys[:min(len(k.Subkeys), most)] {
			keys = append(keys, top+`\`+sub+r.below)
		}
		r.below = ""
	}
	var out []string
	for _, key := range keys {
		k, err := h.RegistryKey(ctx, key, view)
		if dir := k.Values[r.value].String; err == nil && dir != "" {
			out = append(out, h.Join(dir, r.below))
		}
	}
	return out
}

var goVersionLine = lazyregexp.New(`^go(\d+(?:\.\d+)*(?:rc\d+|beta\d+)?)\s`)

// goPlatform is what go version ends with: the system and architecture that it
// builds for.
var goPlatform = lazyregexp.New(`(?m)^go version \S+.* [a-z0-9]+/([a-z0-9]+)\s*$`)

// machOArch is the architecture of a Mac's program (mach-o/loader.h, cputype);
// "" for one of several.
func machOArch(ctx context.Context, h *host.Host, file string) string {
	const header = 8
	data, _, err := h.ReadFile(ctx, file, header)
	if err != nil || len(data) < header || binary.LittleEndian.Uint32(data) != 0xfeedfacf {
		return ""
	}
	return map[uint32]string{0x01000007: "amd64", 0x0100000c: "arm64"}[binary.LittleEndian.Uint32(data[4:])]
}

// goVersion reads GOROOT/VERSION beside the program's bin folder.
func goVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	name := h.Join(h.DirOf(h.DirOf(c.Real)), "VERSION")
	const enough = 4 << 10
	data, _, err := h.ReadFile(ctx, name, enough)
	if err != nil {
		return // a shim or a distribution's own layout: it will be asked
	}
	if m := goVersionLine.FindStringSubmatch(string(data) + "\n"); m != nil {
		inst.Version = m[1]
		if h.OS == "darwin" {
			inst.Makes.Target = machOArch(ctx, h, c.Real)
			if inst.Makes.Target == "" { // for both processors: what it runs as decides
				if arch, said, _, err := look.Ask(ctx, h, []string{c.Path, "version"}, goPlatform.Get()); err == nil {
					inst.Makes.Target = arch
					inst.Evidence = append(inst.Evidence, said)
				}
			}
		}
		if h.Windows() { // the tools' folder names what they make programs for
			for _, arch := range []string{"386", "amd64", "arm64"} {
				if h.Exists(ctx, h.Join(h.DirOf(name), `pkg\tool\windows_`+arch)) {
					inst.Makes.Target = arch
				}
			}
		}
		inst.Attrs["goroot"] = h.DirOf(h.DirOf(c.Real))
		inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: name, Detail: look.FirstLine(string(data))})
	}
}

// bazelVersion: only the variable that pins bazelisk's choice is read.
func bazelVersion(_ context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	if m := bazelFile.FindStringSubmatch(h.Base(c.Real)); m != nil {
		inst.Version = m[1]
		inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: c.Real})
		return
	}
	if v := look.Clean(h.Env("USE_BAZEL_VERSION")); v != "" {
		inst.Version = v
		inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "env", Source: "USE_BAZEL_VERSION", Detail: v})
		return
	}
	inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: c.Path, Detail: "not run: bazel starts a server, bazelisk downloads"})
}

var bazelFile = lazyregexp.New(`^bazel-(\d+\.\d+\.\d+)`)
