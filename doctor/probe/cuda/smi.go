package cuda

import (
	"encoding/csv"
	"encoding/xml"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/doctor/probe/internal/pasted"
)

// SMI is what nvidia-smi says of the driver and its devices.
type SMI struct {
	// Driver is the kernel driver's version, "" when it is not told.
	Driver string
	// CUDA is the newest CUDA the driver runs: a ceiling, not an installed
	// toolkit. Drivers before 410 do not tell it.
	CUDA string
	GPUs []Device
	// Err is nvidia-smi's own error, as one line.
	Err string
}

// Device is one NVIDIA GPU.
type Device struct {
	Index int
	// Name is cut short in the table ("NVIDIA GeForce …"), whole elsewhere.
	Name string
	// PCI is the address in the kernel's form, 0000:01:00.0.
	PCI  string
	UUID string
	// Memory is in bytes.
	Memory uint64
	// Mode is Windows' driver model: WDDM, TCC or MCDM.
	Mode       string
	ComputeCap string
	Driver     string
	Arch       string
}

const maxGPUs = 256

var (
	// Since 610 the header says KMD and CUDA UMD.
	smiHeader = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`NVIDIA-SMI[ \t]+([0-9][0-9.]*)`) })
	smiDriver = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:Driver|KMD) Version[ \t]*:[ \t]*([0-9][0-9.]*)`) })
	smiCUDA   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`CUDA (?:UMD )?Version[ \t]*:[ \t]*([0-9][0-9.]*)`) })
	// Jetson's GPU is not on PCI.
	smiGPU = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\|[ \t]+([0-9]+)\.?[ \t]+(.*?)[ \t]*\|[ \t]*([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f]|N/A[ \t]+N/A)`)
	})
	smiMemory = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`([0-9]+)[ \t]*(MiB|MB|GiB)[ \t]*/[ \t]*([0-9]+)[ \t]*(MiB|MB|GiB)`)
	})
	smiMode   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[ \t]+(On|Off|WDDM|TCC|MCDM|N/A|ERR!)$`) })
	smiFailed = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?mi)^.*(?:NVIDIA-SMI has failed|NVIDIA-SMI couldn't find|Failed to initialize NVML|No devices were found|couldn't communicate with the NVIDIA driver|Unable to determine the device handle).*$`)
	})
	// nvidia-smi --version, since 535; older releases have no such option.
	smiVersions = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^[ \t]*NVIDIA-SMI version[ \t]*:[ \t]*([0-9][0-9.]*)`)
	})
	smiLine = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^[ \t]*(DRIVER|KMD|CUDA|CUDA UMD) [Vv]ersion[ \t]*:[ \t]*([0-9][0-9.]*)`)
	})
	// nvidia-smi -L; MIG's instances stand indented below their device.
	smiList = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^[ \t]*GPU ([0-9]+): (.+?) \((?:UUID|S/N): ([^)\n]*)\)`)
	})
	smiNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]+(?:\.[0-9]+)*`) })
	smiReport = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^GPU ([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f])$`)
	})
)

// ParseSMI reads the table that nvidia-smi prints without options, the reports
// of nvidia-smi -q and -q -x, the list of -L and what --version says, of any
// release; a text around it (a log, a prompt) does not matter, of several
// outputs the first counts.
func ParseSMI(text string) SMI {
	text = pasted.Clean(text)
	var s SMI
	if m := smiFailed().FindString(text); m != "" {
		s.Err = strings.TrimSpace(m)
	}
	if m := smiHeader().FindStringIndex(text); m != nil && !strings.Contains(line(text, m[0]), "has failed") {
		return s.table(text[m[0]:])
	}
	if at := strings.Index(text, "<nvidia_smi_log>"); at >= 0 {
		return s.xml(text[at:])
	}
	if strings.Contains(text, "NVSMI LOG") || smiDriver().MatchString(text) {
		return s.report(text)
	}
	if m := smiVersions().FindStringSubmatch(text); m != nil {
		s.Driver = m[1]
		for _, m := range smiLine().FindAllStringSubmatch(text, -1) {
			if m[1] == "DRIVER" || m[1] == "KMD" {
				s.Driver = m[2]
			} else {
				s.CUDA = m[2]
			}
		}
	}
	for _, m := range smiList().FindAllStringSubmatch(text, maxGPUs) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			d := Device{Index: n, Name: strings.TrimSpace(m[2])}
			if strings.HasPrefix(m[3], "GPU-") {
				d.UUID = m[3]
			}
			s.GPUs = append(s.GPUs, d)
		}
	}
	return s
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

func (s SMI) table(text string) SMI {
	// The next output, if any, is another machine's or day's.
	if again := smiHeader().FindAllStringIndex(text, 2); len(again) == 2 {
		text = text[:again[1][0]]
	}
	s.Err = "" // another output's
	head := line(text, 0)
	if m := smiDriver().FindStringSubmatch(head); m != nil {
		s.Driver = m[1]
	} else if m := smiHeader().FindStringSubmatch(head); m != nil {
		s.Driver = m[1]
	}
	if m := smiCUDA().FindStringSubmatch(head); m != nil {
		s.CUDA = m[1]
	}
	open := false // the last device still lacks its memory
	for row := range strings.SplitSeq(text, "\n") {
		row = strings.TrimSpace(row)
		// MIG's rows have memory too, but that of an instance. Drivers before 340
		// write of compute processes.
		if strings.Contains(row, "Processes") || strings.Contains(row, "processes:") || strings.Contains(row, "MIG devices") {
			break
		}
		if m := smiGPU().FindStringSubmatch(row); m != nil && len(s.GPUs) < maxGPUs {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				continue
			}
			d := Device{Index: n, Name: m[2], PCI: realPCI(m[3]), Driver: s.Driver}
			if mode := smiMode().FindStringSubmatch(d.Name); mode != nil {
				d.Name = strings.TrimSpace(strings.TrimSuffix(d.Name, mode[0]))
				switch mode[1] {
				case "WDDM", "TCC", "MCDM":
					d.Mode = mode[1]
				}
			}
			s.GPUs = append(s.GPUs, d)
			open = true
		}
		if m := smiMemory().FindStringSubmatch(row); m != nil && open {
			s.GPUs[len(s.GPUs)-1].Memory = bytesOf(m[3], m[4])
			open = false
		}
	}
	return s
}

// report reads nvidia-smi -q.
func (s SMI) report(text string) SMI {
	var cur *Device
	section := ""
	for row := range strings.SplitSeq(text, "\n") {
		row = strings.TrimRight(row, " \t\r")
		if m := smiReport().FindStringSubmatch(strings.TrimSpace(row)); m != nil && len(s.GPUs) < maxGPUs {
			s.GPUs = append(s.GPUs, Device{Index: len(s.GPUs), PCI: pciAddress(m[1]), Driver: s.Driver})
			cur, section = &s.GPUs[len(s.GPUs)-1], ""
			continue
		}
		key, value, ok := strings.Cut(row, " : ")
		if !ok {
			if strings.HasSuffix(row, " :") {
				continue
			}
			section = strings.TrimSpace(row)
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if cur == nil {
			// Since 610: "13.3 [Deprecated; …]"; others say N/A or Not Found.
			number := smiNumber().FindString(value)
			switch key {
			case "Driver Version", "KMD Version":
				if number != "" {
					s.Driver = number
				}
			case "CUDA Version", "CUDA UMD Version":
				if number != "" {
					s.CUDA = number
				}
			}
			continue
		}
		if value == "N/A" {
			continue
		}
		switch key {
		case "Product Name":
			cur.Name = value
		case "GPU UUID":
			cur.UUID = value
		case "Product Architecture":
			cur.Arch = value
		case "CUDA Compute Capability", "Compute Capability":
			cur.ComputeCap = value
		case "Bus Id":
			if a := pciAddress(value); a != "" {
				cur.PCI = a
			}
		case "Current":
			if section == "Driver Model" {
				cur.Mode = value
			}
		case "Total":
			if section == "FB Memory Usage" || section == "Memory Usage" {
				n, unit, _ := strings.Cut(value, " ")
				cur.Memory = bytesOf(n, unit)
			}
		}
	}
	return s
}

// xml reads nvidia-smi -q -x (nvsmi_device_v1 to v13.dtd); of a text that was
// cut, what stands before the cut.
func (s SMI) xml(text string) SMI {
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var open []string
	for {
		t, err := d.Token()
		if err != nil {
			return s
		}
		switch t := t.(type) {
		case xml.StartElement:
			open = append(open, t.Name.Local)
			if len(open) == 2 && t.Name.Local == "gpu" && len(s.GPUs) < maxGPUs {
				g := Device{Index: len(s.GPUs), Driver: s.Driver}
				for _, a := range t.Attr {
					if a.Name.Local == "id" {
						g.PCI = realPCI(a.Value)
					}
				}
				s.GPUs = append(s.GPUs, g)
			}
			if len(open) > 64 {
				return s
			}
		case xml.EndElement:
			if len(open) == 1 {
				return s
			}
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case xml.CharData:
			value := strings.TrimSpace(string(t))
			if len(open) < 2 || value == "" || value == "N/A" {
				continue
			}
			s.element(strings.Join(open[1:], "/"), value)
		}
	}
}

func (s *SMI) element(path, value string) {
	number := smiNumber().FindString(value)
	switch {
	case (path == "driver_version" || path == "kmd_version") && number != "":
		s.Driver = number
		return
	case (path == "cuda_version" || path == "cuda_umd_version") && number != "":
		s.CUDA = number
		return
	case len(s.GPUs) == 0:
		return
	}
	cur := &s.GPUs[len(s.GPUs)-1]
	switch path {
	case "gpu/product_name", "gpu/prod_name":
		cur.Name = value
	case "gpu/uuid":
		cur.UUID = value
	case "gpu/product_architecture":
		cur.Arch = value
	case "gpu/driver_model/current_dm":
		cur.Mode = value
	case "gpu/pci/pci_bus_id":
		if a := realPCI(value); a != "" {
			cur.PCI = a
		}
	case "gpu/fb_memory_usage/total", "gpu/memory_usage/total":
		n, unit, _ := strings.Cut(value, " ")
		cur.Memory = bytesOf(n, unit)
	}
}

// ParseQuery reads nvidia-smi --query-gpu=… --format=csv with its heading line;
// columns may come in any order, unknown ones are passed over.
func ParseQuery(text string) []Device {
	text = pasted.Clean(text)
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
			case "driver_model.current":
				d.Mode = value
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

// realPCI passes over "N/A  N/A" and "N/A".
func realPCI(s string) string {
	if strings.HasPrefix(s, "N/A") {
		return ""
	}
	return pciAddress(s)
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
