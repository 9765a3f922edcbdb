// Package opencv is what the engines share that run networks in OpenCV's dnn
// module: its targets and what they lack, its words, and the part of a worker that
// only C++ can do. It must never link OpenCV itself.
package opencv

import (
	"embed"
	"fmt"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
)

// Source are C++ files that every such worker is linked with.
//
//go:embed source
var Source embed.FS

// Runs is what explanations of a death call the library.
func Runs() engine.Runs {
	return engine.Runs{Component: "opencv", Display: "OpenCV", Remedy: Remedy}
}

// Environment is added to a worker's: WARNING shows a target that was asked for and
// not used, and more would only be noise.
func Environment() []string { return []string{"OPENCV_LOG_LEVEL=WARNING"} }

// Copy is the OpenCV that a worker was linked with.
func Copy(version, file string, getenv func(string) (string, bool)) *engine.Copy {
	return &engine.Copy{
		Name: "OpenCV", Version: version, File: file, Getenv: getenv,
		Prefixes: []string{"libopencv_", "opencv_"}, // the second is Visual C++'s
	}
}

// Settings are the switches that cv::dnn::Net has in a release: that for Winograd's
// algorithm came with 4.7.
func Settings(release string) []engine.Setting {
	list := []engine.Setting{{Name: "fusion", Values: []string{"on", "off"}}}
	if v, err := version.NewVersion(release); err == nil && v.GreaterThanOrEqual(version.Must(version.NewVersion("4.7.0"))) {
		list = append(list, engine.Setting{Name: "winograd", Values: []string{"on", "off"}})
	}
	return list
}

// words are OpenCV's for our backends and targets (dnn.hpp).
var words = map[string]string{
	"opencv": "DNN_BACKEND_OPENCV", "cuda": "DNN_BACKEND_CUDA",
	"cpu": "DNN_TARGET_CPU", "cpu_fp16": "DNN_TARGET_CPU_FP16", "opencl": "DNN_TARGET_OPENCL", "opencl_fp16": "DNN_TARGET_OPENCL_FP16",
	"cuda/": "DNN_TARGET_CUDA", "cuda_fp16": "DNN_TARGET_CUDA_FP16",
}

// Code are the lines that use a choice from C++ and Python.
func Code(c engine.Choice) []engine.Code {
	target := words[c.Target.Name]
	if c.Target.Name == "cuda" {
		target = words["cuda/"]
	}
	var cpp, py []string
	if c.Threads > 0 {
		cpp, py = append(cpp, fmt.Sprintf("cv::setNumThreads(%d);", c.Threads)), append(py, fmt.Sprintf("cv2.setNumThreads(%d)", c.Threads))
	}
	cpp = append(cpp, "net.setPreferableBackend(cv::dnn::"+words[c.Target.Backend]+");", "net.setPreferableTarget(cv::dnn::"+target+");")
	py = append(py, "net.setPreferableBackend(cv2.dnn."+words[c.Target.Backend]+")", "net.setPreferableTarget(cv2.dnn."+target+")")
	for name, call := range map[string]string{"fusion": "enableFusion", "winograd": "enableWinograd"} {
		if v, ok := c.Settings[name]; ok {
			cpp = append(cpp, fmt.Sprintf("net.%s(%t);", call, v == "on"))
			py = append(py, fmt.Sprintf("net.%s(%s)", call, map[bool]string{true: "True", false: "False"}[v == "on"]))
		}
	}
	return []engine.Code{{Language: "C++", Lines: cpp}, {Language: "Python", Lines: py}}
}

// Remedy knows the few OpenCV messages that have one clear remedy.
func Remedy(what string) string {
	switch {
	case strings.Contains(what, "Darknet importer has been removed"), strings.Contains(what, "Cannot determine an origin framework"):
		return lang.T("OpenCV 5 no longer reads Darknet files; install OpenCV 4 (4.5.1 or newer)")
	case strings.Contains(what, "Failed to parse NetParameter file"):
		return lang.T("OpenCV cannot read the configuration or the weights; check that both belong together and are complete")
	case strings.Contains(what, "Unknown layer type"), strings.Contains(what, "Unknown activation"):
		return lang.T("this OpenCV is too old for the network; a newer 4.x knows the layer")
	case strings.Contains(what, "is not supported"), strings.Contains(what, "not implemented"):
		return lang.T("this OpenCV was built without what the network or the chosen backend needs")
	}
	return ""
}

// reFallback are OpenCV's own words for a target that was asked for and not
// used (modules/dnn/src/net_impl.cpp and dnn.cpp, 4.x).
var reFallback = lazyregexp.New(`(?i)switching to (?:CPU|OpenCV|default)|fallback to (?:CPU|default)|falling back to|not built with (?:CUDA|OpenCL)|target is not (?:available|supported)|Target not supported`)

// Executed corrects the answer where OpenCV's log says that it silently ran on
// the CPU.
func Executed(a *engine.Answer) {
	if a.Device != nil && len(a.Device.Layers) > 0 {
		return // OpenCV was asked, which is better than reading its log
	}
	if reFallback.MatchString(a.Log) {
		a.Backend, a.Target = "opencv", "cpu"
	}
}
