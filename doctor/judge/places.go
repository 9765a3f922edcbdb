package judge

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const (
	maxPath = 260 // MAX_PATH of Windows, with the final NUL
	// buildDepth is what CMake and MSBuild put below a build folder of OpenCV or
	// OpenPose: module, target.dir, configuration, target.tlog, file. Rounded up
	// from the paths in opencv/opencv#10332 and its duplicates.
	buildDepth = 200
)

// deepBuildFolder finds that builds go to a folder below which Windows' limit on
// paths is passed.
func deepBuildFolder(e *evaluation, _ subject) (map[string]string, bool) {
	if e.facts.OS.LongPaths != "off" {
		return nil, false
	}
	var folders []string
	for _, d := range e.facts.Disks {
		if d.Purpose == "cache" {
			folders = append(folders, d.Path)
		}
	}
	// Their guides build in a folder of the sources'.
	if p := e.facts.Project; slices.Contains(p.Kinds, "opencv") || slices.Contains(p.Kinds, "openpose") {
		folders = append(folders, p.Folder)
	}
	for _, folder := range folders {
		if n := utf8.RuneCountInString(folder); n+buildDepth >= maxPath {
			return map[string]string{"folder": folder, "length": strconv.Itoa(n)}, true
		}
	}
	return nil, false
}

// torchDepth is how far the files of PyTorch's package reach below site-packages: its
// licenses lie in the folders of the sources that they are of (pytorch/test-infra pull
// request 8094).
const torchDepth = 176

// deepPackages finds that PyTorch's package is still to be installed, and into a folder so
// deep that its files pass Windows' limit on paths.
func deepPackages(e *evaluation, _ subject) (map[string]string, bool) {
	python, ok := e.facts.Active("python")
	if !ok || e.facts.OS.LongPaths != "off" || !e.failed("torch.package") {
		return nil, false
	}
	folder, store := sitePackages(python)
	n := utf8.RuneCountInString(folder)
	vars := map[string]string{"folder": folder, "length": strconv.Itoa(n)}
	if store {
		vars["store"] = "yes"
	}
	return vars, folder != "" && n+torchDepth >= maxPath
}

// sitePackages is where pip puts the packages of a Python on Windows; the one of the
// Microsoft Store may not be written to, and has a folder of the user's.
func sitePackages(python facts.Instance) (folder string, store bool) {
	if name := storePython.FindStringSubmatch(python.Attrs["real"]); name != nil {
		home, _, ok := strings.Cut(python.Path, `\Microsoft\WindowsApps\`)
		if parts := strings.Split(python.Version, "."); ok && len(parts) > 1 {
			return home + `\Packages\` + name[1] + "_" + name[2] + `\LocalCache\local-packages\Python` + parts[0] + parts[1] + `\site-packages`, true
		}
		return "", true
	}
	if !strings.EqualFold(path.Base(slashed(python.Path)), "python.exe") {
		return "", false
	}
	root := folderOf(python.Path)
	if strings.EqualFold(path.Base(slashed(root)), "Scripts") {
		root = folderOf(root)
	}
	return root + `\Lib\site-packages`, false
}

var storePython = lazyregexp.New(`(?i)\\WindowsApps\\(PythonSoftwareFoundation\.Python\.[0-9.]+)_[^\\]*__([0-9a-z]+)\\`)

// guardedFolder finds that builds write below a folder that Windows guards against
// programs it does not know.
func guardedFolder(e *evaluation, _ subject) (map[string]string, bool) {
	folder := e.facts.Environment.GuardedFolder
	return map[string]string{"folder": folder, "project": e.facts.Project.Folder}, folder != "" && (e.builds() || slices.Contains(e.touched(), "visual-studio")) && e.facts.Project.Folder != ""
}

// networkFolder finds a project on a network share (\\server\share) without a drive letter.
func networkFolder(e *evaluation, _ subject) (map[string]string, bool) {
	folder := e.facts.Project.Folder
	share := strings.HasPrefix(folder, `\\`) && !strings.HasPrefix(folder, `\\?\`) && !strings.HasPrefix(folder, `\\.\`)
	return map[string]string{"folder": folder}, share && slices.Contains(e.touched(), "cmake")
}

// oddPath finds blanks and characters beyond ASCII in the path of a tool that
// breaks on them.
func oddPath(_ *evaluation, s subject) (map[string]string, bool) {
	path := s.instance.Path
	switch {
	case strings.ContainsFunc(path, func(r rune) bool { return r > 127 }):
		return map[string]string{"what": lang.T("characters other than ASCII")}, true
	case strings.Contains(path, " "):
		return map[string]string{"what": lang.T("a space")}, true
	}
	return nil, false
}

// libraryNoexec finds a copy on a file system that is mounted noexec: the loader may not
// map code from there (mmap(2), EPERM).
func libraryNoexec(e *evaluation, s subject) (map[string]string, bool) {
	at := cmp.Or(s.instance.Attrs["lib"], s.instance.Path)
	for _, point := range e.facts.Environment.NoExec {
		if strings.HasPrefix(at, point+"/") {
			return map[string]string{"copy": at, "mount": point, "sudo": e.sudo(), "where": DriverHost(e.facts)}, true
		}
	}
	return nil, false
}
