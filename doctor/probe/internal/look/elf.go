package look

import (
	"context"
	"debug/elf"
	"encoding/binary"

	"github.com/deployctl/deployctl/doctor/host"
)

// machines are the ELF machines of the architectures (elf(5)).
var machines = map[string]elf.Machine{
	"amd64": elf.EM_X86_64, "386": elf.EM_386, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM, "riscv64": elf.EM_RISCV, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "loong64": elf.EM_LOONGARCH,
}

// ELF is what the head of a file says: what it is too short for is zero.
type ELF struct {
	// Known: it was read as far as the bytes that are ELF's or not.
	Known, ELF bool
	Class      elf.Class
	Machine    elf.Machine
}

// Foreign reports whether it is certainly for another architecture than a GOARCH.
func (e ELF) Foreign(arch string) bool {
	want, ok := machines[arch]
	return ok && e.Machine != elf.EM_NONE && e.Machine != want
}

// ReadELF reads the head of a file.
func ReadELF(ctx context.Context, h *host.Host, file string) (e ELF, err error) {
	const upToMachine = 20
	head, err := h.ReadAt(ctx, file, 0, upToMachine)
	e.Known = len(head) >= len(elf.ELFMAG)
	e.ELF = e.Known && string(head[:len(elf.ELFMAG)]) == elf.ELFMAG
	if e.ELF && len(head) > elf.EI_CLASS {
		e.Class = elf.Class(head[elf.EI_CLASS])
	}
	if e.ELF && len(head) == upToMachine {
		var order binary.ByteOrder = binary.LittleEndian
		if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
			order = binary.BigEndian
		}
		e.Machine = elf.Machine(order.Uint16(head[upToMachine-2:]))
	}
	return e, err
}
