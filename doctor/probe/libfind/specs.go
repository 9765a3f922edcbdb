package libfind

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/probe/opencv"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// spec is what is known of one framework's files. Library names are without
// lib, .so and .dll; paths use slashes on every system.
type spec struct {
	component string
	// libs are the libraries that can stand for a copy; in one folder the first
	// that is there does.
	libs []string
	// dlls are their names on Windows, where they differ; a '*' stands for digits
	// and dots.
	dlls []string
	// parts are further libraries and what they add.
	parts map[string]string
	// module is what the names of all its libraries begin with, where each of
	// them is a part (opencv_ of libopencv_dnn).
	module string
	// dll says which copy a DLL belongs to, where one folder can hold several.
	dll func(name string) (dllOf, bool)
	// includes are its folders below an include folder; "" for none.
	includes []string
	// headers are files below an include folder, the one with the version first.
	headers []string
	// macros are those of a header that make the version, several where releases
	// differ: the numbers one by one, or one macro with all of it.
	macros [][]string
	// release reads the version out of the macros where that is not enough.
	release func(d map[string]string) string
	// suffix reads the version out of a library's file name; dotted where unset.
	suffix func(suffix string) string
	// details reads further attributes and parts out of the macros.
	details func(d map[string]string) (attrs map[string]string, has []string)
	pc      []string
	cmake   []string
	// config reads attributes out of the CMake package.
	config func(text string) map[string]string
	// cmakeFirst: users find it through CMake, not through pkg-config or -l.
	cmakeFirst bool
	// file: every file is a copy of its own; see Files.
	file bool
	// gocv: programs are linked as gocv does it, by pkg-config and without a run
	// path.
	gocv bool
	// env are variables that name a prefix or the folder of the CMake package.
	env []string
	// folders are patterns of the names of folders that people unpack or build
	// it in, lower case.
	folders []string
	// wheels and npm are packages that carry a copy.
	wheels, npm []string
	// oneWheel: its packages unpack over one another.
	oneWheel bool
	programs []string
	// notOnWindows: what is built there brings its own copy.
	notOnWindows bool
}

var (
	cxx11ABI  = lazyregexp.New(`_GLIBCXX_USE_CXX11_ABI=([01])`)
	caffeCUDA = lazyregexp.New(`(?mi)^[ \t]*set[ \t]*\([ \t]*Caffe_(HAVE_CUDA|HAVE_CUDNN|CPU_ONLY)[ \t]+([A-Za-z0-9]+)`)
)

// version is the release that a header's macros give, "" for none.
func (s *spec) version(macros map[string]string) string {
	if s.release != nil {
		return s.release(macros)
	}
	for _, names := range s.macros {
		v := joined(macros, names...)
		if len(names) == 1 {
			v = bare(macros[names[0]])
		}
		if v != "" {
			return v
		}
	}
	return ""
}

// versioned reports whether the headers say which release they are of.
func (s *spec) versioned() bool { return s.release != nil || s.macros != nil }

// specs is the table of what is known.
func specs() []spec {
	all := table()
	for i := range all {
		if all[i].suffix == nil {
			all[i].suffix = dotted
		}
	}
	return all
}

func table() []spec {
	return slices.Concat(mathRows(), visionRows(), caffeRows(), networkRows(), smallRows(), fileRows())
}

// mathRows: libraries that networks compute with.
func mathRows() []spec {
	return []spec{
		{
			component: "mkl", libs: []string{"mkl_rt", "mkl_core", "mkl_intel_lp64"}, dlls: []string{"mkl_rt*", "mkl_core*"},
			parts: map[string]string{
				"mkl_rt": "rt", "mkl_core": "core", "mkl_sequential": "sequential", "mkl_intel_thread": "intel-thread", "mkl_gnu_thread": "gnu-thread",
				"mkl_tbb_thread": "tbb-thread", "mkl_sycl": "sycl", "mkl_intel_lp64": "lp64", "mkl_intel_ilp64": "ilp64",
			},
			headers: []string{"mkl_version.h", "mkl/mkl_version.h", "mkl.h", "mkl/mkl.h"}, release: mklVersion,
			suffix: func(string) string { return "" }, // .1 and .2 number the ABI
			pc:     []string{"mkl-sdl", "mkl-dynamic-lp64-seq", "mkl-dynamic-lp64-gomp", "mkl-dynamic-lp64-iomp", "mkl-static-lp64-seq"},
			cmake:  []string{"MKL"}, env: []string{"MKLROOT", "MKL_ROOT", "MKL_DIR"}, folders: []string{"mkl*"}, wheels: []string{"mkl", "mkl-devel"},
		},
		{
			component: "onednn", libs: []string{"dnnl", "mkldnn"},
			headers: []string{"oneapi/dnnl/dnnl_version.h", "dnnl_version.h", "mkldnn_version.h"},
			macros:  [][]string{{"DNNL_VERSION_MAJOR", "DNNL_VERSION_MINOR", "DNNL_VERSION_PATCH"}, {"MKLDNN_VERSION_MAJOR", "MKLDNN_VERSION_MINOR", "MKLDNN_VERSION_PATCH"}},
			details: dnnlRuntimes, pc: []string{"dnnl"}, cmake: []string{"dnnl", "oneDNN", "mkldnn"},
			env: []string{"DNNLROOT", "DNNL_ROOT", "dnnl_ROOT", "dnnl_DIR", "ONEDNN_ROOT"}, folders: []string{"dnnl*", "onednn*"}, wheels: []string{"onednn", "onednn-devel"},
		},
		{
			component: "openblas", libs: []string{"openblas", "openblasp", "openblaso", "openblas64_", "openblas64"}, dlls: []string{"libopenblas", "openblas", "libopenblas_64"},
			parts:   map[string]string{"openblas64_": "ilp64", "openblas64": "ilp64"},
			headers: []string{"openblas_config.h", "openblas/openblas_config.h"},
			release: func(d map[string]string) string { return inText.FindString(d["OPENBLAS_VERSION"]) },
			suffix: func(s string) string {
				if strings.Count(s, ".") < 2 {
					return "" // libopenblas.so.0, .so.0.3
				}
				return bare(s)
			},
			pc: []string{"openblas", "openblas64"}, cmake: []string{"OpenBLAS"}, env: []string{"OpenBLAS_HOME", "OPENBLAS_HOME", "OpenBLAS_ROOT", "OPENBLAS_ROOT", "OpenBLAS_DIR"},
			folders: []string{"openblas*"}, wheels: []string{"scipy-openblas32", "scipy-openblas64"},
		},
		{
			component: "tbb", libs: []string{"tbb"}, dlls: []string{"tbb12", "tbb"}, parts: map[string]string{"tbbmalloc": "malloc", "tbbbind_2_5": "bind"},
			headers: []string{"oneapi/tbb/version.h", "tbb/tbb_stddef.h", "tbb/version.h"},
			macros:  [][]string{{"TBB_VERSION_MAJOR", "TBB_VERSION_MINOR", "TBB_VERSION_PATCH"}}, suffix: tbbSuffix, pc: []string{"tbb"}, cmake: []string{"TBB"}, env: []string{"TBBROOT", "TBB_ROOT", "TBB_DIR"}, folders: []string{"tbb*", "onetbb*"}, wheels: []string{"tbb", "tbb-devel"},
		},
	}
}

// visionRows: OpenCV and programs around it.
func visionRows() []spec {
	return []spec{
		{
			component: "opencv", libs: []string{"opencv_world", "opencv_core", "opencv_world4", "opencv_core4"}, dlls: []string{"opencv_world*", "libopencv_world*", "opencv_core*", "libopencv_core*"}, module: "opencv_", dll: openCVDLL,
			includes: []string{"opencv5", "opencv4", "opencv3", "", "opencv-4"}, headers: []string{"opencv2/core/version.hpp"}, release: opencvRelease, details: opencvDetails,
			suffix: opencv.SoVersion, pc: []string{"opencv4", "opencv5", "opencv"}, cmake: []string{"OpenCV"}, gocv: true,
			env: []string{"OpenCV_DIR", "OPENCV_DIR", "OpenCV_ROOT", "OPENCV_ROOT", "OpenCV_HOME", "OPENCV_HOME"}, folders: []string{"opencv*"},
		},
		{
			component: "opencv-python", oneWheel: true,
			wheels: []string{"opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless", "opencv-python-rolling", "opencv-contrib-python-rolling", "opencv-python-headless-rolling", "opencv-contrib-python-headless-rolling"},
		},
		{component: "numpy", wheels: []string{"numpy"}},
		{
			component: "openpose", libs: []string{"openpose", "openpose_core"},
			parts:   map[string]string{"openpose_pose": "pose", "openpose_face": "face", "openpose_hand": "hand", "openpose_gpu": "gpu", "openpose_unity": "unity"},
			headers: []string{"openpose/core/macros.hpp", "openpose/utilities/openCv.hpp", "openpose/headers.hpp"},
			macros:  [][]string{{"OPEN_POSE_VERSION_STRING"}}, cmake: []string{"OpenPose"}, cmakeFirst: true,
			env: []string{"OpenPose_DIR", "OpenPose_ROOT", "OPENPOSE_ROOT", "OPENPOSE_HOME", "OPENPOSE_DIR", "OPENPOSE_PATH"}, folders: []string{"openpose*"},
		},
		{
			component: "darknet", libs: []string{"darknet", "dark"}, dlls: []string{"darknet", "dark", "yolo_cpp_dll"},
			headers: []string{"darknet_version.h", "darknet.h", "yolo_v2_class.hpp", "darknet/darknet.h"},
			macros:  [][]string{{"DARKNET_VERSION_SHORT"}, {"DARKNET_VERSION_STRING"}}, cmake: []string{"Darknet"}, env: []string{"DARKNET_PATH", "DARKNET_HOME", "DARKNET_ROOT", "Darknet_DIR"}, folders: []string{"darknet*"},
			programs: []string{"darknet"},
		},
		{
			component: "caffe", libs: []string{"caffe", "caffe-nv"}, dlls: []string{"caffe"}, headers: []string{"caffe/caffe.hpp"},
			macros: [][]string{{"CAFFE_VERSION"}}, cmake: []string{"Caffe"}, config: caffeConfig, env: []string{"CAFFE_ROOT", "Caffe_ROOT", "CAFFE_HOME", "Caffe_DIR", "CAFFE_DIR"},
			folders: []string{"caffe", "caffe-*"}, programs: []string{"caffe"},
		},
	}
}

// caffeRows: what Caffe, and OpenPose with it, is compiled with (BVLC/caffe at
// 9b891540 and CMU-Perceptual-Computing-Lab/caffe at 1807aada, cmake/Dependencies.cmake).
// On Windows both download these libraries. For glog and gflags their CMake looks
// for files; the CMake packages say the version.
func caffeRows() []spec {
	abi := func(string) string { return "" } // the numbers in these names are the ABI's
	return []spec{
		{
			component: "protobuf", notOnWindows: true, libs: []string{"protobuf"},
			headers: []string{"google/protobuf/stubs/common.h", "google/protobuf/runtime_version.h"}, release: protobufVersion,
			suffix: abi, pc: []string{"protobuf"}, env: []string{"Protobuf_ROOT", "PROTOBUF_ROOT"},
		},
		{
			component: "glog", notOnWindows: true, libs: []string{"glog"}, headers: []string{"glog/logging.h"},
			suffix: abi, pc: []string{"libglog"}, cmake: []string{"glog"}, env: []string{"GLOG_ROOT_DIR", "glog_DIR"},
		},
		{
			component: "gflags", notOnWindows: true, libs: []string{"gflags"}, headers: []string{"gflags/gflags.h"},
			pc: []string{"gflags"}, cmake: []string{"gflags"}, env: []string{"GFLAGS_ROOT_DIR", "gflags_DIR"},
		},
		{
			component: "boost", notOnWindows: true, libs: []string{"boost_filesystem"},
			parts:   map[string]string{"boost_filesystem": "filesystem", "boost_system": "system", "boost_thread": "thread"},
			headers: []string{"boost/version.hpp"}, release: boostVersion, cmake: []string{"Boost"}, cmakeFirst: true, env: []string{"BOOST_ROOT", "Boost_ROOT", "Boost_DIR"},
		},
		{
			// Debian has a build for each kind of MPI, with names of its own.
			component: "hdf5", notOnWindows: true, libs: []string{"hdf5_serial", "hdf5", "hdf5_openmpi", "hdf5_mpich"},
			parts:   map[string]string{"hdf5_serial_hl": "hl", "hdf5_hl": "hl", "hdf5_openmpi_hl": "hl", "hdf5_mpich_hl": "hl"},
			headers: []string{"hdf5/serial/H5public.h", "H5public.h", "hdf5/openmpi/H5public.h", "hdf5/mpich/H5public.h"},
			macros:  [][]string{{"H5_VERS_MAJOR", "H5_VERS_MINOR", "H5_VERS_RELEASE"}},
			suffix:  abi, pc: []string{"hdf5", "hdf5-serial"}, env: []string{"HDF5_ROOT", "HDF5_DIR"},
		},
		{
			// Fedora's ATLAS is libsatlas and libtatlas, which Caffe does not look for.
			component: "atlas", notOnWindows: true, libs: []string{"atlas"},
			headers: []string{"atlas/atlas_buildinfo.h", "atlas_buildinfo.h"}, env: []string{"Atlas_ROOT_DIR"},
		},
	}
}

// networkRows: libraries that run networks.
func networkRows() []spec {
	return []spec{
		{
			component: "openvino", libs: []string{"openvino", "inference_engine"},
			parts: map[string]string{
				"openvino_c": "c", "openvino_intel_cpu_plugin": "cpu", "openvino_intel_gpu_plugin": "gpu", "openvino_intel_npu_plugin": "npu",
				"openvino_arm_cpu_plugin": "cpu", "openvino_onnx_frontend": "onnx", "openvino_tensorflow_frontend": "tensorflow", "openvino_ir_frontend": "ir",
				"inference_engine_c_api": "c", "MKLDNNPlugin": "cpu", "clDNNPlugin": "gpu", "openvino_hetero_plugin": "hetero",
			},
			headers: []string{"openvino/core/version.hpp", "ie/ie_version.hpp", "inference_engine/ie_version.hpp", "ie_version.hpp"},
			macros:  [][]string{{"OPENVINO_VERSION_MAJOR", "OPENVINO_VERSION_MINOR", "OPENVINO_VERSION_PATCH"}, {"IE_VERSION_MAJOR", "IE_VERSION_MINOR", "IE_VERSION_PATCH"}},
			suffix:  openvinoSuffix, pc: []string{"openvino"}, cmake: []string{"OpenVINO", "InferenceEngine"}, cmakeFirst: true,
			env:     []string{"INTEL_OPENVINO_DIR", "OpenVINO_DIR", "InferenceEngine_DIR", "OPENVINO_ROOT"},
			folders: []string{"openvino*", "w_openvino*", "l_openvino*", "m_openvino*"}, wheels: []string{"openvino"}, npm: []string{"openvino-node"},
		},
		{
			component: "onnxruntime", libs: []string{"onnxruntime"},
			parts: map[string]string{
				"onnxruntime_providers_cuda": "cuda", "onnxruntime_providers_tensorrt": "tensorrt", "onnxruntime_providers_dnnl": "onednn",
				"onnxruntime_providers_openvino": "openvino", "onnxruntime_providers_rocm": "rocm", "onnxruntime_providers_migraphx": "migraphx",
				"onnxruntime_providers_shared": "providers", "onnxruntime_providers_qnn": "qnn", "directml": "directml",
			},
			headers: []string{"onnxruntime_c_api.h", "onnxruntime/onnxruntime_c_api.h", "onnxruntime/core/session/onnxruntime_c_api.h"},
			// The API's number is the release's minor one since 1.0.
			release: func(d map[string]string) string {
				v := d["ORT_API_VERSION"]
				if v == "" || len(v) > 3 || strings.Trim(v, "0123456789") != "" {
					return ""
				}
				return "1." + v
			},
			pc: []string{"libonnxruntime", "onnxruntime"}, cmake: []string{"onnxruntime"},
			env:     []string{"ONNXRUNTIME_DIR", "ONNXRUNTIME_ROOT", "ONNXRUNTIME_ROOTDIR", "ONNXRUNTIME_HOME", "onnxruntime_DIR", "onnxruntime_ROOT", "ORT_LIB_LOCATION"},
			folders: []string{"onnxruntime*"}, wheels: []string{"onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino", "onnxruntime-training", "onnxruntime-qnn", "onnxruntime-rocm"},
			oneWheel: true,
			npm:      []string{"onnxruntime-node"},
		},
		{
			component: "libtorch", libs: []string{"torch", "torch_cpu", "c10"},
			parts: map[string]string{
				"torch_cuda": "cuda", "torch_cuda_cpp": "cuda", "c10_cuda": "cuda", "torch_hip": "rocm", "c10_hip": "rocm", "torch_xpu": "xpu",
				"torch_python": "python", "torch_cpu": "cpu", "c10": "c10",
			},
			headers: []string{"torch/version.h", "torch/headeronly/version.h", "torch/csrc/api/include/torch/version.h", "torch/script.h"},
			macros:  [][]string{{"TORCH_VERSION"}, {"TORCH_VERSION_MAJOR", "TORCH_VERSION_MINOR", "TORCH_VERSION_PATCH"}},
			cmake:   []string{"Torch"}, cmakeFirst: true,
			config: func(text string) map[string]string {
				if m := cxx11ABI.FindStringSubmatch(text); m != nil {
					return map[string]string{"cxx11_abi": m[1]}
				}
				return nil
			},
			env: []string{"Torch_DIR", "TORCH_DIR", "Torch_ROOT", "LIBTORCH", "LIBTORCH_ROOT", "LIBTORCH_PATH"}, folders: []string{"libtorch*"}, wheels: []string{"torch"},
		},
		{
			component: "tensorflow", libs: []string{"tensorflow", "tensorflow_cc", "tensorflow_framework"}, dlls: []string{"tensorflow", "tensorflow_cc"},
			parts:   map[string]string{"tensorflow": "c", "tensorflow_cc": "cc", "tensorflow_framework": "framework"},
			headers: []string{"tensorflow/core/public/release_version.h", "tensorflow/core/public/version.h", "tensorflow/c/c_api.h"},
			macros:  [][]string{{"TF_MAJOR_VERSION", "TF_MINOR_VERSION", "TF_PATCH_VERSION"}}, pc: []string{"tensorflow", "tensorflow_cc"}, cmake: []string{"TensorflowCC", "TensorFlow"},
			env: []string{"TENSORFLOW_DIR", "TENSORFLOW_ROOT", "TENSORFLOW_HOME", "LIBTENSORFLOW_DIR", "TensorFlow_DIR"}, folders: []string{"libtensorflow*", "tensorflow*"},
			wheels: []string{"tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos", "tensorflow-rocm"}, npm: []string{"@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"},
		},
	}
}

// smallRows: libraries that run networks on phones and small machines, too.
func smallRows() []spec {
	return []spec{
		{
			component: "ncnn", libs: []string{"ncnn"}, headers: []string{"ncnn/platform.h"},
			release: func(d map[string]string) string { return ncnnVersion(d["NCNN_VERSION_STRING"]) },
			suffix:  ncnnVersion, details: ncnnDetails, pc: []string{"ncnn"}, cmake: []string{"ncnn"}, cmakeFirst: true,
			env: []string{"ncnn_DIR", "NCNN_DIR", "ncnn_ROOT", "NCNN_ROOT", "NCNN_HOME"}, folders: []string{"ncnn*"}, wheels: []string{"ncnn"},
		},
		{
			component: "mace", libs: []string{"mace", "mace_static"}, parts: map[string]string{"mace_static": "static"},
			headers: []string{"mace/public/version.h", "mace/public/mace.h", "mace/core/mace.h"},
			macros:  [][]string{{"MACE_MAJOR_VERSION", "MACE_MINOR_VERSION", "MACE_PATCH_VERSION"}},
			env:     []string{"MACE_ROOT", "MACE_HOME"}, folders: []string{"mace", "libmace*"},
		},
		{component: "mnn", wheels: []string{"mnn"}},
		{
			component: "executorch", libs: []string{"executorch"},
			parts: map[string]string{
				"xnnpack_backend": "xnnpack", "coremldelegate": "coreml", "mpsdelegate": "mps", "vulkan_backend": "vulkan", "portable_kernels": "portable",
				"optimized_kernels": "optimized", "extension_module": "module", "extension_module_static": "module",
			},
			headers: []string{"executorch/runtime/executor/program.h", "executorch/extension/module/module.h"},
			cmake:   []string{"ExecuTorch", "executorch"}, cmakeFirst: true,
			env: []string{"executorch_DIR", "ExecuTorch_DIR", "EXECUTORCH_ROOT"}, folders: []string{"executorch*"}, wheels: []string{"executorch"},
		},
	}
}

// fileRows: what programs load by name; see Files.
func fileRows() []spec {
	return []spec{
		{
			component: "cuda-runtime", file: true, libs: []string{"cudart"}, dlls: []string{"cudart64_*"}, dll: numberedDLL("cudart64_", cudartRelease), suffix: bare,
		},
		{
			component: "cudnn", file: true, libs: []string{"cudnn"}, dlls: []string{"cudnn64_*"}, dll: numberedDLL("cudnn64_", asItIs), suffix: bare,
			headers: []string{"cudnn_version.h", "cudnn_version_v9.h", "cudnn_version_v8.h", "cudnn.h"}, // since 8, cudnn.h only includes the others
			macros:  [][]string{{"CUDNN_MAJOR", "CUDNN_MINOR", "CUDNN_PATCHLEVEL"}}, env: []string{"CUDNN_INCLUDE", "CUDNN_INCLUDE_DIR", "CUDNN_PATH"},
		},
		{
			component: "tensorrt", file: true, libs: []string{"nvinfer"}, dlls: []string{"nvinfer_*"}, dll: numberedDLL("nvinfer_", asItIs), suffix: bare,
			headers: []string{"NvInferVersion.h"}, release: tensorrtRelease,
			env: []string{"TENSORRT_INCLUDE_DIR", "TENSORRT_ROOT"}, folders: []string{"tensorrt*"},
		},
		{
			component: "opencl-loader", file: true, libs: []string{"OpenCL"}, dlls: []string{"opencl"}, headers: []string{"CL/cl.h"},
			suffix: func(string) string { return "" }, // 1.0.0 is the ABI's
		},
	}
}

// dnnlRuntimes tells what oneDNN computes and schedules with (dnnl_config.h).
func dnnlRuntimes(d map[string]string) (map[string]string, []string) {
	attrs := map[string]string{}
	var has []string
	for key, macro := range map[string]string{"cpu_runtime": "DNNL_CPU_RUNTIME", "gpu_runtime": "DNNL_GPU_RUNTIME"} {
		v, ok := strings.CutPrefix(d[macro], "DNNL_RUNTIME_")
		if !ok || len(v) > 16 {
			continue
		}
		attrs[key] = strings.ToLower(v)
		if key == "gpu_runtime" && v != "NONE" {
			has = append(has, "gpu")
		}
	}
	return attrs, has
}

// ncnnDetails tells what an ncnn was built with (platform.h).
func ncnnDetails(d map[string]string) (map[string]string, []string) {
	var has []string
	for macro, part := range map[string]string{"NCNN_VULKAN": "vulkan", "NCNN_INT8": "int8", "NCNN_BF16": "bf16"} {
		if d[macro] == "1" {
			has = append(has, part)
		}
	}
	return map[string]string{"vulkan": d["NCNN_VULKAN"]}, has
}

func caffeConfig(text string) map[string]string {
	attrs := map[string]string{}
	for _, m := range caffeCUDA.FindAllStringSubmatch(text, -1) {
		value := "no"
		switch strings.ToUpper(m[2]) {
		case "TRUE", "ON", "1", "YES":
			value = "yes"
		}
		attrs[map[string]string{"HAVE_CUDA": "cuda", "HAVE_CUDNN": "cudnn", "CPU_ONLY": "cpu_only"}[strings.ToUpper(m[1])]] = value
	}
	return attrs
}
