// Package pci reads lists of PCI device ids, as the tables of GPUs have them. It must
// never look at a machine.
package pci

import (
	"strconv"
	"strings"
)

// Among reports whether a device id is one of the ids, which are hexadecimal, alone
// (6fdf) or as a range (67c0-67df).
func Among(id uint64, ids []string) bool {
	for _, block := range ids {
		low, high, isRange := strings.Cut(block, "-")
		if !isRange {
			high = low
		}
		first, err1 := strconv.ParseUint(low, 16, 16)
		last, err2 := strconv.ParseUint(high, 16, 16)
		if err1 == nil && err2 == nil && first <= id && id <= last {
			return true
		}
	}
	return false
}
