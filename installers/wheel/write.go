package wheel

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// finish adds to an unpacked folder what the wheel leaves out: the names that
// the loader and linkers ask for, and packages for pkg-config and CMake.
func finish(dir string, w *step.Wheel) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return store.Explain(dir, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if w.Libraries != "" {
		if err := libraryLinks(root, w.Libraries); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Links)) {
		target := w.Links[name]
		if _, err := root.Lstat(path.Join(path.Dir(name), target)); errors.Is(err, fs.ErrNotExist) {
			continue // another system's name
		}
		if err := link(root, target, name); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Write)) {
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return store.Explain(name, err)
		}
		if err := root.WriteFile(name, []byte(w.Write[name]), 0o644); err != nil {
			return store.Explain(name, err)
		}
	}
	return nil
}

// link makes a symbolic link where nothing of the name is.
func link(root *os.Root, target, name string) error {
	if strings.ContainsAny(target, `/\`) || target == ".." {
		return lang.Errorf("a library asks for the name %q, which is not that of a file", step.Clean(target, 80))
	}
	if _, err := root.Lstat(name); err == nil || target == path.Base(name) {
		return nil
	}
	return store.Explain(name, root.Symlink(target, name))
}

var (
	soName    = lazyregexp.New(`^(lib[^/]+?\.so)\.[0-9.]+$`)
	dylibName = lazyregexp.New(`^(lib[^/]+?)(\.[0-9]+)+\.dylib$`)
)

// libraryLinks gives each library of a folder its SONAME, by which the loader
// asks, and its name without a version, by which -l asks.
func libraryLinks(root *os.Root, dir string) error {
	entries, err := fs.ReadDir(root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return store.Explain(dir, err)
	}
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() {
			continue
		}
		if m := dylibName.FindStringSubmatch(name); m != nil {
			if err := link(root, name, path.Join(dir, m[1]+".dylib")); err != nil {
				return err
			}
			continue
		}
		m := soName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		own, err := soname(root, path.Join(dir, name))
		if err != nil {
			return err
		}
		names := []string{m[1]}
		if own != "" {
			if err := plain(own); err != nil {
				return err
			}
			names = append(names, own)
		}
		for _, n := range names {
			if err := link(root, name, path.Join(dir, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

func plain(name string) error {
	if name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return lang.Errorf("a library in the wheel calls itself %q, which is not the name of a file", step.Clean(name, 80))
	}
	return nil
}

// soname reads DT_SONAME, "" for none and for what is not ELF.
func soname(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", store.Explain(name, err)
	}
	defer f.Close() //nolint:errcheck // read-only
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil || string(magic) != elf.ELFMAG {
		return "", nil
	}
	e, err := elf.NewFile(f)
	if err != nil {
		return "", lang.Errorf("read %s: %w", name, err)
	}
	list, err := e.DynString(elf.DT_SONAME)
	if err != nil || len(list) == 0 {
		return "", nil // a library without the entry
	}
	return list[0], nil
}

// packages are the files for pkg-config and CMake that a recipe asks for, by
// their place in the folder. All paths in them are relative to themselves, so
// that the folder may be moved.
func packages(w recipes.Wheel, system string) map[string]string {
	files := map[string]string{}
	include := ""
	for _, to := range w.Take {
		if to == "include" || strings.HasPrefix(to, "include/") {
			include = "include"
		}
	}
	for name, libs := range w.PkgConfig {
		at := path.Join(w.Loader, "pkgconfig")
		up := strings.Repeat("/..", strings.Count(at, "/")+1)
		var b strings.Builder
		fmt.Fprintf(&b, "prefix=${pcfiledir}%s\nlibdir=${prefix}/%s\n\nName: %s\nDescription: %s %s, unpacked by deployctl from its Python wheel\nVersion: %s\n",
			up, w.Loader, name, w.Project, w.Version, w.Version)
		b.WriteString("Libs: -L${libdir}")
		for _, lib := range libs {
			b.WriteString(" -l" + lib)
		}
		if include != "" {
			b.WriteString("\nCflags: -I${prefix}/include")
		}
		files[path.Join(at, name+".pc")] = b.String() + "\n"
	}
	ext := ".so"
	if system == "darwin" {
		ext = ".dylib"
	}
	for name, libs := range w.CMake {
		at := path.Join(w.Loader, "cmake", name)
		up := strings.Repeat("/..", strings.Count(at, "/")+1)
		var b strings.Builder
		fmt.Fprintf(&b, "# %s %s, unpacked by deployctl from its Python wheel.\nget_filename_component(_%s_prefix \"${CMAKE_CURRENT_LIST_DIR}%s\" ABSOLUTE)\n", w.Project, w.Version, name, up)
		for _, lib := range libs {
			fmt.Fprintf(&b, "if(NOT TARGET %s::%s)\n  add_library(%[1]s::%[2]s SHARED IMPORTED)\n  set_target_properties(%[1]s::%[2]s PROPERTIES IMPORTED_LOCATION \"${_%[1]s_prefix}/%[3]s/lib%[2]s%[4]s\"", name, lib, w.Loader, ext)
			if include != "" {
				fmt.Fprintf(&b, " INTERFACE_INCLUDE_DIRECTORIES \"${_%s_prefix}/include\"", name)
			}
			b.WriteString(")\nendif()\n")
		}
		fmt.Fprintf(&b, "unset(_%s_prefix)\n", name)
		files[path.Join(at, name+"Config.cmake")] = b.String()
		files[path.Join(at, name+"ConfigVersion.cmake")] = fmt.Sprintf(`set(PACKAGE_VERSION "%s")
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
`, w.Version)
	}
	return files
}

// Folders are the lists that later shells and CMake need entries in, variable
// to folder. The loader's is left out where its own configuration names it.
func Folders(w recipes.Wheel, system string, loaderKnows bool) map[string]string {
	list := map[string]string{}
	if w.Loader != "" && !loaderKnows {
		switch system {
		case "windows":
			list["PATH"] = w.Loader
		case "darwin":
			list["DYLD_LIBRARY_PATH"] = w.Loader
		default:
			list["LD_LIBRARY_PATH"] = w.Loader
		}
	}
	if w.Programs != "" {
		list["PATH"] = w.Programs
	}
	if w.Prefix != "" {
		list["CMAKE_PREFIX_PATH"] = w.Prefix
	} else if len(w.CMake) > 0 && system != "windows" {
		list["CMAKE_PREFIX_PATH"] = "."
	}
	if len(w.PkgConfig) > 0 && system != "windows" {
		list["PKG_CONFIG_PATH"] = path.Join(w.Loader, "pkgconfig")
	}
	return list
}
