package project

import (
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestComparedEntries: what two entries of a cache say together, or one with what lies in
// the build folder.
func TestComparedEntries(t *testing.T) {
	const lib = "Caffe_LIB_DEBUG:FILEPATH=C:/op/3rdparty/windows/caffe/lib/caffe-d.lib\n"
	const python = "PYTHON3_LIBRARY:FILEPATH=C:/Python311/libs/python311.lib\n"
	const here = "-- file C:\\Python311\\libs\\python311.lib --\nx\n"
	const debug = "-- file C:\\op\\build\\lib\\Debug\\opencv_core480d.lib --\nx\n"
	for _, c := range []struct {
		name, project, cache, more string
		want                       facts.LeftoverProblem
		detail                     string
	}{
		{"CPU_ONLY with CUDA's Caffe", "OpenPose", "GPU_MODE:STRING=CPU_ONLY\n" + lib, "", facts.OtherCaffe, "caffe_cpu"},
		{"CUDA with its own", "OpenPose", "GPU_MODE:STRING=CUDA\n" + lib, "", "", ""},
		{"a Caffe of the user's", "OpenPose", "GPU_MODE:STRING=CPU_ONLY\nCaffe_LIB:FILEPATH=C:/caffe/lib/caffe.lib\n", "", "", ""},
		{"another project", "demo", "GPU_MODE:STRING=CPU_ONLY\n" + lib, "", "", ""},
		{"without cuDNN", "OpenPose", "GPU_MODE:STRING=CUDA\nUSE_CUDNN:BOOL=OFF\n", "", facts.WithoutCuDNN, ""},
		{"without cuDNN and CUDA", "OpenPose", "GPU_MODE:STRING=CPU_ONLY\nUSE_CUDNN:BOOL=OFF\n", "", "", ""},
		{"Debug without python311_d", "OpenCV", python, here + debug, facts.NoPythonDebug, "python311_d.lib"},
		{"Debug with it", "OpenCV", python, here + debug + "-- file C:\\Python311\\libs\\python311_d.lib --\nx\n", "", ""},
		{"Release", "OpenCV", python, here, "", ""},
		{"Ninja for Debug", "OpenCV", "CMAKE_BUILD_TYPE:STRING=Debug\n" + python, here, facts.NoPythonDebug, "python311_d.lib"},
		{"Ninja for Release", "OpenCV", "CMAKE_BUILD_TYPE:STRING=Release\n" + python, here, "", ""},
		{"Debug without the module", "OpenCV", python + "BUILD_opencv_python3:BOOL=OFF\n", here + debug, "", ""},
		{"a Python that is gone", "OpenCV", python, debug, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Probe(t.Context(), hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- cwd --\nC:\\op\n-- file C:\\op\\CMakeLists.txt --\nproject("+c.project+")\nfind_package(OpenCV)\n-- file C:\\op\\build\\CMakeCache.txt --\n"+c.cache+
				"CMAKE_PROJECT_NAME:STATIC="+c.project+"\nCMAKE_CACHEFILE_DIR:INTERNAL=c:/op/build\n"+c.more))
			var got facts.Leftover
			for _, l := range f.Project.Leftovers {
				got = l
			}
			if err != nil || got.Problem != c.want || got.Detail != c.detail || len(f.Project.Leftovers) > 1 {
				t.Errorf("%+v (%v)", f.Project.Leftovers, err)
			}
		})
	}
}

// TestNotFetched: the log of OpenCV's downloads, of which one failed, and the library of
// cuDNN that its cache names.
func TestNotFetched(t *testing.T) {
	const log = "use_cache \"/cv/.cache\"\ndo_unpack \"a.tgz\" \"1\" \"https://x/a.tgz\" \"/cv/build/3rdparty\"\n#cmake_download \"/cv/.cache/ippicv/1-a.tgz\" \"https://x/a.tgz\"\n# * Connected\n#check_md5 \"/cv/.cache/ippicv/1-a.tgz\"\n" +
		"do_copy \"b.so\" \"2\" \"https://x/b.so\" \"/cv/build\"\n#missing \"/cv/build/b.so\"\n#cmake_download \"/cv/.cache/ffmpeg/2-b.so\" \"https://x/b.so\"\n# * Closing connection\n"
	host := "-- cwd --\n/cv\n-- file /cv/CMakeLists.txt --\nproject(OpenCV)\n-- file /cudnn/cudnn.lib --\nx\n-- file /cv/build/CMakeCache.txt --\nCUDNN_LIBRARY:FILEPATH=/cudnn/cudnn.lib\nCMAKE_PROJECT_NAME:STATIC=OpenCV\nCMAKE_CACHEFILE_DIR:INTERNAL=/cv/build\n-- file /cv/build/CMakeDownloadLog.txt --\n" + log
	want := []facts.Download{{Path: "/cv/.cache/ffmpeg/2-b.so", Problem: facts.NotFetched, Name: "2-b.so", URL: "https://x/b.so", File: "/cv/build/CMakeDownloadLog.txt", Line: 8}}
	if f, err := Probe(t.Context(), hosttest.Parse(t, host)); err != nil || !slices.Equal(f.Project.Downloads, want) || f.Project.CuDNN != "/cudnn/cudnn.lib" {
		t.Errorf("%+v, cuDNN %q, %v", f.Project.Downloads, f.Project.CuDNN, err)
	}
	// It was put there by hand since.
	host += "-- file /cv/.cache/ffmpeg/2-b.so --\nELF\n"
	if f, err := Probe(t.Context(), hosttest.Parse(t, strings.Replace(host, "/cudnn/cudnn.lib\nCMAKE", "CUDNN_LIBRARY-NOTFOUND\nCMAKE", 1))); err != nil || len(f.Project.Downloads) > 0 || f.Project.CuDNN != "" {
		t.Errorf("%+v, cuDNN %q, %v", f.Project.Downloads, f.Project.CuDNN, err)
	}
}

// TestHeadersOfProject: a project of Visual Studio that takes OpenCV and finds no headers.
func TestHeadersOfProject(t *testing.T) {
	const imports = `<Import Project="$(VCTargetsPath)\Microsoft.Cpp.props" />` + "\n"
	project := func(folders, definitions, more string) string {
		return "-- platform --\nwindows/amd64\n-- cwd --\nC:\\d\n-- file C:\\cv\\include\\opencv2\\opencv.hpp --\nx\n-- file C:\\d\\d.vcxproj --\n" + imports + more +
			"<ItemDefinitionGroup Condition=\"'$(Configuration)|$(Platform)'=='Release|x64'\">\n<AdditionalIncludeDirectories>" + folders + ";%(AdditionalIncludeDirectories)</AdditionalIncludeDirectories>\n<PreprocessorDefinitions>" + definitions + ";%(PreprocessorDefinitions)</PreprocessorDefinitions>\n<AdditionalDependencies>cudart.lib</AdditionalDependencies>\n</ItemDefinitionGroup>\n"
	}
	for _, c := range []struct {
		name, text string
		want       bool
		variable   string
	}{
		{"a variable that is not set", project(`$(OPENCV_DIR)\include;..\x`, "OPENCV;GPU", ""), true, "OPENCV_DIR"},
		{"the variable leads elsewhere", project(`$(OPENCV_DIR)\include`, "OPENCV", "") + "-- env --\nOPENCV_DIR=C:\\\n", true, "OPENCV_DIR"},
		{"the variable is set", project(`$(OPENCV_DIR)\include`, "OPENCV", "") + "-- env --\nOPENCV_DIR=C:\\cv\n", false, ""},
		{"the folder is gone", project(`C:\opencv_3.0\include`, "OPENCV", ""), true, ""},
		{"one of them has them", project(`C:\opencv_3.0\include;C:\cv\include`, "OPENCV", ""), false, ""},
		{"relative to the project", project(`..\cv\include;C:\opencv_3.0\include`, "OPENCV", ""), false, ""},
		{"it does not take OpenCV", project(`C:\opencv_3.0\include`, "GPU", ""), false, ""},
		{"a property sheet of its own", project(`C:\opencv_3.0\include`, "OPENCV", `<Import Project="opencv.props" />`+"\n"), false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Probe(t.Context(), hosttest.Parse(t, c.text))
			at := slices.IndexFunc(f.Project.MSBuild, func(s facts.MSBuildSetting) bool { return s.Kind == facts.Headers })
			if err != nil || (at >= 0) != c.want || c.want && f.Project.MSBuild[at].Value != c.variable {
				t.Errorf("%+v, %v", f.Project.MSBuild, err)
			}
		})
	}
	f, err := Probe(t.Context(), hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- cwd --\nC:\\d\n-- file C:\\d\\d.csproj --\n<ItemGroup>\n<PackageReference Include=\"OpenCvSharp4.runtime.win\" Version=\"4.8.0\" />\n"))
	if s := f.Project.MSBuild; err != nil || len(s) != 1 || s[0].Kind != facts.Package || s[0].Value != "OpenCvSharp4.runtime.win 4.8.0" || s[0].Line != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestLinksNotFound: projects that CMake wrote with a library that it did not find.
func TestLinksNotFound(t *testing.T) {
	of := func(configuration, libraries string) string {
		return "<ItemDefinitionGroup Condition=\"'$(Configuration)|$(Platform)'=='" + configuration + "|x64'\">\n<AdditionalDependencies>" + libraries + "</AdditionalDependencies>\n</ItemDefinitionGroup>\n"
	}
	for text, want := range map[string][3]string{
		of("Debug", "torch-NOTFOUND.obj;c10.lib") + of("Release", "torch.lib;c10.lib"): {"Debug", "torch-NOTFOUND.obj", "Release"},
		of("Debug", "c10.lib;torch-NOTFOUND") + of("Release", "torch-NOTFOUND"):        {"Debug", "torch-NOTFOUND", ""},
		of("Debug", "torch.lib"): {},
	} {
		f, err := Probe(t.Context(), hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- cwd --\nC:\\p\n-- file C:\\p\\CMakeLists.txt --\nfind_package(Torch REQUIRED)\n-- file C:\\p\\build\\CMakeCache.txt --\nCMAKE_CACHEFILE_DIR:INTERNAL=c:/p/build\n-- file C:\\p\\build\\p.vcxproj --\n"+text))
		var got facts.Leftover
		for _, l := range f.Project.Leftovers {
			got = l
		}
		if err != nil || [3]string{got.Entry, got.Value, got.Detail} != want || want[0] != "" && got.Problem != facts.LinksNotFound {
			t.Errorf("%s: %+v (%v)", text, f.Project.Leftovers, err)
		}
	}
}

// TestOnly32Bit: a project that has no platform for 64 bits.
func TestOnly32Bit(t *testing.T) {
	const win32, x64 = "<ProjectConfiguration Include=\"Debug|Win32\">\n", "<ProjectConfiguration Include=\"Debug|x64\">\n"
	const links = "<AdditionalDependencies>C:\\cv\\lib\\opencv_world480.lib;user32.lib</AdditionalDependencies>\n"
	for text, want := range map[string]bool{win32 + links: true, win32 + x64 + links: false, x64 + links: false} {
		f, err := Probe(t.Context(), hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- cwd --\nC:\\d\n-- file C:\\d\\d.vcxproj --\n"+text))
		at := slices.IndexFunc(f.Project.MSBuild, func(s facts.MSBuildSetting) bool { return s.Kind == facts.Only32Bit })
		if err != nil || (at >= 0) != want || want && !slices.Equal(f.Project.MSBuild[at].Libraries, []string{"opencv_world480.lib", "user32.lib"}) {
			t.Errorf("%s: %+v, %v", text, f.Project.MSBuild, err)
		}
	}
}
