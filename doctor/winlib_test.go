package doctor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

// TestOpenPoseTrees judges trees of OpenPose by what lies in them.
func TestOpenPoseTrees(t *testing.T) {
	const windows = "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\Windows\\System32;C:\\Python310\nSystemRoot=C:\\Windows\nOPENPOSE_DIR=C:\\op\n-- file C:\\Python310\\python.exe --\nMZ\n"
	const card = "-- reg 64 HKLM\\SYSTEM\\CurrentControlSet\\Control\\Class\\{4d36e968-e325-11ce-bfc1-08002be10318}\\0000 --\nDriverDesc=NVIDIA GeForce RTX 2070\nProviderName=NVIDIA\nMatchingDeviceId=PCI\\VEN_10DE&DEV_1F07&SUBSYS_1\n"
	file := func(name, text string) string { return "-- file C:\\op\\" + name + " --\n" + text + "\n" }
	demo := file(`bin\OpenPoseDemo.exe`, "MZ") + file(`bin\openpose.dll`, "MZ") + file(`models\getModels.bat`, "x") + file(`models\pose\body_25\pose_deploy.prototxt`, "x")
	weights := file(`models\pose\body_25\pose_iter_584000.caffemodel`, "weights")
	pyd := file(`build\python\openpose\Release\pyopenpose.cp310-win_amd64.pyd`, "MZ") + file(`build\bin\caffe.dll`, "MZ") + file(`build\bin\opencv_world450.dll`, "MZ") + file(`build\x64\Release\openpose.dll`, "MZ")
	beside := file(`build\python\openpose\Release\openpose.dll`, "MZ") + file(`build\python\openpose\Release\caffe.dll`, "MZ") + file(`build\python\openpose\Release\opencv_world450.dll`, "MZ")
	for _, c := range []struct{ name, host, id, found, fix string }{
		{"default model missing", demo, "openpose.unusable", `body_25\pose_iter_584000.caffemodel is missing`, `to C:\op\models\pose\body_25\pose_iter_584000.caffemodel`},
		{"default model empty", demo + "-- file C:\\op\\models\\pose\\body_25\\pose_iter_584000.caffemodel --\n", "openpose.unusable", "is empty", "posefs1"},
		{"a proxy's page", demo + file(`models\pose\body_25\pose_iter_584000.caffemodel`, "\n<!DOCTYPE html><title>x"), "openpose.unusable", "is an HTML page", "posefs1"},
		{"the face model empty", demo + weights + "-- file C:\\op\\models\\face\\pose_iter_116000.caffemodel --\n", "openpose.unusable", `face\pose_iter_116000.caffemodel is empty`, "posefs1"},
		{"healthy: other models are not needed", demo + weights, "", "", ""},
		{"CUDA 8 for Turing", card + weights + demo + file(`bin\cudart64_80.dll`, "MZ"), "openpose.carried-cuda", "brings CUDA 8.0 along (C:\\op\\bin\\cudart64_80.dll), which has no code for this GPU (compute capability 7.5)", "--set release=1.7.0"},
		{"healthy: CUDA 10", card + weights + demo + file(`bin\cudart64_100.dll`, "MZ"), "", "", ""},
		{"healthy: CUDA 11", card + weights + demo + file(`bin\cudart64_110.dll`, "MZ"), "", "", ""},
		{"healthy: the program's own comes first", card + weights + demo + file(`bin\cudart64_101.dll`, "MZ") + file(`3rdparty\windows\caffe\bin\cudart64_80.dll`, "MZ"), "", "", ""},
		{"module without its DLLs", pyd, "openpose.python-module", "openpose.dll, caffe.dll, opencv_world450.dll", `os.add_dll_directory(r"C:\op\build\bin")`},
		{"healthy: DLLs beside the module", pyd + beside, "", "", ""},
		{"healthy: Python 3.7 searches PATH", strings.ReplaceAll(pyd, "cp310", "cp37m"), "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := recipes.Find("openpose-windows", "")
			if err != nil {
				t.Fatal(err)
			}
			tables, err := embeddedTables()
			if err != nil {
				t.Fatal(err)
			}
			j := judge.Evaluate(r, tables, doctor.Probe(context.Background(), hosttest.Parse(t, windows+c.host), doctor.Probes(false)))
			seen := false
			for _, f := range j.Findings {
				if !strings.HasPrefix(f.ID, "openpose.") || f.State != judge.Fail || f.ID == "openpose.vs" || strings.HasPrefix(f.ID, "openpose.cu") {
					continue
				}
				if f.ID != c.id || !strings.Contains(f.Found, c.found) || !strings.Contains(f.Fix, c.fix) {
					t.Errorf("%s: %q, %q", f.ID, f.Found, f.Fix)
				}
				seen = true
			}
			if !seen && c.id != "" {
				t.Errorf("no finding %s", c.id)
			}
		})
	}
}

// TestSplitLibraries: what a DLL loads by name when it is first called.
func TestSplitLibraries(t *testing.T) {
	const windows = "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\cudnn\\bin\nSystemRoot=C:\\Windows\n"
	files := func(dir string, names ...string) (out string) {
		for _, n := range names {
			out += "-- file " + dir + n + " --\nMZ\n"
		}
		return out
	}
	cudnn, system := `C:\cudnn\bin\`, `C:\Windows\System32\`
	redist := "-- reg 64 HKLM\\SOFTWARE\\Microsoft\\VisualStudio\\14.0\\VC\\Runtimes\\x64 --\nMajor=dword:14\nMinor=dword:29\nBld=dword:30133\nInstalled=dword:1\n"
	for _, c := range []struct{ name, component, host, lacks string }{
		{"cuDNN 8 alone", "cudnn", files(cudnn, "cudnn64_8.dll"), "cudnn_ops_infer64_8.dll"},
		{"cuDNN 8 whole", "cudnn", files(cudnn, "cudnn64_8.dll", "cudnn_ops_infer64_8.dll", "cudnn_cnn_infer64_8.dll", "cudnn_adv_infer64_8.dll"), ""},
		{"cuDNN 7 is one DLL", "cudnn", files(cudnn, "cudnn64_7.dll"), ""},
		{"cuDNN 9 without its engines", "cudnn", files(cudnn, "cudnn64_9.dll", "cudnn_graph64_9.dll", "cudnn_ops64_9.dll"), "cudnn_engines_precompiled64_9.dll"},
		{"runtime without vcruntime140_1", "vcredist", redist + files(system, "vcruntime140.dll", "msvcp140.dll"), "vcruntime140_1.dll"},
		{"runtime whole", "vcredist", redist + files(system, "vcruntime140.dll", "msvcp140.dll", "vcruntime140_1.dll"), ""},
		{"runtime of 2017", "vcredist", strings.Replace(redist, "dword:29", "dword:16", 1) + files(system, "vcruntime140.dll", "msvcp140.dll"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, ok := doctor.Probe(context.Background(), hosttest.Parse(t, windows+c.host), doctor.Probes(false)).Active(c.component)
			switch {
			case !ok:
				t.Fatal("no active " + c.component)
			case c.lacks == "" && i.Unusable != nil, c.lacks != "" && (i.Unusable == nil || !strings.Contains(i.Unusable.Detail, c.lacks)):
				t.Errorf("%+v", i.Unusable)
			}
		})
	}
}
