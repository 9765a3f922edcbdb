package recipes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// monthForm is a month: 2026-11.
var monthForm = lazyregexp.New(`^20[0-9]{2}-(0[1-9]|1[0-2])$`)

// plausible are the first numbers that a column's versions can have, and how
// large the second one can be. They catch a number of another kind: toolset 14.44
// written as Visual Studio's 17.14, compute capability 8.9 written as 89.
var plausible = map[string]struct{ low, high, minor int64 }{
	"android-ndk":   {9, 59, 99},
	"clang":         {2, 49, 99},
	"cmake":         {2, 9, 99},
	"cuda":          {1, 29, 9},
	"cudnn":         {1, 19, 99},
	"gcc":           {3, 39, 99},
	"go":            {1, 1, 199},
	"gocv":          {0, 1, 199},
	"libtorch":      {0, 4, 99},
	"driver":        {100, 1999, 999},
	"msvc":          {6, 14, 99},
	"nvidia-driver": {100, 1999, 999},
	"onnxruntime":   {0, 3, 199},
	"opencv":        {1, 9, 99},
	"sm":            {1, 19, 9},
	"ubuntu":        {4, 59, 10},
	"visual-studio": {6, 29, 99},
	"xcode":         {2, 49, 9},
}

// families are the words of the column os.
var families = []string{"linux", "windows", "darwin"}

// lintTable reports what is wrong with a table and with each row by itself.
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
	lintComplete(t, d)
	for i, c := range t.Versions {
		if !slices.Contains(t.Then, c) {
			d.at(fmt.Sprintf("$.versions[%d]", i), "%q is not a column of then%s", c, suggest(c, t.Then))
		}
	}
	for _, c := range slices.Sorted(maps.Keys(t.Compares)) {
		if !slices.Contains(t.Then, c) {
			d.at("$.compares."+c, "%q is not a column of then%s", c, suggest(c, t.Then))
		} else if !slices.Contains(t.When, t.Compares[c]) {
			d.at("$.compares."+c, "%q is not a column of when%s", t.Compares[c], suggest(t.Compares[c], t.When))
		}
	}
	if len(t.Rows) == 0 {
		d.at("$", "the table has no rows")
	}
	for i := range t.Rows {
		lintRow(t, &t.Rows[i], d, fmt.Sprintf("$.rows[%d]", i))
	}
}

// lintComplete checks what a table says of how far it goes.
func lintComplete(t *Table, d *document) {
	switch {
	case t.Complete.AsOf == "":
		d.at("$", "complete.as-of is missing: the month in which the rows were compared with what the makers publish")
	case !monthForm.MatchString(t.Complete.AsOf):
		d.at("$.complete.as-of", "as-of %q is not a month such as 2026-11", t.Complete.AsOf)
	}
	for _, column := range slices.Sorted(maps.Keys(t.Complete.Through)) {
		path := "$.complete.through." + column
		if !slices.Contains(t.When, column) {
			d.at(path, "%q is not a column of when%s", column, suggest(column, t.When))
			continue
		}
		v, err := Version(t.Complete.Through[column])
		if err != nil {
			d.at(path, "%v", err)
		} else if why := impossible(column, v); why != "" {
			d.at(path, "%s", why)
		}
	}
	if len(t.Complete.Through) > 0 && strings.TrimSpace(t.Complete.Decides) == "" {
		d.at("$.complete", "decides is missing: what settles the question for a newer version")
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
		if text, ok := r.When[column]; ok {
			lintCondition(t, r, d, path+".when."+column, column, text)
		}
	}
	for _, column := range t.Then {
		value, ok := r.Then[column]
		if of := t.Compares[column]; ok && of != "" {
			if _, twice := r.When[of]; twice {
				d.at(path+".when."+of, "%s holds the condition on %s; leave it out of when", column, of)
			}
			lintCondition(t, r, d, path+".then."+column, of, value)
		}
		if ok && slices.Contains(t.Versions, column) {
			if v, err := Version(value); err != nil {
				d.at(path+".then."+column, "%v", err)
			} else if why := impossible(column, v); why != "" {
				d.at(path+".then."+column, "%s", why)
			}
		}
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

// lintCondition reads one condition of a row and checks that something can meet it.
func lintCondition(t *Table, r *Row, d *document, path, column, text string) {
	c, err := parseCondition(column, text)
	if err != nil {
		d.at(path, "%v", err)
		return
	}
	r.conditions = append(r.conditions, c)
	if column == "os" && !slices.Contains(families, c.word) {
		d.at(path, "unknown system %q: one of %s, written as is %s%s", cmp.Or(c.word, text), strings.Join(families, ", "), families[0], suggest(c.word, families))
		return
	}
	if c.word != "" {
		return
	}
	for _, p := range c.constraint.parts {
		if why := impossible(column, p.limit); why != "" {
			d.at(path, "%s", why)
			return
		}
	}
	s := c.constraint.span()
	if s.empty() {
		d.at(path, "no version satisfies %q", text)
		return
	}
	if through, ok := t.Complete.Through[column]; ok && s.low != nil && beyond(s.low.Original(), through) {
		d.at(path, "%q begins above %s, where the table says that it ends (complete.through)", text, through)
	}
}

// impossible says why a column cannot have a version; "" where it can.
func impossible(column string, v *version.Version) string {
	p, ok := plausible[column]
	if !ok {
		return ""
	}
	n := v.Segments64()
	// An upper limit may be one above the largest: < 15 for msvc.
	if n[0] < p.low || n[0] > p.high && (n[0] != p.high+1 || n[1] != 0) || n[1] > p.minor {
		return lang.F("%s is not a version of %s", v.Original(), columnName(column))
	}
	if column == "ubuntu" && n[1] != 0 && n[1] != 4 && n[1] != 10 {
		return lang.F("%s is not a release of Ubuntu: they end in .04 or .10", v.Original())
	}
	return ""
}

// lintPairs reports rows that repeat, overlap or hide one another.
func lintPairs(t *Table, d *document) {
	for i := range t.Rows {
		for j := range i {
			a, b := &t.Rows[j], &t.Rows[i]
			if !decidesSame(a, b) || !a.overlaps(b) {
				continue
			}
			path := fmt.Sprintf("$.rows[%d]", i)
			switch line := d.places[fmt.Sprintf("$.rows[%d]", j)].Line; {
			case a.covers(b) && b.covers(a):
				d.at(path, "the row repeats the one in line %d", line)
			case a.covers(b):
				d.at(path, "the row is never reached: the one in line %d fits all that it fits", line)
			default:
				d.at(path, "the row overlaps the one in line %d; narrow one of them so that each combination has one row", line)
			}
			break
		}
	}
}

// decidesSame reports whether two rows decide a column in common.
func decidesSame(a, b *Row) bool {
	for column := range a.Then {
		if _, ok := b.Then[column]; ok {
			return true
		}
	}
	return false
}

// on is a row's condition on a column.
func (r *Row) on(column string) (condition, bool) {
	i := slices.IndexFunc(r.conditions, func(c condition) bool { return c.column == column })
	if i < 0 {
		return condition{}, false
	}
	return r.conditions[i], true
}

// overlaps reports whether something fits both rows.
func (r *Row) overlaps(other *Row) bool {
	for _, c := range r.conditions {
		o, ok := other.on(c.column)
		switch {
		case !ok:
		case c.word != "" || o.word != "":
			if !strings.EqualFold(c.word, o.word) {
				return false
			}
		case c.constraint.span().and(o.constraint.span()).empty():
			return false
		}
	}
	return true
}

// covers reports whether everything that fits the other row fits this one.
func (r *Row) covers(other *Row) bool {
	for _, c := range r.conditions {
		o, ok := other.on(c.column)
		switch {
		case !ok:
			return false
		case c.word != "" || o.word != "":
			if !strings.EqualFold(c.word, o.word) {
				return false
			}
		case !c.constraint.span().covers(o.constraint.span()):
			return false
		}
	}
	return true
}

// span is the range of versions that a constraint leaves. Versions that != takes
// out of its middle are in not.
type span struct {
	low, high     *version.Version // nil for no limit
	lowIn, highIn bool             // the limit itself is inside
	not           []*version.Version
}

// span gives the range that all parts of a constraint leave.
func (c Constraint) span() span {
	s := span{}
	for _, p := range c.parts {
		switch p.op {
		case ">=":
			s = s.and(span{low: p.limit, lowIn: true})
		case ">":
			s = s.and(span{low: p.limit})
		case "<":
			s = s.and(span{high: p.limit})
		case "<=":
			s = s.and(span{high: p.limit, highIn: true})
		case "!=":
			s.not = append(s.not, p.limit)
		case "~>":
			s = s.and(span{low: p.limit, lowIn: true, high: nextSeries(p.limit)})
		default:
			s = s.and(span{low: p.limit, lowIn: true, high: p.limit, highIn: true})
		}
	}
	return s
}

// nextSeries is where ~> ends: 3 for ~> 2.1, 2.2 for ~> 2.1.4.
func nextSeries(v *version.Version) *version.Version {
	n := slices.Clone(v.Segments64())
	given := strings.Count(strings.SplitN(v.Original(), "-", 2)[0], ".") + 1
	n = n[:max(1, min(given, len(n))-1)]
	n[len(n)-1]++
	next, err := version.NewVersion(strings.Trim(strings.ReplaceAll(fmt.Sprint(n), " ", "."), "[]"))
	if err != nil { // numbers joined by dots are a version
		return nil
	}
	return next
}

// and is what two ranges have in common.
func (s span) and(o span) span {
	out := s
	out.not = slices.Concat(s.not, o.not)
	if o.low != nil && (s.low == nil || o.low.GreaterThan(s.low) || o.low.Equal(s.low) && !o.lowIn) {
		out.low, out.lowIn = o.low, o.lowIn
	}
	if o.high != nil && (s.high == nil || o.high.LessThan(s.high) || o.high.Equal(s.high) && !o.highIn) {
		out.high, out.highIn = o.high, o.highIn
	}
	return out
}

// empty reports whether no version is in the range.
func (s span) empty() bool {
	if s.low == nil || s.high == nil || s.low.LessThan(s.high) {
		return false
	}
	if s.low.GreaterThan(s.high) || !s.lowIn || !s.highIn {
		return true
	}
	return slices.ContainsFunc(s.not, func(v *version.Version) bool { return v.Equal(s.low) })
}

// covers reports whether the other range is inside this one.
func (s span) covers(o span) bool {
	if s.low != nil && (o.low == nil || o.low.LessThan(s.low) || o.low.Equal(s.low) && o.lowIn && !s.lowIn) {
		return false
	}
	if s.high != nil && (o.high == nil || o.high.GreaterThan(s.high) || o.high.Equal(s.high) && o.highIn && !s.highIn) {
		return false
	}
	for _, v := range s.not {
		if !o.and(span{low: v, lowIn: true, high: v, highIn: true}).empty() {
			return false
		}
	}
	return true
}
