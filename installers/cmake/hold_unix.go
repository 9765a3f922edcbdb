//go:build unix

package cmake

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// take locks a build's folder. The lock belongs to the open file, which the
// build's processes inherit: as long as compilers of a killed run still write
// there, nobody else begins (flock(2)). gofrs/flock does not give its file away.
func take(ctx context.Context, dir string, waiting func()) (*os.File, error) {
	path := filepath.Join(dir, ".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, store.Explain(path, err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(lang.Errorf("lock %s: %w", path, err), f.Close())
		}
		waiting()
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(200 * time.Millisecond):
		}
	}
}
