package python

import (
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// remedy knows what to do about messages of the library, of Python, of NumPy and of
// the loaders.
func (k Kind) remedy(message string) string {
	has := func(parts ...string) bool { return native.Has(message, parts...) }
	first := k.Packages[0]
	if has("cannot enable executable stack") { // before what the converter says of it
		return lang.F("the file that the message names asks for an executable stack, which glibc 2.41 and newer refuse: install a newer release (%s install --upgrade %s), or take the mark off that file (patchelf --clear-execstack FILE)", pip(), first)
	}
	if k.Remedy != nil {
		if fix := k.Remedy(message); fix != "" {
			return fix
		}
	}
	switch {
	case has("No module named 'numpy'"):
		return lang.F("run %s install numpy in the environment of your program", pip())
	case has("ModuleNotFoundError"):
		return lang.F("run %s install --upgrade %s, which also installs what it needs, in the environment of your program", pip(), first)
	case has("compiled using NumPy 1.x", "numpy.core.multiarray failed to import", "numpy._core.multiarray failed to import", "_ARRAY_API not found", "numpy.dtype size changed",
		"compiled against API version", "compiled against ABI version"):
		return lang.F(`the package and NumPy have different ABIs: run %s install --upgrade %s, or %s install "numpy<2"`, pip(), first, pip())
	case has("libGL.so.1", "libgthread-2.0.so.0", "libSM.so.6", "libXext.so.6"):
		return lang.T("install the system's libraries for windows (Debian: apt-get install libgl1 libglib2.0-0), or use opencv-python-headless in place of opencv-python")
	case has("GLIBC_", "GLIBCXX_", "CXXABI_"):
		return lang.F(`this build of %s is for a newer system: install an older release (%s install "%s<VERSION"), or the system's package`, k.Spec.Library, pip(), first)
	case has("static TLS block"):
		return lang.T("set LD_PRELOAD to the file that the message names, and run again")
	case has("file too short", "invalid ELF header", "ELF load command", "%1 is not a valid Win32 application", "bad magic number", "source code string cannot contain null bytes", "EOFError"):
		return k.reinstall()
	case has("wrong ELF class", "Exec format error", "incompatible architecture"):
		return lang.F("the package is for another processor: %s", k.reinstall())
	case has("DLL load failed"):
		return lang.T("install the Visual C++ redistributable for x64 (deployctl doctor --recipe opencv-python --fix); on Windows N and Server, Media Foundation, too")
	case has("conflicts with this version of Python", "Python version mismatch"):
		return lang.F("the package was made for another Python: %s", k.reinstall())
	case has("cannot open shared object file"):
		return lang.T("install the package of the system that has this library (deployctl doctor --recipe opencv-python names it for OpenCV)")
	case has("undefined symbol", "Symbol not found"):
		return lang.F("files of two releases are mixed: make a new virtual environment and run %s in it", k.install())
	case has("partially initialized module", "circular import", "has no attribute", "cannot import name"):
		return lang.F("a file of the same name comes first, or the package is incomplete: rename that file, or %s", k.reinstall())
	case has("out of memory", "MemoryError", "annot allocate memory", "bad_alloc", "Insufficient memory", "failed to map segment"):
		return engine.FreeMemory(lang.T("YOLOv3 needs about 1 GB"))
	}
	return ""
}
