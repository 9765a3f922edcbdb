package judge

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// cudaFor is the CUDA toolkit to install: one that generates code for this machine's
// GPU, compiles with its MSVC and, with onDriver, runs on its driver, and for which
// every table that the recipe asks of CUDA has a row: of cuDNN, the compiler, OpenCV
// and the framework. Of those it is the one that leaves most of what is installed as
// it is, then the newest; "" where there is none, or the GPU is not known.
func (e *evaluation) cudaFor(requirement recipes.Constraint, onDriver bool) string {
	sm := BestGPU(e.facts)
	if sm == "" {
		return ""
	}
	key := fmt.Sprint(requirement, " ", onDriver)
	if v, ok := e.toolkits[key]; ok {
		return v
	}
	best, least := "", 0
	seen := map[string]bool{} // of each series the newest that fits
	for _, v := range e.series("cuda-driver", "cuda") {
		if seen[recipes.Series(v)] || !holds(requirement, v) || !e.runsCUDA(v, sm, onDriver) || !e.torchHasCode(v, sm) {
			continue
		}
		seen[recipes.Series(v)] = true
		points, ok := e.beside(v, nil)
		if ok && (best == "" || points < least) {
			best, least = v, points
		}
		if best != "" && least == 0 {
			break
		}
	}
	if e.toolkits == nil {
		e.toolkits = map[string]string{}
	}
	e.toolkits[key] = best
	return best
}

// torchHasCode reports whether a LibTorch that is still to be installed has a build for a
// toolkit with code for the card: PyTorch's builds for newer toolkits leave old cards out
// that the toolkits themselves know. True where that is not known.
func (e *evaluation) torchHasCode(cuda, sm string) bool {
	asked := slices.ContainsFunc(e.recipe.Requirements, func(q recipes.Requirement) bool { return q.Compat != nil && q.Compat.Table == "libtorch-cuda" })
	if _, installed := e.facts.Active("libtorch"); !asked || installed {
		return true
	}
	without := false
	for _, v := range e.series("libtorch-cuda", "libtorch") {
		build, _, err := e.tables.Choose("libtorch-cuda", map[string]string{"libtorch": v, "cuda": cuda}, "build")
		if err != nil {
			continue
		}
		if !e.torchLacks(v, build, sm) {
			return true
		}
		without = true
	}
	return !without
}

// torchLacks reports whether one of PyTorch's builds is known to have no code for a card.
func (e *evaluation) torchLacks(version, build, sm string) bool {
	code := e.bundled(e.libtorchCode(version, build), build, sm)
	return sm != "" && len(code.CUDAArchs) > 0 && !runsOn(code, sm)
}

// runsCUDA reports what no installation beside the toolkit changes: the card, the
// driver and, on Windows, the MSVC that the toolset check has chosen.
func (e *evaluation) runsCUDA(v, sm string, onDriver bool) bool {
	if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": v}, "generation"); err != nil {
		return false
	}
	driver, hasDriver := e.facts.Active("nvidia-driver")
	if onDriver && hasDriver && driver.Version != "" && e.facts.OS.Board == "" {
		least, _, err := e.tables.Choose("cuda-driver", map[string]string{"os": e.driverOS(), "cuda": v}, "driver_minor")
		if err != nil || newer(least, driver.Version) {
			return false
		}
	}
	msvc, hasMSVC := e.facts.Active("msvc")
	return !hasMSVC || e.facts.OS.Family != "windows" || e.accepts(facts.Instance{Version: v}, msvc.Version)
}

// option is a version that a component could have beside a toolkit.
type option struct {
	version string
	points  int // what it takes to have it
}

// What it takes to change a component beside a toolkit, in the points of the plan
// (package solve): switching to a copy that is here is 1, a package 20 and what its
// download and minutes add, OpenCV an hour's build. A pair that nobody has tried
// counts as much as one installation.
const (
	switchPoints   = 1
	untriedPoints  = 15
	replacePoints  = 25
	compilerPoints = 25
	rebuildPoints  = 85
)

// beside says what has to change beside a toolkit for every table of the recipe to
// have a row; false where nothing gives one. What is in fixed has that version.
func (e *evaluation) beside(cuda string, fixed map[string]string) (points int, ok bool) {
	c := &choice{e: e, cuda: cuda, checks: e.besideTables(), chosen: map[string]string{}}
	domains := map[string][]option{}
	for _, check := range c.checks {
		for _, name := range others(check) {
			if _, known := domains[name]; !known {
				domains[name] = c.options(name, fixed[name])
			}
		}
	}
	names := slices.Sorted(maps.Keys(domains))
	best := -1
	var choose func(n, so int)
	choose = func(n, so int) {
		if best >= 0 && so >= best {
			return
		}
		if n == len(names) {
			best = so
			return
		}
		for _, o := range domains[names[n]] {
			c.chosen[names[n]] = o.version
			if more, fits := c.asks(names[:n+1]); fits {
				choose(n+1, so+o.points+more)
			}
		}
		delete(c.chosen, names[n])
	}
	choose(0, 0)
	return best, best >= 0
}

// choice is what goes beside one toolkit.
type choice struct {
	e      *evaluation
	cuda   string
	checks []*recipes.CompatCheck
	chosen map[string]string // component to version
}

// besideTables are the recipe's required comparisons of CUDA with other components,
// those with the card, the driver and MSVC left out. What applies only where CUDA or
// cuDNN is present applies once they are installed.
func (e *evaluation) besideTables() []*recipes.CompatCheck {
	var out []*recipes.CompatCheck
	for i := range e.recipe.Requirements {
		q := &e.recipe.Requirements[i]
		if q.Compat == nil || q.Severity != "" && q.Severity != recipes.Required || !slices.Contains(q.Compat.Given, "cuda") || len(q.Compat.Parameters) > 0 {
			continue
		}
		switch q.Compat.Table {
		case "cuda-driver", "cuda-sm", "cuda-msvc":
			continue
		}
		if q.When != nil {
			when := *q.When
			when.Present = slices.DeleteFunc(slices.Clone(when.Present), func(name string) bool { return name == "cuda" || name == "cudnn" })
			if _, applies := e.applies(&when); !applies {
				continue
			}
		}
		out = append(out, q.Compat)
	}
	return out
}

// others are the components beside CUDA that a comparison is about.
func others(c *recipes.CompatCheck) []string {
	var out []string
	for _, name := range slices.Concat(c.Given, slices.Sorted(maps.Keys(c.Holds))) {
		if name != "cuda" && !slices.Contains(recipes.Topics(), name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// options are the versions that a component could have: the copy in use, other copies,
// and those that the tables know, or only the one that is fixed. They fit what the
// recipe asks of the component and every comparison with CUDA alone; of versions that
// no table tells apart only the cheapest is kept.
func (c *choice) options(name, fixed string) []option {
	if fixed != "" {
		return []option{{fixed, 0}}
	}
	e := c.e
	var all []option
	active, installed := e.facts.Active(name)
	here, change := installed, replacePoints
	switch {
	case name == "gcc":
		change = compilerPoints
		if host := e.hostGCC(); host != "" {
			active.Version, here = host, true
		}
	case name == "opencv":
		change = rebuildPoints
		// A build for another CUDA, or for none, has to be built again whatever the
		// toolkit is.
		here = here && active.Built.CUDA != "" && recipes.Series(active.Built.CUDA) == recipes.Series(c.cuda)
	}
	if here {
		all = append(all, option{active.Version, 0})
	}
	if name == "gcc" || name == "clang" {
		for _, i := range e.facts.Components[name] {
			if i.Unusable == nil {
				all = append(all, option{i.Version, switchPoints})
			}
		}
	}
	if !installed {
		change = 0 // it has to be installed anyway
	}
	for _, check := range c.checks {
		if slices.Contains(others(check), name) {
			for _, v := range e.series(check.Table, name) {
				all = append(all, option{v, change})
			}
		}
	}
	wanted := e.versionsOf(name)
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(o option) bool {
		if _, err := recipes.Version(o.version); err != nil || slices.ContainsFunc(wanted, func(w recipes.Constraint) bool { return !holds(w, o.version) }) {
			return true
		}
		alike := c.alike(name, o.version)
		if seen[alike] {
			return true
		}
		seen[alike] = true
		c.chosen[name] = o.version
		_, fits := c.asks([]string{name})
		delete(c.chosen, name)
		return !fits
	})
}

// alike is the same for versions of a component that no table tells apart.
func (c *choice) alike(name, version string) string {
	var text strings.Builder
	for _, check := range c.checks {
		if _, held := check.Holds[name]; held {
			fmt.Fprint(&text, major(version), ";")
		}
		if slices.Contains(check.Given, name) {
			fmt.Fprint(&text, c.e.rowsOf(check.Table, name, version), ";")
		}
	}
	return text.String()
}

// rowsOf are the rows of a table whose condition on a column a version meets.
func (e *evaluation) rowsOf(table, column, version string) []int {
	key := [3]string{table, column, version}
	if list, ok := e.meeting[key]; ok {
		return list
	}
	var list []int
	if t, err := e.tables.Table(table); err == nil {
		list = t.Meeting(column, version)
	}
	if e.meeting == nil {
		e.meeting = map[[3]string][]int{}
	}
	e.meeting[key] = list
	return list
}

// versionsOf are the versions that the recipe's own lines ask of a component.
func (e *evaluation) versionsOf(name string) []recipes.Constraint {
	var out []recipes.Constraint
	for i := range e.recipe.Requirements {
		q := &e.recipe.Requirements[i]
		if q.Component == nil || q.Component.Name != name || q.Component.Absent || q.Severity != "" && q.Severity != recipes.Required || !e.asks(q) {
			continue
		}
		if c, err := recipes.ParseConstraint(q.Component.Version); err == nil && !c.Any() {
			out = append(out, c)
		}
	}
	return out
}

// asks asks every comparison whose components are chosen, the last of names among
// them; points are what pairs that are only expected to work count.
func (c *choice) asks(names []string) (points int, fits bool) {
	last := names[len(names)-1]
	for _, check := range c.checks {
		list := others(check)
		if !slices.Contains(list, last) || slices.ContainsFunc(list, func(name string) bool { return !slices.Contains(names, name) }) {
			continue
		}
		row := c.row(check)
		if row == nil {
			return 0, false
		}
		for name, relation := range check.Holds {
			if want, err := recipes.Relate(relation, row.Then[check.Choose]); err != nil || !holds(want, c.chosen[name]) {
				return 0, false
			}
		}
		if row.Basis == recipes.Expected {
			points += untriedPoints
		}
	}
	return points, true
}

// row is the row of a comparison that the chosen versions meet, as Tables.Choose has
// it; nil for none.
func (c *choice) row(check *recipes.CompatCheck) *recipes.Row {
	table, err := c.e.tables.Table(check.Table)
	if err != nil {
		return nil
	}
	lists := [][]int{}
	for _, name := range check.Given {
		version := c.chosen[name]
		switch name {
		case "cuda":
			version = c.cuda
		case "sm":
			version = BestGPU(c.e.facts)
		case "os":
			if version = c.e.facts.OS.Family; check.Table == "cuda-driver" {
				version = c.e.driverOS()
			}
		}
		lists = append(lists, c.e.rowsOf(check.Table, name, version))
	}
	for _, i := range lists[0] {
		if table.Rows[i].Then[check.Choose] == "" {
			continue
		}
		if !slices.ContainsFunc(lists[1:], func(list []int) bool { _, ok := slices.BinarySearch(list, i); return !ok }) {
			return &table.Rows[i]
		}
	}
	return nil
}

// holds reports whether a version is known to meet a constraint.
func holds(c recipes.Constraint, version string) bool {
	ok, err := c.Check(strings.TrimSpace(version))
	return err == nil && ok
}
