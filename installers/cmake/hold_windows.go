package cmake

import (
	"context"
	"os"
	"path/filepath"

	"github.com/deployctl/deployctl/installers/store"
)

// take has nothing to wait for here: a build dies with the deployctl that runs
// it (its job object).
func take(_ context.Context, dir string, _ func()) (*os.File, error) {
	path := filepath.Join(dir, ".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	return f, store.Explain(path, err)
}
