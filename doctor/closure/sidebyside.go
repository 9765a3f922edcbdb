package closure

import (
	"debug/pe"
	"encoding/binary"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
)

// assembly is a side-by-side assembly that a file's manifest depends on, such as
// Microsoft.VC90.CRT (Microsoft, "Assembly Manifests").
type assembly struct {
	Name    string `xml:"name,attr"`
	Version string `xml:"version,attr"`
	Arch    string `xml:"processorArchitecture,attr"`
	Token   string `xml:"publicKeyToken,attr"`
}

// manifest is what is read of a manifest.
type manifest struct {
	Needs []struct {
		Identity assembly `xml:"dependentAssembly>assemblyIdentity"`
	} `xml:"dependency"`
}

// manifestType is RT_MANIFEST (winuser.h).
const manifestType = 24

// Limits against hostile files.
const (
	maxManifest = 1 << 16
	maxEntries  = 4096
)

// assemblies reads the manifest among a file's resources (Microsoft, PE Format, "The
// .rsrc Section"). A file without one, or with one that cannot be read, depends on none.
func (l *layout) assemblies() []assembly {
	address, err := l.directory(pe.IMAGE_DIRECTORY_ENTRY_RESOURCE)
	if err != nil || address == 0 {
		return nil
	}
	root, err := l.offset(address)
	if err != nil {
		return nil
	}
	// Three levels: the type, the manifest's number, the language.
	at, ok := l.entry(root, root, manifestType)
	for range 2 {
		if ok {
			at, ok = l.entry(root, at, 0)
		}
	}
	if !ok {
		return nil
	}
	leaf, err := l.p.at(at, 8)
	if err != nil {
		return nil
	}
	from, err := l.offset(binary.LittleEndian.Uint32(leaf))
	size := binary.LittleEndian.Uint32(leaf[4:])
	if err != nil || size > maxManifest {
		return nil
	}
	text, err := l.p.at(from, int(size))
	var m manifest
	if err != nil || xml.Unmarshal(text, &m) != nil {
		return nil
	}
	var out []assembly
	for _, n := range m.Needs {
		// Windows' own, such as the common controls: their DLLs are in System32, too.
		if n.Identity.Name != "" && !strings.HasPrefix(n.Identity.Name, "Microsoft.Windows.") {
			out = append(out, n.Identity)
		}
	}
	return out
}

// entry is where the entry of a resource directory with that number leads, the first
// one for 0.
func (l *layout) entry(root, at uint64, id uint32) (uint64, bool) {
	head, err := l.p.at(at, 16)
	if err != nil {
		return 0, false
	}
	order := binary.LittleEndian
	n := int(order.Uint16(head[12:])) + int(order.Uint16(head[14:]))
	for i := range min(n, maxEntries) {
		e, err := l.p.at(at+16+8*uint64(i), 8)
		if err != nil {
			return 0, false
		}
		if id == 0 || order.Uint32(e) == id {
			return root + uint64(order.Uint32(e[4:])&0x7fffffff), true
		}
	}
	return 0, false
}

// sides are the folders of the assemblies that a file depends on: below WinSxS the one
// with the newest build of that version, as Microsoft's publisher policies redirect,
// and private ones in the program's folder (Microsoft, "Assembly Searching Sequence").
func (w *desk) sides(o *image, app string) (dirs []string) {
	if o == nil || len(o.assemblies) == 0 {
		return nil
	}
	store := w.h.Join(w.root, "WinSxS")
	if w.stored == nil {
		w.stored = []string{}
		entries, err := w.h.ReadDir(w.ctx, store)
		if err != nil { // without it, or where it may not be listed, its DLLs are not found
			entries = nil
		}
		for _, e := range entries {
			if e.Dir {
				w.stored = append(w.stored, e.Name)
			}
		}
	}
	for _, a := range o.assemblies {
		arch := strings.ToLower(a.Arch)
		if arch == "*" || arch == "" {
			arch = map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_I386: "x86", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}[o.machine]
		}
		prefix := strings.ToLower(arch + "_" + a.Name + "_" + a.Token + "_")
		best, newest := "", []int(nil)
		for _, name := range w.stored {
			rest, ok := strings.CutPrefix(strings.ToLower(name), prefix)
			if !ok {
				continue
			}
			text, _, _ := strings.Cut(rest, "_")
			if v := numbers(text); sameRelease(v, numbers(a.Version)) && (best == "" || slices.Compare(v, newest) > 0) {
				best, newest = name, v
			}
		}
		if best != "" {
			dirs = append(dirs, w.h.Join(store, best))
		}
		dirs = append(dirs, w.h.Join(app, a.Name))
	}
	return dirs
}

func sameRelease(a, b []int) bool {
	return len(a) >= 2 && len(b) >= 2 && a[0] == b[0] && a[1] == b[1]
}

// numbers are the parts of a version; nil where it is none.
func numbers(version string) (out []int) {
	for _, part := range strings.Split(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}
