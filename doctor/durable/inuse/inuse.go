// Package inuse tells files that another program holds from files that may not be
// written, and names that program. Only Windows keeps files from being replaced or
// removed while they are open. It must never end a program.
package inuse

import (
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Held is the error that one of some files could not be removed with, because another
// program holds it; nil for none. Who removes many asks before the first of them is gone.
func Held(files []string) error {
	for _, file := range files {
		if err := held(file); err != nil {
			return err
		}
	}
	return nil
}

// Advice is the end of two sentences about files that are in use: by whom, and what to
// do. It is for errors for which Is reports true.
func Advice(files ...string) (by, next string) {
	names := holders(files)
	if len(names) == 0 {
		return lang.T("is in use by another program"), lang.T("close the program that has it open")
	}
	list := strings.Join(names, lang.T(", "))
	return lang.F("is in use by %s", list), lang.F("close %s", list)
}
