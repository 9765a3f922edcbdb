package openvino

import (
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// remedy knows what to do about messages of OpenVINO (src/inference/src,
// src/frontends/common/src and the CPU plugin of github.com/openvinotoolkit/openvino).
func remedy(message string) string {
	has := func(parts ...string) bool { return native.Has(message, parts...) }
	// The list of readers follows the message on a model that none of them reads.
	_, readers, _ := strings.Cut(message, "Available frontends:")
	switch {
	case has("is not registered in the OpenVINO Runtime", "Cannot find plugin", "Cannot load library", "no available devices"):
		return lang.T("a plugin of OpenVINO is missing or does not load: install a complete OpenVINO (deployctl doctor --recipe openvino --fix)")
	case has("Unable to read the model") && !native.Has(readers, "onnx"):
		return lang.T("this OpenVINO has no reader for ONNX: install a complete OpenVINO (deployctl doctor --recipe openvino --fix)")
	case has("Unable to read the model", "Invalid ONNX", "ONNX protobuf", "Error loading model"):
		return lang.T("the converted network is damaged: run deployctl verify --fresh")
	case has("lacks the function"):
		return lang.T("install OpenVINO 2022.1 or newer (deployctl doctor --recipe openvino --fix)")
	case has("OpenVINO says that it computes in"):
		return lang.T("look for a configuration of OpenVINO that sets INFERENCE_PRECISION_HINT, and remove it")
	case has("does not support operation", "OpConversionFailure", "No conversion rule"):
		return lang.T("this OpenVINO was made without operators that YOLO needs: install a complete OpenVINO (deployctl doctor --recipe openvino --fix)")
	case has("INFERENCE_NUM_THREADS"):
		return lang.T("ask for fewer threads (--threads)")
	}
	return ""
}
