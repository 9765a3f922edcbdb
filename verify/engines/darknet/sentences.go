package darknet

import (
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// remedy knows what to do about what the worker says of a Darknet.
func remedy(message string) string {
	has := func(parts ...string) bool { return native.Has(message, parts...) }
	switch {
	case has("lacks the function make_yolo_layer"):
		return lang.T("this Darknet is older than YOLOv3 (March 2018): install a newer one (deployctl doctor --recipe darknet --fix)")
	case has("lacks the function network_predict_ptr"):
		return lang.T("this Darknet is AlexeyAB's of before February 2019, whose functions cannot be called from outside: build a newer one")
	case has("does not know"):
		return lang.T("use AlexeyAB's or hank-ai's Darknet for this network, or another engine (deployctl verify --engine all)")
	case has("Darknet says that"), has("did not load the network"), has("gave no result"):
		return lang.T("the library is of another kind than its functions say: reinstall Darknet (deployctl doctor --recipe darknet --fix)")
	case has("read the weights"):
		return lang.T("run deployctl verify --fresh")
	}
	return ""
}
