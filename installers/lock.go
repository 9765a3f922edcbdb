package installers

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Holder is who holds the lock.
type Holder struct {
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	Command []string  `json:"command"`
}

// HeldError says that another deployctl is changing this machine.
type HeldError struct {
	// Holder is nil when it has not said who it is.
	Holder *Holder
	Path   string
}

// Error names the process, since when, and its command.
func (e *HeldError) Error() string {
	if e.Holder == nil {
		return lang.F("another deployctl is changing this machine (it holds %s); wait for it to end, then run this again", e.Path)
	}
	return lang.F("another deployctl is changing this machine: process %d since %s (%s); wait for it to end, then run this again",
		e.Holder.PID, e.Holder.Since.Local().Format(lang.T("15:04:05 on 2 Jan")), step.Quote(e.Holder.Command))
}

// lock takes the one cross-process lock of a state folder. The system gives it
// back when the process dies, however it dies. Who holds it is written beside
// it, because Windows does not let anybody read a locked file.
func lock(dir string, me Holder) (release func() error, err error) {
	path := filepath.Join(dir, "lock")
	l := flock.New(path, flock.SetPermissions(0o600))
	// A killed deployctl's lock can outlive it for a moment: a child that it was
	// about to start has all its files until it becomes the other program.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ok, err := l.TryLockContext(ctx, 20*time.Millisecond)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, lang.Errorf("lock %s: %w", path, err)
	}
	about := filepath.Join(dir, "lock.json")
	if !ok {
		held := &HeldError{Path: path}
		if data, err := os.ReadFile(about); err == nil {
			var h Holder
			if json.Unmarshal(data, &h) == nil && h.PID > 0 {
				held.Holder = &h
			}
		}
		return nil, held
	}
	data, err := json.Marshal(me)
	if err == nil {
		// A fixed name, since only the holder writes: a kill leaves nothing that
		// the next holder does not write over.
		if err = os.WriteFile(durable.Partial(about), data, 0o600); err == nil {
			err = os.Rename(durable.Partial(about), about)
		}
	}
	if err != nil {
		err = unwritten(about, lang.Errorf("say who holds %s: %w", path, err))
		if rerr := os.Remove(durable.Partial(about)); rerr != nil && !os.IsNotExist(rerr) {
			err = errors.Join(err, rerr)
		}
		return nil, errors.Join(err, l.Unlock())
	}
	return func() error {
		// The file stays: removing a lock file lets two processes hold two
		// files of the same name.
		if err := os.Remove(about); err != nil && !os.IsNotExist(err) {
			return lang.Errorf("unlock %s: %w", path, err)
		}
		if err := l.Unlock(); err != nil {
			return lang.Errorf("unlock %s: %w", path, err)
		}
		return nil
	}, nil
}
