package closure_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestWindowsSearch: where Windows looks for the DLLs of a program, a library and
// a Python module.
func TestWindowsSearch(t *testing.T) {
	const head = "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Windows\\System32;C:\\on;C:\\Python310\n" +
		"-- file C:\\Windows\\System32\\vcruntime140.dll --\nMZ\n-- file C:\\Python310\\python.exe --\nMZ\n"
	const whole = "-- file C:\\Windows\\System32\\user32.dll --\nMZ\n-- file C:\\Windows\\System32\\advapi32.dll --\nMZ\n"
	pe := func(file string, rest string) string { return "-- pe " + file + " --\n" + rest + "\n" }
	file := func(name string) string { return "-- file " + name + " --\nMZ\n" }
	program := pe(`C:\app\darknet.exe`, "import KERNEL32.dll\nimport api-ms-win-crt-heap-l1-1-0.dll\nimport VCRUNTIME140.dll\nimport a.dll\ndelay never.dll")
	for _, c := range []struct{ name, component, file, host, want string }{
		{"beside the program", "darknet", `C:\app\darknet.exe`, program + file(`C:\app\A.dll`), ""},
		{"on PATH", "darknet", `C:\app\darknet.exe`, program + file(`C:\on\a.dll`), ""},
		{"in Windows", "darknet", `C:\app\darknet.exe`, program + file(`C:\Windows\a.dll`), ""},
		{"nowhere", "darknet", `C:\app\darknet.exe`, program, "a.dll not-found"},
		{"where nothing looks", "darknet", `C:\app\darknet.exe`, program + file(`C:\off\a.dll`), `a.dll not-found C:\off\a.dll`},
		{"a DLL of a DLL", "darknet", `C:\app\darknet.exe`, program + pe(`C:\on\a.dll`, "import b.dll"), "b.dll not-found"},
		{"each DLL is told once", "darknet", `C:\app\darknet.exe`, program + pe(`C:\on\a.dll`, "import a.dll\nimport b.dll\nimport B.DLL"), "b.dll not-found"},
		{"a 32-bit DLL first", "darknet", `C:\app\darknet.exe`, program + pe(`C:\app\a.dll`, "machine 386") + pe(`C:\on\a.dll`, ""), `a.dll other-arch C:\app\a.dll`},
		{"names without contents", "darknet", `C:\app\darknet.exe`, file(`C:\app\darknet.exe`), ""},
		{"the driver's", "darknet", `C:\app\darknet.exe`, pe(`C:\app\darknet.exe`, "import nvcuda.dll"), "nvcuda.dll driver"},
		{"Windows' own, System32 not recorded", "darknet", `C:\app\darknet.exe`, pe(`C:\app\darknet.exe`, "import D3D11.dll"), ""},
		{"Windows' own, System32 recorded", "darknet", `C:\app\darknet.exe`, whole + pe(`C:\app\darknet.exe`, "import KERNEL32.dll\nimport MFPlat.DLL") + file(`C:\Windows\System32\kernel32.dll`), "MFPlat.DLL not-found"},
		{"a folder that may not be listed", "darknet", `C:\app\darknet.exe`, program + "-- deny C:\\on --\n", ""},
		{"a cut file", "darknet", `C:\app\darknet.exe`, "-- file C:\\app\\darknet.exe --\nMZ" + fmt.Sprintf("%062d", 0) + "PE\n", ""},
		{"a Python module: beside it", "caffe", `C:\mod\caffe.pyd`, pe(`C:\mod\caffe.pyd`, "import a.dll") + file(`C:\mod\a.dll`), ""},
		{"a Python module: beside Python", "caffe", `C:\mod\caffe.pyd`, pe(`C:\mod\caffe.pyd`, "import tcl86t.dll") + file(`C:\Python310\tcl86t.dll`), ""},
		{"a Python module: Python itself is loaded", "caffe", `C:\mod\caffe.pyd`, pe(`C:\mod\caffe.pyd`, "import python310.dll"), ""},
		{"a Python module: PATH is not searched", "caffe", `C:\mod\caffe.pyd`, pe(`C:\mod\caffe.pyd`, "import a.dll") + file(`C:\on\a.dll`), "a.dll not-found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &facts.Facts{Components: map[string][]facts.Instance{
				c.component: {{Active: true, Attrs: map[string]string{"program": c.file}}}, "gflags": {{Places: facts.Places{Bin: `C:\off`}}},
			}}
			if err := closure.Fill(context.Background(), hosttest.Parse(t, head+c.host), f); err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, n := range f.Components[c.component][0].Needs {
				got += n.Name + " " + string(n.Cause)
				if at := n.Elsewhere + n.Found; at != "" {
					got += " " + at
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWindowsRoots: what is walked of each component.
func TestWindowsRoots(t *testing.T) {
	const head = "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Windows\n"
	pe := func(file string) string { return "-- pe " + file + " --\nimport " + file[len(file)-9:] + ".x.dll\n" }
	for _, c := range []struct {
		component string
		attrs     map[string]string
		path      string
		files     []string
		want      int
	}{
		{"opencv", map[string]string{"lib": `C:\cv\opencv_core481.dll`, "libdir": `C:\cv`, "soname": "opencv_core481.dll"}, `C:\cv`,
			[]string{`C:\cv\opencv_core481.dll`, `C:\cv\opencv_dnn481.dll`, `C:\cv\opencv_dnn480.dll`, `C:\cv\opencv_videoio_ffmpeg481_64.dll`}, 2},
		{"onnxruntime", map[string]string{"lib": `C:\ort\onnxruntime.dll`, "libdir": `C:\ort`}, `C:\ort`,
			[]string{`C:\ort\onnxruntime.dll`, `C:\ort\onnxruntime_providers_cuda.dll`, `C:\ort\onnxruntime_providers_tensorrt.dll`}, 2},
		{"openpose", nil, `C:\op\build\x64\Release`, []string{`C:\op\bin\OpenPoseDemo.exe`, `C:\op\build\x64\Release\tutorial.exe`}, 2},
		{"cmake", nil, `C:\cmake\cmake.exe`, []string{`C:\cmake\cmake.exe`}, 0},
	} {
		host := head
		for _, file := range c.files {
			host += pe(file)
		}
		f := &facts.Facts{Components: map[string][]facts.Instance{c.component: {{Active: true, Path: c.path, Attrs: c.attrs}}}}
		if err := closure.Fill(context.Background(), hosttest.Parse(t, host), f); err != nil {
			t.Fatal(err)
		}
		if got := f.Components[c.component][0].Needs; len(got) != c.want {
			t.Errorf("%s: %+v, not %d", c.component, got, c.want)
		}
	}
}

// TestOpenPoseBinariesForTheCPU: what an OpenPose computes with where its DLLs are known
// by name alone.
func TestOpenPoseBinariesForTheCPU(t *testing.T) {
	const head = "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Windows\n"
	whole := "OpenPoseDemo.exe openpose.dll caffe.dll gflags.dll glog.dll opencv_world450.dll"
	for name, c := range map[string]struct{ tree, files, want string }{
		"a whole set without CUDA's":      {`D:\openpose`, whole, "cpu"},
		"with CUDA's":                     {`D:\openpose`, whole + " cudart64_110.dll", ""},
		"a few names say nothing":         {`D:\openpose`, "OpenPoseDemo.exe openpose.dll caffe.dll", ""},
		"the name of the archive":         {`D:\openpose-1.7.0-binaries-win64-cpu-python3.7-flir-3d\openpose`, "OpenPoseDemo.exe openpose.dll", "cpu"},
		"of an older one":                 {`D:\openpose-1.5.1-binaries-win64-only_cpu-python-flir-3d`, "OpenPoseDemo.exe openpose.dll", "cpu"},
		"that for the GPU":                {`D:\openpose-1.7.0-binaries-win64-gpu-python3.7-flir-3d_recommended\openpose`, "OpenPoseDemo.exe openpose.dll", ""},
		"CUDA's, put into the CPU's tree": {`D:\openpose-1.7.0-binaries-win64-cpu-python3.7-flir-3d\openpose`, whole + " cudart64_110.dll", ""},
	} {
		host := head
		for _, file := range strings.Fields(c.files) {
			host += "-- file " + c.tree + `\bin\` + file + " --\nMZ\n"
		}
		f := &facts.Facts{Components: map[string][]facts.Instance{"openpose": {{Active: true, Path: c.tree}}}}
		if err := closure.Fill(context.Background(), hosttest.Parse(t, host), f); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(f.Components["openpose"][0].Built.Backends, " "); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestWindowsMarks: what the import tables say besides missing DLLs.
func TestWindowsMarks(t *testing.T) {
	const head = "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\cudnn\n"
	for name, c := range map[string]struct{ host, version, runtime, needs string }{
		"MSVCRT":                   {"-- pe C:\\cv\\libopencv_core481.dll --\nimport KERNEL32.dll\nimport msvcrt.dll\n", "", "msvcrt", ""},
		"UCRT":                     {"-- pe C:\\cv\\libopencv_core481.dll --\nimport api-ms-win-crt-heap-l1-1-0.dll\n", "", "ucrt", ""},
		"unreadable":               {"-- file C:\\cv\\libopencv_core481.dll --\nMZ\n", "", "", ""},
		"cuDNN 8.5":                {"", "8.5.0", "", "zlibwapi.dll"},
		"cuDNN 8.5, zlib":          {"-- file C:\\cudnn\\zlibwapi.dll --\nMZ\n", "8.5.0", "", ""},
		"cuDNN 8.2":                {"", "8.2.4", "", ""},
		"cuDNN 8.9":                {"", "8.9.7", "", ""},
		"cuDNN 8, unknown release": {"", "8", "", ""},
		"cuDNN 9":                  {"", "9.5.1", "", ""},
	} {
		f := &facts.Facts{Components: map[string][]facts.Instance{
			"opencv": {{Active: true, Attrs: map[string]string{"lib": `C:\cv\libopencv_core481.dll`}}},
			"cudnn":  {{Active: true, Version: c.version, Path: `C:\cudnn\cudnn64_8.dll`}},
		}}
		if err := closure.Fill(context.Background(), hosttest.Parse(t, head+c.host), f); err != nil {
			t.Fatal(err)
		}
		needs := ""
		for _, n := range f.Components["cudnn"][0].Needs {
			needs += n.Name
		}
		if got := f.Components["opencv"][0].Built.Runtime; got != c.runtime || needs != c.needs {
			t.Errorf("%s: runtime %q, needs %q", name, got, needs)
		}
	}
}

// TestBuiltForCUDA: which CUDA an ONNX Runtime was built for.
func TestBuiltForCUDA(t *testing.T) {
	for name, c := range map[string]struct{ path, provider, want string }{
		"its provider says":         {`C:\ort`, "import cublas64_12.dll\n", "12"},
		"its archive says":          {`C:\onnxruntime-win-x64-gpu-cuda12-1.18.0`, "", "12"},
		"without gpu in the name":   {`C:\onnxruntime-win-x64-cuda12-1.17.1`, "", "12"},
		"1.18 without cuda12":       {`C:\onnxruntime-win-x64-gpu-1.18.0`, "", "11"},
		"1.20 may be for any":       {`C:\onnxruntime-win-x64-gpu-1.20.1`, "", ""},
		"an unknown folder":         {`C:\ort`, "", ""},
		"the provider is preferred": {`C:\onnxruntime-win-x64-gpu-1.18.0`, "import cublas64_12.dll\n", "12"},
	} {
		host := "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\Windows\n"
		if c.provider != "" {
			host += "-- pe " + c.path + "\\lib\\onnxruntime_providers_cuda.dll --\n" + c.provider
		}
		f := &facts.Facts{Components: map[string][]facts.Instance{"onnxruntime": {{Active: true, Path: c.path, Has: []string{"cuda"}, Attrs: map[string]string{"libdir": c.path + `\lib`}}}}}
		if err := closure.Fill(context.Background(), hosttest.Parse(t, host), f); err != nil {
			t.Fatal(err)
		}
		if got := f.Components["onnxruntime"][0].Built.CUDA; got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

// TestOldWindows: API sets that Windows 7 and 8.1 have only after an update.
func TestOldWindows(t *testing.T) {
	const machine = "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Windows\\System32\n" +
		"-- file C:\\Windows\\System32\\user32.dll --\nMZ\n-- file C:\\Windows\\System32\\advapi32.dll --\nMZ\n" +
		"-- pe C:\\app\\darknet.exe --\nimport api-ms-win-crt-heap-l1-1-0.dll\nimport api-ms-win-downlevel-shlwapi-l1-1-0.dll\n"
	const ucrt = "-- file C:\\Windows\\System32\\ucrtbase.dll --\nMZ\n"
	for _, c := range []struct{ version, host, want string }{
		{"10.0.19045", machine, ""},
		{"6.3.9600", machine, "api-ms-win-crt-heap-l1-1-0.dll "},
		{"6.3.9600", machine + ucrt, ""},
		{"6.1.7601", machine + ucrt, "api-ms-win-downlevel-shlwapi-l1-1-0.dll "},
		{"6.1.7601", machine + ucrt + "-- file C:\\Windows\\System32\\api-ms-win-downlevel-shlwapi-l1-1-0.dll --\nMZ\n", ""},
	} {
		f := &facts.Facts{OS: facts.OS{Version: c.version}, Components: map[string][]facts.Instance{"darknet": {{Active: true, Attrs: map[string]string{"program": `C:\app\darknet.exe`}}}}}
		if err := closure.Fill(t.Context(), hosttest.Parse(t, c.host), f); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, n := range f.Components["darknet"][0].Needs {
			got += n.Name + " "
		}
		if got != c.want {
			t.Errorf("Windows %s: %q, want %q", c.version, got, c.want)
		}
	}
}
