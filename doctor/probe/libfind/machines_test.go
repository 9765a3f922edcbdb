package libfind

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

func found(t *testing.T, h *host.Host) facts.Facts {
	t.Helper()
	f := probetest.Of(Probe)(t, h)
	f.Sort()
	return f
}

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, func(ctx context.Context, h *host.Host) (facts.Facts, error) {
		f, err := Probe(ctx, h)
		cv, cvErr := ProbeOpenCV(ctx, h)
		f.Merge(cv)
		return f, errors.Join(err, cvErr)
	}, *update)
}

// brief is one line a copy: version, path, active, lookups, kind.
func brief(f facts.Facts) map[string][]string {
	out := map[string][]string{}
	for name, list := range f.Components {
		for _, i := range list {
			line := i.Version + " " + i.Path
			if i.Active {
				line += " active"
			}
			if len(i.Via) > 0 {
				line += " by " + strings.Join(i.Via, ",")
			}
			if k := i.Attrs["kind"]; k != "" {
				line += " " + k
			}
			out[name] = append(out[name], line)
		}
	}
	return out
}

// resource is what a DLL's version resource holds, in UTF-16.
func resource(version string) string {
	var b strings.Builder
	b.WriteString("MZ")
	for _, s := range []string{"VS_VERSION_INFO", "\x00\x00", "FileVersion", "\x00\x00", version, "\x00"} {
		for _, u := range utf16.Encode([]rune(s)) {
			b.WriteByte(byte(u))
			b.WriteByte(byte(u >> 8))
		}
	}
	return b.String()
}

func TestWindows(t *testing.T) {
	text := fmt.Sprintf("-- file C:\\Windows\\System32\\onnxruntime.dll --\n%s\n", resource("1.17.20240301.2"))
	h := hosttest.Parse(t, read(t, "testdata/windows.txtar")+text)
	f := found(t, h)
	want := map[string][]string{
		"darknet":  {` C:\darknet\build\darknet\x64 active by PATH`},
		"libtorch": {`2.4.1 C:\Program Files\libtorch active by cmake`, `2.5.0 C:\Users\u\AppData\Local\Programs\Python\Python312\Lib\site-packages\torch wheel`},
		"mkl":      {`2024.0 C:\Program Files (x86)\Intel\oneAPI\mkl\2024.0 active by dll`},
		"ncnn":     {`20260526 C:\ncnn-20260526-windows-vs2022\x64`},
		"onnxruntime": {
			`1.17 C:\Windows\System32 active by dll`, `1.30.0 C:\Users\u\AppData\Roaming\npm\node_modules\onnxruntime-node npm`, `1.20.1 C:\onnxruntime-win-x64-1.20.1`,
		},
		"openpose": {`1.7.0 D:\openpose-1.7.0`},
		"openvino": {`2024.6.0 C:\Program Files (x86)\Intel\openvino_2024\runtime active`},
	}
	probetest.Same(t, "", want, brief(f))
	for _, w := range []struct{ component, key, part string }{
		{"onnxruntime", "conflict", `finds C:\Windows\System32\onnxruntime.dll (1.17) before C:\onnxruntime-win-x64-1.20.1\lib\onnxruntime.dll (1.20.1)`},
		{"libtorch", "build", "cu124"},
		{"openvino", "env", "INTEL_OPENVINO_DIR"},
		{"darknet", "flavour", "alexeyab"},
	} {
		if got := detail(f.Components[w.component][0], w.key); !strings.Contains(got, w.part) {
			t.Errorf("%s %s: got %q, want %q in it", w.component, w.key, got, w.part)
		}
	}
}

// TestDarknets: the three flavours, told by their files alone.
func TestDarknets(t *testing.T) {
	for name, c := range map[string]struct{ fixture, flavour, version string }{
		"pjreddie's program": {"-- exec /usr/local/bin/darknet --\nELF usage: %s <function>\n", "pjreddie", ""},
		"AlexeyAB's program": {"-- exec /usr/local/bin/darknet --\nELF usage: %s <function> -dont_show\n", "alexeyab", ""},
		"hank-ai's package": {`-- exec /usr/bin/darknet --
ELF darknet_show_version_info dont_show
-- file /usr/lib/libdarknet.so --
ELF darknet_show_version_info
-- file /usr/include/darknet.h --
#define DARKNET_INCLUDE
-- file /usr/include/darknet_version.h --
#define DARKNET_VERSION_STRING "v5.0-138-ga061d2f0"
#define DARKNET_VERSION_SHORT "5.0.138"
`, "hank-ai", "5.0.138"},
		"another program": {"-- exec /usr/local/bin/darknet --\n#!/bin/sh\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := found(t, hosttest.Parse(t, "-- env --\nPATH=/usr/local/bin:/usr/bin\n"+c.fixture))
			i, ok := f.Active("darknet")
			if !ok || i.Attrs["flavour"] != c.flavour || i.Version != c.version || len(f.Components["darknet"]) != 1 {
				t.Errorf("got %+v", f.Components["darknet"])
			}
		})
	}
}

// TestSonameAlone: a library with nothing beside it tells its release by its
// symbol versions.
func TestSonameAlone(t *testing.T) {
	f := found(t, hosttest.Parse(t, "-- env --\nPATH=/usr/bin\nLD_LIBRARY_PATH=/srv/app\n-- file /srv/app/libonnxruntime.so.1 --\n\x7fELF\x00VERS_1.30.0\x00\n"))
	if i, ok := f.Active("onnxruntime"); !ok || i.Version != "1.30.0" || i.Path != "/srv/app" {
		t.Errorf("got %+v", f.Components["onnxruntime"])
	}
}

func detail(i facts.Instance, key string) string {
	if key == "conflict" {
		return i.Conflict
	}
	if key == "stale" && len(i.Stale) == 1 {
		return i.Stale[0].Variable + " " + i.Stale[0].Folder
	}
	return i.Attrs[key]
}

// TestPythonWheels: OpenCV's wheels are found wherever ONNX Runtime's are, and
// say what they compute with.
func TestPythonWheels(t *testing.T) {
	const unix, windows = "-- env --\nHOME=/home/u\n", "-- platform --\nwindows/amd64\n-- env --\nUSERPROFILE=C:\\Users\\u\nPath=C:\\tools\\py;D:\\app\\venv\\Scripts\n"
	for name, c := range map[string]struct{ env, site string }{
		"user":                  {unix, "/home/u/.local/lib/python3.11/site-packages"},
		"active environment":    {unix + "VIRTUAL_ENV=/srv/venv\n", "/srv/venv/lib/python3.12/site-packages"},
		"environment on PATH":   {unix + "PATH=/srv/venv/bin\n-- exec /srv/venv/bin/python3 --\n", "/srv/venv/lib/python3.12/site-packages"},
		"miniconda":             {unix, "/home/u/miniconda3/lib/python3.12/site-packages"},
		"environment of conda":  {unix, "/home/u/miniforge3/envs/cv/lib/python3.10/site-packages"},
		"pyenv":                 {unix, "/home/u/.pyenv/versions/3.13.1/lib/python3.13/site-packages"},
		"Debian":                {unix, "/usr/lib/python3/dist-packages"},
		"PATH of Windows":       {windows + "-- file C:\\tools\\py\\python.exe --\n", `C:\tools\py\Lib\site-packages`},
		"environment, Windows":  {windows + "-- file D:\\app\\venv\\Scripts\\python.exe --\n", `D:\app\venv\Lib\site-packages`},
		"miniconda of Windows":  {windows, `C:\Users\u\miniconda3\envs\cv\Lib\site-packages`},
		"pyenv-win":             {windows, `C:\Users\u\.pyenv\pyenv-win\versions\3.12.4\Lib\site-packages`},
		"the installer's place": {windows, `C:\Python312\Lib\site-packages`},
	} {
		t.Run(name, func(t *testing.T) {
			sep := "/"
			if strings.Contains(c.site, `\`) {
				sep = `\`
			}
			file := func(text string, path ...string) string {
				return "-- file " + c.site + sep + strings.Join(path, sep) + " --\n" + text
			}
			f := found(t, hosttest.Parse(t, c.env+file("", "onnxruntime-1.21.0.dist-info", "RECORD")+
				file("Name: opencv-contrib-python-headless\nVersion: 4.9.0.80\n", "opencv_contrib_python_headless-4.9.0.80.dist-info", "METADATA")+
				file("opencv_version = \"4.9.0.80\"\nci_build = True\n", "cv2", "version.py")))
			cv, ort := f.Components["opencv-python"], f.Components["onnxruntime"]
			if len(ort) != 1 || len(cv) != 1 || cv[0].Version != "4.9.0" || cv[0].Path != c.site+sep+"cv2" || cv[0].Attrs["package"] != "opencv-contrib-python-headless" ||
				cv[0].Attrs["package_version"] != "4.9.0.80" || !slices.Equal(cv[0].Built.Backends, []string{"cpu", "opencl"}) || cv[0].Conflict != "" {
				t.Errorf("opencv-python %+v, onnxruntime %+v", cv, ort)
			}
		})
	}
}

// TestWheelsOverOneAnother: two packages of one module, one of them built by the
// user with CUDA.
func TestWheelsOverOneAnother(t *testing.T) {
	const site = "/home/u/.venv/lib/python3.12/site-packages/"
	f := found(t, hosttest.Parse(t, "-- env --\nHOME=/home/u\n-- file "+site+"opencv_python-4.10.0+abc123.dist-info/RECORD --\n-- file "+site+"opencv_contrib_python-4.8.0.74.dist-info/RECORD --\n"+
		"-- file "+site+"cv2/version.py --\nci_build = False\n-- file "+site+"cv2/cv2.abi3.so --\n"+cudaBuild))
	cv := f.Components["opencv-python"]
	conda := found(t, hosttest.Parse(t, "-- env --\nHOME=/home/u\n-- file "+site+"opencv_python-4.10.0.dist-info/RECORD --\n-- file "+site+"opencv_python_headless-4.10.0.dist-info/RECORD --\n"))
	if one := conda.Components["opencv-python"]; len(one) != 1 || one[0].Conflict != "" {
		t.Errorf("conda: %+v", one)
	}
	if len(cv) != 1 || !strings.Contains(cv[0].Conflict, "opencv-contrib-python 4.8.0.74 and opencv-python 4.10.0+abc123") || cv[0].Built.CUDA != "12.4" || !slices.Contains(cv[0].Built.Backends, "cuda") {
		t.Errorf("%+v", cv)
	}
}

const cudaBuild = `General configuration for OpenCV 4.10.0 =====================================
  NVIDIA CUDA:                   YES (ver 12.4, CUFFT CUBLAS)
    NVIDIA GPU arch:             86
  OpenCL:                        YES (no extra features)
-----------------------------------------------------------------
`

// TestWheelsOnce: two names of one folder on PATH are one Python.
func TestWheelsOnce(t *testing.T) {
	f := found(t, hosttest.Parse(t, "-- env --\nPATH=/bin:/usr/bin:/srv/link/bin\n-- link /bin --\n/usr/bin\n-- link /lib --\n/usr/lib\n-- exec /bin/python3 --\n-- exec /usr/bin/python3 --\n"+
		"-- file /lib/python3/dist-packages/onnxruntime-1.21.0.dist-info/RECORD --\n-- file /usr/lib/python3/dist-packages/onnxruntime-1.21.0.dist-info/RECORD --\n"))
	windows := found(t, hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- env --\nPath=c:\\PYTHON312;C:\\Python312\\Scripts\n-- file C:\\Python312\\python.exe --\n-- file C:\\Python312\\Lib\\site-packages\\onnxruntime-1.21.0.dist-info\\RECORD --\n"))
	if list := windows.Components["onnxruntime"]; len(list) != 1 {
		t.Errorf("Windows: %+v", list)
	}
	if list := f.Components["onnxruntime"]; len(list) != 1 || list[0].Path != "/usr/lib/python3/dist-packages/onnxruntime" {
		t.Errorf("%+v", list)
	}
}
