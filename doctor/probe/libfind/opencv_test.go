package libfind

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

var probeOpenCV = probetest.Of(ProbeOpenCV)

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

// TestLostFiles: what an installed package of OpenCV's brought and is gone is told from
// what was never installed.
func TestLostFiles(t *testing.T) {
	const dir, include, info = "/usr/lib/x86_64-linux-gnu/", "/usr/include/opencv4/opencv2/", "/var/lib/dpkg/info/"
	machine := "-- file /etc/debian_version --\n12.7\n-- file /var/lib/dpkg/status --\nPackage: libopencv-core-dev\nStatus: install ok installed\nVersion: 4.6.0+dfsg-12\n\n" +
		"-- file " + dir + "pkgconfig/opencv4.pc --\nprefix=/usr\nVersion: 4.6.0\nLibs: -L" + dir + " -lopencv_core\nCflags: -I/usr/include/opencv4\n" +
		"-- file " + dir + "cmake/opencv4/OpenCVConfig.cmake --\nSET(OpenCV_VERSION 4.6.0)\n" +
		"-- file " + dir + "libopencv_core.so.406 --\n-- file " + dir + "libopencv_dnn.so.406 --\n-- link " + dir + "libopencv_core.so --\n" + dir + "libopencv_core.so.406\n" +
		"-- file " + include + "core/version.hpp --\n#define CV_VERSION_MAJOR 4\n#define CV_VERSION_MINOR 6\n#define CV_VERSION_REVISION 0\n" +
		"-- file " + include + "opencv_modules.hpp --\n#define HAVE_OPENCV_CORE\n#define HAVE_OPENCV_DNN\n#define HAVE_OPENCV_TEXT\n" +
		"-- file " + include + "core.hpp --\n-- file " + include + "dnn.hpp --\n" +
		"-- file " + info + "libopencv-core-dev:amd64.list --\n" + include + "core/version.hpp\n" + include + "core.hpp\n" +
		"-- file " + info + "libopencv-dnn-dev:amd64.list --\n" + include + "dnn.hpp\n" +
		"-- file " + info + "libopencv-dnn406:amd64.list --\n" + dir + "libopencv_dnn.so.406\n" +
		"-- file " + info + "libopencv-dev:amd64.list --\n" + dir + "pkgconfig/opencv4.pc\n" + dir + "cmake/opencv4/OpenCVConfig.cmake\n" +
		"-- file " + info + "other.list --\n" + include + "dnn.hpp\n"
	gone := func(names ...string) string {
		text := machine
		for _, name := range names {
			text += "-- gone " + name + " --\n"
		}
		return text
	}
	for _, c := range []struct {
		name, host string
		want       *facts.Lost
	}{
		{"nothing", machine, nil},
		{"a module's header", gone(include + "dnn.hpp"), &facts.Lost{Files: []string{include + "dnn.hpp"}, Parts: []string{"headers"}, Packages: []string{"libopencv-dnn-dev"}}},
		{"all headers", gone("/usr/include/opencv4"), &facts.Lost{Files: []string{include + "core/version.hpp", include + "core.hpp", include + "dnn.hpp"}, Parts: []string{"headers"}, Packages: []string{"libopencv-core-dev", "libopencv-dnn-dev"}}},
		{"what packages build with", gone(dir+"pkgconfig/opencv4.pc", dir+"cmake/opencv4/OpenCVConfig.cmake"), &facts.Lost{Files: []string{dir + "pkgconfig/opencv4.pc", dir + "cmake/opencv4/OpenCVConfig.cmake"}, Parts: []string{"pkg-config", "cmake"}, Packages: []string{"libopencv-dev"}}},
		{"a library", gone(dir + "libopencv_dnn.so.406"), &facts.Lost{Files: []string{dir + "libopencv_dnn.so.406"}, Parts: []string{"dnn"}, Packages: []string{"libopencv-dnn406"}}},
		{"a header of no package here", gone(include+"dnn.hpp", info+"libopencv-dnn-dev:amd64.list"), nil},
		{"headers that were not installed", gone("/usr/include/opencv4", "/var/lib/dpkg/status"), nil},
	} {
		f := probeOpenCV(t, hosttest.Parse(t, c.host))
		in, _ := f.Active("opencv")
		if !reflect.DeepEqual(in.Lost, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, in.Lost, c.want)
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
