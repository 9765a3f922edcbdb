package closure

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
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
	pageSize    = 16 << 10
	maxPages    = 512
	maxDynamic  = 4096
	maxVersions = 4096
	maxString   = 4 << 10
)

var errNoELF = errors.New("not an ELF file that the loader takes")

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
	p := &pages{ctx: ctx, h: h, file: file, have: map[int64][]byte{}}
	ident, err := p.at(0, elf.EI_NIDENT)
	if err != nil {
		return nil, err
	}
	if string(ident[:4]) != elf.ELFMAG {
		return nil, errNoELF
	}
	o := &object{file: file, class: elf.Class(ident[elf.EI_CLASS]), data: elf.Data(ident[elf.EI_DATA])}
	var order binary.ByteOrder = binary.LittleEndian
	if o.data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	wide := o.class == elf.ELFCLASS64
	head, err := p.at(0, 64)
	if err != nil {
		return nil, err
	}
	o.machine = elf.Machine(order.Uint16(head[18:]))
	phoff, phsize, phnum := uint64(order.Uint32(head[28:])), order.Uint16(head[42:]), order.Uint16(head[44:])
	if wide {
		phoff, phsize, phnum = order.Uint64(head[32:]), order.Uint16(head[54:]), order.Uint16(head[56:])
	}
	if want := map[bool]uint16{true: 56, false: 32}[wide]; phsize < want || phnum > 256 {
		return nil, errNoELF
	}
	type segment struct{ off, addr, size uint64 }
	var loads []segment
	var dynamic segment
	for i := range uint64(phnum) {
		b, err := p.at(phoff+i*uint64(phsize), int(phsize))
		if err != nil {
			return nil, err
		}
		s := segment{uint64(order.Uint32(b[4:])), uint64(order.Uint32(b[8:])), 0}
		if wide {
			s = segment{order.Uint64(b[8:]), order.Uint64(b[16:]), order.Uint64(b[32:])}
		} else {
			s.size = uint64(order.Uint32(b[16:]))
		}
		switch elf.ProgType(order.Uint32(b)) {
		case elf.PT_LOAD:
			loads = append(loads, s)
		case elf.PT_DYNAMIC:
			dynamic = s
		}
	}
	fileOffset := func(addr uint64) (uint64, error) {
		for _, s := range loads {
			if addr >= s.addr && addr-s.addr < s.size {
				return addr - s.addr + s.off, nil
			}
		}
		return 0, fmt.Errorf("%w: no segment holds %#x", errNoELF, addr)
	}
	step := 8
	if wide {
		step = 16
	}
	values := map[elf.DynTag]uint64{}
	var needed []uint64
	for i := 0; i < maxDynamic && uint64(i*step) < dynamic.size; i++ {
		b, err := p.at(dynamic.off+uint64(i*step), step)
		if err != nil {
			return nil, err
		}
		tag, value := elf.DynTag(int32(order.Uint32(b))), uint64(order.Uint32(b[4:]))
		if wide {
			tag, value = elf.DynTag(order.Uint64(b)), order.Uint64(b[8:])
		}
		if tag == elf.DT_NULL {
			break
		}
		if tag == elf.DT_NEEDED {
			needed = append(needed, value)
		}
		values[tag] = value
	}
	if len(values) == 0 {
		return o, nil // statically linked
	}
	table, err := fileOffset(values[elf.DT_STRTAB])
	if err != nil {
		return nil, err
	}
	text := func(at uint64) (s string) {
		if err == nil {
			s, err = p.text(table + at)
		}
		return s
	}
	for _, at := range needed {
		o.needed = append(o.needed, text(at))
	}
	if at, ok := values[elf.DT_SONAME]; ok {
		o.soname = text(at)
	}
	if at, ok := values[elf.DT_RUNPATH]; ok {
		o.runpath = strings.Split(text(at), ":")
	} else if at, ok := values[elf.DT_RPATH]; ok {
		o.rpath = strings.Split(text(at), ":")
	}
	o.noDefaults = values[elf.DT_FLAGS_1]&uint64(elf.DF_1_NODEFLIB) != 0
	if err != nil {
		return nil, err
	}
	// The version records have one form in both classes (gABI, "Symbol Versioning").
	if addr, ok := values[elf.DT_VERNEED]; ok {
		at, e := fileOffset(addr)
		for i := uint64(0); e == nil && i < min(values[elf.DT_VERNEEDNUM], maxVersions); i++ {
			b, readErr := p.at(at, 16)
			if readErr != nil {
				return nil, readErr
			}
			w := wants{library: text(uint64(order.Uint32(b[4:])))}
			aux := at + uint64(order.Uint32(b[8:]))
			for range min(order.Uint16(b[2:]), maxVersions) {
				a, readErr := p.at(aux, 16)
				if readErr != nil {
					return nil, readErr
				}
				const weak = 2 // VER_FLG_WEAK: missing ones are forgiven
				if order.Uint16(a[4:])&weak == 0 {
					w.versions = append(w.versions, text(uint64(order.Uint32(a[8:]))))
				}
				next := order.Uint32(a[12:])
				if next == 0 {
					break
				}
				aux += uint64(next)
			}
			o.wants = append(o.wants, w)
			next := order.Uint32(b[12:])
			if next == 0 {
				break
			}
			at += uint64(next)
		}
	}
	if addr, ok := values[elf.DT_VERDEF]; ok {
		at, e := fileOffset(addr)
		for i := uint64(0); e == nil && i < min(values[elf.DT_VERDEFNUM], maxVersions); i++ {
			b, readErr := p.at(at, 20)
			if readErr != nil {
				return nil, readErr
			}
			a, readErr := p.at(at+uint64(order.Uint32(b[12:])), 8)
			if readErr != nil {
				return nil, readErr
			}
			o.defines = append(o.defines, text(uint64(order.Uint32(a))))
			next := order.Uint32(b[16:])
			if next == 0 {
				break
			}
			at += uint64(next)
		}
	}
	return o, err
}
