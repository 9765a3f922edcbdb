package verify

import (
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
)

// reject makes the engine a failure for a reason that explains the others.
func (e *Engine) reject(why, fix string) {
	e.State, e.Why, e.Fix = Fail, why, fix
	e.Reasons = append([]string{why}, e.Reasons...)
}

// doubt makes the engine unknown, unless it failed.
func (e *Engine) doubt(why, fix string) {
	e.Reasons = append(e.Reasons, why)
	if e.State == OK {
		e.State, e.Why, e.Fix = Unknown, why, fix
	}
}

// loaded judges the files that the engine loaded: a proof with another copy
// of the library than the one that was found is not of this set-up.
func (e *Engine) loaded(c *engine.Copy) {
	if c == nil {
		return
	}
	if len(e.Libraries) == 0 {
		e.doubt(lang.F("it is not known which files of %s were loaded: the operating system did not list them", c.Name), "")
		return
	}
	e.Own = c.Members(e.Libraries)
	if m := c.Foreign(e.Libraries); m != nil {
		e.reject(m.Why, m.Fix)
		return
	}
	if c.Unused(e.Libraries) {
		e.reject(lang.F("%s was not loaded: something that is not %s computed", c.File, c.Name), lang.F("Remove the file that has the name of %s and is something else.", c.Name))
	}
}
