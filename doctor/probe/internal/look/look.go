// Package look finds programs on a host and tells their versions for the
// probes of compilers, build tools and package managers. It must never judge
// what it finds.
package look

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/internal/parallel"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const (
	// runTimeout is what one tool gets to say its version: below a probe's
	// deadline, so that one that hangs does not take the others with it.
	runTimeout = 1500 * time.Millisecond
	// maxRuns bounds how many processes run at once.
	maxRuns = 6
	// maxCopies bounds how many copies of one tool are looked at.
	maxCopies = 40
)

// Index is the content of PATH's folders. Listing each folder once is cheaper
// than asking for every name in every folder.
type Index struct {
	h    *host.Host
	dirs []dir
}

type dir struct {
	path  string
	names map[string]string // folded name → spelling; nil when it cannot be listed
	list  []string          // the spellings, sorted
}

// NewIndex lists the folders of PATH and remembers the programs whose names
// (without a Windows extension) keep wants: a hostile PATH has thousands of
// folders with thousands of names each.
func NewIndex(ctx context.Context, h *host.Host, keep func(name string) bool) *Index {
	x := &Index{h: h}
	for _, path := range h.PathDirs() {
		if ctx.Err() != nil {
			break
		}
		if !IsPath(path) {
			continue
		}
		entries, err := h.ReadDir(ctx, path)
		if host.IsNotExist(err) {
			continue
		}
		d := dir{path: path}
		if err == nil {
			d.names = map[string]string{}
			for _, e := range entries {
				if !e.Dir && keep(x.bare(e.Name)) {
					d.names[x.fold(e.Name)] = e.Name
					d.list = append(d.list, e.Name)
				}
			}
		}
		x.dirs = append(x.dirs, d)
	}
	return x
}

func (x *Index) fold(name string) string {
	if x.h.Windows() {
		return strings.ToLower(name)
	}
	return name
}

// Copy is one program found.
type Copy struct {
	Path string
	// Real is Path with every link followed.
	Real string
	// Name is the last element of Path, without a Windows extension.
	Name string
	// OnPath: a lookup through PATH can find it (by its own name).
	OnPath bool
}

// Find returns every copy of the named programs in PATH order; within one
// folder in the order of names. A copy that is a link to an earlier one is
// left out. In the folders extra, which are not on PATH, it looks afterwards.
func (x *Index) Find(ctx context.Context, names []string, extra ...string) []Copy {
	var found []Copy
	for _, d := range x.dirs {
		for _, name := range names {
			for _, n := range x.spellings(name) {
				if d.names != nil {
					spelt, ok := d.names[n]
					if !ok {
						continue
					}
					n = spelt
				}
				found = x.add(ctx, found, d.path, n, true)
			}
		}
	}
	for _, path := range extra {
		if !IsPath(path) {
			continue
		}
		for _, name := range names {
			for _, n := range x.spellings(name) {
				found = x.add(ctx, found, path, n, false)
			}
		}
	}
	return found
}

// All returns every program of the index as Find does; the names of one folder
// come sorted.
func (x *Index) All(ctx context.Context) []Copy {
	var found []Copy
	for _, d := range x.dirs {
		for _, name := range d.list {
			found = x.add(ctx, found, d.path, name, true)
		}
	}
	return found
}

// Names is a keep function for NewIndex that wants exactly the given programs.
func Names(names ...string) func(string) bool {
	want := map[string]bool{}
	for _, n := range names {
		want[n] = true
	}
	return func(name string) bool { return want[name] }
}

// spellings are the file names a program can have, folded.
func (x *Index) spellings(name string) []string {
	if !x.h.Windows() {
		return []string{name}
	}
	name = strings.ToLower(name)
	return []string{name + ".exe", name + ".com", name + ".bat", name + ".cmd"}
}

func (x *Index) bare(name string) string {
	if !x.h.Windows() {
		return name
	}
	name = strings.ToLower(name)
	for _, ext := range []string{".exe", ".com", ".bat", ".cmd"} {
		if bare, ok := strings.CutSuffix(name, ext); ok {
			return bare
		}
	}
	return "" // nothing that can be run
}

func (x *Index) add(ctx context.Context, found []Copy, dir, name string, onPath bool) []Copy {
	if len(found) >= maxCopies || ctx.Err() != nil {
		return found
	}
	c := Copy{Path: x.h.Join(dir, name), Name: x.bare(name), OnPath: onPath}
	info, err := x.h.Stat(ctx, c.Path)
	if err != nil || info.Dir || !info.Exec {
		return found
	}
	if x.h.Windows() && storeOffer(x.h, dir, name, info) {
		return found
	}
	if c.Real = info.Alias; c.Real == "" {
		c.Real = x.h.Real(ctx, c.Path)
	}
	for _, other := range found {
		// A wrapper such as ccache answers to many names and is each of them.
		if x.fold(other.Real) == x.fold(c.Real) && (other.Name == c.Name || !Wrapper(x.h.Base(c.Real))) {
			return found
		}
	}
	return append(found, c)
}

// storeOffer reports whether a file is one of the app execution aliases (python.exe,
// python3.exe) with which Windows opens the Store when the program is not installed.
// Microsoft, "Python on Windows for beginners". Snapshots of older releases do not say
// what an alias starts.
func storeOffer(h *host.Host, dir, name string, info host.Info) bool {
	if info.Size != 0 || !strings.Contains(strings.ToLower(dir), `\microsoft\windowsapps`) {
		return false
	}
	if info.Alias == "" {
		return strings.HasPrefix(strings.ToLower(name), "python")
	}
	return strings.EqualFold(h.Base(info.Alias), "AppInstallerPythonRedirector.exe")
}

// Wrapper reports whether a program acts as the name it was called by.
func Wrapper(base string) bool {
	switch strings.TrimSuffix(base, ".exe") {
	case "ccache", "distcc", "sccache", "icecc", "mise", "busybox", "toybox", "asdf", "volta-shim":
		return true
	}
	return false
}

// Script returns the first 4 KiB of a file that begins with "#!".
func Script(ctx context.Context, h *host.Host, path string) (string, bool) {
	const enough = 4 << 10
	data, _, err := h.ReadFile(ctx, path, enough)
	if err != nil || !strings.HasPrefix(string(data), "#!") {
		return "", false
	}
	return string(data), true
}

// UnusableError says that a program is there but does not work.
type UnusableError struct {
	Path string
	Why  string
	// Said is what of Why are the program's own words: Why is in the user's language.
	Said string
	// Ran: it was started and failed; otherwise it may be slow, or say something
	// that is not known here.
	Ran bool
}

func (e *UnusableError) Error() string { return lang.F("%s does not work: %s", e.Path, e.Why) }

// Ask runs a program and returns the first group of want in its output
// (standard output, then standard error). The error is an *UnusableError when
// the program ran and failed, or said something else.
func Ask(ctx context.Context, h *host.Host, argv []string, want *regexp.Regexp) (string, facts.Evidence, string, error) {
	evidence := facts.Evidence{Kind: "command", Source: Clean(strings.Join(argv, " "))}
	ctx, cancel := context.WithTimeoutCause(ctx, runTimeout, lang.Errorf("no answer within %s", runTimeout))
	defer cancel()
	// LC_ALL: the words looked for are English. PATH lookups for DLLs stay.
	out, err := h.Run(ctx, host.Command{Argv: argv, Env: []string{"LC_ALL=C", "LANGUAGE=C"}})
	if err != nil {
		if errors.Is(err, host.ErrNotRecorded) {
			return "", evidence, "", err
		}
		return "", evidence, "", &UnusableError{Path: argv[0], Why: err.Error()}
	}
	text := head(out.Stdout) + "\n" + head(out.Stderr)
	switch {
	case out.Signal != "":
		return "", evidence, text, &UnusableError{Path: argv[0], Why: lang.F("it was ended by signal %s", out.Signal), Ran: true}
	case out.Exit != 0:
		return "", evidence, text, &UnusableError{Path: argv[0], Why: lang.F("exit status %d: %s", out.Exit, lastWords(text)), Said: lastWords(text), Ran: true}
	}
	m := want.FindStringSubmatch(text)
	if m == nil {
		return "", evidence, text, &UnusableError{Path: argv[0], Why: lang.F("no version in what it says: %s", FirstLine(text))}
	}
	evidence.Detail = FirstLine(text[strings.Index(text, m[0]):])
	return m[1], evidence, text, nil
}

// lastWords is what a program that failed says of it: the first line, or the last
// one of a Python traceback.
func lastWords(text string) string {
	if first := FirstLine(text); !strings.HasPrefix(first, "Traceback ") {
		return first
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return Clean(lines[len(lines)-1])
}

// Interpreter is the program that a script names in its first line and that is
// certainly not here; "" for any other file.
func Interpreter(ctx context.Context, h *host.Host, path string) string {
	script, ok := Script(ctx, h, path)
	if !ok {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(script, "#!"), "\n")
	words := strings.Fields(line)
	if len(words) == 0 || !strings.HasPrefix(words[0], "/") {
		return ""
	}
	if _, err := h.Stat(ctx, words[0]); host.IsNotExist(err) {
		return words[0]
	}
	return ""
}

// head is the beginning of a stream: a version stands in its first lines, and
// searching megabytes for it would take a hostile tool's side.
func head(b []byte) string {
	const enough = 16 << 10
	return string(b[:min(len(b), enough)])
}

// FirstLine is the first line with text in it, as Clean leaves it.
func FirstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = Clean(line); line != "" {
			return line
		}
	}
	return "(nothing)"
}

// IsPath reports whether a text from a variable or the registry can be a path:
// no control characters, and no longer than Linux's PATH_MAX.
func IsPath(s string) bool {
	const longest = 4096
	return s != "" && len(s) <= longest && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// EnvPath is the path in a variable, "" when it holds none.
func EnvPath(h *host.Host, name string) string {
	if v := h.Env(name); IsPath(v) {
		return v
	}
	return ""
}

// tripletArches are the GOARCHs of the first words of target triplets.
var tripletArches = map[string]string{
	"x86_64": "amd64", "amd64": "amd64", "i386": "386", "i486": "386", "i586": "386", "i686": "386", "mingw32": "386", "aarch64": "arm64", "arm64": "arm64",
	"riscv64": "riscv64", "powerpc64le": "ppc64le", "ppc64le": "ppc64le", "s390x": "s390x", "loongarch64": "loong64", "avr": "avr", "riscv32": "riscv32",
}

// TripletArch is the GOARCH of a target triplet, or its own word for one that Go
// does not know; "" when not known.
func TripletArch(target string) string {
	arch, _, _ := strings.Cut(strings.ToLower(target), "-")
	switch {
	case tripletArches[arch] != "":
		return tripletArches[arch]
	case strings.HasPrefix(arch, "arm"):
		return "arm"
	case strings.HasPrefix(arch, "mips"), strings.HasPrefix(arch, "sparc"), strings.HasPrefix(arch, "powerpc"):
		return arch
	}
	return ""
}

// Containing is the name in the first row whose text a string contains; "" for none.
func Containing(s string, rows [][2]string) string {
	for _, row := range rows {
		if strings.Contains(s, row[0]) {
			return row[1]
		}
	}
	return ""
}

// Set puts a value under a key, "" not at all.
func Set(attrs map[string]string, key, value string) {
	if value != "" {
		attrs[key] = value
	}
}

// AddNew appends the texts that a list does not have, "" apart, up to a bound; 0 is none.
func AddNew(list *[]string, most int, more ...string) {
	for _, s := range more {
		if s != "" && !slices.Contains(*list, s) && (most == 0 || len(*list) < most) {
			*list = append(*list, s)
		}
	}
}

// WindowsArch is how Microsoft's tools name an architecture.
func WindowsArch(goarch string) string {
	return cmp.Or(map[string]string{"amd64": "x64", "386": "x86"}[goarch], goarch) // arm64, arm
}

// SystemRoot is the folder of Windows.
func SystemRoot(h *host.Host) string {
	return cmp.Or(EnvPath(h, "SystemRoot"), `C:\Windows`)
}

// ProgramFiles is the folder of installed programs on Windows.
func ProgramFiles(h *host.Host) string {
	return cmp.Or(EnvPath(h, "ProgramFiles"), `C:\Program Files`)
}

// Hides reports whether an error may hide something: that a thing is not there,
// was not recorded, does not exist on this system, or was no longer waited for
// hides nothing that is known.
func Hides(err error) bool {
	return err != nil && !host.IsNotExist(err) && !slices.ContainsFunc([]error{host.ErrNotRecorded, host.ErrUnsupported, context.Canceled, context.DeadlineExceeded}, func(e error) bool { return errors.Is(err, e) })
}

// Problems are what a probe could not look at.
type Problems []string

// Note keeps an error, unless it says that something is not there or that the probe
// was stopped.
func (p *Problems) Note(ctx context.Context, what string, err error) {
	const most = 20
	if err != nil && !host.IsNotExist(err) && ctx.Err() == nil && len(*p) < most {
		*p = append(*p, what+": "+err.Error())
	}
}

// Facts makes one problem of them, of the components named; nil for none.
func (p Problems) Facts(covers ...string) []facts.Problem {
	if len(p) == 0 {
		return nil
	}
	return []facts.Problem{{Covers: covers, Error: strings.Join(p, "; ")}}
}

// maxText is the most bytes that Clean leaves.
const maxText = 300

// Clean makes one printable line of what a host says: facts are shown on
// terminals and written as JSON, and a hostile host may say anything.
func Clean(s string) string {
	const enough = 4 * maxText
	s = s[:min(len(s), enough)]
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// Parallel calls f for every number below n, some at once, and waits. The error
// says what crashed.
func Parallel(n int, f func(i int)) error { return parallel.Each(n, maxRuns, f) }

// DpkgStatus is dpkg's list of packages.
const DpkgStatus = "/var/lib/dpkg/status"

// Dpkg returns the installed versions of the named Debian packages, as
// /var/lib/dpkg/status states them (deb-version(7), with epoch and revision).
func Dpkg(ctx context.Context, h *host.Host, names ...string) (map[string]string, error) {
	versions := map[string]string{}
	for _, name := range names {
		// The file has a megabyte and more; a stanza some hundred bytes before
		// its dependencies.
		const stanza = 2 << 10
		found, err := h.Search(ctx, DpkgStatus, "Package: "+name+"\n", 4*host.MaxFile, stanza)
		if err != nil {
			return nil, lang.Errorf("look up %s in %s: %w", name, DpkgStatus, err)
		}
		if v := installedVersion(string(found)); v != "" {
			versions[name] = v
		}
	}
	return versions, nil
}

// installedVersion reads one stanza of dpkg's status file; "" when the package
// is not installed (any more).
func installedVersion(text string) string {
	stanza, _, _ := strings.Cut(text, "\n\n")
	installed, version := false, ""
	for line := range strings.SplitSeq(stanza, "\n") {
		if v, ok := strings.CutPrefix(line, "Status: "); ok {
			installed = strings.HasSuffix(strings.TrimSpace(v), " installed")
		}
		if v, ok := strings.CutPrefix(line, "Version: "); ok {
			version = FirstLine(v)
		}
	}
	if !installed {
		return ""
	}
	return version
}

// debVersion takes the leading number out of [epoch:]upstream[-revision].
var debVersion = lazyregexp.New(`^(?:\d+:)?(\d+(?:\.\d+)*)`)

// Upstream is the number in the upstream part of a Debian or RPM-like version:
// what distributions add (2.7.14build2, 2.2.4+deb11u1) would read as a
// pre-release.
func Upstream(version string) string {
	if m := debVersion.FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return version
}

// AppleTool returns the developer tool behind one of macOS's stubs in /usr/bin.
// Without developer tools a stub only offers to install them, in a window.
func AppleTool(ctx context.Context, h *host.Host, name string) (string, bool) {
	var roots []string
	if dir := EnvPath(h, "DEVELOPER_DIR"); dir != "" {
		roots = append(roots, dir)
	}
	if dir, err := h.Resolve(ctx, "/var/db/xcode_select_link"); err == nil {
		roots = append(roots, dir)
	}
	roots = append(roots, "/Library/Developer/CommandLineTools", "/Applications/Xcode.app/Contents/Developer")
	for _, root := range roots {
		for _, dir := range []string{"usr/bin", "Toolchains/XcodeDefault.xctoolchain/usr/bin"} {
			path := h.Join(root, dir, name)
			if info, err := h.Stat(ctx, path); err == nil && info.Exec && !info.Dir {
				return path, true
			}
		}
	}
	return "", false
}

// Sysctl asks macOS for values by name (sysctl(8)). The command names each in its
// answer ("name: value"), so that one that the kernel does not know is only left out.
func Sysctl(ctx context.Context, h *host.Host, names ...string) (map[string]string, facts.Evidence, error) {
	argv := append([]string{"/usr/sbin/sysctl"}, names...)
	out, err := h.Run(ctx, host.Command{Argv: argv})
	if err != nil {
		return nil, facts.Evidence{}, lang.Errorf("run %s: %w", argv[0], err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(out.Stdout)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			values[strings.TrimSpace(name)] = Clean(value)
		}
	}
	return values, facts.Evidence{Kind: "command", Source: strings.Join(argv, " ")}, nil
}

// Version gives a version that hashicorp/go-version reads, or "".
func Version(v string) string {
	if _, err := version.NewVersion(v); err != nil {
		return ""
	}
	return v
}

// Newer reports whether a is a later version than b; what cannot be read is oldest.
func Newer(a, b string) bool {
	va, err := version.NewVersion(a)
	if err != nil {
		return false
	}
	vb, err := version.NewVersion(b)
	return err != nil || va.GreaterThan(vb)
}
