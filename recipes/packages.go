package recipes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// release is what a release of a distribution packages.
type release struct {
	Distribution string `yaml:"distribution"`
	// Release is VERSION_ID of os-release(5), or what stands before its point, "" for
	// every release.
	Release string `yaml:"release"`
	// Versions are by component.
	Versions map[string]string `yaml:"versions"`
	// Lacks are components that it does not package at all.
	Lacks []string `yaml:"lacks"`
	// OlderGCC are the major versions of GCC below the default that it packages, too
	// (gcc-11 and g++-11), newest first.
	OlderGCC []int  `yaml:"older_gcc"`
	Source   string `yaml:"source"`
}

var releases = sync.OnceValues(func() ([]release, error) {
	const name = "library/providers/packages.yaml"
	list, err := embeddedList[release](name)
	if err != nil {
		return nil, err
	}
	var mistakes []error
	for _, r := range list {
		if r.Distribution == "" || len(r.Versions) == 0 || r.Source == "" {
			mistakes = append(mistakes, fmt.Errorf("%s: %s %s: distribution, versions and source are required", name, r.Distribution, r.Release))
		}
		for _, c := range r.Lacks {
			if _, ok := FindComponent(c); !ok || r.Versions[c] != "" {
				mistakes = append(mistakes, fmt.Errorf("%s: %s %s: lacks %s, which is not a component, or has a version", name, r.Distribution, r.Release, c))
			}
		}
		for c := range r.Versions {
			if _, ok := FindComponent(c); !ok {
				mistakes = append(mistakes, fmt.Errorf("%s: %s %s: no component is called %s", name, r.Distribution, r.Release, c))
			}
		}
	}
	return list, errors.Join(mistakes...)
})

// Packaged gives the versions of components in the own package sources of a
// distribution's release (ID and VERSION_ID of os-release); nil where they are
// not known. It panics if the embedded list does not load, which a test excludes.
func Packaged(distribution, version string) map[string]string {
	return findRelease(distribution, version).Versions
}

// NotPackaged reports whether a distribution's release is known to have no package
// of a component. It panics as Packaged does.
func NotPackaged(distribution, version, component string) bool {
	return slices.Contains(findRelease(distribution, version).Lacks, component)
}

func findRelease(distribution, version string) release {
	list, err := releases()
	if err != nil {
		panic(err)
	}
	for _, r := range list {
		if r.Distribution == distribution && (r.Release == "" || r.Release == version || strings.HasPrefix(version, r.Release+".")) {
			return r
		}
	}
	return release{}
}

// OlderGCC gives the major versions of GCC that a release of Debian or Ubuntu packages
// beside its default one, newest first; nil where they are not known.
func OlderGCC(distribution, version string) []int { return findRelease(distribution, version).OlderGCC }
