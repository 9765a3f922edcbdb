package libfind

import (
	"os"
	"strings"
	"testing"
)

func read(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

func specOf(t testing.TB, component string) spec {
	t.Helper()
	for _, s := range specs() {
		if s.component == component {
			return s
		}
	}
	t.Fatalf("no %s", component)
	return spec{}
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct{ component, text, want string }{
		{"onnxruntime", "#define ORT_API_VERSION 21\n", "1.21"},
		{"onnxruntime", "#  define ORT_API_VERSION   8 // since 1.8\r\n", "1.8"},
		{"onnxruntime", "#define ORT_API_VERSION x\n", ""},
		{"libtorch", "#define TORCH_VERSION_MAJOR 1\n#define TORCH_VERSION_MINOR 13\n#define TORCH_VERSION_PATCH 0\n#define TORCH_VERSION \\\n  \"1.13.0\"\n", "1.13.0"},
		{"libtorch", "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 14\n#define TORCH_VERSION_PATCH 0\n", "2.14.0"},
		{"tensorflow", "#define TF_MAJOR_VERSION 2\n#define TF_MINOR_VERSION 15\n#define TF_PATCH_VERSION 0\n", "2.15.0"},
		{"tensorflow", "#define TF_VERSION 300700\n#define TF_MAJOR_VERSION TF_VERSION/100000\n", ""}, // Taskflow's
		{"ncnn", "#define NCNN_VERSION_STRING \"1.0.20260526\"\n", "20260526"},
		{"ncnn", "#define NCNN_VERSION_STRING \"20250503\"\n", "20250503"},
		{"onednn", "#define DNNL_VERSION_MAJOR 3\n#define DNNL_VERSION_MINOR 7\n#define DNNL_VERSION_PATCH 2\n", "3.7.2"},
		{"onednn", "#define MKLDNN_VERSION_MAJOR 1\n#define MKLDNN_VERSION_MINOR 0\n#define MKLDNN_VERSION_PATCH 4\n", "1.0.4"},
		{"openblas", "#define OPENBLAS_VERSION \" OpenBLAS 0.3.21 \"\n", "0.3.21"},
		{"openblas", "#define OPENBLAS_VERSION \" OpenBLAS 0.3.28.dev \"\n", "0.3.28"},
		{"tbb", "#define TBB_VERSION_MAJOR 2021\n#define TBB_VERSION_MINOR 8\n#define TBB_VERSION_PATCH 0\n", "2021.8.0"},
		{"tbb", "#define TBB_VERSION_MAJOR 2020\n#define TBB_VERSION_MINOR 3\n", "2020.3"}, // tbb_stddef.h
		{"openvino", "#define OPENVINO_VERSION_MAJOR 2025\n#define OPENVINO_VERSION_MINOR 0\n#define OPENVINO_VERSION_PATCH 0\n", "2025.0.0"},
		{"openvino", "#define IE_VERSION_MAJOR 2021\n#define IE_VERSION_MINOR 4\n#define IE_VERSION_PATCH 2\n", "2021.4.2"},
		{"mkl", "#define __INTEL_MKL__ 11\n#define __INTEL_MKL_MINOR__ 2\n#define __INTEL_MKL_UPDATE__ 3\n#define INTEL_MKL_VERSION (__INTEL_MKL__ * 10000 + \\\n __INTEL_MKL_UPDATE__)\n", "11.2.3"},
		{"mkl", "#define __INTEL_MKL__ 2020\n#define __INTEL_MKL_MINOR__ 0\n#define __INTEL_MKL_UPDATE__ 4\n", "2020.4"},
		{"darknet", "#define DARKNET_VERSION_STRING \"v5.0-138-ga061d2f0\"\n#define DARKNET_VERSION_SHORT \"5.0.138\"\n", "5.0.138"},
		{"openpose", "const std::string OPEN_POSE_VERSION_STRING = \"1.7.0\";\n", "1.7.0"},
		{"mace", "#define MACE_MAJOR_VERSION 0\n#define MACE_MINOR_VERSION 1\n#define MACE_PATCH_VERSION 0\n", "0.1.0"},
		{"caffe", "#define CAFFE_VERSION 1.0.0-rc5\n", "1.0.0"},
		{"protobuf", "#define GOOGLE_PROTOBUF_VERSION 3021012\n", "3.21.12"},
		{"protobuf", "#define GOOGLE_PROTOBUF_VERSION 2006001\n", "2.6.1"},
		{"protobuf", "#define GOOGLE_PROTOBUF_VERSION 4025003\n", "25.3"},
		{"protobuf", "#define PROTOBUF_VERSION 6030000\n", "30.0"},
		{"protobuf", "#define GOOGLE_PROTOBUF_VERSION x\n", ""},
		{"boost", "#define BOOST_VERSION 107400\n#define BOOST_LIB_VERSION \"1_74\"\n", "1.74.0"},
		{"boost", "#define BOOST_VERSION 106501\n", "1.65.1"},
		{"hdf5", "#define H5_VERS_MAJOR 1 /* For major */\n#define H5_VERS_MINOR 10\n#define H5_VERS_RELEASE 8\n", "1.10.8"},
	} {
		s := specOf(t, c.component)
		if got := s.version(defines(c.text)); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.component, c.text, got, c.want)
		}
	}
}

func TestFileNames(t *testing.T) {
	for _, c := range []struct{ name, component, stem, version string }{
		{"libonnxruntime.so.1.21.0", "onnxruntime", "onnxruntime", "1.21.0"},
		{"libonnxruntime.so.1", "onnxruntime", "onnxruntime", ""},
		{"libonnxruntime.1.22.2.dylib", "onnxruntime", "onnxruntime", "1.22.2"},
		{"libopenblasp-r0.3.21.so", "openblas", "openblasp", "0.3.21"},
		{"libopenblas-r0.3.28.dev.so", "openblas", "openblas", "0.3.28"},
		{"libopenblas.so.0", "openblas", "openblas", ""},
		{"libtbb.so.12.8", "tbb", "tbb", "2021.8"},
		{"libtbb.so.12.15", "tbb", "tbb", "2022.1"},
		{"libtbb.so.2", "tbb", "tbb", ""},
		{"libtbb.so.12.99", "tbb", "tbb", ""},
		{"libopenvino.so.2460", "openvino", "openvino", "2024.6.0"},
		{"libopenvino.so.2621", "openvino", "openvino", "2026.2.1"},
		{"libopenvino.so.2024.6.0", "openvino", "openvino", "2024.6.0"},
		{"libtensorflow.so.2.15.0", "tensorflow", "tensorflow", "2.15.0"},
		{"libncnn.so.1.0.20240820", "ncnn", "ncnn", "20240820"},
		{"libncnn.so.1", "ncnn", "ncnn", ""},
		{"libcaffe.so.1.0.0-rc3", "caffe", "caffe", "1.0.0"},
		{"libboost_filesystem.so.1.74.0", "boost", "boost_filesystem", "1.74.0"},
		{"libprotobuf.so.32.0.12", "protobuf", "protobuf", ""},
		{"libglog.so.0.0.0", "glog", "glog", ""}, // 0.4.0 of Ubuntu 20.04
		{"libgflags.so.2.2.2", "gflags", "gflags", "2.2.2"},
		{"libhdf5_serial.so.103.3.1", "hdf5", "hdf5_serial", ""},
		{"libatlas.so.3.10.3", "atlas", "atlas", "3.10.3"},
		{"libcaffe-nv.so.0.17", "caffe", "caffe-nv", "0.17"},
		{"libmkl_rt.so.2", "mkl", "mkl_rt", ""},
		{"libtorch.so.1.13", "libtorch", "torch", "1.13"},
		{"libtorch.so", "libtorch", "torch", ""},
	} {
		n, ok := parseLibName(c.name)
		if got := specOf(t, c.component).suffix(n.suffix); !ok || n.stem != c.stem || got != c.version {
			t.Errorf("%s: got %+v and %q", c.name, n, got)
		}
	}
	for _, name := range []string{"libtorch.so.old", "torch.so", "libtorch.la", "lib.so", "libtorch.so.1.13.bak", "libonnxruntime.so.1.debug"} {
		if n, ok := parseLibName(name); ok {
			t.Errorf("%s taken for %+v", name, n)
		}
	}
}

func TestCMakeVersions(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"set(PACKAGE_VERSION \"2.6.3\")\nif(PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)", "2.6.3"},
		{"SET (PACKAGE_VERSION 0.3.21)", "0.3.21"},
		{"SET(OpenBLAS_VERSION \"0.3.21\")", "0.3.21"},
		{"set(PACKAGE_VERSION_MAJOR 2024)\nset(PACKAGE_VERSION \"2024.6.0\")", "2024.6.0"},
		{"set(Other_VERSION 9)", ""},
		{"# set(PACKAGE_VERSION 1.0)", ""},
	} {
		if got := cmakeVersion(c.text, []string{"OpenBLAS"}); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestFolderVersions(t *testing.T) {
	for _, c := range []struct{ component, parent, name, want string }{
		{"onnxruntime", "opt", "onnxruntime-linux-x64-gpu-1.20.1", "1.20.1"},
		{"openvino", "intel", "openvino_2024.6.0", "2024.6.0"},
		{"mkl", "mkl", "2024.0", "2024.0"},
		{"libtorch", "pytorch", "2.5.1_4", "2.5.1"},
		{"ncnn", "C:", "ncnn-20260526-windows-vs2022", "20260526"},
		{"tbb", "versions", "3.11.7", ""}, // a Python
		{"libtorch", "opt", "libtorch", ""},
	} {
		s := specOf(t, c.component)
		if got := folderVersion(c.parent, c.name, &s); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.parent, c.name, got, c.want)
		}
	}
}

func TestInfoFolders(t *testing.T) {
	for _, c := range []struct{ folder, name, version string }{
		{"torch-2.1.0+cu121.dist-info", "torch", "2.1.0+cu121"},
		{"onnxruntime_gpu-1.18.1.dist-info", "onnxruntime-gpu", "1.18.1"},
		{"onnxruntime-1.21.egg-info", "onnxruntime", "1.21"},
		{"tensorflow_cpu-2.15.0.post1.dist-info", "tensorflow-cpu", "2.15.0.post1"},
		{"torch-1.13.0a0+gitunknown-py3.11.egg-info", "torch", "1.13.0a0+gitunknown"},
	} {
		name, version, ok := parseInfoFolder(c.folder)
		if !ok || name != c.name || version != c.version {
			t.Errorf("%s: got %q %q %v", c.folder, name, version, ok)
		}
	}
	for _, folder := range []string{"torch", "torch.libs", "-1.dist-info", "~orch-2.1.0.dist-info"} {
		if name, _, ok := parseInfoFolder(folder); ok {
			t.Errorf("%s taken for %s", folder, name)
		}
	}
}

func TestResourceVersions(t *testing.T) {
	for text, want := range map[string]string{
		"1.20.1": "1.20.1", "1.17.20240301.2": "1.17", "2024.6.0.0": "2024.6.0", "1, 2, 3, 4": "1.2.3", "": "", "x": "",
	} {
		if got := resourceVersion([]byte(resource(text))); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzDefines(f *testing.F) {
	f.Add("#define ORT_API_VERSION 21\n")
	f.Add("#define TORCH_VERSION \\\n  \"1.13.0\"\n")
	f.Add("const std::string OPEN_POSE_VERSION_STRING = \"1.7.0\";\n#define INTEL_MKL_VERSION 20240001")
	f.Add("#\n#define\n#define \n#defineX 1\n# define A\n#define B \"")
	all := specs()
	f.Fuzz(func(t *testing.T, text string) {
		d := defines(text)
		for _, s := range all {
			if v := s.version(d); v != "" && !wholeVersion.MatchString(v) {
				t.Errorf("%s reads %q", s.component, v)
			}
			if s.details != nil {
				s.details(d)
			}
		}
	})
}

func FuzzFileNames(f *testing.F) {
	for _, s := range []string{"libonnxruntime.so.1.21.0", "libopenblasp-r0.3.21.so", "libtbb.so.12.8", "libopenvino.so.2460", "libcaffe.so.1.0.0-rc3", "libx.1.2.dylib"} {
		f.Add(s)
	}
	all := specs()
	f.Fuzz(func(t *testing.T, name string) {
		n, ok := parseLibName(name)
		if !ok {
			return
		}
		if !strings.Contains(name, n.stem) {
			t.Errorf("%q has stem %q", name, n.stem)
		}
		for _, s := range all {
			if v := s.suffix(n.suffix); v != "" && !wholeVersion.MatchString(v) {
				t.Errorf("%s reads %q in %q", s.component, v, name)
			}
		}
	})
}

func FuzzTexts(f *testing.F) {
	f.Add("Metadata-Version: 2.1\nName: torch\nVersion: 2.1.0+cu121\n\n", "torch-2.1.0+cu121.dist-info")
	f.Add("set(PACKAGE_VERSION \"2.6.3\")", "onnxruntime-1.21.egg-info")
	f.Add(resource("1.17.20240301.2"), "")
	f.Fuzz(func(t *testing.T, text, folder string) {
		metadata(text)
		if v := cmakeVersion(text, []string{"Torch"}); v != "" && !wholeVersion.MatchString(v) {
			t.Errorf("CMake version %q", v)
		}
		if v := resourceVersion([]byte(text)); v != "" && !wholeVersion.MatchString(v) {
			t.Errorf("resource version %q", v)
		}
		parseInfoFolder(folder)
		for _, s := range specs() {
			if v := folderVersion(s.component, folder, &s); v != "" && !wholeVersion.MatchString(v) {
				t.Errorf("%s: folder version %q", s.component, v)
			}
		}
		if s := specOf(t, "libtorch"); s.config != nil {
			s.config(text)
		}
		caffeConfig(text)
	})
}
