package envedit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// shell is a file that login shells read. The whole file is deployctl's own, or
// one marked block of it is.
type shell struct {
	shown string // its path for people
	path  string
	own   bool
}

func (s shell) get(e step.Env) (string, bool, error) {
	_, text, err := s.read()
	if err != nil {
		return "", false, err
	}
	_, version := text.find(e)
	return version, version != "", nil
}

func (s shell) met(e step.Env) (bool, error) {
	version, _, err := s.get(e)
	return version == wanted(e), err
}

// wanted is the version of an edit that is in its place.
func wanted(e step.Env) string {
	if e.Prepend {
		return listed
	}
	return e.Value
}

func (s shell) put(e step.Env) error {
	f, text, err := s.read()
	if err != nil {
		return err
	}
	at, version := text.find(e)
	switch {
	case version == wanted(e):
		return nil
	case version == handModified:
		return changed(stateName(e, s.shown))
	case at >= 0:
		text.lines[at] = render(e)
	default:
		text.begin(f.info == nil)
		text.lines = append(text.lines, render(e))
	}
	err = f.replace(text.String())
	if errors.Is(err, fs.ErrNotExist) {
		dir := path.Dir(s.shown)
		return &step.Failure{Kind: step.Other, Err: err, Cause: lang.F("%s is not there, so no shell reads a file in it", dir), Next: lang.T("see how this system sets variables at login, and do it by hand")}
	}
	return explain(s.shown, err)
}

func (s shell) drop(e step.Env, was string) error {
	f, text, err := s.read()
	if err != nil {
		return err
	}
	at, version := text.find(e)
	switch {
	case at < 0:
		return nil
	case version == handModified:
		return changed(stateName(e, s.shown))
	case was != "":
		e.Value = was
		text.lines[at] = render(e)
	default:
		line := text.lines[at] // and copies that somebody made
		text.lines = slices.DeleteFunc(text.lines, func(l string) bool { return l == line })
	}
	content := text.String()
	if content == "" && (s.own || text.made) && !f.linked {
		return explain(s.shown, f.remove())
	}
	return explain(s.shown, f.replace(content))
}

func (s shell) read() (file, script, error) {
	f, err := read(s.path)
	if err != nil {
		return f, script{}, explain(s.shown, err)
	}
	text, err := parse(f.content, s.own)
	if err != nil {
		return f, text, &step.Failure{Kind: step.Changed, Err: err, Cause: lang.F("%s: %s", s.shown, err.Error()),
			Next: lang.F("make it one line \"%s\" and after it one line \"%s\", or remove both", startMark, endMark)}
	}
	return f, text, nil
}

// The marks of the block, in the form that conda made known.
const (
	startMark = "# >>> deployctl >>>"
	endMark   = "# <<< deployctl <<<"
)

// header tells a reader what he looks at. The two notes are for drop: what to
// do with the file when the block goes.
var header = []string{
	"# Written by deployctl: settings that it made, the newest last.",
	"# To see them: deployctl history. To take them back: deployctl undo.",
}

const (
	madeNote  = "# deployctl made this file."
	endedNote = "# The line before this block had no line break at its end; deployctl added it."
)

// tag comes between a line's command and what the line is about.
const tag = " # deployctl: "

// script is a shell file taken apart at the block.
type script struct {
	before, after string
	// lines are those of the block but for header and notes, without their
	// line breaks: deployctl's and what somebody else put there.
	lines []string
	own   bool // no marks: the whole file is the block
	made  bool // deployctl made the file
	ended bool // the line break before the block is deployctl's
	block bool // there is one
}

// parse takes a file apart. Every byte outside the block is kept as it is.
func parse(content string, own bool) (script, error) {
	s := script{own: own, block: own && content != ""}
	inside, closed := own, own
	for line := range strings.SplitAfterSeq(content, "\n") {
		plain := strings.TrimRight(line, "\r\n")
		switch {
		case !own && plain == startMark:
			if s.block {
				return s, lang.Errorf("deployctl's block begins twice")
			}
			s.block, inside = true, true
		case !own && plain == endMark:
			if !inside {
				return s, lang.Errorf("deployctl's block ends where none has begun")
			}
			inside, closed = false, true
		case !inside && !s.block:
			s.before += line
		case !inside:
			s.after += line
		case line == "", slices.Contains(header, plain): // SplitAfter's last piece, or written anew
		case plain == madeNote:
			s.made = true
		case plain == endedNote:
			s.ended = true
		default:
			s.lines = append(s.lines, strings.TrimSuffix(line, "\n"))
		}
	}
	if s.block && !closed {
		return s, lang.Errorf("deployctl's block does not end")
	}
	return s, nil
}

// begin makes room for a block at the end, where it has the last word. created
// says that the file is new.
func (s *script) begin(created bool) {
	if s.block {
		return
	}
	s.block, s.made = true, created && !s.own
	if s.before != "" && !strings.HasSuffix(s.before, "\n") {
		s.before += "\n"
		s.ended = true
	}
}

// String is the file's content. A block with nothing in it is left out, and
// everything else is then as it was before there was one.
func (s script) String() string {
	if !slices.ContainsFunc(s.lines, func(l string) bool { return strings.TrimSpace(l) != "" }) {
		if s.ended && s.after == "" {
			return strings.TrimSuffix(s.before, "\n")
		}
		return s.before + s.after
	}
	lines := slices.Clone(header)
	if s.made {
		lines = append(lines, madeNote)
	}
	if s.ended {
		lines = append(lines, endedNote)
	}
	lines = append(lines, s.lines...)
	if !s.own {
		lines = append(append([]string{startMark}, lines...), endMark)
	}
	return s.before + strings.Join(lines, "\n") + "\n" + s.after
}

// find is the index and version of the edit's line, -1 and "" when there is
// none. A line that is not as deployctl writes it was changed by hand.
func (s script) find(e step.Env) (int, string) {
	for i, line := range s.lines {
		line = strings.TrimSuffix(line, "\r") // an editor's; the shell has it in the comment
		command, about, ok := cutLast(line, tag)
		if !ok {
			continue
		}
		name, val, _ := strings.Cut(about, "=")
		has := step.Env{Name: strings.TrimSuffix(name, "+"), Value: val, Prepend: strings.HasSuffix(name, "+")}
		switch {
		case has.Name == e.Name && has.Prepend == e.Prepend && (!e.Prepend || has.Value == e.Value):
			if line != render(has) {
				return i, handModified
			}
			return i, wanted(has)
		// The command is there, what it is about was changed.
		case e.Prepend && command == assign(e):
			return i, handModified
		}
	}
	return -1, ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// render is the edit's line: its command, and what it is about. A comment ends
// with the line, whatever is in it (POSIX XCU 2.3, rule 9).
func render(e step.Env) string {
	if e.Prepend {
		return assign(e) + tag + e.Name + "+=" + e.Value
	}
	return assign(e) + tag + e.Name + "=" + e.Value
}

// assign is the command of an edit, for any POSIX shell, also one that stops at
// an unset variable (set -u). An entry that the list has already is not put
// there again: profiles are read by each shell within a shell.
func assign(e step.Env) string {
	if !e.Prepend {
		return "export " + e.Name + "=" + quote(e.Value)
	}
	return fmt.Sprintf(`case ":${%[1]s-}:" in *:%[2]s:*) ;; *) export %[1]s=%[2]s"${%[1]s:+:$%[1]s}" ;; esac`, e.Name, quote(e.Value))
}

// quote makes one word of a POSIX shell: within single quotes every character
// but the quote itself is literal (POSIX XCU 2.2.2).
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
