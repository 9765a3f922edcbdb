//go:build !windows

package envedit

import "errors"

// liveRegistry is none: this is not Windows.
type liveRegistry struct{}

var errNoRegistry = errors.New("this system has no registry")

func (liveRegistry) Get(string, string) (Value, error) { return Value{}, errNoRegistry }
func (liveRegistry) Set(string, string, Value) error   { return errNoRegistry }
func (liveRegistry) Delete(string, string) error       { return errNoRegistry }
func (liveRegistry) Announce()                         {}
