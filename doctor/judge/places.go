package judge

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
