package pipeline

import (
	"os"

	"github.com/deployctl/deployctl/verify/engines"
)

// Worker makes this process the worker of an engine with the library of that path:
// what goes wrong in the library then ends a child only. The engine has to be one
// whose worker is a part of this program.
func Worker(engine, library string) error {
	spec, ok := engines.Named(engine)
	if !ok || spec.Child == nil {
		return usagef("the worker of %s is not a part of deployctl on this system", engine)
	}
	os.Args = []string{os.Args[0], library} // what workers read
	spec.Child()
	return nil
}
