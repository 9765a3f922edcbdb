package tensorflow

import (
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// remedy knows what to do about messages of TensorFlow (tensorflow/core/graph,
// tensorflow/core/common_runtime and tensorflow/c of github.com/tensorflow/tensorflow).
func remedy(message string) string {
	has := func(parts ...string) bool { return native.Has(message, parts...) }
	switch {
	case has("Invalid GraphDef", "is not a graph"):
		return lang.T("the converted network is damaged: run deployctl verify --fresh")
	case has("Op type not registered", "No OpKernel was registered", "not in Op<", "NodeDef mentions attr"):
		return lang.T("this TensorFlow lacks operators that YOLO needs: install 2.4 or newer (deployctl doctor --recipe tensorflow-c --fix)")
	case has("lacks the function"):
		return lang.T("install TensorFlow 2.4 or newer (deployctl doctor --recipe tensorflow-c --fix)")
	case has("OOM when allocating", "RESOURCE_EXHAUSTED"):
		return engine.FreeMemory(lang.T("TensorFlow needs about 2 GB for YOLOv3"))
	case has("has devices other than the processor"):
		return lang.T("hide them: set CUDA_VISIBLE_DEVICES to -1")
	}
	return ""
}
