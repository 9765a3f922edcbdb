package host

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// RecordingSchema is the version of the snapshot's JSON form.
const RecordingSchema = 1

// Recording is every question that was asked of a host, with its answer:
// exactly what the probes read, and nothing else.
type Recording struct {
	Schema int       `json:"schema"`
	OS     string    `json:"os"`   // GOOS
	Arch   string    `json:"arch"` // GOARCH
	Time   time.Time `json:"time"`
	// Dir is the folder that deployctl was started in.
	Dir string `json:"dir,omitempty"`
	// Late are the probes that their deadline stopped: they did not ask everything.
	Late []string `json:"late,omitempty"`
	// Closed: what is not in the recording does not exist (hand-written
	// fixtures); otherwise it was not asked.
	Closed bool   `json:"closed,omitempty"`
	CPUID  *CPUID `json:"cpuid,omitempty"`
	// Memory is nil when it was not asked for or could not be told.
	Memory *Memory `json:"memory,omitempty"`
	// Env holds the variables that were asked for; a null was not set.
	Env map[string]*string `json:"env,omitempty"`
	// The keys of the others are paths, registry keys with view, or argv.
	Files    map[string]File `json:"files,omitempty"`
	Searches map[string]File `json:"searches,omitempty"`
	// Ranges are pieces of files; their keys name the offset and the file.
	Ranges   map[string]File       `json:"ranges,omitempty"`
	Dirs     map[string]Listing    `json:"dirs,omitempty"`
	Stats    map[string]StatAnswer `json:"stats,omitempty"`
	Resolved map[string]PathAnswer `json:"resolved,omitempty"`
	Registry map[string]KeyAnswer  `json:"registry,omitempty"`
	Disks    map[string]DiskAnswer `json:"disks,omitempty"`
	Runs     map[string]RunAnswer  `json:"runs,omitempty"`
}

// File is a recorded read.
type File struct {
	Data      []byte `json:"data,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
	Err       string `json:"err,omitempty"`
}

// Listing is a recorded folder.
type Listing struct {
	Entries []Entry `json:"entries,omitempty"`
	Err     string  `json:"err,omitempty"`
}

// StatAnswer is a recorded Stat.
type StatAnswer struct {
	Info Info   `json:"info,omitzero"`
	Err  string `json:"err,omitempty"`
}

// PathAnswer is a recorded Resolve.
type PathAnswer struct {
	Path string `json:"path,omitempty"`
	Err  string `json:"err,omitempty"`
}

// KeyAnswer is a recorded registry key.
type KeyAnswer struct {
	Key Key    `json:"key,omitzero"`
	Err string `json:"err,omitempty"`
}

// DiskAnswer is a recorded Disk.
type DiskAnswer struct {
	Disk Disk   `json:"disk,omitzero"`
	Err  string `json:"err,omitempty"`
}

// RunAnswer is a recorded process.
type RunAnswer struct {
	Output Output `json:"output,omitzero"`
	Err    string `json:"err,omitempty"`
}

// Error kinds as they stand in a recording; any other text is a message.
const (
	errNotExist   = "not exist"
	errPermission = "permission denied"
	errTooLarge   = "too large"
	errUnsup      = "unsupported"
	errDeadline   = "deadline"
)

// oldAbsent are what snapshots made before IsNotExist knew them say of a path
// that names nothing.
var oldAbsent = []string{": not a directory", ": is a directory", ": too many levels of symbolic links", ": file name too long", "too many links"}

func encodeErr(err error) string {
	switch {
	case err == nil:
		return ""
	case IsNotExist(err):
		return errNotExist
	case errors.Is(err, fs.ErrPermission):
		return errPermission
	case errors.Is(err, ErrTooLarge):
		return errTooLarge
	case errors.Is(err, ErrUnsupported):
		return errUnsup
	case errors.Is(err, context.DeadlineExceeded):
		return errDeadline
	}
	return err.Error()
}

// decodeErr is a recorded error: format says what was attempted, with the subject and
// the cause in it.
func decodeErr(format, subject, text string) error {
	var cause error
	switch text {
	case "":
		return nil
	case errNotExist:
		cause = fs.ErrNotExist
	case errPermission:
		cause = fs.ErrPermission
	case errTooLarge:
		cause = ErrTooLarge
	case errUnsup:
		cause = ErrUnsupported
	case errDeadline:
		cause = context.DeadlineExceeded
	default:
		cause = errors.New(text)
		if slices.ContainsFunc(oldAbsent, func(words string) bool { return strings.HasSuffix(text, words) }) {
			cause = fs.ErrNotExist
		} else if strings.Contains(text, subject) {
			return cause // the live host's own words, which say what was attempted
		}
	}
	return lang.Errorf(format, subject, cause)
}

// argvKey is unambiguous for any argv, and readable.
func argvKey(argv []string) string {
	quoted := make([]string, len(argv))
	for i, a := range argv {
		quoted[i] = strconv.Quote(a)
	}
	return strings.Join(quoted, " ")
}

// own replaces the path of deployctl, and of the children that lie beside it as
// deployctl-NAME, by the recording's token: they lie elsewhere on every machine.
func own(goos, self, name string) string {
	if self == "" || name == "" {
		return name
	}
	token := SelfToken(goos)
	if name == self {
		return token
	}
	dir, _ := splitPath(goos, self)
	at, base := splitPath(goos, name)
	if at == dir && strings.HasPrefix(base, "deployctl-") {
		home, _ := splitPath(goos, token)
		return strings.TrimRight(home, `/\`) + name[len(at):]
	}
	return name
}

func regKey(key, view string) string { return view + ":" + strings.ToLower(key) }

// NewRecording returns an empty recording of a platform.
func NewRecording(goos, goarch string, at time.Time) *Recording {
	return &Recording{
		Schema: RecordingSchema, OS: goos, Arch: goarch, Time: at,
		Env: map[string]*string{}, Files: map[string]File{}, Searches: map[string]File{}, Ranges: map[string]File{}, Dirs: map[string]Listing{},
		Stats: map[string]StatAnswer{}, Resolved: map[string]PathAnswer{},
		Registry: map[string]KeyAnswer{}, Disks: map[string]DiskAnswer{}, Runs: map[string]RunAnswer{},
	}
}

// Record returns a host that answers as h does and keeps every answer in the
// returned Recording, which is complete when the probes have ended.
func Record(h *Host) (*Host, *Recording) {
	r := NewRecording(h.OS, h.Arch, h.Now().UTC())
	r.Dir = h.Dir
	return h.With(&recorder{World: h.World, self: h.Self, rec: r}), r
}

type recorder struct {
	World
	self string
	mu   sync.Mutex
	rec  *Recording
}

func keep[T any](r *recorder, m map[string]T, key string, v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m[key] = v
}

func (r *recorder) ReadFile(ctx context.Context, name string, limit int64) ([]byte, bool, error) {
	data, truncated, err := r.World.ReadFile(ctx, name, limit)
	r.mu.Lock()
	defer r.mu.Unlock()
	// Two probes may read different amounts of one file: keep the longer.
	if old, ok := r.rec.Files[name]; !ok || len(data) >= len(old.Data) {
		r.rec.Files[name] = File{Data: data, Truncated: truncated, Err: encodeErr(err)}
	}
	return data, truncated, err
}

func (r *recorder) ReadAt(ctx context.Context, name string, at int64, n int) ([]byte, error) {
	data, err := r.World.ReadAt(ctx, name, at, n)
	r.mu.Lock()
	defer r.mu.Unlock()
	key := rangeKey(name, at)
	if old, ok := r.rec.Ranges[key]; !ok || len(data) >= len(old.Data) {
		r.rec.Ranges[key] = File{Data: data, Err: encodeErr(err)}
	}
	return data, err
}

func rangeKey(name string, at int64) string { return strconv.FormatInt(at, 10) + " of " + name }

func (r *recorder) Search(ctx context.Context, name, marker string, limit int64, want int) ([]byte, error) {
	found, err := r.World.Search(ctx, name, marker, limit, want)
	keep(r, r.rec.Searches, searchKey(name, marker), File{Data: found, Err: encodeErr(err)})
	return found, err
}

// searchKey cannot be mistaken for another file's: a quoted marker has no
// unescaped quote.
func searchKey(name, marker string) string { return strconv.Quote(marker) + " in " + name }

func (r *recorder) ReadDir(ctx context.Context, name string) ([]Entry, error) {
	list, err := r.World.ReadDir(ctx, name)
	keep(r, r.rec.Dirs, name, Listing{list, encodeErr(err)})
	return list, err
}

func (r *recorder) Stat(ctx context.Context, name string) (Info, error) {
	info, err := r.World.Stat(ctx, name)
	keep(r, r.rec.Stats, own(r.rec.OS, r.self, name), StatAnswer{info, encodeErr(err)})
	return info, err
}

func (r *recorder) Resolve(ctx context.Context, name string) (string, error) {
	p, err := r.World.Resolve(ctx, name)
	keep(r, r.rec.Resolved, name, PathAnswer{p, encodeErr(err)})
	return p, err
}

func (r *recorder) Getenv(name string) (string, bool) {
	v, ok := r.World.Getenv(name)
	if ok {
		keep(r, r.rec.Env, name, &v)
	} else {
		keep(r, r.rec.Env, name, nil)
	}
	return v, ok
}

func (r *recorder) Run(ctx context.Context, cmd Command) (Output, error) {
	out, err := r.World.Run(ctx, cmd)
	argv := slices.Clone(cmd.Argv)
	for i := range argv {
		argv[i] = own(r.rec.OS, r.self, argv[i])
	}
	keep(r, r.rec.Runs, argvKey(argv), RunAnswer{out, encodeErr(err)})
	return out, err
}

func (r *recorder) RegistryKey(ctx context.Context, key, view string) (Key, error) {
	k, err := r.World.RegistryKey(ctx, key, view)
	keep(r, r.rec.Registry, regKey(key, view), KeyAnswer{k, encodeErr(err)})
	return k, err
}

func (r *recorder) Disk(ctx context.Context, name string) (Disk, error) {
	d, err := r.World.Disk(ctx, name)
	r.mu.Lock()
	_, asked := r.rec.Disks[name]
	r.mu.Unlock()
	if !asked { // the first answer stays: free space changes while probes look
		keep(r, r.rec.Disks, name, DiskAnswer{d, encodeErr(err)})
	}
	return d, err
}

func (r *recorder) CPUID() (CPUID, error) {
	c, err := r.World.CPUID()
	if err == nil {
		r.mu.Lock()
		r.rec.CPUID = &c
		r.mu.Unlock()
	}
	return c, err
}

func (r *recorder) Memory() (Memory, error) {
	m, err := r.World.Memory()
	if err == nil {
		r.mu.Lock()
		r.rec.Memory = &m
		r.mu.Unlock()
	}
	return m, err
}

// Replay returns a host that answers from the recording. What was not asked
// when it was made is ErrNotRecorded, unless the recording is Closed or shows
// the folder without it: then it does not exist.
func Replay(r *Recording) *Host {
	w := &replay{
		rec: r, files: r.Files, searches: r.Searches, ranges: r.Ranges, dirs: r.Dirs, stats: r.Stats, resolved: r.Resolved, disks: r.Disks, env: r.Env,
		spell: func(s string) string { return s },
	}
	if r.OS == "windows" {
		w.spell = foldPath
		w.files, w.dirs, w.stats = fold(r.Files), fold(r.Dirs), fold(r.Stats)
		w.searches, w.ranges = fold(r.Searches), fold(r.Ranges)
		w.resolved, w.disks, w.env = fold(r.Resolved), fold(r.Disks), fold(r.Env)
	}
	if r.Closed {
		w.links = links(w.resolved, w.spell)
	}
	return &Host{World: w, OS: r.OS, Arch: r.Arch, Self: SelfToken(r.OS), Dir: r.Dir, Late: r.Late}
}

// SelfToken stands for deployctl's own path in recordings, so that a child copy
// asked on one machine is found again under another path.
func SelfToken(goos string) string {
	if goos == "windows" {
		return `C:\deployctl\deployctl.exe`
	}
	return "/deployctl"
}

// replay holds the recording's maps with keys spelt by spell: as they are, or
// folded where the system ignores case and takes both slashes.
type replay struct {
	rec      *Recording
	spell    func(string) string
	files    map[string]File
	searches map[string]File
	ranges   map[string]File
	dirs     map[string]Listing
	stats    map[string]StatAnswer
	resolved map[string]PathAnswer
	disks    map[string]DiskAnswer
	env      map[string]*string
	// links are the targets of the links of a closed recording, which names a file once:
	// it also answers for the paths that lead there through a link to a folder. Others
	// have every path as it was asked.
	links map[string]string
}

// links are the paths that lead elsewhere, and where.
func links(resolved map[string]PathAnswer, spell func(string) string) map[string]string {
	out := map[string]string{}
	for name, a := range resolved {
		if a.Err == "" && spell(a.Path) != name {
			out[name] = a.Path
		}
	}
	return out
}

// real is Recording.Follow, with names as the system compares them.
func (r *replay) real(name string) string {
	return follow(r.rec.OS, name, func(name string) (string, bool) {
		to, ok := r.links[r.spell(name)]
		return to, ok
	})
}

// Follow is a path with the recorded links followed that its folders are, and itself.
func (r *Recording) Follow(name string) string {
	return follow(r.OS, name, func(name string) (string, bool) {
		a, ok := r.Resolved[name]
		return a.Path, ok && a.Err == "" && a.Path != name
	})
}

func follow(goos, name string, link func(name string) (target string, ok bool)) string {
	for range 40 { // as many as the kernel follows
		at := name
		target, ok := link(at)
		for !ok {
			parent, _ := splitPath(goos, at)
			if len(parent) >= len(at) {
				return name
			}
			at = parent
			target, ok = link(at)
		}
		name = target + name[len(at):]
	}
	return name
}

// answer is what a recording has for a path as it is asked, or for the one it leads to.
func answer[T any](r *replay, answers map[string]T, name string, key func(name string) string) (T, bool) {
	a, ok := answers[r.spell(key(name))]
	if !ok && len(r.links) > 0 {
		a, ok = answers[r.spell(key(r.real(name)))]
	}
	return a, ok
}

func itself(name string) string { return name }

func foldPath(p string) string {
	return strings.ToLower(strings.TrimRight(strings.ReplaceAll(p, "/", `\`), `\`))
}

func fold[T any](m map[string]T) map[string]T {
	out := make(map[string]T, len(m))
	for k, v := range m {
		out[foldPath(k)] = v
	}
	return out
}

// absent answers for something that was never asked for.
func (r *replay) absent(op, name string) error {
	missing := &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	if r.rec.Closed {
		return missing
	}
	dir, base := splitPath(r.rec.OS, name)
	l, ok := r.dirs[r.spell(dir)]
	if !ok || l.Err != "" || dir == name {
		return &fs.PathError{Op: op, Path: name, Err: ErrNotRecorded}
	}
	for _, e := range l.Entries {
		if r.spell(e.Name) == r.spell(base) {
			return &fs.PathError{Op: op, Path: name, Err: ErrNotRecorded}
		}
	}
	return missing
}

// Empty records a file of no bytes, where a file without text is one whose content
// is not known.
func (r *Recording) Empty(name string) {
	r.Files[name] = File{}
	r.Ranges[rangeKey(name, 0)] = File{}
	r.Stats[name] = StatAnswer{Info: Info{ModTime: r.Time}}
}

// splitPath cuts a path into its folder and last element; the folder of a root
// is the root itself.
func splitPath(goos, name string) (dir, base string) {
	if goos != "windows" {
		return path.Dir(name), path.Base(name)
	}
	name = strings.ReplaceAll(name, "/", `\`)
	i := strings.LastIndex(strings.TrimRight(name, `\`), `\`)
	switch {
	case i < 0:
		return name, ""
	case i == 2: // C:\x
		return name[:3], name[3:]
	}
	return name[:i], name[i+1:]
}

func (r *replay) ReadFile(ctx context.Context, name string, limit int64) ([]byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	f, ok := answer(r, r.files, name, itself)
	if !ok {
		return nil, false, r.absent("read", name)
	}
	if err := decodeErr("read %s: %w", name, f.Err); err != nil {
		return nil, false, err
	}
	if int64(len(f.Data)) > limit {
		return f.Data[:limit], true, nil
	}
	return f.Data, f.Truncated, nil
}

func (r *replay) ReadAt(ctx context.Context, name string, at int64, n int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f, ok := answer(r, r.ranges, name, func(name string) string { return rangeKey(name, at) }); ok {
		return f.Data[:min(len(f.Data), n)], decodeErr("read %s: %w", name, f.Err)
	}
	// Older snapshots were made in pieces of 16 KB, where pieces of 4 KB are asked for
	// now. What is no longer than that may be a shorter piece, not the end of its file.
	const piece, now = 16 << 10, 4 << 10
	into := int(at % piece)
	if f, ok := answer(r, r.ranges, name, func(name string) string { return rangeKey(name, at-int64(into)) }); ok && into < len(f.Data) && len(f.Data) > now {
		return f.Data[into:min(len(f.Data), into+n)], nil
	}
	// A fixture names whole files.
	f, ok := answer(r, r.files, name, itself)
	if !ok || f.Truncated {
		return nil, r.absent("read", name)
	}
	if err := decodeErr("read %s: %w", name, f.Err); err != nil {
		return nil, err
	}
	if len(f.Data) == 0 {
		return nil, lang.Errorf("read %s: %w", name, ErrNotRecorded) // a name without text: what is in it is not known
	}
	from := min(max(at, 0), int64(len(f.Data)))
	return f.Data[from:min(int64(len(f.Data)), from+int64(n))], nil
}

func (r *replay) Search(ctx context.Context, name, marker string, limit int64, want int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f, ok := answer(r, r.searches, name, func(name string) string { return searchKey(name, marker) }); ok {
		return f.Data[:min(len(f.Data), want)], decodeErr("search %s: %w", name, f.Err)
	}
	// A fixture names whole files.
	f, ok := answer(r, r.files, name, itself)
	if !ok || f.Truncated {
		return nil, r.absent("search", name)
	}
	if err := decodeErr("search %s: %w", name, f.Err); err != nil {
		return nil, err
	}
	return searchIn(ctx, bytes.NewReader(f.Data), limit, marker, want)
}

func (r *replay) ReadDir(ctx context.Context, name string) ([]Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, ok := answer(r, r.dirs, name, itself)
	if !ok {
		return nil, r.absent("list", name)
	}
	return l.Entries, decodeErr("list %s: %w", name, l.Err)
}

func (r *replay) Stat(ctx context.Context, name string) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	if s, ok := answer(r, r.stats, name, itself); ok {
		return s.Info, decodeErr("stat %s: %w", name, s.Err)
	}
	return Info{}, r.absent("stat", name)
}

func (r *replay) Resolve(ctx context.Context, name string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if p, ok := answer(r, r.resolved, name, itself); ok {
		return p.Path, decodeErr("resolve %s: %w", name, p.Err)
	}
	return "", r.absent("resolve", name)
}

func (r *replay) Getenv(name string) (string, bool) {
	if v := r.env[r.spell(name)]; v != nil {
		return *v, true
	}
	return "", false
}

func (r *replay) Run(ctx context.Context, cmd Command) (Output, error) {
	if err := ctx.Err(); err != nil {
		return Output{}, err
	}
	a, ok := r.rec.Runs[argvKey(cmd.Argv)]
	if !ok && len(r.links) > 0 {
		a, ok = r.rec.Runs[argvKey(append([]string{r.real(cmd.Argv[0])}, cmd.Argv[1:]...))]
	}
	if ok {
		return a.Output, decodeErr("run %s: %w", cmd.Argv[0], a.Err)
	}
	return Output{}, r.absent("run", strings.Join(cmd.Argv, " "))
}

func (r *replay) RegistryKey(ctx context.Context, key, view string) (Key, error) {
	if err := ctx.Err(); err != nil {
		return Key{}, err
	}
	if k, ok := r.rec.Registry[regKey(key, view)]; ok {
		return k.Key, decodeErr("registry key %s: %w", key, k.Err)
	}
	if r.rec.OS != "windows" {
		return Key{}, lang.Errorf("registry key %s: %w", key, ErrUnsupported)
	}
	return Key{}, r.absent("open registry key", key)
}

func (r *replay) Disk(ctx context.Context, name string) (Disk, error) {
	if err := ctx.Err(); err != nil {
		return Disk{}, err
	}
	// As on a live host, a path is on the file system of its nearest parent.
	for at := r.real(name); ; {
		if d, ok := r.disks[r.spell(at)]; ok {
			return d.Disk, decodeErr("disk of %s: %w", name, d.Err)
		}
		parent, _ := splitPath(r.rec.OS, at)
		if parent == at {
			return Disk{}, r.absent("disk of", name)
		}
		at = parent
	}
}

func (r *replay) CPUID() (CPUID, error) {
	if r.rec.CPUID == nil {
		return CPUID{}, lang.Errorf("cpuid: %w", ErrNotRecorded)
	}
	return *r.rec.CPUID, nil
}

func (r *replay) Memory() (Memory, error) {
	if r.rec.Memory == nil {
		return Memory{}, lang.Errorf("memory: %w", ErrNotRecorded)
	}
	return *r.rec.Memory, nil
}

func (r *replay) Now() time.Time { return r.rec.Time }

// Complete fills in what follows from the recorded files alone (parents that
// list their children, sizes, links) and closes the recording. Hand-written
// fixtures use it so that they need to name files only.
func (r *Recording) Complete() {
	r.Closed = true
	children := map[string]map[string]Entry{}
	climb := func(p string, dir, link bool) {
		for {
			parent, base := splitPath(r.OS, p)
			if parent == p || base == "" {
				return
			}
			if children[parent] == nil {
				children[parent] = map[string]Entry{}
			}
			if _, ok := children[parent][base]; !ok {
				children[parent][base] = Entry{Name: base, Dir: dir, Link: link}
			}
			p, dir, link = parent, true, false
		}
	}
	for p, a := range r.Resolved {
		if a.Err == "" && a.Path != p {
			climb(p, r.Stats[p].Info.Dir, true)
		}
	}
	for p, f := range r.Files {
		if f.Err == errNotExist {
			continue
		}
		climb(p, false, false)
		if _, ok := r.Stats[p]; !ok {
			r.Stats[p] = StatAnswer{Info: Info{Size: int64(len(f.Data)), ModTime: r.Time}}
		}
	}
	for p, s := range r.Stats {
		if s.Err == "" {
			climb(p, s.Info.Dir, false)
		}
	}
	for p, l := range r.Dirs {
		if l.Err == "" {
			climb(p, true, false)
		}
	}
	for dir, names := range children {
		if l, ok := r.Dirs[dir]; ok && (l.Err != "" || len(l.Entries) > 0) {
			continue
		}
		list := make([]Entry, 0, len(names))
		for _, e := range names {
			list = append(list, e)
		}
		sort.Slice(list, func(a, b int) bool { return list[a].Name < list[b].Name })
		r.Dirs[dir] = Listing{Entries: list}
		r.Stats[dir] = StatAnswer{Info: Info{Dir: true, ModTime: r.Time}}
	}
	for p, s := range r.Stats {
		if _, ok := r.Resolved[p]; !ok && s.Err == "" {
			r.Resolved[p] = PathAnswer{Path: p}
		}
	}
}
