package cpu

import (
	_ "embed" // the table of cores
	"fmt"
	"strconv"
	"strings"
)

// armCore is what arm.cores has of one ARM core by its implementer and part number.
type armCore struct {
	name string
	// flop is float32 operations per cycle: SIMD pipes × lanes × 2 for the fused
	// multiply-add. 0 where no source says; then one 128-bit pipe is assumed.
	flop int
}

//go:embed arm.cores
var armCores string

// coreOf names a core.
func coreOf(implementer, part int) armCore {
	if implementer < 0 || part < 0 {
		return armCore{}
	}
	id := fmt.Sprintf("%02x:%03x ", implementer, part)
	for line := range strings.Lines(armCores) {
		if rest, ok := strings.CutPrefix(line, id); ok {
			figure, name, _ := strings.Cut(strings.TrimSpace(rest), " ")
			flop, _ := strconv.Atoi(figure) // a test reads every line
			return armCore{name, flop}
		}
	}
	return armCore{name: fmt.Sprintf("%s part 0x%03x", implementerName(implementer), part)}
}

// implementerName names the holders of MIDR_EL1's implementer codes.
func implementerName(code int) string {
	if name := map[int]string{
		0x41: "ARM", 0x42: "Broadcom", 0x43: "Cavium", 0x44: "DEC", 0x46: "Fujitsu", 0x48: "HiSilicon", 0x4d: "Motorola", 0x4e: "NVIDIA", 0x50: "APM",
		0x51: "Qualcomm", 0x53: "Samsung", 0x56: "Marvell", 0x61: "Apple", 0x66: "Faraday", 0x69: "Intel", 0x6d: "Microsoft", 0x70: "Phytium", 0xc0: "Ampere",
	}[code]; name != "" {
		return name
	}
	return fmt.Sprintf("implementer 0x%02x", code)
}
