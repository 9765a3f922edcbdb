// Package dump owns recognizing the reports that people paste: nvidia-smi, OpenCV's
// build information, clinfo, nvcc --version, vswhere, VSSetup and /proc/cpuinfo. It
// finds them in a text and tells machines apart. It reads them with the parsers
// that the probes have; it must never have a parser of its own, run anything or look
// at this machine.
package dump

import (
	"cmp"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/internal/logtext"
	"github.com/deployctl/deployctl/doctor/probe/cpu"
	"github.com/deployctl/deployctl/doctor/probe/cuda"
	"github.com/deployctl/deployctl/doctor/probe/msvc"
	"github.com/deployctl/deployctl/doctor/probe/opencl"
	"github.com/deployctl/deployctl/doctor/probe/opencv"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Kinds of reports.
const (
	BuildInfo = "buildinfo"
	NvidiaSMI = "nvidia-smi"
	NVCC      = "nvcc"
	CLInfo    = "clinfo"
	VSWhere   = "vswhere"
	VSSetup   = "vssetup"
	CPUInfo   = "cpuinfo"
)

// MaxText is how much of a text is looked at, in bytes.
const MaxText = 16 << 20

// Report is one report of a text.
type Report struct {
	Kind string `json:"kind"`
	Line int    `json:"line"` // of its beginning, from 1
	// Facts is what was read, as explain's answer has it.
	Facts map[string]any `json:"-"`

	info    *opencv.BuildInfo
	smi     *cuda.SMI
	nvcc    *cuda.Compiler
	opencl  []opencl.Platform
	studios []msvc.Setup
	cpuinfo string
}

// Machine is the reports of a text that may come from one machine.
type Machine struct{ Reports []Report }

// start is where a report begins.
type start struct {
	kind       string
	line, from int // from is an offset in the text
}

var (
	smiStart    = lazyregexp.New(`NVIDIA-SMI[ \t]+[0-9]`)
	queryStart  = lazyregexp.New(`(?:^|, *)(?:gpu_)?name *(?:,.*)?(?:driver_version|memory\.total|compute_cap|uuid|pci\.bus_id)|(?:driver_version|memory\.total|compute_cap|uuid|index).*, *(?:gpu_)?name *(?:,|$)`)
	platformsIn = lazyregexp.New(`^\s*(?:\[[^\]\s]*/[^\]\s]*\]\s*)?(?:Number of platforms|#PLATFORMS)\b`)
	platformIn  = lazyregexp.New(`^\s*(?:Platform Name(?:\s{2,}|:)|(?:\[[^\]\s]*/[^\]\s]*\]\s*)?CL_PLATFORM_NAME\s)`)
	instanceIn  = lazyregexp.New(`^\s*[Ii]nstanceId\s*: ?\S`)
	recordIn    = lazyregexp.New(`^[^:]*"(?:[Ii]nstanceId|installationPath|path)"\s*:\s*"`)
	processorIn = lazyregexp.New(`^(?:processor|Processor|hart)[ \t]*:[ \t]*(.*)$`)
	flagsIn     = lazyregexp.New(`(?m)^(?:flags|Features|features|isa|CPU implementer|cpu model|vendor_id|BogoMIPS|bogomips)[ \t]*:`)
	// Versions of Visual Studio have a major of two digits and four or five parts.
	visualVersion = lazyregexp.New(`^1[0-9]\.[0-9]+\.[0-9]+`)
	keyIn         = lazyregexp.New(`^[A-Za-z][A-Za-z0-9_ ()/]*?[ \t]*:( |$)`)
)

// mayHold reports whether a text can hold a report, so that most texts cost only
// this look.
func mayHold(text string) bool {
	return slices.ContainsFunc([]string{"eneral configuration for", "NVIDIA-SMI", "driver_version", "memory.total", "compilation tools", "umber of platforms", "#PLATFORMS", "PLATFORM_NAME", "latform Name", "nstanceId", "installationPath", "Microsoft.VisualStudio.Product", "rocessor"}, func(s string) bool { return strings.Contains(text, s) })
}

// ReadFrom finds the reports at the beginning of a text, up to MaxText. The error says
// what could not be read.
func ReadFrom(r io.Reader) ([]Report, error) {
	text, err := logtext.Text(r, MaxText)
	if err != nil {
		return nil, err
	}
	return Read(text), nil
}

// Read finds the reports in a text, in their order. Lines that quotes, build
// services and logs put something before are read without it.
func Read(text string) []Report {
	if !mayHold(text) {
		return nil
	}
	var bare strings.Builder
	bare.Grow(len(text) + 1)
	var starts []start
	s := starter{processor: -1}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = logtext.Unprefixed(line)
		if kind := s.line(line); kind != "" {
			starts = append(starts, start{kind, n, bare.Len()})
		}
		bare.WriteString(line)
		bare.WriteByte('\n')
	}
	text = bare.String()
	var out []Report
	for i, st := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1].from
		}
		from := st.from
		if st.kind == VSWhere { // the record's brackets stand before it
			from = openingOf(text, from)
		} else if st.kind == CPUInfo && (i == 0 || starts[i-1].kind != CPUInfo) {
			from = blockOf(text, from)
		}
		if r := read(st.kind, text[from:end]); r != nil {
			r.Line = st.line
			out = append(out, *r)
		}
	}
	return out
}

// starter knows which report the lines belong to.
type starter struct {
	kind      string
	processor int // the last of a cpuinfo
}

// line gives the kind of the report that a line begins, "" for none.
func (s *starter) line(line string) string {
	kind := s.begins(line)
	if kind != "" {
		s.kind = kind
	}
	return kind
}

func (s *starter) begins(line string) string {
	switch {
	case strings.Contains(line, "eneral configuration for "):
		return BuildInfo
	case smiStart.MatchString(line) && !strings.Contains(line, "has failed"), holds(line, ",") && holds(line, "name") && queryStart.MatchString(line):
		return NvidiaSMI
	case strings.Contains(line, "compilation tools, release"):
		return NVCC
	case holds(line, "umber of platforms", "#PLATFORMS") && platformsIn.MatchString(line):
		return CLInfo
	case s.kind != CLInfo && holds(line, "Platform Name", "CL_PLATFORM_NAME") && platformIn.MatchString(line):
		return CLInfo
	case s.kind != VSWhere && holds(line, "nstanceId", `"installationPath"`, `"path"`) && (recordIn.MatchString(line) || instanceIn.MatchString(line)):
		return VSWhere
	}
	if s.kind == VSWhere && strings.HasPrefix(line, "[") {
		s.kind = "" // another answer of vswhere may follow
	}
	m := processorIn.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	number, err := strconv.Atoi(strings.TrimSpace(m[1]))
	switch {
	case strings.HasPrefix(line, "hart") && s.kind == CPUInfo: // it stands below its processor
		return ""
	case err != nil && strings.HasPrefix(line, "P"): // ARM's old kernels begin with the model
		s.processor = -1
		return CPUInfo
	case err != nil:
		return ""
	case s.kind == CPUInfo && number > s.processor:
		s.processor = number
		return ""
	}
	s.processor = number
	return CPUInfo
}

// holds reports whether a line has one of the texts, without which an expression need not
// be tried: that costs far more.
func holds(line string, texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// openingOf is the offset of the bracket that a record begins with.
func openingOf(text string, at int) int {
	before := strings.TrimRight(text[max(0, at-4096):at], " \t\r\n")
	line, _, _ := strings.Cut(text[at:], "\n")
	if i := strings.IndexAny(line, "[{"); i >= 0 && i < strings.IndexByte(line+`"`, '"') {
		at += i
		if line[i] == '[' {
			return at
		}
	} else if strings.HasSuffix(before, "{") {
		at = max(0, at-4096) + len(before) - 1
		before = strings.TrimRight(before[:len(before)-1], " \t\r\n")
	} else {
		return at
	}
	if strings.HasSuffix(before, "[") {
		return max(0, at-4096) + strings.LastIndexByte(text[max(0, at-4096):at], '[')
	}
	return at
}

// blockOf is the offset of the first of the lines of a cpuinfo that stand before
// the first processor: MIPS, s390 and old ARM kernels begin with the machine.
func blockOf(text string, at int) int {
	for at > 0 {
		from := strings.LastIndexByte(text[:at-1], '\n') + 1
		if !keyIn.MatchString(text[from : at-1]) {
			break
		}
		at = from
	}
	return at
}

// read reads one report, nil where the text is not one after all.
func read(kind, text string) *Report {
	r := &Report{Kind: kind, Facts: map[string]any{}}
	switch kind {
	case BuildInfo:
		info, ok := opencv.ParseBuildInfo(text)
		if !ok {
			return nil
		}
		r.info, r.Facts = &info, buildFacts(info)
	case NvidiaSMI:
		smi := cuda.ParseSMI(text)
		if smi.Driver == "" {
			if smi.Devices = cuda.ParseQuery(paragraph(text)); len(smi.Devices) == 0 {
				return nil
			}
			smi.Driver, smi.GPUs = smi.Devices[0].Driver, len(smi.Devices)
		}
		r.smi, r.Facts = &smi, smiFacts(smi)
	case NVCC:
		c, ok := cuda.ParseNVCC(text)
		if !ok {
			return nil
		}
		r.nvcc, r.Facts = &c, map[string]any{"release": c.Release, "nvcc_version": c.Version}
	case CLInfo:
		r.opencl = opencl.ParseClinfo(text)
		if len(r.opencl) == 0 && !platformsIn.MatchString(text) {
			return nil
		}
		r.Facts = clFacts(r.opencl)
	case VSWhere:
		if r.Kind, r.studios = studios(text); len(r.studios) == 0 {
			return nil
		}
		r.Facts = studioFacts(r.studios)
	case CPUInfo:
		info := cpu.ParseCPUInfo(text)
		if len(info.Processors) == 0 || !flagsIn.MatchString(text) {
			return nil
		}
		r.cpuinfo, r.Facts = text, cpuFacts(info)
	}
	return r
}

// paragraph is a text up to its first empty line.
func paragraph(text string) string {
	before, _, _ := strings.Cut(text, "\n\n")
	return before
}

// studios reads the instances of Visual Studio in any of the forms. Other JSON texts
// have ids and paths, too, but neither product nor version.
func studios(text string) (kind string, list []msvc.Setup) {
	defer func() {
		list = slices.DeleteFunc(list, func(s msvc.Setup) bool {
			return !strings.HasPrefix(s.ProductID, "Microsoft.VisualStudio.") && (s.InstanceID == "" || !visualVersion.MatchString(s.Version))
		})
	}()
	kind = VSWhere
	if text == "" {
		return kind, nil
	}
	if text[0] != '[' && text[0] != '{' {
		if strings.HasPrefix(strings.TrimSpace(text), "InstanceId") {
			kind = VSSetup
		}
		if list = msvc.ParseKeyLines(text); len(list) == 0 { // the part of a JSON text behind its brackets
			list, _ = msvc.ParseVSWhere([]byte("[{" + text)) // what can be read of it
		}
		return kind, list
	}
	list, _ = msvc.ParseVSWhere([]byte(text)) // what can be read of it
	switch {
	case strings.Contains(text, `"InstanceId"`), strings.Contains(text, `"selectedPackages"`), strings.Contains(text, `"packages"`) && !strings.Contains(text, `"instanceId"`):
		kind = VSSetup
	}
	return kind, list
}

func put(to map[string]any, key, value string) {
	if value != "" {
		to[key] = value
	}
}

// buildFacts has the values as the text has them.
func buildFacts(info opencv.BuildInfo) map[string]any {
	attrs, out := info.Attrs(), map[string]any{}
	put(out, "version", info.Version)
	for _, key := range []string{
		"host", "target", "compiler", "cpu_baseline", "cpu_dispatch", "cuda", "cuda_arch", "cudnn", "opencl", "parallel", "ffmpeg", "gstreamer", "lapack", "ipp",
		"gui", "openvino", "modules", "modules_disabled", "modules_unavailable", "type",
	} {
		put(out, key, attrs["build."+key])
	}
	system := strings.Fields(cmp.Or(attrs["build.target"], attrs["build.host"]))
	if len(system) > 1 {
		out["platform"] = system[0] + " " + system[len(system)-1]
	}
	for _, key := range []string{"Python 3/Interpreter", "Python 2/Interpreter", "Python/Interpreter", "Python3/Interpreter", "Python (for build)"} {
		if v, ok := info.Get(key); ok && v != "" {
			out["python"] = v
			break
		}
	}
	return out
}

func smiFacts(smi cuda.SMI) map[string]any {
	out := map[string]any{}
	put(out, "driver", smi.Driver)
	put(out, "cuda_max", smi.CUDA)
	gpus := []map[string]any{}
	for _, d := range smi.Devices {
		g := map[string]any{"index": d.Index, "name": d.Name}
		put(g, "pci", d.PCI)
		put(g, "compute_capability", d.ComputeCap)
		if d.Memory > 0 {
			g["memory_mib"] = d.Memory >> 20
		}
		gpus = append(gpus, g)
	}
	out["gpus"] = gpus
	return out
}

func clFacts(platforms []opencl.Platform) map[string]any {
	list := []map[string]any{}
	for _, p := range platforms {
		devices := []map[string]any{}
		for _, d := range p.Devices {
			one := map[string]any{"name": d.Name}
			put(one, "vendor", d.Vendor)
			put(one, "version", d.Version)
			put(one, "driver", d.Driver)
			put(one, "type", d.Type)
			put(one, "board", d.Board)
			if d.Memory > 0 {
				one["memory_mib"] = d.Memory >> 20
			}
			devices = append(devices, one)
		}
		one := map[string]any{"name": p.Name, "devices": devices}
		put(one, "vendor", p.Vendor)
		put(one, "version", p.Version)
		list = append(list, one)
	}
	return map[string]any{"platforms": list}
}

func studioFacts(list []msvc.Setup) map[string]any {
	instances := []map[string]any{}
	for _, s := range list {
		one := map[string]any{}
		put(one, "id", s.InstanceID)
		put(one, "path", s.Path)
		put(one, "version", s.Version)
		put(one, "display_version", s.DisplayVersion)
		put(one, "name", s.DisplayName)
		put(one, "product", s.ProductID)
		put(one, "channel", s.ChannelID)
		put(one, "year", s.LineVersion)
		if s.Complete != nil {
			one["complete"] = *s.Complete
		}
		if s.Prerelease != nil {
			one["prerelease"] = *s.Prerelease
		}
		if len(s.Packages) > 0 {
			one["packages"] = s.Packages
		}
		instances = append(instances, one)
	}
	return map[string]any{"instances": instances}
}

// cpuFacts: features are the flags as Linux spells them, cores what the text says of
// the cores, else the number of processors that it lists.
func cpuFacts(info cpu.Info) map[string]any {
	first := info.Processors[0]
	out := map[string]any{"processors": len(info.Processors), "features": strings.Fields(first.Features)}
	put(out, "model", cmp.Or(first.Model, info.Hardware))
	put(out, "vendor", first.Vendor)
	put(out, "hardware", info.Hardware)
	put(out, "board", info.Board)
	packages := map[int]bool{}
	for _, p := range info.Processors {
		packages[p.Physical] = true
	}
	out["cores"] = len(info.Processors)
	if first.Cores > 0 {
		out["cores"] = first.Cores * len(packages)
	}
	return out
}

// Machines puts reports together that may come from one machine: a new machine
// begins where a report of a kind comes again and says something else. One that
// says the same again is left out.
func Machines(reports []Report) []Machine {
	var out []Machine
	for _, r := range reports {
		if len(out) > 0 {
			last := &out[len(out)-1]
			i := slices.IndexFunc(last.Reports, func(o Report) bool { return o.Kind == r.Kind })
			if i >= 0 && reflect.DeepEqual(last.Reports[i].Facts, r.Facts) {
				continue
			}
			if i < 0 {
				last.Reports = append(last.Reports, r)
				continue
			}
		}
		out = append(out, Machine{Reports: []Report{r}})
	}
	return out
}

// Facts is what all reports of the machine say; their keys do not overlap.
func (m Machine) Facts() map[string]any {
	out := map[string]any{}
	for _, r := range m.Reports {
		maps.Copy(out, r.Facts)
	}
	return out
}
