package environment

import (
	"path"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// python notes the variables by which a Python starts without its own library, or
// imports modules that were made for another, and a virtual environment whose Python
// is gone.
func (p *prober) python() {
	p.pythonHome()
	p.pythonPath()
	p.venv()
}

// pythonHome notes PYTHONHOME, in place of which Python looks for nothing (Python
// documentation, "Environment variables"). The detail names the Pythons whose library
// is there.
func (p *prober) pythonHome() {
	const name = "PYTHONHOME"
	home := p.h.Env(name)
	if home == "" {
		return
	}
	var inside []string
	if p.h.Windows() {
		for _, file := range p.h.Glob(p.ctx, strings.TrimRight(home, `\/`), "python*.dll") {
			if m := dllOfPython.FindStringSubmatch(strings.ToLower(p.h.Base(file))); m != nil {
				inside = append(inside, m[1]+"."+m[2])
			}
		}
	} else {
		dir, _, _ := strings.Cut(home, ":") // prefix:exec_prefix
		for _, file := range p.h.Glob(p.ctx, path.Join(dir, "lib"), "python*") {
			if v, ok := strings.CutPrefix(path.Base(file), "python"); ok && strings.Contains(v, ".") {
				inside = append(inside, v)
			}
		}
	}
	p.note(name, home, facts.PythonHome, strings.Join(inside, " "))
}

var (
	dllOfPython    = lazyregexp.New(`^python([23])([0-9]+)\.dll$`)
	folderOfPython = lazyregexp.New(`(?i)[/\\]python([23])\.?([0-9]+)[/\\]`)
)

// pythonPath notes a folder in PYTHONPATH that is named for a Python and has a module
// of OpenCV or NumPy: every Python imports it before its own. ROS's setup.bash puts one
// there (ros-perception/vision_opencv issue 196). The detail is that Python's version.
func (p *prober) pythonPath() {
	const name = "PYTHONPATH"
	separator := ":"
	if p.h.Windows() {
		separator = ";"
	}
	for dir := range strings.SplitSeq(p.h.Env(name), separator) {
		m := folderOfPython.FindStringSubmatch(dir + "/")
		if m == nil || !look.IsPath(dir) {
			continue
		}
		for _, module := range []string{"cv2", "cv2.so", "cv2.pyd", "cv2.cpython-*", "numpy"} {
			if len(p.h.Glob(p.ctx, dir, module)) > 0 {
				p.note(name, dir, facts.PythonPath, m[1]+"."+m[2])
				return
			}
		}
	}
}

// venv notes an active virtual environment whose Python is not here: an upgrade
// removed the one that it was made from. The detail is where that was.
func (p *prober) venv() {
	const name = "VIRTUAL_ENV"
	dir := p.h.Env(name)
	if !look.IsPath(dir) {
		return
	}
	home := ""
	for line := range strings.Lines(p.text(p.h.Join(dir, "pyvenv.cfg"))) {
		if key, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == "home" {
			home = strings.TrimSpace(value)
		}
	}
	if !look.IsPath(home) {
		return
	}
	programs := []string{p.h.Join(dir, "bin", "python3"), p.h.Join(dir, "bin", "python")}
	if p.h.Windows() { // a program of the environment's own, which starts the other
		programs = []string{p.h.Join(home, "python.exe")}
	}
	for _, program := range programs {
		if info, err := p.h.Stat(p.ctx, program); err == nil && !info.Dir || err != nil && !host.IsNotExist(err) {
			return
		}
	}
	p.note(name, dir, facts.NoPython, home)
}

// toolchain notes a CMAKE_TOOLCHAIN_FILE that CMake 3.21 and newer read, and that is
// not here or is for another system (cmake-env-variables(7)).
func (p *prober) toolchain() {
	const name = "CMAKE_TOOLCHAIN_FILE"
	file := p.h.Env(name)
	if p.h.Windows() {
		file = strings.ReplaceAll(file, "/", `\`)
	}
	if !look.IsPath(file) {
		return
	}
	if _, err := p.h.Stat(p.ctx, file); host.IsNotExist(err) {
		p.note(name, file, facts.NoToolchain, "")
		return
	}
	low := strings.ToLower(strings.ReplaceAll(file, `\`, "/"))
	for part, system := range map[string]string{"android": "Android", "emscripten": "WebAssembly", "ios": "iOS"} {
		if base := path.Base(low); strings.HasPrefix(base, part+".") || strings.HasPrefix(base, part+"-") {
			p.note(name, file, facts.OtherToolchain, system)
		}
	}
}

// goToolchain notes the setting by which Go does not fetch the newer Go that a go.mod
// asks for: GOTOOLCHAIN, which golang's images set, or the go.env of a distribution's
// Go (Go Toolchains, "GOTOOLCHAIN").
func (p *prober) goToolchain() {
	const name = "GOTOOLCHAIN"
	value := p.goVariable(name)
	if value == "" {
		found := p.h.LookPath(p.ctx, "go")
		if len(found) == 0 {
			return
		}
		root := p.h.DirOf(p.h.DirOf(p.h.Real(p.ctx, found[0])))
		for line := range strings.Lines(p.text(p.h.Join(root, "go.env"))) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
				value = v
			}
		}
	}
	if value == "local" || value == "path" {
		p.note(name, value, facts.LocalToolchain, "")
	}
}
