package solve

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// rows is a set of a table's rows, by index.
type rows []uint64

func newRows(n int) rows      { return make(rows, (n+63)/64) }
func (r rows) set(i int)      { r[i/64] |= 1 << (i % 64) }
func (r rows) has(i int) bool { return r[i/64]&(1<<(i%64)) != 0 }
func (r rows) and(other rows) {
	for i := range r {
		r[i] &= other[i]
	}
}
func (r rows) or(other rows) {
	for i := range r {
		r[i] |= other[i]
	}
}
func (r rows) clone() rows { return slices.Clone(r) }
func (r rows) first() int {
	for i, w := range r {
		if w != 0 {
			return i*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// lookup is a compat check prepared for many questions: for every candidate the
// rows whose conditions it meets. The row that counts is the first that every
// column meets, as Tables.Choose has it.
type lookup struct {
	check *recipes.CompatCheck
	table *recipes.Table
	base  rows // rows that decide the column and that topics and parameters meet
	// meets has, per variable of the scope, a row set per candidate version.
	columns []string // column of each scope variable, "" when it is only held
	holds   []string // relation asked of each scope variable, "" for none
	memo    []map[string]rows
	held    []map[string]rows
	related map[string]recipes.Constraint
}

// compat turns a compat check into a constraint.
func (p *problem) compat(q *recipes.Requirement) error {
	c := q.Compat
	table, err := p.tables.Table(c.Table)
	if err != nil {
		return lang.Errorf("recipe %s, requirement %s: %w", p.recipe.Name, q.ID, err)
	}
	l := &lookup{check: c, table: table, base: newRows(len(table.Rows)), related: map[string]recipes.Constraint{}}
	known := map[string]string{}
	for column, name := range c.Parameters {
		known[column] = p.recipe.Setting(name)
	}
	for _, name := range c.Given {
		switch name {
		case "os":
			known[name] = p.facts.OS.Family
		case "sm":
			// Without an NVIDIA GPU the check is skipped, as Evaluate does; with
			// one that does not tell, it is unknown.
			if known[name] = judge.BestGPU(p.facts); known[name] == "" {
				if slices.Contains(c.Optional, name) {
					delete(known, name)
					continue
				}
				for _, g := range p.facts.GPUs {
					if g.Vendor == "nvidia" {
						p.open = append(p.open, lang.F("%s: the compute capability of %s could not be determined", q.ID, g.Name))
						break
					}
				}
				return nil
			}
		case "ubuntu":
			if p.facts.OS.ID != "ubuntu" || p.facts.OS.Version == "" {
				return nil
			}
			known[name] = p.facts.OS.Version
		}
	}
	for i := range table.Rows {
		row := &table.Rows[i]
		if row.Then[c.Choose] == "" {
			continue
		}
		fits := true
		for column, value := range known {
			fits = fits && row.Meets(column, value)
		}
		if fits {
			l.base.set(i)
		}
	}
	list := components(c)
	// A Jetson's driver is a line of its own: it is not compared, as in Evaluate.
	if judge.DriverHost(p.facts) == "jetson" && slices.Contains(list, "nvidia-driver") {
		return nil
	}
	scope, ok := p.scope(list...)
	if !ok {
		return nil
	}
	for _, name := range list {
		column := ""
		if slices.Contains(c.Given, name) {
			column = name
		}
		l.columns = append(l.columns, column)
		l.holds = append(l.holds, c.Holds[name])
		l.memo = append(l.memo, map[string]rows{})
		l.held = append(l.held, map[string]rows{})
	}
	p.constraints = append(p.constraints, &constraint{
		id: q.ID, scope: scope, context: pairs(known),
		why:      func() string { return p.whyTable(q, l, scope, known) },
		ok:       func(chosen []*candidate) bool { ok, _ := l.ok(chosen); return ok },
		untested: func(chosen []*candidate) string { return l.untested(chosen) },
	})
	return nil
}

// pairs lists what is known of columns: openpose 1.6.0 and os windows.
func pairs(known map[string]string) string {
	var out []string
	for _, column := range slices.Sorted(maps.Keys(known)) {
		switch value := known[column]; column {
		case "sm":
			out = append(out, lang.F("compute capability %s", value))
		case "os":
			out = append(out, cmp.Or(map[string]string{"linux": "Linux", "windows": "Windows", "darwin": "macOS"}[value], value))
		default:
			out = append(out, label(column, value))
		}
	}
	return strings.Join(out, lang.T(" and "))
}

// meets are the rows that a version meets in a column.
func (l *lookup) meets(n int, version string) rows {
	if m, ok := l.memo[n][version]; ok {
		return m
	}
	m := newRows(len(l.table.Rows))
	// No row has a condition on the column "", which a component that is only
	// held has.
	for _, i := range l.table.Meeting(l.columns[n], version) {
		m.set(i)
	}
	l.memo[n][version] = m
	return m
}

// heldBy are the rows whose chosen value a version satisfies.
func (l *lookup) heldBy(n int, version string) rows {
	if m, ok := l.held[n][version]; ok {
		return m
	}
	m := newRows(len(l.table.Rows))
	// Many rows decide the same value; each is asked once.
	asked := map[string]bool{}
	for i := range l.table.Rows {
		value := l.table.Rows[i].Then[l.check.Choose]
		holds, known := asked[value]
		if !known {
			if want, ok := l.relate(n, value); ok {
				satisfied, err := want.Check(version)
				holds = err == nil && satisfied
			}
			asked[value] = holds
		}
		if holds {
			m.set(i)
		}
	}
	l.held[n][version] = m
	return m
}

// relate reads a relation and a value once.
func (l *lookup) relate(n int, value string) (recipes.Constraint, bool) {
	key := l.holds[n] + " " + value
	if c, ok := l.related[key]; ok {
		return c, !c.Any()
	}
	// An error, as for a row that decides no value, leaves the constraint empty.
	c, err := recipes.Relate(l.holds[n], value)
	if err != nil {
		c = recipes.Constraint{}
	}
	l.related[key] = c
	return c, !c.Any()
}

// row is the row that counts for the candidates, -1 for none.
func (l *lookup) row(chosen []*candidate) int {
	set := l.base.clone()
	for n, c := range chosen {
		if c.none {
			return -1
		}
		set.and(l.meets(n, c.inst.Version))
	}
	return set.first()
}

func (l *lookup) ok(chosen []*candidate) (bool, int) {
	for _, c := range chosen {
		if c.none {
			return false, -1
		}
		// An unreadable version meets no condition, not even one that is not asked.
		if !c.readable {
			return false, -1
		}
	}
	if ok, known := l.machine(chosen); known {
		return ok, -1
	}
	at := l.row(chosen)
	if at < 0 {
		return l.unknown(chosen), -1
	}
	for n, c := range chosen {
		if l.holds[n] != "" && !l.heldBy(n, c.inst.Version).has(at) {
			return false, at
		}
	}
	return true, at
}

// unknown reports whether no row fits only because a copy that is here already is
// newer than the table: that does not call for a change. Nothing that would have to
// be installed is planned on such a guess.
func (l *lookup) unknown(chosen []*candidate) bool {
	versions := map[string]string{}
	for n, c := range chosen {
		if c.action != Keep && c.action != Switch {
			return false
		}
		versions[l.columns[n]] = c.inst.Version
	}
	return l.table.Newer(versions) != nil
}

// machine judges by what a toolkit that is kept says of itself.
func (l *lookup) machine(chosen []*candidate) (ok, known bool) {
	column, is := strings.CutPrefix(l.table.Name, "cuda-")
	if !is {
		return false, false
	}
	toolkit, other := facts.Instance{}, ""
	for n, c := range chosen {
		switch l.columns[n] {
		case "cuda":
			toolkit = c.inst
		case column:
			other = c.inst.Version
		}
	}
	limit, is := judge.HostLimit(toolkit, column)
	if !is || other == "" {
		return false, false
	}
	holds, err := limit.Accepts.Check(other)
	return err == nil && holds, true
}

func (l *lookup) untested(chosen []*candidate) string {
	_, known := l.machine(chosen)
	at := l.row(chosen)
	if known || at < 0 || l.table.Rows[at].Basis != recipes.Expected {
		return ""
	}
	list := make([]string, len(chosen))
	for i, c := range chosen {
		list[i] = c.label()
	}
	if len(list) == 1 {
		return lang.F("%s (table %s: %s)", list[0], l.table.Name, l.table.Rows[at].Source)
	}
	return lang.F("%s with %s (table %s: %s)", list[0], strings.Join(list[1:], lang.T(" and ")), l.table.Name, l.table.Rows[at].Source)
}

// newer is what is newer than the table among what is known of the machine and
// the components that can only be one version; nil for nothing.
func (l *lookup) newer(p *problem, scope []int, id string, known map[string]string) *recipes.NewerError {
	versions := maps.Clone(known)
	for n, v := range scope {
		own := p.own(v, id)
		if len(own) == 1 && l.columns[n] != "" {
			versions[l.columns[n]] = own[0].inst.Version
		}
	}
	return l.table.Newer(versions)
}

// whyTable says what a table allows, narrowed to what is fixed.
func (p *problem) whyTable(q *recipes.Requirement, l *lookup, scope []int, known map[string]string) string {
	var fixed, free []string
	if len(known) > 0 {
		fixed = append(fixed, pairs(known))
	}
	set := l.base.clone()
	for n, v := range scope {
		own := p.own(v, q.ID)
		var versions []string
		union := newRows(len(l.table.Rows))
		for _, c := range own {
			if c.none {
				continue
			}
			union.or(l.meets(n, c.inst.Version))
			if !slices.Contains(versions, c.inst.Version) {
				versions = append(versions, c.inst.Version)
			}
		}
		set.and(union)
		if len(versions) == 1 {
			fixed = append(fixed, label(p.vars[v].name, versions[0]))
		} else if l.columns[n] != "" {
			free = append(free, l.columns[n])
		}
	}
	text := lang.F("table %s (%s)", l.table.Name, q.ID)
	if len(fixed) > 0 {
		text += lang.F(" for %s", strings.Join(fixed, lang.T(" and ")))
	}
	var options []string
	source := ""
	for i := range l.table.Rows {
		if !set.has(i) {
			continue
		}
		row := &l.table.Rows[i]
		source = row.Source
		var parts []string
		for _, column := range free {
			if want := row.When[column]; want != "" {
				parts = append(parts, label(column, want))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(l.check.Holds)) {
			if c, err := recipes.Relate(l.check.Holds[name], row.Then[l.check.Choose]); err == nil {
				parts = append(parts, label(name, c.String()))
			}
		}
		if option := strings.Join(parts, lang.T(" with ")); option != "" && !slices.Contains(options, option) {
			options = append(options, option)
		}
	}
	switch newer := l.newer(p, scope, q.ID, known); {
	case newer != nil:
		return text + ": " + newer.Error()
	case set.first() < 0:
		return lang.F("%s has no row", text)
	case len(options) == 0:
		return lang.F("%s has a row (%s)", text, source)
	case len(options) > 3:
		return lang.F("%s allows %s, or %d other combinations", text, strings.Join(options[:3], lang.T(", or ")), len(options)-3)
	}
	return lang.F("%s allows only %s (%s)", text, strings.Join(options, lang.T(", or ")), source)
}
