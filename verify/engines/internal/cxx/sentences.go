package cxx

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
)

// What CMake, pkg-config, GCC, Clang, Visual C++ and the linkers write.
var (
	reCompile = expression(`(?m)^(?:In file included from )?([^\s:]+\.(?:cpp|cc|c|hpp|h|go)):(\d+)(?::\d+)?: (?:fatal )?error: ([^\n]+)`)
	reMSVC    = expression(`(?m)^\s*([^\n(]+?\.(?:cpp|cc|c|hpp|h))\((\d+)(?:,\d+)?\): (?:fatal )?error (C\d+: [^\n]+)`)
	reHeader  = expression(`fatal error: '?([\w./+-]+?)'?(?: file not found|: No such file or directory)|fatal error C1083: [^'\n]*'([^'\n]+)'`)
	reLibrary = expression(`cannot find -l([\w.+-]+)|library '?-?l?([\w.+-]+)'? not found|LNK1181: cannot open input file '([^'\n]+)'|LNK1104: cannot open file '([^'\n]+)'|needed by '[^'\n]*', missing and no known rule|No rule to make target '([^'\n]+)'`)
	reNinja   = expression(`'([^'\n]+)', needed by '[^'\n]*', missing and no known rule to make it`)
	reSymbol  = expression("undefined reference to [`']([^'\n]+)'|undefined symbol: ([^\n]+)|unresolved external symbol (?:\"([^\"\n]+)\"|(\\S+))")
	rePackage = expression(`(?s)CMake Error at [^\n]*?\((find_package|message|include)\):\n(.*?)(?:\n\n\n|\nCall Stack|\n-- Configuring incomplete|\z)`)
	reCMake   = expression(`CMake ([\d.]+)[\w.-]* or higher is required\.\s+You are running version ([\d.]+)`)
	reOption  = expression(`unrecognized command line option ['‘"](-std=[\w+]+)|invalid value '([\w+]+)' in '-std=`)
	reRequire = expression(`(?m)^Package '?([\w.+-]+)'?, required by '([\w.+-]+)', not found`)
)

// expression compiles a regular expression when it is first used.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// group is the first group of the first match that is not empty.
func group(re *regexp.Regexp, log string) string {
	m := re.FindStringSubmatch(log)
	for i := 1; i < len(m); i++ {
		if m[i] != "" {
			return m[i]
		}
	}
	return ""
}

// Header is the header that a compiler does not find, "" for none.
func Header(log string) string { return filepath.ToSlash(group(reHeader(), log)) }

// MissingLibrary is the library that a linker does not find, "" for none.
func MissingLibrary(log string) string { return group(reLibrary(), log) }

// Undefined is the first symbol that a linker does not find, "" for none.
func Undefined(log string) string { return group(reSymbol(), log) }

// FirstError is the first error of a compiler: the file's name with its line, and
// the text; "" for none.
func FirstError(log string) (where, text string) {
	for _, re := range []*regexp.Regexp{reCompile(), reMSVC()} {
		if m := re.FindStringSubmatch(log); m != nil {
			return filepath.Base(filepath.ToSlash(m[1])) + ":" + m[2], strings.TrimSpace(m[3])
		}
	}
	return "", ""
}

// OldCompiler reports whether the first error is in the compiler's own headers, or
// says that it is too old.
func OldCompiler(log string) bool {
	m := reCompile().FindStringSubmatch(log)
	return m != nil && strings.HasPrefix(filepath.ToSlash(m[1]), "/usr/include/c++") ||
		strings.Contains(log, "#error This file requires compiler and library support")
}

// Starved explains a compiler that had too little of the disk, of memory or of file
// descriptors; why is "" for another log.
func Starved(log string) (why, fix string) {
	has := func(parts ...string) bool { return has(log, parts...) }
	switch {
	case has("no space left on device", "No space left on device", "There is not enough space on the disk", "not enough space on the disk"):
		return "the disk filled up while its worker was compiled (about 300 MB are needed)", "free some space in the cache's and the temporary folder"
	case has("Too many open files", "too many open files"):
		return compile.TooFewDescriptors()
	case engine.AddressSpace() > 0 && has("cannot allocate memory", "Cannot allocate memory", "failed to map segment", "failed to reserve", "out of memory", "virtual memory exhausted"):
		return fmt.Sprintf("the compiler ran out of address space, which is limited to %.1f GB here (ulimit -v)", float64(engine.AddressSpace())/1e9),
			"raise the limit (ulimit -v unlimited)"
	case has("Killed signal terminated program cc1plus", "virtual memory exhausted", "out of memory", "cannot allocate memory", "Cannot allocate memory", "signal: killed", "compiler is out of heap space"):
		return "the compiler ran out of memory (about 1 GB is needed)", "free memory or add swap"
	}
	return "", ""
}

func has(log string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(log, p) {
			return true
		}
	}
	return false
}

// Explain finds the one sentence in the output of a failed build. broken: the tools
// are all there, and the library and they do not fit together.
func Explain(log string, l Library) (why, fix string, broken bool) {
	if why, fix = Starved(log); why != "" {
		return why, fix, false
	}
	if why, fix = noTool(log); why != "" {
		return why, fix, false
	}
	if l.Explain != nil {
		if why, fix = l.Explain(log); why != "" {
			return why, fix, true
		}
	}
	if why, fix, broken = notFound(log, l); why != "" {
		return why, fix, broken
	}
	why, fix = misfit(log, l)
	return why, fix, true
}

// noTool recognizes a tool that is missing or too old.
func noTool(log string) (why, fix string) {
	has := func(parts ...string) bool { return has(log, parts...) }
	if m := reCMake().FindStringSubmatch(log); m != nil {
		return "CMake " + m[2] + " is too old: " + m[1] + " is needed", "install a newer CMake"
	}
	switch {
	case has("CMake was unable to find a build program", "CMAKE_MAKE_PROGRAM is not set"):
		return "CMake finds neither make nor Ninja, one of which it builds with", "install ninja or make (deployctl doctor --fix)"
	case has("No CMAKE_CXX_COMPILER could be found", "CMAKE_CXX_COMPILER not set", "could not find any instance of Visual Studio"):
		return "CMake finds no C++ compiler", "install g++ (deployctl doctor --fix); on Windows, Visual Studio with its C++ workload"
	case has("is not a full path to an existing compiler tool", "is not able to compile a simple test program"):
		return "the C++ compiler does not work: CMake cannot compile a simple program with it", "see the log; check CXX, CXXFLAGS and LDFLAGS, and reinstall the compiler"
	case reOption().MatchString(log):
		return "the C++ compiler is too old: it does not know " + group(reOption(), log), "install a newer one (g++ 9 or clang 9)"
	}
	return "", ""
}

// notFound recognizes a library that CMake or pkg-config does not find.
func notFound(log string, l Library) (why, fix string, broken bool) {
	if m := reRequire().FindStringSubmatch(log); m != nil && l.Module != "" && m[1] != l.Module {
		return fmt.Sprintf("pkg-config does not know %s, which %s needs", m[1], m[2]), "install the development files of " + m[1], true
	}
	switch {
	case l.Module == "":
	case has(log, "No package '"+l.Module+"' found", "Package "+l.Module+" was not found", "Package '"+l.Module+"', required by"):
		if l.PkgDir != "" {
			return fmt.Sprintf("pkg-config does not find %s.pc, which is in %s", l.Module, l.PkgDir), "add " + l.PkgDir + " to PKG_CONFIG_PATH, also for your own builds", false
		}
		return fmt.Sprintf("pkg-config does not know %s: %s was built without a .pc file, or it is not where pkg-config looks", l.Module, l.Name),
			l.Install + ", or set PKG_CONFIG_PATH to the folder of " + l.Module + ".pc", false
	}
	for _, m := range rePackage().FindAllStringSubmatch(log, -1) {
		words := strings.Join(strings.Fields(m[2]), " ")
		if !strings.Contains(words, l.Package) {
			continue
		}
		switch {
		case has(words, "By not providing \"Find", "Could not find a package configuration file"):
			if l.ConfigDir != "" {
				return fmt.Sprintf("find_package(%s) finds nothing, though its CMake package is in %s", l.Package, l.ConfigDir),
					fmt.Sprintf("pass -D%s_DIR=%s to cmake, also in your own builds", l.Package, l.ConfigDir), false
			}
			return fmt.Sprintf("find_package(%s) finds nothing: there is no %sConfig.cmake where CMake looks", l.Package, l.Package),
				l.Install + ", or set " + l.Package + "_DIR to the folder of " + l.Package + "Config.cmake", false
		}
		return fmt.Sprintf("find_package(%s) fails: %s", l.Package, clip(words)), "see the log; " + l.Install + ", or build with the compiler that it was built with", true
	}
	if words := rePackage().FindStringSubmatch(log); words != nil {
		return fmt.Sprintf("CMake stops: %s", clip(strings.Join(strings.Fields(words[2]), " "))), "see the log", true
	}
	return "", "", false
}

// misfit finds the first real error of the compiler or the linker.
func misfit(log string, l Library) (why, fix string) {
	known := l.Name + " " + l.Version
	if header := Header(log); header != "" {
		if l.Headers != "" && strings.HasPrefix(header, l.Headers) {
			return known + " here lacks the header " + header, "install all of its development files: " + l.Install
		}
		return "the compiler does not find the header " + header, "install the package that has it; if it is of the C++ library, reinstall the compiler"
	}
	if where, text := FirstError(log); where != "" {
		if OldCompiler(log) || has(text, "C++17 or later", "C++14 or later", "You need C++") {
			return "the C++ compiler is too old or broken: " + where + ": " + text, "install a newer g++ (9 or newer)"
		}
		return fmt.Sprintf("the worker does not compile with %s: %s: %s", known, where, clip(text)),
			"check that the headers are of one release (deployctl shadow " + l.Component + "); if they are, report this with the log"
	}
	if file := group(reNinja(), log); file != "" {
		return fmt.Sprintf("%s's CMake package names %s, which is not there", known, file), "reinstall it, or remove what is left of it: " + l.Install
	}
	if lib := MissingLibrary(log); lib != "" {
		return "the linker does not find the library " + lib, "install " + known + "'s development files completely: " + l.Install
	}
	if why, fix = unlinked(log, l); why != "" {
		return why, fix
	}
	return "compiling its worker failed: " + lastLine(log), "see the log"
}

// unlinked explains symbols that the linker misses.
func unlinked(log string, l Library) (why, fix string) {
	known := l.Name + " " + l.Version
	symbol := Undefined(log)
	switch {
	case has(log, "LNK1112", "LNK4272", "file in wrong format", "skipping incompatible", "file format not recognized"):
		return known + " is built for another processor than the compiler's programs (32 against 64 bits)", "use the compiler and the library of one architecture"
	case symbol == "":
		return "", ""
	case has(symbol, "@GLIBCXX_", "@CXXABI_", "@GLIBC_"):
		return known + " needs a newer C++ library than this compiler has: the linker lacks " + clip(symbol),
			"install a newer g++, or the " + l.Name + " of this system"
	case strings.Contains(symbol, "__cxx11"):
		return known + " was built with another C++ ABI than this compiler's: the linker lacks " + clip(symbol) + ", a function with the std::string of g++ 5 and newer",
			"compile with -D_GLIBCXX_USE_CXX11_ABI=0, also in your own builds, or use a build of " + l.Name + " with the new ABI"
	case has(symbol, "std::string", "std::basic_string<"):
		return known + " was built with another C++ ABI than the one that was compiled for: the linker lacks " + clip(symbol) + ", a function with the std::string of g++ before 5",
			"compile without -D_GLIBCXX_USE_CXX11_ABI=0 (see CXXFLAGS), or use a build of " + l.Name + " with the old ABI"
	case has(symbol, "std::__1::"):
		return known + " and the compiler use two C++ libraries (libc++ and libstdc++): the linker lacks " + clip(symbol), "use one for both (-stdlib=libc++ or libstdc++)"
	}
	return known + "'s headers and libraries do not fit together: the linker lacks " + clip(symbol),
		"they are of two versions, or of two compilers: remove one of the two copies (deployctl shadow " + l.Component + " shows them)"
}

func clip(s string) string {
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return s
}

// lastLine is the last line of a log that says something.
func lastLine(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return clip(last)
	}
	return "the build said nothing"
}
