package opencv

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// The forms are those of releases 2.4 to 4.12; the machines are made up.
const info24 = `
General configuration for OpenCV 2.4.11 =====================================
  Version control:               2.4.11

  Platform:
    Host:                        Linux 3.13.0 x86_64
    CMake:                       2.8.12.2
    Configuration:               Release

  C/C++:
    Built as dynamic libs?:      YES
    C++ Compiler:                /usr/bin/c++  (ver 4.8)

  OpenCV modules:
    To be built:                 core flann imgproc gpu
    Disabled:                    world

  GUI: 
    QT:                          NO
    GTK+ 2.x:                    YES (ver 2.24.32)
    GThread :                    YES (ver 2.50.1)
    OpenGL support:              YES

  Video I/O:
    FFMPEG:                      NO
      codec:                     NO
    V4L/V4L2:                    NO/YES

  Other third-party libraries:
    Use IPP:                     NO
    Use TBB:                     NO
    Use OpenMP:                  YES
    Use GCD                      NO
    Use C=:                      NO
    Use Cuda:                    YES (ver 6.5)
    Use OpenCL:                  YES

  NVIDIA CUDA
    Use CUFFT:                   YES
    NVIDIA GPU arch:             20 30

  OpenCL:
    Version:                     dynamic

  Android: 
    Android NDK:                 /opt/ndk-r8e
                                 (toolchain: arm-gcc: 4.6)

  Install path:                  /usr/local

  cvconfig.h is in:              /build
-----------------------------------------------------------------
`

const info33 = `
General configuration for OpenCV 3.3.1 =====================================
  Version control:               unknown

  Platform:
    Host:                        Linux 4.4.38 aarch64

  C/C++:
    C++11:                       YES

  GUI:
    GTK+:                        YES (ver 3.18.9)
      GThread :                  YES (ver 2.48.2)
      GtkGlExt:                  NO

  Video I/O:
    GStreamer:
      base:                      YES (ver 1.8.3)
      video:                     YES (ver 1.8.3)
    V4L/V4L2:                    NO/YES

  Parallel framework:            TBB (ver 4.4 interface 9002)

  Trace:                         YES ()

  Other third-party libraries:
    Use Intel IPP:               2017.0.3 [2017.0.3]
    Use Intel IPP IW:            NO
    Use Lapack:                  NO
    Use Eigen:                   YES (ver 3.2.92)
    Use Cuda:                    YES (ver 8.0)
    Use custom HAL:              YES (carotene (ver 0.0.1))

  NVIDIA CUDA
    Use CUFFT:                   YES
    NVIDIA GPU arch:             62
    NVIDIA PTX archs:

  Install to:                    /usr
-----------------------------------------------------------------
`

const info412 = `
General configuration for OpenCV 4.12.0-dev =====================================
  Version control:               4.12.0-7-gabcdef

  Platform:
    Timestamp:                   2025-08-01T10:00:00Z
    Host:                        Windows 10.0.26100 AMD64
    CMake:                       3.31.0
    CMake generator:             Visual Studio 17 2022
    MSVC:                        1944
    Configuration:               Debug Release
    Algorithm Hint:              ALGO_HINT_ACCURATE

  CPU/HW features:
    Baseline:                    SSE SSE2 SSE3
      requested:                 SSE3
    Dispatched code generation:  SSE4_1 SSE4_2 AVX FP16 AVX2 AVX512_SKX
      AVX2 (38 files):           + SSSE3 SSE4_1 POPCNT

  C/C++:
    C++ standard:                11
    C++ Compiler:                C:/VS 2022/bin/cl.exe  (ver 19.44.35211.0)

  OpenCV modules:
    To be built:                 core dnn world
    Non-free algorithms:         YES

  GUI:                           WIN32UI
    Win32 UI:                    YES

  Video I/O:
    FFMPEG:                      YES (prebuilt binaries)
    GStreamer:                   NO
    Media Foundation:            YES

  Parallel framework:            Concurrency

  Other third-party libraries:
    Intel IPP:                   2022.1.0 [2022.1.0]
           at:                   C:/build/icv
    Lapack:                      NO

  NVIDIA CUDA:                   YES (ver 12.8.61, CUFFT CUBLAS FAST_MATH)
    NVIDIA GPU arch:             75 86 120

  cuDNN:                         YES (ver 9.8.0)

  OpenCL:                        YES (NVD3D11)
    Include path:                C:/opencv/3rdparty/include/opencl/1.2

  Install to:                    C:/opencv/install
-----------------------------------------------------------------
`

func TestBuildInfo(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       map[string]string
	}{
		{"2.4", info24, map[string]string{
			"build.version": "2.4.11", "build.host": "Linux 3.13.0 x86_64", "build.type": "Release", "build.shared": "YES",
			"build.compiler": "/usr/bin/c++  (ver 4.8)", "build.modules": "core flann imgproc gpu", "build.ffmpeg": "NO",
			"build.ipp": "NO", "build.parallel": "OpenMP", "build.cuda": "YES (ver 6.5)", "build.cuda_arch": "20 30",
			"build.opencl": "YES", "build.v4l": "NO/YES", "build.prefix": "/usr/local", "build.gui": "GTK+ 2.x",
		}},
		{"3.3", info33, map[string]string{
			"build.version": "3.3.1", "build.cxx_standard": "11", "build.gui": "GTK+", "build.gstreamer": "YES (ver 1.8.3)", "build.ipp": "2017.0.3 [2017.0.3]",
			"build.lapack": "NO", "build.eigen": "YES (ver 3.2.92)", "build.hal": "YES (carotene (ver 0.0.1))", "build.cuda": "YES (ver 8.0)",
			"build.cuda_arch": "62", "build.cuda_ptx": "", "build.parallel": "TBB (ver 4.4 interface 9002)", "build.prefix": "/usr",
		}},
		{"3.0", "General configuration for OpenCV 3.0.0 ====\n  Other third-party libraries:\n    Use TBB:                     NO\n    Use GCD                      NO\n    Use pthreads for parallel for:\n                                 YES\n",
			map[string]string{"build.parallel": "pthreads"}},
		{"4.12", info412, map[string]string{
			"build.version": "4.12.0-dev", "build.host": "Windows 10.0.26100 AMD64", "build.type": "Debug Release", "build.msvc": "1944",
			"build.cpu_baseline": "SSE SSE2 SSE3", "build.cpu_dispatch": "SSE4_1 SSE4_2 AVX FP16 AVX2 AVX512_SKX",
			"build.compiler": "C:/VS 2022/bin/cl.exe  (ver 19.44.35211.0)", "build.modules": "core dnn world", "build.nonfree": "YES",
			"build.ffmpeg": "YES (prebuilt binaries)", "build.gstreamer": "NO", "build.mediafoundation": "YES", "build.parallel": "Concurrency",
			"build.ipp": "2022.1.0 [2022.1.0]", "build.lapack": "NO", "build.cuda": "YES (ver 12.8.61, CUFFT CUBLAS FAST_MATH)",
			"build.cuda_arch": "75 86 120", "build.cudnn": "YES (ver 9.8.0)", "build.opencl": "YES (NVD3D11)", "build.gui": "WIN32UI",
			"build.prefix": "C:/opencv/install",
		}},
	} {
		literal := ""
		for line := range strings.SplitSeq(c.text, "\n") {
			literal += `"` + line + `\n"` + "\n"
		}
		for form, text := range map[string]string{
			"text":             c.text,
			"windows lines":    strings.ReplaceAll(c.text, "\n", "\r\n"),
			"cmake log":        "-- Found X\n-- " + strings.ReplaceAll(c.text, "\n", "\n-- ") + "\n-- Configuring done",
			"C literal":        literal,
			"library bytes":    "\x7fELF\x00\x00\xff\n" + c.text + "\x00OPENCV_TEMP_PATH: no\n  Parallel framework: wrong\x00",
			"indented literal": "\t" + strings.ReplaceAll(literal, "\n", "\n\t"),
			"indented log":     "    -- Found X\n    -- " + strings.ReplaceAll(c.text, "\n", "\n    -- "),
			"UTF-16":           string(utf16LE(c.text)),
			"quoted":           "> " + strings.ReplaceAll(c.text, "\n", "\n> "),
			"CI log":           "2026-01-01T00:00:00.123Z " + strings.ReplaceAll(c.text, "\n", "\n2026-01-01T00:00:01.5Z "),
			"coloured":         strings.ReplaceAll(c.text, "YES", "\x1b[32mYES\x1b[0m"),
			"tabs":             strings.ReplaceAll(c.text, "    ", "\t"),
			"indented quote":   strings.ReplaceAll(c.text, "\n", "\n    "),
		} {
			info, ok := ParseBuildInfo(text)
			if !ok {
				t.Errorf("%s as %s: not found", c.name, form)
				continue
			}
			got := info.Attrs()
			for key, want := range c.want {
				if got[key] != want {
					t.Errorf("%s as %s: %s = %q, want %q", c.name, form, key, got[key], want)
				}
			}
			if v, ok := info.Get("Android/Android NDK"); ok && v != "/opt/ndk-r8e (toolchain: arm-gcc: 4.6)" {
				t.Errorf("%s as %s: a value over two lines is %q", c.name, form, v)
			}
		}
	}
	if _, ok := ParseBuildInfo("nothing of the kind"); ok {
		t.Error("found a text that is not there")
	}
}

func utf16LE(s string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

func TestYes(t *testing.T) {
	for v, want := range map[string]bool{
		"YES": true, "YES (ver 11.8)": true, "2021.10.0 [2021.10.0]": true, "NO": false, "none": false, "": false, "NO/NO": false, "NO/YES": true, "-": false,
		"NO (Java is not found)": false, "IPP not found": false,
	} {
		if Yes(v) != want {
			t.Errorf("Yes(%q) = %v", v, !want)
		}
	}
}

// fold breaks lines as fold(1) does: at the width, or with words kept whole.
func fold(text string, width int, words bool) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		for len(line) > width {
			at := width
			if words {
				if blank := strings.LastIndexByte(line[:width+1], ' '); blank > 33 {
					at = blank
				}
			}
			out = append(out, strings.TrimRight(line[:at], " "))
			line = line[at:]
			if words {
				line = strings.TrimLeft(line, " ")
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// TestWrappedBuildInfo: a terminal or an issue tracker broke the lines. What is
// read is what stood there, or nothing.
func TestWrappedBuildInfo(t *testing.T) {
	const text = `General configuration for OpenCV 4.9.0 =====================================
  Version control:               4.9.0

  Platform:
    Timestamp:                   2023-12-29T21:45:30Z
    Host:                        Linux 5.15.0-1053-azure-with-a-long-name-of-its-own x86_64 and more
    CMake:                       3.28.1

  CPU/HW features:
    Baseline:                    SSE SSE2 SSE3
      requested:                 SSE3
    Dispatched code generation:  SSE4_1 SSE4_2 FP16 AVX AVX2 AVX512_SKX AVX512_ICL
      requested:                 SSE4_1 SSE4_2 AVX FP16 AVX2 AVX512_SKX

  OpenCV modules:
    To be built:                 calib3d core dnn features2d flann gapi highgui imgcodecs imgproc java ml objdetect photo python3 stitching ts video videoio
    Disabled:                    world
    Unavailable:                 python2

  NVIDIA CUDA:                   YES (ver 12.3, CUFFT CUBLAS NVCUVID NVCUVENC FAST_MATH and so on and on)
    NVIDIA GPU arch:             50 52 60 61 70 75 80 86 89 90 50 52 60 61 70 75 80 86 89 90
    NVIDIA PTX archs:            90

  Install to:                    /usr/local
-----------------------------------------------------------------
`
	whole, ok := ParseBuildInfo(text)
	if !ok {
		t.Fatal("the text is not known")
	}
	want := whole.Attrs()
	for _, words := range []bool{false, true} {
		for width := 66; width <= 130; width++ {
			for _, before := range []string{"", "-- ", "    "} {
				in := before + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+before)
				info, ok := ParseBuildInfo(fold(in, width, words))
				if !ok {
					t.Fatalf("%d columns, words %v: the text is not known", width, words)
				}
				missing := 0
				got := info.Attrs()
				for key, v := range want {
					switch got[key] {
					case v:
					case "":
						missing++
					default:
						t.Errorf("%d columns, words %v, %q: %s is %q, want %q", width, words, before, key, got[key], v)
					}
				}
				if len(got) > len(want) || missing > 2 {
					t.Errorf("%d columns, words %v, %q: %d values are missing, and %d are there of %d", width, words, before, missing, len(got), len(want))
				}
			}
		}
	}
	// What stands below the text is none of it.
	info, _ := ParseBuildInfo(strings.Split(text, "-----")[0] + "Steps to reproduce: build it\n")
	if v := info.Attrs()["build.prefix"]; v != "/usr/local" {
		t.Errorf("prefix %q", v)
	}
}

func FuzzBuildInfo(f *testing.F) {
	f.Add(info24)
	f.Add(info412)
	f.Add("-- " + marker + "4\n--   A:\n--\n\"\\n\"\n:\n  :\n")
	f.Fuzz(func(t *testing.T, text string) {
		info, ok := ParseBuildInfo(text)
		if ok && info.Version == "" {
			t.Error("found, but without a version")
		}
		for key, v := range info.Attrs() {
			if v == "" || strings.ContainsAny(v, "\n\x00") {
				t.Errorf("%s = %q", key, v)
			}
		}
	})
}

func TestVersionsInNames(t *testing.T) {
	for name, want := range map[string]DLLName{
		"opencv_world460.dll":       {Module: "world", Version: "4.6.0"},
		"opencv_world4100d.dll":     {Module: "world", Version: "4.10.0", Debug: true},
		"libopencv_calib3d3412.dll": {Module: "calib3d", Version: "3.4.12", MinGW: true},
		"opencv_features2d2413.dll": {Module: "features2d", Version: "2.4.13"},
		"OPENCV_CORE249.DLL":        {Module: "core", Version: "2.4.9"},
		"opencv_world500.dll":       {Module: "world", Version: "5.0.0"},
		"opencv_calib3d4.dll":       {Module: "calib3d", Version: "4"},
		"opencv_core4d.dll":         {Module: "core", Version: "4", Debug: true},
		"opencv_core.lib":           {},
		"opencv_.dll":               {},
		"libopencv_core.so.4.6.0":   {},
	} {
		if got, ok := ParseDLL(name); got != want || ok != (want.Module != "") {
			t.Errorf("%s: got %+v, %v", name, got, ok)
		}
	}
	for suffix, want := range map[string]string{"4.6.0": "4.6.0", "406": "4.6", "410": "4.10", "500": "5.0", "4.5d": "4.5", "4.5.4d": "4.5.4", "2.4": "2.4", "": "", "12": "", "x.y": ""} {
		if got := SoVersion(suffix); got != want {
			t.Errorf("%s: got %q, want %q", suffix, got, want)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("opencv_world4100d.dll")
	f.Add("4.5d")
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := ParseDLL(s); ok && n.Module == "" {
			t.Errorf("%q: a library without a module", s)
		}
		if v := SoVersion(s); strings.Trim(v, "0123456789.") != "" {
			t.Errorf("%q: version %q", s, v)
		}
	})
}
