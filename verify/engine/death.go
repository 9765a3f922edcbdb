package engine

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Cause is the kind of a worker's death.
type Cause string

// The causes told apart.
const (
	Instruction Cause = "illegal instruction"
	Memory      Cause = "out of memory"
	Killed      Cause = "killed"
	Segfault    Cause = "segmentation fault"
	Hang        Cause = "hang"
	Library     Cause = "missing library"
	Symbol      Cause = "wrong library"
	Exception   Cause = "C++ exception"
	Abort       Cause = "abort"
	Descriptors Cause = "too few file descriptors"
	Start       Cause = "not started"
	Exit        Cause = "exit"
)

// Death is a worker that did not live to answer.
type Death struct {
	Engine string
	Cause  Cause
	// Why is one sentence, Fix the next action.
	Why, Fix string
	// Subject is the library, symbol or exception text, where there is one.
	Subject string
	// Said is what of Why is the library's, the loader's or the system's own words:
	// Why is in the user's language, and nothing is decided by it.
	Said string
	// Log is the end of what the worker printed.
	Log string
	Err error
}

func (d *Death) Error() string {
	s := d.Engine + ": " + d.Why
	if d.Fix != "" {
		s += lang.T("; ") + d.Fix
	}
	return s
}

func (d *Death) Unwrap() error { return d.Err }

// Windows status codes, from the NTSTATUS list of [MS-ERREF] 2.3.
const (
	statusAccessViolation    = 0xC0000005
	statusNoMemory           = 0xC0000017
	statusIllegalInstruction = 0xC000001D
	statusDLLNotFound        = 0xC0000135
	statusOrdinalNotFound    = 0xC0000138
	statusEntryNotFound      = 0xC0000139
	statusDLLInitFailed      = 0xC0000142
	statusInvalidImage       = 0xC000007B
	statusStackOverflow      = 0xC00000FD
	statusStackBuffer        = 0xC0000409 // also abort() of the UCRT
)

// What the loaders, the C++ runtimes and Go write when a process dies. A fault
// inside cgo is caught by Go's signal handler, which prints its name and exits
// with status 2: the signal is then in the text only.
var (
	reGlibcMissing = lazyregexp.New(`error while loading shared libraries: ([^:\s]+): cannot open shared object file`)
	reGlibcOther   = lazyregexp.New(`error while loading shared libraries: ([^:\s]+): ([^\n]+)`)
	reMuslMissing  = lazyregexp.New(`Error loading shared library ([^:\s]+): No such file`)
	reDyldMissing  = lazyregexp.New(`Library not loaded: (\S+)`)
	reSymbol       = lazyregexp.New(`symbol lookup error: ([^:\n]+): undefined symbol: ([^\s,]+)`)
	reMuslSymbol   = lazyregexp.New(`Error relocating ([^:\n]+): ([^:\s]+): symbol not found`)
	reDyldSymbol   = lazyregexp.New(`Symbol not found: (\S+)`)
	reVersion      = lazyregexp.New("([^:\\s]+): version [`']([^'\\s]+)' not found")
	reWhat         = lazyregexp.New(`(?s)terminate called after throwing an instance of '([^']+)'\s*(?:what\(\):\s*(.*?))?(?:\n\s*\n|\nSIGABRT|\nAborted|\nfatal error|\z)`)
	reLibcxx       = lazyregexp.New(`(?:terminating with|terminating due to) uncaught exception of type ([\w:<>, ]+?)(?:: (.*))?(?:\n|\z)`)
	// reTrace is where Go's own report of a crash begins.
	reTrace    = lazyregexp.New(`(?m)^(?:SIG[A-Z]+: |fatal error: |panic: |goroutine )`)
	reGoSignal = lazyregexp.New(`(?m)^\[?(?:signal )?(SIG[A-Z]+): `)
	reGoFatal  = lazyregexp.New(`(?m)^(?:fatal error|panic|runtime): ([^\n]+)`)
)

// starved recognizes a limit of the process or of the machine, which shows in
// many disguises: the loader cannot map or open a library that is there, Go
// cannot reserve memory, a thread or the process itself cannot be started.
func (d *Death) starved(log string, err error) bool {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(log, p) })
	}
	switch {
	case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || has("Too many open files", "too many open files", "cannot open shared object file: Error 24"):
		d.Cause, d.Why = Descriptors, lang.T("has too few file descriptors")
		d.Fix = lang.T("raise the limit (ulimit -n 1024) and run again")
	case errors.Is(err, syscall.ENOMEM) || has("failed to map segment from shared object", "cannot allocate memory", "Cannot allocate memory",
		"fatal error: runtime: out of memory", "fatal error: out of memory", "runtime: out of memory", "failed to reserve page summary memory",
		"runtime: cannot reserve", "pthread_create failed: Resource temporarily unavailable", "failed to create new OS thread"):
		d.outOfMemory("", AddressSpace())
	default:
		return false
	}
	return true
}

// outOfMemory names the limit where there is one; limit 0 is none.
func (d *Death) outOfMemory(what string, limit uint64) {
	d.Cause, d.Subject = Memory, what
	d.Why, d.Fix = lang.T("ran out of memory"), lang.T("free memory or raise the limit; YOLOv3 needs about 1 GB")
	if limit > 0 {
		d.Why = lang.F("ran out of address space, which is limited to %.1f GB here (ulimit -v)", float64(limit)/1e9)
		d.Fix = lang.T("raise the limit (ulimit -v unlimited) and run again")
	}
}

// Runs is what a death's sentences say of the library that an engine runs.
type Runs struct {
	// Component is its name in the facts, Display in sentences.
	Component, Display string
	// Remedy knows the library's messages that have one clear remedy, "" for
	// others; nil where none is known.
	Remedy func(exception string) string
}

// copies is the next action where the wrong copy of the library may be used.
func (l Runs) copies() string {
	if l.Component == "" {
		return lang.T("deployctl doctor names the copies in use")
	}
	return lang.F("deployctl shadow %s shows every copy", l.Component)
}

// Translate turns the end of a worker into a Death. err is what the process
// runner returned, limit the deadline the worker had, cpu the processor's
// feature names (both cpuid's and Linux's spellings are understood).
func Translate(w Worker, out host.Output, err error, limit time.Duration, cpu []string) *Death {
	d := &Death{Engine: w.Engine, Cause: Exit, Err: err, Log: printed(out)}
	log := string(out.Stderr)

	if errors.Is(err, context.DeadlineExceeded) {
		d.set(Hang, "", lang.F("gave no answer within %s and was ended with all its children", limit.Round(time.Second)),
			lang.T("try again on an idle machine; if it recurs, a driver or a thread pool hangs"))
		return d
	}
	if d.starved(log, err) {
		return d
	}
	if err != nil && out.Signal == "" && out.Exit == 0 {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "exec format error") {
			d.set(Start, "", lang.F("its worker could not be started (%v)", err),
				lang.T("run deployctl verify --fresh to build it again; if the cache's file system is mounted noexec, name another folder with --cache"))
			return d
		}
		d.set(Start, "", lang.F("its worker could not be run (%v)", err), lang.T("run deployctl verify --fresh"))
		return d
	}

	// The loader comes first: nothing of the program ran then.
	if d.refused(log) || d.threw(log, w.Runs) {
		return d
	}
	d.ended(out, log, w.Runs, cpu)
	return d
}

// set fills in what happened.
func (d *Death) set(c Cause, subject, why, fix string) {
	d.Cause, d.Subject, d.Why, d.Fix = c, subject, why, fix
}

// refused recognizes the loader's messages.
func (d *Death) refused(log string) bool {
	for _, re := range []*regexp.Regexp{reGlibcMissing.Get(), reMuslMissing.Get(), reDyldMissing.Get()} {
		if m := re.FindStringSubmatch(log); m != nil {
			d.set(Library, m[1], lang.F("the shared library %s is not where the loader looks", m[1]),
				lang.T("install the package that owns it or add its folder to the loader's path; deployctl doctor names the copy in use"))
			return true
		}
	}
	if m := reVersion.FindStringSubmatch(log); m != nil {
		d.set(Symbol, m[2], lang.F("%s is too old: it lacks %s", m[1], m[2]),
			lang.T("an older copy of that library is found first; take its folder out of LD_LIBRARY_PATH, or run deployctl verify --fresh to build the worker with it"))
		return true
	}
	if m := reGlibcOther.FindStringSubmatch(log); m != nil {
		d.Said = m[2]
		d.set(Symbol, m[1], lang.F("the loader refuses %s: %s", m[1], oneLine(m[2])), lang.T("reinstall the package that owns it"))
		return true
	}
	for _, re := range []*regexp.Regexp{reSymbol.Get(), reMuslSymbol.Get()} {
		if m := re.FindStringSubmatch(log); m != nil {
			d.set(Symbol, m[2], lang.F("%s lacks the symbol %s", m[1], m[2]),
				lang.T("a library of another version is found at run time than at compile time; run deployctl verify --fresh to build the worker again"))
			return true
		}
	}
	if m := reDyldSymbol.FindStringSubmatch(log); m != nil {
		d.set(Symbol, m[1], lang.F("a library lacks the symbol %s", m[1]), lang.T("a library of another version is found at run time than at compile time; run deployctl verify --fresh to build the worker again"))
		return true
	}
	return false
}

// threw recognizes an uncaught C++ exception.
func (d *Death) threw(log string, library Runs) bool {
	kind, what := "", ""
	if m := reWhat.FindStringSubmatch(log); m != nil {
		kind, what = m[1], oneLine(m[2])
	} else if m := reLibcxx.FindStringSubmatch(log); m != nil {
		kind, what = m[1], oneLine(m[2])
	}
	if kind == "std::bad_alloc" || strings.Contains(what, "Insufficient memory") || strings.Contains(what, "Failed to allocate") {
		d.outOfMemory(what, AddressSpace())
		return true
	}
	if kind != "" {
		why := lang.F("ended by an uncaught %s", kind)
		if what != "" {
			why = lang.F("ended by an uncaught %s: %s", kind, clip(what, 300))
		}
		remedy := lang.T("the exception is the library's own message")
		if library.Remedy != nil {
			remedy = cmp.Or(library.Remedy(what), remedy)
		}
		d.Said = what
		d.set(Exception, what, why, remedy)
		return true
	}
	return false
}

// ended reads the signal or the status that a process ended with.
func (d *Death) ended(out host.Output, log string, library Runs, cpu []string) {
	name := out.Signal
	if name == "" {
		if m := reGoSignal.FindStringSubmatch(log); m != nil {
			name = m[1]
		}
	}
	switch status := uint32(out.Exit); {
	case name == "illegal instruction" || name == "SIGILL" || out.Exit == 128+4 || status == statusIllegalInstruction:
		d.set(Instruction, "", instruction(cpu),
			lang.T("use a build of the library for this CPU, or build it from source here"))
		return
	case name == "killed" || name == "SIGKILL" || out.Exit == 128+9:
		d.set(Killed, "", lang.T("was killed from outside, most likely by the kernel because the memory ran out"),
			lang.T("see dmesg or the cgroup's memory.events; free memory or raise the limit"))
		return
	case status == statusNoMemory:
		d.outOfMemory("", 0)
		return
	case name == "segmentation fault" || name == "SIGSEGV" || name == "bus error" || name == "SIGBUS" ||
		out.Exit == 128+11 || out.Exit == 128+7 || status == statusAccessViolation || status == statusStackOverflow:
		d.set(Segfault, "", lang.T("crashed inside the library (invalid memory access)"),
			lang.F("headers and library are often of two versions then: %s; deployctl verify --fresh builds the worker again", library.copies()))
		return
	case status == statusDLLNotFound:
		d.set(Library, "", lang.T("a DLL it needs is not found (0xC0000135)"),
			lang.F("add the folder of %s's DLLs to PATH; %s", cmp.Or(library.Display, lang.T("the library")), library.copies()))
		return
	case status == statusEntryNotFound || status == statusOrdinalNotFound:
		d.set(Symbol, "", lang.F("a DLL it needs is of another version: an entry point is missing (0x%08X)", status),
			lang.F("another copy is found first on PATH; %s", library.copies()))
		return
	case status == statusInvalidImage:
		d.set(Symbol, "", lang.T("a DLL it needs is for another processor: 32 and 64 bits are mixed (0xC000007B)"), lang.F("%s, and what it was built for", library.copies()))
		return
	case status == statusDLLInitFailed:
		d.set(Library, "", lang.T("a DLL it needs failed to start (0xC0000142)"), library.copies())
		return
	case name == "aborted" || name == "SIGABRT" || out.Exit == 128+6 || status == statusStackBuffer:
		d.Said = lastLine(said(log))
		d.set(Abort, "", lang.F("a library called abort()%s", d.Said), lang.T("the full text is in the log"))
		return
	}
	if name != "" {
		d.set(Exit, name, lang.F("was ended by a signal (%s)", name), lang.T("run again"))
		return
	}
	if m := reGoFatal.FindStringSubmatch(log); m != nil {
		d.Said = m[1]
		d.set(Exit, m[1], lang.F("the worker failed: %s", clip(oneLine(m[1]), 200)), lang.T("run deployctl verify --fresh to build the worker again"))
		return
	}
	d.Said = lastLine(log)
	d.set(Exit, "", lang.F("the worker ended with status %d%s", out.Exit, d.Said),
		lang.T("run deployctl verify --fresh to build the worker again"))
}

// levels lists instruction sets in the order in which libraries adopt them,
// each with cpuid's, Linux's and macOS's spellings.
var levels = []struct {
	name  string
	names []string
}{
	{"SSE4.2", []string{"sse42", "sse4_2", "sse4.2"}},
	{"AVX", []string{"avx", "avx1.0"}},
	{"AVX2", []string{"avx2"}},
	{"FMA", []string{"fma3", "fma"}},
	{"AVX-512", []string{"avx512f"}},
}

var armLevels = []struct {
	name  string
	names []string
}{
	{"dot product", []string{"asimddp", "dotprod"}},
	{"FP16 arithmetic", []string{"asimdhp", "fphp", "fp16"}},
	{"I8MM", []string{"i8mm"}},
	{"SVE", []string{"sve"}},
}

// instruction says what this CPU lacks, oldest first: the first is what a library
// built for newer machines most likely uses.
func instruction(cpu []string) string {
	if len(cpu) == 0 {
		return lang.T("stopped at an instruction that this CPU does not have")
	}
	have := map[string]bool{}
	for _, f := range cpu {
		have[strings.ToLower(f)] = true
	}
	list := levels
	if have["asimd"] || have["neon"] {
		list = armLevels
	}
	var missing []string
	for _, l := range list {
		found := false
		for _, n := range l.names {
			found = found || have[n]
		}
		if !found {
			missing = append(missing, l.name)
		}
	}
	if len(missing) == 0 {
		return lang.T("stopped at an instruction that this CPU does not have; the library was built for a newer one")
	}
	return lang.F("stopped at an instruction that this CPU does not have: the library was built for %s, which is missing here (so are: %s)", missing[0], strings.Join(missing, ", "))
}

// said is what was printed before Go began to report the crash.
func said(log string) string {
	if at := reTrace.FindStringIndex(log); at != nil {
		return log[:at[0]]
	}
	return log
}

// lastLine is the last line of a log that says something.
func lastLine(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if l := strings.TrimSpace(lines[i]); l != "" {
			return " (" + clip(l, 200) + ")"
		}
	}
	return ""
}
