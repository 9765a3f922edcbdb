package environment

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// compilers lists the variables that name a compiler which is not here, or, on
// Windows, one that its reader does not support: nvcc's host compiler is Microsoft's
// alone (NVIDIA, CUDA Installation Guide for Windows; nvcc, NVCC_CCBIN), and cgo needs
// one that understands GCC's options (cmd/cgo).
func (p *prober) compilers() {
	for _, name := range []string{"CC", "CXX", "CUDACXX", "CUDAHOSTCXX", "NVCC_CCBIN", "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS"} {
		value := p.h.Env(name)
		switch name {
		case "CC", "CXX":
			value = p.goVariable(name)
		case "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS": // the compiler, or its folder
			value = compilerFlag.FindString(value)
			value = strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(value, "-ccbin"), "--compiler-bindir"), " =")
		}
		program := firstWord(value)
		if program == "" {
			continue
		}
		base := strings.ToLower(strings.TrimSuffix(strings.ToLower(p.h.Base(program)), ".exe"))
		switch {
		case p.gone(program, value):
			p.note(name, program, facts.NoProgram, "")
		case strings.Contains(base, "-conda-linux-gnu-"), p.h.OS == "darwin" && strings.Contains(base, "-apple-darwin") && p.h.Env("CONDA_PREFIX") != "":
			p.note(name, program, facts.OfConda, strings.TrimRight(p.h.Env("CONDA_PREFIX"), "/"))
		case p.h.Windows() && (name == "CUDAHOSTCXX" || name == "NVCC_CCBIN") && slices.Contains([]string{"clang-cl", "clang", "clang++", "gcc", "g++", "c++"}, base):
			p.note(name, program, facts.NotForNVCC, base)
		case p.h.Windows() && (base == "cl" || base == "clang-cl") && (name == "CC" || name == "CXX"):
			p.note(name, program, facts.NotForCgo, base)
		}
	}
}

// compilerFlag is nvcc's option for the host compiler, and what follows it.
var compilerFlag = lazyregexp.New(`(?:-ccbin|--compiler-bindir)[ =].*`)

// firstWord is the program of a command line; what is in quotes is one word.
func firstWord(line string) string {
	line = strings.TrimSpace(line)
	if line != "" && (line[0] == '"' || line[0] == '\'') {
		word, _, _ := strings.Cut(line[1:], line[:1])
		return word
	}
	word, _, _ := strings.Cut(line, " ")
	return word
}

// gone reports whether a program is certainly not here: every place where it
// could be was looked at.
func (p *prober) gone(program, line string) bool {
	missing := func(file string) bool {
		names := []string{file}
		if p.h.Windows() && !strings.HasSuffix(strings.ToLower(file), ".exe") {
			names = append(names, file+".exe", file+".cmd", file+".bat")
		}
		for _, name := range names {
			if p.ctx.Err() != nil {
				return false
			}
			if _, err := p.h.Stat(p.ctx, name); !host.IsNotExist(err) {
				return false
			}
		}
		return true
	}
	windowsPath := p.h.Windows() && len(program) > 2 && program[1] == ':'
	switch {
	case strings.HasPrefix(program, "/") && !p.h.Windows(), windowsPath:
		return missing(program) && missing(line)
	case strings.ContainsAny(program, `/\`):
		return false // relative to wherever the build runs
	}
	dirs := p.h.PathDirs()
	return len(dirs) > 0 && !slices.ContainsFunc(dirs, func(dir string) bool { return !missing(p.h.Join(dir, program)) })
}

// customEnv looks at the settings of those who turn gocv's own flags off with the
// build tag customenv (gocv, README, "Custom Environment"): the linker then finds
// OpenCV by CGO_LDFLAGS alone, and the compiler by CGO_CXXFLAGS or CGO_CPPFLAGS.
func (p *prober) customEnv() {
	flag := ""
	for f := range strings.FieldsSeq(p.goVariable("GOFLAGS")) {
		tags, ok := strings.CutPrefix(strings.TrimLeft(f, "-"), "tags=")
		if ok && slices.Contains(strings.Split(tags, ","), "customenv") {
			flag = f
		}
	}
	own := strings.Contains(p.goVariable("CGO_LDFLAGS"), "opencv")
	if p.h.Windows() && (flag != "" || own) {
		_, core, _ := strings.Cut(p.goVariable("CGO_LDFLAGS")+" ", "-lopencv_core")
		digits, _, _ := strings.Cut(core, " ")
		p.note("CGO_LDFLAGS", digits, facts.OwnFlags, "")
	}
	if flag == "" {
		return
	}
	if !own {
		p.note("GOFLAGS", flag, facts.FlagsMissing, "CGO_LDFLAGS")
	}
	p.flagFolders("CGO_LDFLAGS", "-L")
	p.flagFolders("CGO_CXXFLAGS", "-I")
	p.flagFolders("CGO_CPPFLAGS", "-I")
}

// flagFolders notes the folder of a variable's flags where it names folders and
// none of them is here.
func (p *prober) flagFolders(name, flag string) {
	value := p.goVariable(name)
	if strings.ContainsAny(value, `"'$`) {
		return
	}
	first := ""
	words := strings.Fields(value)
	for i, w := range words {
		dir, ok := strings.CutPrefix(w, flag)
		if !ok {
			continue
		}
		if dir == "" && i+1 < len(words) {
			dir = words[i+1]
		}
		if _, err := p.h.Stat(p.ctx, dir); !host.IsNotExist(err) || i >= 256 {
			if p.h.Windows() && err == nil && strings.ContainsFunc(dir, func(r rune) bool { return r > 127 }) {
				p.note(name, dir, facts.NotASCII, "")
			}
			return
		}
		if first == "" {
			first = dir
		}
	}
	if first != "" {
		p.note(name, first, facts.FolderGone, "")
	}
}
