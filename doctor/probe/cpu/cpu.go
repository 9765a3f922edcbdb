// Package cpu reads the processor as programs may use it: model, instruction
// sets, usable cores, clock and theoretical peak. It owns facts.CPU and the
// vocabulary of instruction sets. It never measures and never judges; a figure
// that rests on an assumption says so in PeakBasis.
package cpu

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/cgroup"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Provides are the fact topics of this probe.
func Provides() []string { return []string{"cpu"} }

// Probe reads the processor. The error says what could not be looked at;
// everything else is filled in.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	p := &prober{ctx: ctx, h: h, cpu: facts.CPU{Arch: h.Arch, Attrs: map[string]string{}}}
	switch h.OS {
	case "linux":
		p.linux()
	case "windows":
		p.windows()
	case "darwin":
		p.darwin()
	default:
		p.cpuid()
	}
	if p.cpu.Level == "" && len(p.cpu.Features) > 0 {
		p.cpu.Level = level(p.cpu.Arch, p.cpu.Features, 0)
	}
	if p.cpu.Logical == 0 && len(p.errs) == 0 {
		p.errs = append(p.errs, lang.Errorf("nothing on this machine tells what processor it has"))
	}
	return facts.Facts{CPU: p.cpu}, errors.Join(p.errs...)
}

type prober struct {
	ctx  context.Context
	h    *host.Host
	cpu  facts.CPU
	errs []error
}

// fail keeps an error, unless it says that something is not there.
func (p *prober) fail(err error) {
	if err != nil && !host.IsNotExist(err) && !errors.Is(err, host.ErrUnsupported) {
		p.errs = append(p.errs, err)
	}
}

func (p *prober) evidence(kind, source, detail string) {
	p.cpu.Evidence = append(p.cpu.Evidence, facts.Evidence{Kind: kind, Source: source, Detail: detail})
}

func (p *prober) set(key, value string) { look.Set(p.cpu.Attrs, key, look.Clean(value)) }

// optional reads a small file that adds a detail only.
func (p *prober) optional(name string) (string, bool) {
	const enough = 64 << 10
	data, _, err := p.h.ReadFile(p.ctx, name, enough)
	return string(data), err == nil
}

const cpuinfoFile = "/proc/cpuinfo"

func (p *prober) linux() {
	text, err := p.h.Text(p.ctx, cpuinfoFile)
	p.fail(err)
	info := ParseCPUInfo(text)
	if len(info.Processors) == 0 {
		p.cpuid() // no /proc, as in a bare chroot
		return
	}
	if p.emulated(info.Processors[0]) {
		p.cpuid()
		p.cpu.Emulation = "qemu"
		p.evidence("file", cpuinfoFile, "describes another processor than programs see")
		return
	}
	usable := p.allowed(info.Processors)
	p.describe(info, usable)
	p.topology(info.Processors)
	p.virtual(info)
	if strings.HasPrefix(p.cpu.Model, "VirtualApple") { // Rosetta in a Linux virtual machine
		p.cpu.Emulation = "rosetta"
	}

	groups := p.groups(usable)
	quota := p.quota()
	groups = limit(groups, quota)
	for _, g := range groups {
		p.cpu.Cores += g.cores
		p.cpu.MHz = max(p.cpu.MHz, g.clock.mhz)
	}
	p.cpu.PeakGFLOPS, p.cpu.PeakBasis = peak(groups)
	if p.cpu.Hypervisor != "" && p.cpu.PeakGFLOPS > 0 {
		p.cpu.PeakBasis += virtualNote
	}
	if quota > 0 {
		p.set("quota_cores", strconv.FormatFloat(quota, 'g', 6, 64))
	}
	p.cpu.Cores, p.cpu.PeakGFLOPS = round(p.cpu.Cores, 100), round(p.cpu.PeakGFLOPS, 10)
}

// virtualNote ends PeakBasis in a virtual machine, which does not show which of
// its processors share a core of the host.
const virtualNote = "; a virtual core may be only a thread of a real one, and then has half"

func round(f, digits float64) float64 { return math.Round(f*digits) / digits }

// allowed are the processors that this process may run on.
func (p *prober) allowed(all []Processor) []Processor {
	text, ok := p.optional("/proc/self/status")
	if !ok {
		return all
	}
	m := allowedLine.FindStringSubmatch(text)
	if m == nil {
		return all
	}
	may := parseList(m[1])
	var usable []Processor
	for _, c := range all {
		if may[c.Number] {
			usable = append(usable, c)
		}
	}
	if len(usable) == 0 {
		return all // numbers that do not fit each other: a dump of another machine
	}
	if len(usable) < len(all) {
		p.set("affinity", m[1])
		p.evidence("file", "/proc/self/status", "Cpus_allowed_list "+look.Clean(m[1]))
	}
	return usable
}

var allowedLine = lazyregexp.New(`(?m)^Cpus_allowed_list:\s*([0-9,-]+)`)

// parseList reads a kernel list of numbers (0-3,8,10-11).
func parseList(s string) map[int]bool {
	set := map[int]bool{}
	for part := range strings.SplitSeq(strings.TrimSpace(s), ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		b := a
		if isRange {
			if b, err = strconv.Atoi(last); err != nil {
				continue
			}
		}
		for n := a; n <= b && n < maxProcessors; n++ {
			set[n] = true
		}
	}
	return set
}

// describe fills in vendor, model, features and level.
func (p *prober) describe(info Info, usable []Processor) {
	first := usable[0]
	arm := first.Implementer >= 0
	p.cpu.Vendor, p.cpu.Model = look.Clean(first.Vendor), look.Clean(first.Model)
	if arm {
		p.cpu.Vendor = implementerName(first.Implementer)
		if names := coreNames(usable); names != "" {
			p.cpu.Model = names
		}
		p.set("cores", coreCounts(usable))
	}
	p.cpu.Model = cmp.Or(p.cpu.Model, look.Clean(info.Hardware))
	// Intel pads its names with spaces; the name as it stands is kept beside.
	if raw := first.Model; p.cpu.Model != raw && printable(raw) {
		p.cpu.Attrs["model_name"] = raw
	}
	p.set("hardware", info.Hardware)
	p.set("board", info.Board)
	if first.Family >= 0 && !arm {
		p.set("family", strconv.Itoa(first.Family))
		p.set("model", strconv.Itoa(first.ModelNum))
		p.set("stepping", strconv.Itoa(first.Stepping))
	}
	p.cpu.Features = features(p.h.Arch, usable)
	p.cpu.Level = level(p.h.Arch, p.cpu.Features, armVersion(first))
	p.evidence("file", cpuinfoFile, fmt.Sprintf("%d processors, %s", len(info.Processors), p.cpu.Model))
}

// printable reports whether a name can be kept as it stands.
func printable(s string) bool {
	const longest = 300
	return s != "" && len(s) <= longest && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// features are those that every usable processor has: a program may be moved
// to any of them.
func features(arch string, usable []Processor) []string {
	split := func(s string) []string {
		if strings.HasPrefix(s, "rv") {
			return normalise(arch, riscvFeatures(s))
		}
		return normalise(arch, strings.Fields(s))
	}
	common := split(usable[0].Features)
	for _, c := range usable[1:] {
		if c.Features == usable[0].Features {
			continue
		}
		other := split(c.Features)
		common = slices.DeleteFunc(common, func(f string) bool {
			_, found := slices.BinarySearch(other, f)
			return !found
		})
	}
	return common
}

var armV = lazyregexp.New(`\(v(\d)`)

// armVersion is the major version of ARM's architecture. Kernels for ARMv6 say
// "CPU architecture: 7"; the model's name, ending in (v6l), is right.
func armVersion(c Processor) int {
	if m := armV.FindStringSubmatch(c.Model); m != nil {
		return int(m[1][0] - '0')
	}
	switch a := c.Architecture; {
	case strings.HasPrefix(a, "AArch64"):
		return 8
	case a != "" && a[0] >= '4' && a[0] <= '9':
		return int(a[0] - '0')
	}
	return 0
}

const maxKinds = 8 // more kinds of core than any chip has: garbage

// kinds parts processors by their kind of ARM core, in the order in which they
// first appear.
func kinds(list []Processor) [][]Processor {
	type id struct{ implementer, part int }
	at := map[id]int{}
	var out [][]Processor
	for _, c := range list {
		k := id{c.Implementer, c.Part}
		n, known := at[k]
		if !known {
			if len(out) == maxKinds {
				continue
			}
			n, out = len(out), append(out, nil)
			at[k] = n
		}
		out[n] = append(out[n], c)
	}
	return out
}

// core is what is known of a processor's ARM core.
func (c Processor) core() armCore { return coreOf(c.Implementer, c.Part) }

func coreNames(list []Processor) string {
	var names []string
	for _, kind := range kinds(list) {
		if name := kind[0].core().name; name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, " + ")
}

func coreCounts(list []Processor) string {
	var parts []string
	for _, kind := range kinds(list) {
		if name := kind[0].core().name; name != "" {
			parts = append(parts, fmt.Sprintf("%d × %s", len(kind), name))
		}
	}
	return strings.Join(parts, ", ")
}

// topology counts threads and cores.
func (p *prober) topology(all []Processor) {
	p.cpu.Logical = len(all)
	p.cpu.Physical = physical(all)
}

// physical counts the cores behind processors: distinct pairs of package and
// core number, or what the packages say of themselves, or one each (ARM).
func physical(list []Processor) int {
	if len(list) == 0 {
		return 0
	}
	type id struct{ pkg, core int }
	cores := map[id]bool{}
	unnumbered := 0
	for _, c := range list {
		if c.Core < 0 {
			unnumbered++
			continue
		}
		cores[id{c.Physical, c.Core}] = true
	}
	if unnumbered == 0 {
		return len(cores)
	}
	if c := list[0]; c.Cores > 0 && c.Siblings >= c.Cores && unnumbered == len(list) {
		return max(1, len(list)*c.Cores/c.Siblings)
	}
	return len(cores) + unnumbered
}

// groups parts the usable processors into kinds of equal cores, each with its
// clock and throughput.
func (p *prober) groups(usable []Processor) []group {
	has := set(p.cpu.Features)
	if usable[0].Implementer >= 0 {
		return p.armGroups(usable, has)
	}
	first := usable[0]
	unit := throughput{}
	if p.h.Arch == "amd64" || p.h.Arch == "386" {
		unit = x86Throughput(first.Vendor, first.Family, first.ModelNum, first.Model, has)
	}
	// Intel's hybrid chips show one model for both kinds; the kernel's
	// performance counters part them.
	if atom, ok := p.optional("/sys/devices/cpu_atom/cpus"); ok {
		small := parseList(atom)
		var big, little []Processor
		for _, c := range usable {
			if small[c.Number] {
				little = append(little, c)
			} else {
				big = append(big, c)
			}
		}
		p.set("cores", fmt.Sprintf("%d performance, %d efficiency", physical(big), physical(little)))
		var out []group
		if len(big) > 0 {
			out = append(out, group{"performance", float64(physical(big)), p.clock(big[0]), unit})
		}
		if len(little) > 0 {
			out = append(out, group{"efficiency", float64(physical(little)), p.clock(little[0]), atomThroughput(first.ModelNum)})
		}
		return out
	}
	return []group{{"", float64(physical(usable)), p.clock(first), unit}}
}

// atomThroughput of the efficiency cores of a hybrid chip: Gracemont and
// Crestmont have 2 pipes of 128 bits, Skymont (Lunar Lake bdh, Arrow Lake
// b5h, c5h, c6h) has 4.
func atomThroughput(model int) throughput {
	switch model {
	case 0xbd, 0xb5, 0xc5, 0xc6:
		return throughput{32, "Skymont: 4 FMA pipes of 128 bits"}
	}
	return throughput{16, "Gracemont, Crestmont: 2 FMA pipes of 128 bits"}
}

func (p *prober) armGroups(usable []Processor, has map[string]bool) []group {
	var out []group
	for _, kind := range kinds(usable) {
		core := kind[0].core()
		out = append(out, group{core.name, float64(physical(kind)), p.clock(kind[0]), armThroughput(core, has)})
	}
	return out
}

var nameGHz = lazyregexp.New(`@\s*([0-9]+(?:\.[0-9]+)?)\s*([GM])Hz`)

// clock of a processor: the highest its governor allows, else the one in its
// name, else the one at this moment, else half of Linux's BogoMIPS (x86 only:
// its delay loop takes two instructions a cycle of the time stamp counter;
// elsewhere BogoMIPS follow a timer).
func (p *prober) clock(c Processor) clock {
	if text, ok := p.optional(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq", max(c.Number, 0))); ok {
		if khz, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil && khz > 0 && khz < 1e8 {
			return clock{khz / 1000, "the highest clock of cpufreq, which all cores at once may not reach"}
		}
	}
	if mhz := clockInName(c.Model); mhz > 0 {
		return clock{mhz, "the base clock in the model's name, boost not counted"}
	}
	if c.MHz > 0 {
		return clock{c.MHz, "cpu MHz in /proc/cpuinfo, boost not counted"}
	}
	x86 := p.h.Arch == "amd64" || p.h.Arch == "386"
	if x86 && c.BogoMIPS > 0 {
		return clock{c.BogoMIPS / 2, "half of BogoMIPS, boost not counted"}
	}
	for _, dir := range p.h.Glob(p.ctx, "/proc/device-tree/cpus", "cpu@*") {
		if text, ok := p.optional(dir + "/clock-frequency"); ok {
			hz := uint64(0)
			switch len(text) { // big-endian, one or two cells (Devicetree Specification, 3.8.1)
			case 4:
				hz = uint64(binary.BigEndian.Uint32([]byte(text)))
			case 8:
				hz = binary.BigEndian.Uint64([]byte(text))
			}
			if hz >= 1e7 && hz < 1e11 {
				return clock{float64(hz) / 1e6, "clock-frequency in the device tree"}
			}
		}
	}
	return clock{}
}

func clockInName(name string) float64 {
	m := nameGHz.FindStringSubmatch(name)
	if m == nil {
		return 0
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil || f <= 0 || f > 1e5 {
		return 0
	}
	if m[2] == "G" {
		f *= 1000
	}
	return f
}

// limit keeps as many cores as the quota allows, the fastest first.
func limit(groups []group, quota float64) []group {
	if quota <= 0 {
		return groups
	}
	sorted := slices.Clone(groups)
	slices.SortStableFunc(sorted, func(a, b group) int {
		return cmp.Compare(b.clock.mhz*float64(b.unit.flop), a.clock.mhz*float64(a.unit.flop))
	})
	var out []group
	for _, g := range sorted {
		if quota <= 0 {
			break
		}
		g.cores = min(g.cores, quota)
		quota -= g.cores
		out = append(out, g)
	}
	return out
}

// quota is how many processors' time the control groups give, 0 for no limit.
func (p *prober) quota() float64 {
	levels, err := cgroup.Levels(p.ctx, p.h, "cpu")
	p.fail(err)
	best := 0.0
	for _, l := range levels {
		cores, source := 0.0, ""
		if l.V2 {
			source = l.Dir + "/cpu.max" // "max 100000" or "150000 100000", microseconds
			if text, ok := p.optional(source); ok {
				if words := strings.Fields(text); len(words) == 2 {
					cores = ratio(words[0], words[1])
				}
			}
		} else {
			source = l.Dir + "/cpu.cfs_quota_us" // -1 for none
			if q, ok := p.optional(source); ok {
				if period, ok := p.optional(l.Dir + "/cpu.cfs_period_us"); ok {
					cores = ratio(strings.TrimSpace(q), strings.TrimSpace(period))
				}
			}
		}
		if cores > 0 && (best == 0 || cores < best) {
			best = cores
			p.evidence("file", source, fmt.Sprintf("%g cores", cores))
		}
	}
	return best
}

func ratio(quota, period string) float64 {
	q, err1 := strconv.ParseFloat(quota, 64)
	t, err2 := strconv.ParseFloat(period, 64)
	if err1 != nil || err2 != nil || !(q > 0) || !(t > 0) || math.IsInf(q/t, 0) {
		return 0
	}
	return q / t
}

// virtual names the hypervisor. x86 processors show a flag; ARM's firmware or
// device tree tells. The names are systemd-detect-virt's.
func (p *prober) virtual(info Info) {
	x86 := p.h.Arch == "amd64" || p.h.Arch == "386"
	flagged := slices.Contains(strings.Fields(info.Processors[0].Features), "hypervisor")
	if x86 && !flagged {
		return
	}
	if text, ok := p.optional("/sys/hypervisor/type"); ok && look.Clean(text) != "" {
		p.cpu.Hypervisor = look.Clean(text)
		return
	}
	vendor, _ := p.optional("/sys/class/dmi/id/sys_vendor")
	product, _ := p.optional("/sys/class/dmi/id/product_name")
	p.cpu.Hypervisor = hypervisorOf(vendor + " " + product)
	if p.cpu.Hypervisor == "" {
		if text, ok := p.optional("/proc/device-tree/hypervisor/compatible"); ok {
			p.cpu.Hypervisor = strings.TrimSuffix(strings.Split(look.Clean(text), " ")[0], ",")
		}
	}
	if p.cpu.Hypervisor == "" {
		if text, ok := p.optional("/proc/sys/kernel/osrelease"); ok && strings.Contains(strings.ToLower(text), "microsoft") {
			p.cpu.Hypervisor = "microsoft"
		}
	}
	if p.cpu.Hypervisor == "" && flagged {
		p.cpu.Hypervisor = "unknown"
	}
}

func hypervisorOf(machine string) string {
	name := look.Containing(machine, [][2]string{
		{"QEMU", "qemu"}, {"KVM", "kvm"}, {"OpenStack", "kvm"}, {"Amazon EC2", "amazon"}, {"VMware", "vmware"}, {"VMW", "vmware"},
		{"innotek GmbH", "oracle"}, {"VirtualBox", "oracle"}, {"Xen", "xen"}, {"Bochs", "bochs"}, {"Parallels", "parallels"},
		{"BHYVE", "bhyve"}, {"Google Compute Engine", "google"}, {"Apple Virtualization", "apple"}, {"Firecracker", "firecracker"},
	})
	if name == "" && strings.Contains(machine, "Microsoft Corporation") && strings.Contains(machine, "Virtual Machine") {
		return "microsoft"
	}
	return name
}
