package cuda

import (
	"encoding/csv"
	"regexp"
	"strconv"
	"strings"
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
	// Since 590 the header says KMD and CUDA UMD.
	smiHeader = regexp.MustCompile(`NVIDIA-SMI[ \t]+([0-9][0-9.]*)`)
	smiDriver = regexp.MustCompile(`(?:Driver|KMD) Version[ \t]*:[ \t]*([0-9][0-9.]*)`)
	smiCUDA   = regexp.MustCompile(`CUDA (?:UMD )?Version[ \t]*:[ \t]*([0-9][0-9.]*)`)
	smiGPU    = regexp.MustCompile(`^\|[ \t]+([0-9]+)\.?[ \t]+(.*?)[ \t]+\|[ \t]*([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f])`)
	smiMemory = regexp.MustCompile(`([0-9]+)[ \t]*(MiB|MB|GiB)[ \t]*/[ \t]*([0-9]+)[ \t]*(MiB|MB|GiB)`)
	smiMode   = regexp.MustCompile(`[ \t]+(On|Off|WDDM|TCC|MCDM|N/A)$`)
	smiFailed = regexp.MustCompile(`(?m)^.*(?:NVIDIA-SMI has failed|Failed to initialize NVML|No devices were found|couldn't communicate with the NVIDIA driver|Unable to determine the device handle).*$`)
)

// ParseSMI reads the table that nvidia-smi prints without options and the
// report of nvidia-smi -q, of any release; a text around it (a log, a prompt)
// does not matter, of several outputs the first counts.
func ParseSMI(text string) SMI {
	var s SMI
	if m := smiFailed.FindString(text); m != "" {
		s.Err = strings.TrimSpace(m)
	}
	if m := smiHeader.FindStringIndex(text); m != nil && !strings.Contains(line(text, m[0]), "has failed") {
		return s.table(text[m[0]:])
	}
	if strings.Contains(text, "NVSMI LOG") || smiDriver.MatchString(text) {
		return s.report(text)
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
	if again := smiHeader.FindAllStringIndex(text, 2); len(again) == 2 {
		text = text[:again[1][0]]
	}
	s.Err = "" // another output's
	head := line(text, 0)
	if m := smiDriver.FindStringSubmatch(head); m != nil {
		s.Driver = m[1]
	} else if m := smiHeader.FindStringSubmatch(head); m != nil {
		s.Driver = m[1]
	}
	if m := smiCUDA.FindStringSubmatch(head); m != nil {
		s.CUDA = m[1]
	}
	open := false // the last device still lacks its memory
	for row := range strings.SplitSeq(text, "\n") {
		row = strings.TrimSpace(row)
		if strings.Contains(row, "Processes") {
			break
		}
		if m := smiGPU.FindStringSubmatch(row); m != nil && len(s.GPUs) < maxGPUs {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				continue
			}
			d := Device{Index: n, Name: m[2], PCI: pciAddress(m[3]), Driver: s.Driver}
			if mode := smiMode.FindStringSubmatch(d.Name); mode != nil {
				d.Name = strings.TrimSpace(strings.TrimSuffix(d.Name, mode[0]))
				switch mode[1] {
				case "WDDM", "TCC", "MCDM":
					d.Mode = mode[1]
				}
			}
			s.GPUs = append(s.GPUs, d)
			open = true
		}
		if m := smiMemory.FindStringSubmatch(row); m != nil && open {
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
		if rest, ok := strings.CutPrefix(row, "GPU "); ok && strings.Count(rest, ":") >= 2 && len(s.GPUs) < maxGPUs {
			s.GPUs = append(s.GPUs, Device{Index: len(s.GPUs), PCI: pciAddress(strings.TrimSpace(rest)), Driver: s.Driver})
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
			switch key {
			case "Driver Version", "KMD Version":
				s.Driver = value
			case "CUDA Version", "CUDA UMD Version":
				if value != "N/A" && value != "Not Found" {
					s.CUDA = value
				}
			}
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
			if section == "Driver Model" && value != "N/A" {
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

// ParseQuery reads nvidia-smi --query-gpu=… --format=csv with its heading line;
// columns may come in any order, unknown ones are passed over.
func ParseQuery(text string) []Device {
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
			if value == "" || strings.HasPrefix(value, "[") { // [N/A], [Not Supported]
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
