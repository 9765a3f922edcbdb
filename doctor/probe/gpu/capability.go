package gpu

import (
	_ "embed" // the table of device ids
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/internal/pci"
)

//go:embed nvidia.ids
var nvidiaIDs string

// capabilityOf gives the compute capability of an NVIDIA device by its PCI id
// (10de:25a9); "" for one that the table does not have. Marketing names do not
// say it: an RTX 2050 is an Ampere, a GT 630 is a Fermi or a Kepler.
func capabilityOf(id string) string {
	device, ok := strings.CutPrefix(strings.ToLower(id), "10de:")
	n, err := strconv.ParseUint(device, 16, 16)
	if !ok || err != nil {
		return ""
	}
	for line := range strings.Lines(nvidiaIDs) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(line, "#") {
			continue
		}
		if pci.Among(n, fields[1:]) {
			return fields[0]
		}
	}
	return ""
}
