package cuda

import (
	"context"
	"encoding/csv"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// SMI is what nvidia-smi says of the driver.
type SMI struct {
	// Driver is the kernel driver's version, "" when it is not told.
	Driver string
	// CUDA is the newest CUDA the driver runs: a ceiling, not an installed
	// toolkit. Drivers before 410 do not tell it.
	CUDA string
	// GPUs counts the devices; Devices has those of the table, whose names may be cut
	// short with dots.
	GPUs    int
	Devices []Device
	// Windows: the table has Windows' driver models (WDDM, TCC, MCDM) in the place of
	// Linux's persistence mode, for which Linux is set.
	Windows, Linux bool
	// NoMIG: the only GPU is in MIG mode and has no instance.
	NoMIG bool
	// Prohibited: the compute mode of every GPU forbids programs.
	Prohibited bool
	// Err is nvidia-smi's own error, as one line.
	Err string
}

// Device is one NVIDIA GPU.
type Device struct {
	Index int
	Name  string
	// PCI is the address in the kernel's form, 0000:01:00.0.
	PCI  string
	UUID string
	// Memory is in bytes; Used is what programs hold of it.
	Memory     uint64
	Used       uint64
	ComputeCap string
	Driver     string
}

const maxGPUs = 256

var (
	// Since 610 the header says KMD and CUDA UMD.
	smiHeader = lazyregexp.New(`NVIDIA-SMI[ \t]+([0-9][0-9.]*)`)
	smiDriver = lazyregexp.New(`(?:Driver|KMD) Version[ \t]*:[ \t]*([0-9][0-9.]*)`)
	smiCUDA   = lazyregexp.New(`CUDA (?:UMD )?Version[ \t]*:[ \t]*([0-9][0-9.]*)`)
	// Jetson's GPU is not on PCI.
	smiGPU    = lazyregexp.New(`^\|[ \t]+[0-9]+\.?[ \t]+.*?[ \t]*\|[ \t]*(?:[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f]|N/A[ \t]+N/A)`)
	smiName   = lazyregexp.New(`^[ \t]*([0-9]+)\.?[ \t]+(.*?)(?:[ \t]+(On|Off|WDDM|TCC|MCDM|N/A|Enabled|Disabled|ERR!|\[N/A\]))?[ \t]*$`)
	smiMemory = lazyregexp.New(`([0-9]+)[ \t]*([KMG]i?B)[ \t]*/[ \t]*([0-9]+)[ \t]*([KMG]i?B)`)
	smiFailed = lazyregexp.New(`(?mi)^.*(?:NVIDIA-SMI has failed|NVIDIA-SMI couldn't find|Failed to initialize NVML|No devices were found|couldn't communicate with the NVIDIA driver|Unable to determine the device handle).*$`)
)

// ParseSMI reads the table that nvidia-smi prints without options, of any
// release, or the error in its place.
func ParseSMI(text string) SMI {
	at := smiHeader.FindStringIndex(text)
	if at == nil || strings.Contains(line(text, at[0]), "has failed") {
		return SMI{Err: strings.TrimSpace(smiFailed.FindString(text))}
	}
	var s SMI
	text = joinRows(text[at[0]:])
	head := line(text, 0)
	if m := smiDriver.FindStringSubmatch(head); m != nil {
		s.Driver = m[1]
	} else if m := smiHeader.FindStringSubmatch(head); m != nil {
		s.Driver = m[1] // Jetson's driver has no version of its own
	}
	if m := smiCUDA.FindStringSubmatch(head); m != nil {
		s.CUDA = m[1]
	}
	for row := range strings.SplitSeq(text, "\n") {
		// The rows of processes begin with a number, too.
		if strings.Contains(row, "Processes") || strings.Contains(row, "processes:") || strings.Contains(row, "MIG devices") {
			break
		}
		if row = strings.TrimSpace(row); smiGPU.MatchString(row) {
			s.GPUs++
			s.device(row)
		} else if m := smiMemory.FindStringSubmatch(row); m != nil && len(s.Devices) > 0 && s.Devices[len(s.Devices)-1].Memory == 0 {
			d := &s.Devices[len(s.Devices)-1]
			d.Used, d.Memory = bytesOf(m[1], m[2]), bytesOf(m[3], m[4])
		}
	}
	s.Linux = !s.Windows && strings.Contains(text, "Persistence-M")
	s.Prohibited = s.GPUs > 0 && strings.Count(text, " Prohibited |") == s.GPUs
	s.NoMIG = s.GPUs == 1 && strings.Contains(text, "No MIG devices found")
	return s
}

// busy are the devices, where that is all of them, of which programs leave less than a
// network of the size of YOLOv3 takes.
func (s SMI) busy() (list []facts.Busy) {
	const least = 1 << 30
	for _, d := range s.Devices {
		if d.Memory == 0 || d.Used < d.Memory/2 || d.Memory-min(d.Used, d.Memory) >= least {
			return nil
		}
		list = append(list, facts.Busy{Name: d.Name, Memory: d.Memory, Used: d.Used})
	}
	return list
}

var smiUUID = lazyregexp.New(`\(UUID: ((?:GPU|MIG)-[0-9A-Za-z/-]+)\)`)

// chosenGone is a CUDA_VISIBLE_DEVICES that names a GPU or an instance of one by a UUID
// which is not here, as after a GPU was divided anew (NVIDIA, MIG User Guide, "CUDA Device
// Enumeration"). A UUID may be cut short.
func (p *probe) chosenGone(ctx context.Context, program string) *facts.Unusable {
	const name = "CUDA_VISIBLE_DEVICES"
	chosen, _, _ := strings.Cut(strings.TrimSpace(p.h.Env(name)), ",")
	if !strings.HasPrefix(chosen, "GPU-") && !strings.HasPrefix(chosen, "MIG-") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, smiTimeout)
	defer cancel()
	out, err := p.h.Run(ctx, host.Command{Argv: []string{program, "-L"}})
	if err != nil || out.Exit != 0 {
		return nil
	}
	here := ""
	for _, m := range smiUUID.FindAllStringSubmatch(string(out.Stdout), maxGPUs) {
		if strings.HasPrefix(m[1], chosen) {
			return nil
		}
		if here == "" || strings.HasPrefix(here, "GPU-") && strings.HasPrefix(m[1], "MIG-") {
			here = m[1]
		}
	}
	if here == "" {
		return nil
	}
	return &facts.Unusable{
		Reason: facts.NoDevice, Detail: lang.F("%s=%s names a GPU that is not here, so that CUDA programs find none; nvidia-smi -L lists %s", name, chosen, here),
		Remedy: lang.F("export %s=%s, or unset %s. If your shell's start files or the container's image set it, change it there.", name, here, name),
	}
}

// device adds what the first row of a device says: index, name, persistence mode or
// Windows' driver model, and the bus address.
func (s *SMI) device(row string) {
	cells := strings.Split(row, "|")
	if len(cells) < 3 || len(s.Devices) >= maxGPUs {
		return
	}
	d := Device{Index: len(s.Devices), Driver: s.Driver}
	if m := smiName.FindStringSubmatch(cells[1]); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			d.Index = n
		}
		d.Name = m[2]
		s.Windows = s.Windows || m[3] == "WDDM" || m[3] == "TCC" || m[3] == "MCDM"
	}
	if bus := strings.Fields(cells[2]); len(bus) > 0 {
		d.PCI = pciAddress(bus[0])
	}
	s.Devices = append(s.Devices, d)
}

// joinRows joins the rows of the table that were broken over two lines: a row ends
// with the bar that it begins with.
func joinRows(text string) string {
	lines := strings.Split(text, "\n")
	out := lines[:0]
	open := false
	for i, l := range lines {
		bare := strings.TrimSpace(l)
		if open && i > 0 && !strings.HasPrefix(bare, "+") {
			out[len(out)-1] += l
		} else {
			out = append(out, l)
		}
		row := strings.TrimSpace(out[len(out)-1])
		// The heading stands without its first bar.
		open = (strings.HasPrefix(row, "|") || i == 0) && strings.Contains(text, "|") && !strings.HasSuffix(row, "|") && !strings.HasSuffix(row, "+") && len(row) < 200
	}
	return strings.Join(out, "\n")
}

// line returns the line around a position.
func line(text string, at int) string {
	start := strings.LastIndexByte(text[:at], '\n') + 1
	end := strings.IndexByte(text[at:], '\n')
	if end < 0 {
		return text[start:]
	}
	return text[start : at+end]
}

// ParseQuery reads nvidia-smi --query-gpu=… --format=csv with its heading line;
// columns may come in any order, unknown ones are passed over.
func ParseQuery(text string) []Device {
	// What stands before the heading: a prompt, a warning.
	for rest := text; rest != ""; {
		first, after, _ := strings.Cut(rest, "\n")
		if queryHead(first) {
			text = strings.TrimLeft(rest, " \t")
			break
		}
		rest = after
	}
	r := csv.NewReader(strings.NewReader(text))
	r.TrimLeadingSpace, r.FieldsPerRecord, r.LazyQuotes = true, -1, true
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2 {
		return nil
	}
	var out []Device
	for _, row := range rows[1:] {
		if len(out) >= maxGPUs {
			break
		}
		d := Device{Index: len(out)}
		known := false
		for i, value := range row {
			if i >= len(rows[0]) {
				break
			}
			key, unit, _ := strings.Cut(strings.TrimSpace(rows[0][i]), " ")
			value = strings.TrimSpace(value)
			if value == "" || value == "N/A" || strings.HasPrefix(value, "[") { // [N/A], [Not Supported]
				continue
			}
			switch key {
			case "index":
				if n, err := strconv.Atoi(value); err == nil {
					d.Index = n
				}
			case "name", "gpu_name":
				d.Name, known = value, true
			case "pci.bus_id", "gpu_bus_id":
				d.PCI = pciAddress(value)
			case "uuid", "gpu_uuid":
				d.UUID = value
			case "driver_version":
				d.Driver = value
			case "compute_cap":
				d.ComputeCap = value
			case "memory.total":
				n, u, ok := strings.Cut(value, " ")
				if !ok {
					u = strings.Trim(unit, "[]") // with nounits the heading has it
				}
				d.Memory = bytesOf(n, u)
			}
		}
		if known {
			out = append(out, d)
		}
	}
	return out
}

// queryHead recognises the heading by the column that a device must have.
func queryHead(line string) bool {
	for column := range strings.SplitSeq(line, ",") {
		if c := strings.TrimSpace(column); c == "name" || c == "gpu_name" {
			return true
		}
	}
	return false
}

func bytesOf(n, unit string) uint64 {
	v, err := strconv.ParseUint(n, 10, 64)
	if err != nil || v > 1<<32 {
		return 0
	}
	switch strings.TrimSpace(unit) {
	case "MiB", "MB": // NVML counts in MiB whatever old releases print
		return v << 20
	case "GiB":
		return v << 30
	case "KiB":
		return v << 10
	}
	return 0
}

// pciAddress gives 00000000:8D:00.0 in the kernel's form, 0000:8d:00.0.
func pciAddress(s string) string {
	domain, rest, ok := strings.Cut(strings.ToLower(strings.TrimSpace(s)), ":")
	if !ok {
		return ""
	}
	if len(domain) > 4 && strings.Trim(domain[:len(domain)-4], "0") == "" {
		domain = domain[len(domain)-4:]
	}
	return domain + ":" + rest
}
