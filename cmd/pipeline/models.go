package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/models"
	"github.com/deployctl/deployctl/installers/step"
)

// ModelsList prints the published models and whether they are here.
func ModelsList(c *console.Console, folders Folders) error {
	list, err := models.Known()
	if err != nil {
		return err
	}
	width := 0
	for _, m := range list {
		width = max(width, runewidth.StringWidth(m.Name))
	}
	for _, m := range list {
		here := ""
		if m.Here(folders.Cache) {
			here = "  (here)"
		}
		if _, err := fmt.Fprintf(c.Text(), "%s  %9s  %s%s\n", runewidth.FillRight(m.Name, width), step.Bytes(m.Size), m.About, here); err != nil {
			return err
		}
	}
	return nil
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

// ModelsImport puts a file that was brought by hand where verify looks for it.
func ModelsImport(ctx context.Context, c *console.Console, folders Folders, file string) error {
	list, err := models.Known()
	if err != nil {
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
	_, err = fmt.Fprintf(c.Text(), "%s is %s, now in %s\n", file, m.Name, path)
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
		t.task = t.console.StartBytes("fetch "+t.name, p.Total)
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
