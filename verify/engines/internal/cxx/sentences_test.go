package cxx

import (
	"strings"
	"testing"
)

var openCV = Library{Name: "OpenCV", Component: "opencv", Package: "OpenCV", Module: "opencv4", Version: "4.6.0", Headers: "opencv2/", Install: "install libopencv-dev", Standard: 11}

// TestExplain: what CMake, pkg-config, the compilers and the linkers print, and the
// one sentence that is made of it.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name, log, why, fix string
		broken              bool
	}{
		{"no package", noConfig, "find_package(OpenCV) finds nothing", "OpenCV_DIR", false},
		{"not considered found", `CMake Error at CMakeLists.txt:7 (find_package):
  Found package configuration file:

    /opt/cv/OpenCVConfig.cmake

  but it set OpenCV_FOUND to FALSE so package "OpenCV" is considered to be NOT
  FOUND.  Reason given by package:

  OpenCV binaries are for 32 bits


-- Configuring incomplete, errors occurred!`, `it set OpenCV_FOUND to FALSE so package "OpenCV" is considered to be NOT FOUND. Reason given by package: OpenCV binaries are for 32 bits`, "built with", true},
		{"a component is missing", `CMake Error at /usr/lib/cmake/opencv4/OpenCVConfig.cmake:254 (message):
  OpenCV: component "dnn" is not found.  Required by OpenCV
Call Stack (most recent call first):
  CMakeLists.txt:7 (find_package)`, "find_package(OpenCV) fails: OpenCV: component \"dnn\" is not found", "log", true},
		{"a removed library", `ninja: error: '/usr/lib/libopencv_dnn.so.4.6.0', needed by 'worker', missing and no known rule to make it`, "names /usr/lib/libopencv_dnn.so.4.6.0, which is not there", "reinstall", true},
		{"old CMake", "CMake Error at CMakeLists.txt:2 (cmake_minimum_required):\n  CMake 3.18 or higher is required.  You are running version 3.10.2\n", "CMake 3.10.2 is too old: 3.18 is needed", "newer CMake", false},
		{"no make", "CMake Error: CMake was unable to find a build program corresponding to \"Unix Makefiles\".  CMAKE_MAKE_PROGRAM is not set.", "neither make nor Ninja", "ninja", false},
		{"no compiler", "CMake Error at CMakeLists.txt:3 (project):\n  No CMAKE_CXX_COMPILER could be found.\n", "no C++ compiler", "g++", false},
		{"no Visual Studio", "CMake Error at CMakeLists.txt:3 (project):\n  Generator\n\n    Visual Studio 17 2022\n\n  could not find any instance of Visual Studio.\n", "no C++ compiler", "Visual Studio", false},
		{"broken compiler", "  The C++ compiler\n    \"/usr/bin/c++\"\n  is not able to compile a simple test program.\n", "does not work", "CXX", false},
		{"no .pc", "Package opencv4 was not found in the pkg-config search path.\nPackage 'opencv4', required by 'virtual:world', not found\n", "does not know opencv4", "PKG_CONFIG_PATH", false},
		{"a .pc of another package", "Package 'eigen3', required by 'opencv4', not found\n", "pkg-config does not know eigen3, which opencv4 needs", "eigen3", true},
		{"no header, GCC", "main.cpp:8:10: fatal error: opencv2/dnn.hpp: No such file or directory\n", "lacks the header opencv2/dnn.hpp", "libopencv-dev", true},
		{"no header, Clang", "./main.cpp:8:10: fatal error: 'opencv2/dnn.hpp' file not found\n", "lacks the header opencv2/dnn.hpp", "libopencv-dev", true},
		{"no header, Visual C++", `D:\w\main.cpp(8): fatal error C1083: Cannot open include file: 'opencv2/dnn.hpp': No such file or directory`, "lacks the header opencv2/dnn.hpp", "libopencv-dev", true},
		{"no header of C++", "worker.hpp:8:10: fatal error: functional: No such file or directory\n", "does not find the header functional", "reinstall the compiler", true},
		{"does not compile", "main.cpp:30:5: error: 'getAvailableBackends' is not a member of 'cv::dnn'\n", "does not compile with OpenCV 4.6.0: main.cpp:30: 'getAvailableBackends'", "shadow opencv", true},
		{"does not compile, Visual C++", `D:\w\main.cpp(30,5): error C2039: 'getAvailableBackends': is not a member of 'cv::dnn'`, "main.cpp:30: C2039", "shadow", true},
		{"old compiler", "/usr/include/c++/4.8/bits/c++0x_warning.h:32:2: error: #error This file requires compiler and library support for the ISO C++ 2011 standard.\n", "too old or broken", "newer g++", true},
		{"old standard", "/opt/torch/include/c10/util/C++17.h:13:2: error: #error \"C++17 or later compatible compiler is required to use PyTorch.\"\n", "too old or broken", "newer g++", true},
		{"unknown standard", "g++: error: unrecognized command line option ‘-std=gnu++17’; did you mean ‘-std=gnu++1y’?\n", "it does not know -std=gnu++17", "newer", false},
		{"no library", "/usr/bin/ld: cannot find -lopencv_viz: No such file or directory\n", "does not find the library opencv_viz", "libopencv-dev", true},
		{"no library, Visual C++", "LINK : fatal error LNK1181: cannot open input file 'opencv_world460.lib'\n", "does not find the library opencv_world460.lib", "libopencv-dev", true},
		{"two versions", "/usr/bin/ld: main.cpp:(.text+0x1): undefined reference to `cv::dnn::dnn4_v20221220::Net::Net()'\n", "headers and libraries do not fit together: the linker lacks cv::dnn::dnn4_v20221220::Net::Net()", "shadow opencv", true},
		{"two versions, lld", "ld.lld: error: undefined symbol: cv::dnn::dnn4_v20221220::Net::Net()\n", "the linker lacks cv::dnn", "shadow opencv", true},
		{"two versions, Visual C++", `main.obj : error LNK2019: unresolved external symbol "public: __cdecl cv::dnn::dnn4_v20221220::Net::Net(void)" (??0Net) referenced in function main`, "the linker lacks public: __cdecl cv::dnn", "shadow opencv", true},
		{"old ABI", "/usr/bin/ld: main.cpp:(.text+0x1): undefined reference to `cv::dnn::readNet(std::__cxx11::basic_string<char> const&)'\n", "built with another C++ ABI", "_GLIBCXX_USE_CXX11_ABI=0", true},
		{"new ABI", "/usr/bin/ld: main.cpp:(.text+0x1): undefined reference to `torch::jit::load(std::string const&)'\n", "built with another C++ ABI", "without -D_GLIBCXX_USE_CXX11_ABI=0", true},
		{"libc++", "ld: undefined symbol: cv::imread(std::__1::basic_string<char> const&, int)\n", "two C++ libraries", "-stdlib", true},
		{"newer system", "/usr/bin/ld: /opt/libopencv_core.so: undefined reference to `std::__throw_bad_array_new_length()@GLIBCXX_3.4.29'\n", "needs a newer C++ library", "newer g++", true},
		{"another architecture", "/usr/bin/ld: skipping incompatible /usr/lib32/libopencv_core.so when searching for -lopencv_core\n/usr/bin/ld: cannot find -lopencv_core\n", "library opencv_core", "development files", true},
		{"another architecture, Visual C++", "opencv_world460.lib(opencv_world460.dll) : fatal error LNK1112: module machine type 'x64' conflicts with target machine type 'x86'\n", "another processor", "architecture", true},
		{"disk full", "fatal error: error writing to /tmp/cc.s: No space left on device\n", "disk filled up", "free", false},
		{"no memory", "c++: fatal error: Killed signal terminated program cc1plus\n", "out of memory", "swap", false},
		{"anything else", "line one\nsome last words\n\n", "some last words", "log", true},
		{"silence", "", "said nothing", "log", true},
	} {
		why, fix, broken := Explain(c.log, openCV)
		if !strings.Contains(why, c.why) || !strings.Contains(fix, c.fix) || broken != c.broken || strings.Contains(why, "\n") {
			t.Errorf("%s: %q, %q, broken %v", c.name, why, fix, broken)
		}
	}
}

func FuzzExplain(f *testing.F) {
	f.Add(noConfig)
	f.Add("main.cpp:8:10: fatal error: x")
	f.Fuzz(func(t *testing.T, log string) {
		if why, fix, _ := Explain(log, openCV); why == "" || fix == "" {
			t.Fatal("nothing said")
		}
	})
}
