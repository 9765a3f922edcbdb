package export

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/apt"
	"github.com/deployctl/deployctl/installers/brew"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/step"
)

var update = flag.Bool("update", false, "rewrite golden files")

func aptStep(packages ...string) installers.Step {
	m := apt.Manager()
	return installers.Step{ID: "apt.install", Title: "Install " + strings.Join(packages, ", "), Effect: step.Write,
		Needs: []step.Need{step.Admin, step.Network}, Mechanism: "apt", Action: step.Install, Packages: packages,
		Requirements: []string{"cmake.present", "gcc.version"}, Argv: m.Argv(m.Path, m.Install(packages)),
		Undo: "deployctl undo removes exactly the packages this step adds"}
}

func brewStep(packages ...string) installers.Step {
	m := brew.Manager()
	return installers.Step{ID: "brew.install", Title: "Install " + strings.Join(packages, ", "), Effect: step.Write,
		Needs: []step.Need{step.Network}, Mechanism: "brew", Action: step.Install, Packages: packages,
		Argv: m.Argv(m.Path, m.Install(packages))}
}

// samplePlan is one made by a user who becomes root by sudo.
func samplePlan() *installers.Plan {
	sudo := elevate.Method{Name: "sudo", Path: "/usr/bin/sudo"}
	s := aptStep("cmake", "g++")
	s.Argv = sudo.Wrap(s.Argv)
	return &installers.Plan{
		Steps: []installers.Step{s, brewStep("go@1.22")}, Elevation: sudo,
		Manual: []installers.Manual{{Requirement: "cpu.avx2", Title: "AVX2", Reason: "the recipe has no automatic fix for it", Do: "Use a processor that has it."}},
	}
}

var debian12 = About{Recipe: "opencv-gocv", OS: facts.OS{ID: "debian", Version: "12"}}

func TestGolden(t *testing.T) {
	golden := func(name string, f Format, plan *installers.Plan) {
		var b bytes.Buffer
		if err := Write(&b, f, plan, debian12); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+"."+string(f))
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), b.String()); d != "" {
			t.Errorf("%s (run with -update to accept):\n%s", path, d)
		}
	}
	for _, f := range Formats() {
		golden("plan", f, samplePlan())
		golden("files", f, filesPlan())
	}
	golden("windows", PowerShell, &installers.Plan{Steps: windowsPlan()})
}

func TestEmptyPlanAndUnknownFormat(t *testing.T) {
	for _, f := range Formats() {
		var b bytes.Buffer
		if err := Write(&b, f, &installers.Plan{}, About{}); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		if strings.Contains(b.String(), "as_root") || strings.Contains(b.String(), "USER") || strings.Contains(b.String(), "become") {
			t.Errorf("%s: an empty plan asks for root:\n%s", f, b.String())
		}
	}
	if err := Write(&bytes.Buffer{}, "cmd", samplePlan(), debian12); err == nil || !strings.Contains(err.Error(), "ansible") {
		t.Errorf("unknown format: %v", err)
	}
}

// TestNothingToRun: a script that can do nothing about what is wrong says so and
// fails; one for a machine where nothing is wrong does not.
func TestNothingToRun(t *testing.T) {
	plan := &installers.Plan{Manual: []installers.Manual{{Requirement: "gpu.nvidia", Reason: "only a person can do this", Do: "Add a card.", Required: true}}}
	for _, f := range []Format{Shell, PowerShell, Dockerfile} {
		var b bytes.Buffer
		if err := Write(&b, f, plan, About{}); err != nil {
			t.Fatal(err)
		}
		if text := b.String(); !strings.Contains(text, "This script does nothing: 1 problem must be fixed by hand") || !strings.Contains(text, "exit 3") {
			t.Errorf("%s:\n%s", f, text)
		}
		b.Reset()
		plan := &installers.Plan{Manual: []installers.Manual{{Requirement: "gpu.memory", Do: "Use another card."}}} // recommended only
		if err := Write(&b, f, plan, About{}); err != nil {
			t.Fatal(err)
		}
		if text := b.String(); strings.Contains(text, "exit 3") || !strings.Contains(text, "Nothing to do.") {
			t.Errorf("%s:\n%s", f, text)
		}
	}
}

// broken is a writer that fails.
type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWriterError(t *testing.T) {
	for _, f := range Formats() {
		if err := Write(broken{}, f, samplePlan(), debian12); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestRefusedArguments(t *testing.T) {
	for _, c := range []struct {
		arg  string
		only Format
	}{{"a\x00b", ""}, {"a\xffb", ""}, {"a\nb", Dockerfile}, {"a\rb", Dockerfile}, {"a$HOME", Ansible}, {"~", Ansible}} {
		for _, f := range Formats() {
			s := brewStep("x")
			s.Argv = append(s.Argv, c.arg)
			var b bytes.Buffer
			err := Write(&b, f, &installers.Plan{Steps: []installers.Step{s}}, About{})
			var refused *ArgumentError
			if want := c.only == "" || c.only == f; errors.As(err, &refused) != want {
				t.Errorf("%q as %s: %v", c.arg, f, err)
			}
			if err != nil && b.Len() > 0 {
				t.Errorf("%q as %s: refused, yet something was written", c.arg, f)
			}
		}
	}
}

// hostile are arguments that would be read as something else when they are
// quoted carelessly.
var hostile = []string{
	"", " ", "-", "--", "'", "''", `"`, `\`, `\\`, `\'`, `a\`, `a\\`, "$HOME", "${HOME}", "$(id)", "`id`", "!", "!!", "*", "?", "[a]", "~", "~root",
	"#", "# x", "a#b", ";", "a;b", "&", "&&", "|", "||", ">", "<", "<<EOF", "<<-'EOF'", "(", ")", "{a,b}", "{{ 7*7 }}", "{% raw %}", "{# #}", "%PATH%", "%%", "^", "^^",
	"if", "a=b", "=", "a b", "a\tb", "a\nb", "a\r\nb", "\n", "\r", "\x01", "\x1b[2J", "\x7f", "\u0085", "\u00a0", "\u2018", "\u2019x\u201a\u201b", "\u201c", "\u2028", "\u2029", "\ufeff", "\U0001f600", "\u202e",
	"@('x')", "$env:PATH", "`n", "--%", "yes", "no", "null", "~", "1e3", "0x1f", "- a", "a: b", "!!python/object", "&anchor", "*alias", "|", "> ", "%YAML 1.1", "---", "...", "\"}}\"", `\x41`, `\u0041`, "it's", "a'b\"c`d$e\\f",
}

// random gives words of characters that matter to some language.
func random(r *rand.Rand, n int) []string {
	alphabet := []rune("'\"\\`$(){}[]<>|&;#!*?~ \t\n\r=-%^@,.:/ab01\u2018\u2019\u201a\u201b\u2028\u00e9\U0001f600\x01\x7f\u0085")
	words := make([]string, n)
	for i := range words {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteRune(alphabet[r.IntN(len(alphabet))])
		}
		words[i] = b.String()
	}
	return words
}

func words() []string {
	return append(slices.Clone(hostile), random(rand.New(rand.NewPCG(1, 2)), 3000)...)
}

// sh runs a script and gives the words that it was asked to print.
func sh(t testing.TB, script string) []string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no /bin/sh on Windows")
	}
	cmd := exec.Command("/bin/sh")
	cmd.Stdin = strings.NewReader(script)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("/bin/sh: %v: %s\n%.2000s", err, stderr.String(), script)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// printer is a step that prints its arguments, each ended by a zero byte.
func printer(args []string, admin bool) installers.Step {
	s := installers.Step{ID: "test.print", Title: "Print it's `words` $(id) \x1b[31m", Mechanism: "test", Action: step.Install,
		Requirements: []string{"a\nrm -rf /", "b"}, Undo: "none\nrm -rf /", Argv: append([]string{"/usr/bin/env", "EVIL=$(id)'\"", "/usr/bin/printf", `%s\0`}, args...)}
	if admin {
		s.Needs = []step.Need{step.Admin}
	}
	return s
}

func TestShellGivesEveryWordBack(t *testing.T) {
	want := words()
	var b bytes.Buffer
	if err := Write(&b, Shell, &installers.Plan{Steps: []installers.Step{printer(want, false)}}, About{Recipe: "x\nrm -rf /"}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, sh(t, b.String())); d != "" {
		t.Error(d)
	}
}

// TestShellBecomesRoot puts a recording sudo on PATH for a user who is not root.
func TestShellBecomesRoot(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"id":   "#!/bin/sh\necho 1000\n",
		"sudo": "#!/bin/sh\n[ \"$1\" = -- ] || exit 9\nshift\nprintf 'sudo\\0'\nexec \"$@\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	plan := &installers.Plan{Steps: []installers.Step{printer([]string{"user"}, false), printer([]string{"root"}, true)}}
	if err := Write(&b, Shell, plan, About{}); err != nil {
		t.Fatal(err)
	}
	got := sh(t, "PATH="+step.Word(dir)+":$PATH\n"+b.String())
	if d := cmp.Diff([]string{"user", "sudo", "root"}, got); d != "" {
		t.Error(d)
	}
}

// TestShellStopsAtTheFirstFailure: set -e must also hold inside as_root.
func TestShellStopsAtTheFirstFailure(t *testing.T) {
	for _, admin := range []bool{false, true} {
		s := printer(nil, admin)
		s.Argv = []string{"/bin/false"}
		var b bytes.Buffer
		if err := Write(&b, Shell, &installers.Plan{Steps: []installers.Step{s, printer([]string{"after"}, false)}}, About{}); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "id"), []byte("#!/bin/sh\necho 0\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS == "windows" {
			t.Skip("no /bin/sh on Windows")
		}
		cmd := exec.Command("/bin/sh")
		cmd.Stdin = &b
		cmd.Env = []string{"PATH=" + dir + ":/usr/bin:/bin"}
		out, err := cmd.Output()
		if err == nil || strings.Contains(string(out), "after") {
			t.Errorf("admin %v: went on after a failed step (%v): %q", admin, err, out)
		}
	}
}

// Lines reads a Dockerfile as Docker does (comments go first, also inside a
// continued line; then lines joined) and gives the RUN commands.
func runLines(text string) []string {
	var runs []string
	joined := ""
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimLeft(l, " \t"), "#") || strings.TrimSpace(l) == "" {
			continue
		}
		if trimmed := strings.TrimRight(l, " \t"); strings.HasSuffix(trimmed, `\`) {
			joined += strings.TrimSuffix(trimmed, `\`)
			continue
		}
		joined += l
		if rest, ok := strings.CutPrefix(joined, "RUN "); ok {
			runs = append(runs, rest)
		}
		joined = ""
	}
	return runs
}

func TestDockerfileGivesEveryWordBack(t *testing.T) {
	var want []string
	for _, w := range words() {
		if !strings.ContainsAny(w, "\r\n") {
			want = append(want, w)
		}
	}
	var b bytes.Buffer
	if err := Write(&b, Dockerfile, &installers.Plan{Steps: []installers.Step{printer(want, false)}}, About{Recipe: "escape=`"}); err != nil {
		t.Fatal(err)
	}
	runs := runLines(b.String())
	if len(runs) != 1 {
		t.Fatalf("%d RUN lines", len(runs))
	}
	if d := cmp.Diff(want, sh(t, runs[0])); d != "" {
		t.Error(d)
	}
}

func TestDockerfileBase(t *testing.T) {
	for _, c := range []struct{ id, version, want string }{
		{"debian", "12", "debian:12"}, {"ubuntu", "24.04", "ubuntu:24.04"}, {"alpine", "3.20.3", "alpine:3.20"},
		{"opensuse-leap", "15.6", "opensuse/leap:15.6"}, {"windows", "10.0.22631", ""}, {"debian", "12\nRUN id", ""}, {"", "", ""}, {"debian", "", ""},
	} {
		if got := image(&page{about: About{OS: facts.OS{ID: c.id, Version: c.version}}}); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.id, c.version, got, c.want)
		}
	}
}

// ansibleWords reads the play back.
func ansibleWords(t *testing.T, text string) []string {
	t.Helper()
	// The tag changes how Ansible treats the scalar, not what it holds.
	text = strings.ReplaceAll(text, "!unsafe \"", "\"")
	var plays []struct {
		Tasks []struct {
			Command struct{ Argv []string } `yaml:"ansible.builtin.command"`
		}
	}
	if err := yaml.Unmarshal([]byte(text), &plays); err != nil {
		t.Fatal(err)
	}
	if len(plays) != 1 || len(plays[0].Tasks) != 1 {
		t.Fatalf("%d plays", len(plays))
	}
	return plays[0].Tasks[0].Command.Argv
}

func TestAnsibleGivesEveryWordBack(t *testing.T) {
	s := printer(nil, true)
	s.Argv[1] = "EVIL=`id`'\""
	for _, w := range words() {
		if !strings.Contains(w, "$") && !strings.HasPrefix(w, "~") {
			s.Argv = append(s.Argv, w)
		}
	}
	var b bytes.Buffer
	if err := Write(&b, Ansible, &installers.Plan{Steps: []installers.Step{s}}, About{Recipe: "x: {{ y }}\n- z"}); err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(b.String(), "\n") {
		if strings.Contains(l, "{{") && !strings.Contains(l, "!unsafe") && !strings.HasPrefix(strings.TrimSpace(l), "#") {
			t.Errorf("a template slips through: %s", l)
		}
	}
	if d := cmp.Diff(s.Argv, ansibleWords(t, b.String())); d != "" {
		t.Error(d)
	}
}

// powerShellRead reads single-quoted strings as PowerShell's tokenizer does:
// any single quote character ends the string unless another one follows, and
// then the second of the two stands.
func powerShellRead(text string) []string {
	quote := func(r rune) bool { return r == '\'' || r >= 0x2018 && r <= 0x201b }
	var out []string
	rs := []rune(text)
	for i := 0; i < len(rs); i++ {
		if !quote(rs[i]) {
			continue
		}
		var b strings.Builder
		for i++; i < len(rs); i++ {
			if quote(rs[i]) {
				if i+1 >= len(rs) || !quote(rs[i+1]) {
					break
				}
				i++
			}
			b.WriteRune(rs[i])
		}
		out = append(out, b.String())
	}
	return out
}

func TestPowerShellGivesEveryWordBack(t *testing.T) {
	want := words()
	s := printer(want, true)
	var b bytes.Buffer
	if err := Write(&b, PowerShell, &installers.Plan{Steps: []installers.Step{s}}, About{}); err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(b.String(), "Invoke-AsRoot @(\n")
	if !ok {
		t.Fatal("no call")
	}
	if d := cmp.Diff(s.Argv, powerShellRead(list)); d != "" {
		t.Error(d)
	}
}

func TestCommentsStayComments(t *testing.T) {
	for _, f := range Formats() {
		var b bytes.Buffer
		s := printer([]string{"x"}, false)
		s.Argv[1] = "A=b"
		plan := &installers.Plan{Steps: []installers.Step{s}, Manual: []installers.Manual{{Requirement: "r\nEVIL", Reason: "x\r\nEVIL", Do: "y\u2028EVIL"}}}
		if err := Write(&b, f, plan, About{Recipe: "n\nEVIL"}); err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.FieldsFunc(b.String(), func(r rune) bool { return r == '\n' || r == '\r' || r == 0x2028 || r == 0x85 }) {
			if strings.HasPrefix(strings.TrimSpace(l), "EVIL") || strings.HasPrefix(strings.TrimSpace(l), "rm -rf") {
				t.Errorf("%s: a comment became a line of its own: %q", f, l)
			}
		}
	}
}

func TestPrefixIsStrippedAndListsRefreshed(t *testing.T) {
	tasks, err := prepare(Shell, samplePlan())
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) != 3 || !slices.Contains(tasks[0].argv, "update") {
		t.Fatalf("%+v", tasks)
	}
	for _, x := range tasks {
		if x.argv[0] != "/usr/bin/env" {
			t.Errorf("%s begins with %s", x.title, x.argv[0])
		}
	}
	// A plan that refreshes already is left alone.
	p := samplePlan()
	m := apt.Manager()
	p.Steps = append([]installers.Step{{ID: "apt.update", Mechanism: "apt", Action: step.Refresh, Argv: m.Argv(m.Path, m.Refresh())}}, p.Steps...)
	if tasks, err = prepare(Shell, p); err != nil || len(tasks) != 3 {
		t.Fatalf("%d tasks, %v", len(tasks), err)
	}
}

func FuzzQuoting(f *testing.F) {
	for _, w := range hostile {
		f.Add(w)
	}
	f.Fuzz(func(t *testing.T, w string) {
		if !utf8.ValidString(w) || strings.ContainsRune(w, 0) {
			return
		}
		if got := sh(t, "printf '%s\\0' "+step.Word(w)); len(got) != 1 || got[0] != w {
			t.Errorf("sh: %q became %q", w, got)
		}
		if got := powerShellRead(powerShellWord(w)); len(got) != 1 || got[0] != w {
			t.Errorf("PowerShell: %q became %q", w, got)
		}
		var back string
		if err := yaml.Unmarshal([]byte(yamlString(w)), &back); err != nil || back != w {
			t.Errorf("YAML: %q became %q (%v)", w, back, err)
		}
	})
}
