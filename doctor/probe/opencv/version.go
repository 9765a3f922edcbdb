package opencv

import (
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// DLLName is what the file name of a DLL says.
type DLLName struct {
	Module  string // core, dnn, world …
	Version string // 4.6.0, or 4 in vcpkg's
	// Debug: opencv_world460d.dll. MinGW: libopencv_core460.dll.
	Debug, MinGW bool
}

// Every module's name ends in a letter (features2d, calib3d).
var dllName = lazyregexp.New(`^(lib)?opencv_([a-z0-9_]*[a-z])(-[0-9]{3}|[0-9]|[0-9]{3,5})(d?)\.dll$`)

// ParseDLL reads the file name of a DLL.
func ParseDLL(name string) (DLLName, bool) {
	m := dllName.FindStringSubmatch(strings.ToLower(name))
	if m == nil {
		return DLLName{}, false
	}
	return DLLName{Module: m[2], Version: dllVersion(m[3]), Debug: m[4] != "", MinGW: m[1] != ""}, true
}

// SoVersion reads a SONAME's or file's suffix. Since 4.5.x the SONAME is the
// major number and two digits of the minor one (406, 410, 500); before, it was
// dotted (4.2, 3.2, 2.4), to which Debian adds a letter at times (4.5d).
func SoVersion(suffix string) string {
	suffix = strings.TrimRight(suffix, "abcdefghijklmnopqrstuvwxyz")
	if strings.Contains(suffix, ".") {
		if strings.Trim(suffix, "0123456789.") != "" {
			return ""
		}
		return strings.Trim(suffix, ".")
	}
	if len(suffix) != 3 {
		return ""
	}
	n, err := strconv.Atoi(suffix)
	if err != nil {
		return ""
	}
	return strconv.Itoa(n/100) + "." + strconv.Itoa(n%100)
}

// dllVersion reads the digits in a Windows file name, which stand without
// dots: 460 is 4.6.0, 4100 is 4.10.0, 2413 is 2.4.13, 3420 is 3.4.20. Four
// digits are taken apart by what was released: 2.4.x and 3.4.x grew two-digit
// patches, 4.x and later two-digit minors.
func dllVersion(digits string) string {
	if so, ok := strings.CutPrefix(digits, "-"); ok { // MSYS2's packages: libopencv_core-413.dll
		return SoVersion(so)
	}
	if strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	switch len(digits) {
	case 1:
		return digits
	case 3:
		return digits[:1] + "." + digits[1:2] + "." + digits[2:]
	case 4:
		if digits[0] <= '3' {
			return digits[:1] + "." + digits[1:2] + "." + digits[2:]
		}
		return digits[:1] + "." + digits[1:3] + "." + digits[3:]
	case 5:
		if digits[:2] == "24" { // 2.4.13.6 is not in file names, but 24136 is what it would be
			return "2.4." + digits[2:4] + "." + digits[4:]
		}
		return digits[:1] + "." + digits[1:3] + "." + digits[3:]
	}
	return ""
}
