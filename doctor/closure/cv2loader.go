package closure

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// The forms in which OpenCV's build writes folders of DLLs into cv2\config.py, whose
// loader gives them to os.add_dll_directory (OpenCV, modules/python/python_loader.cmake
// and modules/python/package/cv2/__init__.py).
var (
	binariesPaths = lazyregexp.New(`(?s)BINARIES_PATHS\s*=\s*\[(.*?)\]\s*\+`)
	fromVariable  = lazyregexp.New(`os\.getenv\(\s*'([^']+)'\s*,\s*'([^']*)'\s*\)`)
	joinedPath    = lazyregexp.New(`os\.path\.join\(\s*'([^']*)'\s*,\s*'([^']*)'\s*\)`)
	loaderDir     = lazyregexp.New(`\bLOADER_DIR\b`)
	quotedPath    = lazyregexp.New(`r?(?:'([^']*)'|"([^"]*)")`)
)

// ownModule is OpenCV's module for Python in a folder cv2 that its own build installed
// (cv2\python-3.10\cv2.cp310-win_amd64.pyd); "" where it is not one alone, or where its
// loader finds DLLs in a way that is not known.
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
	if _, ok := w.loaderFolders(dir); !ok {
		return ""
	}
	return module
}

// loaderFolders are the folders of DLLs that the config.py of a folder cv2 names, and
// whether all that it says was understood.
func (w *desk) loaderFolders(dir string) (out []string, ok bool) {
	data, _, err := w.h.ReadFile(w.ctx, w.h.Join(dir, "config.py"), 64<<10)
	if err != nil {
		return nil, false
	}
	slashed := func(s string) string { return strings.ReplaceAll(s, `\`, "/") }
	for _, list := range binariesPaths.FindAllStringSubmatch(string(data), -1) {
		text := loaderDir.ReplaceAllString(list[1], "'"+strings.ReplaceAll(slashed(dir), "$", "$$")+"'")
		for _, m := range fromVariable.FindAllStringSubmatch(text, -1) {
			value := w.h.Env(m[1])
			if value == "" {
				value = m[2]
			}
			text = strings.ReplaceAll(text, m[0], "'"+slashed(value)+"'")
		}
		for range 4 { // joins are one in another
			for _, m := range joinedPath.FindAllStringSubmatch(text, -1) {
				text = strings.ReplaceAll(text, m[0], "'"+m[1]+"/"+m[2]+"'")
			}
		}
		if strings.Contains(text, "os.") {
			return nil, false
		}
		for _, m := range quotedPath.FindAllStringSubmatch(text, -1) {
			out = append(out, strings.ReplaceAll(path.Clean(slashed(m[1]+m[2])), "/", `\`))
		}
	}
	return out, true
}
