package cpu

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// maxProcessors bounds how many entries of a list are taken; Linux itself ends
// at 8192 (CONFIG_NR_CPUS).
const maxProcessors = 8192

// Processor is one entry of /proc/cpuinfo; -1 and "" where it is not told.
type Processor struct {
	Number   int
	Vendor   string
	Model    string // model name
	Family   int
	ModelNum int
	Stepping int
	MHz      float64
	BogoMIPS float64
	Physical int // package
	Core     int // core within the package
	Cores    int // cores of the package
	Siblings int // threads of the package
	// Features are the flags as Linux spells them.
	Features string
	// ARM's main identification register.
	Implementer, Part int
	Architecture      string
}

// Info is what /proc/cpuinfo says. Its form differs between architectures and
// kernels: entries parted by empty lines, each beginning with "processor : N",
// and (on ARM, PowerPC) entries that speak of the whole machine.
type Info struct {
	Processors []Processor
	// Common holds what stands outside of the processors' entries.
	Common Processor
	// Hardware and Board are ARM's last lines (BCM2835; Raspberry Pi 3 Model B).
	Hardware, Board string
}

// ParseCPUInfo reads /proc/cpuinfo of any architecture. What it does not
// understand it passes over.
func ParseCPUInfo(text string) Info {
	empty := Processor{Number: -1, Family: -1, ModelNum: -1, Stepping: -1, Physical: -1, Core: -1, Cores: -1, Siblings: -1, Implementer: -1, Part: -1}
	info := Info{Common: empty}
	var last *Processor  // the entry that lines belong to
	var features *string // those of the last line, which may go on
	inEntry := false
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			if key == "" {
				inEntry = false
			} else if features != nil { // the text was wrapped
				*features += " " + key
			}
			continue
		}
		features = nil
		if n, ok := processorNumber(key, value); ok {
			if len(info.Processors) == maxProcessors {
				break
			}
			info.Processors = append(info.Processors, empty)
			last = &info.Processors[len(info.Processors)-1]
			last.Number, inEntry = n, true
			// s390 has it all in one line: version = FF, identification = …
			if _, machine, ok := strings.Cut(value, "machine = "); ok && key != "processor" {
				last.Model = "machine " + strings.TrimSpace(machine)
			}
			continue
		}
		// RISC-V kernels before 4.20 number harts only.
		if n, err := strconv.Atoi(value); key == "hart" && err == nil && n >= 0 && !inEntry && len(info.Processors) < maxProcessors {
			info.Processors = append(info.Processors, empty)
			last = &info.Processors[len(info.Processors)-1]
			last.Number, inEntry = len(info.Processors)-1, true
			continue
		}
		switch key {
		case "cpu number": // s390 describes its processors further below
			for i := range info.Processors {
				if p := &info.Processors[i]; strconv.Itoa(p.Number) == value {
					last, inEntry = p, true
				}
			}
			continue
		case "Hardware":
			info.Hardware = value
			continue
		case "Model", "machine": // "model" is x86's number
			info.Board = cmp.Or(info.Board, value)
			continue
		case "Revision", "Serial":
			continue
		}
		to := &info.Common
		// Old ARM kernels list the processors first and describe them all in a
		// later entry; there a value belongs to everyone.
		if inEntry && last != nil {
			to = last
		}
		to.take(key, value)
		if key == "flags" || strings.EqualFold(key, "features") {
			features = &to.Features
		}
	}
	// Other old ARM kernels put the description into the last entry of those it
	// speaks of.
	for i := len(info.Processors) - 2; i >= 0; i-- {
		p, next := &info.Processors[i], info.Processors[i+1]
		if p.Implementer < 0 && p.Features == "" && next.Implementer >= 0 {
			p.inherit(next)
		}
	}
	for i := range info.Processors {
		info.Processors[i].inherit(info.Common)
	}
	if c := info.Common; len(info.Processors) == 0 && (c.Model != "" || c.Features != "" || c.Implementer >= 0) {
		c.Number = 0 // a kernel for one processor that does not number it
		info.Processors = []Processor{c}
	}
	return info
}

// processorNumber recognises the line that begins an entry: "processor : 3",
// or on s390 "processor 3: version = …".
func processorNumber(key, value string) (int, bool) {
	if rest, ok := strings.CutPrefix(key, "processor "); ok {
		value = rest
	} else if key != "processor" {
		return 0, false
	}
	n, err := strconv.Atoi(value)
	return n, err == nil && n >= 0
}

func (p *Processor) take(key, value string) {
	number := func(to *int) {
		// "0xc07 & 0xc0f": a kernel that names the parts of both clusters.
		value, _, _ = strings.Cut(value, " ")
		if n, err := strconv.ParseInt(value, 0, 32); err == nil {
			*to = int(n)
		}
	}
	switch key {
	case "vendor_id", "mvendorid":
		p.Vendor = value
	case "model name", "Processor", "processor", "cpu model", "cpu", "uarch", "Model Name":
		// MIPS's "cpu model" is the core's (ending in its version, V0.13),
		// "model name" the product's.
		if p.Model == "" || key == "model name" && strings.Contains(p.Model, " V") {
			p.Model = value
		}
	case "cpu family":
		number(&p.Family)
	case "model":
		number(&p.ModelNum)
	case "stepping":
		number(&p.Stepping)
	case "cpu MHz", "clock", "CPU MHz", "cpu MHz static":
		p.MHz = megahertz(value)
	case "cpu-freq": // T-Head: 1.2Ghz
		if ghz, ok := strings.CutSuffix(strings.ToLower(value), "ghz"); ok {
			p.MHz = math.Round(megahertz(strings.TrimSpace(ghz)) * 1000)
		}
	case "bogomips", "BogoMIPS", "bogomips per cpu":
		if f, err := strconv.ParseFloat(value, 64); err == nil && f > 0 && f < 1e6 {
			p.BogoMIPS = f
		}
	case "physical id", "package": // MIPS and LoongArch
		number(&p.Physical)
	case "core id", "core":
		number(&p.Core)
	case "cpu cores":
		number(&p.Cores)
	case "siblings":
		number(&p.Siblings)
	case "flags", "Features", "features", "isa":
		p.Features = value
	case "CPU implementer":
		number(&p.Implementer)
	case "CPU part":
		number(&p.Part)
	case "CPU architecture":
		p.Architecture = value
	}
}

// megahertz reads "2596.124" and PowerPC's "2300.000000MHz".
func megahertz(value string) float64 {
	f, err := strconv.ParseFloat(strings.TrimSuffix(value, "MHz"), 64)
	if err != nil || f <= 0 || f > 1e5 {
		return 0
	}
	return f
}

// inherit fills what an entry leaves out with what is said of all.
func (p *Processor) inherit(c Processor) {
	number := func(to *int, from int) {
		if *to < 0 {
			*to = from
		}
	}
	p.Vendor, p.Model = cmp.Or(p.Vendor, c.Vendor), cmp.Or(p.Model, c.Model)
	p.Features, p.Architecture = cmp.Or(p.Features, c.Features), cmp.Or(p.Architecture, c.Architecture)
	p.MHz, p.BogoMIPS = cmp.Or(p.MHz, c.MHz), cmp.Or(p.BogoMIPS, c.BogoMIPS)
	number(&p.Family, c.Family)
	number(&p.ModelNum, c.ModelNum)
	number(&p.Implementer, c.Implementer)
	number(&p.Part, c.Part)
}
