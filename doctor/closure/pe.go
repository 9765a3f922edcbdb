package closure

import (
	"bytes"
	"context"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// image is what Windows' loader reads of one file.
type image struct {
	machine uint16
	// imports are needed at the start, delayed are those that are only loaded when
	// they are first called.
	imports, delayed []string
	// linker is the version of the linker that made it (14.40), which for MSVC is
	// that of the toolset; "" where another made it.
	linker string
	// symbols are the names that it imports of the Visual C++ runtime and of libraries
	// that other programs bring, too, by lower-case name of the DLL; nil where they could
	// not be read.
	symbols map[string][]string
	// assemblies are those that its manifest depends on.
	assemblies []assembly
}

// Limits against hostile files.
const (
	maxSections = 96 // the loader's own
	maxImports  = 1024
)

var errNoPE = lang.New("not a PE file")

// readImage reads the headers and the table of imported DLLs, with delays also that of
// delay-loaded ones (Microsoft, PE Format).
func readImage(ctx context.Context, h *host.Host, file string, delays bool) (*image, error) {
	p := &pages{ctx: ctx, h: h, file: file, have: map[int64][]byte{}}
	l, err := p.layout()
	if err != nil {
		return nil, err
	}
	out := &image{machine: l.machine, linker: l.linker, assemblies: l.assemblies()}
	entry, err := l.directory(pe.IMAGE_DIRECTORY_ENTRY_IMPORT)
	if err != nil {
		return nil, err
	}
	var lookups []uint32
	if out.imports, lookups, err = p.imported(entry, importTable, l.offset); err != nil {
		return nil, err
	}
	for i, name := range out.imports {
		if !ofRuntime(name) && !shared(name) {
			continue
		}
		// Without the symbols the file is judged by the names of its DLLs alone.
		if symbols, err := p.thunks(lookups[i], l.wide, l.offset); err == nil && len(symbols) > 0 {
			if out.symbols == nil {
				out.symbols = map[string][]string{}
			}
			out.symbols[strings.ToLower(name)] = symbols
		}
	}
	if !delays {
		return out, nil
	}
	if entry, err = l.directory(pe.IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT); err != nil {
		return nil, err
	}
	// One of Visual C++ 6 has pointers instead of addresses; nothing needs it.
	if delayed, _, err := p.imported(entry, delayTable, l.offset); err == nil {
		out.delayed = delayed
	}
	return out, nil
}

// layout is where the parts of a PE file lie.
type layout struct {
	p                *pages
	machine          uint16
	linker           string // as of image
	wide             bool   // PE32+
	directories, end uint64 // of the data directories, in the file
	sections         []byte
}

// layout reads the headers of a file (Microsoft, PE Format).
func (p *pages) layout() (*layout, error) {
	order := binary.LittleEndian
	if err := p.start(); err != nil {
		return nil, err
	}
	dos, err := p.at(0, 64)
	if err != nil {
		return nil, err
	}
	if string(dos[:2]) != "MZ" {
		return nil, errNoPE
	}
	at := uint64(order.Uint32(dos[60:]))
	head, err := p.at(at, 4+binary.Size(pe.FileHeader{}))
	if err != nil {
		return nil, err
	}
	if string(head[:4]) != "PE\x00\x00" {
		return nil, errNoPE
	}
	l := &layout{p: p, machine: order.Uint16(head[4:])}
	count, size := int(order.Uint16(head[6:])), uint64(order.Uint16(head[20:]))
	at += uint64(len(head))
	magic, err := p.at(at, 4)
	if err != nil {
		return nil, err
	}
	if magic[2] == 14 {
		l.linker = fmt.Sprintf("14.%02d", magic[3])
	}
	directories := map[uint16]uint64{0x10b: 96, 0x20b: 112}[order.Uint16(magic)]
	if directories == 0 || count > maxSections || size < directories+8*(pe.IMAGE_DIRECTORY_ENTRY_IMPORT+1) {
		return nil, errNoPE
	}
	l.wide, l.directories, l.end = directories == 112, at+directories, at+size
	if l.sections, err = p.at(at+size, 40*count); err != nil {
		return nil, err
	}
	return l, p.whole(peEnd(l.sections))
}

// directory is the address of a data directory; 0 where the file has none.
func (l *layout) directory(n int) (uint32, error) {
	at := l.directories + 8*uint64(n)
	if at+8 > l.end {
		return 0, nil
	}
	entry, err := l.p.at(at, 8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(entry), nil
}

// offset is where in the file an address of the memory lies.
func (l *layout) offset(address uint32) (uint64, error) {
	order := binary.LittleEndian
	for s := l.sections; len(s) >= 40; s = s[40:] {
		start, raw, from := order.Uint32(s[12:]), order.Uint32(s[16:]), order.Uint32(s[20:])
		if address >= start && address-start < max(raw, order.Uint32(s[8:])) {
			return uint64(address-start) + uint64(from), nil
		}
	}
	return 0, errNoPE
}

// table is the form of a table of imported DLLs: the size of an entry, and where in
// it the addresses of the name and of the table of imported symbols stand.
type table struct{ size, name, lookup uint64 }

var (
	importTable = table{20, 12, 0} // IMAGE_IMPORT_DESCRIPTOR
	delayTable  = table{32, 4, 16} // IMAGE_DELAYLOAD_DESCRIPTOR
)

// imported reads the names of the table at an address; 0 stands for none.
func (p *pages) imported(address uint32, form table, offset func(uint32) (uint64, error)) (names []string, lookups []uint32, err error) {
	if address == 0 {
		return nil, nil, nil
	}
	from, err := offset(address)
	if err != nil {
		return nil, nil, err
	}
	for i := range uint64(maxImports) {
		d, err := p.at(from+form.size*i, int(form.size))
		if err != nil {
			return nil, nil, err
		}
		name := binary.LittleEndian.Uint32(d[form.name:])
		if name == 0 {
			return names, lookups, nil
		}
		where, err := offset(name)
		if err != nil {
			return nil, nil, err
		}
		text, err := p.text(where)
		if err != nil {
			return nil, nil, err
		}
		names, lookups = append(names, text), append(lookups, binary.LittleEndian.Uint32(d[form.lookup:]))
	}
	return nil, nil, errNoPE
}

// versionKey is the key of a version resource, in UTF-16.
const versionKey = "V\x00S\x00_\x00V\x00E\x00R\x00S\x00I\x00O\x00N\x00_\x00I\x00N\x00F\x00O\x00"

// FileVersion finds a library's VS_FIXEDFILEINFO (winver.h: signature
// 0xFEEF04BD, structure version, then the file version as two 32-bit halves)
// and gives 14.38.33135.0, or "".
func FileVersion(data []byte) string {
	for {
		at := bytes.Index(data, []byte{0xbd, 0x04, 0xef, 0xfe})
		if at < 0 || len(data) < at+16 {
			return ""
		}
		ms, ls := binary.LittleEndian.Uint32(data[at+8:]), binary.LittleEndian.Uint32(data[at+12:])
		if binary.LittleEndian.Uint32(data[at+4:]) == 0x10000 && ms != 0 {
			return fmt.Sprintf("%d.%d.%d.%d", ms>>16, ms&0xffff, ls>>16, ls&0xffff)
		}
		data = data[at+4:]
	}
}
