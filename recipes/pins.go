package recipes

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// pin is a package and the versions of it that deployctl names.
type pin struct {
	Manager string `yaml:"manager"`
	Package string `yaml:"package"`
	// Versions are in the order of preference.
	Versions []string `yaml:"versions"`
	Source   string   `yaml:"source"`
}

var pins = sync.OnceValues(func() ([]pin, error) {
	const name = "library/providers/pins.yaml"
	list, err := embeddedList[pin](name)
	if err != nil {
		return nil, err
	}
	var mistakes []error
	seen := map[string]bool{}
	for _, p := range list {
		m, ok := FindManager(p.Manager)
		key := p.Manager + " " + p.Package
		switch {
		case !ok || !m.Names(p.Package):
			mistakes = append(mistakes, fmt.Errorf("%s: %s is not a package", name, key))
		case len(p.Versions) == 0 || p.Source == "":
			mistakes = append(mistakes, fmt.Errorf("%s: %s: versions and source are required", name, key))
		case seen[key]:
			mistakes = append(mistakes, fmt.Errorf("%s: %s is there twice", name, key))
		}
		seen[key] = true
		for _, v := range p.Versions {
			if _, err := Version(v); err != nil || strings.HasPrefix(v, "-") {
				mistakes = append(mistakes, fmt.Errorf("%s: %s: %q is not a version", name, key, v))
			}
		}
	}
	return list, errors.Join(mistakes...)
})

// Pinned is the version of a package that deployctl names when a manager installs
// it: the first known one that meets a constraint ("" for any). It is "" where
// none is known; the manager then takes its own newest. It panics if the embedded
// list does not load, which a test excludes.
func Pinned(manager, name, constraint string) string {
	list, err := pins()
	if err != nil {
		panic(err)
	}
	want, err := ParseConstraint(constraint)
	if err != nil {
		return ""
	}
	for _, p := range list {
		if p.Manager != manager || p.Package != name {
			continue
		}
		for _, v := range p.Versions {
			if ok, err := want.Check(v); err == nil && ok {
				return v
			}
		}
	}
	return ""
}

// Pin names the version of each package that has one; the constraint is what a
// requirement asks of the component that they bring.
func (p Packages) Pin(constraint string) Packages {
	versions := maps.Clone(p.Versions)
	for _, name := range p.Packages {
		if v := Pinned(p.Manager, name, constraint); v != "" && versions[name] == "" {
			if versions == nil {
				versions = map[string]string{}
			}
			versions[name] = v
		}
	}
	p.Versions = versions
	return p
}

// Command is what a person types. pip takes versions with the names. Of the others
// winget's and Chocolatey's command names one version: each package that has one is a
// command of its own; so is each of winget's, whose --id takes one.
func (p Packages) Command() string {
	m, _ := FindManager(p.Manager)
	each, plain := "winget install --exact --id ", []string{}
	if p.Manager != "winget" {
		each = m.Command + " "
	}
	var commands []string
	for _, name := range p.Packages {
		switch v := p.Versions[name]; {
		case v != "" && p.Manager == "pip":
			plain = append(plain, name+"=="+v)
		case v != "":
			commands = append(commands, each+name+" --version "+v)
		case p.Manager == "winget":
			commands = append(commands, each+name)
		default:
			plain = append(plain, name)
		}
	}
	if len(plain) > 0 {
		commands = slices.Insert(commands, 0, each+strings.Join(plain, " "))
	}
	return strings.Join(commands, "; ")
}
