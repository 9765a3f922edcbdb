package project

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

// probed is what is read of a folder with these files.
func probed(t *testing.T, platform, cwd, files string) facts.Project {
	t.Helper()
	f, err := Probe(t.Context(), hosttest.Parse(t, "-- platform --\n"+platform+"\n-- cwd --\n"+cwd+"\n"+files))
	if err != nil {
		t.Fatal(err)
	}
	return f.Project
}

const opencvHere = "-- file /s/CMakeLists.txt --\nproject(OpenCV CXX)\n-- file /s/modules/core/include/opencv2/core/version.hpp --\n#define CV_VERSION_MAJOR 4\n#define CV_VERSION_MINOR 8\n#define CV_VERSION_REVISION 0\n"

// TestSourceFolder: the sources of a build folder, by its cache, or by its name where
// CMake did not run yet.
func TestSourceFolder(t *testing.T) {
	cache := func(home, made string) string {
		return "-- file /b/CMakeCache.txt --\nCMAKE_PROJECT_NAME:STATIC=OpenCV\nCMAKE_CACHEFILE_DIR:INTERNAL=" + made + "\nCMAKE_HOME_DIRECTORY:INTERNAL=" + home + "\n"
	}
	for _, c := range []struct{ cwd, files, folder string }{
		{"/s", opencvHere, "/s"},
		{"/s/build", "-- dir /s/build --\n" + opencvHere, "/s"},
		{"/s/cmake-build-release", "-- dir /s/cmake-build-release --\n" + opencvHere, "/s"},
		{"/s/docs", "-- dir /s/docs --\n" + opencvHere, ""},
		{"/b", cache("/s", "/b") + opencvHere, "/s"},
		{"/s/cmake-out", "-- dir /s/cmake-out --\n" + opencvHere, ""},
		{"/b", cache("/gone", "/b") + opencvHere, "/b"},
		{"/b", cache("/s", "/elsewhere") + opencvHere, "/b"},
	} {
		if p := probed(t, "linux/amd64", c.cwd, c.files); p.Folder != c.folder {
			t.Errorf("in %s: sources in %q, not %q", c.cwd, p.Folder, c.folder)
		}
	}
}

// TestOldVersion: OpenCV 2.4 has an epoch before its major version.
func TestOldVersion(t *testing.T) {
	files := "-- file /s/CMakeLists.txt --\nproject(OpenCV CXX)\n-- file /s/modules/core/include/opencv2/core/version.hpp --\n#define CV_VERSION_EPOCH 2\n#define CV_VERSION_MAJOR 4\n#define CV_VERSION_MINOR 11\n#define CV_VERSION_REVISION 0\n"
	if p := probed(t, "linux/amd64", "/s", files); p.Version != "2.4.11" {
		t.Errorf("version %q", p.Version)
	}
}

// TestBuildFolderSays: what a cache says that the machine cannot do.
func TestBuildFolderSays(t *testing.T) {
	cache := func(lines string) string {
		return opencvHere + "-- file /s/build/CMakeCache.txt --\nCMAKE_CACHEFILE_DIR:INTERNAL=/s/build\nCMAKE_HOME_DIRECTORY:INTERNAL=/s\nCMAKE_PROJECT_NAME:STATIC=OpenCV\n" + lines
	}
	caffe := "-- file /c/include/caffe/blob.hpp --\nx\n"
	for _, c := range []struct {
		platform, lines string
		code            string // names of CPUCode
		leftover        facts.LeftoverProblem
		detail          string
	}{
		{platform: "linux/amd64", lines: "CPU_BASELINE:STRING=AVX2,AVX512_SKX\nCMAKE_CXX_FLAGS:STRING=-O2 -mavx2\nENABLE_AVX512:BOOL=ON\nENABLE_AVX2:BOOL=OFF\n", code: "CPU_BASELINE CMAKE_CXX_FLAGS ENABLE_AVX512"},
		{platform: "linux/amd64", lines: "CMAKE_CXX_FLAGS_RELEASE:STRING=-O3 -mavx512f\nOPENCV_EXTRA_CXX_FLAGS:STRING=-march=haswell\n", code: "CMAKE_CXX_FLAGS_RELEASE OPENCV_EXTRA_CXX_FLAGS"},
		{platform: "linux/amd64", lines: "CPU_BASELINE:STRING=NATIVE\nCPU_DISPATCH:STRING=AVX512_SKX\nCMAKE_CXX_FLAGS:STRING=-march=native\n"},
		{platform: "linux/amd64", lines: "CPU_BASELINE:STRING=AVX2\nCMAKE_TOOLCHAIN_FILE:FILEPATH=/t.cmake\n-- file /t.cmake --\nx\n"},
		{platform: "linux/arm64", lines: "CPU_BASELINE:STRING=NEON_DOTPROD\nCMAKE_CXX_FLAGS:STRING=-mcpu=cortex-a76\nCMAKE_C_FLAGS:STRING=-march=armv8-a+fp16\n", code: "CPU_BASELINE CMAKE_CXX_FLAGS CMAKE_C_FLAGS"},
		{platform: "linux/arm64", lines: "CPU_BASELINE:STRING=FP16\nCMAKE_CXX_FLAGS:STRING=-mcpu=cortex-a72 -march=armv8-a+crc\n"},
		{platform: "linux/arm64", lines: "ENABLE_VFPV3:BOOL=ON\n", leftover: facts.Not64BitARM},
		{platform: "linux/arm64", lines: "ENABLE_VFPV3:BOOL=OFF\n"},
		{platform: "linux/amd64", lines: "ENABLE_VFPV3:BOOL=ON\n"},
		{platform: "linux/amd64", lines: "BUILD_CAFFE:BOOL=OFF\nCaffe_INCLUDE_DIRS:PATH=/c/include\n" + caffe, leftover: facts.NoCaffeProto},
		{platform: "linux/amd64", lines: "BUILD_CAFFE:BOOL=OFF\nCaffe_INCLUDE_DIRS:PATH=/c/include\n" + caffe + "-- file /c/build/include/caffe/proto/caffe.pb.h --\nx\n", leftover: facts.NoCaffeProto, detail: "/c/build/include"},
		{platform: "linux/amd64", lines: "BUILD_CAFFE:BOOL=OFF\nCaffe_INCLUDE_DIRS:PATH=/c/include;/c/build/include\n" + caffe + "-- file /c/build/include/caffe/proto/caffe.pb.h --\nx\n"},
		{platform: "linux/amd64", lines: "BUILD_CAFFE:BOOL=ON\nCaffe_INCLUDE_DIRS:PATH=/c/include\n" + caffe},
		{platform: "darwin/arm64", lines: "CMAKE_AR:FILEPATH=/m/bin/ar\nCMAKE_RANLIB:FILEPATH=/m/bin/ranlib\n-- file /m/conda-meta/history --\nx\n", leftover: facts.ForeignArchiver},
		{platform: "darwin/arm64", lines: "CMAKE_AR:FILEPATH=/usr/bin/ar\n"},
		{platform: "linux/amd64", lines: "CMAKE_AR:FILEPATH=/m/bin/ar\n-- file /m/conda-meta/history --\nx\n"},
	} {
		p := probed(t, c.platform, "/s", cache(c.lines))
		var names []string
		for _, code := range p.CPUCode {
			names = append(names, code.Name)
		}
		if got := strings.Join(names, " "); got != c.code {
			t.Errorf("%q: code of %q, not %q", c.lines, got, c.code)
		}
		var want []facts.LeftoverProblem
		if c.leftover != "" {
			want = append(want, c.leftover)
		}
		var got []facts.LeftoverProblem
		for _, l := range p.Leftovers {
			got = append(got, l.Problem)
			if l.Detail != c.detail {
				t.Errorf("%q: detail %q", c.lines, l.Detail)
			}
		}
		if !cmp.Equal(got, want) {
			t.Errorf("%q: %v, not %v", c.lines, got, want)
		}
	}
}

// TestOtherBuildFolders: those of scripts, and a Makefile's option of 32-bit ARM.
func TestOtherBuildFolders(t *testing.T) {
	for _, name := range []string{"build", "build_release", "cmake-out"} {
		dir := "/s/" + name
		p := probed(t, "linux/arm64", "/s", opencvHere+"-- file "+dir+"/CMakeCache.txt --\nCMAKE_CACHEFILE_DIR:INTERNAL="+dir+"\nCMAKE_PROJECT_NAME:STATIC=OpenCV\nENABLE_VFPV3:BOOL=ON\n")
		if len(p.Leftovers) != 1 || p.Leftovers[0].Problem != facts.Not64BitARM {
			t.Errorf("%s: %+v", name, p.Leftovers)
		}
	}
	for platform, want := range map[string]int{"linux/arm64": 1, "linux/amd64": 0} {
		p := probed(t, platform, "/g", "-- file /g/Makefile --\nbuild_raspi:\n\tcmake -D ENABLE_VFPV3=ON ..\n")
		if len(p.Leftovers) != want || want == 1 && (p.Leftovers[0].Problem != facts.MakesFor32Bit || p.Leftovers[0].Line != 2) {
			t.Errorf("%s: %+v", platform, p.Leftovers)
		}
	}
}

// TestMissing: paths of the project's own, outside of conditions.
func TestMissing(t *testing.T) {
	have := "-- file /s/there/CMakeLists.txt --\nx\n-- file /s/lib/arm64-v8a/liba.a --\nx\n"
	for _, c := range []struct{ lines, want string }{
		{"add_subdirectory(there)\nadd_subdirectory(src)\nadd_subdirectory(3rdparty/gone)", "folder /s/3rdparty/gone"},
		{"set(D ${CMAKE_SOURCE_DIR}/lib)\nset_target_properties(a PROPERTIES IMPORTED_LOCATION ${D}/${ANDROID_ABI}/liba.a)", ""},
		{"set(D ${CMAKE_SOURCE_DIR}/lib)\nset_target_properties(a PROPERTIES IMPORTED_LOCATION ${D}/${ANDROID_ABI}/libb.a)", "library /s/lib/ANDROID_ABI/libb.a"},
		{"if(X)\nadd_subdirectory(pybind11)\nendif()", ""},
		{"set(D ${X})\nadd_subdirectory(${D}/pybind11)", ""},
		{"set(D fmt)\nif(X)\nset(D glm)\nendif()\nadd_subdirectory(${D})", ""},
		{"execute_process(COMMAND git clone x glm)\nadd_subdirectory(glm)", ""},
		{"set(OpenCV_DIR ${CMAKE_SOURCE_DIR}/sdk/jni)", "package /s/sdk/jni"},
		{"set(OpenCV_DIR ${CMAKE_SOURCE_DIR}/there)", ""},
		{"set(OpenCV_DIR ${CMAKE_SOURCE_DIR}/sdk CACHE PATH \"\")", ""},
		{"file(GLOB F *.cpp)\nadd_subdirectory(pybind11)", "folder /s/pybind11"},
	} {
		p := probed(t, "linux/amd64", "/s", have+"-- file /s/CMakeLists.txt --\nproject(x)\nfind_package(OpenCV REQUIRED)\n"+c.lines+"\n")
		var got []string
		for _, m := range p.Missing {
			got = append(got, m.Kind+" "+m.Path)
		}
		if strings.Join(got, ",") != c.want {
			t.Errorf("%q: %v, not %q", c.lines, got, c.want)
		}
	}
}

// TestFailedDownloads: the last try of each file, and why it failed.
func TestFailedDownloads(t *testing.T) {
	const sum = "87cbdeb627415d8e4bc811156289fa3a"
	log := strings.Join([]string{
		`#use_cache "/c"`,
		`#cmake_download "/c/ippicv/` + sum + `-a.tgz" "https://h/a.tgz"`, "# Connected to h", "# Recv failure: Connection reset by peer",
		`#do_copy "b.i" "x" "https://h/b.i" "/d"`,
		`#cmake_download "/c/x/` + sum + `-b.i" "https://h/b.i"`, "# SSL connection using TLSv1.3", "# Connection #0 to host h left intact",
		`#cmake_download "/c/x/c.i" "https://h/c.i"`, `# Protocol "https" not supported or disabled in libcurl`,
		`#cmake_download "/c/x/d.i" "https://h/d.i"`, "# Could not resolve host: h",
		`#cmake_download "broken`,
	}, "\n")
	p := &prober{ctx: t.Context(), h: hosttest.Parse(t, "-- file /b/CMakeDownloadLog.txt --\n"+log)}
	p.failedDownloads("/b")
	probetest.Same(t, "", []facts.Download{
		{Name: "a.tgz", URL: "https://h/a.tgz", Path: "/c/ippicv/" + sum + "-a.tgz", Problem: facts.FetchCutOff, File: "/b/CMakeDownloadLog.txt", Line: 2},
		{Name: "c.i", URL: "https://h/c.i", Path: "/c/x/c.i", Problem: facts.FetchNoHTTPS, File: "/b/CMakeDownloadLog.txt", Line: 9},
		{Name: "d.i", URL: "https://h/d.i", Path: "/c/x/d.i", Problem: facts.FetchNoHost, File: "/b/CMakeDownloadLog.txt", Line: 11},
	}, p.p.Downloads)
}

// TestMakeLines: modules of OpenCV and AVX, where the settings of the file have them.
func TestMakeLines(t *testing.T) {
	const text = "OPENCV=%\nAVX=%\nifeq ($(OPENCV), 1)\nLDFLAGS+= -lopencv_core -lopencv_videoio # -lopencv_old\nelse\nLDFLAGS+= -lm\nendif\nifeq ($(AVX), 1)\nCFLAGS+= -mavx -mavx2\nendif\n"
	on, off := strings.ReplaceAll(text, "%", "1"), strings.ReplaceAll(text, "%", "0")
	probetest.Same(t, "", facts.Demand{By: "makefile", Name: "OPENCV", Component: "opencv", File: "f", Line: 1, Text: "OPENCV=1", Parts: []string{"core", "videoio"}}, linkedModules("f", on))
	if d := linkedModules("f", off); len(d.Parts) > 0 {
		t.Errorf("off: %+v", d)
	}
	probetest.Same(t, "", []facts.CPUCode{{By: "makefile", Name: "AVX", Value: "1", Features: []string{"avx", "avx2"}, File: "f", Line: 2}}, makefileSIMD("f", on))
	if list := makefileSIMD("f", off); list != nil {
		t.Errorf("off: %+v", list)
	}
}
