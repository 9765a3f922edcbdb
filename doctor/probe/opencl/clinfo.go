package opencl

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Platform is one OpenCL platform with its devices.
type Platform struct {
	Name    string   `json:"name"`
	Vendor  string   `json:"vendor,omitempty"`
	Version string   `json:"version,omitempty"` // OpenCL 3.0 CUDA 12.2.147
	Devices []Device `json:"devices,omitempty"`
}

// Device is one OpenCL device.
type Device struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor,omitempty"`
	Version string `json:"version,omitempty"` // OpenCL 3.0 …
	Driver  string `json:"driver,omitempty"`
	Type    string `json:"type,omitempty"` // CPU, GPU, Accelerator …
	Units   int    `json:"units,omitempty"`
	// Memory is the global memory in bytes.
	Memory uint64 `json:"memory,omitempty"`
	// Unavailable: the device says it cannot be used now.
	Unavailable bool   `json:"unavailable,omitempty"`
	Extensions  string `json:"extensions,omitempty"`
	// Board is AMD's marketing name.
	Board string `json:"board,omitempty"`
}

const (
	maxPlatforms = 64
	maxDevices   = 256
)

var (
	rawPrefix = lazyregexp.New(`^[ \t]*\[[^\]\s]*/[^\]\s]*\][ \t]*`)
	// What stands in a value's place when the driver refused to tell it:
	// <printDeviceInfo:0: get CL_DEVICE_NAME size : error -6>.
	refused = lazyregexp.New(`^<.*\berror -?[0-9]+>$`)
)

// ParseClinfo reads the output of clinfo, with --raw or in words, and of AMD's
// clinfo: first all platforms, then each one again with its devices. It passes over
// what it does not know, so it never fails; a text of something else gives no
// platforms.
func ParseClinfo(text string) []Platform {
	p := parser{claimed: -1, at: -1}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "NULL platform behavior") {
			break // what follows repeats names of what was listed
		}
		p.line(split(line))
	}
	return p.platforms
}

type parser struct {
	platforms []Platform
	// claimed is the number of platforms that clinfo announces, -1 before it does.
	claimed int
	at      int // the platform that lines belong to
	// inDevices: the second part, which lists the devices of each platform.
	inDevices bool
	next      int // the platform that the second part comes to next
	// version is that of the platform whose name comes next: AMD's clinfo names it
	// first.
	version string
}

// inWords has clinfo's labels for people; those that end with a colon are of AMD's
// clinfo.
var inWords = map[string]string{
	"Number of platforms": "#PLATFORMS", "Number of devices": "#DEVICES",
	"Platform Name": "CL_PLATFORM_NAME", "Platform Vendor": "CL_PLATFORM_VENDOR", "Platform Version": "CL_PLATFORM_VERSION",
	"Device Name": "CL_DEVICE_NAME", "Device Vendor": "CL_DEVICE_VENDOR", "Device Version": "CL_DEVICE_VERSION", "Device Type": "CL_DEVICE_TYPE",
	"Driver Version": "CL_DRIVER_VERSION", "Max compute units": "CL_DEVICE_MAX_COMPUTE_UNITS", "Global memory size": "CL_DEVICE_GLOBAL_MEM_SIZE",
	"Device Available": "CL_DEVICE_AVAILABLE", "Device Extensions": "CL_DEVICE_EXTENSIONS", "Device Board Name (AMD)": "CL_DEVICE_BOARD_NAME_AMD",
	"Number of platforms:": "#PLATFORMS", "Number of devices:": "#DEVICES",
	"Platform Name:": "CL_PLATFORM_NAME", "Platform Vendor:": "CL_PLATFORM_VENDOR", "Platform Version:": "CL_PLATFORM_VERSION",
	"Name:": "CL_DEVICE_NAME", "Vendor:": "CL_DEVICE_VENDOR", "Version:": "CL_DEVICE_VERSION", "Device Type:": amdDevice,
	"Driver version:": "CL_DRIVER_VERSION", "Max compute units:": "CL_DEVICE_MAX_COMPUTE_UNITS", "Global memory size:": "CL_DEVICE_GLOBAL_MEM_SIZE",
	"Available:": "CL_DEVICE_AVAILABLE", "Extensions:": "CL_DEVICE_EXTENSIONS", "Board name:": "CL_DEVICE_BOARD_NAME_AMD",
}

// amdDevice is the type of a device in AMD's clinfo, which begins with it.
const amdDevice = "CL_DEVICE_TYPE:"

// split cuts a line at the first gap of two blanks or a tab; it may stand behind
// a prefix that names platform and device.
func split(line string) (key, value string) {
	body := strings.TrimLeft(rawPrefix.ReplaceAllString(line, ""), " \t")
	gap := len(body)
	if i := strings.Index(body, "  "); i >= 0 {
		gap = i
	}
	if i := strings.IndexByte(body, '\t'); i >= 0 && i < gap {
		gap = i
	}
	value = strings.TrimSpace(body[gap:])
	if refused.MatchString(value) {
		value = ""
	}
	if key = body[:gap]; inWords[key] != "" {
		key = inWords[key]
	} else if label, rest, ok := strings.Cut(body, ":"); ok && inWords[label+":"] != "" {
		key, value = inWords[label+":"], strings.TrimSpace(rest) // the label is longer than its column
	}
	return key, value
}

func (p *parser) line(key, value string) {
	switch key {
	case "#PLATFORMS":
		if n, err := strconv.Atoi(value); err == nil && p.claimed < 0 {
			p.claimed = n
		}
	case "#DEVICES":
		p.inDevices = true
	case "CL_PLATFORM_NAME":
		p.named(value)
	case "CL_PLATFORM_VERSION":
		if p.at < 0 || p.platforms[p.at].Version != "" {
			p.version = value
			return
		}
		p.platforms[p.at].Version = value
	case amdDevice:
		p.device(Device{Type: deviceType(value)})
	case "CL_DEVICE_NAME":
		if p.at >= 0 {
			if n := len(p.platforms[p.at].Devices); n > 0 && p.platforms[p.at].Devices[n-1].Name == "" {
				p.platforms[p.at].Devices[n-1].Name, p.inDevices = value, true
				return
			}
		}
		p.device(Device{Name: value})
	default:
		if p.at < 0 {
			return
		}
		of := &p.platforms[p.at]
		if key == "CL_PLATFORM_VENDOR" {
			set(&of.Vendor, value)
		}
		if n := len(of.Devices); n > 0 && p.inDevices {
			of.Devices[n-1].field(key, value)
		}
	}
}

// named handles a line with a platform's name: in the first part a new platform,
// in the second the one whose devices follow.
func (p *parser) named(name string) {
	n := len(p.platforms)
	second := p.inDevices || p.claimed >= 0 && n >= p.claimed
	if second {
		for i := p.next; i < n; i++ {
			if p.platforms[i].Name == name {
				p.at, p.next, p.inDevices = i, i+1, true
				return
			}
		}
	}
	if n < maxPlatforms {
		p.platforms = append(p.platforms, Platform{Name: name, Version: p.version})
		p.version = ""
		p.at = n
	}
	if second { // more platforms than were announced
		p.next = len(p.platforms)
	}
}

// device begins one of the platform.
func (p *parser) device(d Device) {
	p.inDevices = true
	if p.at >= 0 && len(p.platforms[p.at].Devices) < maxDevices {
		p.platforms[p.at].Devices = append(p.platforms[p.at].Devices, d)
	}
}

// field sets what is not set yet: below the device's own lines stand those of
// its parts (SVM, images).
func (d *Device) field(key, value string) {
	switch key {
	case "CL_DEVICE_TYPE":
		set(&d.Type, deviceType(value))
	case "CL_DEVICE_VENDOR":
		set(&d.Vendor, value)
	case "CL_DEVICE_VERSION":
		set(&d.Version, value)
	case "CL_DRIVER_VERSION":
		set(&d.Driver, value)
	case "CL_DEVICE_MAX_COMPUTE_UNITS":
		if n, err := strconv.Atoi(leadingDigits(value)); err == nil && d.Units == 0 {
			d.Units = n
		}
	case "CL_DEVICE_GLOBAL_MEM_SIZE":
		if n, err := strconv.ParseUint(leadingDigits(value), 10, 64); err == nil && d.Memory == 0 {
			d.Memory = n
		}
	case "CL_DEVICE_AVAILABLE":
		d.Unavailable = value == "CL_FALSE" || value == "No"
	case "CL_DEVICE_EXTENSIONS":
		set(&d.Extensions, value)
	case "CL_DEVICE_BOARD_NAME_AMD":
		set(&d.Board, value)
	}
}

// deviceType turns constants into the words that people know: CPU, Default.
func deviceType(v string) string {
	var out []string
	for part := range strings.SplitSeq(v, "|") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "CL_DEVICE_TYPE_")
		out = append(out, cmp.Or(map[string]string{"ACCELERATOR": "Accelerator", "DEFAULT": "Default", "CUSTOM": "Custom"}[part], part))
	}
	return strings.Join(out, ", ")
}

func set(to *string, value string) { *to = cmp.Or(*to, value) }

func leadingDigits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}
