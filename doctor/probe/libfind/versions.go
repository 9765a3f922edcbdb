package libfind

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

// defines reads the macros of a C header: name to value without quotes, the
// first definition of each. A value that is not one number or one string (an
// expression, a comment) is kept as it stands. C++ constants of the form
// "const std::string NAME = "…";" count as well: OpenPose writes its version so.
func defines(text string) map[string]string {
	out := map[string]string{}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\\\n", " ")
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		var name, value string
		if rest, ok := strings.CutPrefix(line, "#"); ok {
			rest, ok = strings.CutPrefix(strings.TrimSpace(rest), "define")
			if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
				continue
			}
			rest = strings.TrimSpace(rest)
			at := strings.IndexAny(rest, " \t")
			if at < 0 {
				continue
			}
			name, value = rest[:at], strings.TrimSpace(rest[at:])
		} else if rest, ok := strings.CutPrefix(line, "const std::string "); ok {
			name, value, ok = strings.Cut(rest, "=")
			if !ok {
				continue
			}
			name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		} else {
			continue
		}
		if _, ok := out[name]; ok || len(out) > 4096 {
			continue
		}
		if strings.HasPrefix(value, `"`) {
			value, _, _ = strings.Cut(value[1:], `"`)
		} else {
			value, _, _ = strings.Cut(value, "/*")
			value, _, _ = strings.Cut(value, "//")
		}
		out[name] = strings.TrimSpace(value)
	}
	return out
}

// joined makes 1.2.3 of the named macros; what follows one that is absent or no
// number is left out.
func joined(d map[string]string, names ...string) string {
	var parts []string
	for _, n := range names {
		v := d[n]
		if v == "" || len(v) > 8 || strings.Trim(v, "0123456789") != "" {
			break
		}
		parts = append(parts, v)
	}
	if len(parts) < 2 {
		return ""
	}
	return strings.Join(parts, ".")
}

// A version anywhere in a text, at least two numbers.
var inText = lazyregexp.New(`[0-9]{1,8}(?:\.[0-9]{1,8}){1,3}`)

var wholeVersion = lazyregexp.New(`^[0-9]{1,8}(?:\.[0-9]{1,8}){0,4}$`)

// bare returns a text's leading version ("2.1.0+cu121" is 2.1.0), "" for none.
func bare(v string) string {
	v = strings.TrimPrefix(strings.TrimSpace(v), "v")
	if i := strings.IndexFunc(v, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		v = v[:i]
	}
	v = strings.Trim(v, ".")
	if !wholeVersion.MatchString(v) {
		return ""
	}
	return v
}

// agree reports whether two versions can be one release: equal as far as both go.
func agree(a, b string) bool {
	if a == "" || b == "" {
		return true
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if strings.TrimLeft(x[i], "0") != strings.TrimLeft(y[i], "0") {
			return false
		}
	}
	return true
}

// better returns the version that says more.
func better(a, b string) string {
	if a == "" || strings.Count(b, ".") > strings.Count(a, ".") {
		return b
	}
	return a
}

// dotted is the suffix of a library that carries its release in its name.
func dotted(suffix string) string {
	if strings.Contains(suffix, ".") {
		return bare(suffix)
	}
	return "" // one number is the ABI's
}

// tbbSuffix: libtbb.so.12.N is release 2021.N up to N = 13 and 2022.(N-14)
// from there on (Debian's packages: 12.8 is 2021.8.0, 12.15 is 2022.1.0). What
// may come after 2022 is left to the headers.
func tbbSuffix(suffix string) string {
	minor, ok := strings.CutPrefix(suffix, "12.")
	n, err := strconv.Atoi(minor)
	switch {
	case !ok || err != nil || n < 1 || n > 17:
		return ""
	case n <= 13:
		return "2021." + strconv.Itoa(n)
	}
	return "2022." + strconv.Itoa(n-14)
}

// openvinoSuffix: the file is libopenvino.so.2024.6.0, the SONAME (and the only
// name in wheels) libopenvino.so.2460: two digits of the year, one of the
// release, one of the patch.
func openvinoSuffix(suffix string) string {
	if len(suffix) == 4 && strings.Trim(suffix, "0123456789") == "" {
		return "20" + suffix[:2] + "." + suffix[2:3] + "." + suffix[3:]
	}
	return dotted(suffix)
}

// ncnnVersion: ncnn is named by date; files and macros put "1.0." before it.
func ncnnVersion(v string) string {
	v = strings.TrimPrefix(v, "1.0.")
	if len(v) == 8 && strings.Trim(v, "0123456789") == "" {
		return v
	}
	return ""
}

// mklVersion: releases named by year are __INTEL_MKL__ and _UPDATE__, _MINOR__
// being 0 (MKL 2019 update 5 and Debian's 2020.4 have 5 and 4 there, oneMKL
// 2023.2 has INTEL_MKL_VERSION 20230002); 11.2.3 and before use all three.
func mklVersion(d map[string]string) string {
	if len(d["__INTEL_MKL__"]) < 4 {
		return joined(d, "__INTEL_MKL__", "__INTEL_MKL_MINOR__", "__INTEL_MKL_UPDATE__")
	}
	return joined(d, "__INTEL_MKL__", "__INTEL_MKL_UPDATE__", "__INTEL_MKL_PATCH__")
}

var packageVersion = lazyregexp.New(`(?mi)^[ \t]*set[ \t]*\([ \t]*([A-Za-z_]+)[ \t]+"?v?([0-9][0-9.]*)`)

// cmakeVersion reads PACKAGE_VERSION, or one of the packages' own X_VERSION, out
// of a CMake package file.
func cmakeVersion(text string, packages []string) string {
	own := ""
	for _, m := range packageVersion.FindAllStringSubmatch(text, -1) {
		if strings.EqualFold(m[1], "PACKAGE_VERSION") {
			return bare(m[2])
		}
		for _, p := range packages {
			if own == "" && strings.EqualFold(m[1], p+"_VERSION") {
				own = bare(m[2])
			}
		}
	}
	return own
}

// libName is what the file name of a library says.
type libName struct {
	// stem is the name without lib: onnxruntime, openblasp.
	stem string
	// suffix tells releases apart: 1.21.0 of libonnxruntime.so.1.21.0, 0.3.21
	// of libopenblasp-r0.3.21.so; "" for the name the linker looks for.
	suffix string
	static bool
}

var (
	sharedName = lazyregexp.New(`^lib([A-Za-z0-9_+-]+?)(?:-r([0-9]+(?:\.[0-9]+)+)(?:\.dev)?)?\.so(?:\.([0-9]+(?:\.[0-9]+)*[a-z]?))?(?:-rc[0-9]+)?$`)
	dylibName  = lazyregexp.New(`^lib([A-Za-z0-9_+-]+?)(?:-r([0-9]+(?:\.[0-9]+)+)(?:\.dev)?)?(?:\.([0-9]+(?:\.[0-9]+)*))?\.dylib$`)
	staticName = lazyregexp.New(`^lib([A-Za-z0-9_+-]+?)(?:-r([0-9]+(?:\.[0-9]+)+))?\.a$`)
)

func parseLibName(name string) (libName, bool) {
	for _, re := range []*regexp.Regexp{sharedName.Get(), dylibName.Get()} {
		if m := re.FindStringSubmatch(name); m != nil {
			suffix := cmp.Or(m[2], m[3])
			return libName{stem: m[1], suffix: suffix}, true
		}
	}
	if m := staticName.FindStringSubmatch(name); m != nil {
		return libName{stem: m[1], suffix: m[2], static: true}, true
	}
	return libName{}, false
}

// metadata reads the name and version out of a Python package's METADATA or
// PKG-INFO (core metadata: header lines, then an empty one).
func metadata(text string) (name, version string) {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" {
			break
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		switch strings.ToLower(key) {
		case "name":
			name = wheeltag.Normal(strings.TrimSpace(value))
		case "version":
			version = strings.TrimSpace(value)
		}
	}
	return name, version
}

var infoFolder = lazyregexp.New(`^([A-Za-z0-9][A-Za-z0-9_.]*?)-([0-9][0-9A-Za-z.+!_]*?)(?:-py[0-9.]+)?\.(?:dist|egg)-info$`)

// parseInfoFolder reads the name of a package's metadata folder:
// torch-2.1.0+cu121.dist-info, onnxruntime-1.21.egg-info.
func parseInfoFolder(folder string) (name, version string, ok bool) {
	m := infoFolder.FindStringSubmatch(folder)
	if m == nil {
		return "", "", false
	}
	return wheeltag.Normal(m[1]), m[2], true
}

var fileVersion = lazyregexp.New(`F\x00i\x00l\x00e\x00V\x00e\x00r\x00s\x00i\x00o\x00n\x00(?:\x00\x00)+((?:[0-9.,]\x00|\x20\x00){3,40})`)

// resourceVersion reads what follows VS_VERSION_INFO in a DLL: the text
// FileVersion of its version resource (UTF-16). A number of five and more
// digits is a build's date, not a part of the release (onnxruntime.dll of
// Windows says 1.17.20240301.2).
func resourceVersion(data []byte) string {
	m := fileVersion.Get().FindSubmatch(data)
	if m == nil {
		return ""
	}
	text := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(string(m[1]), "\x00", ""), " ", ""), ",", ".")
	v := bare(text)
	parts := strings.Split(v, ".")
	if i := slices.IndexFunc(parts, func(p string) bool { return len(p) > 4 }); i >= 0 {
		parts = parts[:i]
	}
	if len(parts) > 3 {
		parts = parts[:3]
	}
	if len(parts) < 2 {
		return ""
	}
	return strings.Join(parts, ".")
}

// versionInfo is the key of a version resource in UTF-16.
func versionInfo() string {
	return "V\x00S\x00_\x00V\x00E\x00R\x00S\x00I\x00O\x00N\x00_\x00I\x00N\x00F\x00O\x00"
}

// protobufVersion is protobuf's release as protoc and pkg-config say it. The
// headers hold the number of the C++ library: 3021012 is 3.21.12; from 4 on the
// release leaves its first part out, 4025003 is 25.3 (protobuf.dev, "Version
// Support").
func protobufVersion(d map[string]string) string {
	n, err := strconv.Atoi(cmp.Or(d["GOOGLE_PROTOBUF_VERSION"], d["PROTOBUF_VERSION"]))
	if err != nil || n < 1_000_000 {
		return ""
	}
	release := strconv.Itoa(n/1000%1000) + "." + strconv.Itoa(n%1000)
	if major := n / 1_000_000; major < 4 {
		return strconv.Itoa(major) + "." + release
	}
	return release
}

// boostVersion reads Boost's release: 107400 is 1.74.0 (boost/version.hpp).
func boostVersion(d map[string]string) string {
	n, err := strconv.Atoi(d["BOOST_VERSION"])
	if err != nil || n < 100_000 {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", n/100_000, n/100%1000, n%100)
}
