// Package fatbin reads which GPUs a program or library carries CUDA code for: the
// headers in the section that nvcc puts it into. No code is read.
package fatbin

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const (
	// The layout is that of fatmachineCodesection.h of the CUDA Toolkit (the container)
	// and, for what NVIDIA does not document, of ZLUDA's and gvm's readers (the
	// entries): kind, header size, padded size and compute capability.
	magic       = 0xba55ed50
	headerSize  = 16
	entrySize   = 64
	ptx         = 1
	machineCode = 2
	// maxReads bounds what is read: a container for each source file, with an entry
	// for each architecture. A file with more is left unsaid, since what is not seen
	// may be what the card needs.
	maxReads = 1000
)

var errTooMany = lang.New("more code than deployctl reads")

// Code is what a file carries; empty where it has no CUDA code or that cannot be
// said.
type Code struct {
	Archs, PTX []string // compute capabilities: 8.6
}

// Read reads the CUDA code of a file. The error says why nothing is known.
func Read(ctx context.Context, h *host.Host, file string) (Code, error) {
	r := &reader{ctx: ctx, h: h, file: file}
	at, size, err := r.section()
	if err != nil || size == 0 {
		return Code{}, err
	}
	var c Code
	if at > 1<<40 || size > 1<<40 {
		return Code{}, lang.Errorf("%s: it says that it is larger than any file", file)
	}
	for end := at + size; at+headerSize <= end; {
		head, err := r.bytes(at, headerSize)
		if err != nil {
			return Code{}, err
		}
		if le.Uint32(head) == 0 && at%8 == 0 { // padding
			at += 8
			continue
		}
		from, length := uint64(le.Uint16(head[6:])), le.Uint64(head[8:])
		if le.Uint32(head) != magic || from < headerSize || length > end-at || at+from+length > end {
			return Code{}, lang.Errorf("%s: not the CUDA code that nvcc writes", file)
		}
		if err := r.entries(at+from, at+from+length, &c); err != nil {
			return Code{}, err
		}
		at = (at + from + length + 7) &^ 7
	}
	for _, list := range []*[]string{&c.Archs, &c.PTX} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return c, nil
}

var le = binary.LittleEndian

// entries reads what one container holds.
func (r *reader) entries(at, end uint64, c *Code) error {
	for at+entrySize <= end {
		e, err := r.bytes(at, entrySize)
		if err != nil {
			return err
		}
		head, payload, sm := uint64(le.Uint32(e[4:])), le.Uint64(e[8:]), le.Uint32(e[28:])
		if head < entrySize || payload > end-at || at+head+payload > end || sm < 10 || sm > 999 {
			return lang.Errorf("%s: not the CUDA code that nvcc writes", r.file)
		}
		arch := strconv.Itoa(int(sm/10)) + "." + strconv.Itoa(int(sm%10))
		switch le.Uint16(e) {
		case ptx:
			c.PTX = append(c.PTX, arch)
		case machineCode:
			c.Archs = append(c.Archs, arch)
		default: // for the linker of device code: it says nothing of what runs
			return lang.Errorf("%s: CUDA code of a kind that is not known here", r.file)
		}
		at += head + payload
	}
	return nil
}

type reader struct {
	ctx   context.Context
	h     *host.Host
	file  string
	reads int
}

func (r *reader) bytes(at uint64, n int) ([]byte, error) {
	if r.reads++; r.reads > maxReads {
		return nil, fmt.Errorf("%s: %w", r.file, errTooMany)
	}
	if at > 1<<40 {
		return nil, lang.Errorf("%s: it says that it is larger than any file", r.file)
	}
	data, err := r.h.ReadAt(r.ctx, r.file, int64(at), n)
	if err == nil && len(data) < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, lang.Errorf("read %s: %w", r.file, err)
	}
	return data, nil
}

// section finds where nvcc's code lies in the file; a size of 0 is none. debug/elf
// and debug/pe believe what a hostile file says of its own size.
func (r *reader) section() (at, size uint64, err error) {
	if r.h.Windows() {
		return r.peSection()
	}
	const headerSize, sectionSize, maxSections, maxNames = 64, 64, 2000, 256 << 10
	head, err := r.bytes(0, headerSize)
	if err != nil {
		return 0, 0, err
	}
	if string(head[:4]) != elf.ELFMAG || elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(head[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return 0, 0, lang.Errorf("%s: not a 64-bit ELF file", r.file)
	}
	table, count, names := le.Uint64(head[40:]), int(le.Uint16(head[60:])), int(le.Uint16(head[62:]))
	if le.Uint16(head[58:]) != sectionSize || count > maxSections || names >= count {
		return 0, 0, nil // a stripped file may have no sections at all
	}
	sections, err := r.bytes(table, count*sectionSize)
	if err != nil {
		return 0, 0, err
	}
	section := func(i int) []byte { return sections[i*sectionSize:][:sectionSize] }
	where, length := le.Uint64(section(names)[24:]), le.Uint64(section(names)[32:])
	if length > maxNames {
		return 0, 0, nil
	}
	text, err := r.bytes(where, int(length))
	if err != nil {
		return 0, 0, err
	}
	for i := range count {
		s := section(i)
		if name := le.Uint32(s); elf.SectionType(le.Uint32(s[4:])) == elf.SHT_PROGBITS && uint64(name) < length && strings.HasPrefix(string(text[name:]), ".nv_fatbin\x00") {
			return le.Uint64(s[24:]), le.Uint64(s[32:]), nil
		}
	}
	return 0, 0, nil
}

// peSection is section for Windows (Microsoft, PE Format).
func (r *reader) peSection() (at, size uint64, err error) {
	const dosSize, headerSize, sectionSize, maxSections = 64, 24, 40, 96
	dos, err := r.bytes(0, dosSize)
	if err != nil {
		return 0, 0, err
	}
	start := uint64(le.Uint32(dos[0x3c:]))
	head, err := r.bytes(start, headerSize)
	if err != nil {
		return 0, 0, err
	}
	if string(dos[:2]) != "MZ" || string(head[:4]) != "PE\x00\x00" {
		return 0, 0, lang.Errorf("%s: not a PE file", r.file)
	}
	count, optional := int(le.Uint16(head[6:])), uint64(le.Uint16(head[20:]))
	if count == 0 || count > maxSections {
		return 0, 0, nil
	}
	sections, err := r.bytes(start+headerSize+optional, count*sectionSize)
	if err != nil {
		return 0, 0, err
	}
	for i := range count {
		s := sections[i*sectionSize:]
		if string(s[:8]) == ".nv_fatb" { // eight letters are kept
			return uint64(le.Uint32(s[20:])), uint64(le.Uint32(s[16:])), nil
		}
	}
	return 0, 0, nil
}
