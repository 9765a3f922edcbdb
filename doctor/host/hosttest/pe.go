package hosttest

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"fmt"
	"strings"
)

// peImage makes the smallest PE file that has the machine type and the tables of
// imported and delay-loaded DLLs that the lines of a section name:
//
//	machine amd64      (386, arm64; default amd64)
//	import KERNEL32.dll
//	import MSVCP140.dll _Mtx_lock _Mtx_unlock	(with the symbols, of a 64-bit file)
//	export _Mtx_lock
//	delay nvcuda.dll
//	linker 14.40
//	version 14.38.33135.0
//	manifest <assembly …	(one line of XML, as its resource)
//	text whatever else stands in the file
func peImage(body string) ([]byte, error) {
	var f peFile
	for _, line := range lines(body) {
		if err := f.read(line); err != nil {
			return nil, err
		}
	}
	return f.image(), nil
}

// peFile is what the lines of a PE file say.
type peFile struct {
	x86                       bool // 32-bit; amd64 where arm64 is not set either
	arm64                     bool
	imports, delayed, exports []string
	linker                    [2]byte
	text, manifest            string
}

func (f *peFile) read(line string) error {
	word, value, _ := strings.Cut(line, " ")
	switch word {
	case "machine":
		f.x86, f.arm64 = value == "386", value == "arm64"
		if !f.x86 && !f.arm64 && value != "amd64" {
			return fmt.Errorf("unknown machine %q", value)
		}
	case "import":
		f.imports = append(f.imports, value)
	case "export":
		f.exports = append(f.exports, value)
	case "delay":
		f.delayed = append(f.delayed, value)
	case "linker":
		if _, err := fmt.Sscanf(value, "%d.%d", &f.linker[0], &f.linker[1]); err != nil {
			return fmt.Errorf("linker %q: %w", value, err)
		}
	case "version":
		var v [4]uint32
		if _, err := fmt.Sscanf(value, "%d.%d.%d.%d", &v[0], &v[1], &v[2], &v[3]); err != nil {
			return fmt.Errorf("version %q: %w", value, err)
		}
		var info bytes.Buffer
		for _, c := range "VS_VERSION_INFO" {
			put(&info, uint16(c))
		}
		put(&info, uint32(0), uint32(0xfeef04bd), uint32(0x10000), v[0]<<16|v[1], v[2]<<16|v[3])
		f.text += info.String()
	case "manifest":
		f.manifest = value
	case "text":
		f.text += value + "\n"
	default:
		return fmt.Errorf("unknown line %q", line)
	}
	return nil
}

// image is the file's bytes: headers and one section with all tables.
func (f *peFile) image() []byte {
	machine, magic, directories := uint16(pe.IMAGE_FILE_MACHINE_AMD64), uint16(0x20b), 112
	switch {
	case f.arm64:
		machine = pe.IMAGE_FILE_MACHINE_ARM64
	case f.x86:
		machine, magic, directories = pe.IMAGE_FILE_MACHINE_I386, 0x10b, 96
	}
	const start, address = 0x200, 0x1000 // of the only section: in the file, in memory
	optional := directories + 16*8
	tables := 20*(len(f.imports)+1) + 32*(len(f.delayed)+1) + 40 + 4*len(f.exports)
	for _, s := range f.imports {
		tables += 8 * (len(strings.Fields(s)) + 1)
	}
	var section, lookups, strs bytes.Buffer
	name := func(s string) uint32 {
		at := uint32(address + tables + strs.Len())
		strs.WriteString(s + "\x00")
		return at
	}
	first := address + 20*(len(f.imports)+1) + 32*(len(f.delayed)+1) + 40 + 4*len(f.exports)
	for _, s := range f.imports {
		words := strings.Fields(s)
		lookup := uint32(0)
		if len(words) > 1 {
			lookup = uint32(first + lookups.Len())
			for _, symbol := range words[1:] {
				put(&lookups, uint64(name("\x00\x00"+symbol)))
			}
			put(&lookups, uint64(0))
		}
		put(&section, lookup, uint32(0), uint32(0), name(words[0]), uint32(0))
	}
	put(&section, [20]byte{})
	for _, s := range f.delayed {
		put(&section, uint32(1), name(s), [24]byte{})
	}
	put(&section, [32]byte{})
	put(&section, [24]byte{}, uint32(len(f.exports)), uint32(0), uint32(first-4*len(f.exports)), uint32(0))
	for _, s := range f.exports {
		put(&section, name(s))
	}
	section.Write(lookups.Bytes())
	section.Write(make([]byte, tables-section.Len())) // lookup tables of imports without symbols
	section.Write(strs.Bytes())
	section.WriteString(f.text)
	resources := address + section.Len()
	if f.manifest != "" { // type, number, language, and where the text lies
		for level, id := range []uint32{24, 1, 1033} {
			next := uint32(24 * (level + 1))
			if level < 2 {
				next |= 1 << 31 // a directory
			}
			put(&section, [14]byte{}, uint16(1), id, next)
		}
		put(&section, uint32(resources+3*24+16), uint32(len(f.manifest)), [8]byte{})
		section.WriteString(f.manifest)
	}

	var out bytes.Buffer
	out.WriteString("MZ")
	out.Write(make([]byte, 0x3a))
	put(&out, uint32(0x40))
	out.WriteString("PE\x00\x00")
	put(&out, pe.FileHeader{Machine: machine, NumberOfSections: 1, SizeOfOptionalHeader: uint16(optional), Characteristics: pe.IMAGE_FILE_EXECUTABLE_IMAGE})
	header := make([]byte, optional)
	binary.LittleEndian.PutUint16(header, magic)
	copy(header[2:], f.linker[:])
	binary.LittleEndian.PutUint32(header[directories-4:], 16)
	directory := func(n, at, size int) {
		binary.LittleEndian.PutUint32(header[directories+8*n:], uint32(at))
		binary.LittleEndian.PutUint32(header[directories+8*n+4:], uint32(size))
	}
	if len(f.imports) > 0 {
		directory(pe.IMAGE_DIRECTORY_ENTRY_IMPORT, address, 20*(len(f.imports)+1))
	}
	if len(f.delayed) > 0 {
		directory(pe.IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT, address+20*(len(f.imports)+1), 32*(len(f.delayed)+1))
	}
	if len(f.exports) > 0 {
		directory(pe.IMAGE_DIRECTORY_ENTRY_EXPORT, first-40-4*len(f.exports), 40)
	}
	if f.manifest != "" {
		directory(pe.IMAGE_DIRECTORY_ENTRY_RESOURCE, resources, section.Len())
	}
	out.Write(header)
	put(&out, pe.SectionHeader32{Name: [8]uint8{'.', 'r', 'd', 'a', 't', 'a'}, VirtualSize: uint32(section.Len()), VirtualAddress: address, SizeOfRawData: uint32(section.Len()), PointerToRawData: start})
	out.Write(make([]byte, start-out.Len()))
	out.Write(section.Bytes())
	return out.Bytes()
}

// put appends little-endian values; writing to a buffer cannot fail, and every
// value here is of fixed size.
func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
}
