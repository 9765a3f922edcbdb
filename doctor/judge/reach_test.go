package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// asked judges facts with a recipe that asks for one component (and MinGW).
func asked(t *testing.T, f *facts.Facts, component string, more ...string) Finding {
	t.Helper()
	_, tables := load(t)
	r := &recipes.Recipe{Name: "test", Components: more, Requirements: []recipes.Requirement{{ID: "asked", Title: "asked", Manual: "By hand.",
		Component: &recipes.ComponentCheck{Name: component, Version: ">= 4, < 5"}}}}
	return Evaluate(r, tables, f).Findings[0]
}

func TestReach(t *testing.T) {
	windows := facts.OS{Family: "windows", ID: "windows"}
	linux := facts.OS{Family: "linux", ID: "debian", Libc: facts.Libc{Kind: "glibc"}}
	alpine := facts.OS{Family: "linux", ID: "alpine", Libc: facts.Libc{Kind: "musl"}}
	mac := facts.OS{Family: "darwin", ID: "macos"}
	bin := `C:\opencv\build\install\x64\mingw\bin`
	mingwCV := facts.Instance{Version: "4.8.1", Path: `C:\opencv\build\install`, Places: facts.Places{Bin: bin}, Built: facts.Built{Compiler: "mingw"}}
	msvcCV := facts.Instance{Version: "4.9.0", Path: `C:\opencv\build`, Active: true, Via: []string{"dll"}, Places: facts.Places{Bin: `C:\opencv\build\x64\vc16\bin`}, Built: facts.Built{Compiler: "msvc", Toolset: "v142"}}
	lib := facts.Instance{Version: "4.1.0", Path: "/opt/ort", Places: facts.Places{Lib: "/opt/ort/lib"}, Has: []string{"shared"}}
	old := facts.Instance{Version: "3.0.0", Path: "/usr", Active: true, Via: []string{"ldconfig"}, Places: facts.Places{Lib: "/usr/lib"}}
	for _, c := range []struct {
		name, component string
		os              facts.OS
		copies          []facts.Instance
		state           State
		found, fix      string
	}{
		{"DLL folder not on PATH", "opencv", windows, []facts.Instance{mingwCV}, Fail, "4.8.1 is installed, but " + bin + " is not on PATH", "Add " + bin + " to PATH"},
		{"PATH of the registry is ahead", "opencv", facts.OS{Family: "windows", StalePath: []string{strings.ToUpper(bin) + `\`}}, []facts.Instance{mingwCV}, Pending, "this one is older", "Open a new terminal"},
		{"MSVC's OpenCV for MinGW", "opencv", windows, []facts.Instance{msvcCV}, Fail, "built with MSVC (v142), which MinGW cannot link", "By hand."},
		{"MSVC's first, MinGW's there", "opencv", windows, []facts.Instance{msvcCV, mingwCV}, Fail, "4.8.1 in", "Put " + bin + ` before C:\opencv\build\x64\vc16\bin on PATH`},
		{"no copy would do", "opencv", windows, []facts.Instance{{Version: "3.4.0", Path: `C:\cv3`, Places: facts.Places{Bin: `C:\cv3\bin`}}}, Fail, "OpenCV 3.4.0", "By hand."},
		{"healthy", "opencv", windows, []facts.Instance{{Version: "4.8.1", Path: `C:\cv`, Active: true, Via: []string{"dll"}, Built: facts.Built{Compiler: "mingw"}}}, OK, "4.8.1", ""},
		{"Visual Studio is no matter of PATH", "visual-studio", windows, []facts.Instance{{Version: "17.10", Active: true, Path: `C:\VS2022`}, {Version: "4.0", Path: `C:\VS`}}, Fail, "would do", "deployctl shadow visual-studio"},
		{"shared library outside the loader's folders", "onnxruntime", linux, []facts.Instance{lib}, Fail, "where programs do not look", "echo /opt/ort/lib >> /etc/ld.so.conf.d/onnxruntime.conf && ldconfig"},
		{"musl has no ldconfig", "onnxruntime", alpine, []facts.Instance{lib}, Fail, "where programs do not look", "export LD_LIBRARY_PATH=/opt/ort/lib"},
		{"a wheel brings onnxruntime.dll, too", "onnxruntime", windows, []facts.Instance{{Version: "4.1.0", Path: `C:\Python310\Lib\site-packages\onnxruntime`, Attrs: map[string]string{"kind": "wheel"}, Places: facts.Places{Bin: `C:\Python310\Lib\site-packages\onnxruntime\capi`}}}, Fail, "is a Python package", "Python programs can use it"},
		{"another one is loaded first", "onnxruntime", linux, []facts.Instance{old, lib}, Fail, "comes first", "00-onnxruntime.conf"},
		{"through LD_LIBRARY_PATH", "onnxruntime", linux, []facts.Instance{func() facts.Instance { o := old; o.Via = []string{"LD_LIBRARY_PATH"}; return o }(), lib}, Fail, "comes first", "export LD_LIBRARY_PATH=/opt/ort/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"},
		{"CMake", "libtorch", linux, []facts.Instance{{Version: "4.0", Path: "/opt/torch", Via: nil, Places: facts.Places{CMake: "/opt/torch/share/cmake/Torch"}}}, Fail, "where programs do not look", "-DTorch_DIR=/opt/torch/share/cmake/Torch"},
		{"a program", "cmake", linux, []facts.Instance{{Version: "3.1", Path: "/usr/bin/cmake", Active: true, Via: []string{"PATH"}}, {Version: "4.1", Path: "/opt/cmake/bin/cmake"}}, Fail, "comes first", "export PATH=/opt/cmake/bin:$PATH"},
		{"a program that PATH does not lead to", "cmake", linux, []facts.Instance{{Version: "4.1", Path: "/opt/cmake/bin/cmake"}}, Fail, "where programs do not look", "export PATH=/opt/cmake/bin:$PATH"},
		{"the folder of one LLVM", "clang", linux, []facts.Instance{{Version: "4.1", Path: "/usr/lib/llvm-4.0/bin/clang"}}, Fail, "where programs do not look", "deployctl shadow clang"},
		{"such a program on a Mac", "cmake", mac, []facts.Instance{{Version: "4.1", Path: "/opt/cmake/bin/cmake"}}, Fail, "where programs do not look", "export PATH=/opt/cmake/bin:$PATH"},
		{"a kernel's file is no folder to add", "nvidia-driver", linux, []facts.Instance{{Version: "4.1", Path: "/proc/driver/nvidia/version"}}, Fail, "where programs do not look", "deployctl shadow nvidia-driver"},
		{"pkg-config on a Mac", "opencv", mac, []facts.Instance{{Version: "4.9.0", Path: "/opt/cv", Places: facts.Places{PkgConfig: "/opt/cv/lib/pkgconfig"}}}, Fail, "where programs do not look", "export PKG_CONFIG_PATH=/opt/cv/lib/pkgconfig"},
		{"the other Homebrew", "homebrew", mac, []facts.Instance{{Version: "3.1", Path: "/usr/local", Active: true, Via: []string{"PATH"}}, {Version: "4.4", Path: "/opt/homebrew"}}, Fail, "comes first", "export PATH=/opt/homebrew/bin:$PATH"},
		{"a library on a Mac", "onnxruntime", mac, []facts.Instance{lib}, Fail, "where programs do not look", "-Wl,-rpath,/opt/ort/lib"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := asked(t, &facts.Facts{OS: c.os, Components: map[string][]facts.Instance{c.component: c.copies}}, c.component, "mingw")
			if f.State != c.state || !strings.Contains(f.Found, c.found) || !strings.Contains(f.Fix, c.fix) || c.fix == "" && f.Fix != "" {
				t.Errorf("%s: found %q, fix %q", f.State, f.Found, f.Fix)
			}
			if strings.Contains(f.Fix, "win") && strings.Contains(f.Fix, "Make ") || strings.Contains(f.Fix, "first in PATH") {
				t.Errorf("the fix tells nothing to do: %q", f.Fix)
			}
		})
	}
	// MSVC's OpenCV is right for a recipe that does not build with MinGW.
	f := asked(t, &facts.Facts{OS: windows, Components: map[string][]facts.Instance{"opencv": {msvcCV}}}, "opencv")
	if f.State != OK {
		t.Errorf("without MinGW: %s, %s", f.State, f.Found)
	}
}

// TestFeatures: a Server's feature is never named to a client, nor the other way.
func TestFeatures(t *testing.T) {
	r, err := recipes.Find("openpose-windows", "")
	if err != nil {
		t.Fatal(err)
	}
	_, tables := load(t)
	for kind, want := range map[string][2]string{"windows-client": {"Media.MediaFeaturePack", "Server"}, "windows-server": {"Install-WindowsFeature Server-Media-Foundation", "Pack"}} {
		for _, f := range Evaluate(r, tables, &facts.Facts{OS: facts.OS{Family: "windows", ID: "windows", Version: "10.0", Like: []string{kind}}}).Findings {
			if f.ID == "media-foundation.present" && (f.State != Fail || !strings.Contains(f.Fix, want[0]) || strings.Contains(f.Fix, want[1])) {
				t.Errorf("%s: %s, %q", kind, f.State, f.Fix)
			}
		}
	}
}
