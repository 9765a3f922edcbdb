// Package opencv is what the engines share that run networks in OpenCV's dnn
// module: its targets and what they lack, its words, and the part of a worker that
// only C++ can do. It must never link OpenCV itself.
package opencv

import (
	"embed"
	"regexp"
	"strings"
	"sync"

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

// Remedy knows the few OpenCV messages that have one clear remedy.
func Remedy(what string) string {
	switch {
	case strings.Contains(what, "Darknet importer has been removed"), strings.Contains(what, "Cannot determine an origin framework"):
		return "OpenCV 5 no longer reads Darknet files; install OpenCV 4.5.1 or newer below 5"
	case strings.Contains(what, "Failed to parse NetParameter file"):
		return "OpenCV cannot read the configuration or the weights; check that both belong together and are complete"
	case strings.Contains(what, "Unknown layer type"), strings.Contains(what, "Unknown activation"):
		return "this OpenCV is too old for the network; a newer 4.x knows the layer"
	case strings.Contains(what, "is not supported"), strings.Contains(what, "not implemented"):
		return "this OpenCV was built without what the network or the chosen backend needs"
	}
	return ""
}

// reFallback are OpenCV's own words for a target that was asked for and not
// used (modules/dnn/src/net_impl.cpp and dnn.cpp, 4.x).
var reFallback = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)switching to (?:CPU|OpenCV|default)|fallback to (?:CPU|default)|falling back to|not built with (?:CUDA|OpenCL)|target is not (?:available|supported)|Target not supported`)
})

// Executed corrects the answer where OpenCV's log says that it silently ran on
// the CPU.
func Executed(a *engine.Answer) {
	if a.Device != nil && len(a.Device.Layers) > 0 {
		return // OpenCV was asked, which is better than reading its log
	}
	if reFallback().MatchString(a.Log) {
		a.Backend, a.Target = "opencv", "cpu"
	}
}
