package pipeline

import (
	"errors"
	"os"
	"strings"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/report"
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

// Listing is what the commands that list something depend on.
type Listing struct {
	Console *console.Console
	Folders Folders
	Format  string // text or json
	Version string // deployctl's own
}

// heading begins a JSON document that has no schema of its own.
type heading struct {
	Schema int `json:"schema"`
	report.Made
}

func (l Listing) heading() heading { return heading{1, Made(l.Console, l.Version)} }

// listed is a row of a list: its short cells, then a text, whose later lines stand under
// its first one. Where the cells leave less than half of the terminal, it has lines of
// its own.
func listed(c *console.Console, cells, text string) string {
	if used := report.Columns(cells); c.Width == 0 || used <= c.Width/2 || used+report.Columns(text) <= c.Width {
		return cells + report.Wrap(text, used, c.Width)
	}
	return strings.TrimRight(cells, " ") + "\n    " + report.Wrap(text, 4, c.Width)
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
