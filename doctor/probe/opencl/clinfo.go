package opencl

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/doctor/probe/internal/pasted"
)

// Platform is one OpenCL platform with its devices.
type Platform struct {
	Name    string   `json:"name"`
	Vendor  string   `json:"vendor,omitempty"`
	Version string   `json:"version,omitempty"` // OpenCL 3.0 CUDA 12.2.147
	Profile string   `json:"profile,omitempty"`
	Suffix  string   `json:"suffix,omitempty"` // the ICD's: NV, INTEL, POCL
	Devices []Device `json:"devices,omitempty"`
	// Claimed is how many devices the platform says it has, -1 if it does not.
	Claimed int `json:"-"`
}

// Device is one OpenCL device.
type Device struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor,omitempty"`
	Version string `json:"version,omitempty"` // OpenCL 3.0 …
	Driver  string `json:"driver,omitempty"`
	Type    string `json:"type,omitempty"` // CPU, GPU, Accelerator …
	Units   int    `json:"units,omitempty"`
	MHz     int    `json:"mhz,omitempty"`
	// Memory is the global memory in bytes.
	Memory uint64 `json:"memory,omitempty"`
	// Unavailable: the device says it cannot be used now.
	Unavailable bool   `json:"unavailable,omitempty"`
	Extensions  string `json:"extensions,omitempty"`
	// Board is AMD's marketing name.
	Board string `json:"board,omitempty"`
}

// Info is what clinfo says.
type Info struct {
	// Claimed is the number of platforms it announces, -1 when it does not.
	Claimed   int
	Platforms []Platform
	// Loader names the ICD loader and its version.
	Loader, LoaderVersion string
}

const (
	maxPlatforms = 64
	maxDevices   = 256
)

var (
	rawPrefix = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[ \t]*\[[^\]\s]*/[^\]\s]*\][ \t]*`) })
	treePlat  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[ \t]*Platform #(\d+): (.*)$`) })
	// What stands in a value's place when the driver refused to tell it:
	// <printDeviceInfo:0: get CL_DEVICE_NAME size : error -6>.
	refused = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^<.*\berror -?[0-9]+>$`) })
	// clinfo --raw --list.
	rawPlat    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[ \t]*(\d+): (\S.*)$`) })
	rawDevice  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[ \t]*(\d+)\.(\d+): (\S.*)$`) })
	treeDevice = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile("^[ \t]*(?:[`+|]--|[└├]──)[ \t]*Device #(\\d+): (.*)$")
	})
)

// labels maps the labels of clinfo's human form, its raw form and the form of
// AMD's own clinfo to one set of names.
var labels = map[string]string{
	"number of platforms": "#platforms", "#platforms": "#platforms",
	"number of devices": "#devices", "#devices": "#devices",
	// clinfo --offline: what AMD can compile for; the first spelling is clinfo's.
	"number of offine devices (amd)": "#offline", "number of offline devices (amd)": "#offline", "#offdevices": "#offline",
	"platform name": "platform", "cl_platform_name": "platform",
	"platform vendor": "platform vendor", "cl_platform_vendor": "platform vendor",
	"platform version": "platform version", "cl_platform_version": "platform version",
	"platform profile": "platform profile", "cl_platform_profile": "platform profile",
	"platform extensions function suffix": "suffix", "cl_platform_icd_suffix_khr": "suffix",
	"device name": "device", "cl_device_name": "device",
	"device type": "type", "cl_device_type": "type",
	"device vendor": "vendor", "cl_device_vendor": "vendor", "vendor": "vendor",
	"device version": "version", "cl_device_version": "version", "version": "version",
	"driver version": "driver", "cl_driver_version": "driver",
	"max compute units": "units", "cl_device_max_compute_units": "units",
	"max clock frequency": "mhz", "cl_device_max_clock_frequency": "mhz",
	"global memory size": "memory", "cl_device_global_mem_size": "memory",
	"device available": "available", "available": "available", "cl_device_available": "available",
	"device extensions": "extensions", "extensions": "extensions", "cl_device_extensions": "extensions",
	"device board name (amd)": "board", "board name": "board", "cl_device_board_name_amd": "board",
	"name":            "amd name",
	"icd loader name": "loader", "cl_icdl_name": "loader",
	"icd loader version": "loader version", "cl_icdl_version": "loader version",
}

// ParseInfo reads clinfo's output: the human form, --raw, --json, --list, and
// that of AMD's program of the same name. What it does not know it passes over, so it
// never fails; a text of something else gives no platforms.
func ParseInfo(text string) Info {
	text = pasted.Clean(text)
	if info, ok := parseJSON(text); ok {
		return info
	}
	p := parser{info: Info{Claimed: -1}, at: -1}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, "\r")
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "NULL platform behavior") {
			// What follows repeats names of what was listed.
			p.ended = true
			continue
		}
		if p.tree(line) {
			continue
		}
		key, value, ok := split(line)
		if !ok {
			continue
		}
		p.take(key, value)
	}
	return p.info
}

type parser struct {
	info Info
	at   int // the platform that devices belong to
	// inDevices: the second part, which lists the devices of each platform.
	inDevices bool
	next      int // the platform that the second part comes to next
	ended     bool
	offline   bool // the lines speak of devices that are not there
	indexed   bool // the tree form was seen
	// pending holds what AMD's form says of a platform before its name.
	pending Platform
}

// split cuts a line at the first gap of two blanks or a tab. AMD's labels end in a
// colon, raw ones may stand behind a prefix.
func split(line string) (key, value string, ok bool) {
	body := strings.TrimLeft(rawPrefix().ReplaceAllString(line, ""), " \t")
	gap := len(body)
	if i := strings.Index(body, "  "); i >= 0 {
		gap = i
	}
	if i := strings.IndexByte(body, '\t'); i >= 0 && i < gap {
		gap = i
	}
	// A long label leaves one blank before the value.
	if i := strings.Index(body, ": "); i >= 0 && i < gap {
		gap = i + 1
	}
	key = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(body[:gap]), ":"))
	name, ok := labels[key]
	value = strings.TrimSpace(body[gap:])
	if refused().MatchString(value) {
		value = ""
	}
	return name, value, ok
}

// tree takes a line of clinfo --list.
func (p *parser) tree(line string) bool {
	if m := treePlat().FindStringSubmatch(line); m != nil {
		p.platform(strings.TrimSpace(m[2]))
		p.indexed = true
		return true
	}
	if m := treeDevice().FindStringSubmatch(line); m != nil && p.indexed {
		p.device(strings.TrimSpace(m[2]))
		return true
	}
	// The numbers must be in order: other lines begin with a number, too.
	if m := rawPlat().FindStringSubmatch(line); m != nil && p.info.Claimed < 0 && len(p.info.Platforms) < maxPlatforms &&
		m[1] == strconv.Itoa(len(p.info.Platforms)) && p.indexed == (m[1] != "0") {
		p.platform(strings.TrimSpace(m[2]))
		p.indexed = true
		return true
	}
	if m := rawDevice().FindStringSubmatch(line); m != nil && p.indexed &&
		m[1] == strconv.Itoa(p.at) && m[2] == strconv.Itoa(len(p.info.Platforms[p.at].Devices)) {
		p.device(strings.TrimSpace(m[3]))
		return true
	}
	return false
}

func (p *parser) platform(name string) {
	if len(p.info.Platforms) < maxPlatforms {
		p.pending.Name, p.pending.Claimed = name, -1
		p.info.Platforms = append(p.info.Platforms, p.pending)
		p.pending = Platform{}
		p.at = len(p.info.Platforms) - 1
	}
}

func (p *parser) device(name string) *Device {
	if p.at < 0 || len(p.info.Platforms[p.at].Devices) >= maxDevices {
		return nil
	}
	pl := &p.info.Platforms[p.at]
	pl.Devices = append(pl.Devices, Device{Name: name})
	return &pl.Devices[len(pl.Devices)-1]
}

// last is the device the lines speak of.
func (p *parser) last() *Device {
	if p.at < 0 || !p.inDevices {
		return nil
	}
	d := p.info.Platforms[p.at].Devices
	if len(d) == 0 {
		return nil
	}
	return &d[len(d)-1]
}

func (p *parser) take(key, value string) {
	if p.ended && key != "loader" && key != "loader version" {
		return
	}
	if p.offline && key != "platform" && key != "loader" && key != "loader version" {
		return
	}
	switch key {
	case "#offline":
		p.offline = true
		return
	case "#platforms":
		if n, err := strconv.Atoi(value); err == nil && p.info.Claimed < 0 {
			p.info.Claimed = n
		}
		return
	case "#devices":
		p.inDevices = true
		if p.at >= 0 {
			if n, err := strconv.Atoi(value); err == nil {
				p.info.Platforms[p.at].Claimed = n
			}
		}
		return
	case "loader":
		p.info.Loader = value
		return
	case "loader version":
		p.info.LoaderVersion = value
		return
	case "platform":
		p.offline = false
		p.named(value)
		return
	}
	switch key {
	case "platform vendor":
		p.ofPlatform(func(pl *Platform) *string { return &pl.Vendor }, value)
		return
	case "platform version":
		p.ofPlatform(func(pl *Platform) *string { return &pl.Version }, value)
		return
	case "platform profile":
		p.ofPlatform(func(pl *Platform) *string { return &pl.Profile }, value)
		return
	case "suffix":
		p.ofPlatform(func(pl *Platform) *string { return &pl.Suffix }, value)
		return
	}
	if p.at < 0 {
		return
	}
	switch key {
	case "device":
		p.inDevices = true
		p.device(value)
		return
	case "type":
		// AMD's form begins a device with its type; the others have named it.
		if strings.HasPrefix(value, "CL_DEVICE_TYPE_") {
			value = strings.TrimPrefix(value, "CL_DEVICE_TYPE_")
			if d := p.last(); p.inDevices && (d == nil || d.Type != "") {
				p.device("")
			}
		}
	}
	d := p.last()
	if d == nil {
		return
	}
	// Below the device's own lines stand those of its parts (SVM, images).
	switch key {
	case "amd name":
		if d.Name == "" {
			d.Name = value
		}
	case "type":
		set(&d.Type, deviceType(value))
	case "vendor":
		set(&d.Vendor, value)
	case "version":
		set(&d.Version, value)
	case "driver":
		set(&d.Driver, value)
	case "units":
		setInt(&d.Units, value)
	case "mhz":
		setInt(&d.MHz, value)
	case "memory":
		if n, err := strconv.ParseUint(leadingDigits(value), 10, 64); err == nil && d.Memory == 0 {
			d.Memory = n
		}
	case "available":
		d.Unavailable = value == "No" || value == "CL_FALSE" || value == "0"
	case "extensions":
		set(&d.Extensions, value)
	case "board":
		set(&d.Board, value)
	}
}

// ofPlatform sets a field of the current platform, or of the one whose name
// comes next where the current one has it already.
func (p *parser) ofPlatform(field func(*Platform) *string, value string) {
	if p.at < 0 || !p.inDevices && *field(&p.info.Platforms[p.at]) != "" {
		set(field(&p.pending), value)
		return
	}
	set(field(&p.info.Platforms[p.at]), value)
}

// named takes a line with a platform's name: in the first part a new platform,
// in the second the one whose devices follow.
func (p *parser) named(name string) {
	n := len(p.info.Platforms)
	if !p.inDevices && (p.info.Claimed < 0 || n < p.info.Claimed) {
		// Without a count, the name that began the list begins the second part.
		if p.info.Claimed >= 0 || n == 0 || p.info.Platforms[0].Name != name {
			p.platform(name)
			return
		}
	}
	for i := p.next; i < n; i++ {
		if p.info.Platforms[i].Name == name {
			p.at, p.next, p.inDevices = i, i+1, true
			return
		}
	}
	// More platforms than were announced.
	p.platform(name)
	p.next = len(p.info.Platforms)
}

// deviceType gives the human form's words for the raw form's constants.
func deviceType(v string) string {
	var out []string
	for part := range strings.SplitSeq(v, "|") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "CL_DEVICE_TYPE_")
		switch part {
		case "ACCELERATOR":
			part = "Accelerator"
		case "DEFAULT":
			part = "Default"
		case "CUSTOM":
			part = "Custom"
		}
		out = append(out, part)
	}
	return strings.Join(out, ", ")
}

func set(to *string, value string) {
	if *to == "" {
		*to = value
	}
}

func setInt(to *int, value string) {
	if n, err := strconv.Atoi(leadingDigits(value)); err == nil && *to == 0 {
		*to = n
	}
}

func leadingDigits(s string) string {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return s[:i]
		}
	}
	return s
}
