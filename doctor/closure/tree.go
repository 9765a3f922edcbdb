package closure

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/doctor/probe/opencv"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// States of a library.
const (
	// Found: the loader takes File.
	Found = "found"
	// System: the system or its loader provides it without a file of its own, or
	// every system of that kind has it.
	System = "system"
	// Missing: the loader does not find it.
	Missing = "missing"
	// WrongArch: File is for another architecture.
	WrongArch = "wrong-arch"
	// Damaged: File is no library, or not all of one.
	Damaged = "damaged"
	// TooOld: File lacks a version that is asked for.
	TooOld = "too-old"
	// Unknown: a place could not be looked at, or the file is for another system than
	// this machine's, which has to bring the library.
	Unknown = "unknown"
)

// Library is one library that a file, or one that it loads, asks for.
type Library struct {
	Name string `json:"name"` // as it is asked for
	// File is what the loader takes, or another file of that name that it cannot
	// use; "" for none.
	File string `json:"file,omitempty"`
	By   string `json:"by"` // the file that asks for it first
	// Through is what led there: RPATH, RUNPATH, LD_LIBRARY_PATH, ldconfig, default.
	Through string `json:"through,omitempty"`
	State   string `json:"state"`
	// Delay: it is loaded when it is first called.
	Delay bool `json:"delay,omitempty"`
	// Supply is the product that brings it, where it was not found; "" for unknown.
	Supply string `json:"supply,omitempty"`
}

// Tree is what a program or library loads at its start, in the loader's order.
type Tree struct {
	File   string `json:"file"`
	Format string `json:"format"` // elf, pe, mach-o
	System string `json:"system"` // linux, windows, darwin
	Arch   string `json:"arch"`   // GOARCH; several of a universal file by commas
	// Here: this machine runs such files, so that what is missing here is missing.
	Here bool `json:"here"`
	// Libraries are all that is asked for, in the order in which it is loaded.
	Libraries []Library `json:"libraries"`
	// Needs are those that the loader would not give as they should be, the first one
	// first.
	Needs []facts.Need `json:"needs"`
	// Requires has the newest version of each family of symbols that the file itself
	// asks for (GLIBC → 2.28), and on macOS the release (macos → 11.0).
	Requires map[string]string `json:"requires,omitempty"`
	// CPU are the instruction sets, or a level of them, that it was built for; nil
	// where that is not known.
	CPU []string `json:"cpu,omitempty"`
	// Linker is the version of MSVC's linker that made it (14.40).
	Linker string `json:"linker,omitempty"`
}

// ErrFormat is that of a file that no loader takes.
var ErrFormat = lang.New("not an executable or shared library: it begins like neither ELF, PE nor Mach-O")

// Of reads what a file loads, as the loader of its system would find it on this
// machine: with the environment that programs here have. On another system's machine
// only the file's own folders are searched.
func Of(ctx context.Context, h *host.Host, file string) (*Tree, error) {
	head, err := h.ReadAt(ctx, file, 0, 8)
	if err != nil {
		return nil, err
	}
	t := &Tree{File: file, Libraries: []Library{}, Needs: []facts.Need{}}
	switch {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		err = t.ofELF(ctx, h)
	case bytes.HasPrefix(head, []byte("MZ")):
		err = t.ofPE(ctx, h)
	case len(head) == 8 && (binary.BigEndian.Uint32(head) == macho.MagicFat || binary.LittleEndian.Uint32(head) == macho.Magic64):
		err = t.ofMachO(ctx, h)
	default:
		err = ErrFormat
	}
	if err != nil {
		return nil, err
	}
	t.settle()
	t.cpu(ctx, h)
	return t, ctx.Err()
}

// settle marks what other needs say of a library, and what only the machine that the
// file is for can tell.
func (t *Tree) settle() {
	for i := range t.Libraries {
		l := &t.Libraries[i]
		for _, n := range t.Needs {
			if n.Name == l.Name && n.Cause == facts.TooOld && l.State == Found {
				l.State = TooOld
			}
			if n.Name == l.Name && n.Cause == facts.Damaged {
				l.State = Damaged
			}
		}
		if !t.Here && l.State == Missing {
			l.State = Unknown
		}
	}
	if !t.Here { // what it must bring is not missing
		t.Needs = slices.DeleteFunc(t.Needs, func(n facts.Need) bool {
			return n.Cause == facts.NotFound || n.Cause == facts.FromDriver || n.Cause == facts.OnCall || n.Cause == facts.NewerSystem
		})
	}
	// What is loaded at the start comes before what is loaded on call.
	slices.SortStableFunc(t.Needs, func(a, b facts.Need) int {
		late := func(n facts.Need) int {
			if n.Cause == facts.OnCall {
				return 1
			}
			return 0
		}
		return cmp.Compare(late(a), late(b))
	})
}

func (t *Tree) see(l Library) {
	same := func(o Library) bool { return o.Name == l.Name }
	if t.Format == "pe" {
		same = func(o Library) bool { return strings.EqualFold(o.Name, l.Name) }
	}
	if !slices.ContainsFunc(t.Libraries, same) {
		t.Libraries = append(t.Libraries, l)
	}
}

func (t *Tree) ofELF(ctx context.Context, h *host.Host) error {
	o, err := readObject(ctx, h, t.File)
	if err != nil {
		return fileError(err)
	}
	t.Format, t.System, t.Arch = "elf", "linux", archOfELF(o)
	native := *h
	if t.Arch != "" {
		native.Arch = t.Arch // the cache's entries and folders of that architecture
	}
	w := &world{ctx: ctx, h: &native, arch: cmp.Or(t.Arch, h.Arch), objects: map[string]*object{t.File: o}, damaged: map[string]facts.FileProblem{}, stats: map[string]presence{}, first: map[string]string{}}
	w.libs = loader.Without(&native)
	if h.OS == "linux" {
		w.libs = loader.Open(ctx, &native)
		t.Here = w.libs.Musl || slices.ContainsFunc(loader.Loaders(t.Arch), func(f string) bool { return h.Exists(ctx, f) })
	}
	for _, e := range slices.Backward(w.libs.Cache) {
		w.first[e.Soname] = e.Path
	}
	w.seen = t.see
	t.Needs = append(t.Needs, w.needs(&facts.Instance{}, []string{t.File})...)
	t.Requires = map[string]string{}
	for _, want := range o.wants {
		for _, v := range want.versions {
			family, number, ok := strings.Cut(v, "_")
			if !ok || number == "" || number[0] < '0' || number[0] > '9' {
				continue
			}
			if have := t.Requires[family]; have == "" || byVersion(family+"_"+have, v) < 0 {
				t.Requires[family] = number
			}
		}
	}
	return w.crashed
}

// archOfELF is the GOARCH of a file, "" for one without a name there.
func archOfELF(o *object) string {
	switch o.machine {
	case elf.EM_PPC64:
		return map[elf.Data]string{elf.ELFDATA2LSB: "ppc64le", elf.ELFDATA2MSB: "ppc64"}[o.data]
	case elf.EM_S390:
		return "s390x"
	case elf.EM_LOONGARCH:
		return "loong64"
	case elf.EM_RISCV:
		return "riscv64"
	}
	for name, m := range machines {
		if m.code == o.machine {
			return name
		}
	}
	return ""
}

func (t *Tree) ofPE(ctx context.Context, h *host.Host) error {
	t.Format, t.System, t.Here = "pe", "windows", h.Windows()
	version := ""
	w := newDesk(ctx, h, version)
	w.delays, w.seen = true, t.see
	if h.Windows() {
		w.knownDLLs()
	}
	o, err := readImage(ctx, h, t.File, true)
	if err != nil {
		return fileError(err)
	}
	t.Arch = map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_I386: "386", pe.IMAGE_FILE_MACHINE_ARM64: "arm64", pe.IMAGE_FILE_MACHINE_ARMNT: "arm"}[o.machine]
	t.Linker = o.linker
	needs, _ := w.needs([]string{t.File})
	t.Needs = append(t.Needs, needs...)
	return nil
}

func (t *Tree) ofMachO(ctx context.Context, h *host.Host) error {
	t.Format, t.System, t.Here = "mach-o", "darwin", h.OS == "darwin"
	archs, err := slicesOf(ctx, h, t.File)
	if err != nil {
		return fileError(err)
	}
	t.Arch = strings.Join(archs, ",")
	native := *h
	if len(archs) > 0 && !slices.Contains(archs, h.Arch) {
		native.Arch, t.Here = archs[0], false
	}
	m := &mac{ctx: ctx, h: &native, images: map[string]*machImage{}, damaged: map[string]facts.FileProblem{}, seen: t.see}
	i := m.machImage(t.File)
	if i == nil {
		_, err := readMachO(ctx, &native, t.File)
		return fileError(cmp.Or(err, errNoMachO))
	}
	t.Needs = append(t.Needs, m.needs([]string{t.File})...)
	if i.least != "" {
		t.Requires = map[string]string{"macos": i.least}
	}
	return nil
}

// slicesOf are the architectures of a Mach-O file, as GOARCH.
func slicesOf(ctx context.Context, h *host.Host, file string) (archs []string, err error) {
	names := map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64", macho.Cpu386: "386", macho.CpuArm: "arm"}
	head, err := h.ReadAt(ctx, file, 0, 8+20*maxSlices)
	if err != nil {
		return nil, err
	}
	if len(head) < 8 {
		return nil, errNoMachO
	}
	if binary.BigEndian.Uint32(head) != macho.MagicFat {
		return []string{cmp.Or(names[macho.Cpu(binary.LittleEndian.Uint32(head[4:]))], "unknown")}, nil
	}
	n := binary.BigEndian.Uint32(head[4:])
	if n == 0 || n > maxSlices {
		return nil, errNoMachO // a class file of Java
	}
	for i := range int(n) {
		if at := 8 + 20*i; at+4 <= len(head) {
			archs = append(archs, cmp.Or(names[macho.Cpu(binary.BigEndian.Uint32(head[at:]))], "unknown"))
		}
	}
	return archs, nil
}

// fileError says what is wrong with a file in words for people.
func fileError(err error) error {
	switch what := problem(err); what {
	case "":
		return err
	case facts.EmptyFile:
		return lang.Errorf("the file is empty")
	case facts.CutShort:
		return lang.Errorf("the file is cut short: its end is missing. Download or copy it again")
	case facts.LFSPointer:
		return lang.Errorf("the file is a Git LFS pointer, not the library that it stands for. Run git lfs pull")
	case facts.LinkText:
		return lang.Errorf("the file is a text with the name of another library, where a link should be. Unpack it again with a program that keeps links")
	case facts.WebPage:
		return lang.Errorf("the file is a web page or a server's error message, not a library. Download it again")
	default:
		return lang.Errorf("the file is damaged (%s): %w", what, err)
	}
}

// cpu reads what the file was built for: the note that linkers for x86 leave, or what
// OpenCV's build information says.
func (t *Tree) cpu(ctx context.Context, h *host.Host) {
	if t.Format == "elf" && t.Arch == "amd64" {
		if level := isaLevel(ctx, h, t.File); level != "" {
			t.CPU = []string{level}
		}
	}
	if strings.Contains(strings.ToLower(path.Base(strings.ReplaceAll(t.File, `\`, "/"))), "opencv") || strings.Contains(t.File, "cv2") {
		if info, ok, err := opencv.ReadBuildInfo(ctx, h, t.File); err == nil && ok {
			var built facts.Built
			if info.Built(t.Arch, &built); len(built.CPU) > 0 {
				t.CPU = built.CPU
			}
		}
	}
}

// isaLevel is the level of x86-64 that a file's property note says it needs (x86-64
// psABI, "GNU_PROPERTY_X86_ISA_1_NEEDED": 1 baseline, 2 v2, 4 v3, 8 v4); "" where it
// says none, or the baseline.
func isaLevel(ctx context.Context, h *host.Host, file string) string {
	r := &reader{pages: pages{ctx: ctx, h: h, file: file, have: map[int64][]byte{}}}
	if _, err := r.header(); err != nil || r.property.size == 0 || r.property.size > pageSize {
		return ""
	}
	note, err := r.at(r.property.off, int(r.property.size))
	if err != nil || len(note) < 16 || string(note[12:16]) != "GNU\x00" {
		return ""
	}
	const isaNeeded = 0xc0008002
	for note = note[16:]; len(note) >= 12; {
		kind, size := r.order.Uint32(note), r.order.Uint32(note[4:])
		if kind == isaNeeded && size >= 4 {
			bits := r.order.Uint32(note[8:])
			for i := 3; i > 0; i-- {
				if bits&(1<<i) != 0 {
					return fmt.Sprintf("x86-64-v%d", i+1)
				}
			}
			return ""
		}
		step := 8 + (int(size)+7)/8*8
		if step > len(note) || size > pageSize {
			return ""
		}
		note = note[step:]
	}
	return ""
}
