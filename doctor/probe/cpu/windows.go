package cpu

import (
	"cmp"
	"errors"
	"slices"
	"strconv"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

const centralProcessor = `HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor`

// windows: the processor's own word, completed by what the kernel wrote into
// the registry at boot (name, nominal clock, ARM's identification registers).
func (p *prober) windows() {
	p.cpuid()
	list, err := p.h.RegistryKey(p.ctx, centralProcessor, "64")
	p.fail(err)
	key, err := p.h.RegistryKey(p.ctx, centralProcessor+`\0`, "64")
	p.fail(err)
	if err != nil {
		return
	}
	value := func(name string) host.Value {
		v, _ := key.Value(name)
		return v
	}
	name, mhz := look.Clean(value("ProcessorNameString").String), float64(value("~MHz").Int)
	p.cpu.Model = cmp.Or(p.cpu.Model, name)
	if p.cpu.Vendor == "" {
		p.cpu.Vendor = look.Clean(value("VendorIdentifier").String)
	}
	if n := len(list.Subkeys); p.cpu.Logical == 0 && n > 0 {
		p.cpu.Logical, p.cpu.Physical = min(n, maxProcessors), min(n, maxProcessors)
	}
	p.evidence("registry", centralProcessor+`\0`, name)
	if p.h.Arch == "arm64" {
		p.armRegisters(key)
	}
	core := armCore{}
	if midr := value("CP 4000").Int; midr != 0 && p.h.Arch == "arm64" {
		core = coreOf(int(midr>>24&0xff), int(midr>>4&0xfff))
		p.set("cores", core.name)
	}
	if p.cpu.MHz == 0 && mhz > 0 && p.cpu.Logical > 0 {
		family, _ := strconv.Atoi(p.cpu.Attrs["family"]) // "" is 0: no known family
		model, _ := strconv.Atoi(p.cpu.Attrs["model"])
		p.finish(family, model, core, clock{mhz, "the nominal clock in the registry, boost not counted"})
	}
	product := ""
	for _, at := range []string{"SystemManufacturer", "SystemProductName"} {
		const bios = `HKLM\HARDWARE\DESCRIPTION\System\BIOS`
		k, err := p.h.RegistryKey(p.ctx, bios, "64")
		if err != nil {
			if !errors.Is(err, host.ErrNotRecorded) {
				p.fail(err)
			}
			break
		}
		product += k.Values[at].String + " "
	}
	if p.cpu.Hypervisor != "" || p.h.Arch == "arm64" {
		if name := hypervisorOf(product); name != "" {
			p.cpu.Hypervisor = name
		}
	}
}

// armRegisters decodes ARM's feature registers, which Windows keeps as values
// named after their encoding: CP 4000 is MIDR_EL1, CP 4020 is ID_AA64PFR0_EL1, CP 4030
// ID_AA64ISAR0_EL1, CP 4031 ID_AA64ISAR1_EL1 (fields: Arm ARM DDI 0487, D24).
func (p *prober) armRegisters(key host.Key) {
	field := func(register string, shift uint) uint64 {
		v, _ := key.Value(register)
		return v.Int >> shift & 0xf
	}
	const absent = 0xf // ID_AA64PFR0: no floating point
	found := slices.Clone(p.cpu.Features)
	add := func(name string, ok bool) {
		if ok {
			found = append(found, name)
		}
	}
	const pfr0, isar0, isar1 = "CP 4020", "CP 4030", "CP 4031"
	if _, ok := key.Value(pfr0); ok {
		add("fphp", field(pfr0, 16) == 1)
		add("asimdhp", field(pfr0, 20) == 1)
		add("sve", field(pfr0, 32) >= 1 && field(pfr0, 32) != absent)
	}
	add("aes", field(isar0, 4) >= 1)
	add("pmull", field(isar0, 4) >= 2)
	add("sha1", field(isar0, 8) >= 1)
	add("sha2", field(isar0, 12) >= 1)
	add("sha512", field(isar0, 12) >= 2)
	add("crc32", field(isar0, 16) >= 1)
	add("atomics", field(isar0, 20) >= 2)
	add("asimdrdm", field(isar0, 28) >= 1)
	add("sha3", field(isar0, 32) >= 1)
	add("dotprod", field(isar0, 44) >= 1)
	add("flagm", field(isar0, 52) >= 1)
	add("dcpop", field(isar1, 0) >= 1)
	add("jscvt", field(isar1, 12) >= 1)
	add("fcma", field(isar1, 16) >= 1)
	add("lrcpc", field(isar1, 20) >= 1)
	add("ilrcpc", field(isar1, 20) >= 2)
	add("frint", field(isar1, 32) >= 1)
	add("sb", field(isar1, 36) >= 1)
	add("bf16", field(isar1, 44) >= 1)
	add("i8mm", field(isar1, 52) >= 1)
	add("neon", true) // the ABI requires it
	p.cpu.Features = normalise(p.h.Arch, found)
	p.cpu.Level = level(p.h.Arch, p.cpu.Features, 0)
}
