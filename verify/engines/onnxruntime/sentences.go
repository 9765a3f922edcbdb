package onnxruntime

import (
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// remedy knows what to do about messages of ONNX Runtime (its error codes and texts
// are in onnxruntime/core/common and core/session).
func remedy(message string) string {
	has := func(parts ...string) bool { return native.Has(message, parts...) }
	switch {
	case has(" is older than 1.", "does not have version", "Unsupported model IR version", "is under development and support for this is limited"):
		return lang.T("install ONNX Runtime 1.17 or newer (deployctl doctor --recipe onnxruntime --fix)")
	case has("gives no functions"):
		return lang.T("deployctl shadow onnxruntime shows every copy; reinstall ONNX Runtime (deployctl doctor --recipe onnxruntime --fix)")
	case has("Protobuf parsing failed", "INVALID_PROTOBUF"):
		return lang.T("the converted network is damaged: run deployctl verify --fresh")
	case has("Could not find an implementation", "NOT_IMPLEMENTED", "is not a registered function/op"):
		return lang.T("this build of ONNX Runtime was made without operators that YOLO needs: install a complete one (deployctl doctor --recipe onnxruntime --fix)")
	}
	return ""
}
