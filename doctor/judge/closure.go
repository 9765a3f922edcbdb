package judge

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// needsOf makes the relation for one cause of an unsatisfied need.
func needsOf(cause facts.Cause) relation {
	return func(e *evaluation, s subject) (map[string]string, bool) {
		return needVars(e, s, func(n facts.Need) bool {
			return n.Cause == cause && !(cause == facts.NotFound && n.Elsewhere != "")
		})
	}
}

// damages say what is wrong with a file that is no library, or not all of one.
var damages = map[facts.FileProblem]string{
	facts.EmptyFile:  "is empty",
	facts.CutShort:   "is cut short: its end is missing",
	facts.LFSPointer: "is a Git LFS pointer, not the library that it stands for",
	facts.WebPage:    "is a web page or a server's error message, not a library",
	facts.LinkText:   "is a text file with the name of another library, where a link should be",
}

// fileDamaged finds a library that is there and that no loader can use.
func fileDamaged(e *evaluation, s subject) (map[string]string, bool) {
	var list []facts.Need
	for _, n := range s.instance.Needs {
		provider := strings.HasPrefix(strings.ToLower(n.Name), "libonnxruntime_providers_cuda") || strings.HasPrefix(strings.ToLower(n.Name), "onnxruntime_providers_cuda")
		if n.Cause == facts.Damaged && lang.T(damages[n.Problem]) != "" && (!provider || e.usesCUDA()) {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil, false
	}
	n := list[0]
	vars := map[string]string{"copy": n.Found, "what": lang.T(damages[n.Problem]), "problem": string(n.Problem), "repository": n.Repository}
	if len(list) > 1 {
		vars["more"] = lang.F(", and so are %d more", len(list)-1)
		if len(list) == 2 {
			vars["more"] = lang.F(", and so is %s", list[1].Found)
		}
	}
	if e.facts.OS.Board == "jetson" && e.facts.OS.Container != "" && n.Problem == facts.EmptyFile {
		vars["jetson"] = "yes"
	}
	if n.Installed && e.manager() == "apt" {
		vars["packages"], vars["reinstall"] = n.Package, "yes"
	}
	if n.By == n.Found || n.By == facts.ByProgram {
		vars["own"] = s.name
	}
	return vars, true
}

// needElsewhere: it is on this machine, where the loader does not look.
func needElsewhere(e *evaluation, s subject) (map[string]string, bool) {
	return needVars(e, s, func(n facts.Need) bool { return n.Cause == facts.NotFound && n.Elsewhere != "" })
}

// needVars describes the needs that match; the first one stands for all.
func needVars(e *evaluation, s subject, match func(facts.Need) bool) (map[string]string, bool) {
	var list []facts.Need
	for _, n := range s.instance.Needs {
		// ONNX Runtime loads this part only when CUDA is asked for.
		if match(n) && (path.Base(n.By) != "libonnxruntime_providers_cuda.so" || e.usesCUDA()) {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil, false
	}
	n := list[0]
	vars := map[string]string{
		"library": n.Name, "by": n.By, "copy": n.Found, "lacks": n.Lacks, "through": n.Through, "elsewhere": n.Elsewhere, "other": n.Other,
	}
	if n.Found != "" {
		vars["folder"] = folderOf(n.Found)
		if prefix, ok := strings.CutSuffix(vars["folder"], "/lib"); ok && n.Through == "RPATH" && strings.Contains(n.By, prefix+"/lib/python") {
			vars["conda"] = prefix // conda's Python leads to conda's libraries
		}
		if inSystem32(vars["folder"]) {
			vars["copy-in-system"] = "yes"
		}
	}
	var names, missing, gone []string
	for _, n := range list {
		if !slices.Contains(names, n.Name) {
			names = append(names, n.Name)
		}
		switch {
		case n.Package == "":
		// Where another number is, a release of the system seldom has both.
		case n.Other != "" && !n.Installed && !strings.HasPrefix(n.By, "/usr/lib"):
		case n.Installed && !slices.Contains(gone, n.Package):
			gone = append(gone, n.Package)
		case !n.Installed && !slices.Contains(missing, n.Package):
			missing = append(missing, n.Package)
		}
	}
	if len(names) > 4 {
		names = append(names[:3], lang.F("%d more", len(names)-3))
	}
	if slices.ContainsFunc([]string{n.Found, s.instance.Path}, ofHomebrew) {
		vars["brew"] = "yes"
		// Where both Homebrews have it, the one of the other processor is only first on PATH.
		for _, other := range e.facts.Components[s.name] {
			if n.Cause == facts.OtherArch && strings.HasPrefix(other.Path, "/opt/homebrew/") && strings.HasPrefix(n.Found, "/usr/local/") {
				vars["native"] = other.Path
			}
		}
	}
	vars["no-card"] = e.noCardFor(n.Cause, names)
	vars["libraries"], vars["are"] = strings.Join(names, ", "), "is"
	if len(names) > 1 {
		vars["are"] = "are"
	}
	// apt leaves an installed package alone unless it is told to reinstall.
	if len(gone) > 0 && e.manager() == "apt" {
		vars["packages"], vars["reinstall"] = strings.Join(append(gone, missing...), " "), "yes"
	} else {
		vars["packages"] = strings.Join(missing, " ")
	}
	if n.Elsewhere != "" {
		vars["elsewhere-folder"] = folderOf(n.Elsewhere)
	}
	return vars, true
}

// ofHomebrew reports whether a path is Homebrew's own, or a folder that an Intel
// Homebrew links its libraries into.
func ofHomebrew(path string) bool {
	return strings.HasPrefix(path, "/opt/homebrew") || strings.Contains(path, "/Cellar/") || strings.HasPrefix(path, "/usr/local/opt/") || strings.HasPrefix(path, "/usr/local/lib/")
}

// noCardFor is "yes" where all of the libraries are part of NVIDIA's driver, and other
// makers' GPUs are the only ones here.
func (e *evaluation) noCardFor(cause facts.Cause, libraries []string) string {
	of := func(name string) bool {
		name = strings.ToLower(name)
		return strings.HasPrefix(name, "libcuda.so") || strings.HasPrefix(name, "libnvidia") || strings.HasPrefix(name, "libnvcuvid") || strings.HasPrefix(name, "nv") && !strings.HasPrefix(name, "nvopencl")
	}
	gpus, _ := e.nvidiaGPUs()
	if cause != facts.FromDriver || len(gpus) > 0 || len(e.facts.GPUs) == 0 || slices.ContainsFunc(libraries, func(name string) bool { return !of(name) }) {
		return ""
	}
	return "yes"
}

// sudo is what stands before a command that only an administrator may run; ""
// for an administrator, and where no such command is installed.
func (e *evaluation) sudo() string {
	if u := e.facts.OS.User; !u.Admin && len(u.Elevate) > 0 {
		return u.Elevate[0] + " "
	}
	return ""
}

// folderOf is a file's folder, on whichever system.
func folderOf(file string) string {
	if at := strings.LastIndexByte(file, '\\'); at > 0 {
		return file[:at]
	}
	return path.Dir(file)
}

// register tells the loader of a folder for good; a file of that name that is
// there keeps its lines.
func register(dir, name, sudo string) string {
	conf := "/etc/ld.so.conf.d/" + name + ".conf"
	if sudo != "" {
		return fmt.Sprintf("echo %s | %stee -a %s && %sldconfig", dir, sudo, conf, sudo)
	}
	return fmt.Sprintf("echo %s >> %s && ldconfig", dir, conf)
}

// buildUnseen: the recipe builds through pkg-config, and the one on PATH does
// not find the copy.
func buildUnseen(e *evaluation, s subject) (map[string]string, bool) {
	u := s.instance.Unseen
	return nil, u != nil && u.Variable == "" && slices.Contains(e.touched(), "pkg-config")
}

// buildRedirected: the same, because of a variable.
func buildRedirected(e *evaluation, s subject) (map[string]string, bool) {
	u := s.instance.Unseen
	if u == nil || u.Variable == "" || !slices.Contains(e.touched(), "pkg-config") {
		return nil, false
	}
	effect := lang.F("pkg-config looks there instead of in %s", u.Folder)
	if u.Variable == "PKG_CONFIG_SYSROOT_DIR" {
		effect = lang.T("pkg-config puts it before every folder that it names")
	}
	return map[string]string{"effect": effect}, true
}
