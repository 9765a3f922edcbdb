package judge

import (
	"cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

// WheelTarget is what of a machine decides which Python wheel it can use.
func WheelTarget(f *facts.Facts) wheeltag.Target {
	t := wheeltag.Target{OS: f.OS.Family, Arch: cmp.Or(f.OS.Arch, f.CPU.Arch)}
	switch f.OS.Libc.Kind {
	case "glibc":
		t.Glibc = f.OS.Libc.Version
	case "musl":
		t.Musl = f.OS.Libc.Version
	}
	if t.OS == "darwin" {
		t.MacOS = f.OS.Version
	}
	return t
}

// wheelsFit says whether this machine can use every wheel of a fix: one of its
// files by its tags, its instructions, and the components that it requires by
// their versions, without one that would be found first. What is not known does not fit.
func wheelsFit(fix *recipes.Fix, f *facts.Facts) bool {
	for _, w := range fix.Wheel {
		if _, ok := wheeltag.Pick(w, WheelTarget(f)); !ok {
			return false
		}
		for _, feature := range w.Instructions {
			if !hasFeature(f.CPU.Features, feature) {
				return false
			}
		}
		for _, name := range w.Unless {
			if _, ok := f.Active(name); ok {
				return false
			}
		}
		for name, text := range w.Requires {
			c, err := recipes.ParseConstraint(text)
			active, ok := f.Active(name)
			if err != nil || !ok || active.Version == "" {
				return false
			}
			if fits, err := c.Check(active.Version); err != nil || !fits {
				return false
			}
		}
	}
	return true
}
