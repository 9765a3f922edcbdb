// Package lockfile owns the lockfile: every file that setting a system up for a
// recipe takes, each with its size, SHA-256 and addresses, so that another
// machine can be set up from exactly these and nothing else. It is plain data
// and its rules: it must never look at a machine, fetch or install anything.
package lockfile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const (
	// Schema is the version of the format.
	Schema = 1
	// Name is what the file is called where nobody says otherwise.
	Name = "deployctl.lock.json"
	// MaxBytes bounds the file. OpenCV and its 400 packages take 0.5 MB.
	MaxBytes = 64 << 20
)

// Lock is the content of a lockfile.
type Lock struct {
	Schema int    `json:"schema"`
	Recipe Recipe `json:"recipe"`
	System System `json:"system"`
	// Packages are what apt installs, by name.
	Packages []Package `json:"packages,omitempty"`
	// Modules are the Go modules that are compiled on the machine.
	Modules []Module `json:"modules,omitempty"`
	// Files are fetched beside them: archives, sources, models.
	Files []step.Fetch `json:"files,omitempty"`
	// Models are the names of the published models to put in their place.
	Models []string `json:"models,omitempty"`
	// Program is deployctl itself, in a bundle that carries it.
	Program *step.Fetch `json:"program,omitempty"`
}

// Recipe is what was locked for: its name, and the hash of all it says.
type Recipe struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// System is what was locked on. Packages are made for one release of one
// distribution on one architecture.
type System struct {
	OS      string `json:"os"`      // debian
	Version string `json:"version"` // 12; a code name where a release has no number
	Arch    string `json:"arch"`    // amd64
}

// String is the system in words.
func (s System) String() string {
	return strings.Join(slices.DeleteFunc([]string{s.OS, s.Version, s.Arch}, func(p string) bool { return p == "" }), " ")
}

// Package is one package file of apt's.
type Package struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"`
	// Stanza is what the archive's signed index says of it, without its
	// description: dependencies and all else that apt decides by.
	Stanza string     `json:"stanza"`
	File   step.Fetch `json:"file"`
}

// Module is one file of a Go module.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	// Ext is mod or zip.
	Ext  string     `json:"ext"`
	File step.Fetch `json:"file"`
}

// Error says why a lockfile cannot be used.
type Error struct {
	Why, Next string
	Err       error
}

// Error is one sentence.
func (e *Error) Error() string {
	text := e.Why
	if e.Err != nil {
		text = lang.F("%s: %s", text, e.Err.Error())
	}
	return lang.F("%s; %s", text, e.Next)
}

// Unwrap gives the cause, if any.
func (e *Error) Unwrap() error { return e.Err }

// refuse is the error of a lockfile whose content is wrong in the way that why says.
func refuse(why string) *Error {
	return &Error{Why: lang.F("the lockfile was not taken: %s", why), Next: lang.T("make it again with deployctl lock")}
}

// SystemOf is the system of a machine.
func SystemOf(f *facts.Facts) System {
	s := System{OS: f.OS.ID, Version: f.OS.Version, Arch: f.OS.Arch}
	if f.OS.Family == "windows" { // no package of Windows' own is locked: files fit every release
		return System{OS: "windows", Arch: cmp.Or(s.Arch, f.CPU.Arch)}
	}
	if s.Version == "" {
		s.Version = f.OS.Codename
	}
	if s.Arch == "" {
		s.Arch = f.CPU.Arch
	}
	return s
}

// RecipeOf identifies a recipe by all that it says, with what it extends, its
// settings and its chosen lines; where it was read from does not count.
func RecipeOf(r *recipes.Recipe) (Recipe, error) {
	same := *r
	same.Source, same.Overrides = "", ""
	text, err := json.Marshal(same)
	if err != nil {
		return Recipe{}, lang.Errorf("hash the recipe %s: %w", r.Name, err)
	}
	sum := sha256.Sum256(text)
	return Recipe{Name: r.Name, SHA256: hex.EncodeToString(sum[:])}, nil
}

// Fits refuses a lock that was made for another system or recipe.
func (l *Lock) Fits(r *recipes.Recipe, f *facts.Facts) error {
	want, err := RecipeOf(r)
	if err != nil {
		return err
	}
	here := SystemOf(f)
	switch {
	case l.System != here:
		return &Error{Why: lang.F("the lockfile is for %s and this is %s", l.System, here), Next: lang.T("make one on a system like this one with deployctl lock")}
	case l.Recipe.Name != want.Name:
		return &Error{Why: lang.F("the lockfile is for the recipe %s and not for %s", l.Recipe.Name, want.Name), Next: lang.T("name that recipe with --recipe, or make a lockfile for this one with deployctl lock")}
	case l.Recipe != want:
		return &Error{Why: lang.F("the recipe %s has changed since it was locked (another deployctl, another file, or other --set, --only, --skip, --downgrade)", want.Name),
			Next: lang.T("use the same recipe and flags, or make the lockfile again with deployctl lock")}
	}
	return nil
}

// All are the files of the lock, each once, by hash.
func (l *Lock) All() []step.Fetch {
	var all []step.Fetch
	for _, p := range l.Packages {
		all = append(all, p.File)
	}
	for _, m := range l.Modules {
		all = append(all, m.File)
	}
	all = append(all, l.Files...)
	if l.Program != nil {
		all = append(all, *l.Program)
	}
	slices.SortStableFunc(all, func(a, b step.Fetch) int { return strings.Compare(a.SHA256, b.SHA256) })
	return slices.CompactFunc(all, func(a, b step.Fetch) bool { return a.SHA256 == b.SHA256 })
}

// Find gives the file of a hash.
func (l *Lock) Find(sha256 string) (step.Fetch, bool) {
	for _, f := range l.All() {
		if f.SHA256 == sha256 {
			return f, true
		}
	}
	return step.Fetch{}, false
}

// Bytes is the size of all files together.
func (l *Lock) Bytes() (n int64) {
	for _, f := range l.All() {
		n += f.Size
	}
	return n
}

// Read takes a lockfile in and checks it.
func Read(r io.Reader) (*Lock, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, lang.Errorf("read the lockfile: %w", err)
	}
	if len(data) > MaxBytes {
		return nil, refuse(lang.F("it is larger than %s", step.Bytes(MaxBytes)))
	}
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		e := refuse(lang.T("it is not a JSON document"))
		e.Err = err
		return nil, e
	}
	if head.Schema != Schema {
		return nil, &Error{Why: lang.F("the lockfile has the schema %d and this deployctl reads %d", head.Schema, Schema), Next: lang.T("use the deployctl that wrote it, or make it again with deployctl lock")}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // what is not understood cannot be obeyed
	l := &Lock{}
	if err := d.Decode(l); err != nil {
		e := refuse(lang.T("its content is not what it should be"))
		e.Err = err
		return nil, e
	}
	return l, l.Check()
}

// Load reads a lockfile.
func Load(name string) (*Lock, error) {
	f, err := host.Open(name) // a pipe without a writer would block
	if err != nil {
		return nil, &Error{Why: lang.T("the lockfile cannot be read"), Err: err, Next: lang.T("name the file that deployctl lock wrote")}
	}
	defer f.Close() //nolint:errcheck // read-only
	return Read(f)
}

// Encode gives the lockfile's bytes; the same lock always gives the same.
func (l *Lock) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // constraints are full of < and >
	e.SetIndent("", " ")
	if err := e.Encode(l); err != nil {
		return nil, lang.Errorf("write the lockfile: %w", err)
	}
	return b.Bytes(), nil
}

// Save writes the lockfile whole or not at all.
func (l *Lock) Save(name string) error {
	data, err := l.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return store.Explain(name, err)
	}
	return store.Explain(name, durable.WriteFile(name, data, 0o644))
}

var (
	// The names become parts of file names and of apt's command line.
	packageName  = lazyregexp.New(`^[a-z0-9][a-z0-9+.-]{0,198}[a-z0-9+.]$`)
	architecture = lazyregexp.New(`^[a-z0-9][a-z0-9-]{0,30}$`)
	// Policy 5.6.12, with the epoch.
	packageVersion = lazyregexp.New(`^[A-Za-z0-9.+:~-]{1,200}$`)
	// A wheel and its project; both go into addresses.
	projectName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	wheelName   = lazyregexp.New(`^[A-Za-z0-9_.!+]+(-[A-Za-z0-9_.!+]+){4,5}\.whl$`)
	plainName   = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$`)
)

// Check reports the first thing in the lock that may not be.
func (l *Lock) Check() error {
	if !plainName.MatchString(l.Recipe.Name) || !store.Sum(l.Recipe.SHA256).Valid() {
		return refuse(lang.T("it does not say for which recipe it is"))
	}
	if l.System.OS == "" || l.System.Arch == "" {
		return refuse(lang.T("it does not say for which system it is"))
	}
	sizes := map[string]int64{}
	file := func(f step.Fetch, needsMirror bool) error {
		a := download.Artifact{Name: f.Name, Size: f.Size, SHA256: store.Sum(f.SHA256), Mirrors: f.Mirrors}
		if f.Project != "" && (!projectName.MatchString(f.Project) || !wheelName.MatchString(f.Name)) {
			return refuse(lang.F("%q is not a wheel of a Python project", step.Clean(f.Project+"/"+f.Name, 120)))
		}
		if (!needsMirror || f.Project != "") && len(f.Mirrors) == 0 {
			a.Mirrors = []string{"https://none.invalid"}
		}
		if err := a.Check(f.Trusted); err != nil {
			return refuse(err.Error())
		}
		if f.Path != "" {
			return refuse(lang.F("%s has a path of its own", f.Name))
		}
		if n, seen := sizes[f.SHA256]; seen && n != f.Size {
			return refuse(lang.F("%s has two sizes", f.Name))
		}
		sizes[f.SHA256] = f.Size
		return nil
	}
	seen := map[string]bool{}
	once := func(key string) error {
		if seen[key] {
			return refuse(lang.F("%s is there twice", step.Clean(key, 120)))
		}
		seen[key] = true
		return nil
	}
	for _, p := range l.Packages {
		if err := cmp.Or(p.check(), once(lang.F("package %s", p.Name+":"+p.Architecture)), file(p.File, true)); err != nil {
			return err
		}
	}
	for _, m := range l.Modules {
		if module.Check(m.Path, m.Version) != nil || m.Ext != "mod" && m.Ext != "zip" {
			return refuse(lang.F("%q is not a file of a Go module", step.Clean(m.Path+"@"+m.Version+"."+m.Ext, 120)))
		}
		if err := cmp.Or(once(lang.F("module %s", m.Path+"@"+m.Version+"."+m.Ext)), file(m.File, true)); err != nil {
			return err
		}
	}
	for _, f := range l.Files {
		if err := cmp.Or(once(lang.F("file %s", f.SHA256)), file(f, true)); err != nil {
			return err
		}
	}
	for _, m := range l.Models {
		if !plainName.MatchString(m) {
			return refuse(lang.F("%q is not the name of a model", step.Clean(m, 60)))
		}
	}
	if l.Program != nil {
		return file(*l.Program, false)
	}
	return nil
}

// check compares the fields with the stanza, which is what apt believes.
func (p Package) check() error {
	if !packageName.MatchString(p.Name) || !architecture.MatchString(p.Architecture) || !packageVersion.MatchString(p.Version) {
		return refuse(lang.F("%q is not an apt package", step.Clean(p.Name+" "+p.Version+" "+p.Architecture, 120)))
	}
	fields, err := p.Fields()
	if err != nil {
		return refuse(lang.F("the stanza of %s: %v", p.Name, err))
	}
	for _, want := range [][2]string{{"Package", p.Name}, {"Version", p.Version}, {"Architecture", p.Architecture}, {"Size", fmt.Sprint(p.File.Size)}, {"SHA256", p.File.SHA256}} {
		n := 0
		for _, f := range fields {
			if strings.EqualFold(f[0], want[0]) {
				n++
				if f[1] != want[1] {
					return refuse(lang.F("the stanza of %s says %s %q", p.Name, want[0], step.Clean(f[1], 80)))
				}
			}
		}
		if n != 1 {
			return refuse(lang.F("the stanza of %s says %s %d times", p.Name, want[0], n))
		}
	}
	return nil
}

// Fields are the stanza's fields in order. It has one line each: those that go
// over several are left out when a machine is locked.
func (p Package) Fields() ([][2]string, error) {
	var list [][2]string
	for line := range strings.Lines(p.Stanza) {
		line = strings.TrimSuffix(line, "\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t#") || strings.ContainsAny(line, "\r\x00") {
			return nil, lang.Errorf("%q is not a field", step.Clean(line, 60))
		}
		list = append(list, [2]string{name, strings.TrimSpace(value)})
	}
	return list, nil
}
