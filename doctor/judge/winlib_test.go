package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

func TestWindowsRuntimeAndModules(t *testing.T) {
	_, tables := load(t)
	redist := func(v string) facts.Instance {
		return facts.Instance{Version: v, Active: true, Has: []string{"x64", "vcruntime140.dll"}}
	}
	gocv := []string{"core", "dnn", "face", "headers", "img_hash", "tracking", "xfeatures2d"}
	for _, c := range []struct {
		name, component string
		instance        facts.Instance
		runtime, id     string
		found           string
	}{
		{"LibTorch on the runtime of 2017", "libtorch", facts.Instance{Version: "2.1.0"}, "14.16.27012.6", "libtorch.runtime-too-old", "vcruntime140_1.dll"},
		{"old LibTorch", "libtorch", facts.Instance{Version: "1.4.0"}, "14.16.27012.6", "", ""},
		{"std::mutex", "msvc", facts.Instance{Version: "14.40.33807"}, "14.38.33135.0", "msvc.runtime-mutex", "std::mutex"},
		{"a little older", "msvc", facts.Instance{Version: "14.44.35207"}, "14.40.33810.0", "", ""},
		{"the same", "msvc", facts.Instance{Version: "14.16.27023"}, "14.16.27012.6", "", ""},
		{"OpenCV of v142 on the runtime of 2017", "opencv", facts.Instance{Version: "4.8.1", Built: facts.Built{Compiler: "msvc", Toolset: "v142"}}, "14.16.27012.6", "opencv.runtime-too-old", "vcruntime140_1.dll"},
		{"OpenCV of v142 whose DLL is missed by name", "opencv", facts.Instance{Version: "4.8.1", Built: facts.Built{Compiler: "msvc", Toolset: "v142"},
			Needs: []facts.Need{{Name: "VCRUNTIME140_1.dll", By: `C:\opencv\opencv_world481.dll`, Cause: facts.NotFound}}}, "14.16.27012.6", "opencv.library-missing", "VCRUNTIME140_1.dll"},
		{"OpenCV of v141", "opencv", facts.Instance{Version: "4.1.0", Built: facts.Built{Compiler: "msvc", Toolset: "v141"}}, "14.16.27012.6", "", ""},
		{"ONNX Runtime 1.21 on the runtime of 2019", "onnxruntime", facts.Instance{Version: "1.21.0"}, "14.29.30153.0", "onnxruntime.runtime-crash", "14.38"},
		{"ONNX Runtime 1.21 on the runtime of 17.8", "onnxruntime", facts.Instance{Version: "1.21.0"}, "14.38.33135.0", "", ""},
		{"ONNX Runtime 1.20 on the runtime of 2019", "onnxruntime", facts.Instance{Version: "1.20.1"}, "14.29.30153.0", "", ""},
		{"Python brings its own runtime", "onnxruntime", facts.Instance{Version: "1.21.0", Attrs: map[string]string{"kind": "wheel"}}, "14.29.30153.0", "", ""},
		{"pip's in a Python of python.org", "onnxruntime", facts.Instance{Version: "1.21.0", Path: `C:\Python310\Lib\site-packages\onnxruntime`, Attrs: map[string]string{"kind": "wheel", "package": "onnxruntime"}}, "14.29.30153.0", "onnxruntime.runtime-crash", "14.38"},
		{"pip's in an environment of conda", "onnxruntime", facts.Instance{Version: "1.21.0", Path: `D:\Anaconda3\envs\x\Lib\site-packages\onnxruntime`, Attrs: map[string]string{"kind": "wheel", "package": "onnxruntime"}}, "14.29.30153.0", "", ""},
		{"pip's of before 1.21", "onnxruntime", facts.Instance{Version: "1.20.1", Path: `C:\Python310\Lib\site-packages\onnxruntime`, Attrs: map[string]string{"kind": "wheel", "package": "onnxruntime"}}, "14.29.30153.0", "", ""},
		{"an old runtime beside", "opencv", facts.Instance{Version: "4.10.0", OwnRuntime: &facts.OwnRuntime{File: `C:\app\msvcp140.dll`, Version: "14.29.30139.0", By: `C:\app\a.exe`, Linker: "14.41"}}, "14.42.34433.0", "opencv.own-runtime", "built with (14.41)"},
		{"a runtime beside that is new enough", "opencv", facts.Instance{Version: "4.10.0", OwnRuntime: &facts.OwnRuntime{File: `C:\app\msvcp140.dll`, Version: "14.40.33810.0", By: `C:\app\a.exe`, Linker: "14.38"}}, "14.29.30139.0", "", ""},
		{"a runtime beside makes up for the system's", "onnxruntime", facts.Instance{Version: "1.21.0", OwnRuntime: &facts.OwnRuntime{File: `C:\app\msvcp140.dll`, Version: "14.42.34433.0", By: `C:\app\a.exe`}}, "14.29.30153.0", "", ""},
		{"LibTorch 2 and Visual Studio 2019", "libtorch", facts.Instance{Version: "2.5.1"}, "14.42.34433.0", "", ""},
		{"unknown runtime", "msvc", facts.Instance{Version: "14.40.33807"}, "", "", ""},
		{"OpenCV without contrib", "opencv", facts.Instance{Version: "4.8.1", Has: []string{"core", "dnn", "headers"}, Built: facts.Built{Compiler: "mingw"}}, "", "opencv.gocv-modules", "face, tracking, xfeatures2d, img_hash"},
		{"OpenCV as gocv builds it", "opencv", facts.Instance{Version: "4.8.1", Has: gocv, Built: facts.Built{Compiler: "mingw"}}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.instance.Active = true
			f := &facts.Facts{OS: facts.OS{Family: "windows", ID: "windows"}, Components: map[string][]facts.Instance{c.component: {c.instance}, "vcredist": {redist(c.runtime)}}}
			r := &recipes.Recipe{Name: "test", Components: []string{c.component}, Verify: &recipes.Verify{Engine: "gocv"}}
			findings := Evaluate(r, tables, f).Findings
			if c.id == "" && len(findings) > 0 || c.id != "" && (len(findings) != 1 || findings[0].ID != c.id || findings[0].State != Fail && c.id != "msvc.runtime-mutex" || !strings.Contains(findings[0].Found, c.found)) {
				t.Errorf("%+v", findings)
			}
		})
	}
}
