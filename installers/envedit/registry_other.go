//go:build !windows

package envedit

import (
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// liveRegistry is none: this is not Windows.
type liveRegistry struct{}

var errNoRegistry = lang.New("this system has no registry")

func (liveRegistry) Get(string, string) (Value, error) { return Value{}, errNoRegistry }
func (liveRegistry) Set(string, string, Value) error   { return errNoRegistry }
func (liveRegistry) Delete(string, string) error       { return errNoRegistry }
func (liveRegistry) Announce()                         {}
