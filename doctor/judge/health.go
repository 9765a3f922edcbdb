package judge

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// health judges the checks of every component that the recipe touches, and those
// of the machine. A check that finds nothing wrong leaves no finding. Where one
// names the cause of another finding, that one is skipped.
func (e *evaluation) health(findings []Finding) []Finding {
	checks, err := e.tables.Checks()
	if err != nil {
		return append(findings, Finding{ID: "checks", Title: lang.T("Health checks"), State: Unknown, Severity: recipes.Required, Found: err.Error()})
	}
	known := len(findings)
	var silences []silence
	for i := range checks {
		c := &checks[i]
		if _, applies := e.applies(c.When); !applies {
			continue
		}
		for _, s := range e.subjects(c) {
			f, ok := e.healthOf(c, &s)
			if !ok || slices.ContainsFunc(findings[known:], func(other Finding) bool { return other.ID == f.ID && other.Found == f.Found }) {
				continue
			}
			findings = append(findings, f)
			// The requirement on the same copy says the same.
			if s.instance != nil && s.instance.Unusable != nil && c.If["unusable.reason"] != "" {
				for _, id := range e.requiring(s.name) {
					silences = append(silences, silence{pattern: id, cause: f.ID})
				}
			}
			for _, pattern := range c.Silences {
				pattern, _ = recipes.Fill(pattern, s.word)
				silences = append(silences, silence{pattern: pattern, cause: f.ID, needless: f.State == Info})
			}
		}
	}
	for i := range findings[:known] {
		if findings[i].State == Pending && findings[i].ID == "gpu.nvidia" { // what comes with the GPU
			for _, id := range []string{"nvidia-driver.version", "nvidia-driver.gpu", "gpu.memory", "gpu.memory-caffe", "cuda.driver", "cuda.sm"} {
				silences = append(silences, silence{pattern: id, cause: "gpu.nvidia"})
			}
		}
		if findings[i].State == Fail {
			// What the copy that is to be replaced lacks is not to be fetched.
			if name, _, _ := strings.Cut(findings[i].ID, "."); findings[i].Cause == WrongVersion && name == "libtorch" {
				for _, of := range []string{"missing", "elsewhere", "too-old", "damaged", "driver"} {
					silences = append(silences, silence{pattern: name + ".library-" + of, cause: findings[i].ID, required: true})
				}
			}
			for _, symptom := range symptoms[findings[i].ID] {
				silences = append(silences, silence{pattern: symptom, cause: findings[i].ID, required: true})
			}
		}
	}
	for i := range e.recipe.Requirements {
		q := &e.recipe.Requirements[i]
		if q.Builds != "" && slices.ContainsFunc(findings[:known], func(f Finding) bool { return f.ID == q.Builds && f.State == OK }) {
			silences = append(silences, silence{pattern: q.ID, cause: q.Builds, needless: true})
		}
	}
	for _, f := range findings[known:] {
		if f.ID == "visual-studio.unusable" { // repairing it brings back its parts
			silences = append(silences, silence{pattern: "msvc.present", cause: f.ID}, silence{pattern: "windows-sdk.present", cause: f.ID})
		}
		if f.ID == "nvidia-driver.unusable" { // it is what would tell the card
			for _, id := range []string{"gpu.nvidia", "nvidia-driver.gpu", "cuda.sm", "gpu.memory", "gpu.memory-caffe"} {
				silences = append(silences, silence{pattern: id, cause: f.ID, unknown: true})
			}
		}
	}
	for _, s := range silences {
		s.apply(findings)
	}
	e.unsettle(findings)
	return findings
}

// brought are what libraries bring with them or make needless, by the component that
// a finding is about.
var brought = map[string][]string{
	"cuda": {"onnxruntime", "libtorch", "tensorflow", "opencv"}, "cudnn": {"onnxruntime", "libtorch", "tensorflow", "opencv"}, "homebrew": {"opencv"},
}

// unsettle makes unknown what depends on a library that a probe was stopped over.
func (e *evaluation) unsettle(findings []Finding) {
	for i := range findings {
		f := &findings[i]
		for _, component := range f.About {
			for _, library := range brought[component] {
				p, late := e.facts.Late(library)
				if late && (f.State == Fail || f.State == Warn) && slices.Contains(e.touched(), library) {
					f.State, f.Found, f.Fix, f.Action = Unknown, unchecked(p, "").found, "", nil
				}
			}
		}
	}
}

// requiring are the requirements that ask for a component.
func (e *evaluation) requiring(name string) (ids []string) {
	for i := range e.recipe.Requirements {
		if q := &e.recipe.Requirements[i]; q.Component != nil && !q.Component.Absent && slices.Contains(names(q.Component), name) {
			ids = append(ids, q.ID)
		}
	}
	return ids
}

// symptoms are what a failed requirement makes other findings say. On a 32-bit
// system no library for 64 bits can be used. Without the card, nothing that serves it is missing, nor
// what builds for it (a Visual Studio is 5 GB). A CUDA that
// does not know the card is to be replaced, and with it what depends on it: the
// driver that it wants may even be one that no longer runs the card. Visual Studio
// brings the compiler and a Windows SDK. A Protocol Buffers or a Boost that is to be
// replaced is not asked about twice. And a MinGW that makes programs for
// another machine is replaced whatever else is wrong with it.
var symptoms = map[string][]string{
	"cpu.amd64":         {"mingw.cgo", "go.arch"},
	"vs.version":        {"msvc.present", "windows-sdk.present"},
	"openpose.vs":       {"msvc.present", "windows-sdk.present"},
	"mingw.cgo":         {"mingw.version", "mingw.threads", "mingw.order", "mingw.runtime"},
	"protobuf.openpose": {"protobuf.bytes-limit"}, "protobuf.caffe": {"protobuf.bytes-limit"},
	"boost.openpose": {"boost.system"}, "boost.caffe": {"boost.system"},
	"openpose.cuda": {"cuda.msvc", "cuda.vs-integration", "cudnn.cuda"},
	"cpu.arch":      {"onnxruntime.unusable", "libtorch.unusable", "tensorflow.unusable", "opencv.unusable", "ncnn.unusable"},
	"gpu.nvidia": {"gpu.memory", "nvidia-driver.version", "cuda.version", "cuda.darknet", "cuda.gcc", "cudnn.version", "libtorch.backend", "onnxruntime.backend", "darknet.backend", "libtorch.cuda", "onnxruntime.cudnn",
		"openpose.cuda-present", "openpose.cudnn-present", "libtorch.gpu-build", "onnxruntime.gpu-build", "darknet.gpu-build", "gpu.memory-caffe", "caffe.backend", "opencv.cuda", "vs.version"},
	"cuda.sm": {"cuda.driver", "cudnn.cuda", "libtorch.gpu-code", "onnxruntime.gpu-code", "caffe.gpu-code"},
}

// inPlace moves the findings of checks, which come after known others, before the
// first requirement on the same component: a broken driver comes before the CUDA
// that needs it.
func inPlace(findings []Finding, known int) []Finding {
	topic := func(f Finding) string { name, _, _ := strings.Cut(f.ID, "."); return name }
	own := map[string][]Finding{}
	for _, f := range findings[known:] {
		own[topic(f)] = append(own[topic(f)], f)
	}
	var out []Finding
	for _, f := range findings[:known] {
		out = append(out, own[topic(f)]...)
		delete(own, topic(f))
		out = append(out, f)
	}
	for _, f := range findings[known:] {
		out = append(out, own[topic(f)]...)
		delete(own, topic(f))
	}
	return out
}

// fromSources are the components that people build from their sources, and hindering the
// topics of what keeps builds and their downloads from working.
var (
	fromSources = []string{"opencv", "openpose", "darknet", "caffe", "ncnn"}
	hindering   = []string{"project", "build", "downloads", "certificates", "proxy", "environment", "visual-studio"}
)

// goalLast puts that what is to be built is not installed behind what keeps it from being
// built: the one follows from the other, and would hide it.
func goalLast(findings []Finding) []Finding {
	hindered := slices.ContainsFunc(findings, func(f Finding) bool {
		topic, _, _ := strings.Cut(f.ID, ".")
		return (f.State == Fail || f.State == Warn || f.State == Pending) && (f.Project || slices.Contains(hindering, topic))
	})
	var out, goals []Finding
	for _, f := range findings {
		topic, _, _ := strings.Cut(f.ID, ".")
		f.Goal = hindered && f.State == Fail && f.Cause == NotInstalled && !f.Listed && f.Action == nil && slices.Contains(fromSources, topic)
		if f.Goal {
			goals = append(goals, f)
		} else {
			out = append(out, f)
		}
	}
	return append(out, goals...)
}

// silence makes findings that are symptoms of another one skipped. Where what
// was found is no problem (Info), they are not needed.
type silence struct {
	pattern, cause string
	needless       bool
	// unknown: only where the other could not be determined.
	unknown bool
	// required: the cause is a requirement itself, which a plan has to satisfy
	// together with what follows from it.
	required bool
}

func (s silence) apply(findings []Finding) {
	for i := range findings {
		f := &findings[i]
		if s.unknown && f.State != Unknown || f.ID == s.cause || f.ID != s.pattern && !(strings.HasSuffix(s.pattern, ".") && strings.HasPrefix(f.ID, s.pattern)) {
			continue
		}
		switch {
		case f.Cause == Waiting && s.needless:
			f.Cause = NotNeeded
		case f.Cause == Waiting && !s.required:
			f.Cause = Symptom
		}
		if f.State == Fail || f.State == Warn || f.State == Unknown || f.State == Pending {
			f.State, f.Found, f.Fix, f.Action, f.After = Skipped, lang.F("not checked: fix %s first", s.cause), "", nil, s.cause
			switch {
			case s.needless:
				f.Found, f.Cause = lang.F("not needed here (%s)", s.cause), NotNeeded
			case !s.required:
				f.Cause = Symptom
			}
		}
	}
}

// subject is what a check is judged on: one copy of a component, or the machine.
type subject struct {
	e        *evaluation
	name     string
	instance *facts.Instance // nil for the machine
	item     reflect.Value   // an entry of the list that the check is of
	vars     map[string]string
}

func (e *evaluation) subjects(c *recipes.Check) []subject {
	if c.Machine {
		return []subject{{e: e}}
	}
	var out []subject
	if c.Of != "" {
		list, _ := listAt(reflect.ValueOf(e.facts).Elem(), c.Of)
		for i := range list.Len() {
			out = append(out, subject{e: e, item: list.Index(i)})
		}
		return out
	}
	for _, name := range e.touched() {
		if len(c.Component) > 0 && !slices.Contains(c.Component, name) {
			continue
		}
		list := e.facts.Components[name]
		for i := range list {
			// Without an active copy, the first stands for the component.
			if c.Each || list[i].Active || i == 0 {
				out = append(out, subject{e: e, name: name, instance: &list[i]})
			}
			if !c.Each {
				break // the active one comes first
			}
		}
	}
	return out
}

// touched are the components that the recipe's applicable requirements name, in
// the recipe's order, and those it lists beside them.
func (e *evaluation) touched() []string {
	if e.touches != nil {
		return e.touches
	}
	out := []string{}
	add := func(list ...string) {
		for _, name := range list {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	for i := range e.recipe.Requirements {
		q := &e.recipe.Requirements[i]
		if _, applies := e.applies(q.When); !applies {
			continue
		}
		switch {
		case q.Component != nil && !q.Component.Absent:
			add(names(q.Component)...)
		case q.Compat != nil:
			add(q.Compat.Given...)
		}
	}
	add(e.recipe.Components...)
	e.touches = out
	return out
}

// requires reports whether the recipe has a requirement on a component that applies
// here.
func (e *evaluation) requires(component string) bool {
	return slices.ContainsFunc(e.recipe.Requirements, func(q recipes.Requirement) bool {
		_, applies := e.applies(q.When)
		return applies && q.Component != nil && !q.Component.Absent && slices.Contains(names(q.Component), component)
	})
}

// healthOf gives the finding of one check on one subject; false when nothing is
// wrong or nothing can be said.
func (e *evaluation) healthOf(c *recipes.Check, s *subject) (Finding, bool) {
	if !s.holds(c.If) {
		return Finding{}, false
	}
	if c.Relation != "" {
		relate, ok := relations()[c.Relation]
		if !ok {
			return Finding{}, false // refused by TestChecks
		}
		if s.vars, ok = relate(e, *s); !ok {
			return Finding{}, false
		}
	}
	f := Finding{Severity: c.Severity, Why: lang.T(c.Why), Project: strings.HasPrefix(c.Of, "project."), About: c.Component}
	if s.name != "" {
		f.About = []string{s.name}
	}
	f.ID, _ = recipes.Fill(c.ID, s.word)
	f.Title, _ = recipes.Fill(lang.T(c.Title), s.word)
	f.Found, _ = recipes.Fill(lang.T(c.Found), s.word)
	f.Found = strings.ReplaceAll(f.Found, "  ", " ") // around a version that is not known
	f.Doc = cmp.Or(recipes.PagePath(f.ID), recipes.CheckAddress(c))
	if s.instance != nil {
		f.Where = whereOf(*s.instance)
	} else if f.Project && s.item.IsValid() && s.word("file") != "" && s.word("line") != "" {
		f.Where = s.word("file") + ":" + s.word("line")
	}
	if f.Severity == recipes.Required && s.item.IsValid() && s.word("optional") != "" {
		f.Severity = recipes.Recommended
	}
	if slices.ContainsFunc(c.RequiredBy, e.requires) {
		f.Severity = recipes.Required
	}
	switch f.Severity {
	case recipes.Recommended:
		f.State = Warn
	case recipes.Info:
		f.State = Info
	default:
		f.State = Fail
	}
	if s.instance != nil && f.State == Fail && s.instance.Unusable != nil && s.instance.Unusable.Reason == facts.NeedsRestart {
		f.State = Pending
	}
	if s.vars["pending"] != "" && f.State == Fail { // a new session has it already
		f.State = Pending
	}
	if s.vars["unknown"] != "" && f.State == Fail { // what it depends on is not known
		f.State = Unknown
	}
	if p, late := e.unfinished(c, s); late && f.State != Info {
		f.State, f.Found = Unknown, unchecked(p, "").found
		return f, true
	}
	for _, a := range c.Fix {
		if len(a.OS) > 0 && !onOS(a.OS, e.facts.OS) || !s.holds(a.If) {
			continue
		}
		do := s.action(a.Do)
		text, whole := recipes.Fill(lang.T(a.Text), func(word string) string {
			if word == "do" && do != nil {
				return e.command(do)
			}
			return s.word(word)
		})
		if whole {
			f.Fix, f.Action = text, do
			break
		}
	}
	return f, true
}

// unfinished reports whether a check rests on what a probe was stopped over: what it
// finds missing may be there.
func (e *evaluation) unfinished(c *recipes.Check, s *subject) (facts.Problem, bool) {
	topics := slices.Concat([]string{s.name}, c.Component, c.RestsOn)
	if c.When != nil {
		topics = append(topics, c.When.Present...)
	}
	if list, _, _ := strings.Cut(c.Of, "."); list != "" {
		topics = append(topics, list)
	}
	for _, topic := range topics {
		if p, late := e.facts.Late(topic); late {
			return p, true
		}
	}
	return facts.Problem{}, false
}

// holds reports whether every condition is true of the subject. What is not
// known makes no condition true but "unset".
func (s subject) holds(conditions map[string]string) bool {
	for _, fact := range slices.Sorted(maps.Keys(conditions)) {
		a, err := recipes.ParseAttr(conditions[fact])
		if err != nil {
			return false // refused when the checks are loaded
		}
		series := ""
		if of := a.SeriesOf(); of != "" {
			if active, ok := s.e.facts.Active(of); ok {
				series = recipes.Series(active.Version)
			}
		}
		if holds, err := a.Check(s.word(fact), series); err != nil || !holds {
			return false
		}
	}
	return true
}

// item is the entry of a list that a check is judged on.
func item[T any](s subject) T {
	out, _ := s.item.Interface().(T)
	return out
}

// word is what stands for a {word} of a text, and the value of a fact: "" when
// it is not known. Lists are joined by commas.
func (s subject) word(word string) string {
	if v, ok := s.vars[word]; ok {
		return v
	}
	if s.item.IsValid() && known(s.item.Type(), word) {
		return valueAt(s.item, word)
	}
	switch word {
	case "name":
		return s.name
	case "display":
		return recipes.Display(s.name)
	case "level":
		return cmp.Or(s.e.facts.CPU.Level, s.e.facts.CPU.Model)
	}
	if setting, ok := strings.CutPrefix(word, "set."); ok {
		return s.e.recipe.Setting(setting)
	}
	if rest, ok := strings.CutPrefix(word, "facts."); ok {
		return valueAt(reflect.ValueOf(s.e.facts).Elem(), rest)
	}
	if s.instance == nil {
		return ""
	}
	return valueAt(reflect.ValueOf(s.instance).Elem(), word)
}

// valueAt reads a fact by the JSON names of its fields. A component stands for
// its first instance, which is the active one where there is one.
func valueAt(v reflect.Value, path string) string {
	for path != "" {
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return ""
			}
			v = v.Elem()
		}
		var key string
		switch v.Kind() {
		case reflect.Struct:
			key, path, _ = strings.Cut(path, ".")
			v = fieldNamed(v, key)
		case reflect.Map:
			// Keys of attrs have dots of their own (build.cuda).
			if value := v.MapIndex(reflect.ValueOf(path)); value.IsValid() {
				v, path = value, ""
				break
			}
			key, path, _ = strings.Cut(path, ".")
			v = v.MapIndex(reflect.ValueOf(key))
		case reflect.Slice:
			if v.Len() == 0 {
				return ""
			}
			v = v.Index(0)
		default:
			return ""
		}
		if !v.IsValid() {
			return ""
		}
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, fmt.Sprint(v.Index(i).Interface()))
		}
		return strings.Join(items, ", ")
	case reflect.Bool:
		if v.Bool() {
			return "true"
		}
		return ""
	case reflect.Struct, reflect.Map:
		return ""
	}
	return fmt.Sprint(v.Interface())
}

func fieldNamed(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if tag == name {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// listAt is the list of that path of JSON names; false where there is none.
func listAt(v reflect.Value, path string) (reflect.Value, bool) {
	for key := range strings.SplitSeq(path, ".") {
		if v.Kind() != reflect.Struct {
			return reflect.ValueOf([]int{}), false
		}
		v = fieldNamed(v, key)
	}
	if v.Kind() != reflect.Slice {
		return reflect.ValueOf([]int{}), false
	}
	return v, true
}

// LintCheck reports what a check names that facts and relations do not have.
func LintCheck(c *recipes.Check) []error {
	var mistakes []error
	if _, ok := relations()[c.Relation]; c.Relation != "" && !ok {
		mistakes = append(mistakes, lang.Errorf("check %s: unknown relation %q (known: %s)", c.ID, c.Relation, strings.Join(slices.Sorted(maps.Keys(relations())), ", ")))
	}
	entry := reflect.TypeFor[facts.Instance]()
	if list, ok := listAt(reflect.ValueOf(facts.Facts{}), c.Of); ok {
		entry = list.Type().Elem()
	} else if c.Of != "" {
		mistakes = append(mistakes, lang.Errorf("check %s: there is no list %q in the facts", c.ID, c.Of))
	}
	conditions := []map[string]string{c.If}
	for _, a := range c.Fix {
		conditions = append(conditions, a.If)
	}
	for _, m := range conditions {
		for _, fact := range slices.Sorted(maps.Keys(m)) {
			root, rest := entry, fact
			if after, ok := strings.CutPrefix(fact, "facts."); ok {
				root, rest = reflect.TypeFor[facts.Facts](), after
			} else if fact == "name" || fact == "display" || fact == "level" || strings.HasPrefix(fact, "set.") || c.Relation != "" && !strings.Contains(fact, ".") {
				continue
			} else if c.Machine {
				mistakes = append(mistakes, lang.Errorf("check %s: %s must begin with \"facts.\", since the check is on the machine", c.ID, fact))
				continue
			}
			if !known(root, rest) {
				mistakes = append(mistakes, lang.Errorf("check %s: there is no fact %q", c.ID, fact))
			}
		}
	}
	return mistakes
}

// known reports whether a type has a fact of that path.
func known(t reflect.Type, path string) bool {
	for path != "" {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			t = t.Elem()
		case reflect.Map:
			if t.Elem().Kind() == reflect.String {
				return true
			}
			_, path, _ = strings.Cut(path, ".")
			t = t.Elem()
		case reflect.Struct:
			key, rest, _ := strings.Cut(path, ".")
			found := false
			for i := range t.NumField() {
				if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == key {
					t, path, found = t.Field(i).Type, rest, true
					break
				}
			}
			if !found {
				return false
			}
		default:
			return false
		}
	}
	return true
}
