package closure

import (
	"context"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestRuntimeByImports: the Visual C++ runtime is judged by what the files import of
// it. The symbols are those of ONNX Runtime's wheels.
func TestRuntimeByImports(t *testing.T) {
	const windows = "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Windows\\System32;C:\\ort\\lib\n"
	system := func(exports string) string {
		return "-- pe C:\\Windows\\System32\\msvcp140.dll --\nversion 14.29.30139.0\n" + exports
	}
	const all = "export _Mtx_init_in_situ\nexport _Mtx_lock\nexport _Mtx_unlock\n"
	library := func(linker, symbols string) string {
		return "-- pe C:\\ort\\lib\\onnxruntime.dll --\nlinker " + linker + "\nimport KERNEL32.dll\nimport MSVCP140.dll " + symbols + "\n"
	}
	for _, c := range []struct {
		name, host string
		lacks      string
		need       string
		known      bool
	}{
		{"1.20: made to work with older runtimes", system(all) + library("14.40", "_Mtx_unlock _Mtx_init_in_situ _Mtx_lock"), "", "", true},
		{"1.21: std::mutex of 14.40", system(all) + library("14.40", "_Mtx_unlock _Mtx_lock"), "", "14.38", true},
		{"an older toolset that gets its mutexes from elsewhere", system(all) + library("14.29", "_Mtx_unlock _Mtx_lock"), "", "", true},
		{"no mutex", system(all) + library("14.44", "_Mtx_unlock"), "", "", true},
		{"the runtime lacks a symbol", system(all) + library("14.44", "_Mtx_unlock _Cnd_timedwait_for_unchecked"), "_Cnd_timedwait_for_unchecked", "", true},
		{"a second file asks for more", system(all) + library("14.29", "_Mtx_lock") + "-- pe C:\\ort\\lib\\onnxruntime_providers_cuda.dll --\nlinker 14.29\nimport MSVCP140.dll _Mtx_new\n", "_Mtx_new", "", true},
		{"symbols that were not recorded", system(all) + library("14.40", ""), "", "", false},
		{"a runtime that was not recorded", system("") + library("14.29", "_Mtx_new"), "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := hosttest.Parse(t, windows+c.host)
			f := &facts.Facts{OS: facts.OS{Family: "windows", Version: "10.0.22631"}, Components: map[string][]facts.Instance{"onnxruntime": {{Active: true, Path: `C:\ort\lib\onnxruntime.dll`, Attrs: map[string]string{"lib": `C:\ort\lib\onnxruntime.dll`, "libdir": `C:\ort\lib`}}}}}
			if err := fillWindows(context.Background(), h, f); err != nil {
				t.Fatal(err)
			}
			i := f.Components["onnxruntime"][0]
			lacks := ""
			for _, n := range i.Needs {
				if n.Cause == facts.TooOld {
					lacks = n.Lacks
				}
			}
			if lacks != c.lacks || (i.Runtime != nil) != c.known || c.known && i.Runtime.Version != c.need {
				t.Errorf("lacks %q, runtime %+v, needs %+v", lacks, i.Runtime, i.Needs)
			}
		})
	}
}
