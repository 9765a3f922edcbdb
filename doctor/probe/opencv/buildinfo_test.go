package opencv

import (
	_ "embed"
	"strings"
	"testing"
)

// The forms are those of releases 2.4 to 4.12; the machines are made up.
var (
	//go:embed testdata/2.4.txt
	info24 string
	//go:embed testdata/3.3.txt
	info33 string
	//go:embed testdata/4.12.txt
	info412 string
	//go:embed testdata/4.9-long-lines.txt
	longLines string
)

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
	whole, ok := ParseBuildInfo(longLines)
	if !ok {
		t.Fatal("the text is not known")
	}
	want := whole.Attrs()
	for _, words := range []bool{false, true} {
		for width := 66; width <= 130; width++ {
			for _, before := range []string{"", "-- ", "    "} {
				in := before + strings.ReplaceAll(strings.TrimSuffix(longLines, "\n"), "\n", "\n"+before)
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
	info, _ := ParseBuildInfo(strings.Split(longLines, "-----")[0] + "Steps to reproduce: build it\n")
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
