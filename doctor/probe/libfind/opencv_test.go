package libfind

import (
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

var probeOpenCV = probetest.Of(ProbeOpenCV)

func fixture(t *testing.T, files ...string) string {
	t.Helper()
	var b strings.Builder
	for _, f := range files {
		b.WriteString(read(t, "testdata/opencv-"+f))
	}
	return b.String()
}

func TestDebianPackage(t *testing.T) {
	f := probeOpenCV(t, hosttest.Parse(t, fixture(t, "debian12.txtar")))
	list := f.Components["opencv"]
	if len(list) != 1 {
		t.Fatalf("want one copy, got %d: %+v", len(list), list)
	}
	i := list[0]
	if i.Version != "4.6.0" || i.Path != "/usr" || !i.Active {
		t.Errorf("got %s in %s, active %v", i.Version, i.Path, i.Active)
	}
	for _, part := range []string{"core", "dnn", "headers", "shared", "dev", "pkg-config", "cmake", "opencl"} {
		if !i.HasPart(part) {
			t.Errorf("lacks %s: %v", part, i.Has)
		}
	}
	if i.HasPart("nonfree") || i.HasPart("cuda") {
		t.Errorf("has what it was built without: %v", i.Has)
	}
	for _, via := range []string{"pkg-config", "cmake", "link", "ldconfig"} {
		if !slices.Contains(i.Via, via) {
			t.Errorf("not found by %s: %v", via, i.Via)
		}
	}
	for key, want := range map[string]string{
		"soname": "libopencv_core.so.406", "include": "/usr/include/opencv4", "libdir": "/usr/lib/x86_64-linux-gnu",
		"pc": "/usr/lib/x86_64-linux-gnu/pkgconfig/opencv4.pc", "build.parallel": "TBB (ver 2021.8 interface 12080)",
		"build.cpu_baseline": "SSE SSE2",
	} {
		if i.Attrs[key] != want {
			t.Errorf("%s = %q, want %q", key, i.Attrs[key], want)
		}
	}
	if i.Conflict != "" {
		t.Errorf("a conflict in one copy: %s", i.Conflict)
	}
}

// TestTwoCopies: pkg-config's copy is not CMake's, and the report names both.
func TestTwoCopies(t *testing.T) {
	f := probeOpenCV(t, hosttest.Parse(t, fixture(t, "debian12.txtar", "local410.txtar")))
	list := f.Components["opencv"]
	if len(list) != 2 {
		t.Fatalf("want two copies, got %+v", list)
	}
	active, ok := f.Active("opencv")
	if !ok || active.Version != "4.6.0" {
		t.Fatalf("active: %+v", active)
	}
	if c := active.Conflict; !strings.Contains(c, "4.6.0 in /usr") || !strings.Contains(c, "4.10.0 in /usr/local") {
		t.Errorf("conflict: %q", c)
	}
	for _, i := range list {
		if i.Version == "4.10.0" {
			if !i.HasPart("cuda") || !i.HasPart("cudnn") || i.Attrs["build.cuda_arch"] != "86" {
				t.Errorf("build information of the second copy: %v", i.Attrs)
			}
			if !slices.Contains(i.Via, "cmake") || slices.Contains(i.Via, "pkg-config") {
				t.Errorf("second copy via %v", i.Via)
			}
		}
	}
}

func TestPkgConfigPathPrefersTheOther(t *testing.T) {
	f := probeOpenCV(t, hosttest.Parse(t, fixture(t, "debian12.txtar", "local410.txtar")+`
-- file /usr/local/lib/pkgconfig/opencv4.pc --
prefix=/usr/local
Name: OpenCV
Version: 4.10.0
Libs: -L${prefix}/lib -lopencv_core
Cflags: -I${prefix}/include/opencv4
`))
	active, _ := f.Active("opencv")
	if active.Version != "4.10.0" || active.Path != "/usr/local" {
		t.Errorf("active: %s in %s", active.Version, active.Path)
	}
	// Nothing tells the loader of /usr/local/lib here.
	if !strings.Contains(active.Conflict, "ldconfig") {
		t.Errorf("conflict: %q", active.Conflict)
	}
}

func TestHeadersOfOneLibrariesOfAnother(t *testing.T) {
	f := probeOpenCV(t, hosttest.Parse(t, fixture(t, "debian12.txtar")+`
-- file /usr/local/include/opencv4/opencv2/core/version.hpp --
#define CV_VERSION_MAJOR 4
#define CV_VERSION_MINOR 5
#define CV_VERSION_REVISION 4
#define CV_VERSION_STATUS "-dev"
-- file /opt/pc/opencv4.pc --
Version: 4.5.4
Libs: -lopencv_core
Cflags: -I/usr/local/include/opencv4
-- env --
PKG_CONFIG_PATH=/opt/pc
`))
	active, _ := f.Active("opencv")
	if c := active.Conflict; !strings.Contains(c, "4.5.4") || !strings.Contains(c, "4.6.0") {
		t.Errorf("conflict: %q (active %+v)", c, active)
	}
}

func TestLibraryPathShadows(t *testing.T) {
	f := probeOpenCV(t, hosttest.Parse(t, fixture(t, "debian12.txtar")+`
-- env --
LD_LIBRARY_PATH=/opt/app/lib
-- file /opt/app/lib/libopencv_core.so.4.6.1 --
-- link /opt/app/lib/libopencv_core.so.406 --
/opt/app/lib/libopencv_core.so.4.6.1
`))
	active, _ := f.Active("opencv")
	if c := active.Conflict; !strings.Contains(c, "LD_LIBRARY_PATH") || !strings.Contains(c, "4.6.1") {
		t.Errorf("conflict: %q", c)
	}
}

func TestRuntimeOnly(t *testing.T) {
	f := probeOpenCV(t, hosttest.Parse(t, `
-- file /usr/lib/x86_64-linux-gnu/libopencv_core.so.4.5.1 --
-- link /usr/lib/x86_64-linux-gnu/libopencv_core.so.4.5 --
/usr/lib/x86_64-linux-gnu/libopencv_core.so.4.5.1
`))
	active, ok := f.Active("opencv")
	if !ok || active.Version != "4.5.1" || active.HasPart("headers") || active.HasPart("dev") || active.Attrs["soname"] != "libopencv_core.so.4.5" {
		t.Errorf("got %+v", active)
	}
}

func TestOpenCVOnWindows(t *testing.T) {
	f := probeOpenCV(t, hosttest.Load(t, "testdata/opencv-on-windows.txtar"))
	active, ok := f.Active("opencv")
	if !ok || active.Version != "4.6.0" || active.Path != `C:\opencv\build` || !slices.Contains(active.Via, "dll") {
		t.Fatalf("active: %+v", active)
	}
	for _, part := range []string{"world", "dnn", "headers", "cmake"} {
		if !active.HasPart(part) {
			t.Errorf("lacks %s: %v", part, active.Has)
		}
	}
	if active.Attrs["debug"] != "yes" || active.Attrs["abi"] != "msvc" || !strings.Contains(active.Conflict, "4.10.0") {
		t.Errorf("attrs: %v", active.Attrs)
	}
	found := false
	for _, i := range f.Components["opencv"] {
		if i.Version == "4.10.0" {
			found = i.Attrs["abi"] == "mingw" && i.HasPart("dnn") && slices.Contains(i.Via, "cmake")
		}
	}
	if !found {
		t.Errorf("the MinGW copy: %+v", f.Components["opencv"])
	}
}

func TestHomebrewKegs(t *testing.T) {
	f := probeOpenCV(t, hosttest.Load(t, "testdata/homebrew-kegs.txtar"))
	if n := len(f.Components["opencv"]); n != 2 {
		t.Fatalf("%d copies: %+v", n, f.Components["opencv"])
	}
	active, _ := f.Active("opencv")
	if active.Version != "4.14.0" || !active.HasPart("headers") || !active.HasPart("shared") {
		t.Errorf("active: %+v", active)
	}
}

// TestHomebrewLinked: the prefix's own folders hold links into the keg, which is
// one copy.
func TestHomebrewLinked(t *testing.T) {
	f := probeOpenCV(t, hosttest.Load(t, "testdata/homebrew-linked.txtar"))
	list := f.Components["opencv"]
	if len(list) != 1 || !list[0].Active || list[0].Path != "/opt/homebrew/Cellar/opencv/4.12.0_5" || !slices.Contains(list[0].Via, "pkg-config") {
		t.Errorf("%+v", list)
	}
}

// TestFourBesideFive: the distribution's OpenCV 5 and a 4 in a folder below lib.
func TestFourBesideFive(t *testing.T) {
	f := probeOpenCV(t, hosttest.Load(t, "testdata/four-beside-five.txtar"))
	active, _ := f.Active("opencv")
	if len(f.Components["opencv"]) != 2 || active.Version != "4.14.0" || !active.HasPart("headers") || !active.HasPart("dev") {
		t.Fatalf("%+v", f.Components["opencv"])
	}
	// The folder is in no loader's list here.
	if !strings.Contains(active.Conflict, "libopencv_core.so.414") {
		t.Errorf("conflict: %q", active.Conflict)
	}
}

// TestMovedTree: a .pc file whose prefix is where the tree was built.
func TestMovedTree(t *testing.T) {
	f := probeOpenCV(t, hosttest.Load(t, "testdata/moved-tree.txtar"))
	active, _ := f.Active("opencv")
	if len(f.Components["opencv"]) != 1 || active.Path != "/opt/cv" || active.Version != "4.8.0" || active.Attrs["status"] != "pre" {
		t.Fatalf("%+v", f.Components["opencv"])
	}
	if !strings.Contains(active.Conflict, "no headers are where it points") {
		t.Errorf("conflict: %q", active.Conflict)
	}
}

func TestUnreadableIsSaid(t *testing.T) {
	f, err := ProbeOpenCV(t.Context(), hosttest.Parse(t, fixture(t, "debian12.txtar")+`
-- deny /usr/local/include/opencv4/opencv2/core/version.hpp --
-- dir /usr/local/include --
`))
	if err == nil || !strings.Contains(err.Error(), "/usr/local/include/opencv4") {
		t.Errorf("error: %v", err)
	}
	if _, ok := f.Active("opencv"); !ok {
		t.Error("what could be read was dropped")
	}
}

// TestPkgConfigOnPath: the pkg-config that PATH finds is asked, not computed.
func TestPkgConfigOnPath(t *testing.T) {
	const machine = "-- env --\nPATH=/opt/conda/bin:/usr/bin\n-- file /usr/lib/pkgconfig/opencv4.pc --\nprefix=/usr\nVersion: 4.6.0\nLibs: -L${prefix}/lib -lopencv_core\n" +
		"-- file /usr/lib/libopencv_core.so.406 --\n-- link /usr/lib/libopencv_core.so --\n/usr/lib/libopencv_core.so.406\n"
	for _, c := range []struct {
		name, run string
		want      *facts.Unseen
	}{
		{"it finds OpenCV", "-- run \"/opt/conda/bin/pkg-config\" \"--modversion\" \"opencv4\" --\n4.6.0\n", nil},
		{"it does not", "-- run \"/opt/conda/bin/pkg-config\" \"--modversion\" \"opencv4\" --\n#exit 1\n", &facts.Unseen{By: "/opt/conda/bin/pkg-config", Folder: "/usr/lib/pkgconfig"}},
		{"it was not asked", "-- exec /opt/conda/bin/pkg-config --\n", nil},
		{"conda's was not asked", "-- exec /opt/conda/bin/pkg-config --\n-- file /opt/conda/conda-meta/history --\n", &facts.Unseen{By: "/opt/conda/bin/pkg-config", Folder: "/usr/lib/pkgconfig"}},
		{"conda has its own", "-- exec /opt/conda/bin/pkg-config --\n-- file /opt/conda/conda-meta/history --\n-- file /opt/conda/share/pkgconfig/opencv4.pc --\n", nil},
		{"a variable replaces its folders", "-- env --\nPKG_CONFIG_LIBDIR=/nowhere\n-- run \"/opt/conda/bin/pkg-config\" \"--modversion\" \"opencv4\" --\n#exit 1\n", &facts.Unseen{By: "/opt/conda/bin/pkg-config", Folder: "/usr/lib/pkgconfig", Variable: "PKG_CONFIG_LIBDIR", Value: "/nowhere"}},
	} {
		f := probeOpenCV(t, hosttest.Parse(t, machine+c.run))
		in, ok := f.Active("opencv")
		if !ok || (in.Unseen == nil) != (c.want == nil) || c.want != nil && *in.Unseen != *c.want {
			t.Errorf("%s: unseen = %+v, want %+v", c.name, in.Unseen, c.want)
		}
	}
}

// TestDevelopmentLinks: what lib*-dev brings and the linker needs is looked for, and
// whose it is.
func TestDevelopmentLinks(t *testing.T) {
	const dir = "/usr/lib/x86_64-linux-gnu/"
	names := []string{"core", "imgproc", "imgcodecs", "dnn", "aruco", "objdetect", "videoio"}
	machine := func(without string, static bool) string {
		text := "-- env --\nPATH=/usr/bin\n-- file /etc/debian_version --\n12.7\n-- file " + dir + "pkgconfig/opencv4.pc --\nprefix=/usr\nVersion: 4.6.0\nLibs: -L" + dir + " -lopencv_" + strings.Join(names, " -lopencv_") + "\n-- file /var/lib/dpkg/info/libopencv-x-dev:amd64.list --\n/usr\n"
		for _, name := range names {
			text += dir + "libopencv_" + name + ".so\n"
		}
		for _, name := range names {
			lib := dir + "libopencv_" + name + ".so"
			text += "-- file " + lib + ".406 --\n"
			if name != without {
				text += "-- link " + lib + " --\n" + lib + ".406\n"
			}
			if static {
				text += "-- file " + dir + "libopencv_" + name + ".a --\n"
			}
		}
		return text
	}
	for _, c := range []struct {
		name, host string
		want       []string
	}{
		{"all are there", machine("", true), nil},
		{"one is gone", machine("aruco", false), []string{"opencv_aruco"}},
		{"the static one does", machine("aruco", true), nil},
		{"the static one needs others", machine("dnn", true), []string{"opencv_dnn"}},
	} {
		f := probeOpenCV(t, hosttest.Parse(t, c.host))
		in, _ := f.Active("opencv")
		got, packages := []string(nil), []string(nil)
		if in.Dangling != nil {
			got, packages = in.Dangling.Libraries, in.Dangling.Packages
		}
		if !slices.Equal(got, c.want) || len(got) > 0 && !slices.Equal(packages, []string{"libopencv-x-dev"}) {
			t.Errorf("%s: %q of %q, want %q", c.name, got, packages, c.want)
		}
	}
}

func TestOpenCVRelease(t *testing.T) {
	for want, text := range map[string]string{
		"4.5.1 dev": "#define CV_VERSION_MAJOR 4\n#define CV_VERSION_MINOR 5\n#  define CV_VERSION_REVISION 1\n#define CV_VERSION_STATUS \"-dev\"\n",
		"2.4.13.6 ": "#define CV_VERSION_EPOCH 2\n#define CV_VERSION_MAJOR 4\n#define CV_VERSION_MINOR 13\n#define CV_VERSION_REVISION 6\n",
		"2.4.9 ":    "#define CV_VERSION_EPOCH 2\r\n#define CV_VERSION_MAJOR 4\r\n#define CV_VERSION_MINOR 9\r\n#define CV_VERSION_REVISION 0\r\n",
		" ":         "#define CV_VERSION_MAJOR x\n",
	} {
		d := defines(text)
		attrs, _ := opencvDetails(d)
		if got := opencvRelease(d) + " " + attrs["status"]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestReleasesOfHeaders(t *testing.T) {
	if v := tensorrtRelease(defines("#define TRT_MAJOR_ENTERPRISE 10\n#define TRT_MINOR_ENTERPRISE 3\n#define NV_TENSORRT_MAJOR TRT_MAJOR_ENTERPRISE\n#define NV_TENSORRT_MINOR TRT_MINOR_ENTERPRISE\n#define NV_TENSORRT_PATCH 0 //!< patch\n#define NV_TENSORRT_BUILD 26\n")); v != "10.3.0.26" {
		t.Errorf("tensorrt: %s", v)
	}
	for number, want := range map[string]string{"80": "8.0", "101": "10.1", "110": "11.0", "12": "12"} {
		if got := cudartRelease(number); got != want {
			t.Errorf("cudart64_%s: %s", number, got)
		}
	}
}

// TestOpenCVByItsFolder: OPENCV_DIR names the folder of one compiler, as
// OpenCV's own instructions for Windows have it.
func TestOpenCVByItsFolder(t *testing.T) {
	f := probeOpenCV(t, hosttest.Load(t, "testdata/opencv-by-its-folder.txtar"))
	list := f.Components["opencv"]
	if len(list) != 1 || !list[0].Active || !slices.Equal(list[0].Via, []string{"dll", "cmake"}) || len(list[0].Stale) > 0 || list[0].Attrs["env"] == "" || list[0].Conflict != "" ||
		list[0].Path != `C:\opencv\build` || list[0].Built.Toolset != "v142" || !list[0].HasPart("dnn") || !list[0].HasPart("headers") {
		t.Errorf("%+v", list)
	}
}

// TestOpenCVOfVcpkg: its libraries carry the major version in their names.
func TestOpenCVOfVcpkg(t *testing.T) {
	const header = "#define CV_VERSION_MAJOR 4\n#define CV_VERSION_MINOR 8\n#define CV_VERSION_REVISION 0\n"
	const linux = "/home/u/vcpkg/installed/x64-linux/"
	for name, fixture := range map[string]string{
		"Linux": "-- env --\nVCPKG_ROOT=/home/u/vcpkg\n-- file " + linux + "lib/libopencv_core4.a --\n-- file " + linux + "lib/libopencv_calib3d4.a --\n-- file " + linux + "include/opencv4/opencv2/core/version.hpp --\n" + header +
			"-- file " + linux + "share/opencv4/OpenCVConfig.cmake --\nset(OpenCV_VERSION 4.8.0)\n",
		"Windows": "-- platform --\nwindows/amd64\n-- file C:\\vcpkg\\installed\\x64-windows\\bin\\opencv_core4.dll --\n-- file C:\\vcpkg\\installed\\x64-windows\\bin\\opencv_calib3d4.dll --\n" +
			"-- file C:\\vcpkg\\installed\\x64-windows\\include\\opencv4\\opencv2\\core\\version.hpp --\n" + header + "-- file C:\\vcpkg\\installed\\x64-windows\\share\\opencv4\\OpenCVConfig.cmake --\nset(OpenCV_VERSION 4.8.0)\n",
	} {
		list := probeOpenCV(t, hosttest.Parse(t, fixture)).Components["opencv"]
		if len(list) != 1 || list[0].Version != "4.8.0" || list[0].Active || !list[0].HasPart("calib3d") || !list[0].HasPart("core") || !list[0].HasPart("headers") || list[0].Places.CMake == "" {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// TestStaticOpenCVOnWindows: a static build installs its modules in staticlib, with no
// DLL, and its objects say for which C runtime they are. Debug builds count for nothing.
func TestStaticOpenCVOnWindows(t *testing.T) {
	const lib = `C:\opencv\install\x64\vc17\staticlib`
	for marker, want := range map[string]string{"MT_StaticRelease": "mt", "MD_DynamicRelease": "md"} {
		list := probeOpenCV(t, hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- env --\nOpenCV_DIR=C:\\opencv\\install\n"+
			"-- file "+lib+"\\opencv_core4110.lib --\n!<arch>\n/FAILIFMISMATCH:\"RuntimeLibrary="+marker+"\"\n"+
			"-- file "+lib+"\\opencv_core4110d.lib --\n!<arch>\n/FAILIFMISMATCH:\"RuntimeLibrary=MTd_StaticDebug\"\n"+
			"-- file "+lib+"\\opencv_dnn4110.lib --\n!<arch>\n-- file "+lib+"\\zlib.lib --\n!<arch>\n"+
			"-- file "+lib+"\\OpenCVConfig.cmake --\nSET(OpenCV_VERSION 4.11.0)\n")).Components["opencv"]
		if len(list) != 1 || list[0].Version != "4.11.0" || list[0].Path != `C:\opencv\install` || list[0].Built.Runtime != want || list[0].Built.Toolset != "v143" || !list[0].HasPart("dnn") || list[0].HasPart("zlib") {
			t.Errorf("%s: %+v", want, list)
		}
	}
}

// TestOpenCVBuildTree: CMake finds a tree that was not installed, and writes its
// folder into programs; nothing is wrong with it.
func TestOpenCVBuildTree(t *testing.T) {
	f := probeOpenCV(t, hosttest.Parse(t, `
-- env --
HOME=/home/u
OpenCV_DIR=/home/u/opencv/build
-- file /home/u/opencv/build/lib/libopencv_core.so.4.10.0 --
-- link /home/u/opencv/build/lib/libopencv_core.so.410 --
/home/u/opencv/build/lib/libopencv_core.so.4.10.0
-- file /home/u/opencv/build/OpenCVConfig.cmake --
SET(OpenCV_VERSION 4.10.0)
`))
	if i, ok := f.Active("opencv"); !ok || len(f.Components["opencv"]) != 1 || i.Version != "4.10.0" || !slices.Equal(i.Via, []string{"cmake"}) || i.Conflict != "" {
		t.Errorf("%+v", f.Components["opencv"])
	}
}
