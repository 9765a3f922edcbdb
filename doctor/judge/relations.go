package judge

import (
	"strings"
	"sync"

	"github.com/deployctl/deployctl/doctor/facts"
)

// relation compares facts with one another where a condition on one fact will
// not do. It gives the variables for a check's texts, and false when the problem
// is not there or cannot be seen.
type relation func(e *evaluation, s subject) (map[string]string, bool)

// relations is the one list of what a check's relation may name.
var relations = sync.OnceValue(func() map[string]relation {
	return map[string]relation{
		"build-unseen":     buildUnseen,
		"build-redirected": buildRedirected,
		"download-refused": downloadRefused,
		"host-blocked":     hostBlocked,
		"dpkg-interrupted": dpkgInterrupted,
		"tmp-small":        tmpSmall,
		"build-killed":     buildKilled,
		"no-vulkan-driver": noVulkanDriver,
		"cpu-lacks":        cpuLacks,
		"numpy-on-jetson":  numPyOnJetson,
		"python-numpy":     pythonNumPy,
		"python-libraries": pythonLibraries,

		"python-opencv-twice":      pythonTwice("opencv-python", "opencv"),
		"python-onnxruntime-twice": pythonTwice("onnxruntime", "onnxruntime"),

		"carried-cuda":         carriedCUDA,
		"python-module":        pythonModule,
		"gocv-package":         gocvPackage,
		"gocv-release":         gocvRelease,
		"gocv-vendored":        gocvVendored,
		"project-cmake":        projectCMake,
		"opencv-compiler":      openCVCompiler,
		"opencv-for-cuda":      openCVForCUDA,
		"other-modules":        otherModules,
		"old-pybind":           oldPybind,
		"without-cudnn":        withoutCuDNN,
		"project-component":    projectComponent,
		"demand-newer":         demandNewer,
		"nvcc-off-path":        nvccOffPath,
		"dnn-switched-off":     dnnSwitchedOff,
		"project-runtime":      projectRuntime,
		"project-gpu-code":     projectGPUCode,
		"msbuild-toolset":      msbuildToolset,
		"msbuild-sdk":          msbuildSDK,
		"msbuild-cuda":         msbuildCUDA,
		"msbuild-opencv":       msbuildOpenCV,
		"msbuild-mixed":        msbuildMixed,
		"msbuild-runtime":      msbuildRuntime,
		"msbuild-headers":      msbuildHeaders,
		"msbuild-platform":     msbuildPlatform,
		"msbuild-package":      msbuildPackage,
		"msbuild-torch":        msbuildTorch,
		"library-arch":         needsOf(facts.OtherArch),
		"library-damaged":      fileDamaged,
		"library-exec-stack":   needsOf(facts.ExecStack),
		"library-driver":       needsOf(facts.FromDriver),
		"library-elsewhere":    needElsewhere,
		"library-missing":      needsOf(facts.NotFound),
		"library-stub":         needsOf(facts.Stub),
		"library-too-old":      needsOf(facts.TooOld),
		"fermi-without-vulkan": fermiWithoutVulkan,
		"newer-system":         needsOf(facts.NewerSystem),
		"opencl-off":           openCLOff,
		"hides-system":         variables(facts.HidesSystem),
		"from-snap":            fromSnap,
		"local-proxy":          localProxy,
		"opencv-sources":       openCVSources,
		"project-cpu-code":     cpuCode,
		"failed-fetch":         failedFetch,
		"python-numpy-old":     pythonNumPyOld,

		"cuda-gone":             cudaGone,
		"gpu-code":              gpuCode,
		"driver-for-build":      driverForBuild,
		"runtime-suffices":      runtimeSuffices(true),
		"runtime-without-cudnn": runtimeSuffices(false),
		"backend-missing":       backendMissing,
		"only-software":         onlySoftware,
		"driver-of-windows":     driverElsewhere("wsl"),
		"driver-of-host":        driverElsewhere("container"),
		"driver-in-wsl":         driverElsewhere("container-in-wsl"),
		"gpu-not-here":          gpuNotHere,
		"fabric-manager":        fabricManager,
		"card-passed-on":        cardPassedOn,
		"card-removed":          cardRemoved,
		"code-ignored":          codeIgnored,
		"amd-hidden":            amdHidden,
		"cuda-glibc":            cudaGlibc,
		"conda-compiler":        condaCompiler,
		"protoc-other":          protocOther,
		"protoc-conda":          protocConda,
		"tensorflow-avx2":       tensorflowAVX2,
		"conda-packages":        condaPackages,
		"clang-variable":        clangVariable,
		"gocv-needs":            gocvNeeds,
		"static-only":           staticOnly,
		"deep-build-folder":     deepBuildFolder,
		"odd-path":              oddPath,
		"cudnn-import":          cudnnImport,
		"cudnn-layout":          cudnnLayout,
		"dll-on-call":           dllNeeds(facts.OnCall, false),
		"cudnn-on-call":         cudnnNeeds,
		"mingw-runtime":         mingwRuntime,
		"dll-arch":              dllNeeds(facts.OtherArch, false),
		"dll-driver":            dllNeeds(facts.FromDriver, false),
		"dll-elsewhere":         dllNeeds(facts.NotFound, true),
		"dll-of-another":        dllOfAnother,
		"dll-missing":           dllNeeds(facts.NotFound, false),
		"dll-not-on-path":       dllNotOnPath,
		"foreign-runtime":       needsOf(facts.Foreign),
		"gocv-world":            gocvWorld,
		"ort-cuda":              ortCUDA,
		"ort-series":            ortSeries,
		"wheel-cudnn":           wheelCuDNN,
		"no-video-files":        noVideoFiles,
		"off-path":              offPath,
		"mingw-threads":         mingwThreads,
		"mingw-without-cxx":     mingwWithoutCxx,
		"mingw-without-make":    mingwWithoutMake,
		"libtorch-compiler":     libtorchCompiler,
		"cudnn-part-missing":    dllNeeds(facts.PartMissing, false),
		"other-found-first":     otherFoundFirst,
		"no-msbuild":            noMSBuild,
		"prompt-target":         promptTarget,
		"stale-cuda-path":       staleCUDAPath,
		"cuda-path-other":       cudaPathOther,
		"system-copy-copied":    systemCopy("copied"),
		"system-copy-own":       systemCopy("own"),
		"system-copy":           systemCopy(""),
		"smart-app-control":     smartAppControl,
		"guarded-folder":        guardedFolder,
		"network-folder":        networkFolder,
		"no-paging-file":        noPagingFile,
		"deep-packages":         deepPackages,
		"project-cxx":           projectCXX,
		"cut-path":              cutPath,
		"go-flag-ascii":         goSetting(facts.NotASCII),
		"python-arch":           pythonArch,
		"temp-full":             tempFull,
		"temp-odd":              tempOdd,
		"vs2015-update":         vs2015Update,
		"toolset-for-cuda":      toolsetForCUDA,
		"gocv-modules":          gocvModules,
		"runtime-crash":         runtimeCrash,
		"entry-point":           entryPoint,
		"own-runtime-crash":     ownRuntime(true),
		"own-runtime-older":     ownRuntime(false),
		"runtime-mutex":         runtimeMutex,
		"older-mingw-first":     olderMinGWFirst,
		"go-arch":               goArch,
		"cmake-without-studio":  cmakeWithoutStudio,
		"python-of-module":      pythonOfModule,
		"cuda-parts":            cudaParts,
		"runtime-too-old":       runtimeTooOld,
		"cudnn-of-other-cuda":   cudnnOfOtherCUDA,
		"cudnn-version-header":  cudnnVersionHeader,
		"generator-gone":        generatorGone,
		"cache-generator":       cacheGenerator,
		"gocv-libraries":        gocvLibraries,
		"gocv-place":            gocvPlace,
		"gocv-not-installed":    gocvNotInstalled,
		"dnn-arch":              dnnArch,
		"virtual-display":       virtualDisplay,

		"brew-formula":             brewFormula,
		"clt-outdated":             cltOutdated,
		"clt-leftovers":            cltLeftovers,
		"conda-clang":              condaClang,
		"shell-on-path":            shellOnPath,
		"no-opengl":                noOpenGL,
		"go-directive":             goDirective,
		"go-toolchain":             goToolchain,
		"python-home":              pythonHome,
		"python-path":              pythonPath,
		"python-gone":              variables(facts.NoPython),
		"pip-old":                  pipOld,
		"python-shadowed":          pythonShadowed,
		"no-toolchain":             toolchainFile(facts.NoToolchain),
		"other-toolchain":          toolchainFile(facts.OtherToolchain),
		"gpus-hidden":              gpusHidden,
		"no-package-file":          noPackageFile,
		"other-opencv":             otherOpenCV,
		"package-of-nothing":       packageOfNothing,
		"package-dangles-folder":   packageDangles(false),
		"package-dangles-library":  packageDangles(true),
		"compat-on-geforce":        compatOnGeForce,
		"distribution-level":       distributionLevel,
		"glibc-on-musl":            glibcOnMusl,
		"old-cxx-abi":              oldCXXABI,
		"cgo-compiler":             goSetting(facts.NotForCgo),
		"cgo-off":                  goSetting(facts.CgoOff, facts.OtherTarget),
		"go-build-setting":         goSetting(facts.VendorOnly, facts.ModulesOff, facts.DownloadsOff),
		"go-cache":                 goCache,
		"go-flag-split":            goFlagSplit,
		"local-certificates":       localCertificates,
		"no-certificates":          noCertificates,
		"compiler-gone":            compilerGone,
		"host-compiler":            hostCompiler,
		"cgo-no-gcc":               cgoNoGCC,
		"go-root-gone":             goSetting(facts.NoGoRoot),
		"go-root-other":            goRootOther,
		"go-modules-gone":          goSetting(facts.NotInCache),
		"go-custom-env":            goSetting(facts.FlagsMissing),
		"go-flag-folder":           goSetting(facts.FolderGone),
		"preload":                  preload,
		"preload-in-go":            preloadInGo,
		"other-libc":               variables(facts.OtherLibc),
		"dxg-missing":              dxgMissing,
		"mali-without-vulkan":      maliWithoutVulkan,
		"torch-nvtx":               torchNVTX,
		"tmp-unusable":             tmpUnusable,
		"tmp-noexec":               tmpNoexec,
		"library-noexec":           libraryNoexec,
		"gpu-busy":                 gpuBusy,
		"ort-dotprod":              ortDotprod,
		"variable-certificates":    variables(facts.NamesNothing),
		"variable-proxy":           variables(facts.Malformed),
		"variable-proxy-apt":       variables(facts.NotForApt),
		"variable-proxy-tls":       variables(facts.TLSToProxy),
		"variable-two-values":      variables(facts.TwoValues),
		"jetson-cuda":              jetsonCUDA,
		"cudnn-foreign":            cudnnForeign,
		"cuda-series":              cudaSeries,
		"cudnn-headers":            cudnnHeaders,
		"driver-branch":            driverBranch,
		"go-target":                goTarget,
		"module-not-open":          moduleKind("open"),
		"module-not-proprietary":   moduleKind("proprietary"),
		"nouveau-instead":          nouveauInstead,
		"module-not-built":         moduleNotBuilt,
		"module-not-loaded":        moduleNotLoaded,
		"module-refused":           moduleRefused,
		"node-denied":              nodeDenied,
		"no-opencl-of-nvidia":      noOpenCLOfNVIDIA,
		"opencl-without-gpu":       openCLWithoutGPU(false),
		"opencl-gpu-left-out":      openCLWithoutGPU(true),
		"node-missing":             nodeMissing,
		"uvm-missing":              uvmMissing,
		"nouveau-holds":            nouveauHolds,
		"nvidia-without-vulkan":    nvidiaWithoutVulkan,
		"only-software-beside-gpu": softwareBesideGPU,
	}
})

// tensorflowAVX2 finds TensorFlow 2.4.0 on a CPU with AVX and without AVX2: its
// official builds were made for AVX2 by mistake, and 2.4.1 took that back. A build of
// one's own may do.
func tensorflowAVX2(e *evaluation, s subject) (map[string]string, bool) {
	have := e.facts.CPU.Features
	exactly, err := check(">= 2.4.0, < 2.4.1", s.instance.Version)
	return nil, err == nil && exactly && strings.Count(s.instance.Version, ".") == 2 && e.facts.CPU.Arch == "amd64" && hasFeature(have, "avx") && !hasFeature(have, "avx2")
}

// ortDotprod finds ONNX Runtime 1.21.0 on an ARM processor of the first generation of
// 64-bit ones: its builds ask for instructions of Armv8.2 as soon as they are loaded, and
// the next release took that back (microsoft/onnxruntime issue 23957 and pull request
// 23978). A build of one's own may do.
func ortDotprod(e *evaluation, s subject) (map[string]string, bool) {
	have := e.facts.CPU.Features
	return nil, s.instance.Version == "1.21.0" && e.facts.CPU.Arch == "arm64" && e.facts.OS.Board == "" && hasFeature(have, "asimd") && !hasFeature(have, "dotprod")
}

// cpuLacks compares what every part of a copy was built for with the CPU.
func cpuLacks(e *evaluation, s subject) (map[string]string, bool) {
	have := e.facts.CPU.Features
	if len(have) == 0 {
		return nil, false
	}
	var missing []string
	for _, feature := range s.instance.Built.CPU {
		if !hasFeature(have, feature) {
			missing = append(missing, feature)
		}
	}
	return map[string]string{"missing": strings.Join(missing, ", ")}, len(missing) > 0
}
