// Package facts is the model of what is so on a host: plain data with evidence,
// filled by probes and read by the evaluation. It must never judge, and it
// imports nothing of deployctl.
package facts

import (
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"
)

// Schema is the version of the JSON form. Keys may be added within a version;
// none is removed or changes its meaning.
const Schema = 1

// Facts is everything known about one host.
type Facts struct {
	Schema int    `json:"schema"`
	OS     OS     `json:"os"`
	CPU    CPU    `json:"cpu"`
	Memory Memory `json:"memory"`
	Disks  []Disk `json:"disks"`
	GPUs   []GPU  `json:"gpus"`
	// Components maps a component's name (opencv, cuda, gcc …) to its
	// instances, the active one first where there is one.
	Components map[string][]Instance `json:"components"`
	// Environment is what hinders tools in the user's variables, folders and
	// certificates, and in the kernel.
	Environment Environment `json:"environment,omitzero"`
	// Project is what is to be built in the current folder.
	Project Project `json:"project,omitzero"`
	// Problems lists what could not be looked at, and why. A requirement on
	// something a problem covers is unknown, not failed.
	Problems []Problem `json:"problems,omitempty"`
	// Timings is how long each probe took, slowest first.
	Timings []Timing `json:"timings,omitempty"`
	// Unknown keeps keys this version does not know, those of the structs within
	// by their path, so that a file written by a newer deployctl survives a round
	// trip.
	Unknown map[string]json.RawMessage `json:"-"`
}

// Evidence says where a fact was read.
type Evidence struct {
	Kind   string `json:"kind"` // file, command, registry, env, header, cpuid, syscall
	Source string `json:"source"`
	// Detail is the line, value or field that says so.
	Detail string `json:"detail,omitempty"`
}

// OS is the operating system.
type OS struct {
	Family   string   `json:"family,omitempty"`   // linux, windows, darwin
	ID       string   `json:"id,omitempty"`       // debian, ubuntu, fedora, windows, macos …
	Like     []string `json:"like,omitempty"`     // related ids, nearest first (ID_LIKE)
	Name     string   `json:"name,omitempty"`     // for people
	Version  string   `json:"version,omitempty"`  // 12, 24.04, 10.0.22631, 15.1
	Codename string   `json:"codename,omitempty"` // bookworm
	// Base is the release of Debian or Ubuntu whose packages a distribution made from it
	// has: "ubuntu 22.04" for Linux Mint 21.3; "" for others.
	Base    string `json:"base,omitempty"`
	Build   string `json:"build,omitempty"`   // Windows build.UBR, macOS build
	Edition string `json:"edition,omitempty"` // Windows edition
	Kernel  string `json:"kernel,omitempty"`
	Arch    string `json:"arch,omitempty"` // GOARCH of the operating system
	Libc    Libc   `json:"libc,omitzero"`
	// Container: docker, podman, lxc, chroot, wsl1, wsl2 …; "" for none seen.
	Container string `json:"container,omitempty"`
	// Image says what replaces /usr as a whole, so that the package manager cannot install
	// into it: ostree (rpm-ostree, bootc), transactional (openSUSE), steamos; "" elsewhere.
	Image string `json:"image,omitempty"`
	User  User   `json:"user,omitzero"`
	// StalePath lists folders that new sessions find on PATH and this one, which
	// is older, does not (Windows: the registry is ahead of the environment).
	StalePath []string `json:"stale_path,omitempty"`
	// CutPath is the last entry of a PATH in Windows' registry that has exactly 1024
	// characters, where setx cuts it off, and that is not a folder.
	CutPath string `json:"cut_path,omitempty"`
	// LongPaths says whether Windows allows paths of more than 260 characters:
	// on, off, "" elsewhere.
	LongPaths string `json:"long_paths,omitempty"`
	// Board names an embedded platform with drivers of its own: jetson.
	Board    string            `json:"board,omitempty"`
	Attrs    map[string]string `json:"attrs,omitempty"`
	Evidence []Evidence        `json:"evidence,omitempty"`
}

// Release is the distribution and release whose packages this system has: those of Base
// where it is set, its own otherwise.
func (o OS) Release() (id, version string) {
	if id, version, ok := strings.Cut(o.Base, " "); ok {
		return id, version
	}
	return o.ID, o.Version
}

// Environment is what surrounds every program of the user.
type Environment struct {
	// Module is NVIDIA's kernel module.
	Module Module `json:"module,omitzero"`
	// Fabric is what joins the GPUs of a server.
	Fabric Fabric `json:"fabric,omitzero"`
	// SmartAppControl: Windows starts no programs that it does not know.
	SmartAppControl bool `json:"smart_app_control,omitempty"`
	// GuardedFolder is the folder of the user's that Windows' Controlled folder access
	// guards and that the current folder lies in.
	GuardedFolder string `json:"guarded_folder,omitempty"`
	// NoPagingFile: Windows' paging file is switched off, so that programs are given no
	// more memory than the machine has.
	NoPagingFile bool `json:"no_paging_file,omitempty"`
	// NoDXG: the kernel is WSL's, and the device file by which programs there reach
	// the GPU is not here.
	NoDXG bool `json:"no_dxg,omitempty"`
	// NoWSLGPU is the file whose settings keep the GPU of Windows out of this WSL.
	NoWSLGPU string `json:"no_wsl_gpu,omitempty"`
	// NoSources is the file of package sources of the machine's maker of which every
	// line is switched off.
	NoSources string `json:"no_sources,omitempty"`
	// Interrupted: dpkg was ended while it worked, and apt-get installs nothing until
	// dpkg has been told to finish.
	Interrupted bool `json:"interrupted,omitempty"`
	// NoOpenGL is the libGL.so of a Jetson that builds link and that leads to no file.
	NoOpenGL string `json:"no_opengl,omitempty"`
	// Folders are those that tools write to and cannot, Variables those whose
	// values tools cannot use.
	Folders   []Folder   `json:"folders,omitempty"`
	Variables []Variable `json:"variables,omitempty"`
	// NoCertificates: the system has no list of the certificates to trust.
	// NotTrusted are certificates that were added and are not in that list.
	NoCertificates bool     `json:"no_certificates,omitempty"`
	NotTrusted     []string `json:"not_trusted,omitempty"`
	// Preloads are the libraries that every program is to load before its own and
	// that the loader cannot load.
	Preloads []Preload `json:"preloads,omitempty"`
	// CondaFirst is an environment of conda in which CMake looks for packages before
	// it looks in the system's folders.
	CondaFirst *CondaFirst `json:"conda_first,omitempty"`
	// NoExec are the places of mounted file systems from which no program or library is
	// started, less those of the kernel's own.
	NoExec []string `json:"no_exec,omitempty"`
	// Blocked are the hosts that builds download from and that the system's hosts file
	// sends to this machine or nowhere.
	Blocked []BlockedHost `json:"blocked,omitempty"`
}

// BlockedHost is a line of the hosts file.
type BlockedHost struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	File    string `json:"file"`
	Line    int    `json:"line"`
}

// CondaFirst says why CMake looks into an environment of conda first: Through is
// CMAKE_PREFIX_PATH, which leads it to everything there, or PATH, which leads it to
// the CMake packages beside a bin folder. Packages are those of them that OpenCV's
// build asks for by default or on demand.
type CondaFirst struct {
	Folder   string   `json:"folder"`
	Through  string   `json:"through"`
	Packages []string `json:"packages,omitempty"`
	// Activated: conda itself put it there.
	Activated bool `json:"activated,omitempty"`
}

// Fabric are NVSwitches and the Fabric Manager that sets them up.
type Fabric struct {
	Switches bool `json:"switches,omitempty"`
	// Manager: Fabric Manager is installed; Version where its package says it, and
	// Stopped that it does not run.
	Manager bool   `json:"manager,omitempty"`
	Version string `json:"version,omitempty"`
	Stopped bool   `json:"stopped,omitempty"`
}

// Preload is a library that the loader is told to load into every program.
type Preload struct {
	Library string `json:"library"`
	From    string `json:"from"`  // LD_PRELOAD, DYLD_INSERT_LIBRARIES, /etc/ld.so.preload
	Cause   Cause  `json:"cause"` // not-found, other-arch
}

// Folder is a folder that tools write to, and what hinders them.
type Folder struct {
	Purpose  string        `json:"purpose"`            // tmp, go-cache
	Variable string        `json:"variable,omitempty"` // that names it
	Path     string        `json:"path,omitempty"`
	Problem  FolderProblem `json:"problem"`
}

// FolderProblem is why a folder does not do.
type FolderProblem string

// The problems of a Folder.
const (
	FolderUnset    FolderProblem = "unset"
	FolderMissing  FolderProblem = "missing"
	NotAFolder     FolderProblem = "not-a-folder"
	RelativeFolder FolderProblem = "relative" // where an absolute path is required
	ReadOnlyFolder FolderProblem = "read-only"
	FolderFull     FolderProblem = "full"
	NoExec         FolderProblem = "noexec"  // programs cannot be started from it
	FolderOfRoot   FolderProblem = "of-root" // it is /, and the user is not root
	FolderDenied   FolderProblem = "denied"  // this user may not even list it
)

// Variable is a variable whose value a tool cannot use.
type Variable struct {
	Name    string          `json:"name"`
	Value   string          `json:"value,omitempty"` // without any password
	Problem VariableProblem `json:"problem"`
	Detail  string          `json:"detail,omitempty"` // the value that would do, or the other one
}

// VariableProblem is why a value does not do.
type VariableProblem string

// The problems of a Variable.
const (
	CgoOff       VariableProblem = "cgo-off"
	OtherTarget  VariableProblem = "other-target" // builds are for another system
	VendorOnly   VariableProblem = "vendor-only"
	ModulesOff   VariableProblem = "modules-off"
	DownloadsOff VariableProblem = "downloads-off"
	SplitByBlank VariableProblem = "split-by-blank" // a path that a blank cuts in two
	Malformed    VariableProblem = "malformed"
	TLSToProxy   VariableProblem = "tls-to-proxy" // https:// for a proxy that speaks http
	TwoValues    VariableProblem = "two-values"   // lower and upper case differ
	NamesNothing VariableProblem = "names-nothing"
	NotForApt    VariableProblem = "not-for-apt"   // a proxy that other tools accept and apt refuses
	NoProgram    VariableProblem = "no-program"    // it names a program that is not here
	NotForCgo    VariableProblem = "not-for-cgo"   // Microsoft's compiler, which cgo cannot use
	NotForNVCC   VariableProblem = "not-for-nvcc"  // a host compiler that nvcc refuses on this system
	FlagsMissing VariableProblem = "flags-missing" // it turns off what finds a library, and nothing else names it
	HidesGPUs    VariableProblem = "hides-gpus"    // programs find no GPU with it
	ChoosesGPU   VariableProblem = "chooses-gpu"   // it names GPUs by number, which may not be here; the detail is the first
	NoSDK        VariableProblem = "no-sdk"        // it names an SDK of Apple's that is not here
	SDKHeaders   VariableProblem = "sdk-headers"   // it puts the C headers of an SDK before those of C++
	OfConda      VariableProblem = "of-conda"      // it names a compiler of conda; the detail is the environment
	FolderGone   VariableProblem = "folder-gone"   // its flags name a folder that is not here
	OwnFlags     VariableProblem = "own-flags"     // gocv's own flags are turned off or added to; the value is the version that they name
	OtherLibc    VariableProblem = "other-libc"    // it names a folder with another C library; the detail is its version
	Generator    VariableProblem = "generator"     // it chooses CMake's generator, which may not be here
	OpenCLOff    VariableProblem = "opencl-off"    // OpenCV does not use OpenCL with it
	HidesSystem  VariableProblem = "hides-system"  // it names a folder with a library of the name of one of macOS; the detail is the file
	ShellOnPath  VariableProblem = "shell-on-path" // the value is a sh.exe that it leads to
	LocalProxy   VariableProblem = "local-proxy"   // a proxy on this machine, whose network is not its host's if it has one
	NotASCII     VariableProblem = "not-ascii"     // its flags name a folder with characters other than ASCII
	PreVega      VariableProblem = "pre-vega"      // ROCm's OpenCL serves GPUs before Vega with it
	Rusticl      VariableProblem = "rusticl"       // Mesa's OpenCL serves GPUs with it
	PythonHome   VariableProblem = "python-home"   // every Python takes its library from there; the detail names the Pythons whose it is
	PythonPath   VariableProblem = "python-path"   // a folder with modules made for one Python, which every Python imports; the detail is its version
	NoPython     VariableProblem = "no-python"     // a virtual environment whose Python is gone; the detail is where it was
	NoToolchain  VariableProblem = "no-toolchain"  // CMake stops, as it names a toolchain file that is not here
	// OtherToolchain is a toolchain file for another system, which the detail names.
	OtherToolchain VariableProblem = "other-toolchain"
	NoGoRoot       VariableProblem = "no-goroot"       // GOROOT names a folder that is not here
	OfGoRoot       VariableProblem = "goroot"          // GOROOT names the folder of a Go, whose release is the detail
	NotInCache     VariableProblem = "not-in-cache"    // downloads are off, and gocv is not among the modules in the folder that the detail names
	LocalToolchain VariableProblem = "local-toolchain" // Go does not fetch the newer Go that a go.mod asks for
	ForcesJIT      VariableProblem = "forces-jit"      // CUDA ignores machine code with it, and compiles PTX
	NoJIT          VariableProblem = "no-jit"          // CUDA compiles no PTX with it
	HidesAMD       VariableProblem = "hides-amd"       // ROCm's OpenCL finds no GPU with it
	GoRefuses      VariableProblem = "go-refuses"      // go does not start with it; the detail is what it says
	ToolchainAway  VariableProblem = "toolchain-away"  // it names a Go that is not here, which go fetches when it starts
	FlagRefused    VariableProblem = "flag-refused"    // a compiler does not take its flags; the detail is what it says
	LibraryGone    VariableProblem = "library-gone"    // its flags name a library that the linker does not find; the detail is the flag
	FromSnap       VariableProblem = "from-snap"       // it names a folder of a snap, whose libraries are for its own C library
)

// Project is what the current folder is to be built from, as its files have it.
type Project struct {
	// Folder is where the project's files are.
	Folder string `json:"folder,omitempty"`
	// Kinds says what it is: gocv, cmake, darknet, msbuild, ncnn, opencv, openpose.
	Kinds []string `json:"kinds,omitempty"`
	// Version is that of the sources here; OpenCV's alone.
	Version string   `json:"version,omitempty"`
	Demands []Demand `json:"demands,omitempty"`
	// Runtime is the C runtime that MSVC builds a CMake project with, as in Built; ""
	// where more than its CMakeLists.txt decides.
	Runtime string `json:"runtime,omitempty"`
	// CXX is the line of its CMakeLists.txt that sets the C++ standard.
	CXX *CXXStandard `json:"cxx,omitempty"`
	// GPUCode are the lines that say which GPUs to make code for.
	GPUCode []GPUCode `json:"gpu_code,omitempty"`
	// MSBuild are the settings of Visual Studio's projects here that a machine may not
	// have.
	MSBuild []MSBuildSetting `json:"msbuild,omitempty"`
	// CuDNN is the library of cuDNN that the build folder of OpenCV here links.
	CuDNN string `json:"cudnn,omitempty"`
	// RunFrom is the folder that the program of this folder has to be started in.
	RunFrom string `json:"run_from,omitempty"`
	// Leftovers are what earlier runs of CMake remember and is no longer so.
	Leftovers []Leftover `json:"leftovers,omitempty"`
	// Submodules are those of git that were not cloned.
	Submodules []Submodule `json:"submodules,omitempty"`
	// Models are the files that are named like models and are none, Downloads those
	// that the project's build has not, although it asked for them.
	Models    []Model    `json:"models,omitempty"`
	Downloads []Download `json:"downloads,omitempty"`
	// CPUCode are the lines that say which instructions to compile for.
	CPUCode []CPUCode `json:"cpu_code,omitempty"`
	// Missing are folders and libraries that the project's own files name and that
	// are not there.
	Missing []Missing `json:"missing,omitempty"`
	// CUDA is what OpenCV's build folder has for WITH_CUDA: on, off; "" for unknown.
	CUDA string `json:"cuda,omitempty"`
}

// CXXStandard is a line of a CMakeLists.txt that sets the C++ standard (14) for what is
// built there.
type CXXStandard struct {
	Standard string `json:"standard"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Text     string `json:"text"`
}

// CPUCode is a line of a build file or of CMake's cache that names instructions to
// compile for.
type CPUCode struct {
	// By is how it names them: makefile, option (of the project), baseline (OpenCV's
	// CPU_BASELINE), flag (of the compiler).
	By string `json:"by"`
	// Name is the variable, Value what makes the difference in it.
	Name     string   `json:"name"`
	Value    string   `json:"value"`
	Features []string `json:"features"` // in the names of CPU.Features
	File     string   `json:"file"`
	Line     int      `json:"line"`
}

// Missing is a folder or a library of the project's own that is not there.
type Missing struct {
	Kind string `json:"kind"` // folder (of sources), library, package (the folder of one), plugin (of Unity)
	Path string `json:"path"`
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

// Download is a file that OpenCV's build downloaded and that is not what it asked for, or
// whose download failed.
type Download struct {
	Path    string      `json:"path"`
	Problem FileProblem `json:"problem"`
	// Of one that failed: its name without the sum that stands before it in the cache,
	// the address, and the line of the log.
	Name string `json:"name,omitempty"`
	URL  string `json:"url,omitempty"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Demand is a line of a build file that asks for a component.
type Demand struct {
	// By is the kind of file: go.mod, go.work, go (a Go file's import), cmake, makefile. Name is what is asked for in
	// that file's words, Component in the catalog's.
	By        string `json:"by"`
	Name      string `json:"name"`
	Component string `json:"component"`
	// Version is the one that is asked for: in go.mod exactly this one, else the
	// least. "" for any, and where it could not be determined.
	Version string `json:"version,omitempty"`
	// Below is the release from which on the sources here do not compile with it.
	Below string `json:"below,omitempty"`
	// Policies is the newest CMake whose policies the project knows.
	Policies string `json:"policies,omitempty"`
	// Parts are the modules that are asked for.
	Parts []string `json:"parts,omitempty"`
	// PkgConfig is the name by which pkg-config is asked.
	PkgConfig string `json:"pkg_config,omitempty"`
	// Optional: the build goes on without it. Unsure: whether it is needed, and
	// where it comes from, depends on more than this line.
	Optional bool `json:"optional,omitempty"`
	Unsure   bool `json:"unsure,omitempty"`
	// File and Line are where it is written; Text is the line.
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
	// Replaced is what go.mod puts in the place of the module, Vendored the version
	// in the folder vendor.
	Replaced string `json:"replaced,omitempty"`
	Vendored string `json:"vendored,omitempty"`
	// OwnFlags: the environment says how to link, and not the module's files.
	OwnFlags bool `json:"own_flags,omitempty"`
}

// GPUCode is a line of a build file that names GPUs to make code for.
type GPUCode struct {
	By string `json:"by"` // as in Demand
	// Archs and PTX are compute capabilities, as in Built.
	Archs    []string `json:"archs,omitempty"`
	PTX      []string `json:"ptx,omitempty"`
	Optional bool     `json:"optional,omitempty"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Text     string   `json:"text"`
}

// MSBuildSetting is a line of a Visual Studio project (.vcxproj) that names what has to
// be on the machine.
type MSBuildSetting struct {
	// Kind: toolset, sdk, customization (of CUDA), libraries, headers, package,
	// python-mixed or only-32-bit.
	Kind MSBuildKind `json:"kind"`
	// Value is v142, 8.1, 11.1, or the import libraries.
	Value string `json:"value"`
	// Libraries are those that a configuration links, Folders where it looks for them.
	Libraries []string `json:"libraries,omitempty"`
	Folders   []string `json:"folders,omitempty"`
	// Options are those that the linker gets besides.
	Options string `json:"options,omitempty"`
	// Debug: the configuration uses the debug runtime (/MDd), which the libraries of
	// another one cannot be mixed with.
	Debug bool `json:"debug,omitempty"`
	// Runtime is the C runtime of the configuration, md or mt.
	Runtime string `json:"runtime,omitempty"`
	// Configuration is Debug, Release or another name; "" for all.
	Configuration string `json:"configuration,omitempty"`
	File          string `json:"file"`
	Line          int    `json:"line"`
}

// MSBuildKind is what an MSBuildSetting names.
type MSBuildKind string

// The kinds of an MSBuildSetting.
const (
	Toolset       MSBuildKind = "toolset"
	WindowsSDK    MSBuildKind = "sdk"
	Customization MSBuildKind = "customization"
	Libraries     MSBuildKind = "libraries"
	// Headers: the configuration takes OpenCV, whose headers are in none of the folders;
	// the value is a variable in one of them, which leads nowhere.
	Headers MSBuildKind = "headers"
	Package MSBuildKind = "package" // of NuGet, with its version
	// PythonMixed: a property sheet takes the headers of one Python and the libraries of
	// another. The value is the library that the headers ask for, Folders are the two.
	PythonMixed MSBuildKind = "python-mixed"
	// Only32Bit: the project has the platform Win32 alone.
	Only32Bit MSBuildKind = "only-32-bit"
)

// Leftover is an entry of a CMakeCache.txt.
type Leftover struct {
	Entry   string          `json:"entry"`
	Value   string          `json:"value"`
	Problem LeftoverProblem `json:"problem"`
	Detail  string          `json:"detail,omitempty"`
	File    string          `json:"file"`
	Line    int             `json:"line"`
}

// LeftoverProblem is why an entry no longer does.
type LeftoverProblem string

// The problems of a Leftover.
const (
	FromElsewhere LeftoverProblem = "from-elsewhere" // the cache was made in another folder
	NamesNoFile   LeftoverProblem = "names-no-file"
	OfGenerator   LeftoverProblem = "generator" // the generator or platform, which may not be here or not fit
	// SwitchedOff: an option that OpenCV turns on by itself was off when CMake ran
	// first, as what it needs was not found, and stays so.
	SwitchedOff LeftoverProblem = "switched-off"
	// NotWithMinGW: a part of OpenCV that MinGW does not compile is turned on.
	NotWithMinGW LeftoverProblem = "not-with-mingw"
	// WrongFolder: CMake was started in a folder that is only a part of the project.
	WrongFolder LeftoverProblem = "wrong-folder"
	// AmongModules: a build folder lies where the project takes each folder for a
	// module of its own.
	AmongModules LeftoverProblem = "among-modules"
	// NoPythonHeaders: the folder of Python's headers has no Python.h.
	NoPythonHeaders LeftoverProblem = "no-python-headers"
	// NoLapacke: the sources include lapacke.h by a path that CMake did not find.
	NoLapacke LeftoverProblem = "no-lapacke"
	// NeedsPrompt: the compiler of that build folder finds its headers by variables that
	// Visual Studio's developer prompt sets, and this is not one.
	NeedsPrompt LeftoverProblem = "needs-prompt"
	// OtherModules: opencv_contrib is of another release than OpenCV's sources; the detail
	// is its own.
	OtherModules LeftoverProblem = "other-modules"
	// OldPybind: Python's module is built with pybind11, whose release is the detail, for
	// the Python that the value names.
	OldPybind LeftoverProblem = "old-pybind"
	// NoCaffeProto: the include folder of Caffe has no caffe.pb.h, which Caffe's build
	// makes; the detail is a folder that has it.
	NoCaffeProto LeftoverProblem = "no-caffe-proto"
	// ForeignArchiver: archives for Apple's linker are made with conda's tools.
	ForeignArchiver LeftoverProblem = "foreign-archiver"
	// Not64BitARM: an option of 32-bit ARM, which the build refuses on 64-bit ARM.
	Not64BitARM LeftoverProblem = "not-64-bit-arm"
	// MakesFor32Bit: a Makefile passes such an option to CMake.
	MakesFor32Bit LeftoverProblem = "makes-for-32-bit"
	// NoGlslang: glslang of the system is asked for, and CMake did not find it.
	NoGlslang LeftoverProblem = "no-glslang"
	// WithoutCuDNN: OpenPose's Caffe is used without cuDNN.
	WithoutCuDNN LeftoverProblem = "without-cudnn"
	// OtherCaffe: a library is of the Caffe for another GPU_MODE; the detail is the folder
	// of this mode's.
	OtherCaffe LeftoverProblem = "other-caffe"
	// LinksNotFound: in the configuration that the entry names a library is linked which
	// CMake did not find; the detail is a configuration that does without.
	LinksNotFound LeftoverProblem = "links-not-found"
	// NoPythonDebug: a Debug build of Python's module needs the detail, which this Python
	// does not have.
	NoPythonDebug LeftoverProblem = "no-python-debug"
	// OtherLinker: the linker of Visual Studio's compiler is the program of that name which
	// comes with Git's or MSYS2's shell.
	OtherLinker LeftoverProblem = "other-linker"
)

// Submodule is a folder that git fills from another repository, and that is empty.
type Submodule struct {
	Path string `json:"path"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// Model is a file that is named like a model and is none.
type Model struct {
	Path    string      `json:"path"`
	Problem FileProblem `json:"problem"`
}

// FileProblem is what a file is in place of the model or library that it is named
// like.
type FileProblem string

// The problems of a Model, of a Need that is Damaged, and of a Download; the last ones are
// those of a download that failed, by its reason where the log has it.
const (
	EmptyFile  FileProblem = "empty"
	LFSPointer FileProblem = "lfs-pointer" // git has the text that stands for it
	WebPage    FileProblem = "web-page"
	CutShort   FileProblem = "cut-short"   // its end is missing
	LinkText   FileProblem = "link-text"   // a link that was unpacked or copied as the name it leads to
	NotFetched FileProblem = "not-fetched" // it is not there

	FetchNoHTTPS     FileProblem = "unsupported" // CMake was built without TLS
	FetchCertificate FileProblem = "certificate" // the server's certificate is not trusted
	FetchNoHost      FileProblem = "no-host"     // its name is not resolved
	FetchNoConnect   FileProblem = "no-connect"  // it cannot be reached
	FetchCutOff      FileProblem = "cut-off"     // the connection broke
)

// Module is a kernel module of a GPU's driver, as files show it.
type Module struct {
	// Loaded: the running kernel has it.
	Loaded bool `json:"loaded,omitempty"`
	// Kind of the loaded one is open or proprietary.
	Kind string `json:"kind,omitempty"`
	// Built: the running kernel's folder has a module that could be loaded.
	Built bool `json:"built,omitempty"`
	// KernelGone: an update removed the running kernel's modules and put another
	// kernel in its place.
	KernelGone bool `json:"kernel_gone,omitempty"`
	// Others are kernels that are not running and for which it was built.
	Others []string `json:"others,omitempty"`
	// Source is the version whose source DKMS can build.
	Source string `json:"source,omitempty"`
	// Packages is the name of Ubuntu's packages of built modules, less the kernel
	// (linux-modules-nvidia-535), where one of them is installed for another kernel.
	Packages string `json:"packages,omitempty"`
	// Installer: NVIDIA's own installer put the driver here. FailedLog is DKMS's log of
	// a build for the running kernel that did not succeed.
	Installer bool   `json:"installer,omitempty"`
	FailedLog string `json:"failed_log,omitempty"`
	// SecureBoot is on, off, or "" where the firmware does not say; Key is the
	// public key that modules built here are signed with.
	SecureBoot string `json:"secure_boot,omitempty"`
	// Blacklist is the file that keeps it from being loaded; Prime: prime-select wrote
	// it.
	Blacklist string `json:"blacklist,omitempty"`
	Prime     bool   `json:"prime,omitempty"`
	// Removed is the file of udev rules that takes NVIDIA's cards off the PCI bus;
	// Envy: EnvyControl wrote it.
	Removed string `json:"removed,omitempty"`
	Envy    bool   `json:"envy,omitempty"`
	Key     string `json:"key,omitempty"`
}

// Libc is the C library.
type Libc struct {
	Kind    string `json:"kind,omitempty"` // glibc, musl, ucrt …
	Version string `json:"version,omitempty"`
	// GLIBCXX and CXXABI are the newest symbol versions of libstdc++ (3.4.30).
	GLIBCXX string `json:"glibcxx,omitempty"`
	CXXABI  string `json:"cxxabi,omitempty"`
}

// User is what matters of the account deployctl runs under.
type User struct {
	Admin bool `json:"admin"`
	// Elevate lists the ways to become administrator that are installed
	// (sudo, doas, pkexec, uac), in order of preference.
	Elevate []string `json:"elevate,omitempty"`
}

// CPU is the processor as programs may use it (masked features are absent).
type CPU struct {
	Vendor string `json:"vendor,omitempty"`
	Model  string `json:"model,omitempty"`
	Arch   string `json:"arch,omitempty"` // GOARCH
	// Level: x86-64-v1 … x86-64-v4, or armv7, armv8.0 … for ARM.
	Level    string   `json:"level,omitempty"`
	Features []string `json:"features,omitempty"` // lower case, sorted: avx2, avx512f, neon, dotprod
	// Cores are those usable (affinity and quota applied), Logical all threads.
	Cores    float64 `json:"cores,omitempty"`
	Logical  int     `json:"logical,omitempty"`
	Physical int     `json:"physical,omitempty"`
	// MHz is the frequency used for PeakGFLOPS.
	MHz float64 `json:"mhz,omitempty"`
	// PeakGFLOPS is the theoretical single-precision peak of the usable cores.
	PeakGFLOPS float64 `json:"peak_gflops,omitempty"`
	// PeakBasis states the assumption: cores × MHz × lanes × FMA units × 2.
	PeakBasis  string `json:"peak_basis,omitempty"`
	Hypervisor string `json:"hypervisor,omitempty"`
	// Emulation is what runs this process's instructions on a processor of
	// another kind: qemu, rosetta; "" for none.
	Emulation string            `json:"emulation,omitempty"`
	Attrs     map[string]string `json:"attrs,omitempty"`
	Evidence  []Evidence        `json:"evidence,omitempty"`
}

// Memory is in bytes.
type Memory struct {
	Total     uint64 `json:"total,omitempty"`
	Available uint64 `json:"available,omitempty"`
	Swap      uint64 `json:"swap,omitempty"`
	// Limit is the cgroup (or job) limit when it is below Total.
	Limit    uint64     `json:"limit,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	// Killed is a compiler or linker that the kernel's log says was ended for want of
	// memory.
	Killed *Killed `json:"killed,omitempty"`
}

// Killed is a program that the kernel ended for want of memory.
type Killed struct {
	Program string `json:"program"`
	File    string `json:"file"` // the log
}

// Usable is the memory a program may have: the limit where there is one.
func (m Memory) Usable() uint64 {
	if m.Limit > 0 && m.Limit < m.Total {
		return m.Limit
	}
	return m.Total
}

// Disk is the room where something will be written, in bytes.
type Disk struct {
	Purpose  string     `json:"purpose"` // cache, tmp, system
	Path     string     `json:"path"`
	Total    uint64     `json:"total"`
	Free     uint64     `json:"free"`
	Kind     string     `json:"kind,omitempty"`
	ReadOnly bool       `json:"readonly,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	// Unknown: see Facts.Unknown.
	Unknown map[string]json.RawMessage `json:"-"`
}

// GPU is one graphics or compute device.
type GPU struct {
	Vendor string `json:"vendor,omitempty"` // nvidia, amd, intel, apple …
	Name   string `json:"name,omitempty"`
	PCI    string `json:"pci,omitempty"`    // 0000:01:00.0
	ID     string `json:"id,omitempty"`     // 10de:2684
	Driver string `json:"driver,omitempty"` // kernel driver bound
	// DriverVersion is the user-mode driver's.
	DriverVersion string `json:"driver_version,omitempty"`
	Memory        uint64 `json:"memory,omitempty"` // bytes
	// NoNode is the device file that programs open and that is not here, as in a
	// container that was not given the device; "" for none.
	NoNode string `json:"no_node,omitempty"`
	// NoAccess is the device file that programs open and that this user may not;
	// "" for none. Group is the group that may, by name or number, and Joined says
	// that it lists the user already, who has not logged in since.
	NoAccess string `json:"no_access,omitempty"`
	Group    string `json:"group,omitempty"`
	Joined   bool   `json:"joined,omitempty"`
	// ComputeCapability is CUDA's (8.9).
	ComputeCapability string            `json:"compute_capability,omitempty"`
	Attrs             map[string]string `json:"attrs,omitempty"`
	Evidence          []Evidence        `json:"evidence,omitempty"`
	// Unknown: see Facts.Unknown.
	Unknown map[string]json.RawMessage `json:"-"`
}

// Instance is one copy of a component.
type Instance struct {
	Version string `json:"version,omitempty"` // "" when it could not be told
	Path    string `json:"path,omitempty"`
	// Active: this copy would win; Via says in which lookups (PATH,
	// pkg-config, ldconfig, cmake, dll).
	Active bool     `json:"active"`
	Via    []string `json:"via,omitempty"`
	// Has lists parts, modules or capabilities (dnn, headers, cuda, nvcc).
	Has []string `json:"has,omitempty"`
	// Attrs are named details (soname, include, build.cuda, driver_max_cuda).
	// They describe; nothing is decided by them alone.
	Attrs map[string]string `json:"attrs,omitempty"`
	// Unusable says why programs cannot use this copy; nil when they can.
	Unusable *Unusable `json:"unusable,omitempty"`
	// Partial: only what a pasted text says of this copy is known; nil for one that was
	// looked at.
	Partial *Partial `json:"partial,omitempty"`
	// Release is the maker's own number of a driver whose Version is that of its
	// interface (22.14.22890 of Intel's OpenCL driver); "" where it was not found.
	Release string `json:"release,omitempty"`
	// Conflict names the other copy or part that disagrees with this one, in a
	// sentence; "" for none.
	Conflict string `json:"conflict,omitempty"`
	// Flavor is what the names of the package that it came in end with, where others of
	// the same version are for other machines: -server of Ubuntu's NVIDIA drivers.
	Flavor string `json:"flavor,omitempty"`
	// Unseen is the pkg-config of the user's PATH that does not find this copy;
	// nil where it does, or was not asked.
	Unseen *Unseen `json:"unseen,omitempty"`
	// Dangling is this copy's package file where it names what is not here; nil where
	// builds find all that it names.
	Dangling *Dangling `json:"dangling,omitempty"`
	// Lost is what installed packages brought of this copy and is no longer here; nil for
	// nothing.
	Lost *Lost `json:"lost,omitempty"`
	// Imports are the Python packages, each with its version, that were installed
	// into this copy's folder, where the Python that PATH finds first imports it.
	Imports []string `json:"imports,omitempty"`
	Places  Places   `json:"places,omitzero"`
	Built   Built    `json:"built,omitzero"`
	// Makes is what a compiler makes programs for.
	Makes Makes `json:"makes,omitzero"`
	// Stale are variables of the environment that name this component where it is
	// not, or no longer is.
	Stale []Stale `json:"stale,omitempty"`
	// Devices are what the copy offers to compute on.
	Devices []Device `json:"devices,omitempty"`
	// Busy are the GPUs of a driver, where programs hold nearly all memory of each.
	Busy []Busy `json:"busy,omitempty"`
	// Needs are the shared libraries that this copy needs and that the loader
	// would not give it as they should be. Satisfied ones are not listed.
	Needs []Need `json:"needs,omitempty"`
	// OwnRuntime is the Visual C++ runtime beside its files; nil where they use the
	// system's.
	OwnRuntime *OwnRuntime `json:"own_runtime,omitempty"`
	// Runtime is the oldest Visual C++ runtime that its files work with, by what they
	// import of it; nil where that could not be read.
	Runtime  *RuntimeNeed `json:"runtime,omitempty"`
	Evidence []Evidence   `json:"evidence,omitempty"`
	// Unknown: see Facts.Unknown.
	Unknown map[string]json.RawMessage `json:"-"`
}

// Pasted is the probe that problems name where a pasted text was read, and not a machine.
const Pasted = "text"

// FromText reports whether the facts are those of a pasted text.
func (f *Facts) FromText() bool {
	return slices.ContainsFunc(f.Problems, func(p Problem) bool { return p.Probe == Pasted })
}

// Partial is what a text says besides what a copy has.
type Partial struct {
	// Lacks are the parts that it does not have.
	Lacks []string `json:"lacks,omitempty"`
}

// Unseen names a program that programs' builds ask and that does not find a copy.
type Unseen struct {
	By     string `json:"by"`     // /opt/conda/bin/pkg-config
	Folder string `json:"folder"` // where the .pc file lies that it does not look into
	// Variable is what keeps pkg-config from it (PKG_CONFIG_LIBDIR), and its value; ""
	// where it is the program itself.
	Variable string `json:"variable,omitempty"`
	Value    string `json:"value,omitempty"`
}

// Dangling is a package file that leads builds to what is not here.
type Dangling struct {
	File string `json:"file"` // /usr/local/lib/pkgconfig/opencv4.pc
	// Folders are those of its headers, where none are; Libraries those of its
	// libraries that the linker does not find (-l in its words).
	Folders   []string `json:"folders,omitempty"`
	Libraries []string `json:"libraries,omitempty"`
	// Packages are the installed packages of Debian's that the missing libraries are of.
	Packages []string `json:"packages,omitempty"`
}

// Lost are files of a copy that were removed without the package manager.
type Lost struct {
	Files []string `json:"files"`
	// Parts are those of the copy that lack them, as in Has.
	Parts    []string `json:"parts"`
	Packages []string `json:"packages"`
}

// Unusable says why programs cannot use a copy, and what to do.
type Unusable struct {
	Reason Reason `json:"reason"`
	// Detail is the probe's own sentence.
	Detail string `json:"detail,omitempty"`
	// Remedy is what to do, where the probe knows it better than any rule.
	Remedy string `json:"remedy,omitempty"`
}

// Reason is why a copy cannot be used.
type Reason string

// The reasons of an Unusable.
const (
	MissingFile    Reason = "missing-file"    // a file it is made of or names is not there
	MissingLibrary Reason = "missing-library" // a library that it needs is not found
	WrongArch      Reason = "wrong-arch"      // made for another architecture
	NotReadable    Reason = "not-readable"    // this user may not read it
	WrongTarget    Reason = "wrong-target"    // builds for another target than programs here
	Incomplete     Reason = "incomplete"      // its installation is not complete
	Broken         Reason = "broken"          // it was run and does not work
	Crashed        Reason = "crashed"
	Hung           Reason = "hung"
	Disabled       Reason = "disabled"
	NoDevice       Reason = "no-device" // it works, but has nothing to compute on
	NotRegistered  Reason = "not-registered"
	NeedsRestart   Reason = "needs-restart"
	Mismatch       Reason = "mismatch" // its own parts are of different versions
)

// Places are the folders by which programs reach a copy; absolute paths.
type Places struct {
	Bin       string `json:"bin,omitempty"`        // programs, and DLLs on Windows
	Lib       string `json:"lib,omitempty"`        // shared or import libraries
	Include   string `json:"include,omitempty"`    // headers
	PkgConfig string `json:"pkg_config,omitempty"` // .pc files
	CMake     string `json:"cmake,omitempty"`      // NAMEConfig.cmake
}

// Built is what a copy was built for; "" and nil where it could not be determined.
type Built struct {
	// CPU are the instruction sets that every part of it uses, in the names of
	// CPU.Features: a processor without one of them stops it with SIGILL.
	CPU []string `json:"cpu,omitempty"`
	// CUDA and CuDNN are the versions it was built with (12.4; 8.9).
	CUDA  string `json:"cuda,omitempty"`
	CuDNN string `json:"cudnn,omitempty"`
	// Build is the name that its maker gave to this build of a published release
	// (cu121, cpu; release for an archive of ONNX Runtime or the package onnxruntime-gpu);
	// "" for a copy that somebody else built.
	Build string `json:"build,omitempty"`
	// CUDAArchs are the compute capabilities it carries machine code for (8.6),
	// PTX those it carries intermediate code for, which newer cards can use.
	CUDAArchs []string `json:"cuda_archs,omitempty"`
	PTX       []string `json:"ptx,omitempty"`
	// Compiler is msvc, mingw, gcc or clang; Toolset its version.
	Compiler string `json:"compiler,omitempty"`
	Toolset  string `json:"toolset,omitempty"`
	// CMakeNeeds are targets that its CMake package stops without (CUDA::nvToolsExt).
	CMakeNeeds []string `json:"cmake_needs,omitempty"`
	// ForMSVC are the compilers that its CMake package on Windows knows, by the first three
	// digits of MSVC_VERSION (193), and Runtimes the folders of libraries that it chooses
	// from by them (vc16).
	ForMSVC  []string `json:"for_msvc,omitempty"`
	Runtimes []string `json:"runtimes,omitempty"`
	// Modules are those that OpenCV's own headers say it was built with.
	Modules []string `json:"modules,omitempty"`
	// Python is the series of Python that its module was built for (3.7).
	Python string `json:"python,omitempty"`
	// Arch is the GOARCH of a Python, or of a Python package's module, on Windows.
	Arch string `json:"arch,omitempty"`
	// CXXABI is the C++ ABI: "cxx11", "pre-cxx11", "msvc".
	CXXABI string `json:"cxxabi,omitempty"`
	// Runtime is the C runtime on Windows: "md", "mt", "msvcrt", "ucrt".
	Runtime string `json:"runtime,omitempty"`
	// Backends are what it can compute with: cpu, cuda, opencl, vulkan …; nil
	// when that is unknown, so that a CPU-only build is [cpu].
	Backends []string `json:"backends,omitempty"`
}

// Makes is what a compiler makes programs for; "" where that is not known.
type Makes struct {
	// Target is the GOARCH of the programs: that of a MinGW, or of a developer
	// prompt of Visual Studio.
	Target string `json:"target,omitempty"`
	// Threads is GCC's thread model: posix, win32, mcf.
	Threads string `json:"threads,omitempty"`
	// Runtime is the C runtime of the programs: msvcrt, ucrt.
	Runtime string `json:"runtime,omitempty"`
	// Host is the version of the GCC that nvcc was told to call, by a variable or a
	// link beside it; "" where it calls the one on PATH.
	Host string `json:"host,omitempty"`
}

// Stale is a variable that names a folder without what it should hold.
type Stale struct {
	Variable string `json:"variable"` // CUDA_PATH
	Folder   string `json:"folder"`
}

// Device is something to compute on.
type Device struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"` // gpu, cpu, accelerator
	// Software devices compute on the CPU whatever their type says (llvmpipe,
	// lavapipe, PoCL).
	Software bool `json:"software,omitempty"`
}

// Busy is a GPU whose memory programs hold nearly all of. Sizes are in bytes.
type Busy struct {
	Name   string `json:"name,omitempty"`
	Memory uint64 `json:"memory"`
	Used   uint64 `json:"used"`
}

// ByProgram is Need.By where no library here asks for the file: the user's next
// program does.
const ByProgram = "a program built with it"

// Need is a library that the loader would not give as it should be.
type Need struct {
	Name  string `json:"name"`            // libtbb.so.12, cudart64_80.dll
	By    string `json:"by"`              // the file that asks for it
	Cause Cause  `json:"cause"`           // why it does not do
	Found string `json:"found,omitempty"` // the file that the loader would take
	// Lacks is the symbol version that Found does not have (GLIBCXX_3.4.29).
	Lacks string `json:"lacks,omitempty"`
	// Through is what made the loader take Found: LD_LIBRARY_PATH, PATH, RPATH.
	Through string `json:"through,omitempty"`
	// Package provides it here, in the words of this system's package manager.
	Package string `json:"package,omitempty"`
	// Installed: the package manager has Package as installed, so that its files
	// were removed behind its back and must be installed again.
	Installed bool `json:"installed,omitempty"`
	// Elsewhere is a copy that would do but lies where the loader does not look.
	Elsewhere string `json:"elsewhere,omitempty"`
	// Other is the same library under another number, which the loader finds.
	Other string `json:"other,omitempty"`
	// Problem says what is wrong with a Found that is Damaged, and Repository the
	// folder that it was cloned into with git; "" for none.
	Problem    FileProblem `json:"problem,omitempty"`
	Repository string      `json:"repository,omitempty"`
}

// OwnRuntime is a copy of the Visual C++ runtime that programs find before the
// system's, because it lies beside them.
type OwnRuntime struct {
	File    string `json:"file"`    // msvcp140.dll
	Version string `json:"version"` // of it
	// By is the file with the newest Linker, the version of the toolset that made
	// it (14.40), of those that use the runtime.
	By     string `json:"by"`
	Linker string `json:"linker,omitempty"`
}

// RuntimeNeed is the Visual C++ runtime that files need by what they import of it,
// beyond the symbols that the DLLs here do not export, which are Needs.
type RuntimeNeed struct {
	// Version is the oldest that is known to work (14.38); "" for any.
	Version string `json:"version,omitempty"`
	By      string `json:"by,omitempty"` // the file that needs it
}

// Cause is why a needed library does not do.
type Cause string

// The causes of a Need.
const (
	NotFound   Cause = "not-found"
	TooOld     Cause = "too-old" // it lacks a symbol version
	OtherArch  Cause = "other-arch"
	Stub       Cause = "stub"    // CUDA's stub, which is for linking only
	Foreign    Cause = "foreign" // another copy of the same library comes first
	FromDriver Cause = "driver"  // only the GPU's driver brings it
	OnCall     Cause = "on-call" // not found; it is loaded by name when it is first used
	// NewerSystem: the file is made for a newer release of this system, which is Lacks.
	NewerSystem Cause = "newer-system"
	// PartMissing: it is loaded by name and not found, and others of its set are there.
	PartMissing Cause = "part-missing"
	// OtherDLL: another program's DLL of that name comes first on PATH and lacks a function.
	OtherDLL Cause = "other-dll"
	// ExecStack: it asks for an executable stack, and the loader gives none to a program
	// that runs already.
	ExecStack Cause = "exec-stack"
	// Damaged: the loader finds it, and it is empty, cut short or another kind of file.
	Damaged Cause = "damaged"
)

// HasPart reports whether the instance lists the part.
func (i Instance) HasPart(part string) bool {
	for _, p := range i.Has {
		if p == part {
			return true
		}
	}
	return false
}

// Problem is something that could not be looked at.
type Problem struct {
	Probe string `json:"probe"`
	// Covers are the fact topics (os, cpu, memory, disks, gpus) and component
	// names that are therefore uncertain.
	Covers []string `json:"covers"`
	Error  string   `json:"error"`
	// Late: the probe was stopped at its deadline. What it had found by then stands, and
	// what is missing may be there.
	Late bool `json:"late,omitempty"`
	// Unknown: see Facts.Unknown.
	Unknown map[string]json.RawMessage `json:"-"`
}

// Timing is how long a probe took.
type Timing struct {
	Probe string        `json:"probe"`
	Took  time.Duration `json:"took_ns"`
}

// Active returns the active instance of a component.
func (f *Facts) Active(component string) (Instance, bool) {
	for _, i := range f.Components[component] {
		if i.Active {
			return i, true
		}
	}
	return Instance{}, false
}

// VirtualEnvironment returns the Python that PATH finds where it is that of a virtual
// environment, whose packages are the user's own.
func (f *Facts) VirtualEnvironment() (python Instance, ok bool) {
	python, ok = f.Active("python")
	return python, ok && python.Path != "" && python.Attrs["venv"] != ""
}

// Problem returns the first problem that covers the topic or component.
func (f *Facts) Problem(topic string) (Problem, bool) {
	for _, p := range f.Problems {
		for _, c := range p.Covers {
			if c == topic {
				return p, true
			}
		}
	}
	return Problem{}, false
}

// Late returns the problem of a probe that was stopped before it had seen all of the
// topic or component.
func (f *Facts) Late(topic string) (Problem, bool) {
	for _, p := range f.Problems {
		if p.Late && slices.Contains(p.Covers, topic) {
			return p, true
		}
	}
	return Problem{}, false
}

// Add appends an instance of a component.
func (f *Facts) Add(component string, i Instance) {
	if f.Components == nil {
		f.Components = map[string][]Instance{}
	}
	f.Components[component] = append(f.Components[component], i)
}

// Merge takes over what a probe found. Each topic is filled by one probe; a
// second non-empty answer for the same scalar topic replaces the first.
func (f *Facts) Merge(p Facts) {
	if p.OS.Family != "" {
		f.OS = p.OS
	}
	if p.CPU.Arch != "" {
		f.CPU = p.CPU
	}
	if p.Memory.Total != 0 {
		f.Memory = p.Memory
	}
	if !reflect.ValueOf(p.Environment).IsZero() {
		f.Environment = p.Environment
	}
	if !reflect.ValueOf(p.Project).IsZero() {
		f.Project = p.Project
	}
	f.Disks = append(f.Disks, p.Disks...)
	f.GPUs = append(f.GPUs, p.GPUs...)
	for name, list := range p.Components {
		for _, i := range list {
			f.Add(name, i)
		}
	}
	f.Problems = append(f.Problems, p.Problems...)
}

// Sort puts everything into a stable order: active instances first, then by
// path, so that two runs on one machine give the same bytes.
func (f *Facts) Sort() {
	for _, list := range f.Components {
		sort.SliceStable(list, func(a, b int) bool {
			if list[a].Active != list[b].Active {
				return list[a].Active
			}
			return list[a].Path < list[b].Path
		})
	}
	sort.SliceStable(f.Disks, func(a, b int) bool { return f.Disks[a].Purpose < f.Disks[b].Purpose })
	sort.SliceStable(f.GPUs, func(a, b int) bool { return f.GPUs[a].PCI < f.GPUs[b].PCI })
	sort.SliceStable(f.Problems, func(a, b int) bool { return f.Problems[a].Probe < f.Problems[b].Probe })
	sort.SliceStable(f.Timings, func(a, b int) bool { return f.Timings[a].Took > f.Timings[b].Took })
}
