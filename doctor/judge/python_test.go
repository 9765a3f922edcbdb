package judge

import (
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestControls: each of these checks fires on the machine it is for, and not on the one
// that differs in the one thing.
func TestControls(t *testing.T) {
	_, tables := load(t)
	wheel := func(name, version string) facts.Instance {
		return facts.Instance{Version: version, Path: "/site/" + name, Imports: []string{name + " " + version}}
	}
	set := func(name string, list ...facts.Instance) func(*facts.Facts) {
		return func(f *facts.Facts) { f.Components[name] = list }
	}
	jetson := func(f *facts.Facts) { f.OS.Board = "jetson" }
	toolkit := func(version, path string) func(*facts.Facts) {
		return set("cuda", facts.Instance{Version: version, Path: path, Active: true, Has: []string{"nvcc"}})
	}
	glibc := func(version string) func(*facts.Facts) {
		return func(f *facts.Facts) { f.OS.Libc = facts.Libc{Kind: "glibc", Version: version} }
	}
	modules := func(list ...string) func(*facts.Facts) {
		return set("opencv", facts.Instance{Version: "4.9.0", Path: "/usr/local", Active: true, Has: []string{"shared"}, Built: facts.Built{Modules: list}})
	}
	whole := slices.Clone(gocvPackages)
	switches := func(fabric facts.Fabric) func(*facts.Facts) {
		return func(f *facts.Facts) {
			f.Environment.Fabric = fabric
			f.Components["nvidia-driver"] = []facts.Instance{{Version: "550.120", Active: true}}
		}
	}
	chosen := func(number string) func(*facts.Facts) {
		return func(f *facts.Facts) {
			f.GPUs = []facts.GPU{{Vendor: "intel"}, {Vendor: "nvidia"}}
			f.Environment.Variables = []facts.Variable{{Name: "CUDA_VISIBLE_DEVICES", Value: number, Problem: facts.ChoosesGPU, Detail: number}}
		}
	}
	python := func(version string) func(*facts.Facts) {
		return set("python", facts.Instance{Version: version, Active: true})
	}
	container := func(kind string) func(*facts.Facts) {
		return func(f *facts.Facts) { f.OS.Container, f.OS.Kernel = kind, "5.15" }
	}
	proxy := func(f *facts.Facts) {
		f.Environment.Variables = []facts.Variable{{Name: "http_proxy", Value: "http://localhost:3128", Problem: facts.LocalProxy, Detail: "3128"}}
	}
	sources := func(version string) func(*facts.Facts) {
		return func(f *facts.Facts) { f.Project = facts.Project{Version: version, Folder: "/src"} }
	}
	intel := func(f *facts.Facts) { f.OS = facts.OS{Family: "darwin", ID: "macos", Arch: "amd64"} }
	mac := func(f *facts.Facts) { f.OS = facts.OS{Family: "darwin", ID: "macos", Arch: "arm64"} }
	conda := func(prefix string) func(*facts.Facts) {
		return func(f *facts.Facts) {
			f.Components["opencv"] = []facts.Instance{{Version: "4.9.0", Path: prefix, Active: true, Has: []string{"shared"}}}
			f.Environment.Variables = []facts.Variable{{Name: "CC", Value: "/c/bin/x86_64-conda-linux-gnu-cc", Problem: facts.OfConda, Detail: "/c"}}
		}
	}
	simd := func(features ...string) func(*facts.Facts) {
		return func(f *facts.Facts) { f.CPU.Features, f.CPU.Model = features, "CPU" }
	}
	compiled := func(by, name, value string, features ...string) func(*facts.Facts) {
		return func(f *facts.Facts) {
			f.Project.CPUCode = []facts.CPUCode{{By: by, Name: name, Value: value, Features: features, File: "/src/f", Line: 3}}
		}
	}
	missing := func(kind, path string) func(*facts.Facts) {
		return func(f *facts.Facts) {
			f.Project.Missing = []facts.Missing{{Kind: kind, Path: path, File: "/src/CMakeLists.txt", Line: 2, Text: "x"}}
		}
	}
	killed := func(program string) func(*facts.Facts) {
		return func(f *facts.Facts) {
			f.Memory.Killed = &facts.Killed{Program: program, File: "/var/log/kern.log"}
		}
	}
	fetched := func(problem facts.FileProblem) func(*facts.Facts) {
		return func(f *facts.Facts) {
			f.Project.Downloads = []facts.Download{{Name: "x.tgz", URL: "https://raw.example.com/x.tgz", Path: "/src/.cache/x.tgz", Problem: problem, File: "/src/build/CMakeDownloadLog.txt", Line: 2}}
		}
	}
	for _, c := range []struct {
		id            string
		broken, whole []func(*facts.Facts)
		fix           string
	}{
		{"python.numpy-instruction", []func(*facts.Facts){jetson, set("numpy", wheel("numpy", "1.19.5"))}, []func(*facts.Facts){jetson, set("numpy", wheel("numpy", "1.19.4"))}, "ARMV8"},
		{"python.numpy", []func(*facts.Facts){set("numpy", wheel("numpy", "2.1.0")), set("onnxruntime", wheel("onnxruntime", "1.18.1"))}, []func(*facts.Facts){set("numpy", wheel("numpy", "2.1.0")), set("onnxruntime", wheel("onnxruntime", "1.19.0"))}, "numpy<2"},
		{"python.numpy", []func(*facts.Facts){set("numpy", wheel("numpy", "2.1.0")), set("opencv-python", wheel("opencv-python", "4.10.0.82"))}, []func(*facts.Facts){set("numpy", wheel("numpy", "2.1.0"), wheel("numpy", "1.26.4")), set("opencv-python", wheel("opencv-python", "4.10.0.82"))}, "4.10.0.84"},
		{"python.numpy-old", []func(*facts.Facts){python("3.12.4"), set("numpy", wheel("numpy", "1.24.4")), set("opencv-python", wheel("opencv-python", "4.9.0.80"))}, []func(*facts.Facts){python("3.12.4"), set("numpy", wheel("numpy", "1.26.0")), set("opencv-python", wheel("opencv-python", "4.9.0.80"))}, "numpy>=1.26.0,<2"},
		{"python.numpy-old", []func(*facts.Facts){python("2.7.13"), set("numpy", wheel("numpy", "1.7.1")), set("opencv-python", wheel("opencv-python", "4.2.0.32"))}, []func(*facts.Facts){python("2.7.13"), set("numpy", wheel("numpy", "1.16.6")), set("opencv-python", wheel("opencv-python", "4.2.0.32"))}, "numpy>=1.11.1"},
		{"python.numpy-old", []func(*facts.Facts){python("3.6.9"), jetson, set("numpy", wheel("numpy", "1.11.0")), set("opencv-python", wheel("opencv-python", "4.5.5.64"))}, []func(*facts.Facts){python("3.6.9"), jetson, set("numpy", wheel("numpy", "1.11.0"), wheel("numpy", "1.19.4")), set("opencv-python", wheel("opencv-python", "4.5.5.64"))}, "numpy==1.19.4"},
		{"proxy.local", []func(*facts.Facts){container("docker"), proxy}, []func(*facts.Facts){proxy}, "host.docker.internal:3128"},
		{"proxy.local", []func(*facts.Facts){container("wsl2"), proxy}, []func(*facts.Facts){container("wsl1"), proxy}, "networkingMode=mirrored"},
		{"project.opencv-sources", []func(*facts.Facts){mac, sources("4.5.0")}, []func(*facts.Facts){mac, sources("4.5.1")}, "4.5.1"},
		{"project.opencv-sources", []func(*facts.Facts){toolkit("9.0.176", "/usr/local/cuda-9.0"), sources("3.3.1")}, []func(*facts.Facts){toolkit("8.0.61", "/usr/local/cuda-8.0"), sources("3.3.1")}, "CUDA_ARCH_BIN"},
		{"project.opencv-sources", []func(*facts.Facts){toolkit("9.0.176", "/usr/local/cuda-9.0"), sources("3.2.0")}, []func(*facts.Facts){toolkit("8.0.61", "/usr/local/cuda-8.0"), sources("3.2.0")}, "Use OpenCV 3.4 or newer."},
		{"project.opencv-sources", []func(*facts.Facts){toolkit("11.2.152", "/usr/local/cuda-11.2"), sources("4.3.0")}, []func(*facts.Facts){toolkit("11.2.152", "/usr/local/cuda-11.2"), sources("3.4.11")}, "4.4.0"},
		{"project.opencv-sources", []func(*facts.Facts){intel, set("clang", facts.Instance{Version: "12.0.0", Active: true}), sources("4.4.0")}, []func(*facts.Facts){intel, set("clang", facts.Instance{Version: "11.0.3", Active: true}), sources("4.4.0")}, "WITH_JASPER=OFF"},
		{"project.opencv-sources", []func(*facts.Facts){mac, sources("4.4.0")}, []func(*facts.Facts){sources("4.4.0")}, "BUILD_PNG=OFF"},
		{"project.cpu-code", []func(*facts.Facts){simd("avx", "sse4_2"), compiled("option", "ENABLE_AVX2", "ON", "avx2", "fma")}, []func(*facts.Facts){simd("avx", "avx2", "fma"), compiled("option", "ENABLE_AVX2", "ON", "avx2", "fma")}, "-DENABLE_AVX2=OFF"},
		{"project.cpu-code", []func(*facts.Facts){simd("sse4_2"), compiled("makefile", "AVX", "1", "avx", "sse4_1")}, []func(*facts.Facts){simd("avx"), compiled("makefile", "AVX", "1", "avx", "sse4_1")}, "Set AVX=0"},
		{"project.cpu-code", []func(*facts.Facts){simd("avx2"), compiled("baseline", "CPU_BASELINE", "AVX512_SKX", "avx512f")}, []func(*facts.Facts){compiled("baseline", "CPU_BASELINE", "AVX512_SKX", "avx512f")}, "CPU_BASELINE=NATIVE"},
		{"build.killed", []func(*facts.Facts){killed("cc1plus"), sources("4.8.0")}, []func(*facts.Facts){killed("cc1plus")}, "make -j1"},
		{"project.package-folder", []func(*facts.Facts){missing("package", "/src/x/sdk")}, []func(*facts.Facts){missing("folder", "/src/x/pybind11")}, "Unpack"},
		{"project.folder-missing", []func(*facts.Facts){missing("folder", "/src/x/pybind11")}, []func(*facts.Facts){missing("library", "/src/x/liba.a")}, "clone"},
		{"project.library-file", []func(*facts.Facts){missing("library", "/src/x/liba.a")}, []func(*facts.Facts){missing("folder", "/src/x/pybind11")}, "release"},
		{"project.fetch-https", []func(*facts.Facts){fetched(facts.FetchNoHTTPS)}, []func(*facts.Facts){fetched(facts.FetchCutOff)}, "/usr/bin/cmake"},
		{"project.fetch-certificate", []func(*facts.Facts){fetched(facts.FetchCertificate)}, []func(*facts.Facts){fetched(facts.FetchNoHost)}, "ca-certificates"},
		{"project.fetch-host", []func(*facts.Facts){fetched(facts.FetchNoHost)}, []func(*facts.Facts){fetched(facts.FetchNoHTTPS)}, "raw.example.com"},
		{"project.fetch-cut", []func(*facts.Facts){fetched(facts.FetchCutOff)}, []func(*facts.Facts){fetched(facts.FetchCertificate)}, "Delete /src/.cache/x.tgz"},
		{"cuda.glibc", []func(*facts.Facts){glibc("2.41"), toolkit("12.9.86", "/usr/local/cuda-12.9")}, []func(*facts.Facts){glibc("2.41"), toolkit("13.0.48", "/usr/local/cuda-13.0")}, "container"},
		{"cuda.glibc", []func(*facts.Facts){glibc("2.41"), toolkit("12.4.131", "/usr/local/cuda-12.4")}, []func(*facts.Facts){glibc("2.40"), toolkit("12.4.131", "/usr/local/cuda-12.4")}, "container"},
		{"cuda.glibc", []func(*facts.Facts){glibc("2.42"), toolkit("12.4.131", "/usr/local/cuda-12.4")}, []func(*facts.Facts){glibc("2.42"), toolkit("12.4.131", "/opt/cuda")}, "container"},
		{"opencv.gocv-needs", []func(*facts.Facts){modules("core", "dnn", "imgproc")}, []func(*facts.Facts){modules(whole...)}, "objdetect"},
		{"opencv.static", []func(*facts.Facts){set("opencv", facts.Instance{Active: true, Path: "/usr/local", Version: "4.9.0", Has: []string{"static"}})}, []func(*facts.Facts){set("opencv", facts.Instance{Active: true, Has: []string{"shared", "static"}})}, "BUILD_SHARED_LIBS=ON"},
		{"nvidia-driver.fabric-manager", []func(*facts.Facts){switches(facts.Fabric{Switches: true, Manager: true, Version: "535.183.06"})}, []func(*facts.Facts){switches(facts.Fabric{Switches: true, Manager: true, Version: "550.120"})}, "nvidia-fabricmanager-550"},
		{"gpu.not-here", []func(*facts.Facts){chosen("1")}, []func(*facts.Facts){chosen("0")}, "unset CUDA_VISIBLE_DEVICES"},
		{"build.conda-compiler", []func(*facts.Facts){glibc("2.36"), conda("/usr")}, []func(*facts.Facts){glibc("2.36"), conda("/c")}, "unset CC CXX"},
		{"build.conda-compiler", []func(*facts.Facts){glibc("2.36"), conda("/usr")}, []func(*facts.Facts){glibc("2.31"), conda("/usr")}, "unset CC CXX"},
	} {
		r := &recipes.Recipe{Name: "test", Components: []string{"cuda", "nvidia-driver", "opencv", "go", "onnxruntime"}, Requirements: []recipes.Requirement{
			{ID: "cuda.version", Severity: recipes.Required, Component: &recipes.ComponentCheck{Name: "cuda", Has: []string{"nvcc"}}},
		}}
		find := func(changes []func(*facts.Facts)) (Finding, bool) {
			f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian"}, Components: map[string][]facts.Instance{}}
			for _, change := range changes {
				change(f)
			}
			list := Evaluate(r, tables, f).Findings
			i := slices.IndexFunc(list, func(f Finding) bool { return f.ID == c.id && (f.State == Fail || f.State == Warn) })
			if i < 0 {
				return Finding{}, false
			}
			return list[i], true
		}
		if f, ok := find(c.broken); !ok || !strings.Contains(f.Fix, c.fix) {
			t.Errorf("%s: %+v", c.id, f)
		}
		if f, ok := find(c.whole); ok {
			t.Errorf("%s fires on the healthy machine: %s", c.id, f.Found)
		}
	}
}
