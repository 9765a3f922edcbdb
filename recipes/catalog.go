package recipes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Component is what is known of a component whatever machine it is on. The
// catalog is the one list of them: the linter, the solver, the comparison of
// machines and the texts read it.
type Component struct {
	// Name stands in recipes and facts, Display in sentences: as the maker
	// writes it.
	Name, Display string
	// Parts are the words that Has may hold, Attrs the names of details; nil
	// where they are the maker's own and open (Visual Studio's component ids).
	// "build." stands for what OpenCV's build information says.
	Parts, Attrs []string
	// ABI is up to which part of the version two copies are one binary
	// interface: 1 the major, 2 major and minor, 3 the patch too, 0 not known;
	// ABIWhy is what the maker's policy or soname says.
	ABI    int
	ABIWhy string
	// GPU is the vendor of the GPU without which the component is of no use: a
	// driver is not installed for a card that is not there.
	GPU  string
	Cost Cost
}

// Catalog lists every component, sorted by name. The caller gets a list of its
// own; what the entries refer to is shared and must not be changed.
func Catalog() []Component { return slices.Clone(catalog()) }

// catalog is made when it is first needed: judging looks names up often. As YAML beside
// the tables it would take 13 ms of each run that judges.
var catalog = sync.OnceValue(func() []Component {
	list := slices.Concat(packageManagers(), buildTools(), platforms(), accelerators(), libraries(), engines())
	slices.SortFunc(list, func(a, b Component) int { return cmp.Compare(a.Name, b.Name) })
	return list
})

// words are the names of parts and details in a list.
func words(list string) []string { return strings.Fields(list) }

// packageManagers are the package managers.
func packageManagers() []Component {
	small := smallCost()
	return []Component{
		{Name: "apk", Display: "apk", Attrs: words("package"), Cost: small},
		{Name: "apt", Display: "apt", Attrs: words("package"), Cost: small},
		{Name: "brew", Display: "Homebrew", Attrs: words("root"), Cost: small},
		{Name: "choco", Display: "Chocolatey", Cost: small},
		{Name: "conan", Display: "Conan", Cost: small},
		{Name: "conda", Display: "conda", Attrs: words("root"), Cost: small},
		{Name: "dnf", Display: "DNF", Attrs: words("real"), Cost: small},
		{Name: "emerge", Display: "Portage", Cost: small},
		{Name: "flatpak", Display: "Flatpak", Attrs: words("package"), Cost: small},
		{Name: "homebrew", Display: "Homebrew", Attrs: words("arch brew native state"), Cost: small},
		{Name: "nix", Display: "Nix", Cost: small},
		{Name: "npm", Display: "npm", Cost: small},
		{Name: "pacman", Display: "pacman", Cost: small},
		{Name: "pip", Display: "pip", Cost: small},
		{Name: "port", Display: "MacPorts", Cost: small},
		{Name: "scoop", Display: "Scoop", Cost: small},
		{Name: "snap", Display: "snap", Attrs: words("package"), Cost: small},
		{Name: "uv", Display: "uv", Cost: small},
		{Name: "vcpkg", Display: "vcpkg", Cost: small},
		{Name: "winget", Display: "winget", Attrs: words("version_of"), Cost: small},
		{Name: "xbps", Display: "XBPS", Cost: small},
		{Name: "yum", Display: "yum", Cost: small},
		{Name: "zypper", Display: "zypper", Cost: small},
	}
}

// buildTools are the compilers, interpreters and build tools.
func buildTools() []Component {
	small := smallCost()
	tiny := tinyCost()
	return []Component{
		{Name: "adb", Display: "adb", Cost: small},
		{Name: "bazel", Display: "Bazel", Cost: small},
		{Name: "ccache", Display: "ccache", Cost: tiny},
		{Name: "clang", Display: "Clang", Parts: words("c"), Attrs: words("real target threads vendor"), Cost: Cost{Download: 85 * mb, Minutes: 1}},
		{Name: "clang++", Display: "Clang (C++)", Cost: Cost{Download: 85 * mb, Minutes: 1}},
		{Name: "cmake", Display: "CMake", Cost: small},
		{Name: "cross", Display: "cross compiler", Parts: words("c c++"), Attrs: words("family language target threads"), Cost: small},
		{Name: "g++", Display: "g++", Parts: words("c++"), Attrs: words("distribution real target threads wrapper"), Cost: Cost{Download: 70 * mb, Minutes: 1}},
		{Name: "gcc", Display: "GCC", Parts: words("c"), Attrs: words("distribution real target threads wrapper"), Cost: Cost{Download: 60 * mb, Minutes: 1}},
		{Name: "git", Display: "Git", Attrs: words("real vendor"), Cost: small},
		{Name: "go", Display: "Go", Attrs: words("goroot real"), Cost: Cost{Download: 80 * mb, Minutes: 1}},
		{Name: "make", Display: "make", Cost: tiny},
		{
			Name: "mingw", Display: "MinGW-w64",
			Parts: words("c++ gcc make"),
			Attrs: words("arch cgo compiler exceptions kind path_order target threads"),
			Cost:  Cost{Download: 150 * mb, Minutes: 2},
		},
		{Name: "msbuild", Display: "MSBuild", Attrs: words("visual_studio"), Cost: small},
		{
			Name: "msvc", Display: "MSVC",
			Attrs: words("cl compilers default msc_ver toolset visual_studio visual_studio_version year"),
			Cost:  Cost{Download: 2 * gb, Minutes: 10},
		},
		{Name: "msys2", Display: "MSYS2", Cost: small},
		{Name: "nasm", Display: "NASM", Cost: tiny},
		{Name: "ninja", Display: "Ninja", Cost: tiny},
		{Name: "pkg-config", Display: "pkg-config", Attrs: words("real"), Cost: tiny},
		{Name: "protoc", Display: "protoc", Cost: small},
		{Name: "python", Display: "Python", Attrs: words("real venv"), ABI: 2, ABIWhy: "extension modules are built for one minor version of Python", Cost: small},
		{Name: "swig", Display: "SWIG", Cost: small},
		{
			Name: "visual-studio", Display: "Visual Studio",
			Attrs: words("build_customizations channel channel_id complete components cuda_customizations default_toolset display_version generator instance_id milestone missing prerelease product product_id reboot_required sources toolset_family toolsets year"),
			Cost:  Cost{Download: 5 * gb, Minutes: 30, Heavy: true},
		},
		{Name: "xcode", Display: "Xcode", Attrs: words("build developer_dir"), Cost: Cost{Download: 3 * gb, Minutes: 30}},
		{Name: "xcode-clt", Display: "Xcode Command Line Tools", Parts: words("MacOSX clang old-cxx-headers"), Cost: small},
	}
}

// platforms are the SDKs of systems and the parts of them that a program needs.
func platforms() []Component {
	small := smallCost()
	return []Component{
		{Name: "android-ndk", Display: "Android NDK", Cost: Cost{Download: 670 * mb, Minutes: 3}},
		{Name: "android-sdk", Display: "Android SDK", Cost: small},
		{Name: "ios-sdk", Display: "iOS SDK", Attrs: words("canonical_name platform"), Cost: small},
		{Name: "macos-sdk", Display: "macOS SDK", Attrs: words("canonical_name platform"), Cost: small},
		{Name: "media-foundation", Display: "Media Foundation", Cost: Cost{Download: 50 * mb, Minutes: 5, Restart: []string{"windows"}}},
		{Name: "ucrt", Display: "Universal C Runtime", Cost: small},
		{Name: "vcredist", Display: "Visual C++ Redistributable", Attrs: words("arch generation registered"), Cost: small},
		{Name: "windows-sdk", Display: "Windows SDK", Attrs: words("registered root"), Cost: Cost{Download: 2 * gb, Minutes: 10}},
	}
}

// accelerators are the drivers and toolkits of GPUs.
func accelerators() []Component {
	small := smallCost()
	return []Component{
		{
			Name: "cuda", Display: "CUDA Toolkit",
			Parts: words("cublas cudart cufft cupti curand cusolver cusparse headers npp nvcc nvjpeg nvrtc tensorrt"),
			Attrs: words("cudart env gcc_max include libdir msc_ver_max msc_ver_min nvcc registry stale version_file why"),
			ABI:   1, ABIWhy: "CUDA libraries are compatible within a major version",
			Cost: Cost{Download: 3 * gb, Minutes: 10},
		},
		{Name: "cuda-runtime", Display: "CUDA runtime", Parts: words("dev shared"), Attrs: words("lib libdir soname"), ABI: 1, ABIWhy: "CUDA libraries are compatible within a major version", Cost: small},
		{
			Name: "cudnn", Display: "cuDNN",
			Parts: words("dev headers import-lib shared static"),
			Attrs: words("include lib libdir soname"),
			ABI:   1, ABIWhy: "cuDNN libraries are compatible within a major version",
			Cost: Cost{Download: 800 * mb, Minutes: 2},
		},
		{Name: "level-zero", Display: "Level Zero", Cost: small},
		{Name: "metal", Display: "Metal", Parts: words("mps"), Cost: small},
		{Name: "nvcc", Display: "nvcc", Attrs: words("toolkit"), Cost: small},
		{
			Name: "nvidia-driver", Display: "NVIDIA driver", GPU: "nvidia",
			Attrs: words("driver_max_cuda gpus libcuda libcuda_version modules wsl"),
			Cost:  Cost{Download: 700 * mb, Minutes: 10, Restart: []string{"linux", "windows"}},
		},
		{Name: "oneapi", Display: "oneAPI", Cost: small},
		{Name: "opencl", Display: "OpenCL driver", Attrs: words("driver icd library platform platform_version problem state vendor view"), Cost: small},
		{Name: "opencl-framework", Display: "OpenCL framework", Cost: small},
		{Name: "opencl-loader", Display: "OpenCL loader", Parts: words("dev headers shared"), Attrs: words("include lib libdir soname"), Cost: small},
		{Name: "rocm", Display: "ROCm", Cost: small},
		{Name: "tensorrt", Display: "TensorRT", Parts: words("dev headers shared"), Attrs: words("include lib libdir soname"), ABI: 1, ABIWhy: "TensorRT puts the major version into its sonames", Cost: small},
		{Name: "vulkan", Display: "Vulkan driver", Parts: words("cpu gpu"), Attrs: words("icd library problem state"), Cost: small},
		{Name: "vulkan-loader", Display: "Vulkan loader", Cost: small},
	}
}

// libraries are what engines are built on.
func libraries() []Component {
	small := smallCost()
	tiny := tinyCost()
	return []Component{
		{Name: "accelerate", Display: "Accelerate", Cost: small},
		{Name: "atlas", Display: "ATLAS", Parts: words("dev headers shared static"), Attrs: words("env include lib libdir soname why"), Cost: small},
		{
			Name: "boost", Display: "Boost",
			Parts: words("cmake dev filesystem headers shared static system thread"),
			Attrs: words("cmake env include lib libdir soname why"),
			ABI:   2, ABIWhy: "Boost gives no ABI promise between releases, and puts its release into its sonames",
			Cost: Cost{Download: 30 * mb, Minutes: 1},
		},
		{Name: "gflags", Display: "gflags", Parts: words("cmake dev headers pkg-config shared static"), Attrs: words("cmake env include lib libdir pc soname why"), Cost: tiny},
		{Name: "glog", Display: "glog", Parts: words("cmake dev headers pkg-config shared static"), Attrs: words("cmake env include lib libdir pc soname why"), Cost: tiny},
		{Name: "hdf5", Display: "HDF5", Parts: words("dev headers hl pkg-config shared static"), Attrs: words("env include lib libdir pc soname why"), Cost: small},
		{
			Name: "mkl", Display: "oneMKL",
			Parts: words("cmake core dev headers rt shared"),
			Attrs: words("cmake env header_version include kind lib libdir package package_version soname why"),
			Cost:  small,
		},
		{Name: "numpy", Display: "NumPy", Attrs: words("kind package package_version why"), Cost: small},
		{
			Name: "onednn", Display: "oneDNN",
			Parts: words("cmake dev gpu headers shared"),
			Attrs: words("cmake cpu_runtime gpu_runtime include lib libdir soname why"),
			Cost:  small,
		},
		{
			Name: "openblas", Display: "OpenBLAS",
			Parts: words("dev headers pkg-config shared"),
			Attrs: words("include lib libdir pc soname threading why"),
			Cost:  small,
		},
		{Name: "protobuf", Display: "Protocol Buffers", Parts: words("dev headers pkg-config shared static"), Attrs: words("env include lib libdir pc soname why"), Cost: small},
		{
			Name: "tbb", Display: "oneTBB",
			Parts: words("cmake dev headers pkg-config shared"),
			Attrs: words("cmake include lib libdir pc soname why"),
			ABI:   1, ABIWhy: "TBB's soname changed with oneTBB 2021",
			Cost: small,
		},
	}
}

// engines are what runs a network.
func engines() []Component {
	small := smallCost()
	return []Component{
		{Name: "caffe", Display: "Caffe", Parts: words("cmake dev headers program shared static"), Attrs: words("cmake cpu_only cuda cudnn env include lib libdir program soname why"), Cost: small},
		{Name: "caffe2", Display: "Caffe2", Cost: small},
		{Name: "coreml", Display: "Core ML", Parts: words("neural-engine"), Cost: small},
		{
			Name: "darknet", Display: "Darknet",
			Parts: words("cuda dev headers program shared"),
			Attrs: words("flavour include lib libdir package package_version program soname why"),
			Cost:  small,
		},
		{Name: "executorch", Display: "ExecuTorch", Cost: small},
		{
			Name: "libtorch", Display: "LibTorch",
			Parts: words("c10 cmake cpu cuda dev headers shared"),
			Attrs: words("build cmake cxx11_abi env include kind lib libdir package package_version soname stale why"),
			ABI:   2, ABIWhy: "LibTorch gives no ABI promise between minor versions",
			Cost: Cost{Download: 500 * mb, Minutes: 5},
		},
		{Name: "mace", Display: "MACE", Cost: small},
		{Name: "mnn", Display: "MNN", Attrs: words("kind package package_version why"), Cost: small},
		{
			Name: "ncnn", Display: "ncnn",
			Parts: words("cmake dev headers int8 static vulkan"),
			Attrs: words("cmake include libdir vulkan why"),
			ABI:   1, ABIWhy: "ncnn gives no ABI promise between releases",
			Cost: small,
		},
		{
			Name: "onnxruntime", Display: "ONNX Runtime",
			Parts: words("cmake cuda dev headers onednn pkg-config providers shared"),
			Attrs: words("cmake env header_version include kind lib libdir package package_version pc soname why"),
			ABI:   1, ABIWhy: "ONNX Runtime's C API only grows within a major version",
			Cost: small,
		},
		{
			Name: "opencv", Display: "OpenCV",
			Parts: words("alphamat aruco bgsegm bioinspired calib3d ccalib cmake core cuda cudaarithm cudabgsegm cudacodec cudafeatures2d cudafilters cudaimgproc cudalegacy cudaobjdetect cudaoptflow cudastereo cudawarping cudev cudnn datasets dev dnn dnn_objdetect dnn_superres dpm face features2d ffmpeg flann freetype fuzzy gapi gstreamer gtk hdf headers hfs highgui img_hash imgcodecs imgproc intensity_transform java line_descriptor mcc ml objdetect opencl openvino optflow ovis phase_unwrapping photo pkg-config plot python3 qt quality rapid reg rgbd saliency sfm shape shared static stereo stitching structured_light superres surface_matching tbb text tracking ts video videoio viz wechat_qrcode world xfeatures2d ximgproc xobjdetect xphoto"),
			Attrs: words("build. abi cmake debug env header_version include lib libdir pc shadowed soname stale status why"),
			ABI:   2, ABIWhy: "OpenCV 4 puts major and minor into its libraries' sonames",
			Cost: Cost{Download: 250 * mb, Minutes: 2.3},
		},
		{Name: "opencv-python", Display: "opencv-python", Attrs: words("kind lib package package_version why"), Cost: small},
		{
			Name: "openpose", Display: "OpenPose",
			Parts: words("cmake dev headers python shared"),
			Attrs: words("cmake env include lib libdir soname why"),
			Cost:  Cost{Download: 500 * mb, Minutes: 5},
		},
		{
			Name: "openvino", Display: "OpenVINO",
			Parts: words("c cmake cpu dev gpu headers hetero ir npu onnx shared tensorflow"),
			Attrs: words("cmake env include kind lib libdir package package_version soname why"),
			ABI:   1, ABIWhy: "OpenVINO changes its API with the year",
			Cost: small,
		},
		{
			Name: "tensorflow", Display: "TensorFlow",
			Parts: words("c cc dev headers shared"),
			Attrs: words("include kind lib libdir package package_version soname why"),
			ABI:   1, ABIWhy: "TensorFlow's C API is stable within a major version",
			Cost: small,
		},
	}
}

// FindComponent looks a name up; false when there is no such component.
func FindComponent(name string) (Component, bool) {
	list := catalog()
	i := slices.IndexFunc(list, func(c Component) bool { return c.Name == name })
	if i < 0 {
		return Component{}, false
	}
	return list[i], true
}

// Components are the names of the catalog.
func Components() []string {
	list := catalog()
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return names
}

// Display is a component's name as its maker writes it.
func Display(name string) string {
	if c, ok := FindComponent(name); ok {
		return c.Display
	}
	return name
}

// lintParts checks the parts and details that a condition on components names.
func lintParts(components, parts []string, attrs map[string]string, d *document, path string) {
	var knownParts, knownAttrs []string
	for _, name := range components {
		c, ok := FindComponent(name)
		if !ok {
			return // said elsewhere
		}
		if c.Parts == nil {
			parts = nil
		}
		if c.Attrs == nil {
			attrs = nil
		}
		knownParts = append(knownParts, c.Parts...)
		for _, key := range c.Attrs {
			if key == "build." {
				knownAttrs = append(knownAttrs, buildKeys()...)
			} else {
				knownAttrs = append(knownAttrs, key)
			}
		}
	}
	for i, part := range parts {
		d.word(fmt.Sprintf("%s.has[%d]", path, i), lang.F("part of %s", strings.Join(components, lang.T(" or "))), part, knownParts)
	}
	for key := range attrs {
		d.word(path+".attr."+key, lang.F("detail of %s", strings.Join(components, lang.T(" or "))), key, knownAttrs)
	}
}

// buildKeys are the details of OpenCV's build information.
func buildKeys() []string {
	var keys []string
	for _, k := range strings.Fields("cmake compiler cpu_baseline cpu_dispatch cuda cuda_arch cudnn ffmpeg generator gstreamer host ipp lapack modules modules_disabled nonfree opencl parallel prefix python shared target threads timestamp type vcs version") {
		keys = append(keys, "build."+k)
	}
	return keys
}
