package cxx

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
)

// What CMake, pkg-config, GCC, Clang, Visual C++ and the linkers write.
var (
	reCompile = lazyregexp.New(`(?m)^(?:In file included from )?([^\s:]+\.(?:cpp|cc|c|hpp|h|go)):(\d+)(?::\d+)?: (?:fatal )?error: ([^\n]+)`)
	reMSVC    = lazyregexp.New(`(?m)^\s*([^\n(]+?\.(?:cpp|cc|c|hpp|h))\((\d+)(?:,\d+)?\): (?:fatal )?error (C\d+: [^\n]+)`)
	reHeader  = lazyregexp.New(`fatal error: '?([\w./+-]+?)'?(?: file not found|: No such file or directory)|fatal error C1083: [^'\n]*'([^'\n]+)'`)
	reLibrary = lazyregexp.New(`cannot find -l([\w.+-]+)|library '?-?l?([\w.+-]+)'? not found|LNK1181: cannot open input file '([^'\n]+)'|LNK1104: cannot open file '([^'\n]+)'|needed by '[^'\n]*', missing and no known rule|No rule to make target '([^'\n]+)'`)
	reNinja   = lazyregexp.New(`'([^'\n]+)', needed by '[^'\n]*', missing and no known rule to make it`)
	reSymbol  = lazyregexp.New("undefined reference to [`']([^'\n]+)'|undefined symbol: ([^\n]+)|unresolved external symbol (?:\"([^\"\n]+)\"|(\\S+))")
	rePackage = lazyregexp.New(`(?s)CMake Error at [^\n]*?\((find_package|message|include)\):\n(.*?)(?:\n\n\n|\nCall Stack|\n-- Configuring incomplete|\z)`)
	reCMake   = lazyregexp.New(`CMake ([\d.]+)[\w.-]* or higher is required\.\s+You are running version ([\d.]+)`)
	reOption  = lazyregexp.New(`unrecognized command line option ['‘"](-std=[\w+]+)|invalid value '([\w+]+)' in '-std=`)
	reRequire = lazyregexp.New(`(?m)^Package '?([\w.+-]+)'?, required by '([\w.+-]+)', not found`)
)

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
func Header(log string) string { return filepath.ToSlash(group(reHeader.Get(), log)) }

// MissingLibrary is the library that a linker does not find, "" for none.
func MissingLibrary(log string) string { return group(reLibrary.Get(), log) }

// Undefined is the first symbol that a linker does not find, "" for none.
func Undefined(log string) string { return group(reSymbol.Get(), log) }

// FirstError is the first error of a compiler: the file's name with its line, and
// the text; "" for none.
func FirstError(log string) (where, text string) {
	for _, re := range []*regexp.Regexp{reCompile.Get(), reMSVC.Get()} {
		if m := re.FindStringSubmatch(log); m != nil {
			return filepath.Base(filepath.ToSlash(m[1])) + ":" + m[2], strings.TrimSpace(m[3])
		}
	}
	return "", ""
}

// OldCompiler reports whether the first error is in the compiler's own headers, or
// says that it is too old.
func OldCompiler(log string) bool {
	m := reCompile.FindStringSubmatch(log)
	return m != nil && strings.HasPrefix(filepath.ToSlash(m[1]), "/usr/include/c++") ||
		strings.Contains(log, "#error This file requires compiler and library support")
}

// Starved explains a compiler that had too little of the disk, of memory or of file
// descriptors; why is "" for another log.
func Starved(log string) (why, fix string) {
	has := func(parts ...string) bool { return has(log, parts...) }
	switch {
	case has("no space left on device", "No space left on device", "There is not enough space on the disk", "not enough space on the disk"):
		return lang.T("the disk filled up while its worker was compiled (about 300 MB are needed)"), lang.T("free some space in the cache's and the temporary folder")
	case has("Too many open files", "too many open files"):
		return compile.TooFewDescriptors()
	case engine.AddressSpace() > 0 && has("cannot allocate memory", "Cannot allocate memory", "failed to map segment", "failed to reserve", "out of memory", "virtual memory exhausted"):
		return lang.F("the compiler ran out of address space, which is limited to %.1f GB here (ulimit -v)", float64(engine.AddressSpace())/1e9),
			lang.T("raise the limit (ulimit -v unlimited)")
	case has("Killed signal terminated program cc1plus", "virtual memory exhausted", "out of memory", "cannot allocate memory", "Cannot allocate memory", "signal: killed", "compiler is out of heap space"):
		return lang.T("the compiler ran out of memory (about 1 GB is needed)"), lang.T("free memory or add swap")
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
	if m := reCMake.FindStringSubmatch(log); m != nil {
		return lang.F("CMake %s is too old: %s is needed", m[2], m[1]), lang.T("install a newer CMake")
	}
	switch {
	case has("CMake was unable to find a build program", "CMAKE_MAKE_PROGRAM is not set"):
		return lang.T("CMake finds neither make nor Ninja, one of which it builds with"), lang.T("install ninja or make (deployctl doctor --fix)")
	case has("No CMAKE_CXX_COMPILER could be found", "CMAKE_CXX_COMPILER not set", "could not find any instance of Visual Studio"):
		return lang.T("CMake finds no C++ compiler"), lang.T("install g++ (deployctl doctor --fix); on Windows, Visual Studio with its C++ workload")
	case has("is not a full path to an existing compiler tool", "is not able to compile a simple test program"):
		return lang.T("the C++ compiler does not work: CMake cannot compile a simple program with it"), lang.T("see the log; check CXX, CXXFLAGS and LDFLAGS, and reinstall the compiler")
	case reOption.MatchString(log):
		return lang.F("the C++ compiler is too old: it does not know %s", group(reOption.Get(), log)), lang.T("install a newer one (g++ 9 or clang 9)")
	}
	return "", ""
}

// notFound recognizes a library that CMake or pkg-config does not find.
func notFound(log string, l Library) (why, fix string, broken bool) {
	if m := reRequire.FindStringSubmatch(log); m != nil && l.Module != "" && m[1] != l.Module {
		return lang.F("pkg-config does not know %s, which %s needs", m[1], m[2]), lang.F("install the development files of %s", m[1]), true
	}
	switch {
	case l.Module == "":
	case has(log, "No package '"+l.Module+"' found", "Package "+l.Module+" was not found", "Package '"+l.Module+"', required by"):
		if l.PkgDir != "" {
			return lang.F("pkg-config does not find %s.pc, which is in %s", l.Module, l.PkgDir), lang.F("add %s to PKG_CONFIG_PATH, also for your own builds", l.PkgDir), false
		}
		return lang.F("pkg-config does not know %s: %s was built without a .pc file, or it is not where pkg-config looks", l.Module, l.Name),
			lang.F("%s, or set PKG_CONFIG_PATH to the folder of %s.pc", l.Install, l.Module), false
	}
	for _, m := range rePackage.FindAllStringSubmatch(log, -1) {
		words := strings.Join(strings.Fields(m[2]), " ")
		if !strings.Contains(words, l.Package) {
			continue
		}
		switch {
		case has(words, "By not providing \"Find", "Could not find a package configuration file"):
			if l.ConfigDir != "" {
				return lang.F("find_package(%s) finds nothing, though its CMake package is in %s", l.Package, l.ConfigDir),
					lang.F("pass -D%s_DIR=%s to cmake, also in your own builds", l.Package, l.ConfigDir), false
			}
			return lang.F("find_package(%s) finds nothing: there is no %sConfig.cmake where CMake looks", l.Package, l.Package),
				lang.F("%s, or set %s_DIR to the folder of %sConfig.cmake", l.Install, l.Package, l.Package), false
		}
		return lang.F("find_package(%s) fails: %s", l.Package, clip(words)), lang.F("see the log; %s, or build with the compiler that it was built with", l.Install), true
	}
	if words := rePackage.FindStringSubmatch(log); words != nil {
		return lang.F("CMake stops: %s", clip(strings.Join(strings.Fields(words[2]), " "))), lang.T("see the log"), true
	}
	return "", "", false
}

// misfit finds the first real error of the compiler or the linker.
func misfit(log string, l Library) (why, fix string) {
	known := l.Name + " " + l.Version
	if header := Header(log); header != "" {
		if l.Headers != "" && strings.HasPrefix(header, l.Headers) {
			return lang.F("%s here lacks the header %s", known, header), lang.F("install all of its development files: %s", l.Install)
		}
		return lang.F("the compiler does not find the header %s", header), lang.T("install the package that has it; if it is of the C++ library, reinstall the compiler")
	}
	if where, text := FirstError(log); where != "" {
		if OldCompiler(log) || has(text, "C++17 or later", "C++14 or later", "You need C++") {
			return lang.F("the C++ compiler is too old or broken: %s: %s", where, text), lang.T("install a newer g++ (9 or newer)")
		}
		return lang.F("the worker does not compile with %s: %s: %s", known, where, clip(text)),
			lang.F("check that the headers are of one release (deployctl shadow %s); if they are, report this with the log", l.Component)
	}
	if file := group(reNinja.Get(), log); file != "" {
		return lang.F("%s's CMake package names %s, which is not there", known, file), lang.F("reinstall it, or remove what is left of it: %s", l.Install)
	}
	if lib := MissingLibrary(log); lib != "" {
		return lang.F("the linker does not find the library %s", lib), lang.F("install %s's development files completely: %s", known, l.Install)
	}
	if why, fix = unlinked(log, l); why != "" {
		return why, fix
	}
	return lang.F("compiling its worker failed: %s", lastLine(log)), lang.T("see the log")
}

// unlinked explains symbols that the linker misses.
func unlinked(log string, l Library) (why, fix string) {
	known := l.Name + " " + l.Version
	symbol := Undefined(log)
	switch {
	case has(log, "LNK1112", "LNK4272", "file in wrong format", "skipping incompatible", "file format not recognized"):
		return lang.F("%s is built for another processor than the compiler's programs (32 and 64 bits are mixed)", known), lang.T("use the compiler and the library of one architecture")
	case symbol == "":
		return "", ""
	case has(symbol, "@GLIBCXX_", "@CXXABI_", "@GLIBC_"):
		return lang.F("%s needs a newer C++ library than this compiler has: the linker lacks %s", known, clip(symbol)),
			lang.F("install a newer g++, or the %s of this system", l.Name)
	case strings.Contains(symbol, "__cxx11"):
		return lang.F("%s was built with another C++ ABI than this compiler's: the linker lacks %s, a function with the std::string of g++ 5 and newer", known, clip(symbol)),
			lang.F("compile with -D_GLIBCXX_USE_CXX11_ABI=0, also in your own builds, or use a build of %s with the new ABI", l.Name)
	case has(symbol, "std::string", "std::basic_string<"):
		return lang.F("%s was built with another C++ ABI than the one that was compiled for: the linker lacks %s, a function with the std::string of g++ before 5", known, clip(symbol)),
			lang.F("compile without -D_GLIBCXX_USE_CXX11_ABI=0 (see CXXFLAGS), or use a build of %s with the old ABI", l.Name)
	case has(symbol, "std::__1::"):
		return lang.F("%s and the compiler use two C++ libraries (libc++ and libstdc++): the linker lacks %s", known, clip(symbol)), lang.T("use one for both (-stdlib=libc++ or libstdc++)")
	}
	return lang.F("%s's headers and libraries do not fit together: the linker lacks %s", known, clip(symbol)),
		lang.F("they are of two versions, or of two compilers: remove one of the two copies (deployctl shadow %s shows them)", l.Component)
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
	return lang.T("the build said nothing")
}
