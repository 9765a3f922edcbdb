package recipes

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/go-version"
)

// TableFolder is the folder in a user's recipe folder that holds the user's tables.
const TableFolder = "tables"

// FindTables are the tables that are part of the program together with the user's,
// which are NAME.yaml in userDir/tables ("" or no such folder means none).
//
// A file named after one of the program's tables adds its rows to that table. They
// count before the program's own, and one with the same conditions takes that row's
// place. A file with another name is a table of its own.
func FindTables(userDir string) (*Tables, error) {
	t, err := EmbeddedTables()
	if err != nil || userDir == "" {
		return t, err
	}
	folder := filepath.Join(userDir, TableFolder)
	entries, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR): // HOME may name a file
		return t, nil
	case errors.Is(err, fs.ErrPermission): // after su, another user's folder
		t.locked = err
		return t, nil
	case err != nil:
		return nil, fmt.Errorf("list your tables: %w", err)
	}
	seen := map[string]string{}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		name, file := strings.TrimSuffix(e.Name(), ext), filepath.Join(folder, e.Name())
		if other, twice := seen[name]; twice {
			// An error for whoever asks for it: the other tables stay.
			err := fmt.Errorf("table %s is there twice, as %s and %s; remove one", name, other, file)
			t.byName[name] = func() (*Table, error) { return nil, err }
			continue
		}
		seen[name] = file
		own := t.byName[name]
		t.byName[name] = sync.OnceValues(func() (*Table, error) { return userTable(name, file, own) })
	}
	return t, nil
}

// userTable loads a user's table, with the rows of the program's table of that name.
func userTable(name, file string, own func() (*Table, error)) (*Table, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	t, err := LoadTable(data, file)
	if err != nil {
		return nil, err
	}
	if t.Name != name {
		return nil, &InvalidError{Mistakes: []Mistake{{File: file, Message: fmt.Sprintf("the table calls itself %q but the file is named %q; rename one", t.Name, name)}}}
	}
	if own == nil {
		return t, nil
	}
	base, err := own()
	if err != nil {
		return nil, err
	}
	return base.With(t)
}

// With is a table to which the rows of a user's table of the same name are added,
// in front of its own. The error is an *InvalidError: the columns are not the same.
func (t *Table) With(user *Table) (*Table, error) {
	for _, list := range []struct {
		key       string
		own, user []string
	}{{"when", t.When, user.When}, {"then", t.Then, user.Then}} {
		for _, column := range list.user {
			if !slices.Contains(list.own, column) {
				return nil, &InvalidError{Mistakes: []Mistake{{File: user.Source, Message: fmt.Sprintf("%s: the table %s has no column %q there; it has %s", list.key, t.Name, column, strings.Join(list.own, ", "))}}}
			}
		}
	}
	if !maps.Equal(t.Compares, user.Compares) {
		return nil, &InvalidError{Mistakes: []Mistake{{File: user.Source, Message: fmt.Sprintf("compares must be as in the table %s that is part of deployctl: %v", t.Name, t.Compares)}}}
	}
	out := *t
	out.Rows, out.Yours, out.begins = nil, []string{user.Source}, &sync.Map{}
	for _, row := range user.Rows {
		row.From = user.Source
		out.Rows = append(out.Rows, row)
	}
	for i := range t.Rows {
		if !slices.ContainsFunc(user.Rows, func(r Row) bool { return r.replaces(&t.Rows[i]) }) {
			out.Rows = append(out.Rows, t.Rows[i])
		}
	}
	out.Complete.Through = maps.Clone(t.Complete.Through)
	for column, v := range user.Complete.Through {
		if above(v, out.Complete.Through[column]) {
			if out.Complete.Through == nil {
				out.Complete.Through = map[string]string{}
			}
			out.Complete.Through[column] = v
		}
	}
	return &out, nil
}

// replaces reports whether a user's row has the conditions of another row and
// decides a column that it decides.
func (r *Row) replaces(own *Row) bool {
	return decidesSame(r, own) && r.covers(own) && own.covers(r)
}

// above reports whether a version is higher than another; any is where there is no
// other.
func above(text, other string) bool {
	v, err := version.NewVersion(text)
	if err != nil {
		return false
	}
	o, err := version.NewVersion(other)
	return err != nil || v.GreaterThan(o)
}
