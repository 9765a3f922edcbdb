package formats

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/bench"
)

var update = flag.Bool("update", false, "rewrite testdata/golden")

// hostile is what another party may write: the ends of markup, workflow commands,
// escapes of a terminal, directives.
const hostile = "]]></failure>\x1b[2J <script>alert(1)</script> \u202e`|%0A::set-env name=A::b # SKIP \"\\ {{.}} @all\n::error::two\nnot ok 99\n\x00end"

// doctor is a document with a finding in every state.
func doctor() *Document {
	f := &facts.Facts{
		Schema: 1, OS: facts.OS{Family: "linux", Name: "Debian GNU/Linux 12 (bookworm)", Arch: "amd64"},
		CPU: facts.CPU{Model: "Intel(R) Core(TM) i5-8250U", Level: "x86-64-v3", Cores: 2, Features: []string{"avx2", "fma"}}, Memory: facts.Memory{Total: 8 << 30},
		Disks: []facts.Disk{{Purpose: "cache", Path: "/home/user/.cache", Total: 100 << 30, Free: 40 << 30}},
		GPUs:  []facts.GPU{{Vendor: "nvidia", Name: "GeForce RTX 4090", ComputeCapability: "8.9", Memory: 24 << 30}},
		Components: map[string][]facts.Instance{
			"go":     {{Version: "1.26.8", Path: "/usr/local/go", Active: true, Via: []string{"PATH"}}},
			"opencv": {{Version: "4.6.0", Path: "/usr", Active: true, Via: []string{"pkg-config", "cmake"}}, {Version: "4.10.0", Path: "/opt/<opencv>"}},
		},
		Environment: facts.Environment{Variables: []facts.Variable{{Name: "HTTPS_PROXY", Value: "http://user:hunter2@proxy.example", Problem: facts.TLSToProxy}}},
	}
	findings := []judge.Finding{
		{ID: "os.family", Title: "Operating system", State: judge.OK, Severity: recipes.Required, Found: "Debian GNU/Linux 12 (bookworm)"},
		{ID: "cpu.avx2", Title: "AVX2", State: judge.Info, Severity: recipes.Info, Found: "yes"},
		{ID: "go.version", Title: "Go", State: judge.OK, Severity: recipes.Required, Found: "Go 1.26.8", Version: "1.26.8", Where: "/usr/local/go/bin/go"},
		{ID: "opencv.version", Title: "OpenCV 4 with dnn and headers", State: judge.Fail, Severity: recipes.Required, Cause: judge.NotInstalled, Wanted: "opencv >= 4.5 with dnn, headers",
			Found: "not installed", Fix: "apt-get install libopencv-dev", Why: "gocv compiles against OpenCV's headers.", Doc: "recipes/pages/opencv.version.md"},
		{ID: "project.gocv", Title: "gocv in go.mod", State: judge.Fail, Severity: recipes.Required, Project: true, Found: "/home/user/detect/go.mod:5 asks for gocv 0.43.0, which needs OpenCV 4.11",
			Where: "/home/user/detect/go.mod:5", Fix: "go get gocv.io/x/gocv@v0.31.0", Why: "Every gocv release is made for one OpenCV."},
		{ID: "hostile.check", Title: "Hostile " + hostile, State: judge.Fail, Severity: recipes.Required, Found: hostile, Fix: hostile, Why: hostile, Where: hostile, Wanted: hostile},
		{ID: "disk.cache", Title: "Disk space for the cache", State: judge.Warn, Severity: recipes.Recommended, Found: "1.2 GB free", Fix: "Free 2 GB in /home/user/.cache.", Why: "Models take 250 MB each."},
		{ID: "cuda.driver", Title: "Driver that runs this CUDA", State: judge.Unknown, Severity: recipes.Required, Found: "nvidia-smi did not answer within 3 s"},
		{ID: "opencl.device", Title: "OpenCL device", State: judge.Unknown, Severity: recipes.Recommended, Found: "clinfo is not installed"},
		{ID: "path.new", Title: "Go on PATH", State: judge.Pending, Severity: recipes.Required, Found: "only new shells find it", Fix: "Open a new shell."},
		{ID: "mingw.opencv", Title: "OpenCV 4 built with MinGW", State: judge.Skipped, Severity: recipes.Required, Found: "Windows only"},
	}
	j := &judge.Judgement{Recipe: &recipes.Recipe{Name: "opencv-yolov3", Title: "YOLOv3 through OpenCV and gocv", Source: "embedded"}, Facts: f, Findings: findings}
	r := report.New(j, false)
	r.Made = report.Made{Tool: report.Tool{Name: "deployctl", Version: "1.2.3"}, Time: time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC)}
	r.Fix = &report.Fix{Command: "deployctl doctor --fix", Findings: []string{"opencv.version"}, DownloadBytes: 320e6, Minutes: 4}
	d := &Document{
		Command: "doctor", Doctor: r, Facts: f, Root: "/home/user/detect/", Version: "1.2.3", Time: r.Time, Exit: r.Exit,
		Plan: []step.Step{
			{ID: "apt.refresh", Title: "Fetch the package lists", Needs: []step.Need{step.Admin, step.Network}, Cost: step.Cost{DownloadBytes: 9e6, Minutes: 0.2}, Argv: []string{"apt-get", "update"}, Undo: "Nothing to undo.", Requirements: []string{"opencv.version"}},
			{ID: "apt.install", Title: "Install libopencv-dev", Needs: []step.Need{step.Admin}, Cost: step.Cost{DownloadBytes: 311e6, DiskBytes: 12e8, Minutes: 4},
				Argv: []string{"apt-get", "install", "--", "libopencv-dev", hostile}, Undo: "deployctl undo removes the packages that it added.", Requirements: []string{"opencv.version"}},
		},
		Manual: []mechanism.Manual{{Requirement: "hostile.check", Title: "Hostile " + hostile, Reason: hostile, Do: hostile}},
	}
	r.Plan, r.Manual = d.Plan, d.Manual
	return d
}

// proven is what verify found with two engines and the reference.
func proven() *Document {
	r := &verify.Result{
		Schema: 1, Level: 3, State: verify.Fail, Network: verify.Network{Name: "yolov3", Layers: 107, Params: 62001757, GFLOP: 65.86, Width: 416, Height: 416},
		Weights: verify.Weights{Kind: verify.SelfTest, SHA256: strings.Repeat("a", 64)},
		Engines: []verify.Engine{
			{Name: "gocv", Version: "v0.31.0", Backend: "opencv", Target: "cpu", State: verify.OK, LoadSeconds: 0.195, FirstSeconds: 0.701, MedianSeconds: 0.489, P95Seconds: 0.517, GFLOPS: 135, PeakShare: 0.4, MemoryBytes: 812e6, Runs: 10,
				Boxes: []verify.Box{{Class: "car", Score: 0.91, X: 12, Y: 34, W: 56, H: 78}}},
			{Name: "onnxruntime", Version: "1.30.0", Backend: "cpu", Target: "cpu", State: verify.OK, LoadSeconds: 0.21, FirstSeconds: 0.5, MedianSeconds: 0.35, P95Seconds: 0.36, GFLOPS: 188, PeakShare: 0.81, MemoryBytes: 7e8, Runs: 10},
			{Name: "darknet", Version: "", Backend: "darknet", Target: "cpu", State: verify.Fail, Why: "head 2 differs: " + hostile, Reasons: []string{"head 2 differs", hostile}, Fix: "Rebuild it without -Ofast."},
			{Name: "reference", Version: "pure Go", Backend: "go", Target: "cpu", State: verify.OK},
		},
	}
	return &Document{Command: "verify", Proof: r, Version: "1.2.3", Time: time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC), Exit: judge.ExitFail}
}

func documents() map[string]*Document {
	both := doctor()
	both.Proof = proven().Proof
	both.Doctor.Proof = both.Proof
	stopped := doctor()
	stopped.Doctor.Findings = stopped.Doctor.Findings[:3]
	stopped.Doctor.Error, stopped.Exit = "apt-get stopped: "+hostile, 1
	alike := &Document{Command: Diff, Comparison: report.Compare("a.tgz", machineA(), "b.tgz", machineA()), Version: "1.2.3", Time: both.Time}
	impossible := planning()
	impossible.Solution.Feasible, impossible.Solution.Conflict, impossible.Exit = false, []string{"cuda.version: requires CUDA 13", hostile}, judge.ExitFail
	wrong := benched()
	wrong.Bench.Rows = wrong.Bench.Rows[2:3]
	empty := &Document{Command: "verify", Proof: &verify.Result{Level: verify.LevelLoad, State: verify.OK}, Version: "1.2.3", Time: both.Time}
	return map[string]*Document{"doctor": doctor(), "verify": proven(), "fix": both, "stopped": stopped, "empty": empty,
		"diff": compared(), "alike": alike, "plan": planning(), "impossible": impossible, "bench": benched(), "wrong": wrong}
}

// machineA is where a program was built, for diff.
func machineA() *facts.Facts {
	f := doctor().Facts
	f.OS.Libc = facts.Libc{Kind: "glibc", Version: "2.39"}
	return f
}

// compared has differences of every weight.
func compared() *Document {
	b := machineA()
	b.OS.Libc.Version, b.OS.Kernel, b.CPU.Cores = "2.36", "6.1.0 "+hostile, 1
	delete(b.Components, "go")
	c := report.Compare("build.tgz", machineA(), hostile, b)
	c.Made = report.Made{Tool: report.Tool{Name: "deployctl", Version: "1.2.3"}, Time: time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC)}
	return &Document{Command: Diff, Comparison: c, Version: "1.2.3", Time: c.Time, Exit: c.Exit}
}

// planning is a plan with what there can be in one.
func planning() *Document {
	s := &solve.Solution{
		Recipe: "opencv-cuda", Feasible: true, Targets: map[string]string{"cuda": "12.6"},
		Changes: []solve.Change{
			{Component: "opencv", Action: solve.Upgrade, From: "4.6.0", To: "4.10.0", How: "sudo apt-get install libopencv-dev", Why: []string{"opencv.version: requires OpenCV >= 4.9; this is OpenCV 4.6.0"}, Cost: solve.Cost{DownloadBytes: 311e6, Minutes: 4}, Covers: []string{"opencv.version"}},
			{Component: "cuda", Action: solve.Install, To: "12.6", How: "Install it: " + hostile, Why: []string{hostile}, ByHand: true},
		},
		Cost: solve.Cost{DownloadBytes: 311e6, Minutes: 4}, Untested: []string{"OpenCV 4.10.0 with CUDA 12.6"}, Open: []string{hostile},
	}
	s.Price(func([]string) (solve.Cost, bool, bool) {
		return solve.Cost{DownloadBytes: 311e6, Minutes: 4}, true, true
	})
	return &Document{Command: Plan, Solution: s, Next: "Run `deployctl doctor --fix` (about 320 MB, about 4 min).", Facts: doctor().Facts, Version: "1.2.3", Time: time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC), Exit: judge.ExitUnknown}
}

// benched is a leaderboard of two networks.
func benched() *Document {
	row := func(network, name, version string, median float64) bench.Row {
		return bench.Row{Network: network, Size: 416, Engine: name, Version: version, Target: "cpu", Precision: "fp32", Threads: 2, State: verify.OK, RelL2: 3e-6,
			Load: 0.2, First: 2 * median, Min: median, Median: median, P95: 1.1 * median, Medians: []float64{median}, Runs: 10, GFLOPS: 65.86 / median, Share: 0.4, Memory: 812e6}
	}
	failed := row("yolov3", "darknet", "1", 0)
	failed.State, failed.Why, failed.GFLOPS = verify.Fail, hostile, 0
	r := &bench.Report{Schema: 1, Time: time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC), Machine: "AMD EPYC, 2 cores, Debian GNU/Linux 12", Version: "1.2.3", Processors: 2, PeakGFLOPS: 232, MemoryGBs: 20, Busy: 1.02,
		Rows: []bench.Row{row("yolov3", "ncnn", "1.0", 0.243), row("yolov3", "gocv", "4.10.0 "+hostile, 0.43), failed, row("yolov3-tiny", "ncnn", "1.0", 0.03)}}
	old := *r
	old.Rows = []bench.Row{row("yolov3", "ncnn", "1.0", 0.39)}
	return &Document{Command: Bench, Bench: r, Changes: bench.Changes(bench.Compare(r, &old), &old), Version: "1.2.3", Time: r.Time}
}

// documentsIn are the documents whose command has a format.
func documentsIn(t *testing.T, format string) map[string]*Document {
	t.Helper()
	list := documents()
	maps.DeleteFunc(list, func(_ string, d *Document) bool {
		_, err := Find(d.Command, format)
		return err != nil
	})
	return list
}

func written(t *testing.T, name string, d *Document) string {
	t.Helper()
	f, err := Find(d.Command, name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestGolden keeps the documents of every format as they were looked at.
func TestGolden(t *testing.T) {
	for _, f := range All() {
		for about, d := range documentsIn(t, f.Name) {
			if f.Live && f.Name != GitHub || f.Name == JSON || about != d.Command { // text and JSON have tests of their own
				continue
			}
			file := filepath.Join("testdata", "golden", about+"."+f.Name)
			keep(t, file, written(t, f.Name, d))
		}
	}
}

// TestNothingSteersATerminal: no format lets through a control character, a mark
// that turns the direction of writing, or a line that begins a workflow command.
func TestNothingSteersATerminal(t *testing.T) {
	for _, f := range All() {
		if f.Name == Text || f.Name == JSON { // the console's writer cleans text; JSON escapes
			continue
		}
		for about, d := range documentsIn(t, f.Name) {
			got := written(t, f.Name, d)
			if i := strings.IndexFunc(got, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == 0x202e }); i >= 0 {
				t.Errorf("%s %s: %q", about, f.Name, got[max(0, i-20):i+1])
			}
			for line := range strings.Lines(got) {
				bare := strings.TrimSpace(line)
				if strings.HasPrefix(bare, "::") && !(f.Name == GitHub && regexp.MustCompile(`^::(error|warning) (file=[^:,]+,line=\d+,)?title=[^:,]*::[^\n]*$`).MatchString(bare)) {
					t.Errorf("%s %s: a workflow command: %s", about, f.Name, line)
				}
			}
		}
	}
}

func TestJUnit(t *testing.T) {
	for about, d := range documentsIn(t, "junit") {
		text := written(t, "junit", d)
		var got junitSuites
		if err := xml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%s: %v", about, err)
		}
		s := got.Suites[0]
		count := func(has func(c junitCase) bool) (n int) {
			for _, c := range s.Cases {
				if has(c) {
					n++
				}
			}
			return n
		}
		want := []int{len(s.Cases), count(func(c junitCase) bool { return c.Failure != nil }), count(func(c junitCase) bool { return c.Error != nil }), count(func(c junitCase) bool { return c.Skipped != nil })}
		if is := []int{s.Tests, s.Failures, s.Errors, s.Skipped}; !slices.Equal(is, want) {
			t.Errorf("%s: it counts %v, and has %v", about, is, want)
		}
		if about == "doctor" && !slices.Equal(want, []int{11, 3, 2, 1}) {
			t.Errorf("tests, failures, errors, skipped: %v", want)
		}
		if about == "doctor" && !strings.Contains(s.Out, "warning: Disk space for the cache: 1.2 GB free. Fix: Free 2 GB") {
			t.Errorf("the warnings are not in the output: %s", s.Out)
		}
		for _, c := range s.Cases {
			if c.Name == "" || c.Class == "" || strings.ContainsAny(c.Name+c.Class, "\n\t") {
				t.Errorf("%s: not a token: %q, %q", about, c.Name, c.Class)
			}
		}
		outside(t, "DEPLOYCTL_TEST_JUNIT_XSD", func(schema string) {
			cmd := exec.Command("xmllint", "--noout", "--schema", schema, "-")
			cmd.Stdin = strings.NewReader(text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", about, err, out)
			}
		})
	}
}

// outside runs a check with a schema that is not part of this repository, where the
// variable names its file.
func outside(t *testing.T, variable string, check func(file string)) {
	t.Helper()
	if file := os.Getenv(variable); file != "" {
		check(file)
		return
	}
	t.Logf("not checked against the published schema: %s is not set", variable)
}

// TestTAP reads the documents as a harness does.
func TestTAP(t *testing.T) {
	result := regexp.MustCompile(`^(not )?ok (\d+) - ((?:[^#\\]|\\.)*?)(?: # (SKIP|TODO) (.*))?$`)
	for about, d := range documentsIn(t, "tap") {
		lines := strings.Split(strings.TrimSuffix(written(t, "tap", d), "\n"), "\n")
		if lines[0] != "TAP version 13" || !regexp.MustCompile(`^1\.\.\d+$`).MatchString(lines[1]) {
			t.Fatalf("%s: %q", about, lines[:2])
		}
		planned, _ := strconv.Atoi(lines[1][3:])
		seen, bad, block := 0, 0, false
		for _, l := range lines[2:] {
			m := result.FindStringSubmatch(l)
			switch {
			case l == "  ---" && !block:
				block = true
			case l == "  ..." && block:
				block = false
			case block:
				key, value, ok := strings.Cut(strings.TrimPrefix(l, "  "), ": ")
				var text string
				if !strings.HasPrefix(l, "  ") || !ok || !regexp.MustCompile(`^[a-z]+$`).MatchString(key) || json.Unmarshal([]byte(value), &text) != nil {
					t.Errorf("%s: not YAML: %s", about, l)
				}
			case m != nil:
				seen++
				if m[2] != strconv.Itoa(seen) {
					t.Errorf("%s: number %s at %d", about, m[2], seen)
				}
				if m[1] != "" && m[4] != "TODO" {
					bad++
				}
			case !strings.HasPrefix(l, "# "):
				t.Errorf("%s: not TAP: %q", about, l)
			}
		}
		if seen != planned || block {
			t.Errorf("%s: %d planned, %d there", about, planned, seen)
		}
		if about == "doctor" && bad != 5 {
			t.Errorf("%d fail", bad)
		}
	}
}

func TestSARIF(t *testing.T) {
	for about, d := range documentsIn(t, "sarif") {
		text := written(t, "sarif", d)
		var got sarifLog
		e := json.NewDecoder(strings.NewReader(text))
		e.DisallowUnknownFields()
		if err := e.Decode(&got); err != nil {
			t.Fatal(err)
		}
		run := got.Runs[0]
		if got.Version != "2.1.0" || run.Results == nil || run.Tool.Driver.Rules == nil {
			t.Errorf("%s: %s", about, text)
		}
		ids := map[string]bool{}
		for _, r := range run.Tool.Driver.Rules {
			if ids[r.ID] {
				t.Errorf("%s: two rules %s", about, r.ID)
			}
			ids[r.ID] = true
		}
		for _, r := range run.Results {
			if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Message.Text == "" || len(r.Locations) != 1 || len(r.Fingerprints) == 0 {
				t.Errorf("%s: %+v", about, r)
			}
			if l := r.Locations[0].Physical; strings.HasPrefix(l.Artifact.URI, "/") || l.Region.StartLine < 1 {
				t.Errorf("%s: not a place in the repository: %+v", about, l)
			}
		}
		if about == "doctor" && (len(run.Results) != 7 || !strings.Contains(text, `"uri": "go.mod"`) || !strings.Contains(text, `"startLine": 5`)) {
			t.Errorf("%d results: %s", len(run.Results), text)
		}
		outside(t, "DEPLOYCTL_TEST_SARIF_SCHEMA", func(file string) {
			schema, err := jsonschema.NewCompiler().Compile(file)
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s: %v", about, err)
			}
		})
	}
}

// TestPrometheus reads the documents by the rules of the text exposition format.
func TestPrometheus(t *testing.T) {
	series := regexp.MustCompile(`^([a-z_:][a-z0-9_:]*)\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (\S+)$`)
	for about, d := range documentsIn(t, "prometheus") {
		family, seen, values := "", map[string]bool{}, map[string]float64{}
		for line := range strings.Lines(written(t, "prometheus", d)) {
			line = strings.TrimSuffix(line, "\n")
			if name, ok := strings.CutPrefix(line, "# HELP "); ok {
				name, _, _ = strings.Cut(name, " ")
				if seen["family "+name] {
					t.Errorf("%s: %s begins twice", about, name)
				}
				family, seen["family "+name] = name, true
				continue
			}
			if line == "# TYPE "+family+" gauge" {
				continue
			}
			m := series.FindStringSubmatch(line)
			if m == nil || m[1] != family || seen[m[2]+m[1]] {
				t.Errorf("%s: bad or repeated: %s", about, line)
				continue
			}
			seen[m[2]+m[1]] = true
			v, err := strconv.ParseFloat(m[3], 64)
			if err != nil {
				t.Error(err)
			}
			values[m[1]+m[2]] = v
		}
		if about == "doctor" && (values[`deployctl_checkscommand="doctor",recipe="opencv-yolov3",state="fail"`] != 3 || values[`deployctl_exit_codecommand="doctor",recipe="opencv-yolov3"`] != 3) {
			t.Errorf("%v", values)
		}
		if about == "verify" && values[`deployctl_engine_median_secondscommand="verify",recipe="yolov3",engine="onnxruntime",version="1.30.0",backend="cpu",target="cpu"`] != 0.35 {
			t.Errorf("%v", values)
		}
	}
}

func TestGitLab(t *testing.T) {
	for about, d := range documentsIn(t, "gitlab") {
		var list []violation
		e := json.NewDecoder(strings.NewReader(written(t, "gitlab", d)))
		e.DisallowUnknownFields()
		if err := e.Decode(&list); err != nil || list == nil {
			t.Fatalf("%s: %v, %v", about, list, err)
		}
		seen := map[string]bool{}
		for _, v := range list {
			if v.Description == "" || v.CheckName == "" || len(v.Fingerprint) != 64 || seen[v.Fingerprint] || v.Location.Lines.Begin < 1 || filepath.IsAbs(v.Location.Path) ||
				!slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, v.Severity) {
				t.Errorf("%s: %+v", about, v)
			}
			seen[v.Fingerprint] = true
		}
		if about == "doctor" && (len(list) != 7 || list[1].Location != (violationLocation{"go.mod", violationLines{5}})) {
			t.Errorf("%+v", list)
		}
	}
}

// TestMarkdownMeansItself: a table's rows keep their cells, and nothing of a
// hostile text is markup.
func TestMarkdownMeansItself(t *testing.T) {
	for about, d := range documentsIn(t, "markdown") {
		got := written(t, "markdown", d)
		columns := 0
		for line := range strings.Lines(got) {
			if !strings.HasPrefix(line, "|") {
				columns = 0
				continue
			}
			n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			if columns != 0 && n != columns {
				t.Errorf("%s: %d cells in a table of %d: %s", about, n-1, columns-1, line)
			}
			columns = n
		}
		if strings.Contains(got, "<script") || strings.Contains(got, "@all") {
			t.Errorf("%s: markup of a hostile text: %s", about, got)
		}
	}
}

func TestDefault(t *testing.T) {
	for value, want := range map[string]string{"true": GitHub, "": Text, "false": Text} {
		if got := Default(func(string) string { return value }); got != want {
			t.Errorf("GITHUB_ACTIONS=%s: %s", value, got)
		}
	}
	if _, err := Find(Doctor, "xml"); err == nil || !strings.Contains(err.Error(), "use text, json, junit") {
		t.Error(err)
	}
	if _, err := Find(Plan, "sarif"); err == nil || !strings.Contains(err.Error(), "use text, json, markdown or html") {
		t.Error(err)
	}
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		where, root, file string
		line              int
	}{
		{"/home/user/p/go.mod:5", "/home/user/p", "go.mod", 5},
		{`C:\src\p\CMakeLists.txt:12`, `C:\src`, "p/CMakeLists.txt", 12},
		{"/elsewhere/go.mod:5", "/home/user/p", "/elsewhere/go.mod", 5},
		{"/usr/bin/cmake", "", "", 0},
		{"", "", "", 0},
	} {
		if file, line := place(c.where, c.root); file != c.file || line != c.line {
			t.Errorf("%q: %q, %d", c.where, file, line)
		}
	}
}
