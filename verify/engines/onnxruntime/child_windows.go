package onnxruntime

import worker "github.com/deployctl/deployctl/verify/engines/onnxruntime/child"

// child is the worker as a part of this program.
func child() func() { return worker.Main }
