package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/models"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// ModelsList prints the published models and whether they are here.
func ModelsList(l Listing) error {
	if err := textOrJSON(l.Format); err != nil {
		return err
	}
	list, err := models.Known()
	if err != nil {
		return err
	}
	if l.Format == formats.JSON {
		return modelsJSON(l, list)
	}
	c := l.Console
	width := 0
	for _, m := range list {
		width = max(width, runewidth.StringWidth(m.Name))
	}
	for _, m := range list {
		here := ""
		if m.Here(l.Folders.Cache) {
			here = lang.T("  (here)")
		}
		if _, err := fmt.Fprintln(c.Text(), listed(c, fmt.Sprintf("%s  %9s  ", runewidth.FillRight(m.Name, width), step.Bytes(m.Size)), lang.T(m.About)+here)); err != nil {
			return err
		}
	}
	return nil
}

func modelsJSON(l Listing, list []models.Model) error {
	type row struct {
		Name   string    `json:"name"`
		About  string    `json:"about"`
		Size   int64     `json:"size"` // bytes
		SHA256 store.Sum `json:"sha256"`
		Path   string    `json:"path"` // where it lies, or would
		Here   bool      `json:"here"` // a file of its size is there
	}
	rows := make([]row, 0, len(list))
	for _, m := range list {
		rows = append(rows, row{m.Name, m.About, m.Size, m.SHA256, m.Path(l.Folders.Cache), m.Here(l.Folders.Cache)})
	}
	return writeJSON(l.Console, struct {
		heading
		Models []row `json:"models"`
	}{l.heading(), rows})
}

// ModelsPull fetches a published model to where verify looks for it.
func ModelsPull(ctx context.Context, c *console.Console, folders Folders, name string, offline bool) error {
	list, err := models.Known()
	if err != nil {
		return err
	}
	m, err := models.Find(list, name)
	if err != nil {
		return &UsageError{err}
	}
	show := &transfer{console: c, name: m.Name}
	path, err := models.Pull(ctx, m, folders.Cache, download.Options{Offline: offline, Progress: show.report})
	show.end()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Text(), path)
	return err
}

// ModelsVerify compares the files in the cache with the published ones; without
// names, all that are there.
func ModelsVerify(ctx context.Context, c *console.Console, folders Folders, names []string) error {
	list, err := models.Known()
	if err != nil {
		return err
	}
	asked := list
	if len(names) > 0 {
		asked = nil
		for _, name := range names {
			m, err := models.Find(list, name)
			if err != nil {
				return &UsageError{err}
			}
			asked = append(asked, m)
		}
	}
	here, exit := 0, judge.ExitOK
	for _, m := range asked {
		err := models.Verify(ctx, m, folders.Cache)
		state := "OK"
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(names) == 0:
			continue
		case errors.Is(err, fs.ErrNotExist):
			state = lang.F("missing: run deployctl models pull %s", m.Name)
			exit = judge.ExitFail
		case errors.Is(err, models.ErrChanged):
			state = lang.F("%v. Delete it, or run deployctl models pull %s", err, m.Name)
			exit = judge.ExitFail
		case err != nil:
			return err
		}
		here++
		if _, err := fmt.Fprintf(c.Text(), "%s: %s\n", m.Name, state); err != nil {
			return err
		}
	}
	if here == 0 {
		if _, err := fmt.Fprintln(c.Text(), lang.T("No published model is in the cache. deployctl models list shows those that can be pulled.")); err != nil {
			return err
		}
	}
	return verdict(exit)
}

// ModelsImport puts a file that was brought by hand where verify looks for it.
func ModelsImport(ctx context.Context, c *console.Console, folders Folders, file string) error {
	list, err := models.Known()
	if err != nil {
		return err
	}
	if err := exists(file); err != nil {
		return err
	}
	m, path, err := models.Import(ctx, list, folders.Cache, file)
	var strange *models.StrangeError
	if errors.As(err, &strange) || errors.Is(err, fs.ErrNotExist) {
		return &UsageError{err}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.Text(), lang.F("%s is %s, now in %s\n", file, m.Name, path))
	return err
}

// transfer draws a fetch: one bar, and a line for each retry.
type transfer struct {
	console *console.Console
	name    string
	task    *console.Task
	note    string
}

func (t *transfer) report(p download.Progress) {
	if t.task == nil {
		t.task = t.console.StartBytes(lang.F("fetch %s", t.name), p.Total)
	}
	t.task.Set(p.Done)
	if p.Note != "" && p.Note != t.note {
		t.note = p.Note
		t.console.Note("  %s", strings.TrimPrefix(p.Mirror+": "+p.Note, ": ")) // a note about this machine has no mirror
	}
}

func (t *transfer) end() {
	if t.task != nil {
		t.task.Done("")
	}
}
