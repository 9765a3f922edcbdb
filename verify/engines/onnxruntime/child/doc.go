// Package child is the worker of ONNX Runtime as a part of deployctl.exe, which starts
// itself with it. Its other files are made from the worker's source and are for Windows
// only. It must never run in a process that does anything else.
package child
