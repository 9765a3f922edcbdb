package recipes

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// DLL is what provides DLLs of Windows by the names that programs miss.
type DLL struct {
	Names    []string `yaml:"dll"` // lower case, with stars
	Provider string   `yaml:"provider"`
	// Component is the one that brings them, "" for what is none.
	Component string `yaml:"component"`
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

var dlls = sync.OnceValues(func() ([]DLL, error) {
	list, err := embeddedList[DLL]("library/providers/dlls.yaml")
	if err != nil {
		return nil, err
	}
	var mistakes []error
	for _, d := range list {
		if len(d.Names) == 0 || d.Provider == "" || d.Get == "" || d.Source == "" {
			mistakes = append(mistakes, fmt.Errorf("library/providers/dlls.yaml: %v: dll, provider, get and source are required", d.Names))
		}
		for _, n := range d.Names {
			if _, err := path.Match(n, ""); err != nil || n != strings.ToLower(n) {
				mistakes = append(mistakes, fmt.Errorf("library/providers/dlls.yaml: %q is not a pattern in lower case", n))
			}
		}
	}
	return list, errors.Join(mistakes...)
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

// ProviderOf says what provides a DLL; false when that is not known.
func ProviderOf(name string) (DLL, bool, error) {
	list, err := dlls()
	if err != nil {
		return DLL{}, false, err
	}
	for _, d := range list {
		for _, n := range d.Names {
			if ok, err := path.Match(n, strings.ToLower(name)); err == nil && ok {
				return d, true, nil
			}
		}
	}
	return DLL{}, false, nil
}
