package recipes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"
)

// Basis says how well a row of a compatibility table is known.
type Basis string

// The bases, best first.
const (
	// Measured: built or run by deployctl's own tests on that pair.
	Measured Basis = "measured"
	// Published: the maker's own document or build file says so.
	Published Basis = "published"
	// Expected: nobody has said or tried it; it follows from its neighbours.
	// A finding that rests on it is a warning, and verify decides.
	Expected Basis = "expected"
)

// Bases are the words for how well a row is known, best first.
func Bases() []string { return []string{string(Measured), string(Published), string(Expected)} }

// Table is a compatibility table: rows of conditions on versions and what
// follows where they hold. Order matters: the first row that fits is chosen.
type Table struct {
	Schema int    `yaml:"schema" json:"schema"`
	Name   string `yaml:"name" json:"name"`
	Title  string `yaml:"title" json:"title"`
	// Note says what is true of the whole table and fits no row.
	Note string `yaml:"note,omitempty" json:"note,omitempty"`
	// When names the columns that select a row, Then those that a row decides.
	When []string `yaml:"when" json:"when"`
	Then []string `yaml:"then" json:"then"`
	Rows []Row    `yaml:"rows" json:"rows"`
	// Source is where the table was read from. It is not part of the file.
	Source string `yaml:"-" json:"source"`
}

// Row is one line of a table.
type Row struct {
	// When holds a version constraint, or "is WORD" for a column that is no
	// version (an operating system), for some of the table's When columns. A
	// column left out is not asked.
	When map[string]string `yaml:"when" json:"when"`
	// Then holds a value for each of the table's Then columns it decides.
	Then  map[string]string `yaml:"then" json:"then"`
	Basis Basis             `yaml:"basis" json:"basis"`
	// Source says who says so: a document with its version, or the command.
	Source string `yaml:"source" json:"source"`
	Note   string `yaml:"note,omitempty" json:"note,omitempty"`

	conditions []condition
}

type condition struct {
	column     string
	text       string
	constraint Constraint
	word       string // set when the condition is a word, not a constraint
}

// given is one value that a table is asked about. Its version is read once and
// not for every row.
type given struct {
	text    string
	version *version.Version
	err     error
}

// holds reports whether a value meets the condition.
func (c condition) holds(g given) (bool, error) {
	if c.word != "" {
		return strings.EqualFold(c.word, g.text), nil
	}
	if g.err != nil {
		return false, g.err
	}
	return c.constraint.accepts(g.version), nil
}

func parseCondition(column, text string) (condition, error) {
	c := condition{column: column, text: text}
	if word, ok := strings.CutPrefix(strings.TrimSpace(text), "is "); ok {
		c.word = strings.TrimSpace(word)
		if c.word == "" {
			return c, fmt.Errorf("condition %q names no word", text)
		}
		return c, nil
	}
	constraint, err := ParseConstraint(text)
	if err != nil {
		return c, err
	}
	if constraint.Any() {
		return c, fmt.Errorf("the condition on %s is empty; leave the column out instead", column)
	}
	c.constraint = constraint
	return c, nil
}

// LoadTable reads one compatibility table. The error is an *InvalidError.
func LoadTable(data []byte, name string) (*Table, error) {
	t := &Table{Source: name}
	d := decode(data, name, t)
	if len(d.mistakes) == 0 {
		lintTable(t, d)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return t, nil
}

func lintTable(t *Table, d *document) {
	if t.Schema != Schema {
		d.at("$.schema", "schema must be %d, found %d", Schema, t.Schema)
	}
	if !nameForm.MatchString(t.Name) {
		d.at("$.name", "name %q must be lower-case words joined by hyphens", t.Name)
	}
	if t.Title == "" {
		d.at("$", "title is missing")
	}
	for _, list := range []struct {
		key   string
		names []string
	}{{"when", t.When}, {"then", t.Then}} {
		if len(list.names) == 0 {
			d.at("$", "%s names no column", list.key)
		}
		for i, c := range list.names {
			if c == "" || slices.Contains(list.names[:i], c) || list.key == "then" && slices.Contains(t.When, c) {
				d.at(fmt.Sprintf("$.%s[%d]", list.key, i), "column %q is empty or here a second time", c)
			}
		}
	}
	if len(t.Rows) == 0 {
		d.at("$", "the table has no rows")
	}
	for i := range t.Rows {
		lintRow(t, &t.Rows[i], d, fmt.Sprintf("$.rows[%d]", i))
	}
}

func lintRow(t *Table, r *Row, d *document, path string) {
	if len(r.When) == 0 {
		d.at(path, "a row needs a condition in when")
	}
	if len(r.Then) == 0 {
		d.at(path, "a row needs a value in then")
	}
	if strings.TrimSpace(r.Source) == "" {
		d.at(path, "a row needs a source")
	}
	if r.Basis == "" {
		d.at(path, "a row needs a basis: %s", strings.Join(Bases(), ", "))
	} else if !slices.Contains(Bases(), string(r.Basis)) {
		d.at(path+".basis", "unknown basis %q%s", r.Basis, suggest(string(r.Basis), Bases()))
	}
	// In the order of the columns, so that explanations read alike.
	for _, column := range t.When {
		text, ok := r.When[column]
		if !ok {
			continue
		}
		c, err := parseCondition(column, text)
		if err != nil {
			d.at(path+".when."+column, "%v", err)
			continue
		}
		r.conditions = append(r.conditions, c)
	}
	for _, side := range []struct {
		key    string
		values map[string]string
		known  []string
	}{{"when", r.When, t.When}, {"then", r.Then, t.Then}} {
		for _, column := range slices.Sorted(maps.Keys(side.values)) {
			if !slices.Contains(side.known, column) {
				d.at(path+"."+side.key+"."+column, "unknown column %q%s", column, suggest(column, side.known))
			} else if strings.TrimSpace(side.values[column]) == "" {
				d.at(path+"."+side.key+"."+column, "column %q has no value", column)
			}
		}
	}
}

// Tables is a set of compatibility tables. A table is read when it is first
// asked for: a run needs one or two of them, and reading all takes longer than
// probing the machine. It may be used by many at once.
type Tables struct {
	byName map[string]func() (*Table, error)
	checks func() ([]Check, error)
}

// Checks are the health checks that go with the tables, read when first asked
// for.
func (t *Tables) Checks() ([]Check, error) {
	if t == nil || t.checks == nil {
		return nil, nil
	}
	return t.checks()
}

// NewTables makes a set of tables that are already loaded. Two of one name are
// an error.
func NewTables(list ...*Table) (*Tables, error) {
	t := &Tables{byName: map[string]func() (*Table, error){}}
	for _, table := range list {
		if _, ok := t.byName[table.Name]; ok {
			return nil, fmt.Errorf("compatibility table %s is defined twice, the second time in %s", table.Name, table.Source)
		}
		t.byName[table.Name] = func() (*Table, error) { return table, nil }
	}
	return t, nil
}

// Names are the tables' names, sorted.
func (t *Tables) Names() []string {
	if t == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(t.byName))
}

// Table returns a table by name. The error says that there is none of the name,
// with the nearest, or what is wrong with its file.
func (t *Tables) Table(name string) (*Table, error) {
	if t != nil {
		if load, ok := t.byName[name]; ok {
			return load()
		}
	}
	return nil, fmt.Errorf("unknown compatibility table %q%s", name, suggest(name, t.Names()))
}

// NoRowError says that no row of a table fits, and which came nearest.
type NoRowError struct {
	Table string
	Given map[string]string
	// Nearest is the row with the fewest conditions that do not hold; of
	// several, one that misses later columns and by smaller numbers. Nil when
	// no row decides the column. Misses are its conditions that do not hold.
	Nearest *Row
	Misses  []Miss
}

// Miss is a condition of a row that does not hold.
type Miss struct {
	Column string
	Wanted string // the constraint or word
	Found  string // the version given
}

func (e *NoRowError) Error() string {
	var given []string
	for _, k := range slices.Sorted(maps.Keys(e.Given)) {
		given = append(given, columnName(k)+" "+e.Given[k])
	}
	text := "no known combination has " + strings.Join(given, " with ")
	if e.Nearest == nil {
		return text
	}
	var misses []string
	for _, m := range e.Misses {
		misses = append(misses, columnName(m.Column)+" "+m.Wanted)
	}
	nearest := "the nearest known one"
	if release := e.Nearest.Then["gocv"]; release != "" {
		nearest += ", with gocv " + release + ","
	}
	return fmt.Sprintf("%s; %s needs %s", text, nearest, strings.Join(misses, " and "))
}

// columnName is what a table's column stands for, for people.
func columnName(column string) string {
	switch column {
	case "cuda":
		return "CUDA"
	case "sm":
		return "compute capability"
	case "os":
		return "system"
	case "ubuntu":
		return "Ubuntu"
	}
	return Display(column)
}

// Choose looks up the first row whose conditions all hold for the given
// versions (column → version) and that decides the column, and returns the
// column's value. Every When column of the rows must be given. A *NoRowError
// means the versions are known and no row fits them; other errors are an
// unknown table or column, or a version that cannot be read.
func (t *Tables) Choose(table string, versions map[string]string, column string) (string, *Row, error) {
	tab, err := t.Table(table)
	if err != nil {
		return "", nil, err
	}
	if !slices.Contains(tab.Then, column) {
		return "", nil, fmt.Errorf("compatibility table %s decides no column %q%s", table, column, suggest(column, tab.Then))
	}
	none := &NoRowError{Table: table, Given: versions}
	values := make(map[string]given, len(versions))
	for name, text := range versions {
		v, err := Version(text)
		values[name] = given{text: text, version: v, err: err}
	}
	var nearest distance
	for i := range tab.Rows {
		row := &tab.Rows[i]
		if _, ok := row.Then[column]; !ok {
			continue
		}
		var misses []Miss
		var far distance
		for _, c := range row.conditions {
			value, ok := values[c.column]
			if !ok {
				return "", nil, fmt.Errorf("compatibility table %s needs the version of %s", table, c.column)
			}
			if value.text == "" {
				continue // not known, and the one who asks can do without
			}
			holds, err := c.holds(value)
			if err != nil {
				return "", nil, fmt.Errorf("compatibility table %s, column %s: %w", table, c.column, err)
			}
			if !holds {
				misses = append(misses, Miss{Column: c.column, Wanted: c.text, Found: value.text})
				far.add(c, value, slices.Index(tab.When, c.column))
			}
		}
		if len(misses) == 0 {
			return row.Then[column], row, nil
		}
		if none.Nearest == nil || far.less(nearest) {
			none.Nearest, none.Misses, nearest = row, misses, far
		}
	}
	return "", nil, none
}

// distance says how far a row is from a host: by how many conditions miss,
// then by which columns do (a table lists first what is hardest to change),
// then by how far the versions are from the limits they break.
type distance struct {
	misses  int
	columns uint64 // bit 63 is the first column
	gap     float64
}

func (f *distance) add(c condition, value given, column int) {
	f.misses++
	f.columns |= 1 << (63 - min(column, 63))
	if c.word == "" {
		f.gap += c.constraint.gap(value.version)
	}
}

func (f distance) less(g distance) bool {
	if f.misses != g.misses {
		return f.misses < g.misses
	}
	if f.columns != g.columns {
		return f.columns < g.columns
	}
	return f.gap < g.gap
}

// Meets reports whether a value meets a row's condition on a column; a column
// that the row does not ask is met by every value. A version that cannot be
// read meets no constraint.
func (r *Row) Meets(column, value string) bool {
	for _, c := range r.conditions {
		if c.column != column {
			continue
		}
		v, err := Version(value)
		holds, err := c.holds(given{text: value, version: v, err: err})
		return err == nil && holds
	}
	return true
}

// Meeting are the indexes of the rows whose condition on a column a value
// meets, as Meets has it; the value is read once.
func (t *Table) Meeting(column, value string) []int {
	v, err := Version(value)
	g := given{text: value, version: v, err: err}
	var out []int
	for i := range t.Rows {
		meets := true
		for _, c := range t.Rows[i].conditions {
			if c.column == column {
				holds, err := c.holds(g)
				meets = err == nil && holds
			}
		}
		if meets {
			out = append(out, i)
		}
	}
	return out
}

// Known are the versions that a column's constraints name as lower limits or
// exactly, newest first: those at which something changes.
func (t *Table) Known(column string) []string {
	seen := map[string]*version.Version{}
	for i := range t.Rows {
		for _, c := range t.Rows[i].conditions {
			if c.column != column {
				continue
			}
			for _, p := range c.constraint.parts {
				if p.op == ">=" || p.op == "=" || p.op == "" {
					seen[p.limit.Original()] = p.limit
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b string) int {
		if c := seen[b].Compare(seen[a]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
}

// All loads every table, sorted by name.
func (t *Tables) All() ([]*Table, error) {
	var out []*Table
	for _, name := range t.Names() {
		table, err := t.Table(name)
		if err != nil {
			return nil, err
		}
		out = append(out, table)
	}
	return out, nil
}
