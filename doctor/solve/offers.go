package solve

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Offer is a version of a component that could be had on this host. An
// installer that knows better than the catalogue (an apt that was asked) gives
// its own.
type Offer struct {
	Component string
	Version   string
	// Has and Attrs are the parts and details the copy will have.
	Has   []string
	Attrs map[string]string
	// Imports is the package that the Python on PATH will import.
	Imports []string
	// How says in a phrase what brings it.
	How  string
	Cost Cost
	// Requires are constraints on other components: a toolset needs its Visual
	// Studio.
	Requires map[string]string
	// Sets are words that installing it adds to details of other components:
	// CUDA's installer puts its files into Visual Studio.
	Sets map[string]map[string]string
}

const (
	mb = int64(1e6)
	gb = int64(1e9)
)

// beside reports whether several versions of a component can stand side by
// side, so that installing one leaves the others.
func beside(component string) bool {
	switch component {
	case "cuda", "visual-studio", "msvc", "windows-sdk", "opencv", "android-ndk", "go", "xcode", "gcc", "g++", "clang", "clang++", "python", "homebrew", "mingw":
		return true
	}
	return false
}

// usual is what a component's installation takes, by the catalog.
func usual(component, family string) Cost { return costOn(recipes.UsualCost(component), family) }

func costOn(c recipes.Cost, family string) Cost {
	return Cost{DownloadBytes: int64(c.Download), Minutes: c.Minutes, Heavy: c.Heavy, Reboot: slices.Contains(c.Restart, family)}
}

// wish is what the required lines of a recipe together ask of a component.
type wish struct {
	least  string // the highest lower limit
	has    []string
	attrs  map[string]string
	manual string
	reqs   []*recipes.Requirement
}

// wishes gathers the required component checks that are asked on this host.
func wishes(r *recipes.Recipe, f *facts.Facts) map[string]*wish {
	out := map[string]*wish{}
	get := func(name string) *wish {
		if out[name] == nil {
			out[name] = &wish{attrs: map[string]string{}}
		}
		return out[name]
	}
	for i := range r.Requirements {
		q := &r.Requirements[i]
		if q.Severity != recipes.Required || !asked(r, q.When, f) {
			continue
		}
		if c := q.Compat; c != nil {
			for _, name := range append(slices.Clone(c.Given), slices.Sorted(maps.Keys(c.Holds))...) {
				if !slices.Contains(recipes.Topics(), name) {
					get(name)
				}
			}
		}
		c := q.Component
		if c == nil || c.Absent {
			continue
		}
		for _, name := range append(slices.Clone(c.AnyOf), c.Name) {
			if name == "" {
				continue
			}
			w := get(name)
			w.reqs = append(w.reqs, q)
			w.manual = cmp.Or(w.manual, judge.Manual(q, f))
			for _, part := range c.Has {
				if !slices.Contains(w.has, part) {
					w.has = append(w.has, part)
				}
			}
			if constraint, err := recipes.ParseConstraint(c.Version); err == nil {
				if least := constraint.Least(); least != "" && (w.least == "" || newer(least, w.least)) {
					w.least = least
				}
			}
			for key, condition := range c.Attr {
				if value := meeting(condition); value != "" {
					w.attrs[key] = value
				}
			}
		}
	}
	return out
}

// meeting gives a value that meets an attribute's condition, "" where only
// another component can set it or nothing is to be set.
func meeting(condition string) string {
	for _, form := range []string{"is ", "starts "} {
		if word, ok := strings.CutPrefix(condition, form); ok {
			return word
		}
	}
	if word, ok := strings.CutPrefix(condition, "has "); ok && !strings.HasPrefix(word, "series of ") {
		return word
	}
	if c, err := recipes.ParseConstraint(condition); err == nil {
		return c.Least()
	}
	return ""
}

// asked reports whether a requirement applies to the host, as far as the host
// itself decides it; what a plan installs is present after it.
func asked(r *recipes.Recipe, w *recipes.When, f *facts.Facts) bool {
	if w == nil {
		return true
	}
	for name, values := range w.Set {
		if !slices.Contains(values, r.Setting(name)) {
			return false
		}
	}
	if len(w.OS) > 0 && !slices.Contains(w.OS, f.OS.Family) && !slices.Contains(w.OS, f.OS.ID) &&
		!slices.ContainsFunc(f.OS.Like, func(id string) bool { return slices.Contains(w.OS, id) }) {
		return false
	}
	if len(w.Arch) > 0 && !slices.Contains(w.Arch, cmp.Or(f.OS.Arch, f.CPU.Arch)) {
		return false
	}
	if slices.ContainsFunc(w.Features, func(feature string) bool { return !slices.Contains(f.CPU.Features, feature) }) {
		return false
	}
	if w.Compute != "" {
		c, err := recipes.ParseConstraint(w.Compute)
		if err != nil {
			return false // no such recipe is loaded
		}
		// A GPU that is not known asks nothing of the plan.
		if holds, err := c.Check(judge.BestGPU(f)); err != nil || !holds {
			return false
		}
	}
	return len(w.Missing) == 0 || slices.ContainsFunc(w.Missing, func(name string) bool { return len(f.Components[name]) == 0 })
}

func newer(a, b string) bool {
	va, errA := recipes.Version(a)
	vb, errB := recipes.Version(b)
	return errA == nil && (errB != nil || va.GreaterThan(vb))
}

// Catalogue lists what could be had of the components that a recipe asks for:
// from the host's package manager, from the vendors (the versions at which the
// tables say something changes), or by hand as the requirement says.
func Catalogue(r *recipes.Recipe, t *recipes.Tables, f *facts.Facts) []Offer {
	return catalogue(r, t, f, nil)
}

// catalogue adds what could be had of components that only a target names.
func catalogue(r *recipes.Recipe, t *recipes.Tables, f *facts.Facts, targets map[string]string) []Offer {
	var out []Offer
	all := wishes(r, f)
	for name, text := range targets {
		want, err := targetConstraint(text)
		if err != nil {
			continue // Solve says so
		}
		if all[name] == nil {
			all[name] = &wish{attrs: map[string]string{}}
		}
		if least := want.Least(); newer(least, all[name].least) {
			all[name].least = least
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w := all[name]
		_, python := forPython(r, name) // which no vendor's archive is
		add := func(version, how string, cost Cost, more ...func(*Offer)) {
			o := Offer{Component: name, Version: version, Has: slices.Clone(w.has), Attrs: maps.Clone(w.attrs), How: how, Cost: cost}
			if python {
				o.Attrs["kind"], o.Imports = "wheel", []string{strings.TrimSpace(name + " " + version)}
			}
			for _, m := range more {
				m(&o)
			}
			out = append(out, o)
		}
		before := len(out)
		vendor := !python && fromVendor(w, name, t, f, add)
		if vendors := slices.Clone(out[before:]); !(vendor && f.OS.Family == "windows") {
			// Packages first. Windows' package managers say no version; where a
			// vendor's offers say one, those are what the tables can judge.
			out = out[:before]
			vendor = fromPackages(w, name, f, add) || vendor
			out = append(out, vendors...)
		}
		unpacked := unpacked(w, name, f)
		if vendor && unpacked != "" {
			cost := usual(name, f.OS.Family)
			cost.Minutes /= 2 // nobody downloads it from a page
			add(unpacked, cmp.Or(w.manual, lang.T("by hand")), cost)
		}
		if !vendor {
			how := cmp.Or(judge.OnJetson(name, f), w.manual, lang.T("by hand"))
			cost := usual(name, f.OS.Family)
			cost.Minutes += 10 // a person looks for it
			add(cmp.Or(unpacked, w.least), how, cost)
		}
	}
	return out
}

// published reports whether the maker's own build serves: packages would, and it need
// not be one with CUDA, which nobody publishes.
func (w *wish) published() bool {
	return w.attrs["build.cuda"] == "" && slices.ContainsFunc(w.reqs, func(q *recipes.Requirement) bool { return len(q.Fix) > 0 })
}

// unpacked is the version of a component that --fix unpacks from the Python package
// index on this host, "" where it installs another way.
func unpacked(w *wish, name string, f *facts.Facts) string {
	for _, q := range w.reqs {
		if names(q.Component)[0] != name {
			continue
		}
		for i := range q.Fix {
			fix := &q.Fix[i]
			if judge.FixText(q, fix, f) == "" {
				continue // not for this host
			}
			if len(fix.Wheel) > 0 {
				return fix.Wheel[0].Version
			}
			break // the first that fits is what --fix does
		}
	}
	return ""
}

type adder func(version, how string, cost Cost, more ...func(*Offer))

// fromPackages offers what the host's package manager brings; false means that
// the recipe names no package for this host. Where the version that the
// distribution has is not known, the least that the recipe asks is assumed, and
// the phrase says so.
func fromPackages(w *wish, name string, f *facts.Facts, add adder) bool {
	for _, q := range w.reqs {
		p, ok := judge.ChooseFix(q, f)
		// Of several that serve alike, the packages are the first one's.
		if !ok || names(q.Component)[0] != name {
			continue
		}
		how, version := judge.InstallCommand(p, f), ""
		if p.Manager == "pip" { // whatever the distribution has
			version = recipes.Pinned(p.Manager, p.Packages[0], w.least)
		} else if have := recipes.Packaged(f.OS.ID, f.OS.Version); have != nil {
			if version = have[name]; version == "" && (name == "onnxruntime" || name == "libtorch") {
				continue // this release has no such package
			}
		}
		if version == "" {
			if version = w.least; version != "" {
				how += lang.F(" (its version is not known here; %s or newer is assumed)", version)
			}
		}
		add(version, how, costOn(recipes.UsualCost(name).Of(p.Download), f.OS.Family), func(o *Offer) {
			if name == "opencv" {
				// As the distributions build it: OpenCL, no CUDA.
				o.Has = []string{"cmake", "core", "dnn", "headers", "imgproc", "pkg-config"}
				o.Attrs = map[string]string{"build.opencl": "YES", "build.cuda": "NO"}
			}
		})
		return true
	}
	return false
}

// fromVendor offers the versions of components whose versions matter to the
// tables; false means that the component is not one of them.
func fromVendor(w *wish, name string, t *recipes.Tables, f *facts.Facts, add adder) bool {
	windows := f.OS.Family == "windows"
	cost := usual(name, f.OS.Family)
	if p, ok := judge.JetPackOf(f); ok && (name == "cuda" || name == "cudnn") {
		// NVIDIA's installers are for desktop cards.
		version := map[string]string{"cuda": p.CUDA, "cudnn": p.CuDNN}[name]
		add(version, lang.F("JetPack %s (apt: nvidia-jetpack)", p.Version), cost, func(o *Offer) { o.Has = append(o.Has, "nvcc", "headers") })
		return true
	}
	if image := judge.DevelImage(f); image != "" && (name == "cuda" || name == "cudnn") {
		// What an image for running lacks is in the one for building, of the same versions.
		for _, component := range []string{name, name + "-runtime"} {
			for _, i := range f.Components[component] {
				if i.Version != "" {
					add(i.Version, image, cost, func(o *Offer) { o.Has = append(o.Has, "nvcc", "headers") })
					return true
				}
			}
		}
	}
	switch name {
	case "cuda":
		toolkits(t, f, cost, add)
	case "cudnn":
		for _, v := range known(t, "cudnn", "cudnn-cuda") {
			add(v, lang.T("NVIDIA's archive"), cost, func(o *Offer) { o.Has = append(o.Has, "headers") })
		}
	case "nvidia-driver":
		// Under WSL, in a container and on a Jetson the driver comes from elsewhere.
		if judge.DriverHost(f) != "" {
			return false
		}
		for _, v := range drivers(t, f.OS.Family) {
			add(v, lang.T("NVIDIA's installer"), cost)
		}
	case "opencv":
		cost := Cost{DownloadBytes: 100 * mb, Minutes: 60}
		if windows && w.published() {
			cost = Cost{DownloadBytes: 200 * mb, Minutes: 3}
		}
		for _, v := range known(t, "opencv", "gocv-opencv", "opencv-cuda") {
			add(v, lang.T("built from source"), cost, func(o *Offer) {
				for _, part := range []string{"cmake", "core", "dnn", "headers", "imgproc", "pkg-config"} {
					if !slices.Contains(o.Has, part) {
						o.Has = append(o.Has, part)
					}
				}
			})
		}
	case "visual-studio", "msvc":
		if !windows {
			return false
		}
		fromMicrosoft(name, cost, add)
	case "gcc", "g++":
		// Debian and Ubuntu have older compilers beside the default one.
		for _, n := range recipes.OlderGCC(f.OS.ID, f.OS.Version) {
			major := strconv.Itoa(n)
			packages := "gcc-" + major
			if name == "g++" {
				packages = "g++-" + major
			}
			add(major, lang.F("apt: %s, chosen by CUDAHOSTCXX or update-alternatives", packages), cost)
		}
		return len(f.Components["apt"]) > 0 && recipes.Packaged(f.OS.ID, f.OS.Version)[name] != ""
	case "mingw":
		add("8.1.0", lang.T("MinGW-w64 8.1.0 or newer, x86-64, posix threads, seh"), cost)
	case "cmake":
		for _, v := range []string{"4.2", "3.31"} {
			add(v, lang.T("CMake's archive"), cost)
		}
	case "go":
		add("1.26", lang.T("Go's archive"), cost)
	case "android-ndk":
		for _, v := range []string{"28", "27", "26.3.11579264", "25.2.9519653"} { // r28, r27, r26d, r25c
			add(v, lang.T("Android's SDK manager"), cost)
		}
	case "libtorch":
		for _, v := range known(t, "libtorch", "libtorch", "libtorch-cuda") {
			add(v, lang.T("LibTorch's archive"), cost)
		}
	case "onnxruntime":
		for _, v := range append([]string{"1.30.0"}, known(t, "onnxruntime", "onnxruntime-cuda")...) {
			add(v, lang.T("ONNX Runtime's archive"), cost)
		}
	case "tensorflow":
		add("2.7.0", lang.T("TensorFlow's archive"), cost) // the release its install page names
	case "xcode":
		for _, v := range known(t, "xcode", "xcode") {
			add(v, "App Store", cost)
		}
	default:
		return false
	}
	return true
}

// toolkits offers CUDA toolkits: the newest of each series that the tables know,
// and for one that Visual Studio does not know, that part of its installer.
func toolkits(t *recipes.Tables, f *facts.Facts, cost Cost, add adder) {
	windows := f.OS.Family == "windows"
	for _, v := range newestOfSeries(known(t, "cuda", "cuda-driver", "cuda-gcc", "cuda-msvc")) {
		add(v, lang.T("NVIDIA's installer"), cost, func(o *Offer) {
			o.Has = append(o.Has, "nvcc", "headers")
			if windows {
				o.Sets = map[string]map[string]string{"visual-studio": {"cuda_customizations": recipes.Series(v)}}
			}
		})
	}
	if windows {
		// The installer run again with only its Visual Studio part.
		for _, i := range f.Components["cuda"] {
			series := recipes.Series(i.Version)
			if series == "" {
				continue
			}
			add(i.Version, lang.T("run its installer again: Visual Studio Integration"), Cost{Minutes: 3}, func(o *Offer) {
				o.Has, o.Attrs = slices.Clone(i.Has), maps.Clone(i.Attrs)
				o.Sets = map[string]map[string]string{"visual-studio": {"cuda_customizations": series}}
			})
		}
	}
}

// studios are the last version of each Visual Studio, its year, and the MSVC that its
// workload for C++ installs. The one that winget's and Chocolatey's steps bring in
// comes first.
type studio struct{ version, year, msvc string }

var studios = []studio{
	{"17.14", "2022", "14.44"}, {"18.0", "2026", "14.50"}, {"16.11", "2019", "14.29"}, {"15.9", "2017", "14.16"},
}

// fromMicrosoft offers Visual Studio and the toolsets of its installer.
func fromMicrosoft(name string, cost Cost, add adder) {
	switch name {
	case "visual-studio":
		for _, v := range studios {
			add(v.version, lang.F("Visual Studio %s or its Build Tools", v.year), cost, func(o *Offer) {
				o.Has = append(o.Has, "complete")
				o.Attrs["cuda_customizations"] = "" // a fresh one has none
			})
		}
	case "msvc":
		// The last toolset of each line that the installer offers, and 14.39,
		// the last one that CUDA below 12.4 supports.
		for _, v := range []struct{ version, studio string }{
			{"14.44", ">= 17.14, < 18"}, {"14.50", ">= 18, < 19"}, {"14.39", ">= 17.9, < 18"}, {"14.29", ">= 16.11, < 18"}, {"14.16", ">= 15.9, < 18"},
		} {
			add(v.version, lang.F("Visual Studio installer: MSVC %s build tools", v.version), cost, func(o *Offer) {
				o.Has = append(o.Has, "cl", "x64")
				o.Requires = map[string]string{"visual-studio": v.studio}
			})
		}
	}
}

// known gathers the versions that tables name for a column, newest first.
func known(t *recipes.Tables, column string, tables ...string) []string {
	var out []string
	for _, name := range tables {
		table, err := t.Table(name)
		if err != nil {
			continue // a set of tables of a test need not have every one
		}
		for _, v := range table.Known(column) {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	sortNewest(out)
	return out
}

func sortNewest(list []string) {
	parsed := map[string]*version.Version{}
	for _, text := range list {
		if v, err := recipes.Version(text); err == nil {
			parsed[text] = v
		}
	}
	slices.SortStableFunc(list, func(a, b string) int {
		if parsed[a] == nil || parsed[b] == nil {
			return strings.Compare(a, b)
		}
		return parsed[b].Compare(parsed[a])
	})
}

// newestOfSeries keeps one version of each first two numbers.
func newestOfSeries(list []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(list), func(v string) bool {
		s := recipes.Series(v)
		defer func() { seen[s] = true }()
		return s == "" || seen[s]
	})
}

// drivers are the newest driver of each branch that a toolkit came with.
func drivers(t *recipes.Tables, family string) []string {
	table, err := t.Table("cuda-driver")
	if err != nil {
		return nil
	}
	var out []string
	for i := range table.Rows {
		row := &table.Rows[i]
		for _, column := range []string{"driver", "driver_minor"} {
			if v := row.Then[column]; v != "" && row.Meets("os", family) && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	sortNewest(out)
	seen := map[int64]bool{}
	return slices.DeleteFunc(out, func(text string) bool {
		v, err := recipes.Version(text)
		if err != nil {
			return true
		}
		major := v.Segments64()[0]
		again := seen[major]
		seen[major] = true
		return again
	})
}

// label names a component with its version.
func label(component, version string) string {
	return strings.TrimSpace(recipes.Display(component) + " " + version)
}
