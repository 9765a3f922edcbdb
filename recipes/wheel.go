package recipes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Wheel is one version of a project of the Python package index, of which files
// are used without Python: its libraries, headers and programs. Each file is
// pinned by its hash; which one is used, its tags and the machine say.
type Wheel struct {
	// Name is also that of the folder it is unpacked into: onnxruntime-1.20.1.
	Name    string `yaml:"name" json:"name"`
	Project string `yaml:"project" json:"project"`
	Version string `yaml:"version" json:"version"`
	// Requires limits it to machines whose components have certain versions:
	// cuda: ">= 12, < 13".
	Requires map[string]string `yaml:"requires,omitempty" json:"requires,omitempty"`
	// Unless names components: the wheel is only for machines on which none of them is
	// active, because their copy would be found first.
	Unless []string `yaml:"unless,omitempty" json:"unless,omitempty"`
	// Instructions are features of the processor that its code is compiled for:
	// avx. Those that its name for the architecture includes are left out.
	Instructions []string `yaml:"instructions,omitempty" json:"instructions,omitempty"`
	// Files are what is published of it, one for each kind of system.
	Files []WheelFile `yaml:"files" json:"files"`
	// Take maps patterns of names in the wheel to folders. What the pattern's
	// part before its first wildcard does not hold is kept of a name: with
	// torch/include/**: include, torch/include/a/b.h becomes include/a/b.h. A *
	// stands for anything but a slash, ** for anything. Of several patterns that
	// a name matches, the longest counts.
	Take map[string]string `yaml:"take" json:"take"`
	// Links are further names of what was unpacked: lib/libx.so: libx.so.2.
	Links map[string]string `yaml:"links,omitempty" json:"links,omitempty"`
	// Loader is the folder of its shared libraries: programs find them there.
	Loader string `yaml:"loader,omitempty" json:"loader,omitempty"`
	// Programs is the folder of its programs, for PATH.
	Programs string `yaml:"programs,omitempty" json:"programs,omitempty"`
	// Behind: the loader is to find other copies first. It is for wheels that hold
	// common libraries of others, such as TBB.
	Behind bool `yaml:"behind,omitempty" json:"behind,omitempty"`
	// Prefix is the folder below which find_package finds the wheel's own CMake
	// package.
	Prefix string `yaml:"prefix,omitempty" json:"prefix,omitempty"`
	// PkgConfig and CMake are packages that deployctl writes, where the wheel
	// has none: the package's name, and the libraries to link.
	PkgConfig map[string][]string `yaml:"pkgconfig,omitempty" json:"pkgconfig,omitempty"`
	CMake     map[string][]string `yaml:"cmake,omitempty" json:"cmake,omitempty"`
}

// WheelFile is one file of a wheel.
type WheelFile struct {
	File   string `yaml:"file" json:"file"`
	Size   Bytes  `yaml:"size" json:"size"` // exact
	SHA256 string `yaml:"sha256" json:"sha256"`
}

var (
	projectForm = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	wheelForm   = lazyregexp.New(`^[A-Za-z0-9_.!+]+(-[A-Za-z0-9_.!+]+){4,5}\.whl$`)
	globForm    = lazyregexp.New(`^[A-Za-z0-9*][A-Za-z0-9._+*-]*(/[A-Za-z0-9*][A-Za-z0-9._+*-]*)*$`)
	libraryForm = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)
)

func inside(folder string) bool {
	return folder == "." || insideForm.MatchString(folder) && !strings.Contains(folder, "..")
}

func lintWheel(w *Wheel, d *document, path string) {
	if !folderForm.MatchString(w.Name) || strings.Contains(w.Name, "..") {
		d.at(path+".name", "name %q must be the name of one folder, such as onnxruntime-1.20.1", w.Name)
	}
	if !projectForm.MatchString(w.Project) {
		d.at(path+".project", "%q is not the name of a project of the Python package index", w.Project)
	}
	if w.Version == "" {
		d.at(path, "wheel %s needs its exact version", w.Name)
	}
	if len(w.Files) == 0 {
		d.at(path, "wheel %s needs files, each with its size and sha256", w.Name)
	}
	for i, f := range w.Files {
		at := fmt.Sprintf("%s.files[%d]", path, i)
		stem := strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(w.Project)) + "-" + w.Version + "-"
		if !wheelForm.MatchString(f.File) || !strings.HasPrefix(strings.ToLower(f.File), strings.ToLower(stem)) {
			d.at(at+".file", "%q must be the name of a wheel of %s %s", f.File, w.Project, w.Version)
		}
		if f.Size == 0 {
			d.at(at, "%s needs its exact size", f.File)
		}
		if !sha256Form.MatchString(f.SHA256) {
			d.at(at+".sha256", "%s needs its sha256: 64 lower-case hexadecimal digits", f.File)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Requires)) {
		if _, ok := FindComponent(name); !ok {
			d.at(path+".requires."+name, "unknown component %q", name)
		}
		if _, err := ParseConstraint(w.Requires[name]); err != nil {
			d.at(path+".requires."+name, "%v", err)
		}
	}
	for i, name := range w.Unless {
		if _, ok := FindComponent(name); !ok {
			d.at(fmt.Sprintf("%s.unless[%d]", path, i), "unknown component %q", name)
		}
	}
	d.words(path+".instructions", "feature", w.Instructions, Features())
	if len(w.Take) == 0 {
		d.at(path, "wheel %s needs take: which of its files go where", w.Name)
	}
	for _, glob := range slices.Sorted(maps.Keys(w.Take)) {
		if !globForm.MatchString(glob) || strings.Contains(glob, "..") {
			d.at(path+".take."+glob, "%q must be a pattern of names in the wheel, such as torch/lib/*.dll", glob)
		}
		if !inside(w.Take[glob]) {
			d.at(path+".take."+glob, "%q must be a folder inside it, such as lib", w.Take[glob])
		}
	}
	for _, link := range slices.Sorted(maps.Keys(w.Links)) {
		if !inside(link) || !libraryForm.MatchString(w.Links[link]) {
			d.at(path+".links."+link, "a link needs a path inside the folder and the name of a file next to it, such as lib/libx.so: libx.so.2")
		}
	}
	for key, folder := range map[string]string{"loader": w.Loader, "programs": w.Programs, "prefix": w.Prefix} {
		if folder != "" && !inside(folder) {
			d.at(path+"."+key, "%q must be a folder inside it, such as lib", folder)
		}
	}
	for key, packages := range map[string]map[string][]string{"pkgconfig": w.PkgConfig, "cmake": w.CMake} {
		for _, name := range slices.Sorted(maps.Keys(packages)) {
			if w.Loader == "" {
				d.at(path+"."+key+"."+name, "a package that is written needs loader, the folder of its libraries")
			}
			for _, lib := range append([]string{name}, packages[name]...) {
				if !libraryForm.MatchString(lib) {
					d.at(path+"."+key+"."+name, "%q is not the name of a package or library", lib)
				}
			}
			if len(packages[name]) == 0 {
				d.at(path+"."+key+"."+name, "package %s needs the libraries to link", name)
			}
		}
	}
}
