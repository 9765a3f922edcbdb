package opencv

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
)

func TestFind(t *testing.T) {
	copyOf := func(attrs map[string]string, version string, active bool) facts.Instance {
		return facts.Instance{Version: version, Active: active, Path: "/usr", Attrs: attrs}
	}
	own := map[string]string{"lib": "/usr/lib/libopencv_core.so.4.6.0", "pc": "/usr/lib/pkgconfig/opencv4.pc", "cmake": "/usr/lib/cmake/opencv4/OpenCVConfig.cmake"}
	five := map[string]string{"lib": "/opt/libopencv_core.so.5.0.0", "pc": "/opt/pkgconfig/opencv5.pc"}
	for _, c := range []struct {
		name   string
		copies []facts.Instance
		want   string // of the options, or of the error
	}{
		{"none", nil, "not installed here"},
		{"one", []facts.Instance{copyOf(own, "4.6.0", true)}, "darknet 4.6.0 /usr/lib/libopencv_core.so.4.6.0 opencv4 /usr/lib/cmake/opencv4 /usr/lib/pkgconfig 11"},
		{"the active one", []facts.Instance{copyOf(five, "5.0.0", false), copyOf(own, "4.6.0", true)}, "darknet 4.6.0"},
		{"OpenCV 5 reads ONNX", []facts.Instance{copyOf(five, "5.0.0", true)}, "onnx 5.0.0 /opt/libopencv_core.so.5.0.0 opencv5  /opt/pkgconfig 17"},
		{"one that cannot be used", []facts.Instance{{Path: "/opt", Attrs: own, Unusable: &facts.Unusable{Reason: facts.WrongArch, Detail: "it is for arm64"}}}, "it is for arm64"},
		{"a Python package", []facts.Instance{{Path: "/usr/lib/python3/dist-packages/cv2"}}, "not installed here"},
	} {
		f := &facts.Facts{Components: map[string][]facts.Instance{"opencv": c.copies, "cmake": {{Path: "/usr/bin/cmake", Active: true}}}}
		e, err := Spec().Find(engine.Machine{Facts: f, Getenv: func(string) (string, bool) { return "", false }})
		got := ""
		if err != nil {
			got = err.Error()
		} else if b := e.(*builder); b.o.Tools.CMake == "/usr/bin/cmake" {
			got = strings.Join([]string{string(e.Spec().Formats[0]), b.o.Version, b.o.Library, b.o.Module, b.o.ConfigDir, b.o.PkgConfigDir, map[int]string{11: "11", 17: "17"}[b.standard]}, " ")
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// TestSentences: failures that are OpenCV's own, and what to do.
func TestSentences(t *testing.T) {
	windows := `CMake Warning at D:/opencv/build/OpenCVConfig.cmake:176 (message):
  Found OpenCV Windows Pack but it has no binaries compatible with your
  configuration.
CMake Error at CMakeLists.txt:7 (find_package):
  Found package configuration file:

    D:/opencv/build/OpenCVConfig.cmake

  but it set OpenCV_FOUND to FALSE so package "OpenCV" is considered to be NOT
  FOUND.
`
	if why, fix := explain(windows); !strings.Contains(why, "no binaries compatible") || !strings.Contains(fix, "vc17") {
		t.Errorf("%q %q", why, fix)
	}
	for message, want := range map[string]string{
		"OpenCV's headers are of 4.10.0, and the library that was loaded is 4.6.0":                             "shadow opencv",
		"OpenCV(5.0.0) dnn_read.cpp:94: error: (-213) Darknet importer has been removed in function 'readNet'": "OpenCV 4",
		"OpenCV does not know the model's output layer_81; it has layer_82":                                    "report this",
		"something else": "",
	} {
		if got := remedy(message); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", message, got)
		}
	}
}

// TestWords: the worker knows every backend and target that the engine declares.
func TestWords(t *testing.T) {
	text, err := os.ReadFile("worker/main.cpp")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range Spec().Targets {
		for _, word := range []string{target.Name, target.Backend} {
			if !regexp.MustCompile(`\{"` + word + `", \d+\}`).Match(text) {
				t.Errorf("the worker does not know %s", word)
			}
		}
	}
}

// TestForms: the C++ workers answer with the forms that the Go workers answer with.
func TestForms(t *testing.T) {
	forms, err := os.ReadFile("../internal/worker/source/forms.go")
	if err != nil {
		t.Fatal(err)
	}
	shared, err := os.ReadFile("../internal/cxx/source/worker.cpp")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`json:\"([a-z0-9_]+)").FindAllStringSubmatch(string(forms), -1)
	if len(names) < 40 {
		t.Fatalf("%d names", len(names))
	}
	for _, n := range names {
		if n[1] == "log" || n[1] == "shapes" || n[1] == "batch_norm" { // the parent's own, and Darknet's alone
			continue
		}
		if !strings.Contains(string(shared), `"`+n[1]+`"`) {
			t.Errorf("worker.cpp does not have %s", n[1])
		}
	}
}

// TestLive compiles the worker for real in both ways, and uses the second time what
// was made the first.
func TestLive(t *testing.T) {
	o := live(t)
	w, err := New(o).Prepare(t.Context(), engine.Silent{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("built %v in %v: %v %q", w.Built, w.BuildTime, w.Argv, w.Notes)
	again, err := New(o).Prepare(t.Context(), engine.Silent{})
	if err != nil || again.Built || again.Argv[0] != w.Argv[0] {
		t.Fatalf("second call: %v, %+v", err, again)
	}
}

// live are the options of the engine of this machine.
func live(t *testing.T) Options {
	t.Helper()
	dir := os.Getenv("DEPLOYCTL_TEST_GOCV_CACHE")
	if dir == "" {
		t.Skip("skipped: set DEPLOYCTL_TEST_GOCV_CACHE to a cache folder to compile programs against this machine's OpenCV")
	}
	o := Options{Process: host.Live(), Cache: dir}
	for _, tool := range []struct {
		name string
		path *string
	}{{"cmake", &o.Tools.CMake}, {"pkg-config", &o.Tools.PkgConfig}} {
		path, err := exec.LookPath(tool.name)
		if err != nil {
			t.Skipf("skipped: %v", err)
		}
		*tool.path = path
	}
	cxxTool, err := exec.LookPath("g++")
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	o.Tools.Compiler = []string{cxxTool}
	o.Tools.Ninja, _ = exec.LookPath("ninja") // make does it, too
	for _, q := range []struct {
		argument string
		value    *string
	}{{"--modversion", &o.Version}, {"--variable=libdir", &o.Library}} {
		out, err := exec.Command(o.Tools.PkgConfig, q.argument, "opencv4").Output()
		if err != nil {
			t.Skipf("skipped: pkg-config does not know opencv4: %v", err)
		}
		*q.value = strings.TrimSpace(string(out))
	}
	files, err := filepath.Glob(filepath.Join(o.Library, "libopencv_core.so.*"))
	if err != nil || len(files) == 0 {
		t.Skipf("skipped: no shared library in %s: %v", o.Library, err)
	}
	o.Library = files[0]
	return o
}
