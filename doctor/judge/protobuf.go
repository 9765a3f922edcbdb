package judge

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// protocOther compares the protoc that programs find with the headers that they
// are compiled with. FindProtobuf of CMake looks for the one on PATH and for the
// others in the compiler's folders, so that they can come from different places.
func protocOther(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	headers := cmp.Or(i.Attrs["header_version"], i.Version)
	protoc, ok := e.facts.Active("protoc")
	if !ok || !i.Active || i.Places.Include == "" || headers == "" || protoc.Version == "" || sameRelease(headers, protoc.Version) {
		return nil, false
	}
	vars := map[string]string{"protoc": protoc.Path, "version": protoc.Version, "include": i.Places.Include, "headers": headers}
	if conda, ok := e.facts.Active("conda"); ok {
		root := cmp.Or(conda.Attrs["root"], path.Dir(path.Dir(conda.Path))) // envs are below it
		if strings.HasPrefix(protoc.Path, root+"/") && len(root) > 1 && root != "/usr" {
			vars["conda"] = "yes"
		}
	}
	for _, other := range e.facts.Components["protoc"] {
		if !other.Active && other.Unusable == nil && sameRelease(headers, other.Version) {
			vars["folder"] = path.Dir(other.Path)
			break
		}
	}
	return vars, true
}

// protocConda finds a protoc of conda on PATH while the headers are the system's.
// FindProtobuf looks for the program on PATH, and for headers and library in the
// system's folders, unless CMAKE_PREFIX_PATH leads it to conda's.
func protocConda(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := protocOther(e, s)
	first := e.facts.Environment.CondaFirst
	if _, built := e.facts.Active("caffe"); built && !slices.Contains(e.touched(), "openpose") {
		return nil, false // nothing is left to compile
	}
	if !ok || vars["conda"] == "" || first != nil && first.Through == "CMAKE_PREFIX_PATH" || !strings.HasPrefix(vars["include"], "/usr/") {
		return nil, false
	}
	return vars, true
}

// sameRelease: equal as far as both versions go (25.3 and 25.3.0).
func sameRelease(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return false
		}
	}
	return a != "" && b != ""
}
