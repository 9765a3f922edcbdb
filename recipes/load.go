package recipes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

var (
	nameForm = lazyregexp.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	idForm   = lazyregexp.New(`^[a-z0-9]+([-+][a-z0-9+]*)*(\.[a-z0-9]+([-+][a-z0-9+]*)*)+$`)
	// A folder of deployctl's own, one below it, and a CMake cache entry.
	folderForm = lazyregexp.New(`^[a-z0-9][a-z0-9._-]{0,60}[a-z0-9]$`)
	insideForm = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)
	optionForm = lazyregexp.New(`^[A-Za-z][A-Za-z0-9_]{0,100}$`)
	partForm   = lazyregexp.New(`^[a-z0-9][a-z0-9._+-]*$`)
)

// Load reads one recipe and checks it; name is what mistakes call the file. It
// opens nothing else and runs nothing: a recipe that extends another is
// returned as it is (Find merges). Table names are checked against tables,
// unless that is nil. The error is an *InvalidError.
func Load(data []byte, name string, tables *Tables) (*Recipe, error) {
	r, d := read(data, name)
	d.lint(func() { lint(r, tables, d) })
	if err := d.err(); err != nil {
		return nil, err
	}
	return r, nil
}

// read is Load without the lint.
func read(data []byte, name string) (*Recipe, *document) {
	r := &Recipe{}
	d := decode(data, name, r)
	r.Source = name
	for i := range r.Requirements {
		if r.Requirements[i].Severity == "" {
			r.Requirements[i].Severity = Required
		}
	}
	return r, d
}

// Lint checks a recipe made or changed in memory; mistakes then have no place.
func Lint(r *Recipe, tables *Tables) error {
	d := &document{name: r.Name}
	lint(r, tables, d)
	return d.err()
}

func lint(r *Recipe, tables *Tables, d *document) {
	if r.Schema != Schema {
		d.at("$.schema", "schema must be %d, found %d", Schema, r.Schema)
	}
	if !nameForm.MatchString(r.Name) {
		d.at("$.name", "name %q must be lower-case words joined by hyphens, such as opencv-yolov3", r.Name)
	}
	if strings.TrimSpace(r.Title) == "" {
		d.at("$.title", "title is missing")
	}
	if r.Extends != "" && !nameForm.MatchString(r.Extends) {
		d.at("$.extends", "extends must be the name of a recipe, found %q", r.Extends)
	}
	if len(r.Requirements) == 0 && r.Extends == "" {
		d.at("$", "a recipe needs requirements, or a recipe that it extends")
	}
	if r.Verify != nil {
		d.word("$.verify.engine", "engine", r.Verify.Engine, Engines())
		d.word("$.verify.network", "network", r.Verify.Network, Networks())
	}
	lintParameters(r, d)
	for i := range r.Artifacts {
		lintArtifact(&r.Artifacts[i], d, fmt.Sprintf("$.artifacts[%d]", i))
	}
	for i := range r.Builds {
		lintBuild(r, &r.Builds[i], d, fmt.Sprintf("$.builds[%d]", i))
	}
	first := map[string]int{}
	for i := range r.Requirements {
		q := &r.Requirements[i]
		path := fmt.Sprintf("$.requirements[%d]", i)
		lintRequirement(r, q, tables, d, path)
		// What extends a recipe may name its requirements, too.
		if q.Builds != "" && r.Extends == "" && !slices.ContainsFunc(r.Requirements, func(o Requirement) bool { return o.ID == q.Builds && o.ID != q.ID }) {
			d.at(path+".builds", "there is no other requirement %q in this recipe", q.Builds)
		}
		if at, ok := first[q.ID]; ok && q.ID != "" {
			d.at(path+".id", "id %s is taken by requirement %d", q.ID, at+1)
		} else {
			first[q.ID] = i
		}
	}
}

// word records a mistake when a value is not one of the known words.
func (d *document) word(path, what, value string, known []string) {
	if !slices.Contains(known, value) {
		d.at(path, "unknown %s %q%s", lang.T(what), value, suggest(value, known))
	}
}

func (d *document) words(path, what string, values, known []string) {
	for i, v := range values {
		d.word(fmt.Sprintf("%s[%d]", path, i), what, v, known)
	}
}

func (d *document) constraint(path, text string) {
	if _, err := ParseConstraint(text); err != nil {
		d.at(path, "%v", err)
	}
}

func lintRequirement(r *Recipe, q *Requirement, tables *Tables, d *document, path string) {
	if !idForm.MatchString(q.ID) {
		d.at(path+".id", "id %q must be lower-case words joined by dots, such as opencv.version", q.ID)
	}
	for _, text := range []struct{ key, value string }{{"title", q.Title}, {"why", q.Why}} {
		if strings.TrimSpace(text.value) == "" {
			d.at(path+"."+text.key, "requirement %s needs a %s", q.ID, text.key)
		}
	}
	if q.Severity != "" {
		d.word(path+".severity", "severity", string(q.Severity), Severities())
	}
	if (q.Severity == "" || q.Severity == Required) && len(q.Fix) == 0 && strings.TrimSpace(q.Manual) == "" {
		d.at(path, "requirement %s is required, so it needs a fix, or a manual one", q.ID)
	}
	for _, system := range slices.Sorted(maps.Keys(q.ManualOn)) {
		d.word(path+".manual_on", "operating system", system, append(Families(), Distributions()...))
	}
	if w := q.When; w != nil {
		d.words(path+".when.os", "operating system", w.OS, append(Families(), Distributions()...))
		d.words(path+".when.arch", "architecture", w.Arch, Arches())
		d.words(path+".when.missing", "component", w.Missing, Components())
		d.words(path+".when.present", "component", w.Present, Components())
		for _, name := range slices.Sorted(maps.Keys(w.Set)) {
			at := path + ".when.set." + name
			if p, ok := r.parameter(name, d, at); ok {
				d.words(at, lang.F("choice of %s", name), w.Set[name], p.Choices)
			}
		}
		for i, f := range w.Features {
			d.word(fmt.Sprintf("%s.when.features[%d]", path, i), "CPU feature", f, Features())
		}
		d.constraint(path+".when.compute", w.Compute)
		if len(w.OS)+len(w.Arch)+len(w.Features)+len(w.Missing)+len(w.Present)+len(w.Set)+len(w.Compute) == 0 {
			d.at(path+".when", "when names no condition")
		}
	}
	if n := q.checks(); n != 1 {
		d.at(path, "requirement %s has %d checks; it needs exactly one of os, cpu, memory, disk, component, compat, gpu", q.ID, n)
	}
	lintCheck(r, q, tables, d, path)
	for i := range q.Fix {
		lintFix(r, &q.Fix[i], d, fmt.Sprintf("%s.fix[%d]", path, i))
	}
}

// checks counts the checks that are set.
func (q *Requirement) checks() int {
	n := 0
	for _, set := range []bool{q.OS != nil, q.CPU != nil, q.Memory != nil, q.Disk != nil, q.Component != nil, q.Compat != nil, q.GPU != nil} {
		if set {
			n++
		}
	}
	return n
}

func lintCheck(r *Recipe, q *Requirement, tables *Tables, d *document, path string) {
	if c := q.OS; c != nil {
		if len(c.Family) == 0 {
			d.at(path+".os", "os needs a family")
		}
		d.words(path+".os.family", "family", c.Family, Families())
		for _, id := range slices.Sorted(maps.Keys(c.Versions)) {
			d.word(path+".os.versions."+id, "distribution", id, Distributions())
			d.constraint(path+".os.versions."+id, c.Versions[id])
		}
		for _, kind := range slices.Sorted(maps.Keys(c.Libc)) {
			d.word(path+".os.libc."+kind, "C library", kind, Libcs())
			d.constraint(path+".os.libc."+kind, c.Libc[kind])
		}
	}
	if c := q.CPU; c != nil {
		if len(c.Arch) == 0 {
			d.at(path+".cpu", "cpu needs an arch")
		}
		d.words(path+".cpu.arch", "architecture", c.Arch, Arches())
		for _, arch := range slices.Sorted(maps.Keys(c.Features)) {
			at := path + ".cpu.features." + arch
			if !slices.Contains(c.Arch, arch) {
				d.at(at, "features for %s, which arch does not list", arch)
			}
			for i, f := range c.Features[arch] {
				d.word(fmt.Sprintf("%s[%d]", at, i), "CPU feature", f, Features())
			}
		}
	}
	if c := q.Memory; c != nil && c.Min == 0 {
		d.at(path+".memory", "memory needs a min above 0")
	}
	if c := q.Disk; c != nil {
		d.word(path+".disk.for", "purpose", c.For, Purposes())
		if c.Free == 0 {
			d.at(path+".disk", "disk needs a free above 0")
		}
	}
	if c := q.Component; c != nil {
		lintComponent(c, d, path+".component")
	}
	if c := q.Compat; c != nil {
		lintCompat(r, c, tables, d, path+".compat")
	}
	if c := q.GPU; c != nil {
		if len(c.Vendor) == 0 {
			d.at(path+".gpu", "gpu needs a vendor")
		}
		d.words(path+".gpu.vendor", "vendor", c.Vendor, Vendors())
		d.constraint(path+".gpu.compute", c.Compute)
	}
}

func lintComponent(c *ComponentCheck, d *document, path string) {
	if (c.Name == "") == (len(c.AnyOf) == 0) {
		d.at(path, "component needs either a name or any_of")
	}
	if c.Name != "" {
		d.word(path+".name", "component", c.Name, Components())
	}
	d.words(path+".any_of", "component", c.AnyOf, Components())
	d.constraint(path+".version", c.Version)
	for i, part := range c.Has {
		if !partForm.MatchString(part) {
			d.at(fmt.Sprintf("%s.has[%d]", path, i), "part %q must be lower case, such as dnn", part)
		}
	}
	components := c.AnyOf
	if c.Name != "" {
		components = []string{c.Name}
	}
	lintParts(components, c.Has, c.Attr, d, path)
	for _, key := range slices.Sorted(maps.Keys(c.Attr)) {
		if _, err := ParseAttr(c.Attr[key]); err != nil {
			d.at(path+".attr."+key, "%v", err)
		}
	}
}

func lintCompat(r *Recipe, c *CompatCheck, tables *Tables, d *document, path string) {
	if len(c.Given) == 0 {
		d.at(path, "compat needs the components that are given")
	}
	d.words(path+".given", "component", c.Given, append(Components(), Topics()...))
	for _, column := range slices.Sorted(maps.Keys(c.Parameters)) {
		r.parameter(c.Parameters[column], d, path+".parameters."+column)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Holds)) {
		d.word(path+".holds."+name, "component", name, Components())
		d.word(path+".holds."+name, "relation", c.Holds[name], Relations())
	}
	if tables == nil {
		return
	}
	table, err := tables.Table(c.Table)
	if err != nil {
		d.at(path+".table", "%v", err)
		return
	}
	d.word(path+".choose", lang.F("column to choose in table %s", c.Table), c.Choose, table.Then)
	for _, column := range table.When {
		if _, ok := c.Parameters[column]; !ok && !slices.Contains(c.Given, column) {
			d.at(path+".given", "table %s asks for %s, which neither given nor parameters lists", c.Table, column)
		}
	}
	d.words(path+".given", lang.F("column of table %s", c.Table), c.Given, table.When)
}

func lintFix(r *Recipe, f *Fix, d *document, path string) {
	d.words(path+".distro", "distribution", f.Distro, append(Families(), Distributions()...))
	ways := 0
	for _, m := range managers {
		if len(f.Packages[m.Name]) > 0 {
			ways++
		}
		for i, p := range f.Packages[m.Name] {
			if !m.Names(p) {
				d.at(fmt.Sprintf("%s.%s[%d]", path, m.Name, i), "%q is not a package name", p)
			}
		}
	}
	if ways > 1 {
		d.at(path, "a fix needs the packages of exactly one package manager, found %d", ways)
	}
	if a := f.Archive; a != nil {
		ways++
		r.artifact(a.Artifact, d, path+".archive.artifact")
		d.words(path+".archive.os", "family", a.OS, Families())
		d.words(path+".archive.arch", "architecture", a.Arch, Arches())
		lintUnpacked(a.Strip, a.Into, a.Env, d, path+".archive", "into")
		for i, name := range a.Files {
			if !inside(name) {
				d.at(fmt.Sprintf("%s.archive.files[%d]", path, i), "%q must be the name of a file in the archive, such as lib/x.dll", name)
			}
		}
	}
	if f.Build != "" {
		if ways == 0 || f.Archive != nil {
			ways++ // alone; packages beside it are what it needs
		}
		var known []string
		for _, b := range r.Builds {
			known = append(known, b.Name)
		}
		if r.Extends == "" && !d.damaged("$.builds") {
			d.word(path+".build", "build", f.Build, known)
		}
	}
	if len(f.Wheel) > 0 {
		ways++
		for i := range f.Wheel {
			lintWheel(&f.Wheel[i], d, fmt.Sprintf("%s.wheel[%d]", path, i))
		}
		if ways > 1 {
			d.at(path, "a fix with wheels stands alone")
		}
	}
	if ways == 0 {
		d.at(path, "a fix needs the packages of exactly one package manager, found 0, or an archive, a build or wheels")
	}
}

func lintBuild(r *Recipe, b *Build, d *document, path string) {
	r.artifact(b.Artifact, d, path+".artifact")
	lintUnpacked(b.Strip, b.Name, b.Env, d, path, "name")
	for _, key := range slices.Sorted(maps.Keys(b.Options)) {
		at := path + ".options." + key
		if !optionForm.MatchString(key) {
			d.at(at, "%q is not the name of a CMake option", key)
		}
		if strings.HasPrefix(key, "CMAKE_INSTALL_PREFIX") || key == "CMAKE_STAGING_PREFIX" {
			d.at(at, "where a build is installed is deployctl's to say")
		}
		if strings.IndexFunc(b.Options[key], func(c rune) bool { return c < ' ' || c == 0x7f }) >= 0 {
			d.at(at, "the value of %s holds a control character", key)
		}
	}
	if b.Tuned != "" {
		d.word(path+".tuned", "project", b.Tuned, Tunable())
	}
	if b.Minutes < 0 {
		d.at(path+".minutes", "minutes must not be below 0")
	}
}

// artifact records a mistake when the recipe has no artifact of the name. A
// recipe that extends another may mean one of that; Find lints the merged one.
func (r *Recipe) artifact(name string, d *document, path string) {
	if d.damaged("$.artifacts") {
		return
	}
	var known []string
	for _, a := range r.Artifacts {
		known = append(known, a.Name)
	}
	if r.Extends == "" {
		d.word(path, "artifact", name, known)
	}
}

// lintUnpacked checks what unpacking and building share: where to, and what
// later shells see of it.
func lintUnpacked(strip int, into string, env map[string]string, d *document, path, key string) {
	if strip < 0 || strip > 10 {
		d.at(path+".strip", "strip must be 0 to 10, found %d", strip)
	}
	if !folderForm.MatchString(into) || strings.Contains(into, "..") {
		d.at(path+"."+key, "%s %q must be the name of one folder, such as opencv-4.10.0", key, into)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		// A variable that makes every later program load or run something is
		// nothing that a recipe may set.
		d.word(path+".env."+name, "variable that holds a list of folders", name, ListVariables())
		if v := env[name]; v != "." && (!insideForm.MatchString(v) || strings.Contains(v, "..")) {
			d.at(path+".env."+name, "%q must be a folder below it, such as lib/pkgconfig", v)
		}
	}
}
