package cxx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
)

// ways are those that the machine has tools for, CMake first.
func (b *Builder) ways() []way {
	var list []way
	// Without a compiler CMake finds Visual Studio on Windows; elsewhere it says
	// what it lacks.
	if b.Tools.CMake != "" {
		list = append(list, b.cmake("CMake"))
	}
	if b.pkgConfigs() {
		list = append(list, b.pkgConfig("pkg-config"))
	}
	if b.Library.Flags != nil && b.Tools.Compiler != nil {
		list = append(list, b.plain("the compiler alone"))
	}
	return list
}

func (b *Builder) pkgConfigs() bool {
	return b.Tools.PkgConfig != "" && b.Library.Module != "" && b.Tools.Compiler != nil
}

// shown are the ways with the folder of the library given to them, where they do
// not find it by themselves.
func (b *Builder) shown(results []built) []way {
	lost := func(name string) bool {
		return slices.ContainsFunc(results, func(r built) bool { return r.way.name == name && !r.failed.Broken })
	}
	var list []way
	if dir := b.Library.ConfigDir; dir != "" && lost("CMake") {
		option := fmt.Sprintf("-D%s_DIR=%s", b.Library.Package, dir)
		list = append(list, b.cmake("cmake "+option, option))
	}
	if dir := b.Library.PkgDir; dir != "" && lost("pkg-config") {
		if before, _ := b.Getenv("PKG_CONFIG_PATH"); before != "" {
			dir += string(os.PathListSeparator) + before
		}
		list = append(list, b.pkgConfig("PKG_CONFIG_PATH="+dir, "PKG_CONFIG_PATH="+dir))
	}
	return list
}

// step is one command of a build.
type step struct {
	argv []string
	dir  string
}

// environment is what the commands of a build get in addition. Messages are read
// in English, and temporary files go with an unfinished build.
func (b *Builder) environment(scratch string) []string {
	env := []string{"LC_ALL=C", "TMPDIR=" + scratch, "TMP=" + scratch, "TEMP=" + scratch}
	if _, set := b.Getenv("CXX"); !set && b.Tools.Compiler != nil {
		env = append(env, "CXX="+strings.Join(b.Tools.Compiler, " "))
	}
	return env
}

// run runs the commands in turn and returns all that they printed; the first that
// fails ends it.
func (b *Builder) run(ctx context.Context, way string, env []string, dir string, progress engine.Progress, steps func(run func(s step) (string, error)) error) error {
	scratch := filepath.Join(dir, "tmp")
	if err := cache.MkdirAll(scratch); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, b.Limit)
	defer cancel()
	progress.Start(lang.F("compile the %s worker with %s (%s %s)", b.Engine, lang.T(way), b.Library.Name, b.Library.Version), -1)
	log := ""
	var result compile.Result
	err := steps(func(s step) (string, error) {
		log += strings.Join(s.argv, " ") + "\n"
		result = compile.Run(limited, b.Process, s.dir, s.argv, append(b.environment(scratch), env...), progress)
		out := string(result.Out.Stdout)
		log += out + string(result.Out.Stderr)
		if !result.OK() {
			return out, errStep
		}
		return out, nil
	})
	progress.Done()
	file := filepath.Join(b.Cache, "logs", b.Engine+"-compiler.log")
	if strings.Contains(strings.ToLower(way), "cmake") {
		file = filepath.Join(b.Cache, "logs", b.Engine+"-cmake.log")
	}
	if writeErr := cache.WriteBytes(file, []byte(log)); writeErr != nil {
		return writeErr
	}
	switch {
	case ctx.Err() != nil:
		return lang.Errorf("compile the %s worker: %w", b.Engine, context.Cause(ctx))
	case errors.Is(err, errStep):
		return b.failed(log, file, result.Err)
	case err != nil:
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, compile.Exe())); err != nil {
		return &engine.Unavailable{Engine: b.Engine, Why: lang.T("the build ended well but made no program"), Fix: lang.T("see the log"), Log: file, Err: err}
	}
	return cache.Explain(scratch, 0, os.RemoveAll(scratch))
}

// errStep marks a command that failed; its output says why.
var errStep = lang.New("a command of the build failed")

// failed explains a build that did not end well.
func (b *Builder) failed(log, file string, err error) *engine.Unavailable {
	u := &engine.Unavailable{Engine: b.Engine, Log: file, Err: err}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		u.Why, u.Fix = lang.F("compiling its worker did not end within %s", b.Limit), lang.T("try again on an idle machine")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		u.Why, u.Fix = compile.TooFewDescriptors()
	case err != nil:
		u.Why, u.Fix = lang.F("a tool of the build could not be run (%v)", err), lang.T("reinstall it")
	default:
		u.Why, u.Fix, u.Broken = Explain(log, b.Library)
	}
	return u
}

// cmake configures and builds the program as a user's own project would.
func (b *Builder) cmake(name string, options ...string) way {
	build := func(ctx context.Context, dir string, progress engine.Progress) error {
		return b.withCMake(ctx, name, options, dir, progress)
	}
	return way{name: name, build: build, inputs: append([]string{b.Tools.CMake, b.Tools.Ninja}, options...)}
}

func (b *Builder) withCMake(ctx context.Context, name string, options []string, dir string, progress engine.Progress) error {
	build := filepath.Join(dir, "build")
	return b.run(ctx, name, nil, dir, progress, func(run func(s step) (string, error)) error {
		configure := append([]string{b.Tools.CMake, "-DCMAKE_BUILD_TYPE=Release"}, options...)
		if _, chosen := b.Getenv("CMAKE_GENERATOR"); !chosen && b.Tools.Ninja != "" && b.Tools.Compiler != nil {
			configure = append(configure, "-G", "Ninja", "-DCMAKE_MAKE_PROGRAM="+b.Tools.Ninja)
		} else if !chosen && runtime.GOOS == "windows" && b.Tools.Compiler != nil {
			configure = append(configure, "-G", "MinGW Makefiles")
		}
		if err := cache.MkdirAll(build); err != nil {
			return err
		}
		// CMake below 3.13 has no -S and -B.
		if _, err := run(step{append(configure, ".."), build}); err != nil {
			return err
		}
		if _, err := run(step{[]string{b.Tools.CMake, "--build", ".", "--config", "Release"}, build}); err != nil {
			return err
		}
		for _, folder := range []string{build, filepath.Join(build, "Release")} {
			made := filepath.Join(folder, compile.Exe())
			if _, err := os.Stat(made); err == nil {
				return cache.Explain(made, 0, durable.Rename(made, filepath.Join(dir, compile.Exe())))
			}
		}
		return nil // run says that there is none
	})
}

// pkgConfig asks pkg-config for the flags and calls the compiler with them.
func (b *Builder) pkgConfig(name string, env ...string) way {
	build := func(ctx context.Context, dir string, progress engine.Progress) error {
		return b.withPkgConfig(ctx, name, env, dir, progress)
	}
	return way{name: name, build: build, inputs: append([]string{b.Tools.PkgConfig}, env...)}
}

func (b *Builder) withPkgConfig(ctx context.Context, name string, env []string, dir string, progress engine.Progress) error {
	return b.run(ctx, name, env, dir, progress, func(run func(s step) (string, error)) error {
		flags := map[string][]string{}
		for _, what := range []string{"--cflags", "--libs"} {
			out, err := run(step{[]string{b.Tools.PkgConfig, what, b.Library.Module}, dir})
			if err != nil {
				return err
			}
			flags[what] = Words(out)
		}
		return b.compile(run, dir, Flags{flags["--cflags"], flags["--libs"]})
	})
}

// plain calls the compiler with the library's own flags.
func (b *Builder) plain(name string) way {
	f := *b.Library.Flags
	build := func(ctx context.Context, dir string, progress engine.Progress) error {
		return b.run(ctx, name, nil, dir, progress, func(run func(s step) (string, error)) error { return b.compile(run, dir, f) })
	}
	return way{name: name, build: build, inputs: append(slices.Clone(f.Compile), f.Link...)}
}

// compile calls the compiler once for all files. CXXFLAGS and LDFLAGS are the user's,
// as CMake honors them, too.
func (b *Builder) compile(run func(s step) (string, error), dir string, f Flags) error {
	sources, err := filepath.Glob(filepath.Join(dir, "*.cpp"))
	if err != nil {
		return lang.Errorf("list the worker's source: %w", err)
	}
	cxxflags, _ := b.Getenv("CXXFLAGS")
	ldflags, _ := b.Getenv("LDFLAGS")
	// gnu++: MinGW's C library hides what is not of the C standard otherwise.
	argv := append(slices.Clone(b.Tools.Compiler), "-O2", fmt.Sprintf("-std=gnu++%d", b.Library.Standard), "-pthread")
	argv = slices.Concat(argv, f.Compile, Words(cxxflags), sources, []string{"-o", filepath.Join(dir, compile.Exe())}, Words(ldflags), f.Link)
	_, err = run(step{argv, dir})
	return err
}

// Words splits what pkg-config prints: at blanks, of which a backslash or quotes
// keep some (pkg-config(1), pkgconf's quoting).
func Words(text string) []string {
	var words []string
	var word strings.Builder
	in, quote := false, rune(0)
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, in = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, in = r, true
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words
}
