package closure

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// object is what the loader reads of one file.
type object struct {
	file    string
	class   elf.Class
	machine elf.Machine
	data    elf.Data
	soname  string
	needed  []string
	// rpath is nil where there is a runpath: the loader then ignores it.
	rpath, runpath []string
	noDefaults     bool // DF_1_NODEFLIB
	execStack      bool // it asks for an executable stack (PT_GNU_STACK)
	// wants are the symbol versions asked of each library, defines those that
	// this one has.
	wants   []wants
	defines []string
}

type wants struct {
	library  string
	versions []string
}

// Limits against hostile files; the largest real ones need a tenth of them.
const (
	pageSize    = 4 << 10
	maxPages    = 2048
	maxDynamic  = 4096
	maxVersions = 4096
	maxString   = 4 << 10
)

var errNoELF = lang.New("not an ELF file that the loader takes")

// pages reads a file through its host in pages, each once.
type pages struct {
	ctx  context.Context
	h    *host.Host
	file string
	have map[int64][]byte
}

func (p *pages) at(off uint64, n int) ([]byte, error) {
	var out []byte
	for n > 0 {
		page := int64(off / pageSize)
		if off > 1<<40 {
			return nil, errNoELF
		}
		data, ok := p.have[page]
		if !ok {
			if len(p.have) >= maxPages {
				return nil, errNoELF
			}
			var err error
			if data, err = p.h.ReadAt(p.ctx, p.file, page*pageSize, pageSize); err != nil {
				return nil, err
			}
			p.have[page] = data
		}
		from := int(off % pageSize)
		if from >= len(data) {
			return nil, errNoELF
		}
		if out == nil && from+n <= len(data) {
			return data[from : from+n], nil
		}
		piece := data[from:min(len(data), from+n)]
		out = append(out, piece...)
		off, n = off+uint64(len(piece)), n-len(piece)
	}
	return out, nil
}

func (p *pages) text(off uint64) (string, error) {
	var out []byte
	for len(out) < maxString {
		if _, err := p.at(off, 1); err != nil {
			return "", err
		}
		page := p.have[int64(off/pageSize)][off%pageSize:]
		if end := bytes.IndexByte(page, 0); end >= 0 {
			return string(append(out, page[:end]...)), nil
		}
		out = append(out, page...)
		off += uint64(len(page))
	}
	return "", errNoELF
}

// readObject reads the dynamic section as the loader does: by program headers, as a
// file may have no section headers.
func readObject(ctx context.Context, h *host.Host, file string) (*object, error) {
	r := &reader{pages: pages{ctx: ctx, h: h, file: file, have: map[int64][]byte{}}}
	if err := r.start(); err != nil {
		return nil, err
	}
	o, err := r.header()
	if err != nil {
		return nil, err
	}
	if err := r.whole(r.elfEnd()); err != nil {
		return nil, err
	}
	values, needed, err := r.entries()
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return o, nil // statically linked
	}
	if r.table, err = r.fileOffset(values[elf.DT_STRTAB]); err != nil {
		return nil, err
	}
	r.names(o, values, needed)
	if r.err != nil {
		return nil, r.err
	}
	if o.wants, err = r.versionsNeeded(values); err != nil {
		return nil, err
	}
	if o.defines, err = r.versionsDefined(values); err != nil {
		return nil, err
	}
	return o, r.err
}

// segment is the part of a program header that says where a file's bytes are in
// memory.
type segment struct{ off, addr, size uint64 }

// reader reads one ELF file. err is the first failure of name.
type reader struct {
	pages
	order   binary.ByteOrder
	wide    bool // ELFCLASS64
	loads   []segment
	dynamic segment
	// property is the note of GNU properties.
	property segment
	table    uint64 // the string table's offset in the file
	err      error
}

// header reads the ELF header and the program headers (gABI, "ELF Header" and
// "Program Header").
func (r *reader) header() (*object, error) {
	ident, err := r.at(0, elf.EI_NIDENT)
	if err != nil {
		return nil, err
	}
	if string(ident[:4]) != elf.ELFMAG {
		return nil, errNoELF
	}
	o := &object{file: r.file, class: elf.Class(ident[elf.EI_CLASS]), data: elf.Data(ident[elf.EI_DATA])}
	r.order, r.wide = binary.LittleEndian, o.class == elf.ELFCLASS64
	if o.data == elf.ELFDATA2MSB {
		r.order = binary.BigEndian
	}
	head, err := r.at(0, 64)
	if err != nil {
		return nil, err
	}
	o.machine = elf.Machine(r.order.Uint16(head[18:]))
	offset, size, count := uint64(r.order.Uint32(head[28:])), r.order.Uint16(head[42:]), r.order.Uint16(head[44:])
	if r.wide {
		offset, size, count = r.order.Uint64(head[32:]), r.order.Uint16(head[54:]), r.order.Uint16(head[56:])
	}
	if want := map[bool]uint16{true: 56, false: 32}[r.wide]; size < want || count > 256 {
		return nil, errNoELF
	}
	for i := range uint64(count) {
		b, err := r.at(offset+i*uint64(size), int(size))
		if err != nil {
			return nil, err
		}
		s := segment{uint64(r.order.Uint32(b[4:])), uint64(r.order.Uint32(b[8:])), uint64(r.order.Uint32(b[16:]))}
		if r.wide {
			s = segment{r.order.Uint64(b[8:]), r.order.Uint64(b[16:]), r.order.Uint64(b[32:])}
		}
		switch elf.ProgType(r.order.Uint32(b)) {
		case elf.PT_LOAD:
			r.loads = append(r.loads, s)
		case elf.PT_DYNAMIC:
			r.dynamic = s
		case elf.PT_GNU_PROPERTY:
			r.property = s
		case elf.PT_GNU_STACK:
			flags := b[24:]
			if r.wide {
				flags = b[4:]
			}
			o.execStack = elf.ProgFlag(r.order.Uint32(flags))&elf.PF_X != 0
		}
	}
	return o, nil
}

// entries reads the dynamic section: the last value of each tag, and the values
// of all DT_NEEDED in their order.
func (r *reader) entries() (values map[elf.DynTag]uint64, needed []uint64, err error) {
	size := 8
	if r.wide {
		size = 16
	}
	values = map[elf.DynTag]uint64{}
	for i := 0; i < maxDynamic && uint64(i*size) < r.dynamic.size; i++ {
		b, err := r.at(r.dynamic.off+uint64(i*size), size)
		if err != nil {
			return nil, nil, err
		}
		tag, value := elf.DynTag(int32(r.order.Uint32(b))), uint64(r.order.Uint32(b[4:]))
		if r.wide {
			tag, value = elf.DynTag(r.order.Uint64(b)), r.order.Uint64(b[8:])
		}
		switch tag {
		case elf.DT_NULL:
			return values, needed, nil
		case elf.DT_NEEDED:
			needed = append(needed, value)
		}
		values[tag] = value
	}
	return values, needed, nil
}

func (r *reader) fileOffset(addr uint64) (uint64, error) {
	for _, s := range r.loads {
		if addr >= s.addr && addr-s.addr < s.size {
			return addr - s.addr + s.off, nil
		}
	}
	return 0, lang.Errorf("%w: no segment holds %#x", errNoELF, addr)
}

// name is a string of the string table; "" after a failure.
func (r *reader) name(at uint64) (s string) {
	if r.err == nil {
		s, r.err = r.text(r.table + at)
	}
	return s
}

func (r *reader) names(o *object, values map[elf.DynTag]uint64, needed []uint64) {
	for _, at := range needed {
		o.needed = append(o.needed, r.name(at))
	}
	if at, ok := values[elf.DT_SONAME]; ok {
		o.soname = r.name(at)
	}
	if at, ok := values[elf.DT_RUNPATH]; ok {
		o.runpath = strings.Split(r.name(at), ":")
	} else if at, ok := values[elf.DT_RPATH]; ok {
		o.rpath = strings.Split(r.name(at), ":")
	}
	o.noDefaults = values[elf.DT_FLAGS_1]&uint64(elf.DF_1_NODEFLIB) != 0
}

// versionsNeeded reads the versions that are required of each library. The
// records have one form in both classes (gABI, "Symbol Versioning"); a table that
// no segment holds is left out.
func (r *reader) versionsNeeded(values map[elf.DynTag]uint64) (list []wants, err error) {
	addr, ok := values[elf.DT_VERNEED]
	if !ok {
		return nil, nil
	}
	at, outside := r.fileOffset(addr)
	for i := uint64(0); outside == nil && i < min(values[elf.DT_VERNEEDNUM], maxVersions); i++ {
		b, err := r.at(at, 16)
		if err != nil {
			return nil, err
		}
		w := wants{library: r.name(uint64(r.order.Uint32(b[4:])))}
		if w.versions, err = r.versionsOf(at+uint64(r.order.Uint32(b[8:])), r.order.Uint16(b[2:])); err != nil {
			return nil, err
		}
		list = append(list, w)
		next := r.order.Uint32(b[12:])
		if next == 0 {
			break
		}
		at += uint64(next)
	}
	return list, nil
}

func (r *reader) versionsOf(at uint64, count uint16) (list []string, err error) {
	const weak = 2 // VER_FLG_WEAK: missing ones are forgiven
	for range min(count, maxVersions) {
		b, err := r.at(at, 16)
		if err != nil {
			return nil, err
		}
		if r.order.Uint16(b[4:])&weak == 0 {
			list = append(list, r.name(uint64(r.order.Uint32(b[8:]))))
		}
		next := r.order.Uint32(b[12:])
		if next == 0 {
			break
		}
		at += uint64(next)
	}
	return list, nil
}

// versionsDefined reads the versions that the library itself has.
func (r *reader) versionsDefined(values map[elf.DynTag]uint64) (list []string, err error) {
	addr, ok := values[elf.DT_VERDEF]
	if !ok {
		return nil, nil
	}
	at, outside := r.fileOffset(addr)
	for i := uint64(0); outside == nil && i < min(values[elf.DT_VERDEFNUM], maxVersions); i++ {
		b, err := r.at(at, 20)
		if err != nil {
			return nil, err
		}
		aux, err := r.at(at+uint64(r.order.Uint32(b[12:])), 8)
		if err != nil {
			return nil, err
		}
		list = append(list, r.name(uint64(r.order.Uint32(aux))))
		next := r.order.Uint32(b[16:])
		if next == 0 {
			break
		}
		at += uint64(next)
	}
	return list, nil
}
