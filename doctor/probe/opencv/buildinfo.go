// Package opencv reads what OpenCV says of itself: the names of its libraries,
// and the build information that is inside them and that CMake and programs
// print.
package opencv

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// BuildInfo is the text of cv::getBuildInformation, which CMake also prints at
// the end of configuring OpenCV, as data.
type BuildInfo struct {
	// Version may carry a status: 4.5.1-dev, 3.0.0-beta.
	Version string
	Fields  []Field
}

// Field is one line of the text. A section's own line (GUI: QT5) has the
// section's name as key.
type Field struct {
	Section, Key, Value string
	// Level is 0 for a section, 1 for its entries, 2 for what stands below one.
	Level int
}

const (
	// marker starts the text in every release since 2.4.
	marker = "General configuration for OpenCV "
	// maxInfo is more than any real text (the longest known has 9 KiB).
	maxInfo   = 64 << 10
	maxFields = 2_000
	// valueColumn is less than the column at which values stand (33) and more
	// than any key is indented by.
	valueColumn = 20
)

var headLine = lazyregexp.New(`General configuration for (?i:OpenCV)[ \t]+([0-9][0-9A-Za-z.+_-]*)`)

// ParseBuildInfo finds the text in a library's bytes, a program's output, a
// CMake log (lines begin with "-- ") or OpenCV's own version_string.inc (lines
// are C literals). It reports false when the text is not there.
func ParseBuildInfo(text string) (BuildInfo, bool) {
	at := headLine.Get().FindStringSubmatchIndex(text)
	if at == nil {
		return BuildInfo{}, false
	}
	info := BuildInfo{Version: text[at[2]:at[3]]}
	// A library's string table has the text after a zero or a line end.
	lineStart := strings.LastIndexAny(text[:at[0]], "\n\x00") + 1
	text = text[lineStart:]
	text = text[:min(len(text), maxInfo)]
	if end := strings.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	heading, _, _ := strings.Cut(text, "\n")
	_, base := plain(heading[:max(0, strings.Index(heading, marker[:len("General")]))+len("General")])
	section, first := "", true
	lines, doubtful := unwrap(strings.Split(text, "\n"), base)
	for i, line := range lines {
		if first {
			first = false // the rest of the heading
			continue
		}
		line, indent := plain(line)
		if strings.HasPrefix(line, "----------") || len(info.Fields) >= maxFields {
			break
		}
		if strings.HasPrefix(line, marker) {
			break
		}
		depth := indent - base
		if n := len(info.Fields); depth >= valueColumn && n > 0 && line != "" {
			// The value goes on: 2.4 names Android's toolchain so.
			info.Fields[n-1].Value = strings.TrimSpace(info.Fields[n-1].Value + " " + line)
			continue
		}
		key, value, ok := keyValue(line)
		if !ok {
			if line != "" && depth <= 2 {
				section = line // 2.4's "NVIDIA CUDA" has no colon
			}
			continue
		}
		if doubtful[i] {
			value = ""
		}
		f := Field{Key: key, Value: value}
		switch {
		case depth <= 2:
			section = key
		case depth <= 4:
			f.Level = 1
		default:
			f.Level = 2
		}
		f.Section = section
		info.Fields = append(info.Fields, f)
	}
	return info, true
}

// Widths at which terminals and editors break lines.
const (
	leastWidth = 60
	mostWidth  = 250
)

var usualWidths = []int{72, 76, 78, 79, 80, 100, 120, 132, 160}

// unwrap joins the lines that a terminal, a mail program or an issue tracker
// broke. The text's own lines are indented by two at least, so one that is not
// goes on with the line before it, if that one is as long as lines get here.
// Where it cannot be seen whether a word was cut or a blank was left out, the
// joined line is doubtful.
func unwrap(lines []string, base int) (joined []string, doubtful map[int]bool) {
	width, broken := 0, map[int]bool{}
	for i, line := range lines {
		bare, indent := plain(line)
		if strings.HasPrefix(bare, "----------") {
			break
		}
		// The heading's own line of = is 76 columns long.
		if i > 0 && strings.Trim(bare, "=") != "" {
			width = max(width, utf8.RuneCountInString(line))
			before := strings.TrimSpace(lines[i-1])
			broken[i] = i > 1 && indent-base < 2 && before != "" && strings.Trim(before, "=") != "" && !strings.HasPrefix(line, "-- ") && !strings.HasPrefix(bare, marker)
		}
	}
	if width < leastWidth || width > mostWidth {
		return lines, nil
	}
	cut, words := 0, 0
	for i := range lines {
		if !broken[i] {
			continue
		}
		before := utf8.RuneCountInString(lines[i-1])
		word, _, _ := strings.Cut(strings.TrimSpace(lines[i]), " ")
		switch {
		case before >= width-1: // the last column may have been a blank that was trimmed
			cut++
		case before+1+utf8.RuneCountInString(word) > width:
			words++
		default:
			broken[i] = false // text of another kind
		}
	}
	doubtful = map[int]bool{}
	known := words > 0 || cut > 2 || slices.Contains(usualWidths, width)
	for i, line := range lines {
		if !broken[i] {
			joined = append(joined, line)
			continue
		}
		last := len(joined) - 1
		rest, _ := plain(line)
		switch {
		case words > 0:
			joined[last] += " " + rest
		default:
			missing := width - utf8.RuneCountInString(lines[i-1])
			if rest = line; len(line)-len(strings.TrimLeft(line, " ")) >= base {
				rest = line[base:] // the broken text was indented as a whole
			}
			joined[last] += strings.Repeat(" ", max(0, missing)) + rest
		}
		doubtful[last] = doubtful[last] || !known
	}
	return joined, doubtful
}

// plain strips what surrounds a line of the text in the forms it comes in, and
// counts the spaces it is indented by.
func plain(line string) (string, int) {
	line = strings.TrimRight(line, "\r")
	// What the text is wrapped in may be indented itself.
	if t := strings.TrimLeft(line, " \t"); strings.HasPrefix(t, `"`) || strings.HasPrefix(t, "-- ") || t == "--" {
		line = t
	}
	if rest, ok := strings.CutPrefix(line, `"`); ok {
		// A C literal: "text\n"
		if body, ok := strings.CutSuffix(rest, `"`); ok {
			line = strings.TrimSuffix(body, `\n`)
			line = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(line)
		}
	}
	if rest, ok := strings.CutPrefix(line, "-- "); ok {
		line = rest
	} else if line == "--" {
		line = ""
	}
	trimmed := strings.TrimLeft(line, " \t")
	indent := 0
	for _, c := range line[:len(line)-len(trimmed)] {
		if c == '\t' {
			indent += 4
		} else {
			indent++
		}
	}
	return strings.TrimRight(trimmed, " \t"), indent
}

// keyValue cuts a line at the first colon that ends its key. 2.4 forgot it in
// two lines (Use GCD    NO), which are cut at the gap.
func keyValue(line string) (key, value string, ok bool) {
	for i := 0; i < len(line); i++ {
		if line[i] == ':' && (i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '\t') {
			key, value = line[:i], line[i+1:]
			break
		}
	}
	if key == "" {
		key, value, ok = strings.Cut(line, "  ")
		if !ok {
			return "", "", false
		}
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	return key, value, key != ""
}

// attrKeys names the attributes an instance gets, with the labels that the
// releases from 2.4 to 5 gave them, oldest spelling last.
var attrKeys = []struct {
	attr string
	keys []string
}{
	{"build.vcs", []string{"Version control"}},
	{"build.timestamp", []string{"Platform/Timestamp"}},
	{"build.host", []string{"Platform/Host"}},
	{"build.target", []string{"Platform/Target"}},
	{"build.cmake", []string{"Platform/CMake"}},
	{"build.generator", []string{"Platform/CMake generator"}},
	{"build.msvc", []string{"Platform/MSVC"}},
	{"build.type", []string{"Platform/Configuration"}},
	{"build.cpu_baseline", []string{"CPU/HW features/Baseline"}},
	{"build.cpu_dispatch", []string{"CPU/HW features/Dispatched code generation"}},
	{"build.shared", []string{"C/C++/Built as dynamic libs?"}},
	{"build.cxx_standard", []string{"C/C++/C++ standard", "C/C++/C++11"}},
	{"build.compiler", []string{"C/C++/C++ Compiler"}},
	{"build.c_compiler", []string{"C/C++/C Compiler"}},
	{"build.modules", []string{"OpenCV modules/To be built"}},
	{"build.modules_disabled", []string{"OpenCV modules/Disabled"}},
	{"build.modules_unavailable", []string{"OpenCV modules/Unavailable"}},
	{"build.nonfree", []string{"OpenCV modules/Non-free algorithms"}},
	{"build.gui", []string{"GUI"}},
	{"build.ffmpeg", []string{"Video I/O/FFMPEG"}},
	{"build.gstreamer", []string{"Video I/O/GStreamer"}},
	{"build.v4l", []string{"Video I/O/v4l/v4l2"}},
	{"build.mediafoundation", []string{"Video I/O/Media Foundation"}},
	{"build.parallel", []string{"Parallel framework"}},
	{"build.ipp", []string{"Intel IPP", "Use Intel IPP", "Use IPP"}},
	{"build.lapack", []string{"Lapack", "Use Lapack"}},
	{"build.eigen", []string{"Eigen", "Use Eigen"}},
	{"build.hal", []string{"Custom HAL", "Use custom HAL"}},
	{"build.openvino", []string{"OpenVINO", "Inference Engine"}},
	{"build.protobuf", []string{"Protobuf"}},
	{"build.cuda", []string{"NVIDIA CUDA", "Use Cuda"}},
	{"build.cuda_arch", []string{"NVIDIA GPU arch"}},
	{"build.cuda_ptx", []string{"NVIDIA PTX archs"}},
	{"build.cudnn", []string{"cuDNN"}},
	{"build.vulkan", []string{"Vulkan"}},
	{"build.webnn", []string{"WebNN"}},
	{"build.opencl", []string{"Use OpenCL", "OpenCL"}},
	{"build.prefix", []string{"Install to", "Install path"}},
}

// Attrs returns what matters of the text under the names that facts use; a
// label that does not stand in it, or has no value, gives no attribute.
func (b BuildInfo) Attrs() map[string]string {
	out := map[string]string{}
	look.Set(out, "build.version", b.Version)
	for _, a := range attrKeys {
		for _, key := range a.keys {
			if v, ok := b.Get(key); ok && v != "" {
				out[a.attr] = v
				break
			}
		}
	}
	// 3.x does not name a standard, only whether it is C++11.
	if v, ok := b.Get("C/C++/C++11"); ok && out["build.cxx_standard"] == v {
		delete(out, "build.cxx_standard")
		if Yes(v) {
			out["build.cxx_standard"] = "11"
		}
	}
	// 3.x leaves GStreamer's own line empty and names its parts below it.
	if _, ok := out["build.gstreamer"]; !ok {
		for i, f := range b.Fields {
			if i > 0 && f.Key == "base" && f.Level == 2 && b.Fields[i-1].Key == "GStreamer" && f.Value != "" {
				out["build.gstreamer"] = f.Value
			}
		}
	}
	// Since 4.5.3 the section's own line names the toolkits; before, only the
	// lines below it say which is there.
	if _, ok := out["build.gui"]; !ok {
		var kits []string
		for _, f := range b.Fields {
			if f.Section == "GUI" && f.Level == 1 && strings.HasPrefix(f.Value, "YES") && !strings.HasSuffix(f.Key, " support") && !gtkPart[f.Key] {
				kits = append(kits, f.Key)
			}
		}
		look.Set(out, "build.gui", strings.Join(kits, " "))
	}
	if _, ok := out["build.parallel"]; !ok {
		look.Set(out, "build.parallel", b.oldParallel())
	}
	return out
}

// gtkPart: lines of the GUI section that speak of what GTK+ was built with.
var gtkPart = map[string]bool{"GThread": true, "GtkGlExt": true}

// Get returns the value of the first line with that key, or "section/key";
// case does not matter, and keys may hold slashes themselves (v4l/v4l2).
func (b BuildInfo) Get(key string) (string, bool) {
	for _, f := range b.Fields {
		if strings.EqualFold(f.Key, key) || strings.EqualFold(f.Section+"/"+f.Key, key) {
			return f.Value, true
		}
	}
	return "", false
}

// oldParallel names the framework from the separate lines that releases up to
// 3.0 had; several may say YES, the one used is the first in OpenCV's order.
func (b BuildInfo) oldParallel() string {
	seen := false
	for _, c := range []struct{ key, name string }{
		{"Use TBB", "TBB"}, {"Use C=", "C="}, {"Use OpenMP", "OpenMP"}, {"Use GCD", "GCD"}, {"Use Concurrency", "Concurrency"},
		{"Use pthreads for parallel for", "pthreads"},
	} {
		v, ok := b.Get(c.key)
		seen = seen || ok
		if strings.HasPrefix(v, "YES") {
			return strings.TrimSpace(c.name + strings.TrimPrefix(v, "YES"))
		}
	}
	if seen {
		return "none"
	}
	return ""
}

// Yes reports whether a value of the text says that something is there: YES,
// YES (ver 11.8 …), a version or a path; not NO, none or nothing.
func Yes(value string) bool {
	v := strings.ToUpper(strings.TrimSpace(value))
	return v != "" && v != "NONE" && v != "-" && v != "NO" && !strings.HasPrefix(v, "NO ") && !strings.HasPrefix(v, "NO/NO") && !strings.HasSuffix(v, "NOT FOUND")
}
