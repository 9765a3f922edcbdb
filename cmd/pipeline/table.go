package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// TableList prints one line for each compatibility table: how far it goes, and
// whether rows of the user's are in it.
func TableList(l Listing) error {
	if err := textOrJSON(l.Format); err != nil {
		return err
	}
	set, err := recipes.FindTables(l.Folders.Recipes)
	if err != nil {
		return &UsageError{err}
	}
	tables, broken := set.All()
	write := writeTables
	if l.Format == formats.JSON {
		write = tablesJSON
	}
	if err := write(l, set, tables); err != nil {
		return err
	}
	if err := set.Locked(); err != nil {
		if _, err := fmt.Fprint(l.Console.Err, lang.F("Your own tables could not be listed: %v\n", err)); err != nil {
			return err
		}
	}
	if broken != nil { // the others are listed all the same
		return usagef("some of your tables cannot be used; fix or remove them:\n%w", broken)
	}
	return nil
}

func tablesJSON(l Listing, _ *recipes.Tables, tables []*recipes.Table) error {
	type row struct {
		Name     string           `json:"name"`
		Title    string           `json:"title"`
		Complete recipes.Complete `json:"complete"`
		Rows     int              `json:"rows"`
		Source   string           `json:"source"`
		Yours    []string         `json:"yours,omitempty"` // your files whose rows are in it
	}
	rows := make([]row, 0, len(tables))
	for _, t := range tables {
		rows = append(rows, row{t.Name, t.Title, t.Complete, len(t.Rows), t.Source, t.Yours})
	}
	return writeJSON(l.Console, struct {
		heading
		Tables []row `json:"tables"`
	}{l.heading(), rows})
}

func writeTables(l Listing, set *recipes.Tables, tables []*recipes.Table) error {
	width, far := 0, 0
	for _, t := range tables {
		width, far = max(width, runewidth.StringWidth(t.Name)), max(far, runewidth.StringWidth(reach(t)))
	}
	for _, t := range tables {
		title := t.Title
		switch {
		case len(t.Yours) > 0:
			title += lang.F("  (with your rows in %s)", strings.Join(t.Yours, ", "))
		case !set.Embedded(t.Name):
			title += lang.F("  (your table %s)", t.Source)
		}
		row := fmt.Sprintf("%s  %s  ", runewidth.FillRight(t.Name, width), runewidth.FillRight(reach(t), far))
		if _, err := fmt.Fprintln(l.Console.Text(), listed(l.Console, row, title)); err != nil {
			return err
		}
	}
	return nil
}

// reach says as of when a table is complete, and up to which versions.
func reach(t *recipes.Table) string {
	text := t.Complete.AsOf
	for _, column := range slices.Sorted(maps.Keys(t.Complete.Through)) {
		text += ", " + column + " " + t.Complete.Through[column]
	}
	return text
}

// TableShow prints a table as YAML, with the file that each row of the user's
// comes from.
func TableShow(c *console.Console, folders Folders, name string) error {
	set, err := recipes.FindTables(folders.Recipes)
	if err != nil {
		return &UsageError{err}
	}
	t, err := set.Table(name)
	if err != nil {
		return &UsageError{err}
	}
	head := *t
	head.Rows = nil
	data, err := yaml.Marshal(head)
	if err != nil {
		return lang.Errorf("print table %s: %w", name, err)
	}
	var text strings.Builder
	fmt.Fprint(&text, lang.F("# %s\n%srows:\n", t.Source, strings.TrimSuffix(string(data), "rows: []\n")))
	for _, row := range t.Rows {
		if row.From != "" {
			fmt.Fprint(&text, lang.F("# your row, %s\n", row.From))
		}
		data, err := yaml.Marshal([]recipes.Row{row})
		if err != nil {
			return lang.Errorf("print table %s: %w", name, err)
		}
		text.Write(data)
	}
	_, err = fmt.Fprint(c.Text(), text.String())
	return err
}

// TableLint checks a table file, and that its columns are those of the table whose
// rows it adds to.
func TableLint(c *console.Console, folders Folders, file string) error {
	data, err := recipes.ReadFile(file) // as loading does
	if err != nil {
		return &UsageError{err}
	}
	return lintTable(c, folders, file, data)
}

func lintTable(c *console.Console, folders Folders, file string, data []byte) error {
	t, base, whole, err := recipes.LintTable(data, file, folders.Recipes)
	if err != nil {
		return &UsageError{err}
	}
	adds := ""
	if whole != nil {
		more := len(whole.Rows) - len(base.Rows)
		adds = lang.F("; it adds %s to the table %s and replaces %s", recipes.Count(more, "row"), t.Name, recipes.Count(len(t.Rows)-more, "row"))
	}
	_, err = fmt.Fprint(c.Text(), lang.F("%s is valid%s\n", file, adds))
	return err
}
