package installers

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// A machine has one history and one lock, in root's state folder, which everybody
// may read and only root writes. A user's run has two parts: the steps that run
// as root are in the machine's history, written by a shell that runs as root, too
// (keeper); files and settings in the user's home are in the user's own. So root
// never reads what another user can write.

const machineState = "/var/lib/deployctl"

// MachineDir is the folder of the machine's own history for a user who is not
// root; "" where it is that of StateDir, or there is none.
func MachineDir(h *host.Host, admin bool) string {
	if admin || h.OS != "linux" || h.Env("DEPLOYCTL_STATE") != "" {
		return ""
	}
	return machineState
}

// Shared reports whether everybody may read the state folder's history.
func Shared(h *host.Host, state string) bool { return h.OS == "linux" && state == machineState }

// Histories reads a user's own history and the machine's ("" for none), oldest
// first.
func Histories(own, machine string) ([]Record, Unread, error) {
	records, unread, err := History(own)
	if err != nil || machine == "" {
		return records, unread, err
	}
	more, also, err := History(machine)
	if errors.Is(err, fs.ErrPermission) {
		unread.Private = true
		return records, unread, nil
	}
	if err != nil {
		return nil, unread, err
	}
	for i := range more {
		more[i].Shared = true
	}
	records = append(records, more...)
	slices.SortStableFunc(records, func(a, b Record) int { return a.Time.Compare(b.Time) })
	return records, Unread{Torn: unread.Torn + also.Torn, Newer: unread.Newer + also.Newer}, nil
}

// keepScript holds the machine's lock and appends the lines that it reads to the
// machine's journal, each on the disk before it says so. It ends with its input,
// and with that the lock: however deployctl dies.
const keepScript = `PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022
why=$( { mkdir -p "$1" && chmod 755 "$1" && : >>"$1/lock" && : >>"$1/journal.jsonl" && chmod 644 "$1/journal.jsonl" && command -v flock >/dev/null; } 2>&1 ) || { echo "error ${why:-flock (util-linux) is not installed}"; exit 0; }
exec 9>>"$1/lock"
flock -n 9 || { sleep 1; flock -n 9; } || { echo held; cat "$1/lock.json" 2>/dev/null; exit 0; }
IFS= read -r me || exit 0
printf '%s\n' "$me" >"$1/lock.json"
echo ready
while IFS= read -r line; do
  if why=$( { printf '\n%s\n' "$line" >>"$1/journal.jsonl" && sync "$1/journal.jsonl"; } 2>&1 ); then echo ok; else echo "error $why"; fi
done
rm -f "$1/lock.json"
`

// keeper is keepScript at work.
type keeper struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said *bytes.Buffer // on standard error
	mu   sync.Mutex
}

// errNoKeeper says that this user may become root for the steps, and not for the
// machine's history.
var errNoKeeper = lang.New("the rules for becoming root allow the package manager alone")

// keep starts the keeper of a folder. The error may be a *HeldError, or errNoKeeper.
func keep(method elevate.Method, dir string, me Holder) (*keeper, error) {
	if method.Bare {
		return nil, errNoKeeper
	}
	argv := method.Wrap([]string{"/bin/sh", "-c", keepScript, "deployctl-history", dir})
	k := &keeper{cmd: exec.Command(argv[0], argv[1:]...), said: &bytes.Buffer{}}
	k.cmd.Dir, k.cmd.Stderr = "/", k.said
	apart(k.cmd)
	var err error
	if k.in, err = k.cmd.StdinPipe(); err != nil {
		return nil, lang.Errorf("open the machine's history: %w", err)
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, lang.Errorf("open the machine's history: %w", err)
	}
	k.out = bufio.NewReader(out)
	if err := k.cmd.Start(); err != nil {
		return nil, lang.Errorf("open the machine's history: %w", err)
	}
	line, err := json.Marshal(me)
	if err == nil {
		_, err = fmt.Fprintf(k.in, "%s\n", line)
	}
	answer, rerr := k.out.ReadString('\n')
	answer = strings.TrimSpace(answer)
	if answer == "ready" && err == nil {
		return k, nil
	}
	rest, _ := k.out.ReadString('\n') // who holds it, where that is known
	cerr := k.close()
	why, failed := strings.CutPrefix(answer, "error ")
	switch {
	case answer == "held":
		held := &HeldError{Path: filepath.Join(dir, "lock")}
		var h Holder
		if json.Unmarshal([]byte(rest), &h) == nil && h.PID > 0 {
			held.Holder = &h
		}
		return nil, held
	case failed:
		return nil, lang.Errorf("open the machine's history in %s: %s", dir, step.Clean(why, 300))
	case answer == "" && cerr != nil:
		return nil, errNoKeeper
	}
	return nil, lang.Errorf("open the machine's history in %s: %w: %s", dir, errors.Join(err, rerr, cerr), step.Clean(k.said.String(), 300))
}

// write has a record on the disk before it returns.
func (k *keeper) write(r Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	line, err := r.line()
	if err == nil {
		_, err = k.in.Write(line)
	}
	answer, rerr := "", error(nil)
	if err == nil {
		answer, rerr = k.out.ReadString('\n')
	}
	if answer == "ok\n" {
		return nil
	}
	why, _ := strings.CutPrefix(strings.TrimSpace(answer), "error ")
	return lang.Errorf("write the machine's history: %s", step.Clean(cmp.Or(why, fmt.Sprint(errors.Join(err, rerr))), 300))
}

func (k *keeper) close() error { return errors.Join(k.in.Close(), k.cmd.Wait()) }

// share opens the machine's history for a user's run with steps that run as root,
// and settles what killed runs left open in it.
func (r *run) share(ctx context.Context, result *Result) error {
	if r.Machine == "" || r.plan.Elevation.Name == "" || r.plan.Elevation.UAC() || !slices.ContainsFunc(r.plan.Steps, asRoot) {
		return nil
	}
	k, err := keep(r.plan.Elevation, r.Machine, r.me())
	if errors.Is(err, errNoKeeper) {
		result.Note = lang.F("This run is in your own history, not in the machine's: %v.", err)
		return nil
	}
	if err != nil {
		return err
	}
	r.keeper = k
	records, _, err := History(r.Machine)
	if err != nil {
		return err
	}
	settled, err := r.settle(ctx, slices.DeleteFunc(records, func(rec Record) bool { return !asRoot(rec.Step) }))
	result.Recovered = append(result.Recovered, settled...)
	return err
}

func asRoot(s Step) bool { return s.NeedsAny(step.Admin) }

// look is what the open records of the machine's history come to, for a user who
// only makes a plan: nothing is written. What root's own files came to is for root.
func (r *run) look(ctx context.Context, records []Record) ([]Record, error) {
	var list []Record
	for _, open := range Unfinished(records) {
		if !open.Shared || !asRoot(open.Step) {
			continue
		}
		rec, err := r.cutOff(ctx, open)
		if err != nil {
			return nil, err
		}
		rec.Shared = true
		list = append(list, rec)
	}
	return list, nil
}
