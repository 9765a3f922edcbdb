package export

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/recipes"
)

// opencv builds a release of OpenCV with its contrib modules, with the compiler
// that the recipe uses, or unpacks the published build where that will do.
func (w world) opencv(c solve.Change) []string {
	if c.To == "" {
		return nil
	}
	version := three(c.To)
	attrs := map[string]string{}
	mingw, packaged := false, false
	for i := range w.Recipe.Requirements {
		q := &w.Recipe.Requirements[i]
		mingw = mingw || q.Component != nil && q.Component.Name == "mingw"
		if q.Component != nil && q.Component.Name == "opencv" {
			packaged = packaged || len(q.Fix) > 0
			for k, v := range q.Component.Attr {
				attrs[k] = v
			}
		}
	}
	cuda := strings.Contains(attrs["build.cuda"], "YES")
	switch {
	case mingw:
		return w.withMinGW(version)
	case !cuda && packaged:
		return published(version)
	}
	return w.withStudio(version, cuda)
}

// published unpacks OpenCV's own Windows package, a self-extracting archive, which
// Visual Studio 2015 and newer link. Where its hash is known, it is compared.
func published(version string) []string {
	into, name := `C:\opencv-`+version, "opencv-"+version+"-windows.exe"
	return []string{
		powerShellCall("", "Invoke-Setup", "https://github.com/opencv/opencv/releases/download/"+version+"/"+name, name, []string{"-o" + into, "-y"}, packageSums[version]),
		powerShellCall("", "Set-Everywhere", "OpenCV_DIR", into+`\opencv\build`),
		powerShellCall("", "Move-Entry", "PATH", into+`\opencv\build\x64\vc16\bin`, ""),
	}
}

// packageSums are the SHA-256 of OpenCV's own Windows packages, by release. Source:
// ScoopInstaller/Main, bucket/opencv.json, its commits cc3fff79ec, 73df26f7cd,
// 45fc12de61 and fd74064375.
var packageSums = map[string]string{
	"4.10.0": "bff38466091c313dac21a0b73eea8278316a89c1d434c6f0b10697e087670168",
	"4.11.0": "7c9d1c0b70db1b1952cc815252fced9a07f51267563cf3eaa1674d734c49b8e4",
	"4.12.0": "b753b14d880b9bc8d89d6acd3b665c040baec0211078435432fcae117db707af",
	"5.0.0":  "9c6c1fcea58acdf06edba13148b2246e00c2658143fa51e61ecd370db8c39f63",
}

func sources(version string) []string {
	return []string{
		powerShellCall("", "Get-Source", "https://github.com/opencv/opencv.git", version, `C:\opencv-src\opencv-`+version),
		powerShellCall("", "Get-Source", "https://github.com/opencv/opencv_contrib.git", version, `C:\opencv-src\opencv_contrib-`+version),
	}
}

// common are the options of every build here.
func common(version string) []string {
	return []string{"-S", `C:\opencv-src\opencv-` + version, "-DOPENCV_EXTRA_MODULES_PATH=C:/opencv-src/opencv_contrib-" + version + "/modules",
		"-DBUILD_TESTS=OFF", "-DBUILD_PERF_TESTS=OFF", "-DBUILD_EXAMPLES=OFF"}
}

// withMinGW builds into the folder whose libraries gocv links on Windows
// (C:\opencv\build\install; gocv's cgo.go). gocv names each library, so there is
// no opencv_world.
func (w world) withMinGW(version string) []string {
	args := append([]string{"cmake", "-G", "MinGW Makefiles", "-B", `C:\opencv\build`}, common(version)...)
	args = append(args, "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_opencv_world=OFF", "-DWITH_MSMF=OFF", "-DWITH_IPP=OFF", "-DOPENCV_ALLOCATOR_STATS_COUNTER_TYPE=int64_t", `-DCMAKE_INSTALL_PREFIX=C:/opencv/build/install`)
	return slices.Concat([]string{"Update-Session"}, sources(version), []string{
		powerShellCall("", "Clear-Cache", `C:\opencv\build`),
		powerShellCall("", "Invoke-Argv", args),
		powerShellCall("", "Invoke-Argv", []string{"cmake", "--build", `C:\opencv\build`, "--parallel", "--target", "install"}),
		powerShellCall("", "Move-Entry", "PATH", `C:\opencv\build\install\x64\mingw\bin`, ""),
	})
}

// withStudio builds with Visual Studio, with CUDA and cuDNN for this GPU or for
// this processor.
func (w world) withStudio(version string, cuda bool) []string {
	s, ok := studios(w.after("visual-studio"))
	if !ok {
		return nil
	}
	build, into := `C:\opencv-src\build-`+version, `C:\opencv-`+version
	args := []string{"cmake", "-B", build}
	args = append(args, common(version)...)
	for _, word := range []string{"-G", s.generator, "-A", "x64"} {
		if !slices.Contains(w.build, "-G") {
			args = append(args, word)
		}
	}
	args = append(args, w.build...)
	if !slices.Contains(w.build, "-T") {
		args = append(args, w.toolsetArguments()...)
	}
	if cuda {
		sm := judge.BestGPU(w.Facts)
		if sm == "" {
			return nil // which code to make is unknown
		}
		args = append(args, "-DWITH_CUDA=ON", "-DWITH_CUDNN=ON", "-DOPENCV_DNN_CUDA=ON", "-DCUDA_ARCH_BIN="+sm)
	} else {
		args = append(args, "-DCPU_BASELINE=NATIVE")
	}
	args = append(args, "-DCMAKE_INSTALL_PREFIX="+into)
	return slices.Concat([]string{"Update-Session"}, sources(version), []string{
		powerShellCall("", "Clear-Cache", build),
		powerShellCall("", "Invoke-Argv", args),
		powerShellCall("", "Invoke-Argv", []string{"cmake", "--build", build, "--config", "Release", "--parallel", "--target", "INSTALL"}),
		powerShellCall("", "Set-Everywhere", "OpenCV_DIR", into),
		powerShellCall("", "Move-Entry", "PATH", into+`\x64\`+s.opencv+`\bin`, ""),
	})
}

// toolsetArguments select the MSVC toolset where the plan adds one that is not
// Visual Studio's default.
func (w world) toolsetArguments() []string {
	for _, c := range w.Solution.Changes {
		if c.Component != "msvc" || c.Action != solve.Install {
			continue
		}
		if t := map[string]string{"14.39": "v143,version=14.39", "14.29": "v142", "14.16": "v141"}[recipes.Series(c.To)]; t != "" {
			return []string{"-T", t}
		}
	}
	return nil
}
