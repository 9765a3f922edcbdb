package opencv

import (
	"regexp"
	"strconv"
	"strings"
)

var define = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*define[ \t]+CV_VERSION_(EPOCH|MAJOR|MINOR|REVISION|STATUS)[ \t]+"?([0-9A-Za-z.-]*)"?`)

// headerVersion reads opencv2/core/version.hpp. 2.4 numbers from an EPOCH on,
// later releases from MAJOR.
func headerVersion(text string) string {
	v := map[string]string{}
	for _, m := range define.FindAllStringSubmatch(text, -1) {
		if _, ok := v[m[1]]; !ok {
			v[m[1]] = m[2]
		}
	}
	var parts []string
	for _, k := range []string{"EPOCH", "MAJOR", "MINOR", "REVISION"} {
		n, ok := v[k]
		if !ok && k == "EPOCH" {
			continue
		}
		if n == "" || strings.Trim(n, "0123456789") != "" {
			return ""
		}
		parts = append(parts, n)
	}
	// 2.4.9 is EPOCH 2, MAJOR 4, MINOR 9, REVISION 0 and calls itself 2.4.9.
	if len(parts) == 4 && parts[3] == "0" {
		parts = parts[:3]
	}
	return strings.Join(parts, ".") + v["STATUS"]
}

var (
	cmakeVersion = regexp.MustCompile(`(?mi)^[ \t]*set[ \t]*\([ \t]*OpenCV_VERSION[ \t]+"?([0-9][0-9A-Za-z.-]*)`)
	cmakePart    = regexp.MustCompile(`(?mi)^[ \t]*set[ \t]*\([ \t]*OpenCV_VERSION_(MAJOR|MINOR|PATCH)[ \t]+"?([0-9]+)`)
)

// configVersion reads OpenCVConfig.cmake or OpenCVConfig-version.cmake.
func configVersion(text string) string {
	if m := cmakeVersion.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	v := map[string]string{}
	for _, m := range cmakePart.FindAllStringSubmatch(text, -1) {
		v[strings.ToUpper(m[1])] = m[2]
	}
	if v["MAJOR"] == "" || v["MINOR"] == "" {
		return ""
	}
	return strings.TrimSuffix(v["MAJOR"]+"."+v["MINOR"]+"."+v["PATCH"], ".")
}

// A library file of OpenCV, from its name alone.
type libName struct {
	Module string // core, dnn, world …
	// Suffix is what tells versions apart in the name: 4.6.0, 406, 4.5d, 460.
	Suffix string
	// Version is what the suffix says, as far as it says it: 4.6.0 or 4.6.
	Version string
	Static  bool
	// Debug: a Windows debug build (opencv_world460d.dll).
	Debug bool
}

var (
	soName    = regexp.MustCompile(`^libopencv_([a-z0-9_]+?)\.so(?:\.([0-9][0-9A-Za-z.]*))?$`)
	dylibName = regexp.MustCompile(`^libopencv_([a-z0-9_]+?)(?:\.([0-9][0-9.]*))?\.dylib$`)
	// Every module's name ends in a letter (features2d, calib3d).
	dllName = regexp.MustCompile(`^(?:lib)?opencv_([a-z0-9_]*[a-z])([0-9]{3,5})(d?)\.dll$`)
)

// parseLibName reads a file name of Linux, macOS or Windows.
func parseLibName(name string) (libName, bool) {
	if m := soName.FindStringSubmatch(name); m != nil {
		return libName{Module: m[1], Suffix: m[2], Version: soVersion(m[2])}, true
	}
	if m := dylibName.FindStringSubmatch(name); m != nil {
		return libName{Module: m[1], Suffix: m[2], Version: soVersion(m[2])}, true
	}
	if rest, ok := strings.CutPrefix(name, "libopencv_"); ok {
		if module, ok := strings.CutSuffix(rest, ".a"); ok && module != "" && !strings.Contains(module, ".") {
			return libName{Module: module, Static: true}, true
		}
	}
	if m := dllName.FindStringSubmatch(strings.ToLower(name)); m != nil {
		return libName{Module: m[1], Suffix: m[2] + m[3], Version: dllVersion(m[2]), Debug: m[3] != ""}, true
	}
	return libName{}, false
}

// soVersion reads a SONAME's or file's suffix. Since 4.5.x the SONAME is the
// major number and two digits of the minor one (406, 410, 500); before, it was
// dotted (4.2, 3.2, 2.4), to which Debian adds a letter at times (4.5d).
func soVersion(suffix string) string {
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
	if strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	switch len(digits) {
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

// agree reports whether two versions can be one release: equal as far as both
// go, the status apart.
func agree(a, b string) bool {
	if a == "" || b == "" {
		return true
	}
	x, y := strings.Split(bare(a), "."), strings.Split(bare(b), ".")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

// bare drops a status: 4.5.1-dev is 4.5.1.
func bare(v string) string {
	if i := strings.IndexFunc(v, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		v = v[:i]
	}
	return strings.TrimRight(v, ".")
}

// better returns the version that says more.
func better(a, b string) string {
	if strings.Count(b, ".") > strings.Count(a, ".") || a == "" {
		return b
	}
	return a
}
