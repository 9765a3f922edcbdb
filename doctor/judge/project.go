package judge

import (
	"fmt"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
)

// gocvRelease compares the gocv in go.mod with the OpenCV that its build finds: by
// pkg-config what its C++ files compile against, on Windows the one release whose
// libraries its cgo.go names.
func gocvRelease(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	opencv, ok := e.facts.Active("opencv")
	if !ok || opencv.Version == "" || d.Version == "" {
		return nil, false
	}
	given := map[string]string{"gocv": d.Version}
	accepts, _, err := e.tables.Choose("gocv-release", given, "opencv")
	if err != nil {
		return nil, false // a release that the table does not have
	}
	vars := map[string]string{"opencv": opencv.Version, "accepts": accepts}
	if e.isWindows() {
		named, _, err := e.tables.Choose("gocv-release", given, "windows")
		if err != nil || named == opencv.Version || d.OwnFlags {
			return nil, false
		}
		vars["accepts"], vars["release"] = named, e.gocvNaming(opencv.Version)
		vars["problem"] = fmt.Sprintf("links OpenCV %s by its libraries' names (opencv_core%s)", named, strings.ReplaceAll(named, ".", ""))
		return vars, true
	}
	vars["problem"] = "does not compile without OpenCV " + accepts
	if holds, err := check(accepts, opencv.Version); err != nil || holds {
		return nil, false
	}
	if golang, ok := e.facts.Active("go"); ok {
		if release, _, err := e.tables.Choose("gocv-opencv", map[string]string{"opencv": opencv.Version, "go": golang.Version}, "gocv"); err == nil {
			vars["release"] = release
		}
	}
	return vars, true
}

// gocvNaming is the newest gocv that names the libraries of an OpenCV on Windows.
func (e *evaluation) gocvNaming(opencv string) string {
	table, err := e.tables.Table("gocv-release")
	if err != nil {
		return ""
	}
	for i := range table.Rows {
		if then := table.Rows[i].Then; then["windows"] == opencv {
			return then["release"]
		}
	}
	return ""
}
