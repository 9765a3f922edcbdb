// Package report renders the one result value for people and machines. It must
// never judge: what it shows was decided in doctor/judge.
package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Report is the one value that every format renders.
type Report struct {
	Schema int `json:"schema"`
	Made
	Recipe       string `json:"recipe"`
	RecipeTitle  string `json:"recipe_title"`
	RecipeSource string `json:"recipe_source"`
	// RecipeOverrides is what a user's recipe took the place of.
	RecipeOverrides string            `json:"recipe_overrides,omitempty"`
	Host            HostSummary       `json:"host"`
	Findings        []judge.Finding   `json:"findings"`
	Chosen          map[string]string `json:"chosen,omitempty"`
	// Plan and Proof come from the later stages (installers, verify), which
	// this package does not know; nil when they did not run.
	Plan any `json:"plan"`
	// Manual lists what the plan leaves to a person.
	Manual any `json:"manual,omitempty"`
	// noManager lists the package managers that were looked for where there is none.
	noManager []string
	Summary   map[judge.State]int `json:"summary"`
	Exit      int                 `json:"exit"`
	Proof     any                 `json:"proof,omitempty"`
	Timings   []facts.Timing      `json:"timings,omitempty"`
	// Next is what must be done before this can be judged to its end.
	Next string `json:"next,omitempty"`
	// Fix is what a command would change here, nil for nothing.
	Fix *Fix `json:"fix,omitempty"`
	// Proves is the command that runs the recipe's engine, "" where deployctl cannot.
	Proves string `json:"-"`
	// Others names, in a sentence, the recipes for what else was found here.
	Others string `json:"others,omitempty"`
	// Error says why the run stopped early.
	Error string `json:"error,omitempty"`
}

// Made says which program made a document, and when.
type Made struct {
	Tool Tool      `json:"tool"`
	Time time.Time `json:"time"` // UTC, whole seconds
}

// Tool is a program that makes documents.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Fix is a command that fixes findings, with what it takes. It comes from the
// installers' plan, which this package does not know.
type Fix struct {
	Command string `json:"command"`
	// Findings are the ids of those that it fixes.
	Findings      []string `json:"findings"`
	DownloadBytes int64    `json:"download_bytes"`
	Minutes       float64  `json:"minutes"`
	// Estimated: no package manager was asked for the sizes.
	Estimated bool `json:"estimated,omitempty"`
}

// Cost is what it takes, in words.
func (f *Fix) Cost() string {
	cost := recipes.Duration(f.Minutes)
	if f.DownloadBytes > 0 {
		cost = recipes.Size(f.DownloadBytes, f.Estimated) + lang.T(", ") + cost
	}
	return cost
}

// HostSummary is the line that says which machine was judged.
type HostSummary struct {
	OS       string  `json:"os"`
	Family   string  `json:"family"`
	Arch     string  `json:"arch"`
	CPU      string  `json:"cpu"`
	Level    string  `json:"level,omitempty"`
	Cores    float64 `json:"cores,omitempty"`
	Memory   uint64  `json:"memory"` // bytes a program may have
	Recorded bool    `json:"recorded,omitempty"`
}

// States in the order in which people want to read them.
var stateOrder = []judge.State{judge.Fail, judge.Unknown, judge.Pending, judge.Warn, judge.Info, judge.Skipped, judge.OK}

// New makes the report of a judgement.
func New(j *judge.Judgement, strict bool) *Report {
	f := j.Facts
	r := &Report{
		Schema: 1, Recipe: j.Recipe.Name, RecipeTitle: lang.T(j.Recipe.Title), RecipeSource: j.Recipe.Source,
		RecipeOverrides: j.Recipe.Overrides,
		Host:            HostOf(f),
		Findings:        j.Findings, Chosen: j.Chosen, Plan: []any{}, Summary: map[judge.State]int{}, Exit: j.Exit(strict),
	}
	// Every state is there, so that a script need not ask whether one is.
	for _, state := range stateOrder {
		r.Summary[state] = 0
	}
	maps.Copy(r.Summary, j.Summary())
	r.noManager = noManager(f)
	if j.Restart {
		r.Next = judge.AfterRestart
	}
	return r
}

// HostOf summarizes the machine that facts are of.
func HostOf(f *facts.Facts) HostSummary {
	return HostSummary{
		OS: osName(f.OS), Family: f.OS.Family, Arch: f.OS.Arch, CPU: f.CPU.Model, Level: f.CPU.Level,
		Cores: f.CPU.Cores, Memory: f.Memory.Usable(),
	}
}

func osName(o facts.OS) string {
	switch {
	case o.Name != "":
		return o.Name
	case o.ID != "":
		return strings.TrimSpace(o.ID + " " + o.Version)
	case o.Family != "":
		return o.Family
	}
	return lang.T("unknown system")
}

// Style is how text is drawn for one output.
type Style struct {
	Color bool
	// Width in columns; 0 means do not wrap.
	Width int
	// All shows findings that are ok or skipped with their details, too.
	All bool
}

var stateColor = map[judge.State]string{
	judge.OK: "32", judge.Info: "36", judge.Warn: "33", judge.Fail: "31", judge.Unknown: "35", judge.Skipped: "2", judge.Pending: "36",
}

// Paint wraps text in an SGR color when the style has color.
func (s Style) Paint(code, text string) string {
	if !s.Color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// WriteText writes the report for people: problems first, what passes in a line
// a group, and last where one stands.
func (r *Report) WriteText(w io.Writer, s Style) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s  %s\n", s.Paint("1", r.Recipe), r.RecipeTitle)
	if r.RecipeOverrides != "" {
		fmt.Fprintf(b, "%s\n", s.Paint("33", lang.F("Recipe from %s, which replaces the %s one.", r.RecipeSource, r.RecipeOverrides)))
	} else if r.RecipeSource != "" && r.RecipeSource != "embedded" {
		fmt.Fprintf(b, "%s\n", s.Paint("2", lang.F("Recipe from %s", r.RecipeSource)))
	}
	fmt.Fprintf(b, "%s\n\n", s.Paint("2", s.wrap(r.Host.Line(), 0)))
	for _, state := range stateOrder {
		if s.All || state != judge.OK && state != judge.Skipped && state != judge.Info {
			for _, f := range r.inOrder() {
				if f.State == state && !f.Goal || f.Goal && state == judge.Warn {
					r.one(b, s, f)
				}
			}
			continue
		}
		if state == judge.Skipped && r.elsewhere() {
			b.WriteString(label(s, state) + s.Paint("2", lang.T("everything else in this recipe")) + "\n")
			continue
		}
		r.collapsed(b, s, state)
	}
	fmt.Fprintf(b, "\n%s\n", s.wrap(r.Closing(), 0))
	if r.Others != "" {
		fmt.Fprintf(b, "%s\n", s.wrap(r.Others, 0))
	}
	if len(r.Timings) > 0 {
		b.WriteString("\n")
		for _, t := range r.Timings {
			fmt.Fprintf(b, "  %8.1f ms  %s\n", float64(t.Took)/float64(time.Millisecond), t.Probe)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// margin is where the text beside a state begins.
const margin = 11

func label(s Style, state judge.State) string {
	return "  " + s.Paint(stateColor[state], pad(lang.T(string(state)), margin-4)) + "  "
}

// one writes a finding: what is wrong and what to do; with All also what is
// required and why.
func (r *Report) one(b *strings.Builder, s Style, f judge.Finding) {
	indent := "\n" + strings.Repeat(" ", margin)
	line := func(text string) {
		b.WriteString(strings.ReplaceAll(s.wrap(text, margin), "\n", indent) + "\n")
	}
	b.WriteString(label(s, f.State))
	line(s.Paint("1", f.Title) + s.Paint("2", "  ["+f.ID+"]"))
	rows := []string{f.Found}
	if f.Where != "" && !strings.Contains(f.Found, f.Where) && (s.All || f.State != judge.OK && f.Path != "") {
		rows[0] = strings.TrimSpace(f.Found + "  " + s.Paint("2", f.Where))
	}
	if s.All && f.Wanted != "" {
		rows = append(rows, s.Paint("2", lang.T("required: "))+f.Wanted)
	}
	if f.Fix != "" {
		rows = append(rows, s.Paint("1", lang.T("fix: ")+f.Fix))
	}
	if s.All && f.State != judge.OK && f.State != judge.Skipped {
		if f.Why != "" {
			rows = append(rows, s.Paint("2", lang.T("why: "))+f.Why)
		}
		if f.Doc != "" {
			rows = append(rows, s.Paint("2", lang.T("page: "))+f.Doc)
		}
	}
	for _, row := range rows {
		if row != "" {
			b.WriteString(strings.Repeat(" ", margin))
			line(row)
		}
	}
}

// groups sort findings by the first part of their id, so that what passes takes
// one line a group; what stands in none is a library.
var groups = []struct {
	name  string
	first []string
}{
	{"System", []string{"os", "cpu", "memory", "disk", "ci", "places", "certificates"}},
	{"Tools", []string{"cxx", "gcc", "clang", "mingw", "msvc", "vs", "windows-sdk", "cmake", "ninja", "git", "go", "python", "pkg-config", "xcode", "ios-sdk", "homebrew", "android-ndk", "android-sdk", "adb", "project"}},
	{"GPU", []string{"gpu", "nvidia-driver", "cuda", "cudnn", "opencl", "vulkan"}},
	{"Libraries", nil},
}

// Group names what a finding of an id belongs to: System, Tools, GPU or Libraries.
func (r *Report) Group(id string) string { return groupOf(id) }

func groupOf(id string) string {
	first, _, _ := strings.Cut(id, ".")
	for _, g := range groups {
		if slices.Contains(g.first, first) {
			return g.name
		}
	}
	return groups[len(groups)-1].name
}

// elsewhere reports whether the recipe is for another operating system.
func (r *Report) elsewhere() bool {
	return slices.ContainsFunc(r.Findings, func(f judge.Finding) bool { return f.State == judge.Fail && f.Cause == judge.OtherSystem })
}

// collapsed writes the findings of one state in a line a group.
func (r *Report) collapsed(b *strings.Builder, s Style, state judge.State) {
	for _, g := range groups {
		var names []string
		for _, f := range r.Findings {
			if f.State != state || groupOf(f.ID) != g.name {
				continue
			}
			name := f.Title
			// What was found of a skipped one is why it was not checked.
			if f.Version != "" && state != judge.Skipped {
				name, _, _ = strings.Cut(f.Found, ",")
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			continue
		}
		text := lang.T(g.name) + lang.T(": ")
		for i, name := range names {
			more := ""
			if rest := len(names) - i - 1; rest > 0 {
				more = lang.F(", and %d more", rest)
			}
			if s.Width > 0 && i > 0 && margin+Columns(text+name+more)+2 > s.Width {
				text += lang.F(", and %d more", len(names)-i)
				break
			}
			if i > 0 {
				text += lang.T(", ")
			}
			text += name
		}
		b.WriteString(label(s, state) + s.Paint("2", text) + "\n")
	}
}

// Closing says in a sentence where one stands and what to do.
func (r *Report) Closing() string {
	var missing, problems, open, pending []string
	failed, warnings := 0, 0
	for _, f := range r.inOrder() {
		switch {
		case f.State == judge.Fail && f.Cause == judge.NotInstalled:
			missing = append(missing, f.Title)
			failed++
		case f.State == judge.Fail:
			if name := failing(f.Title); !slices.Contains(problems, name) {
				problems = append(problems, name)
			}
			failed++
		case f.State == judge.Unknown && f.Severity != recipes.Recommended && f.Severity != recipes.Info:
			open = append(open, inSentence(f.Title))
		case f.State == judge.Pending:
			pending = append(pending, inSentence(f.Title))
		case f.State == judge.Warn || f.State == judge.Unknown:
			warnings++
		}
	}
	list := func(things []string) string { return strings.Join(things, lang.T(", ")) }
	switch {
	case r.elsewhere():
		return lang.F("The recipe %s is not for this system.", r.Recipe)
	case failed > 0:
		if len(missing) > 0 {
			problems = append([]string{isMissing(missing)}, problems...)
		}
		text := lang.F("%s: %s.", recipes.Count(failed, "problem"), strings.Join(problems, lang.T("; ")))
		if next := r.Run(); next != "" {
			return lang.Join(text, next)
		} else if len(missing) > 0 && len(r.noManager) > 0 {
			return lang.Join(text, lang.F("deployctl can install nothing here: it found no package manager (%s). Install by hand what is missing, then run `deployctl doctor` again.", list(r.noManager)))
		}
		return lang.Join(text, r.byHand())
	case len(open) > 0:
		return lang.F("%s could not be made: %s.", recipes.Count(len(open), "check"), list(open))
	case len(pending) > 0:
		return lang.F("Waiting for a new session or a restart: %s.", list(pending))
	case len(r.Findings) > 0 && !slices.ContainsFunc(r.Findings, func(f judge.Finding) bool { return f.State != judge.Skipped }):
		return lang.F("Nothing was checked for %s: %s skipped. Add --all to see why.", r.Recipe, recipes.Count(len(r.Findings), "selected requirement"))
	case warnings > 0:
		return lang.Join(lang.F("No problems found for %s, %s.", r.Recipe, recipes.Count(warnings, "warning")), r.Run())
	case r.Proves != "" && !r.Host.Recorded:
		return lang.Join(lang.F("No problems found for %s.", r.Recipe), lang.F("Run `%s` to prove it with a real forward pass.", r.Proves))
	}
	return lang.F("No problems found for %s.", r.Recipe)
}

// byHand says what to do where deployctl fixes none of the problems; "" where no
// fix is known either.
func (r *Report) byHand() string {
	failed, told := 0, false
	for _, f := range r.Findings {
		if f.State == judge.Fail {
			failed++
			told = told || f.Fix != ""
		}
	}
	switch {
	case !told:
		return ""
	case failed == 1:
		return lang.T("Fix it as shown above, then run `deployctl doctor` again.")
	}
	return lang.T("Fix them as shown above, from the top, then run `deployctl doctor` again.")
}

// Run says which command fixes the problems, or the warnings where there are no
// problems, and what it takes; "" where none fixes any.
func (r *Report) Run() string {
	if r.Fix == nil {
		return ""
	}
	count := map[judge.State]int{}
	fixed := map[judge.State]int{}
	for _, f := range r.Findings {
		count[f.State]++
		if slices.Contains(r.Fix.Findings, f.ID) {
			fixed[f.State]++
		}
	}
	state := judge.Fail
	if count[state] == 0 {
		state = judge.Warn
	}
	switch fixed[state] {
	case 0:
		return ""
	case count[state]:
		return lang.F("Run `%s` (%s).", r.Fix.Command, r.Fix.Cost())
	}
	return lang.F("Run `%s` for %d of them (%s).", r.Fix.Command, fixed[state], r.Fix.Cost())
}

// inSentence is a title where a sentence goes on.
func inSentence(title string) string {
	for _, article := range []string{"A ", "An ", "The "} {
		if strings.HasPrefix(title, article) {
			return strings.ToLower(title[:1]) + title[1:]
		}
	}
	return title
}

// failing names a problem by the title of what should be there: of "A working
// OpenPose" there is no working OpenPose.
func failing(title string) string {
	for _, article := range []string{"A ", "An "} {
		if rest, ok := strings.CutPrefix(title, article); ok {
			return "no " + rest
		}
	}
	return inSentence(title)
}

// noManager lists the package managers of an operating system where none of them
// was found.
func noManager(f *facts.Facts) []string {
	managers := map[string][]string{
		"linux": {"apt", "apk", "brew", "dnf", "pacman", "zypper"}, "darwin": {"brew"}, "windows": {"choco", "scoop", "winget"},
	}[f.OS.Family]
	for _, name := range managers {
		if len(f.Components[name]) > 0 {
			return nil
		}
	}
	return managers
}

// isMissing says that things are missing: A is, A and B are.
func isMissing(list []string) string {
	last := len(list) - 1
	switch last {
	case 0:
		return lang.F("%s is missing", list[0])
	case 1:
		return lang.F("%s and %s are missing", list[0], list[1])
	}
	return lang.F("%s, and %s are missing", strings.Join(list[:last], lang.T(", ")), list[last])
}

// Line describes the machine.
func (h HostSummary) Line() string {
	parts := []string{h.OS}
	for _, p := range []string{h.Arch, h.CPU, h.Level} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if h.Cores > 0 {
		if h.Cores == 1 {
			parts = append(parts, lang.T("1 core"))
		} else {
			parts = append(parts, lang.F("%g cores", h.Cores))
		}
	}
	if h.Memory > 0 {
		parts = append(parts, fmt.Sprintf("%.1f GiB", float64(h.Memory)/(1<<30)))
	}
	if h.Recorded {
		parts = append(parts, lang.T("from a snapshot"))
	}
	return strings.Join(parts, " · ")
}

// Attention reports whether any finding is in one of the states.
func (r *Report) Attention(states ...judge.State) bool {
	for _, f := range r.Findings {
		if slices.Contains(states, f.State) {
			return true
		}
	}
	return false
}

func pad(text string, width int) string { return narrow.FillRight(text, width) }

// narrow counts columns as terminals draw them today, also in a Chinese locale: wide
// are only the characters that Unicode calls wide, not those it leaves open (·, …).
var narrow = &runewidth.Condition{StrictEmojiNeutral: true}

// Columns is the width of a text on a terminal, without its colors.
func Columns(text string) int { return narrow.StringWidth(stripSGR(text)) }

// wrap breaks text at spaces and between Chinese characters so that lines that start at column used fit.
func (s Style) wrap(text string, used int) string {
	if s.Width == 0 {
		return text
	}
	room := max(s.Width-used, 20)
	var out strings.Builder
	column := 0
	for i, word := range atoms(text, room) {
		width := Columns(word.text)
		blank := 0
		if word.blank {
			blank = 1
		}
		switch {
		case i == 0:
		case column+blank+width > room:
			out.WriteByte('\n')
			column = 0
		case word.blank:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word.text)
		column += width
	}
	return out.String()
}

// Wrap breaks text at spaces so that it fits a width in columns when its first
// line starts at column used; the other lines start there, too. 0 does not wrap.
func Wrap(text string, used, width int) string {
	return strings.ReplaceAll(Style{Width: width}.wrap(text, used), "\n", "\n"+strings.Repeat(" ", used))
}

// dependency is the order in which components are installed: a compiler before
// CUDA, whose installer writes into it, and CUDA before what is built with it.
var dependency = []string{
	"os", "cpu", "memory", "disk", "places", "certificates", "visual-studio", "vs", "msvc", "windows-sdk", "vcredist", "xcode", "cxx", "gcc", "clang", "mingw",
	"gpu", "nvidia-driver", "cuda", "cudnn", "opencl", "vulkan",
}

// inOrder gives the findings so that what others depend on comes first.
func (r *Report) inOrder() []judge.Finding {
	rank := func(f judge.Finding) int {
		first, _, _ := strings.Cut(f.ID, ".")
		if f.Goal {
			return len(dependency) + 2
		}
		if i := slices.Index(dependency, first); i >= 0 {
			return i
		}
		if first == "opencv" { // it is built with all the others
			return len(dependency) + 1
		}
		return len(dependency)
	}
	out := slices.Clone(r.Findings)
	slices.SortStableFunc(out, func(a, b judge.Finding) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// word is a part of a text that a line break must not divide; blank: there is a blank
// before it.
type word struct {
	text  string
	blank bool
}

// words splits text at its blanks, and between Chinese characters, where no blank is
// needed to break a line. What closes stays with what it closes, and what opens with
// what it opens (Unicode Standard Annex 14, classes CL, NS, OP and ID).
func words(text string) []word {
	var out []word
	for _, field := range strings.Fields(text) {
		blank, from := true, 0
		last := rune(0)
		for at, r := range field {
			wide := narrow.RuneWidth(r) == 2
			if at > from && (wide || narrow.RuneWidth(last) == 2) && !strings.ContainsRune(closing, r) && !strings.ContainsRune(opening, last) {
				out = append(out, word{field[from:at], blank})
				blank, from = false, at
			}
			last = r
		}
		out = append(out, word{field[from:], blank})
	}
	return out
}

const (
	closing = "，。、；：！？）》」』】…％,.;:!?)]}%"
	opening = "（《「『【([{"
)

// atoms splits text into what a line break must not divide: a number and its
// unit, a path, a command. What is wider than a line is divided at its blanks.
func atoms(text string, room int) []word {
	words := words(text)
	var out []word
	for i := 0; i < len(words); {
		n := 1
		follows := func(k int) bool { return i+k < len(words) && words[i+k].blank }
		switch bare := stripSGR(words[i].text); {
		case follows(1) && number(bare) && slices.Contains(units, strings.TrimRight(stripSGR(words[i+1].text), ".,;:)，。；：）、")):
			n = 2
		case len(bare) > 2 && bare[1] == ':' && bare[2] == '\\':
			for k := 2; k <= 5 && follows(k-1); k++ {
				if next := words[i+k-1].text; strings.Contains(next, `\`) && !strings.Contains(next, `:\`) {
					n = k
				}
			}
		case slices.Contains(commands, strings.TrimLeft(bare, "`（")):
			for follows(n) && !ended(words[i+n-1].text) {
				n++
			}
		}
		var whole strings.Builder
		for k, w := range words[i : i+n] {
			if k > 0 {
				whole.WriteByte(' ')
			}
			whole.WriteString(w.text)
		}
		if n > 1 && Columns(whole.String()) > room {
			out = append(out, words[i:i+n]...)
		} else {
			out = append(out, word{whole.String(), words[i].blank})
		}
		i += n
	}
	return out
}

// ended reports whether a command ends with this word.
func ended(word string) bool {
	last, _ := utf8.DecodeLastRuneInString(word)
	return strings.ContainsRune(".,;:`，。；：）、", last)
}

var (
	units    = []string{"B", "kB", "MB", "GB", "KiB", "MiB", "GiB", "TiB", "s", "ms", "min", "core", "cores", "step", "steps"}
	commands = []string{"deployctl", "sudo", "apt-get", "dnf", "export", "echo", "cmake", "winget", "brew"}
)

func number(word string) bool {
	return word != "" && strings.Trim(word, "0123456789.,") == ""
}

func stripSGR(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return s
		}
		j := strings.IndexByte(s[i:], 'm')
		if j < 0 {
			return s[:i]
		}
		s = s[:i] + s[i+j+1:]
	}
}
