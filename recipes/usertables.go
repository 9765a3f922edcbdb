package recipes

import (
	"cmp"
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

	"github.com/deployctl/deployctl/recipes/library/lang"
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
		return nil, lang.Errorf("list your tables: %w", err)
	}
	t.yours = map[string]bool{}
	seen := map[string]string{}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || hidden(e.Name()) || ext != ".yaml" && ext != ".yml" {
			continue
		}
		name, file := strings.TrimSuffix(e.Name(), ext), filepath.Join(folder, e.Name())
		t.yours[name] = true
		if other, twice := seen[name]; twice {
			// An error for whoever asks for it: the other tables stay.
			err := lang.Errorf("table %s is there twice, as %s and %s; remove one", name, other, file)
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
	data, err := ReadFile(file)
	if err != nil {
		return nil, err
	}
	var base *Table
	if own != nil {
		if base, err = own(); err != nil {
			return nil, err
		}
	}
	t, err := loadTable(data, file, true, func(t *Table, d *document) { lintUserTable(t, d, name, base) })
	if err != nil || base == nil {
		return t, err
	}
	return base.with(t), nil
}

// IsTable reports whether a file looks like a table: it has rows, and nothing of a recipe.
func IsTable(data []byte) bool {
	rows := false
	for line := range strings.Lines(string(data)) {
		switch key, _, _ := strings.Cut(line, ":"); key {
		case "requirements", "extends":
			return false
		case "rows":
			rows = true
		}
	}
	return rows
}

// LintTable reports every mistake that loading meets in a file with these bytes as a
// table of the user's: of its own, of its name where it is in userDir/tables, and of its
// columns where it adds to one of the program's tables. Of those, whole is that table
// with the user's rows in it, base the one without; else they are nil. The error is an
// *InvalidError.
func LintTable(data []byte, file, userDir string) (t, base, whole *Table, err error) {
	set, err := EmbeddedTables()
	if err != nil {
		return nil, nil, nil, err
	}
	name := ""
	if userDir != "" {
		name = nameIn(filepath.Join(userDir, TableFolder), file)
	}
	t, err = loadTable(data, file, true, func(t *Table, d *document) {
		if called := cmp.Or(name, t.Name); set.Embedded(called) {
			base, _ = set.Table(called) // a test reads all of them
		}
		lintUserTable(t, d, name, base)
	})
	if err == nil && base != nil {
		whole = base.with(t)
	}
	return t, base, whole, err
}

// lintUserTable checks the name, "" for any, and the columns against those of the
// program's table, nil for none.
func lintUserTable(user *Table, d *document, name string, base *Table) {
	if name != "" && user.Name != name {
		d.at("$.name", "the table calls itself %q but the file is named %q; rename one", user.Name, name)
	}
	if base == nil {
		return
	}
	for _, list := range []struct {
		key       string
		own, user []string
	}{{"when", base.When, user.When}, {"then", base.Then, user.Then}} {
		for i, column := range list.user {
			if !slices.Contains(list.own, column) {
				d.at(fmt.Sprintf("$.%s[%d]", list.key, i), "%s: the table %s has no column %q there; it has %s", list.key, base.Name, column, strings.Join(list.own, ", "))
			}
		}
	}
	if !maps.Equal(base.Compares, user.Compares) {
		d.at("$.compares", "compares must be as in the table %s that is part of deployctl: %v", base.Name, base.Compares)
	}
}

// with is a table to which the rows of a user's table of the same name are added,
// in front of its own. lintUserTable has compared their columns.
func (t *Table) with(user *Table) *Table {
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
	return &out
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
