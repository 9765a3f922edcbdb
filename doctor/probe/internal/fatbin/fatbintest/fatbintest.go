// Package fatbintest makes files with CUDA code for tests.
package fatbintest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Entry is code of a kind (1 PTX, 2 machine code) for a compute capability (86).
type Entry struct {
	Kind uint16
	SM   uint32
}

// Container is one of nvcc's containers, with some bytes of code to each entry.
func Container(entries ...Entry) []byte {
	var body bytes.Buffer
	for _, e := range entries {
		var head [64]byte
		binary.LittleEndian.PutUint16(head[0:], e.Kind)
		binary.LittleEndian.PutUint32(head[4:], 64)
		binary.LittleEndian.PutUint64(head[8:], 24)
		binary.LittleEndian.PutUint32(head[28:], e.SM)
		body.Write(head[:])
		body.Write(make([]byte, 24))
	}
	var out bytes.Buffer
	for _, v := range []any{uint32(0xba55ed50), uint16(1), uint16(16), uint64(body.Len())} {
		if err := binary.Write(&out, binary.LittleEndian, v); err != nil {
			panic(err) // a buffer takes everything
		}
	}
	out.Write(body.Bytes())
	return out.Bytes()
}

// Program is an ELF file with one section of that name.
func Program(section string, data []byte) []byte {
	names := "\x00" + section + "\x00.shstrtab\x00"
	const at = 64
	table := uint64(at + len(data) + len(names))
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Shoff: table, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	var out bytes.Buffer
	for _, v := range []any{
		h, data, []byte(names), elf.Section64{},
		elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: at, Size: uint64(len(data))},
		elf.Section64{Name: uint32(2 + len(section)), Type: uint32(elf.SHT_STRTAB), Off: uint64(at + len(data)), Size: uint64(len(names))},
	} {
		if err := binary.Write(&out, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return out.Bytes()
}
