package python

import (
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// remedy knows what to do about messages of the library, of Python, of NumPy and of
// the loaders.
func (k Kind) remedy(message string) string {
	has := func(parts ...string) bool { return native.Has(message, parts...) }
	first := k.Packages[0]
	if has("cannot enable executable stack") { // before what the converter says of it
		return "the file that the message names asks for an executable stack, which glibc 2.41 and newer refuse: install a newer release (" + pip() + " install --upgrade " + first + "), or take the mark off that file (patchelf --clear-execstack FILE)"
	}
	if k.Remedy != nil {
		if fix := k.Remedy(message); fix != "" {
			return fix
		}
	}
	switch {
	case has("No module named 'numpy'"):
		return "run " + pip() + " install numpy in the environment of your program"
	case has("ModuleNotFoundError"):
		return "run " + pip() + " install --upgrade " + first + ", which also installs what it needs, in the environment of your program"
	case has("compiled using NumPy 1.x", "numpy.core.multiarray failed to import", "numpy._core.multiarray failed to import", "_ARRAY_API not found", "numpy.dtype size changed",
		"compiled against API version", "compiled against ABI version"):
		return "the package and NumPy have different ABIs: run " + pip() + " install --upgrade " + first + ", or " + pip() + ` install "numpy<2"`
	case has("libGL.so.1", "libgthread-2.0.so.0", "libSM.so.6", "libXext.so.6"):
		return "install the system's libraries for windows (Debian: apt-get install libgl1 libglib2.0-0), or use opencv-python-headless in place of opencv-python"
	case has("GLIBC_", "GLIBCXX_", "CXXABI_"):
		return "this build of " + k.Spec.Library + " is for a newer system: install an older release (" + pip() + " install \"" + first + "<VERSION\"), or the system's package"
	case has("static TLS block"):
		return "set LD_PRELOAD to the file that the message names, and run again"
	case has("file too short", "invalid ELF header", "ELF load command", "%1 is not a valid Win32 application", "bad magic number", "source code string cannot contain null bytes", "EOFError"):
		return k.reinstall()
	case has("wrong ELF class", "Exec format error", "incompatible architecture"):
		return "the package is for another processor: " + k.reinstall()
	case has("DLL load failed"):
		return "install the Visual C++ redistributable for x64 (deployctl doctor --recipe opencv-python --fix); on Windows N and Server, Media Foundation, too"
	case has("conflicts with this version of Python", "Python version mismatch"):
		return "the package was made for another Python: " + k.reinstall()
	case has("cannot open shared object file"):
		return "install the package of the system that has this library (deployctl doctor --recipe opencv-python names it for OpenCV)"
	case has("undefined symbol", "Symbol not found"):
		return "files of two releases are mixed: make a new virtual environment and run " + k.install() + " in it"
	case has("partially initialized module", "circular import", "has no attribute", "cannot import name"):
		return "a file of the same name comes first, or the package is incomplete: rename that file, or " + k.reinstall()
	case has("out of memory", "MemoryError", "annot allocate memory", "bad_alloc", "Insufficient memory", "failed to map segment"):
		return engine.FreeMemory("YOLOv3 needs about 1 GB")
	}
	return ""
}
