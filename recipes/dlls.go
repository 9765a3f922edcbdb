package recipes

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// DLL is what provides libraries, by the names that programs miss.
type DLL struct {
	Names    []string `yaml:"dll"` // lower case, with stars
	Provider string   `yaml:"provider"`
	// Component is the one that brings them, "" for what is none.
	Component string `yaml:"component"`
	// Recipe installs it, "" for none.
	Recipe string `yaml:"recipe"`
	// Get is a sentence; {library} stands for the name.
	Get string `yaml:"get"`
	// Numbered is the sentence where the names tell the {release} that they are of,
	// and Old the one where that release has no code for the GPU here.
	Numbered string `yaml:"numbered"`
	Old      string `yaml:"old"`
	// Server is the sentence for Windows Server, where that is another one.
	Server string `yaml:"server"`
	Source string `yaml:"source"`
}

// providers are the lists of what provides libraries, those of Windows first.
var providers = sync.OnceValues(func() (all []DLL, err error) {
	var mistakes []error
	for _, file := range []string{"library/providers/dlls.yaml", "library/providers/libraries.yaml"} {
		list, err := embeddedList[DLL](file)
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			if len(d.Names) == 0 || d.Provider == "" || d.Get == "" || d.Source == "" {
				mistakes = append(mistakes, fmt.Errorf("%s: %v: dll, provider, get and source are required", file, d.Names))
			}
			for _, n := range d.Names {
				if _, err := path.Match(n, ""); err != nil || n != strings.ToLower(n) {
					mistakes = append(mistakes, fmt.Errorf("%s: %q is not a pattern in lower case", file, n))
				}
			}
		}
		all = append(all, list...)
	}
	return all, errors.Join(mistakes...)
})

// embeddedList reads a YAML list that is part of the program.
func embeddedList[T any](name string) (list []T, err error) {
	data, err := library.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read an embedded list: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(data, &list, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// ProviderOf says what provides a library, with its sentences in the language of the
// texts; false when that is not known.
func ProviderOf(name string) (DLL, bool, error) {
	list, err := providers()
	if err != nil {
		return DLL{}, false, err
	}
	for _, d := range list {
		for _, n := range d.Names {
			if ok, err := path.Match(n, strings.ToLower(name)); err == nil && ok {
				for _, text := range []*string{&d.Get, &d.Numbered, &d.Old, &d.Server} {
					*text = lang.T(*text)
				}
				return d, true, nil
			}
		}
	}
	return DLL{}, false, nil
}
