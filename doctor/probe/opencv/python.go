package opencv

import (
	"context"
	"path"
	"regexp"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
)

// A wheel's metadata folder: opencv_contrib_python_headless-4.9.0.80.dist-info.
var wheelInfo = regexp.MustCompile(`(?i)^(opencv[_-](?:contrib[_-])?python(?:[_-]headless|[_-]rolling)*)-([0-9][0-9A-Za-z.]*?)\.(?:dist|egg)-info$`)

// wheels notes OpenCV inside Python packages. They hold their own libraries,
// no headers, and shadow nothing.
func (s *search) wheels(ctx context.Context, f *facts.Facts) {
	h := s.h
	var dirs []string
	under := func(lib string) {
		for _, py := range h.Glob(ctx, lib, "python3*") {
			dirs = append(dirs, h.Join(py, "site-packages"), h.Join(py, "dist-packages"))
		}
	}
	home := h.Env("HOME")
	if h.Windows() {
		for _, root := range []string{h.Env("LOCALAPPDATA") + `\Programs\Python`, `C:\`, h.Env("APPDATA") + `\Python`} {
			for _, py := range h.Glob(ctx, root, "python3*") {
				dirs = append(dirs, h.Join(py, `Lib\site-packages`), h.Join(py, "site-packages"))
			}
		}
		for _, v := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
			if p := h.Env(v); p != "" {
				dirs = append(dirs, h.Join(p, `Lib\site-packages`))
			}
		}
	} else {
		for _, v := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
			if p := h.Env(v); path.IsAbs(p) {
				under(path.Join(p, "lib"))
			}
		}
		if path.IsAbs(home) {
			under(path.Join(home, ".local/lib"))
		}
		for _, lib := range []string{"/usr/local/lib", "/usr/lib", "/opt/homebrew/lib"} {
			under(lib)
		}
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		if len(seen) >= 256 || ctx.Err() != nil {
			return
		}
		if seen[dir] {
			continue
		}
		seen[dir] = true
		entries, err := h.ReadDir(ctx, dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			m := wheelInfo.FindStringSubmatch(e.Name)
			if m == nil {
				continue
			}
			// 4.9.0.80 is OpenCV 4.9.0 in the wheel's 80th build.
			version := m[2]
			if p := strings.Split(version, "."); len(p) > 3 {
				version = strings.Join(p[:3], ".")
			}
			f.Add(Python, facts.Instance{
				Version: version, Path: h.Join(dir, "cv2"),
				Attrs:    map[string]string{"package": strings.ReplaceAll(strings.ToLower(m[1]), "_", "-"), "package_version": m[2]},
				Evidence: []facts.Evidence{{Kind: "file", Source: h.Join(dir, e.Name), Detail: m[2]}},
			})
		}
	}
}
