package pipeline

import (
	"errors"
	"os"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/verify/output"
)

// outputFile is where --output leads. It refuses, before anything runs, to
// replace an input or a file of another kind; "-" is standard output.
func outputFile(kind string, is func(string) bool, name string, inputs ...output.Input) (string, error) {
	if name == "-" {
		return name, nil
	}
	f := output.File{Flag: "--output", Kind: kind, Is: is, Inputs: inputs}
	place, err := f.Place(name)
	if err == nil {
		err = f.Check(place)
	}
	var refused *output.Error
	if errors.As(err, &refused) {
		return "", &UsageError{err}
	}
	return place, err
}

func isSnapshot(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // read-only
	_, err = host.ReadSnapshot(f)
	return err == nil
}

func isLock(file string) bool {
	_, err := lockfile.Load(file)
	return err == nil
}
