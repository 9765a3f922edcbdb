// Package engines is the list of the engines that networks can be run with.
package engines

import (
	"slices"

	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/darknet"
	"github.com/deployctl/deployctl/verify/engines/gocv"
	"github.com/deployctl/deployctl/verify/engines/libtorch"
	"github.com/deployctl/deployctl/verify/engines/onnxruntime"
	"github.com/deployctl/deployctl/verify/engines/opencv"
	"github.com/deployctl/deployctl/verify/engines/openvino"
	"github.com/deployctl/deployctl/verify/engines/python"
	"github.com/deployctl/deployctl/verify/engines/tensorflow"
)

// Default is the engine that is used on a system (GOOS) when none is named: the one of
// its default recipe.
func Default(system string) engine.Spec {
	if system == "windows" {
		return onnxruntime.Spec()
	}
	return gocv.Spec()
}

// All are the engines, the default first. One more is a folder and a line here.
func All() []engine.Spec {
	return append([]engine.Spec{
		gocv.Spec(),
		onnxruntime.Spec(),
		opencv.Spec(),
		libtorch.Spec(),
		openvino.Spec(),
		darknet.Spec(),
		tensorflow.Spec(),
	}, python.Specs()...)
}

// Named is the engine of that name.
func Named(name string) (engine.Spec, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return engine.Spec{}, false
}

// Names are the engines' names.
func Names() []string {
	var list []string
	for _, s := range All() {
		list = append(list, s.Name)
	}
	return list
}

// Targets are all that any engine can compute on, in the order of the engines.
func Targets() []string {
	var list []string
	for _, s := range All() {
		for _, name := range s.TargetNames() {
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}
