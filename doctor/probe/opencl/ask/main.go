// Command ask loads one OpenCL driver and prints, as JSON, the platforms and
// devices it answers with.
//
// It is a program of its own because a driver may crash or hang, and because
// loading a library without cgo (purego) ties a Linux binary to glibc's loader,
// which deployctl itself must not be. It must never be imported.
//
//	ask /usr/lib/x86_64-linux-gnu/libpocl.so.2
//
// The last line on standard output is opencl.AnswerPrefix and a JSON list of
// opencl.Platform; what stands before it the driver printed. The status is 1
// when the library cannot be loaded or is no driver; standard error says why.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ebitengine/purego"

	"github.com/deployctl/deployctl/doctor/probe/opencl"
)

// Constants of CL/cl.h.
const (
	success        = 0
	platformAbsent = -1001 // CL_PLATFORM_NOT_FOUND_KHR

	deviceTypeAll = 0xFFFFFFFF

	platformVersion = 0x0901
	platformName    = 0x0902
	platformVendor  = 0x0903

	deviceType       = 0x1000
	deviceUnits      = 0x1002
	deviceMemory     = 0x101F
	deviceAvailable  = 0x1027
	deviceName       = 0x102B
	deviceVendor     = 0x102C
	driverVersion    = 0x102D
	deviceVersion    = 0x102F
	deviceExtensions = 0x1030
	deviceBoardAMD   = 0x4038 // cl_amd_device_attribute_query
)

// maxHandles bounds what a broken driver may claim.
const maxHandles = 64

// The first members of the dispatch table that every handle of an installable
// driver points to (Khronos, CL/cl_icd.h).
type dispatch struct {
	_               uintptr // clGetPlatformIDs
	getPlatformInfo uintptr
	getDeviceIDs    uintptr
	getDeviceInfo   uintptr
}

// object is what a handle points to: the table comes first.
type object struct{ table *dispatch }

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: ask LIBRARY")
		os.Exit(2)
	}
	platforms, err := ask(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	line, err := json.Marshal(platforms)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// A driver's own output may have left the line unfinished.
	if _, err := fmt.Printf("\n%s%s\n", opencl.AnswerPrefix, line); err != nil {
		os.Exit(1)
	}
}

func ask(library string) ([]opencl.Platform, error) {
	lib, err := open(library)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", library, err)
	}
	list, err := lister(lib)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", library, err)
	}
	out := []opencl.Platform{}
	var n uint32
	if code := list(0, nil, &n); code == platformAbsent || code == success && n == 0 {
		return out, nil
	} else if code != success {
		return nil, fmt.Errorf("%s: listing platforms gave error %d", library, code)
	}
	handles := make([]*object, min(n, maxHandles))
	if code := list(uint32(len(handles)), &handles[0], nil); code != success {
		return nil, fmt.Errorf("%s: listing platforms gave error %d", library, code)
	}
	for _, p := range handles {
		if p == nil || p.table == nil {
			return nil, fmt.Errorf("%s: a platform without a dispatch table", library)
		}
		out = append(out, platform(p))
	}
	return out, nil
}

type listFunc func(n uint32, platforms **object, count *uint32) int32

// lister finds the entry point that cl_khr_icd demands, exported or through
// clGetExtensionFunctionAddress.
func lister(lib uintptr) (listFunc, error) {
	const name = "clIcdGetPlatformIDsKHR"
	address, err := symbol(lib, name)
	if err != nil {
		getter, err := symbol(lib, "clGetExtensionFunctionAddress")
		if err != nil {
			return nil, errors.New("it is not an OpenCL driver: it exports neither clIcdGetPlatformIDsKHR nor clGetExtensionFunctionAddress")
		}
		var get func(name string) uintptr
		purego.RegisterFunc(&get, getter)
		if address = get(name); address == 0 {
			return nil, errors.New("it is not an OpenCL driver: it does not know clIcdGetPlatformIDsKHR")
		}
	}
	var list listFunc
	purego.RegisterFunc(&list, address)
	return list, nil
}

type infoFunc func(handle *object, what uint32, size uintptr, value *byte, needed *uintptr) int32

func platform(p *object) opencl.Platform {
	var info infoFunc
	purego.RegisterFunc(&info, p.table.getPlatformInfo)
	out := opencl.Platform{
		Name: text(info, p, platformName), Vendor: text(info, p, platformVendor), Version: text(info, p, platformVersion),
	}
	var devices func(p *object, kind uint64, n uint32, devices **object, count *uint32) int32
	purego.RegisterFunc(&devices, p.table.getDeviceIDs)
	var n uint32
	if code := devices(p, deviceTypeAll, 0, nil, &n); code != success || n == 0 {
		return out // CL_DEVICE_NOT_FOUND: a platform without devices
	}
	handles := make([]*object, min(n, maxHandles))
	if code := devices(p, deviceTypeAll, uint32(len(handles)), &handles[0], nil); code != success {
		return out
	}
	for _, d := range handles {
		if d != nil && d.table != nil {
			out.Devices = append(out.Devices, device(d))
		}
	}
	return out
}

func device(d *object) opencl.Device {
	var info infoFunc
	purego.RegisterFunc(&info, d.table.getDeviceInfo)
	out := opencl.Device{
		Name: text(info, d, deviceName), Vendor: text(info, d, deviceVendor), Version: text(info, d, deviceVersion),
		Driver: text(info, d, driverVersion), Extensions: text(info, d, deviceExtensions),
		Units: int(number(info, d, deviceUnits)), Memory: number(info, d, deviceMemory),
		Unavailable: number(info, d, deviceAvailable) == 0, Type: kinds(number(info, d, deviceType)),
	}
	if strings.Contains(out.Extensions, "cl_amd_device_attribute_query") {
		out.Board = text(info, d, deviceBoardAMD)
	}
	return out
}

func kinds(bits uint64) string {
	var out []string
	for i, name := range []string{"Default", "CPU", "GPU", "Accelerator", "Custom"} {
		if bits&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

// text asks for a string; "" when the driver does not know the question.
func text(info infoFunc, handle *object, what uint32) string {
	var size uintptr
	if info(handle, what, 0, nil, &size) != success || size == 0 || size > 1<<20 {
		return ""
	}
	buf := make([]byte, size)
	if info(handle, what, size, &buf[0], nil) != success {
		return ""
	}
	s, _, _ := strings.Cut(string(buf), "\x00")
	return strings.TrimSpace(s)
}

// number asks for an integer of four or eight bytes.
func number(info infoFunc, handle *object, what uint32) uint64 {
	var buf [8]byte
	var size uintptr
	if info(handle, what, uintptr(len(buf)), &buf[0], &size) != success {
		return 0
	}
	if size == 4 {
		return uint64(binary.NativeEndian.Uint32(buf[:]))
	}
	return binary.NativeEndian.Uint64(buf[:])
}
