// Package pipeline walks the arrows from host to proof: it is where the stages
// (doctor, installers, verify) meet, since none of them knows the next. It
// must never parse flags, and it judges nothing itself.
package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
)

// Verdict ends a command whose report has been written: only the exit code is
// left to say.
type Verdict struct{ Exit int }

func (v *Verdict) Error() string { return lang.F("exit %d", v.Exit) }

// verdict is nil for a good end.
func verdict(exit int) error {
	if exit == 0 {
		return nil
	}
	return &Verdict{exit}
}

// UsageError is a mistake in what the user asked for: exit code 2.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// usagef makes a UsageError.
func usagef(format string, args ...any) error {
	if false {
		_ = fmt.Errorf(format, args...) // so that go vet checks the arguments
	}
	return &UsageError{lang.Errorf(format, args...)}
}

// unknown is the usage error for a value that is not among the known ones of what: a flag
// ("--engine") or a noun.
func unknown(what, value string, known []string) error {
	return &UsageError{near.Unknown(what, value, known)}
}

// exists refuses the name of a file that is not there; "-" is the standard input.
func exists(file string) error {
	if _, err := os.Stat(file); file != "-" && errors.Is(err, fs.ErrNotExist) {
		return usagef("there is no file %s", file)
	}
	return nil
}

// textOrJSON refuses a format of a command that has those two.
func textOrJSON(format string) error {
	if known := []string{"text", "json"}; !slices.Contains(known, format) {
		return unknown("--format", format, known)
	}
	return nil
}

// Folders are where deployctl keeps things, by the system's own conventions.
// The journal's folder is the installers' own affair.
type Folders struct {
	// Cache holds what can be made again: models, workers, reference outputs.
	Cache string
	// Recipes holds the user's own recipes.
	Recipes string
	// Missing says why there is no Cache; looking does without.
	Missing error
}

// UserFolders returns this user's folders (XDG_CACHE_HOME and XDG_CONFIG_HOME
// are obeyed on Linux). Nothing is created. The error is Missing.
func UserFolders() (Folders, error) {
	var f Folders
	if cache, err := os.UserCacheDir(); err == nil {
		f.Cache = filepath.Join(ownCache(cache), "deployctl")
	} else {
		variables := lang.T("HOME or XDG_CACHE_HOME")
		if runtime.GOOS == "windows" {
			variables = "LOCALAPPDATA"
		}
		f.Missing = lang.Errorf("find the cache folder: %w (set %s)", err, variables)
	}
	// Without a folder for them, the user has no recipes.
	if config, err := os.UserConfigDir(); err == nil {
		f.Recipes = filepath.Join(ownConfig(config), "deployctl", "recipes")
	}
	return f, f.Missing
}
