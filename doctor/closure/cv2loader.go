package closure

import (
	"maps"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// The forms in which OpenCV's build writes the folders of DLLs into cv2\config.py, which
// its loader gives to os.add_dll_directory (OpenCV, modules/python/python_loader.cmake
// and modules/python/package/cv2/__init__.py).
var (
	binariesPaths = lazyregexp.New(`(?s)BINARIES_PATHS\s*=\s*\[(.*?)\]\s*\+`)
	joinedPath    = lazyregexp.New(`os\.path\.join\(\s*(?:os\.getenv\(\s*'([^']+)'\s*,\s*'([^']*)'\s*\)|'([^']*)'|LOADER_DIR)\s*,\s*'([^']*)'\s*\)`)
)

// ownModule is OpenCV's module for Python in a folder cv2 that its own build installed
// (cv2\python-3.10\cv2.cp310-win_amd64.pyd); "" where it is not one alone.
func (w *desk) ownModule(dir string) string {
	module := ""
	for _, folder := range w.h.Glob(w.ctx, dir, "python-3*") {
		for _, name := range slices.Sorted(maps.Keys(w.list(folder))) {
			if strings.HasPrefix(name, "cv2.") && strings.HasSuffix(name, ".pyd") {
				if module != "" {
					return ""
				}
				module = w.at(folder, name)
			}
		}
	}
	return module
}

// loaderFolders are the folders of DLLs that the config.py above such a module names.
func (w *desk) loaderFolders(module string) (out []string) {
	dir := w.h.DirOf(w.h.DirOf(module))
	data, _, err := w.h.ReadFile(w.ctx, w.h.Join(dir, "config.py"), 64<<10)
	if err != nil {
		return nil
	}
	for _, list := range binariesPaths.FindAllStringSubmatch(string(data), -1) {
		for _, m := range joinedPath.FindAllStringSubmatch(list[1], -1) {
			base := dir
			switch {
			case m[1] != "":
				if base = w.h.Env(m[1]); base == "" {
					base = m[2]
				}
			case m[3] != "":
				base = m[3]
			}
			out = append(out, strings.TrimRight(strings.ReplaceAll(base+`\`+m[4], "/", `\`), `\`))
		}
	}
	return out
}
