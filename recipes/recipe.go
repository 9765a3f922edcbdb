// Package recipes owns what a purpose needs: the recipe format, its loader and
// linter, the compatibility tables and the version constraints. It must never
// look at a machine and never run anything; it imports nothing of deployctl.
package recipes

// Schema is the version of the recipe format.
const Schema = 1

// Recipe is what a purpose (YOLOv3 through OpenCV, OpenPose on Windows) needs.
type Recipe struct {
	Schema      int    `yaml:"schema" json:"schema"`
	Name        string `yaml:"name" json:"name"`
	Title       string `yaml:"title" json:"title"`
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	// Extends names a recipe whose requirements come first; one here with the
	// same id replaces it.
	Extends string `yaml:"extends,omitempty" json:"extends,omitempty"`
	// Parameters are what a user may set (--set gpu=cpu); a requirement's when
	// and a compat check refer to them.
	Parameters map[string]Parameter `yaml:"parameters,omitempty" json:"parameters,omitempty"`
	// Components are judged for health where they are found, beside those that
	// the requirements name: openpose.
	Components []string `yaml:"components,omitempty" json:"components,omitempty"`
	// Artifacts are files the purpose fetches, each with its size and hash.
	Artifacts []Artifact `yaml:"artifacts,omitempty" json:"artifacts,omitempty"`
	// Builds are what a fix may build from source.
	Builds       []Build       `yaml:"builds,omitempty" json:"builds,omitempty"`
	Requirements []Requirement `yaml:"requirements" json:"requirements"`
	// Verify names the engine that proves the set-up; nil when nothing can run.
	Verify *Verify `yaml:"verify,omitempty" json:"verify,omitempty"`

	// Source is where the recipe was read from ("embedded", a path); Overrides
	// is what it took the place of. Neither is part of the file.
	Source    string `yaml:"-" json:"source"`
	Overrides string `yaml:"-" json:"overrides,omitempty"`
	// Settings are the parameters that Set changed; Setting gives every one.
	Settings map[string]string `yaml:"-" json:"settings,omitempty"`

	// Narrowed is what Select left out; nil when it left out nothing.
	Narrowed *Narrowed `yaml:"-" json:"-"`
}

// Narrowed is what a user's selection makes of a recipe.
type Narrowed struct {
	whole *Recipe
	// keep decides on an id: the severity, and whether it stays.
	keep func(id string, s Severity) (Severity, bool)
}

// Whole is the recipe as it was before Select.
func (r *Recipe) Whole() *Recipe {
	if r.Narrowed == nil {
		return r
	}
	whole := *r.Narrowed.whole
	whole.Settings = r.Settings
	return &whole
}

// Selected says whether a finding's id was selected, and with what severity.
func (r *Recipe) Selected(id string, s Severity) (Severity, bool) {
	if r.Narrowed == nil {
		return s, true
	}
	return r.Narrowed.keep(id, s)
}

// Parameter is one thing a user may choose about a recipe.
type Parameter struct {
	Title   string   `yaml:"title" json:"title"`
	Default string   `yaml:"default" json:"default"`
	Choices []string `yaml:"choices" json:"choices"`
}

// Artifact is a file that is fetched. It is never used before its size and
// hash were checked on the bytes themselves.
type Artifact struct {
	Name string `yaml:"name" json:"name"` // yolov3.weights
	// URL is where it comes from, Mirrors where else the same bytes are; they
	// are tried in order: https addresses, or "debian:" and a path below the
	// archive that the machine's apt fetches Debian's packages from.
	URL     string   `yaml:"url" json:"url"`
	Mirrors []string `yaml:"mirrors,omitempty" json:"mirrors,omitempty"`
	// Size is exact.
	Size   Bytes  `yaml:"size" json:"size"`
	SHA256 string `yaml:"sha256" json:"sha256"` // 64 hexadecimal digits
	// Source says who publishes the hash.
	Source string `yaml:"source" json:"source"`
}

// Verify says how a set-up is proven.
type Verify struct {
	Engine  string `yaml:"engine" json:"engine"`   // gocv
	Network string `yaml:"network" json:"network"` // yolov3
}

// Severity of a requirement that does not hold.
type Severity string

// The severities. Required gives fail, Recommended gives warn, Info gives info.
const (
	Required    Severity = "required"
	Recommended Severity = "recommended"
	Info        Severity = "info"
)

// Requirement is one line of a recipe. Exactly one of the checks (OS … GPU) is
// set.
type Requirement struct {
	// ID is stable, lower case, dotted: opencv.version.
	ID       string   `yaml:"id" json:"id"`
	Title    string   `yaml:"title" json:"title"`
	Severity Severity `yaml:"severity,omitempty" json:"severity,omitempty"` // default required
	When     *When    `yaml:"when,omitempty" json:"when,omitempty"`
	// Why says in a sentence what breaks without it.
	Why string `yaml:"why" json:"why"`
	// Manual is the smallest fix by hand, one sentence, for when no Fix applies.
	Manual string `yaml:"manual,omitempty" json:"manual,omitempty"`
	// ManualOn replaces Manual on families of systems and distributions.
	ManualOn map[string]string `yaml:"manual_on,omitempty" json:"manual_on,omitempty"`

	// Builds is the requirement that this one serves alone, as a CMake that builds a
	// library does: where that is satisfied, nothing is to be built.
	Builds string `yaml:"builds,omitempty" json:"builds,omitempty"`

	OS        *OSCheck        `yaml:"os,omitempty" json:"os,omitempty"`
	CPU       *CPUCheck       `yaml:"cpu,omitempty" json:"cpu,omitempty"`
	Memory    *MemoryCheck    `yaml:"memory,omitempty" json:"memory,omitempty"`
	Disk      *DiskCheck      `yaml:"disk,omitempty" json:"disk,omitempty"`
	Component *ComponentCheck `yaml:"component,omitempty" json:"component,omitempty"`
	Compat    *CompatCheck    `yaml:"compat,omitempty" json:"compat,omitempty"`
	GPU       *GPUCheck       `yaml:"gpu,omitempty" json:"gpu,omitempty"`

	// Fix lists the ways to make it hold, in order of preference; the first
	// whose manager the host has is planned.
	Fix []Fix `yaml:"fix,omitempty" json:"fix,omitempty"`
}

// When limits a requirement to some hosts; every field that is set must hold.
type When struct {
	OS   []string `yaml:"os,omitempty" json:"os,omitempty"`     // GOOS or distribution id
	Arch []string `yaml:"arch,omitempty" json:"arch,omitempty"` // GOARCH
	// Features limits it to processors that have each of these: avx2.
	Features []string `yaml:"features,omitempty" json:"features,omitempty"`
	// Missing limits the requirement to hosts on which at least one of these
	// components has no instance (room for OpenCV matters only before it is
	// installed).
	Missing []string `yaml:"missing,omitempty" json:"missing,omitempty"`
	// Present limits it to hosts on which each of these has an instance.
	Present []string `yaml:"present,omitempty" json:"present,omitempty"`
	// Compute limits it to machines whose best NVIDIA GPU has a compute capability
	// in this constraint: "< 8.9".
	Compute string `yaml:"compute,omitempty" json:"compute,omitempty"`
	// Set limits it to values of the recipe's parameters: gpu: [cuda].
	Set map[string][]string `yaml:"set,omitempty" json:"set,omitempty"`
}

// OSCheck wants one of the families (GOOS) and, where listed for the host's
// distribution id, a version constraint.
type OSCheck struct {
	Family   []string          `yaml:"family" json:"family"`
	Versions map[string]string `yaml:"versions,omitempty" json:"versions,omitempty"` // id: constraint
	// Libc maps kinds of C library (glibc, musl) to constraints, asked only of
	// Linux; a kind that is not here fails.
	Libc map[string]string `yaml:"libc,omitempty" json:"libc,omitempty"`
}

// CPUCheck wants one of the architectures and, per architecture, features.
type CPUCheck struct {
	Arch     []string            `yaml:"arch" json:"arch"`
	Features map[string][]string `yaml:"features,omitempty" json:"features,omitempty"`
	Cores    float64             `yaml:"cores,omitempty" json:"cores,omitempty"`
}

// MemoryCheck wants usable memory of at least Min (2GiB).
type MemoryCheck struct {
	Min Bytes `yaml:"min" json:"min"`
}

// DiskCheck wants room for a purpose (cache, tmp, system).
type DiskCheck struct {
	For  string `yaml:"for" json:"for"`
	Free Bytes  `yaml:"free" json:"free"`
}

// ComponentCheck wants an active instance.
type ComponentCheck struct {
	// Name of the component, or AnyOf several that serve alike.
	Name  string   `yaml:"name,omitempty" json:"name,omitempty"`
	AnyOf []string `yaml:"any_of,omitempty" json:"any_of,omitempty"`
	// Version is a hashicorp/go-version constraint; "" accepts any.
	Version string `yaml:"version,omitempty" json:"version,omitempty"`
	// Has lists parts the instance must have.
	Has []string `yaml:"has,omitempty" json:"has,omitempty"`
	// Attr asks the instance's named details: a version constraint, "is WORD",
	// "has WORD" (one of a comma-separated list), "has series of COMPONENT" (the
	// first two numbers of that component's active version are in the list),
	// "starts YES" (it begins so) or "unset" (there is no such detail).
	Attr map[string]string `yaml:"attr,omitempty" json:"attr,omitempty"`
	// Python asks for the copy that the Python on PATH imports, whatever programs in
	// other languages find.
	Python bool `yaml:"python,omitempty" json:"python,omitempty"`
	// Absent turns the check around: no instance may match.
	Absent bool `yaml:"absent,omitempty" json:"absent,omitempty"`
}

// CompatCheck wants a row of a table that fits the host's active instances.
type CompatCheck struct {
	Table string `yaml:"table" json:"table"`
	// Given are the components whose versions select rows.
	Given []string `yaml:"given" json:"given"`
	// Optional are those of Given that the table is asked without where they are
	// not known: sm.
	Optional []string `yaml:"optional,omitempty" json:"optional,omitempty"`
	// Choose is the column that the table then decides (gocv).
	Choose string `yaml:"choose" json:"choose"`
	// Parameters takes the values of columns from the recipe's parameters:
	// openpose: release.
	Parameters map[string]string `yaml:"parameters,omitempty" json:"parameters,omitempty"`
	// Holds asks components of the chosen value: ">=" (at least it), "major"
	// (the same first number) or "series" (the same first two):
	// nvidia-driver: ">=".
	Holds map[string]string `yaml:"holds,omitempty" json:"holds,omitempty"`
}

// GPUCheck wants a graphics device.
type GPUCheck struct {
	Vendor []string `yaml:"vendor" json:"vendor"` // nvidia, amd, intel, apple …
	// Compute is a constraint on CUDA's compute capability: ">= 5.0".
	Compute string `yaml:"compute,omitempty" json:"compute,omitempty"`
	// Memory is the least the device must have.
	Memory Bytes `yaml:"memory,omitempty" json:"memory,omitempty"`
}

// Fix is one way to make a requirement hold: the packages of exactly one
// package manager, or one of the ways without one. A build may name packages as
// well: what it needs beside the compiler.
type Fix struct {
	// Distro limits the fix to distribution ids (or ids they are like).
	Distro []string `yaml:"distro,omitempty" json:"distro,omitempty"`
	// Packages are the packages of one package manager.
	Packages PackageSet `yaml:",inline" json:"-"`

	Archive *ArchiveFix `yaml:"archive,omitempty" json:"archive,omitempty"`
	// Build is the name of one of the recipe's builds.
	Build string `yaml:"build,omitempty" json:"build,omitempty"`
	// Wheel are what is unpacked from the Python package index, all of them.
	Wheel []Wheel `yaml:"wheel,omitempty" json:"wheel,omitempty"`

	// Download is what its packages take where that is far from what the catalog says
	// of the component.
	Download Bytes `yaml:"download,omitempty" json:"download,omitempty"`

	Note string `yaml:"note,omitempty" json:"note,omitempty"`
}

// ArchiveFix unpacks a published archive into a folder of deployctl's own.
type ArchiveFix struct {
	// Artifact is the name of one of the recipe's artifacts.
	Artifact string `yaml:"artifact" json:"artifact"`
	// Arch and OS limit it to the systems that the archive is made for.
	OS   []string `yaml:"os,omitempty" json:"os,omitempty"`
	Arch []string `yaml:"arch,omitempty" json:"arch,omitempty"`
	// Strip drops so many leading folders of every path in it.
	Strip int `yaml:"strip,omitempty" json:"strip,omitempty"`
	// Files, where set, are the only ones used, by their names behind Strip.
	Files []string `yaml:"files,omitempty" json:"files,omitempty"`
	// Into is the folder's name: libtorch-2.8.0.
	Into string `yaml:"into" json:"into"`
	// Env puts folders of it first in variables that hold lists: PATH: bin.
	Env map[string]string `yaml:"env,omitempty" json:"env,omitempty"`
}

// Build builds a published source archive with CMake and installs it into a
// folder of deployctl's own.
type Build struct {
	// Name is also the folder's: opencv-4.10.0.
	Name     string `yaml:"name" json:"name"`
	Artifact string `yaml:"artifact" json:"artifact"`
	Strip    int    `yaml:"strip,omitempty" json:"strip,omitempty"`
	// Options are CMake cache entries: BUILD_LIST: core,imgproc,dnn.
	Options map[string]string `yaml:"options,omitempty" json:"options,omitempty"`
	// Tuned names the project whose options for this processor are added:
	// opencv (CPU_BASELINE, CPU_DISPATCH).
	Tuned string `yaml:"tuned,omitempty" json:"tuned,omitempty"`
	// MemoryPerJob is what one compiler process may take.
	MemoryPerJob Bytes `yaml:"memory_per_job,omitempty" json:"memory_per_job,omitempty"`
	// Disk is the room that sources and objects take, Minutes the processor
	// time of the build for one core.
	Disk    Bytes             `yaml:"disk,omitempty" json:"disk,omitempty"`
	Minutes float64           `yaml:"minutes,omitempty" json:"minutes,omitempty"`
	Env     map[string]string `yaml:"env,omitempty" json:"env,omitempty"`
}

// Bytes is a size; in YAML a number with B, KiB, MiB, GiB, kB, MB or GB (see
// ParseBytes).
type Bytes uint64
