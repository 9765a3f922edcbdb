// Package cmake owns builds from source with CMake: the steps of one, how many
// compilers may run at once, and what a failed build's output means. A build is
// resumable: it goes on where a killed run stopped. It must never install into
// a folder that it has not made, and never leave half a product there.
package cmake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// The stages, in order.
const (
	Configure = "configure"
	Compile   = "compile"
	Install   = "install"
)

// stamp lies in a finished product and holds the key of its build.
const stamp = ".deployctl-build"

// Command is a process of a build.
type Command struct {
	Argv []string
	Dir  string
	Env  []string // K=V, added to the inherited ones
	// Hold is inherited by the process and all its children.
	Hold *os.File
}

// Worker is the mechanism "cmake". Run starts a process, hands over its lines
// and gives its exit status.
type Worker struct {
	Run func(ctx context.Context, c Command, onLine func(string)) (int, error)
}

// State is the product's digest for the install stage and for a removal. The
// other stages work in a folder that is the unpack step's.
func (Worker) State(ctx context.Context, s step.Step) (map[string]string, error) {
	if s.Action == step.Remove {
		return files.Remains(ctx, s.Take)
	}
	b, err := step.As[*step.Build](s)
	if err != nil || b.Stage != Install {
		return nil, err
	}
	return files.Takes(ctx, []step.Take{{Name: b.Product}})
}

// Done reports whether the stage, or the whole build, has been done with the
// step's key.
func (w Worker) Done(_ context.Context, s step.Step) (bool, error) {
	if s.Action == step.Remove {
		return files.Removed(s.Take)
	}
	b, err := step.As[*step.Build](s)
	if err != nil {
		return false, err
	}
	if done, err := stamped(filepath.Join(b.Product, stamp), b.Key); done || err != nil {
		return done, err
	}
	if b.Stage == Install {
		return false, nil
	}
	return stamped(stageStamp(b), b.Key)
}

// Sweep removes an installation that is not whole.
func (Worker) Sweep(s step.Step) error {
	var product []string
	if b, ok := s.With.(*step.Build); ok {
		product = []string{b.Product}
	}
	return files.SweepPartial(s, product...)
}

// Room is the folder of sources and objects.
func (Worker) Room(s step.Step) (string, int64) {
	b, ok := s.With.(*step.Build)
	if !ok {
		return "", 0
	}
	_, bytes := files.Beside(b.Product, s.Cost.DiskBytes)
	return b.Work, bytes
}

// Describe is the command with its environment.
func (Worker) Describe(s step.Step) (label, text string) {
	if b, ok := s.With.(*step.Build); ok && len(b.Env) > 0 {
		return "runs", step.Quote(slices.Concat([]string{"env"}, b.Env, s.Argv))
	}
	return "runs", step.Quote(s.Argv)
}

// Export is the same command and folders.
func (Worker) Export(s step.Step) mechanism.Script {
	b, ok := s.With.(*step.Build)
	if !ok {
		return mechanism.Script{}
	}
	x := mechanism.Script{With: b, Undo: step.Clean(s.Undo, 300)}
	if b.Staged != "" {
		x.Undo = lang.F("remove the folder %s", step.Clean(b.Product, 300))
	}
	return x
}

func stageStamp(b *step.Build) string { return filepath.Join(b.Work, stamp+"-"+b.Stage) }

func stamped(path, key string) (bool, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, store.Explain(path, err)
	}
	return strings.TrimSpace(string(data)) == key, nil
}

// Do runs the stage's command, or removes the product.
func (w Worker) Do(ctx context.Context, s step.Step, tell func(step.Progress)) error {
	if s.Action == step.Remove {
		return files.Remove(ctx, s.Take)
	}
	b, err := step.As[*step.Build](s)
	if err != nil {
		return err
	}
	hold, err := take(ctx, b.Work, func() {
		tell(step.Progress{Phase: step.Waiting, Percent: -1, Message: lang.T("waiting for the compilers that an earlier run left")})
	})
	if err != nil {
		return err
	}
	return errors.Join(w.stage(ctx, s, b, hold, tell), hold.Close())
}

func (w Worker) stage(ctx context.Context, s step.Step, b *step.Build, hold *os.File, tell func(step.Progress)) error {
	switch b.Stage {
	case Configure:
		// A cache left by another configuration would outlive its options.
		if err := os.RemoveAll(filepath.Join(b.Dir, "CMakeCache.txt")); err != nil {
			return store.Explain(b.Dir, err)
		}
		if err := os.MkdirAll(b.Dir, 0o755); err != nil {
			return store.Explain(b.Dir, err)
		}
	case Install:
		if err := clear(b); err != nil {
			return err
		}
	}
	argv := s.Argv
	for {
		lines, exit, err := w.run(ctx, s, b, argv, hold, tell)
		if err != nil {
			return err
		}
		if exit == 0 {
			break
		}
		failure := Explain(b.Stage, exit, lines)
		// The compiler was killed for memory: half as many at once go on from
		// where the build stands.
		fewer := halve(argv)
		if failure.Kind != outOfMemory || fewer == nil {
			return failure
		}
		argv = fewer
		tell(step.Progress{Phase: step.Installing, Percent: -1, Message: lang.T("there was not enough memory; going on with fewer compilers at once")})
	}
	if b.Stage == Install {
		return publish(b)
	}
	if err := os.WriteFile(stageStamp(b), []byte(b.Key+"\n"), 0o644); err != nil {
		return store.Explain(stageStamp(b), err)
	}
	return nil
}

// clear removes what a killed installation left, and refuses to touch a folder
// that is not this build's.
func clear(b *step.Build) error {
	if err := os.RemoveAll(b.Staged); err != nil {
		return store.Explain(b.Staged, err)
	}
	if _, err := os.Lstat(b.Product); err == nil {
		return &step.Failure{Kind: step.Changed, Cause: lang.F("%s is already there and was made differently", b.Product), Next: lang.T("move it away or undo what made it, then run deployctl again")}
	}
	return nil
}

// publish gives the staged product its name.
func publish(b *step.Build) error {
	made := filepath.Join(b.Staged, strings.TrimPrefix(b.Product, filepath.VolumeName(b.Product)))
	mark := filepath.Join(made, stamp)
	if err := os.WriteFile(mark, []byte(b.Key+"\n"), 0o644); err != nil {
		return store.Explain(mark, err)
	}
	if err := os.MkdirAll(filepath.Dir(b.Product), 0o755); err != nil {
		return store.Explain(b.Product, err)
	}
	if err := durable.Rename(made, b.Product); err != nil {
		return store.Explain(b.Product, err)
	}
	return store.Explain(b.Staged, os.RemoveAll(b.Staged))
}

// ninja writes "[12/345] Building …", make "[ 12%] Building …".
var (
	reNinja = lazyregexp.New(`^\[(\d+)/(\d+)\] (.*)`)
	reMake  = lazyregexp.New(`^\[ *(\d+)%\] (.*)`)
)

func percent(line string) (float64, string, bool) {
	if m := reNinja.FindStringSubmatch(line); m != nil {
		at, err1 := strconv.Atoi(m[1])
		of, err2 := strconv.Atoi(m[2])
		if err1 == nil && err2 == nil && of > 0 && at <= of {
			return 100 * float64(at) / float64(of), m[3], true
		}
	}
	if m := reMake.FindStringSubmatch(line); m != nil {
		if p, err := strconv.Atoi(m[1]); err == nil && p <= 100 {
			return float64(p), m[2], true
		}
	}
	return 0, "", false
}

// keep is how many of the last lines are looked at for a cause.
const keep = 400

func (w Worker) run(ctx context.Context, s step.Step, b *step.Build, argv []string, hold *os.File, tell func(step.Progress)) ([]string, int, error) {
	var lines []string
	begin := -1.0
	if b.Stage == Compile {
		begin = 0 // it counts from there
	}
	tell(step.Progress{Phase: step.Installing, Percent: begin, Message: s.Title})
	exit, err := w.Run(ctx, Command{Argv: argv, Dir: b.Dir, Env: b.Env, Hold: hold}, func(line string) {
		if lines = append(lines, line); len(lines) > 2*keep {
			lines = append(lines[:0], lines[keep:]...)
		}
		if p, what, ok := percent(line); ok {
			tell(step.Progress{Phase: step.Installing, Percent: p, Message: step.Clean(what, 100)})
		}
	})
	if err != nil {
		return lines, exit, fmt.Errorf("%s: %w", s.ID, err)
	}
	return lines, exit, nil
}

// halve gives the command with half the parallel jobs, nil when it runs one.
func halve(argv []string) []string {
	out := append([]string(nil), argv...)
	for i := range out {
		if out[i] == jobsFlag && i+1 < len(out) {
			if n, err := strconv.Atoi(out[i+1]); err == nil && n > 1 {
				out[i+1] = strconv.Itoa(n / 2)
				return out
			}
		}
	}
	return nil
}
