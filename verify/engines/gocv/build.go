package gocv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
	"github.com/deployctl/deployctl/verify/engines/internal/cxx"
)

// build compiles the worker in tmp.
func (b *builder) build(ctx context.Context, tmp, goVersion string, progress engine.Progress) error {
	if err := b.writeModule(tmp); err != nil {
		return err
	}
	// The Go command and the compilers leave their temporary files behind when
	// they are killed; here they go with the unfinished build.
	scratch := filepath.Join(tmp, "tmp")
	if err := cache.MkdirAll(scratch); err != nil {
		return err
	}
	env := append(b.environment(), "GOTMPDIR="+scratch, "TMPDIR="+scratch, "TMP="+scratch, "TEMP="+scratch)
	if b.o.Proxy != nil {
		address, err := b.o.Proxy(ctx)
		if err != nil {
			return err
		}
		// GONOPROXY would let some modules pass it by.
		env = append(env, "GOPROXY="+address, "GONOPROXY=none")
	}

	runCtx, cancel := context.WithTimeout(ctx, b.o.BuildLimit)
	defer cancel()
	progress.Start(lang.F("compile the gocv worker (%s on OpenCV %s)", b.o.Release, b.o.OpenCVVersion), -1)
	argv, r, err := b.command(runCtx, tmp, goVersion, env, progress)
	if err != nil {
		return err
	}
	if r.OK() {
		r = b.run(runCtx, tmp, argv, env, progress)
	}
	progress.Done()

	log := string(r.Out.Stdout) + string(r.Out.Stderr)
	logFile := filepath.Join(b.o.Cache, "logs", "gocv-"+b.o.Release+".log")
	if err := cache.WriteBytes(logFile, []byte(strings.Join(argv, " ")+"\n"+log)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return lang.Errorf("compile the gocv worker: %w", context.Cause(ctx))
	}
	u := &engine.Unavailable{Engine: Name, Log: logFile, Err: r.Err}
	switch {
	case errors.Is(r.Err, context.DeadlineExceeded):
		u.Why = lang.F("compiling its worker did not end within %s", b.o.BuildLimit)
		u.Fix = lang.T("try again on an idle machine")
		return u
	case errors.Is(r.Err, syscall.EMFILE), errors.Is(r.Err, syscall.ENFILE):
		u.Why, u.Fix = compile.TooFewDescriptors()
		return u
	case r.Err != nil:
		u.Why = lang.F("the Go command could not be run (%v)", r.Err)
		u.Fix = lang.T("reinstall Go")
		return u
	case !r.OK():
		u.Why, u.Fix, u.Broken = explain(log, b.o)
		return u
	}
	if _, err := os.Stat(filepath.Join(tmp, compile.Exe())); err != nil {
		u.Why, u.Fix, u.Err = lang.T("the Go command ended well but wrote no worker"), lang.T("see the log"), err
		return u
	}
	if err := os.RemoveAll(scratch); err != nil {
		return cache.Explain(scratch, 0, err)
	}
	return nil
}

func (b *builder) run(ctx context.Context, dir string, argv, env []string, progress engine.Progress) compile.Result {
	return compile.Run(ctx, b.o.Process, dir, argv, env, progress)
}

// command is what builds the worker in dir. Finding what to leave out fetches
// gocv; where that fails, the command is that one and the result says so.
func (b *builder) command(ctx context.Context, dir, goVersion string, env []string, progress engine.Progress) ([]string, compile.Result, error) {
	argv := []string{b.o.Go, "build"}
	if compile.AtLeast(goVersion, "1.18") {
		// The cache folder may lie inside somebody's repository.
		argv = append(argv, "-buildvcs=false")
	}
	if compile.AtLeast(goVersion, "1.20") {
		// Paths of this machine are of no use in the worker. Older releases come with
		// their standard library compiled, which this option has them compile again:
		// a third of the build.
		argv = append(argv, "-trimpath")
	}
	argv = append(argv, "-tags", b.tags(), "-o", filepath.Join(dir, compile.Exe()), ".")
	if !b.trims() {
		return argv, compile.Result{}, nil
	}
	list := []string{b.o.Go, "list", "-find", "-f", "{{.Dir}}", "gocv.io/x/gocv"}
	r := b.run(ctx, dir, list, env, progress)
	if !r.OK() {
		return list, r, nil
	}
	return argv, r, b.trim(dir, strings.TrimSpace(string(r.Out.Stdout)))
}

// unused are the files of gocv, by the beginning of their names, that the worker
// does without: five of the root package's 11 to 16 C++ files stay, and two fifths
// of the compiler's work. No file that stays refers to them (every release
// from v0.20.0 to v0.41.0 type-checked without them).
var unused = []string{
	"aruco", "asyncarray", "calib3d", "features2d", "highgui", "objdetect", "persistence", "photo", "svd", "video", "videoio",
}

// trims reports whether the worker is built with a copy of gocv that lacks the
// unused files. From v0.42.0 on gocv's own tags leave them out.
func (b *builder) trims() bool { return older(b.o.Release, "v0.42.0") }

// trim gives the worker's module in dir a copy of gocv's root package, which is in
// source, without the unused files. (An overlay cannot do it: the Go command
// refuses one for its module cache.)
func (b *builder) trim(dir, source string) error {
	entries, err := os.ReadDir(source)
	if err != nil {
		return lang.Errorf("look at the source of gocv %s: %w", b.o.Release, err)
	}
	const name = "gocv"
	if err := cache.MkdirAll(filepath.Join(dir, name)); err != nil {
		return err
	}
	for _, e := range entries {
		stem, _, _ := strings.Cut(strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())), "_")
		switch filepath.Ext(e.Name()) {
		case ".go", ".cpp":
			if slices.Contains(unused, stem) || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
		case ".h", ".mod":
		default:
			continue
		}
		text, err := os.ReadFile(filepath.Join(source, e.Name()))
		if err != nil {
			return lang.Errorf("read the source of gocv %s: %w", b.o.Release, err)
		}
		if err := cache.WriteBytes(filepath.Join(dir, name, e.Name()), text); err != nil {
			return err
		}
	}
	file := filepath.Join(dir, "go.mod")
	return cache.WriteBytes(file, append(b.module(), "\nreplace gocv.io/x/gocv => ./"+name+"\n"...))
}

// module is the go.mod of the worker.
func (b *builder) module() []byte {
	return []byte("module deployctl.worker/gocv\n\ngo " + goLine(b.o.Release) + "\n\nrequire gocv.io/x/gocv " + b.o.Release + "\n")
}

// writeModule lays out a module of its own for the worker.
func (b *builder) writeModule(dir string) error {
	files, err := source()
	if err != nil {
		return err
	}
	files["go.mod"], files["go.sum"] = b.module(), []byte(workerSum)
	return compile.Write(dir, files)
}

// goLine is the go line of the worker's go.mod: since Go 1.21 it may not be
// older than that of a module it requires, and Go 1.15 must still read it.
func goLine(release string) string {
	if older(release, "v0.36.0") {
		return "1.13"
	}
	return "1.21"
}

// environment is that of compile, and what cgo and the compilers need.
func (b *builder) environment() []string {
	env := append(compile.Environment(b.o.Cache), "CGO_ENABLED=1", "CGO_CFLAGS=-O2", "CGO_CXXFLAGS=-O2", "CGO_LDFLAGS=")
	if b.o.CXX != "" {
		env = append(env, "CXX="+b.o.CXX)
	}
	if b.o.CC != "" {
		env = append(env, "CC="+b.o.CC)
	}
	// Go's build cache keeps gocv with what pkg-config answered then, and asks
	// it again only when a flag of its own differs: without this definition a
	// worker for another OpenCV was linked with the flags of the one before.
	inputs := sha256.Sum256([]byte(strings.Join(b.inputs(), "\x00")))
	cpp := "-DDEPLOYCTL_INPUTS=0x" + hex.EncodeToString(inputs[:4])
	if f := b.o.Flags; f != nil {
		cpp += " " + f.CPP
		env = append(env, "CGO_CXXFLAGS=-O2 "+f.CXX, "CGO_LDFLAGS="+f.LD)
	}
	env = append(env, "CGO_CPPFLAGS="+cpp)
	return env
}

// What the Go command writes.
var (
	reGoCompile = lazyregexp.New(`(?m)^(\.?/?[\w./-]+\.go):(\d+):\d+: ([^\n]+)`)
	reNoTool    = lazyregexp.New(`(?:exec: |compiler )"([^"]+)"(?:: executable file not found| not found)|"([^"]+)": executable file not found`)
	reGoTooOld  = lazyregexp.New(`requires go >= ([\d.]+)|module requires Go ([\d.]+)`)
)

// explain finds the one sentence in a failed build's output. broken: the tools
// are all there, and OpenCV, gocv and the compiler do not fit together.
func explain(log string, o Options) (why, fix string, broken bool) {
	why, fix = missing(log, o)
	if why != "" {
		return why, fix, false
	}
	why, fix = misfit(log, o)
	return why, fix, true
}

// firstGroup is the first group of the first match that is not empty.
func firstGroup(re *regexp.Regexp, log string) string {
	m := re.FindStringSubmatch(log)
	for i := 1; i < len(m); i++ {
		if m[i] != "" {
			return m[i]
		}
	}
	return ""
}

// missing recognises what the machine lacks.
func missing(log string, o Options) (why, fix string) {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(log, p) {
				return true
			}
		}
		return false
	}
	unfetched, mirror := compile.Unfetched(log)
	starved, relief := cxx.Starved(log)
	switch {
	case starved != "":
		return starved, relief
	case has("checksum mismatch", "SECURITY ERROR"):
		return lang.F("the content of gocv %s is not what deployctl pinned: a proxy or the module cache was tampered with or damaged", o.Release),
			lang.T("run go clean -modcache and check GOPROXY")
	case reNoTool.MatchString(log):
		tool := firstGroup(reNoTool.Get(), log)
		if strings.Contains(tool, "pkg-config") {
			return lang.T("pkg-config is missing, and gocv finds OpenCV with it"), lang.T("install pkg-config (deployctl doctor --fix)")
		}
		return lang.F("the compiler %s is missing", tool), lang.T("install g++ (deployctl doctor --fix)")
	case has("No package 'opencv4' found", "Package opencv4 was not found", "Package 'opencv4', required by"):
		if o.PkgConfigDir != "" {
			return lang.F("pkg-config does not find opencv4.pc, which is in %s", o.PkgConfigDir),
				lang.F("add %s to PKG_CONFIG_PATH, also for your own builds", o.PkgConfigDir)
		}
		return lang.T("pkg-config does not know opencv4: OpenCV's development files are missing or not where it looks"),
			lang.T("install libopencv-dev (deployctl doctor --fix), or set PKG_CONFIG_PATH to the folder of opencv4.pc")
	case unfetched != "":
		return lang.F("the Go module gocv.io/x/gocv %s could not be fetched: %s", o.Release, unfetched), mirror
	case reGoTooOld.MatchString(log):
		return lang.F("this Go is too old: gocv %s needs Go %s", o.Release, firstGroup(reGoTooOld.Get(), log)), lang.T("install a newer Go, or choose an older gocv")
	}
	return "", ""
}

// misfit finds the first real error of the compiler or the linker.
func misfit(log string, o Options) (why, fix string) {
	if header := cxx.Header(log); header != "" {
		return lang.F("OpenCV %s here lacks the header %s, which gocv %s needs", o.OpenCVVersion, header, o.Release),
			lang.T("install all of OpenCV's development files (libopencv-dev)")
	}
	if where, text := cxx.FirstError(log); where != "" {
		if cxx.OldCompiler(log) {
			return lang.F("the C++ compiler is too old or broken: %s: %s", where, text), lang.T("install a newer g++")
		}
		return lang.F("gocv %s does not fit OpenCV %s: %s: %s", o.Release, o.OpenCVVersion, where, text),
			lang.T("choose the gocv release that the compatibility table names for this OpenCV")
	}
	if lib := cxx.MissingLibrary(log); lib != "" {
		return lang.F("the linker does not find the library %s", lib), lang.T("install OpenCV's development files completely, contrib modules included")
	}
	if sym := cxx.Undefined(log); sym != "" {
		return lang.F("OpenCV's headers and libraries are of two versions: the linker lacks %s", sym),
			lang.T("remove one of the two OpenCV copies (deployctl doctor shows them)")
	}
	if m := reGoCompile.FindStringSubmatch(log); m != nil {
		return lang.F("its worker does not compile with gocv %s: %s:%s: %s", o.Release, filepath.Base(m[1]), m[2], m[3]),
			lang.T("report this with the log")
	}
	return lang.F("compiling its worker failed: %s", lastLine(log)), lang.T("see the log")
}

func lastLine(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	if last == "" {
		return lang.T("the Go command said nothing")
	}
	if r := []rune(last); len(r) > 200 {
		last = string(r[:200]) + "…"
	}
	return last
}
