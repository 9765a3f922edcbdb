// Package wheeltag owns the names of Python wheels: what their tags say, and
// which wheel a machine can use (PEP 425, 600, 656 and "Platform compatibility
// tags" on packaging.python.org). It is plain data: it must never look at a
// machine.
package wheeltag

import (
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Normal is a project's name as indexes and records compare it (PEP 503).
func Normal(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' }), "-")
}

// Target is what of a machine decides which wheel it can use.
type Target struct {
	OS, Arch string // GOOS, GOARCH
	// Glibc and Musl are the C library's version on Linux; the other is "".
	Glibc, Musl string
	// MacOS is the system's release: 14.5.
	MacOS string
	// Python is the interpreter's release (3.11) where one is to import the
	// wheel; "" where its files are used without one, and its own requirements
	// on Python do not count.
	Python string
}

// String is the target in words.
func (t Target) String() string {
	switch {
	case t.OS == "linux" && t.Glibc != "":
		return "linux/" + t.Arch + " with glibc " + t.Glibc
	case t.OS == "linux" && t.Musl != "":
		return "linux/" + t.Arch + " with musl " + t.Musl
	case t.OS == "darwin" && t.MacOS != "":
		return "macOS " + t.MacOS + " on " + t.Arch
	}
	return t.OS + "/" + t.Arch
}

// FileName is what a wheel's file name says (binary distribution format, "File name
// convention"): NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl; each tag may be
// several, separated by dots.
type FileName struct {
	Project, Version, Build string
	Python, ABI, Platform   []string
}

// Parse reads a file name; ok is false for one that is not a wheel's.
func Parse(file string) (n FileName, ok bool) {
	stem, isWheel := strings.CutSuffix(file, ".whl")
	parts := strings.Split(stem, "-")
	if !isWheel || len(parts) != 5 && len(parts) != 6 || slices.Contains(parts, "") {
		return n, false
	}
	if len(parts) == 6 {
		n.Build = parts[2]
		parts = slices.Delete(parts, 2, 3)
	}
	n.Project, n.Version = parts[0], parts[1]
	n.Python, n.ABI, n.Platform = strings.Split(parts[2], "."), strings.Split(parts[3], "."), strings.Split(parts[4], ".")
	return n, true
}

// machines are the names of processors in tags.
var machines = map[string][]string{
	"linux/amd64": {"x86_64"}, "linux/arm64": {"aarch64"}, "linux/386": {"i686"}, "linux/arm": {"armv7l"},
	"darwin/amd64": {"x86_64", "universal2", "intel", "universal"}, "darwin/arm64": {"arm64", "universal2"},
}

var (
	manylinux = lazyregexp.New(`^(many|musl)linux_(\d+)_(\d+)_(\w+)$`)
	macosx    = lazyregexp.New(`^macosx_(\d+)_(\d+)_(\w+)$`)
	// older are the names that manylinux had before PEP 600.
	older = map[string]string{"manylinux1_": "manylinux_2_5_", "manylinux2010_": "manylinux_2_12_", "manylinux2014_": "manylinux_2_17_"}
)

// platform says whether a target can load what a platform tag stands for, and
// how new a system the tag needs: of two that fit, the newer one is preferred.
func (t Target) platform(tag string) (newness int, ok bool) {
	if tag == "any" {
		return 0, true
	}
	for old, name := range older {
		if rest, is := strings.CutPrefix(tag, old); is {
			tag = name + rest
		}
	}
	number := func(major, minor string) int {
		a, _ := strconv.Atoi(major) // digits by the pattern
		b, _ := strconv.Atoi(minor)
		return a*1000 + b + 1
	}
	switch t.OS {
	case "windows":
		return 1, tag == map[string]string{"amd64": "win_amd64", "arm64": "win_arm64", "386": "win32"}[t.Arch]
	case "darwin":
		m := macosx.FindStringSubmatch(tag)
		if m == nil || !slices.Contains(machines["darwin/"+t.Arch], m[3]) || !atLeast(t.MacOS, m[1]+"."+m[2]) {
			return 0, false
		}
		return number(m[1], m[2]), true
	case "linux":
		m := manylinux.FindStringSubmatch(tag)
		if m == nil || !slices.Contains(machines["linux/"+t.Arch], m[4]) {
			return 0, false
		}
		libc := t.Glibc
		if m[1] == "musl" {
			libc = t.Musl
		}
		if !atLeast(libc, m[2]+"."+m[3]) {
			return 0, false
		}
		return number(m[2], m[3]), true
	}
	return 0, false
}

// atLeast compares two releases; an unknown one is not enough.
func atLeast(have, need string) bool {
	c, err := recipes.ParseConstraint(">= " + need)
	if err != nil || have == "" {
		return false
	}
	enough, err := c.Check(have)
	return err == nil && enough
}

var cpython = lazyregexp.New(`^(cp|py)(\d)(\d*)(t?)$`)

// python says whether the target's interpreter can import a wheel of the tags,
// and how good a match it is. Without an interpreter every build will do, and
// one that is made for no interpreter in particular is preferred.
func (t Target) python(n FileName) (rank int, ok bool) {
	for _, py := range n.Python {
		m := cpython.FindStringSubmatch(py)
		if m == nil {
			continue
		}
		minor, _ := strconv.Atoi(m[3]) // "" is 0: py3
		free := m[4] == "t" || slices.ContainsFunc(n.ABI, func(abi string) bool { return strings.HasSuffix(abi, "t") })
		none := slices.Contains(n.ABI, "none") || slices.Contains(n.ABI, "abi3")
		score := minor
		if free {
			score = 0 // a build without the lock is nobody's first choice
		}
		if none {
			score += 1000
		}
		if t.Python != "" && !t.imports(m[1], m[2], minor, free, slices.Contains(n.ABI, "abi3") || m[1] == "py") {
			continue
		}
		if !ok || score > rank {
			rank, ok = score, true
		}
	}
	return rank, ok
}

func (t Target) imports(kind, major string, minor int, free, later bool) bool {
	have := strings.Split(t.Python, ".")
	if len(have) < 2 || have[0] != major || free {
		return false
	}
	own, err := strconv.Atoi(have[1])
	if err != nil {
		return false
	}
	if later || kind == "py" {
		return own >= minor
	}
	return own == minor
}

// Fits says whether the target can use a wheel, by its file name.
func (t Target) Fits(file string) bool {
	_, ok := t.rank(file)
	return ok
}

// rank orders the wheels that fit: by the platform, then by Python's tags, then
// by the build number.
func (t Target) rank(file string) ([3]int, bool) {
	n, ok := Parse(file)
	if !ok {
		return [3]int{}, false
	}
	best, fits := 0, false
	for _, tag := range n.Platform {
		if newness, ok := t.platform(tag); ok && (!fits || newness > best) {
			best, fits = newness, true
		}
	}
	python, ok := t.python(n)
	if !fits || !ok {
		return [3]int{}, false
	}
	digits := strings.IndexFunc(n.Build+"x", func(r rune) bool { return r < '0' || r > '9' })
	build, err := strconv.Atoi(n.Build[:digits])
	if err != nil {
		build = 0
	}
	return [3]int{best, python, build}, true
}

// Choose gives the best wheel of a list of file names for the target; ok is
// false when none fits.
func (t Target) Choose(files []string) (file string, ok bool) {
	var best [3]int
	for _, f := range files {
		if r, fits := t.rank(f); fits && (!ok || slices.Compare(r[:], best[:]) > 0) {
			file, best, ok = f, r, true
		}
	}
	return file, ok
}

// Pick gives the file of a recipe's wheel that the target can use; ok is false
// for none.
func Pick(w recipes.Wheel, t Target) (recipes.WheelFile, bool) {
	var names []string
	for _, f := range w.Files {
		names = append(names, f.File)
	}
	file, ok := t.Choose(names)
	if !ok {
		return recipes.WheelFile{}, false
	}
	return w.Files[slices.Index(names, file)], true
}
