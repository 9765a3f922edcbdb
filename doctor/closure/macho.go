package closure

import (
	"cmp"
	"context"
	"debug/macho"
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// machImage is what dyld reads of one Mach-O file: a slice of it for this machine's
// architecture.
type machImage struct {
	file    string
	needed  []string
	rpaths  []string
	foreign bool   // it has no slice for this architecture
	least   string // the release of macOS that it was built for, or newer (13.3)
}

const (
	maxCommands = 1 << 20 // bytes of load commands
	maxSlices   = 32
	loadDylib   = 0xc // mach-o/loader.h; debug/macho names only some of them
	reexport    = 0x8000001f
	rpathCmd    = 0x8000001c
	segment64   = 0x19
	leastMacOS  = 0x24 // LC_VERSION_MIN_MACOSX
	builtFor    = 0x32 // LC_BUILD_VERSION, of which 1 is the platform macOS
)

var errNoMachO = lang.New("not a Mach-O file that dyld takes")

// fillMac adds the needs that dyld would not satisfy (dyld(1), "Search Paths").
// Libraries of the system are in its shared cache and have no files.
func fillMac(ctx context.Context, h *host.Host, f *facts.Facts) error {
	m := &mac{ctx: ctx, h: h, release: f.OS.Version, images: map[string]*machImage{}, damaged: map[string]facts.FileProblem{}}
	for _, name := range slices.Sorted(maps.Keys(f.Components)) {
		list := f.Components[name]
		for i := range list {
			if !list[i].Active && !hasActive(list) {
				list[i].Needs = append(list[i].Needs, damagedRoot(ctx, h, list[i].Attrs["lib"])...)
			}
			// Python's copies load what they need by themselves, but for OpenCV's one module.
			if !list[i].Active || list[i].Unusable != nil || list[i].Attrs["kind"] != "" && name != "opencv-python" {
				continue
			}
			if needs := m.needs(m.roots(&list[i])); ctx.Err() == nil {
				list[i].Needs = append(list[i].Needs, needs...)
			}
		}
	}
	return ctx.Err()
}

type mac struct {
	ctx     context.Context
	h       *host.Host
	release string                       // of macOS
	images  map[string]*machImage        // nil for what could not be read
	damaged map[string]facts.FileProblem // as of world
	seen    func(Library)                // as of world
}

func (m *mac) tell(name, by, file, state string) {
	if m.seen != nil {
		m.seen(Library{Name: name, File: file, By: by, State: state})
	}
}

func (m *mac) roots(in *facts.Instance) (files []string) {
	a := in.Attrs
	candidates := []string{a["lib"], a["program"]}
	if strings.HasPrefix(path.Base(a["lib"]), "libopencv_") && a["libdir"] != "" {
		for _, part := range in.Has {
			candidates = append(candidates, path.Join(a["libdir"], "libopencv_"+part+".dylib"))
		}
	}
	for _, file := range candidates {
		if !path.IsAbs(file) || strings.HasSuffix(file, ".a") || slices.Contains(files, file) {
			continue
		}
		if m.machImage(file) != nil {
			files = append(files, file)
		} else if what := m.damaged[file]; what != "" {
			in.Needs = append(in.Needs, damaged(m.ctx, m.h, path.Base(file), facts.ByProgram, file, what))
		}
	}
	return files
}

func (m *mac) machImage(file string) *machImage {
	if i, known := m.images[file]; known {
		return i
	}
	if len(m.images) >= maxObjects {
		return nil
	}
	i, err := readMachO(m.ctx, m.h, file)
	if what := problem(err); what != "" {
		m.damaged[file] = what
	}
	if err != nil {
		i = nil
	}
	m.images[file] = i
	return i
}

// loading is an machImage with those that brought it, whose run paths count too.
type loading struct {
	*machImage
	by *loading
}

func (m *mac) needs(roots []string) (out []facts.Need) {
	add := func(n facts.Need) {
		if !slices.ContainsFunc(out, func(o facts.Need) bool { return o.Name == n.Name }) {
			out = append(out, n)
		}
	}
	seen := map[string]bool{}
	var queue []*loading
	for _, file := range roots {
		i := m.machImage(file)
		if i.foreign {
			add(facts.Need{Name: path.Base(file), By: facts.ByProgram, Cause: facts.OtherArch, Found: file})
			continue
		}
		seen[file] = true
		queue = append(queue, &loading{machImage: i})
	}
	for n := 0; n < len(queue) && n < maxObjects; n++ {
		l := queue[n]
		if newerRelease(l.least, m.release) {
			add(facts.Need{Name: path.Base(l.file), By: l.file, Cause: facts.NewerSystem, Found: l.file, Lacks: l.least})
		}
		for _, name := range l.needed {
			if strings.HasPrefix(name, "/usr/lib/") || strings.HasPrefix(name, "/System/") {
				if !seen[name] {
					seen[name] = true
					m.tell(name, l.file, "", System)
				}
				continue
			}
			file, known := m.find(name, l)
			if file == "" {
				m.tell(name, l.file, "", map[bool]string{true: Missing, false: Unknown}[known])
				if known {
					formula, there := m.formula(name)
					add(facts.Need{Name: name, By: l.file, Cause: facts.NotFound, Package: formula, Installed: there})
				}
				continue
			}
			if seen[file] {
				continue
			}
			seen[file] = true
			switch i := m.machImage(file); {
			case i == nil && m.damaged[file] != "":
				m.tell(name, l.file, file, Damaged)
				add(damaged(m.ctx, m.h, name, l.file, file, m.damaged[file]))
			case i == nil:
				m.tell(name, l.file, file, Found)
			case i.foreign:
				m.tell(name, l.file, file, WrongArch)
				add(facts.Need{Name: name, By: l.file, Cause: facts.OtherArch, Found: file})
			default:
				m.tell(name, l.file, file, Found)
				queue = append(queue, &loading{machImage: i, by: l})
			}
		}
	}
	return out
}

// find is the file that dyld takes for a name; known is false when it depends on
// the program that loads it, or could not be looked at.
func (m *mac) find(name string, by *loading) (file string, known bool) {
	known = true
	try := func(file string) bool {
		info, err := m.h.Stat(m.ctx, file)
		if err != nil && !host.IsNotExist(err) {
			known = false
		}
		return err == nil && !info.Dir
	}
	for _, variable := range []string{"DYLD_LIBRARY_PATH"} {
		for dir := range strings.SplitSeq(m.h.Env(variable), ":") {
			if full := path.Join(dir, path.Base(name)); path.IsAbs(dir) && try(full) {
				return full, true
			}
		}
	}
	rest, ofRunPath := strings.CutPrefix(name, "@rpath/")
	switch {
	case ofRunPath:
		for l := by; l != nil; l = l.by {
			for _, dir := range l.rpaths {
				if dir = expandMac(dir, l.file); dir == "" {
					known = false
				} else if try(path.Join(dir, rest)) {
					return path.Join(dir, rest), true
				}
			}
		}
		// A program that loads the library may have run paths of its own.
		if strings.Contains(path.Base(by.file), ".dylib") && len(by.rpaths) == 0 {
			known = false
		}
	default:
		full := expandMac(name, by.file)
		if full == "" {
			return "", false
		}
		if try(full) {
			return full, true
		}
	}
	for _, dir := range []string{"/usr/local/lib"} { // DYLD_FALLBACK_LIBRARY_PATH's default
		if full := path.Join(dir, path.Base(name)); try(full) {
			return full, true
		}
	}
	return "", known
}

// expandMac replaces dyld's variables; "" where the program that is started
// decides.
func expandMac(name, file string) string {
	if rest, ok := strings.CutPrefix(name, "@loader_path"); ok {
		return path.Join(path.Dir(file), rest)
	}
	if strings.HasPrefix(name, "@") || !path.IsAbs(name) {
		return ""
	}
	return name
}

// formula is the Homebrew formula that a path belongs to, and whether Homebrew
// still has it.
func (m *mac) formula(name string) (formula string, there bool) {
	for _, prefix := range []string{"/opt/homebrew/", "/usr/local/"} {
		for _, dir := range []string{"opt/", "Cellar/"} {
			if rest, ok := strings.CutPrefix(name, prefix+dir); ok {
				formula, _, _ = strings.Cut(rest, "/")
				return formula, m.h.Exists(m.ctx, prefix+"Cellar/"+formula)
			}
		}
	}
	return "", false
}

// readMachO reads the load commands of the slice for the host's architecture.
func readMachO(ctx context.Context, h *host.Host, file string) (*machImage, error) {
	real, err := h.Resolve(ctx, file) // @loader_path is that of the file itself
	if err != nil {
		return nil, err
	}
	p := &pages{ctx: ctx, h: h, file: real, have: map[int64][]byte{}}
	want := macho.CpuArm64
	if h.Arch == "amd64" {
		want = macho.CpuAmd64
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	head, err := p.at(0, 8)
	if err != nil {
		return nil, err
	}
	i, at := &machImage{file: real}, uint64(0)
	if binary.BigEndian.Uint32(head) == macho.MagicFat {
		n := binary.BigEndian.Uint32(head[4:])
		if n == 0 || n > maxSlices {
			return nil, errNoMachO // Java's class files have the same first bytes
		}
		table, err := p.at(8, int(n)*20)
		if err != nil {
			return nil, err
		}
		i.foreign = true
		for ; len(table) >= 20; table = table[20:] {
			if macho.Cpu(binary.BigEndian.Uint32(table)) == want {
				i.foreign, at = false, uint64(binary.BigEndian.Uint32(table[8:]))
			}
		}
		if i.foreign {
			return i, nil
		}
	}
	header, err := p.at(at, 32)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if le.Uint32(header) != macho.Magic64 {
		return nil, errNoMachO
	}
	if macho.Cpu(le.Uint32(header[4:])) != want {
		i.foreign = true
		return i, nil
	}
	size := le.Uint32(header[20:])
	if size > maxCommands {
		return nil, errNoMachO
	}
	commands, err := p.at(at+32, int(size))
	if err != nil {
		return nil, err
	}
	end := uint64(0)
	for len(commands) >= 8 {
		cmd, n := le.Uint32(commands), int(le.Uint32(commands[4:]))
		if n < 8 || n > len(commands) {
			return nil, errNoMachO
		}
		i.command(cmd, commands[:n])
		if cmd == segment64 && n >= 56 {
			from, bytes := le.Uint64(commands[40:]), le.Uint64(commands[48:])
			if from < 1<<40 && bytes < 1<<40 { // others are no real file's
				end = max(end, at+from+bytes)
			}
		}
		commands = commands[n:]
	}
	return i, p.whole(end)
}

// newerRelease reports whether a release of macOS comes after the one that runs. Both are
// known, or it is not.
func newerRelease(least, runs string) bool {
	number := func(s string) (n int, ok bool) {
		major, rest, _ := strings.Cut(s, ".")
		minor, _, _ := strings.Cut(rest, ".")
		a, err := strconv.Atoi(major)
		b, errMinor := strconv.Atoi(cmp.Or(minor, "0"))
		return a*1000 + b, err == nil && errMinor == nil
	}
	a, okA := number(least)
	b, okB := number(runs)
	return okA && okB && a > b
}

// command keeps what one load command says; its text begins where it says.
func (i *machImage) command(cmd uint32, body []byte) {
	if len(body) < 12 {
		return
	}
	if release := binary.LittleEndian.Uint32(body[8:]); cmd == leastMacOS {
		i.least = fmt.Sprintf("%d.%d", release>>16, release>>8&0xff)
	} else if cmd == builtFor && release == 1 && len(body) >= 16 {
		release = binary.LittleEndian.Uint32(body[12:])
		i.least = fmt.Sprintf("%d.%d", release>>16, release>>8&0xff)
	}
	start := int(binary.LittleEndian.Uint32(body[8:]))
	if start < 12 || start >= len(body) {
		return
	}
	text, _, _ := strings.Cut(string(body[start:]), "\x00")
	switch cmd {
	case loadDylib, reexport:
		i.needed = append(i.needed, text)
	case rpathCmd:
		i.rpaths = append(i.rpaths, text)
	}
}
