// Package host is the machine being looked at: its files, environment,
// processes, registry, CPU identification and clock, behind one value.
//
// A Host is live (this machine), recording (live, and every answer is kept) or
// replaying (answers come from a Recording made elsewhere). A probe cannot tell
// which, so a Windows machine is diagnosed on Linux by the same code.
//
// The package must never judge what it reads, must never write to the machine
// it looks at, and imports nothing of deployctl.
package host

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Limits that keep a hostile machine from exhausting ours.
const (
	// MaxFile is the most bytes ReadFile returns; a longer file is ErrTooLarge.
	MaxFile = 16 << 20
	// MaxOutput is the most bytes kept of each of a command's two streams.
	MaxOutput = 4 << 20
	// MaxEntries is the most names ReadDir returns; a larger folder is ErrTooLarge.
	MaxEntries = 50_000
	// maxPathDirs bounds how many PATH entries LookPath visits.
	maxPathDirs = 2_000
)

var (
	// ErrTooLarge marks a file, folder or stream beyond the limits above.
	ErrTooLarge = lang.New("larger than deployctl reads")
	// ErrNotRecorded marks a question that a replayed host was never asked.
	ErrNotRecorded = lang.New("not in the snapshot")
	// ErrNotRegular marks a device, a pipe or a socket, which need not have an end.
	ErrNotRegular = lang.New("not a regular file")
	// ErrUnsupported marks a question that this kind of host has no answer to
	// (a registry on Linux).
	ErrUnsupported = lang.New("not available on this system")
)

// World answers questions about one machine. Paths are absolute and in the
// machine's own form. Implementations are safe for concurrent use.
type World interface {
	// ReadFile returns at most limit bytes from the start of the file.
	ReadFile(ctx context.Context, name string, limit int64) (data []byte, truncated bool, err error)
	// ReadAt returns up to n bytes of the file from an offset on, fewer at its
	// end: a library's headers are read without its code.
	ReadAt(ctx context.Context, name string, at int64, n int) ([]byte, error)
	// Search looks for the first occurrence of marker in the file's first limit
	// bytes and returns up to want bytes from there on, nil when it is not
	// there. It is how a text inside a large library is read: the file is
	// streamed, and only the answer is kept in a recording.
	Search(ctx context.Context, name, marker string, limit int64, want int) ([]byte, error)
	// ReadDir lists a folder, sorted by name.
	ReadDir(ctx context.Context, name string) ([]Entry, error)
	// Stat follows links.
	Stat(ctx context.Context, name string) (Info, error)
	// Resolve returns the path after following every link.
	Resolve(ctx context.Context, name string) (string, error)
	Getenv(name string) (string, bool)
	// Run executes a command; its whole process group dies with ctx.
	Run(ctx context.Context, cmd Command) (Output, error)
	// RegistryKey opens HKLM\… or HKCU\… in the given view ("64" or "32").
	RegistryKey(ctx context.Context, key, view string) (Key, error)
	// Disk reports the file system that holds the path (or its nearest existing parent).
	Disk(ctx context.Context, name string) (Disk, error)
	// CPUID returns what the processor says of itself to this process.
	CPUID() (CPUID, error)
	// Memory asks the kernel for the machine's memory, where no file says it.
	Memory() (Memory, error)
	Now() time.Time
}

// Entry is one name in a folder.
type Entry struct {
	Name string `json:"name"`
	// Dir and Link describe the entry itself (a link is not followed).
	Dir  bool `json:"dir,omitempty"`
	Link bool `json:"link,omitempty"`
}

// Info describes a file after following links.
type Info struct {
	Size int64 `json:"size"`
	Dir  bool  `json:"dir,omitempty"`
	// Exec: some execute bit is set (on Windows: the extension is executable).
	Exec bool `json:"exec,omitempty"`
	// Alias is the program that an app execution alias of Windows starts: a file
	// without content (a reparse point) in a user's WindowsApps folder.
	Alias string `json:"alias,omitempty"`
	// Denied: it is a device that this user may not both read and write; Group is
	// the number of the group that it belongs to.
	Denied  bool      `json:"denied,omitempty"`
	Group   uint32    `json:"group,omitempty"`
	ModTime time.Time `json:"mtime,omitzero"`
}

// Command is an argv, never a shell line.
type Command struct {
	// Argv[0] is an absolute path in the host's form.
	Argv []string
	// Env is added to (and overrides) the inherited environment, as K=V.
	Env []string
	// Stdin, when not nil, is fed to the process; otherwise it reads nothing.
	Stdin []byte
	Dir   string
}

// Output is what a process left behind. A non-zero Exit is not an error of Run.
type Output struct {
	Stdout []byte `json:"stdout,omitempty"`
	Stderr []byte `json:"stderr,omitempty"`
	// Exit is the exit status (on Windows the NTSTATUS for a crash), -1 when
	// a signal ended the process.
	Exit int `json:"exit"`
	// Signal names the signal that ended the process, "" if none.
	Signal string `json:"signal,omitempty"`
	// Truncated: a stream was longer than MaxOutput.
	Truncated bool `json:"truncated,omitempty"`
}

// Key is one registry key.
type Key struct {
	Values  map[string]Value `json:"values,omitempty"`
	Subkeys []string         `json:"subkeys,omitempty"`
}

// Value is the value of a name, and whether there is one. Names ignore case, as
// everything in the registry does.
func (k Key) Value(name string) (Value, bool) {
	for n, v := range k.Values {
		if strings.EqualFold(n, name) {
			return v, true
		}
	}
	return Value{}, false
}

// Value is one registry value. String holds REG_SZ, REG_EXPAND_SZ and
// REG_MULTI_SZ (joined by newlines); Int holds REG_DWORD and REG_QWORD.
type Value struct {
	String string `json:"s,omitempty"`
	Int    uint64 `json:"i,omitempty"`
}

// Disk is the room on one file system, in bytes.
type Disk struct {
	Total uint64 `json:"total"`
	Free  uint64 `json:"free"` // to an unprivileged user
	// Kind is the file system's name where known (ext4, tmpfs, NTFS).
	Kind     string `json:"kind,omitempty"`
	ReadOnly bool   `json:"readonly,omitempty"`
	// NoInodes: no file can be made, however much room there is. False on file
	// systems that make inodes as they need them.
	NoInodes bool `json:"no_inodes,omitempty"`
	// ID is equal for folders of one file system, "" where that is unknown. A
	// recording does not keep it: it means nothing on another machine.
	ID string `json:"-"`
}

// Memory is the machine's memory in bytes, before any container's limit.
type Memory struct {
	Total uint64 `json:"total"`
	// Available is what could be had without swapping; 0 when not told.
	Available uint64 `json:"available,omitempty"`
	Swap      uint64 `json:"swap,omitempty"`
}

// CPUID is the processor's own identification as seen by a user process.
type CPUID struct {
	Vendor   string   `json:"vendor"`
	Model    string   `json:"model"`
	Family   int      `json:"family,omitempty"`
	ModelNum int      `json:"model_num,omitempty"`
	Stepping int      `json:"stepping,omitempty"`
	Features []string `json:"features"` // lower case, this package's source's names
	Logical  int      `json:"logical"`
	Physical int      `json:"physical,omitempty"`
	Hz       int64    `json:"hz,omitempty"`
	BoostHz  int64    `json:"boost_hz,omitempty"`
	// CacheLine and L1D, L2, L3 are bytes; 0 when unknown.
	L1D int `json:"l1d,omitempty"`
	L2  int `json:"l2,omitempty"`
	L3  int `json:"l3,omitempty"`
}

// Host is a World together with the platform it runs.
type Host struct {
	World
	// OS and Arch are GOOS and GOARCH of the machine looked at, which may not
	// be this process's.
	OS, Arch string
	// Self is the path of this deployctl for probes that ask a child copy of
	// it ("" when no child may be started: a replay finds the recorded answer).
	Self string
	// SystemDirs replace the folders of SystemPath; nil is the usual ones.
	SystemDirs []string
	// Dir is the folder that deployctl was started in; "" where it is not known
	// or was not recorded.
	Dir string
	// Late are the probes that their deadline stopped when this machine was recorded.
	Late []string
}

// With returns the same machine seen through another World.
func (h *Host) With(w World) *Host {
	out := *h
	out.World = w
	return &out
}

// Windows reports whether paths and lookups follow Windows rules.
func (h *Host) Windows() bool { return h.OS == "windows" }

// Join joins path elements in the host's form.
func (h *Host) Join(elem ...string) string {
	if h.Windows() {
		joined := strings.ReplaceAll(strings.Join(elem, `\`), "/", `\`)
		for strings.Contains(joined[min(1, len(joined)):], `\\`) {
			joined = joined[:1] + strings.ReplaceAll(joined[1:], `\\`, `\`)
		}
		return joined
	}
	return path.Join(elem...)
}

// Base returns the last element of a path in the host's form.
func (h *Host) Base(name string) string {
	if h.Windows() {
		name = strings.ReplaceAll(name, `\`, "/")
	}
	return path.Base(name)
}

// DirOf returns all but the last element of a path in the host's form.
func (h *Host) DirOf(name string) string {
	if h.Windows() {
		if i := strings.LastIndexAny(name, `\/`); i >= 0 {
			return name[:i]
		}
		return "."
	}
	return path.Dir(name)
}

// Text reads a whole text file of at most MaxFile bytes.
func (h *Host) Text(ctx context.Context, name string) (string, error) {
	data, truncated, err := h.ReadFile(ctx, name, MaxFile)
	if err != nil {
		return "", lang.Errorf("read %s: %w", name, err)
	}
	if truncated {
		return "", lang.Errorf("read %s: %w", name, ErrTooLarge)
	}
	return string(data), nil
}

// Exists reports whether the path names anything that can be seen.
func (h *Host) Exists(ctx context.Context, name string) bool {
	_, err := h.Stat(ctx, name)
	return err == nil
}

// Real is a path with every link followed, and the path itself where that fails.
func (h *Host) Real(ctx context.Context, name string) string {
	if real, err := h.Resolve(ctx, name); err == nil {
		return real
	}
	return name
}

// Env returns the variable or "".
func (h *Host) Env(name string) string {
	v, _ := h.Getenv(name)
	return v
}

// PathDirs returns the folders of PATH in lookup order, without repeats. Relative
// entries, which mean another folder to every process, are left out.
func (h *Host) PathDirs() []string {
	sep := ":"
	if h.Windows() {
		sep = ";"
	}
	var dirs []string
	seen := map[string]bool{}
	for _, dir := range strings.Split(h.Env("PATH"), sep) {
		dir = strings.Trim(dir, `"`)
		key := dir
		if h.Windows() {
			key = strings.ToLower(strings.TrimRight(dir, `\/`))
		} else if dir != "" {
			dir = path.Clean(dir) // /usr/bin/ is /usr/bin
			key = dir
		}
		if !h.isAbs(dir) || seen[key] {
			continue
		}
		seen[key] = true
		dirs = append(dirs, dir)
		if len(dirs) == maxPathDirs {
			break
		}
	}
	return dirs
}

func (h *Host) isAbs(dir string) bool {
	if !h.Windows() {
		return path.IsAbs(dir)
	}
	return len(dir) > 2 && dir[1] == ':' && (dir[2] == '\\' || dir[2] == '/') || strings.HasPrefix(dir, `\\`)
}

// LookPath returns every executable of that name on PATH, in lookup order:
// the first is the one a shell would run. Copies that are links to an earlier
// one are left out.
func (h *Host) LookPath(ctx context.Context, name string) []string {
	names := []string{name}
	if h.Windows() && !strings.Contains(name, ".") {
		names = nil
		exts := h.Env("PATHEXT")
		if exts == "" {
			exts = ".COM;.EXE;.BAT;.CMD"
		}
		for _, ext := range strings.Split(exts, ";") {
			names = append(names, name+strings.ToLower(ext))
		}
	}
	var found []string
	seen := map[string]bool{}
	for _, dir := range h.PathDirs() {
		for _, n := range names {
			if ctx.Err() != nil {
				return found
			}
			full := h.Join(dir, n)
			info, err := h.Stat(ctx, full)
			if err != nil || info.Dir || !info.Exec {
				continue
			}
			real, err := h.Resolve(ctx, full)
			if err != nil {
				real = full
			}
			if !seen[real] {
				seen[real] = true
				found = append(found, full)
			}
		}
	}
	return found
}

// Glob returns the paths below dir whose last element matches the pattern
// (path.Match syntax), sorted; a folder that cannot be read yields none.
func (h *Host) Glob(ctx context.Context, dir, pattern string) []string {
	entries, err := h.ReadDir(ctx, dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		name, pat := e.Name, pattern
		if h.Windows() {
			name, pat = strings.ToLower(name), strings.ToLower(pat)
		}
		if ok, _ := path.Match(pat, name); ok {
			out = append(out, h.Join(dir, e.Name))
		}
	}
	return out
}

// errDevice marks a device where a file was to be read. A variable that names
// /dev/null is how people say that there shall be none.
var errDevice = &device{lang.New("not a regular file but a device")}

// device is an error that is ErrNotRegular, too.
type device struct{ error }

func (*device) Is(target error) bool { return target == ErrNotRegular }

// IsNotExist reports whether the error says that the path names nothing of the
// kind that was asked for (as opposed to something that cannot be read). A path
// below a file is one: /opt/cuda.run/version.json.
func IsNotExist(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errDevice) || slices.ContainsFunc(absent, func(a error) bool { return errors.Is(err, a) })
}
