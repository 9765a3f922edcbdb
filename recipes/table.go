package recipes

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Basis says how well a row of a compatibility table is known.
type Basis string

// The bases, best first.
const (
	// Measured: built or run by deployctl's own tests on that pair.
	Measured Basis = "measured"
	// Published: the maker's own document or build file says so.
	Published Basis = "published"
	// FromArtifact: read from a file that the maker publishes, such as
	// crt/host_config.h in NVIDIA's compiler wheels.
	FromArtifact Basis = "artifact"
	// Expected: nobody has said or tried it; it follows from its neighbors.
	// A finding that rests on it is a warning, and verify decides.
	Expected Basis = "expected"
)

// Bases are the words for how well a row is known, best first.
func Bases() []string {
	return []string{string(Measured), string(FromArtifact), string(Published), string(Expected)}
}

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
	// Complete says up to where the rows go. A version above that is unknown,
	// not wrong.
	Complete Complete `yaml:"complete" json:"complete"`
	// Versions names the columns of Then whose values are versions; the others
	// hold text.
	Versions []string `yaml:"versions,omitempty" json:"versions,omitempty"`
	// Compares names columns of Then that hold a constraint on a column of When:
	// gpus: sm. A row fits only where that constraint holds, too.
	Compares map[string]string `yaml:"compares,omitempty" json:"compares,omitempty"`
	Rows     []Row             `yaml:"rows" json:"rows"`
	// Source is where the table was read from. It is not part of the file.
	Source string `yaml:"-" json:"source"`
	// begins holds what Begins has found, by column.
	begins *sync.Map
	// Yours are the files in the user's recipe folder whose rows were added.
	Yours []string `yaml:"-" json:"yours,omitempty"`
}

// Complete says how far a table goes.
type Complete struct {
	// AsOf is the month in which the rows were last compared with what the
	// makers publish: 2026-11.
	AsOf string `yaml:"as-of" json:"as_of"`
	// Through maps columns to the newest version that the rows account for: 13.5
	// covers 13.5.1 and not 13.6. Of a column that is not here, every version is
	// accounted for.
	Through map[string]string `yaml:"through,omitempty" json:"through,omitempty"`
	// Decides says what settles the question for a newer version, as one sentence.
	Decides string `yaml:"decides,omitempty" json:"decides,omitempty"`
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
	// From is the user's file that the row comes from, "" for a row of the
	// program's own table.
	From string `yaml:"-" json:"from,omitempty"`

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
			return c, lang.Errorf("condition %q names no word", text)
		}
		return c, nil
	}
	constraint, err := ParseConstraint(text)
	if err != nil {
		return c, err
	}
	if constraint.Any() {
		return c, lang.Errorf("the condition on %s is empty; leave the column out instead", column)
	}
	c.constraint = constraint
	return c, nil
}

// LoadTable reads one compatibility table and checks all of it. The error is an
// *InvalidError.
func LoadTable(data []byte, name string) (*Table, error) { return loadTable(data, name, true, nil) }

// loadTable leaves out the comparison of every row with every other one for
// tables that are part of the program: a test has made it. also looks for more
// mistakes; nil for none.
func loadTable(data []byte, name string, pairs bool, also func(t *Table, d *document)) (*Table, error) {
	t := &Table{Source: name, begins: &sync.Map{}}
	d := decode(data, name, t)
	d.lint(func() {
		lintTable(t, d)
		if also != nil {
			also(t, d)
		}
	})
	if len(d.mistakes) == 0 && pairs {
		lintPairs(t, d)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return t, nil
}

// Tables is a set of compatibility tables. A table is read when it is first
// asked for: a run needs one or two of them, and reading all takes longer than
// probing the machine. It may be used by many at once.
type Tables struct {
	byName map[string]func() (*Table, error)
	checks func() ([]Check, error)
	// own are the names of the tables that are part of the program; locked says why
	// the user's could not be listed.
	own    map[string]bool
	locked error
	// yours are the names of the user's files, broken ones too.
	yours  map[string]bool
	chosen sync.Map // question → answer: Choose is asked the same thing often
}

// question is what Choose is asked, answer what it gives.
type (
	question struct{ table, column, versions string }
	answer   struct {
		value string
		row   *Row
		err   error
	}
)

// Embedded reports whether a table of the name is part of the program.
func (t *Tables) Embedded(name string) bool { return t.own[name] }

// Check reports what is wrong with the user's own tables that a recipe asks. Those of the
// program are without mistakes, and are not read for it.
func (t *Tables) Check(r *Recipe) error {
	var broken []error
	asked := map[string]bool{}
	for _, q := range r.Requirements {
		if q.Compat == nil || !t.yours[q.Compat.Table] || asked[q.Compat.Table] {
			continue
		}
		asked[q.Compat.Table] = true
		if _, err := t.Table(q.Compat.Table); err != nil {
			broken = append(broken, err)
		}
	}
	return errors.Join(broken...)
}

// Locked says why the user's own tables could not be listed; nil where they could.
func (t *Tables) Locked() error { return t.locked }

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
			return nil, lang.Errorf("compatibility table %s is defined twice, the second time in %s", table.Name, table.Source)
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
	return nil, lang.Errorf("unknown compatibility table %q%s", name, suggest(name, t.Names()))
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
		if k == "os" && len(e.Given) > 1 {
			continue // everybody knows on which system this is
		}
		given = append(given, Versioned(k, e.Given[k]))
	}
	text := lang.F("no known combination has %s", strings.Join(given, lang.T(" with ")))
	if e.Nearest == nil {
		return text
	}
	var misses []string
	for _, m := range e.Misses {
		misses = append(misses, Versioned(m.Column, m.Wanted))
	}
	needs := strings.Join(misses, lang.T(" and "))
	if release := e.Nearest.Then["gocv"]; release != "" {
		return lang.F("%s; the nearest known one, with gocv %s, needs %s", text, release, needs)
	}
	return lang.F("%s; the nearest known one needs %s", text, needs)
}

// NewerError says that no row of a table fits and that a version is newer than
// what the table accounts for: nobody knows whether it fits.
type NewerError struct {
	Table   string
	Column  string
	Version string
	// Through is the newest version that the table accounts for, AsOf the month
	// in which that was so.
	Through, AsOf string
	// Decides says what settles the question.
	Decides string
}

func (e *NewerError) Error() string {
	return lang.F("newer than this table (%s): %s %s; its rows end with %s", e.AsOf, columnName(e.Column), e.Version, e.Through)
}

// Newer reports the first column, in the table's order, whose version is above
// what the table accounts for; nil where there is none.
func (t *Table) Newer(versions map[string]string) *NewerError {
	for _, column := range t.When {
		through, ok := t.Complete.Through[column]
		if ok && versions[column] != "" && beyond(versions[column], through) {
			return &NewerError{Table: t.Name, Column: column, Version: versions[column], Through: through, AsOf: t.Complete.AsOf, Decides: t.Complete.Decides}
		}
	}
	return nil
}

// beyond reports whether a version is above a limit in those numbers that the
// limit has: 13.5.1 is not beyond 13.5.
func beyond(text, limit string) bool {
	v, errV := Version(text)
	l, errL := Version(limit)
	if errV != nil || errL != nil {
		return false
	}
	have, want := v.Segments64(), l.Segments64()
	for i := range strings.Count(limit, ".") + 1 {
		if i >= len(have) || i >= len(want) || have[i] != want[i] {
			return i < len(have) && i < len(want) && have[i] > want[i]
		}
	}
	return false
}

// columnName is what a table's column stands for, for people.
// Versioned is a column with its value, as people say it: CUDA 11.8, Visual Studio 2017
// (15.3.26730), and Visual Studio 2015 for the condition >= 14, < 15.
func Versioned(column, value string) string {
	years := map[int]string{14: "2015", 15: "2017", 16: "2019", 17: "2022", 18: "2026"}
	text := strings.TrimPrefix(value, ">= ")
	first, below, whole := strings.Cut(text, ", < ")
	n, err := strconv.Atoi(strings.Split(first, ".")[0])
	switch {
	case column != "visual-studio" || err != nil || years[n] == "":
	case text == value:
		return Display(column) + " " + years[n] + " (" + value + ")"
	case whole && first == strconv.Itoa(n) && below == strconv.Itoa(n+1):
		return Display(column) + " " + years[n]
	}
	return columnName(column) + " " + value
}

func columnName(column string) string {
	switch column {
	case "cuda":
		return "CUDA"
	case "sm":
		return lang.T("compute capability")
	case "os":
		return lang.T("system")
	case "ubuntu":
		return "Ubuntu"
	}
	return Display(column)
}

// Choose looks up the first row whose conditions all hold for the given
// versions (column → version) and that decides the column, and returns the
// column's value. Every When column of the rows must be given. A *NoRowError
// means the versions are known and no row fits them, a *NewerError that one of
// them is newer than the table; other errors are an unknown table or column, or
// a version that cannot be read. Answers are shared: change none.
func (t *Tables) Choose(table string, versions map[string]string, column string) (string, *Row, error) {
	if t == nil { // no tables: each one is unknown
		return t.choose(table, versions, column)
	}
	var given strings.Builder
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(&given, "%s=%s\x00", name, versions[name])
	}
	q := question{table: table, column: column, versions: given.String()}
	known, ok := t.chosen.Load(q)
	if !ok {
		var a answer
		a.value, a.row, a.err = t.choose(table, maps.Clone(versions), column)
		known, _ = t.chosen.LoadOrStore(q, a)
	}
	a := known.(answer)
	return a.value, a.row, a.err
}

func (t *Tables) choose(table string, versions map[string]string, column string) (string, *Row, error) {
	tab, err := t.Table(table)
	if err != nil {
		return "", nil, err
	}
	if !slices.Contains(tab.Then, column) {
		return "", nil, lang.Errorf("compatibility table %s decides no column %q%s", table, column, suggest(column, tab.Then))
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
				return "", nil, lang.Errorf("compatibility table %s needs the version of %s", table, c.column)
			}
			if value.text == "" {
				continue // not known, and the one who asks can do without
			}
			holds, err := c.holds(value)
			if err != nil {
				return "", nil, lang.Errorf("compatibility table %s, column %s: %w", table, c.column, err)
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
	if newer := tab.Newer(versions); newer != nil {
		return "", nil, newer
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

var firstNumber = lazyregexp.New(`[0-9]+(\.[0-9]+)*`)

// Begins are the versions that the rows' conditions on a column begin at, newest
// first.
func (t *Table) Begins(column string) []string {
	if list, ok := t.begins.Load(column); ok {
		return list.([]string)
	}
	seen := map[string]*version.Version{}
	for i := range t.Rows {
		text := firstNumber.FindString(t.Rows[i].When[column])
		if v, err := Version(text); err == nil {
			seen[text] = v
		}
	}
	list := slices.SortedFunc(maps.Keys(seen), func(a, b string) int {
		return cmp.Or(seen[b].Compare(seen[a]), strings.Compare(a, b))
	})
	t.begins.Store(column, list)
	return list
}

// All loads every table, sorted by name. Where some cannot be loaded, the others are
// returned together with the error, which has all mistakes.
func (t *Tables) All() ([]*Table, error) {
	var out []*Table
	var broken []error
	for _, name := range t.Names() {
		table, err := t.Table(name)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		out = append(out, table)
	}
	return out, errors.Join(broken...)
}
