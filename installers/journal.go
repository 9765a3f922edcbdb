package installers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Event is what a journal record tells.
type Event string

// The events. A Started without a later record of the same run and number is a
// run that was cut off.
const (
	Started Event = "started"
	Done    Event = "done"
	Skipped Event = "skipped" // the check said it was done already
	Failed  Event = "failed"
	// CutOff is written by the next run for a Started it found alone.
	CutOff Event = "interrupted"
)

// Record is one line of the journal.
type Record struct {
	Schema int       `json:"schema"`
	Run    string    `json:"run"`
	Seq    int       `json:"seq"`
	Time   time.Time `json:"time"`
	Event  Event     `json:"event"`
	Step   Step      `json:"step"`
	// Before is, in a Started record, what was installed: name to version. It
	// lets the next run tell what a killed run added.
	Before map[string]string `json:"before,omitempty"`
	// Leftover are the packages that had only their configuration left.
	Leftover []string `json:"leftover,omitempty"`
	// Added, Changed and Removed are what the step did, by comparing the
	// package database before and after.
	Added   []Package `json:"added,omitempty"`
	Changed []Package `json:"changed,omitempty"`
	Removed []Package `json:"removed,omitempty"`
	Failure *Failure  `json:"failure,omitempty"`
	Exit    int       `json:"exit,omitempty"`
	Reboot  bool      `json:"reboot,omitempty"`
	Log     string    `json:"log,omitempty"`
	// User is who ran deployctl, "" for root.
	User string `json:"user,omitempty"`
	// Shared: read from the machine's history by a user who is not root.
	Shared bool `json:"-"`
}

// Key names the record's step within the journal.
func (r Record) Key() string { return r.Run + "/" + strconv.Itoa(r.Seq) }

const journalFile = "journal.jsonl"

// StateDir is where the journal, lock and logs of this user live: /var/lib/deployctl
// for root, the XDG state folder, ~/Library/Application Support or %LOCALAPPDATA%.
func StateDir(h *host.Host, admin bool) (string, error) {
	home := h.Env("HOME")
	switch {
	case h.Windows():
		if d := h.Env("LOCALAPPDATA"); d != "" {
			return h.Join(d, "deployctl"), nil
		}
	case admin && h.Env("DEPLOYCTL_STATE") == "":
		return "/var/lib/deployctl", nil
	case h.Env("DEPLOYCTL_STATE") != "":
		return h.Env("DEPLOYCTL_STATE"), nil
	case h.OS == "darwin" && home != "":
		return h.Join(home, "Library/Application Support/deployctl"), nil
	case h.Env("XDG_STATE_HOME") != "":
		return h.Join(h.Env("XDG_STATE_HOME"), "deployctl"), nil
	case home != "":
		return h.Join(home, ".local/state/deployctl"), nil
	}
	return "", lang.Errorf("no folder for deployctl's journal is known: set HOME (LOCALAPPDATA on Windows)")
}

// journal appends records; each is on the disk before write returns.
type journal struct {
	f   *os.File
	dir string
}

// schema is that of the records which this deployctl writes.
const schema = 1

func openJournal(dir string, shared bool) (*journal, error) {
	path := filepath.Join(dir, journalFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, unwritten(path, lang.Errorf("open the journal: %w", err))
	}
	j := &journal{f: f, dir: dir}
	if shared {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = j.mend()
	}
	if err != nil {
		return nil, errors.Join(unwritten(path, lang.Errorf("open the journal %s: %w", path, err)), f.Close())
	}
	return j, nil
}

// mend ends a line that a crash cut short, so that the next record starts on
// its own, and makes the file's name durable.
func (j *journal) mend() error {
	size, err := j.f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size > 0 {
		last := make([]byte, 1)
		if _, err := j.f.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			if _, err := j.f.Write([]byte{'\n'}); err != nil {
				return err
			}
		}
	}
	return durable.SyncDir(j.dir)
}

func (j *journal) write(r Record) error {
	line, err := r.line()
	if err != nil {
		return err
	}
	if _, err = j.f.Write(line); err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		return unwritten(j.f.Name(), lang.Errorf("write the journal %s: %w", j.f.Name(), err))
	}
	return nil
}

// unwritten says what to do where a file of deployctl's own could not be written
// because the disk is full; any other error stays as it is.
func unwritten(path string, err error) error {
	var full *Failure
	if errors.As(store.Explain(path, err), &full) && full.Kind == step.DiskFull {
		full.Next = lang.T("free some disk space, then run this again")
		return full
	}
	return err
}

// line is the record as a line of the journal.
func (r Record) line() ([]byte, error) {
	r.Schema = schema
	line, err := json.Marshal(r)
	if err != nil {
		return nil, lang.Errorf("write the journal: %w", err)
	}
	return append(line, '\n'), nil
}

// Unread counts the journal's lines whose records are not known.
type Unread struct {
	Torn  int // no record: a crash cut them short
	Newer int // of a schema that this deployctl does not know
	// Private: the machine's own history, which this user may not read.
	Private bool
}

// String says it in a sentence, "" when every line was read.
func (u Unread) String() string {
	var parts []string
	if u.Torn > 0 {
		parts = append(parts, lang.F("%s (a crash, or the disk)", lang.Count(u.Torn, "damaged line")))
	}
	if u.Newer > 0 {
		parts = append(parts, lang.F("%s of a newer deployctl (use that version to undo them)", lang.Count(u.Newer, "line")))
	}
	var text string
	if parts != nil {
		text = lang.F("The journal has %s. What they describe is left as it is.", lang.List(parts, false))
	}
	if u.Private {
		text = lang.Join(text, lang.F("The machine's own history in %s cannot be read by this user; sudo deployctl history shows it.", machineState))
	}
	return text
}

// History reads the journal, oldest first. No journal yet is an empty history.
func History(dir string) (records []Record, unread Unread, err error) {
	data, err := os.ReadFile(filepath.Join(dir, journalFile))
	if os.IsNotExist(err) {
		return nil, Unread{}, nil
	}
	if err != nil {
		return nil, Unread{}, lang.Errorf("read the journal: %w", err)
	}
	records, unread = parseJournal(data)
	return records, unread, nil
}

func parseJournal(data []byte) (records []Record, unread Unread) {
	for _, line := range bytes.Split(data, []byte{'\n'}) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var r Record
		err := json.Unmarshal(line, &r)
		switch {
		case r.Schema > schema:
			unread.Newer++
		case err != nil || r.Run == "" || r.Event == "":
			unread.Torn++
		default:
			records = append(records, r)
		}
	}
	return records, unread
}

// Unfinished gives the Started records that nothing followed: runs that were
// killed. Apply settles them; a caller may show them before.
func Unfinished(records []Record) []Record {
	ended := map[string]bool{}
	for _, r := range records {
		if r.Event != Started {
			ended[r.Key()] = true
		}
	}
	var open []Record
	for _, r := range records {
		if r.Event == Started && !ended[r.Key()] {
			open = append(open, r)
		}
	}
	return open
}
