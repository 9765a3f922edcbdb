package judge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// debian gives the facts of a Debian machine on which everything the recipe
// opencv-yolov3 asks for is installed from packages.
func debian(version, opencv, goVersion, gxx string) *facts.Facts {
	f := &facts.Facts{
		Schema: 1,
		OS: facts.OS{Family: "linux", ID: "debian", Name: "Debian GNU/Linux " + version, Version: version, Arch: "amd64",
			User: facts.User{Elevate: []string{"sudo"}}, Evidence: []facts.Evidence{{Kind: "file", Source: "/etc/os-release"}}},
		CPU: facts.CPU{Arch: "amd64", Model: "AMD EPYC", Level: "x86-64-v3", Features: []string{"avx2", "sse2", "sse3"}, Cores: 2,
			Evidence: []facts.Evidence{{Kind: "cpuid", Source: "cpuid"}}},
		Memory: facts.Memory{Total: 8 << 30, Evidence: []facts.Evidence{{Kind: "file", Source: "/proc/meminfo"}}},
		Disks: []facts.Disk{
			{Purpose: "cache", Path: "/root/.cache/deployctl", Total: 40 << 30, Free: 20 << 30},
			{Purpose: "tmp", Path: "/tmp", Total: 40 << 30, Free: 20 << 30},
			{Purpose: "system", Path: "/", Total: 40 << 30, Free: 20 << 30},
		},
	}
	tool := func(name, version, path string, has ...string) {
		f.Add(name, facts.Instance{Version: version, Path: path, Active: true, Via: []string{"PATH"}, Has: has})
	}
	tool("apt", "2.6.1", "/usr/bin/apt-get")
	if gxx != "" {
		tool("g++", gxx, "/usr/bin/g++")
		tool("gcc", gxx, "/usr/bin/gcc")
	}
	tool("pkg-config", "1.8.1", "/usr/bin/pkg-config")
	if goVersion != "" {
		tool("go", goVersion, "/usr/bin/go")
	}
	if opencv != "" {
		f.Add("opencv", facts.Instance{Version: opencv, Path: "/usr", Active: true, Via: []string{"pkg-config", "ldconfig", "cmake"},
			Has: []string{"cmake", "core", "dnn", "headers", "imgproc", "pkg-config"}})
	}
	return f
}

func debian11() *facts.Facts { return debian("11", "4.5.1", "1.15.15", "10.2.1") }
func debian12() *facts.Facts { return debian("12", "4.6.0", "1.19.8", "12.2.0") }
func debian13() *facts.Facts { return debian("13", "4.10.0", "1.24.4", "14.2.0") }

func load(t testing.TB) (*recipes.Recipe, *recipes.Tables) {
	t.Helper()
	r, err := recipes.Find(recipes.Default, "")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	return r, tables
}

// without removes a component.
func without(f *facts.Facts, names ...string) *facts.Facts {
	for _, n := range names {
		delete(f.Components, n)
	}
	return f
}

// want is what a test asks of one finding: the state, and words that each of
// the named fields contains.
type want struct {
	id    string
	state State
	found string
	fix   string
}

func TestEvaluate(t *testing.T) {
	tests := []struct {
		name  string
		facts *facts.Facts
		// wants lists every finding that is neither ok nor one of the two
		// skipped ones a healthy Linux machine has; anything unlisted fails the test.
		wants  []want
		gocv   string
		exit   int
		strict int
	}{
		{name: "Debian 11", facts: debian11(), gocv: "0.31.0"},
		{name: "Debian 12", facts: debian12(), gocv: "0.31.0"},
		{name: "Debian 13", facts: debian13(), gocv: "0.43.0"},
		{name: "Debian 13 with Debian 12's Go", facts: debian("13", "4.10.0", "1.19.8", "14.2.0"), gocv: "0.35.0"},
		{
			name: "unstable has no release number", gocv: "0.43.0",
			facts: func() *facts.Facts { f := debian13(); f.OS.Version, f.OS.Codename = "", "forky"; return f }(),
		},
		{
			name: "Debian 10 is only advised against", facts: func() *facts.Facts { f := debian12(); f.OS.Version = "10"; return f }(),
			wants: []want{{"os.release", Warn, "Debian", "Upgrade"}}, gocv: "0.31.0", strict: ExitStrict,
		},
		{
			name: "bare Debian 12 with Go", facts: without(debian12(), "opencv", "g++", "pkg-config"),
			wants: []want{
				{"cxx.compiler", Fail, "not installed", "sudo apt-get install g++"},
				{"pkg-config.present", Fail, "not installed", "sudo apt-get install pkg-config"},
				{"opencv.version", Fail, "not installed", "sudo apt-get install libopencv-dev"},
				{"gocv.release", Skipped, "waiting for OpenCV 4 with dnn and headers (opencv.version)", ""},
			}, exit: ExitFail, strict: ExitFail,
		},
		{
			name: "root needs no sudo", facts: func() *facts.Facts {
				f := without(debian12(), "opencv")
				f.OS.User = facts.User{Admin: true, Elevate: []string{"sudo"}}
				return f
			}(),
			wants: []want{{"opencv.version", Fail, "", "apt-get install libopencv-dev"}, {"gocv.release", Skipped, "", ""}},
			exit:  ExitFail, strict: ExitFail,
		},
		{
			name: "neither root nor sudo", facts: func() *facts.Facts { f := without(debian12(), "opencv"); f.OS.User = facts.User{}; return f }(),
			wants: []want{{"opencv.version", Fail, "", "as root: apt-get install libopencv-dev"}, {"gocv.release", Skipped, "", ""}},
			exit:  ExitFail, strict: ExitFail,
		},
		{
			name: "no room for packages matters while OpenCV is missing",
			facts: func() *facts.Facts {
				f := without(debian12(), "opencv")
				f.Disks[2].Free = 100 << 20
				return f
			}(),
			wants: []want{
				{"disk.system", Fail, "100 MiB free", "Free 2 GiB"},
				{"opencv.version", Fail, "not installed", "apt-get install"}, {"gocv.release", Skipped, "", ""},
			}, exit: ExitFail, strict: ExitFail,
		},
		{
			name: "no room for packages matters not once it is there", gocv: "0.31.0",
			facts: func() *facts.Facts { f := debian12(); f.Disks[2].Free = 0; return f }(),
		},
		{
			name: "only clang++", facts: func() *facts.Facts {
				f := without(debian12(), "g++")
				f.Add("clang++", facts.Instance{Version: "14.0.6", Path: "/usr/bin/clang++", Active: true, Via: []string{"PATH"}})
				return f
			}(), gocv: "0.31.0",
		},
		{
			name: "g++ is too old", facts: debian("12", "4.6.0", "1.19.8", "4.9.2"),
			wants: []want{{"cxx.compiler", Fail, "g++ 4.9.2", "apt-get install g++"}}, gocv: "0.31.0", exit: ExitFail, strict: ExitFail,
		},
		{
			name: "OpenCV 5 from a rolling distribution", facts: func() *facts.Facts {
				f := debian("", "5.0.0", "1.26.8", "15.2.0")
				f.OS.ID, f.OS.Name = "arch", "Arch Linux"
				delete(f.Components, "apt")
				f.Add("pacman", facts.Instance{Version: "7.0", Path: "/usr/bin/pacman", Active: true})
				return f
			}(),
			wants: []want{
				{"opencv.version", Fail, "OpenCV 5.0.0", "opencv4 of the user repository"},
				{"gocv.release", Skipped, "waiting for OpenCV 4 with dnn and headers (opencv.version)", ""},
			}, exit: ExitFail, strict: ExitFail,
		},
		{
			name: "a beta of OpenCV 5 is no OpenCV 4", facts: debian("13", "5.0.0-beta", "1.24", "14.2.0"),
			wants: []want{{"opencv.version", Fail, "5.0.0-beta", "libopencv-dev"}, {"gocv.release", Skipped, "", ""}},
			exit:  ExitFail, strict: ExitFail,
		},
		{
			name: "OpenCV 5 by hand beside nothing", facts: func() *facts.Facts {
				f := debian12()
				f.Components["opencv"][0].Version, f.Components["opencv"][0].Path = "5.0.0", "/usr/local"
				return f
			}(),
			wants: []want{
				{"opencv.version", Fail, "OpenCV 5.0.0", "apt-get install libopencv-dev; then remove the copy in /usr/local"},
				{"gocv.release", Skipped, "", ""},
			}, exit: ExitFail, strict: ExitFail,
		},
		{
			name: "OpenCV 5 wins over a good copy", facts: func() *facts.Facts {
				f := debian12()
				f.Components["opencv"][0].Version = "5.0.0"
				f.Components["opencv"][0].Via = []string{"pkg-config"}
				f.Add("opencv", facts.Instance{Version: "4.8.0", Path: "/opt/opencv", Has: []string{"dnn", "headers", "pkg-config"},
					Attrs: map[string]string{"pc": "/opt/opencv/lib/pkgconfig/opencv4.pc"}})
				return f
			}(),
			wants: []want{
				{"opencv.version", Fail, "4.8.0 in /opt/opencv would do, but 5.0.0 in /usr comes first because of pkg-config", "export PKG_CONFIG_PATH=/opt/opencv/lib/pkgconfig"},
				{"gocv.release", Skipped, "", ""},
			}, exit: ExitFail, strict: ExitFail,
		},
		{
			name: "pkg-config and CMake find different copies", facts: func() *facts.Facts {
				f := debian12()
				f.Components["opencv"][0].Via = []string{"pkg-config", "ldconfig"}
				f.Add("opencv", facts.Instance{Version: "5.0.0", Path: "/opt/opencv5", Via: []string{"cmake"}, Has: []string{"dnn", "headers"}})
				return f
			}(),
			wants: []want{{"opencv.shadow", Warn, "4.6.0 in /usr by pkg-config, ldconfig; 5.0.0 in /opt/opencv5 by cmake", "Remove"}},
			gocv:  "0.31.0", exit: ExitOK, strict: ExitStrict,
		},
		{
			name: "a second copy that wins nothing is no matter", facts: func() *facts.Facts {
				f := debian12()
				f.Add("opencv", facts.Instance{Version: "4.8.0", Path: "/opt/opencv", Via: []string{"ldconfig"}, Has: []string{"dnn"}})
				return f
			}(), gocv: "0.31.0",
		},
		{
			name: "runtime without headers", facts: func() *facts.Facts { f := debian12(); f.Components["opencv"][0].Has = []string{"dnn"}; return f }(),
			wants: []want{{"opencv.version", Fail, "OpenCV 4.6.0, without headers, pkg-config", "apt-get install libopencv-dev"}, {"gocv.release", Skipped, "", ""}},
			exit:  ExitFail, strict: ExitFail,
		},
		{
			name: "OpenCV of unknown version", facts: func() *facts.Facts { f := debian12(); f.Components["opencv"][0].Version = ""; return f }(),
			wants: []want{{"opencv.version", Unknown, "version could not be determined", "again"}, {"gocv.release", Skipped, "", ""}},
			exit:  ExitUnknown, strict: ExitUnknown,
		},
		{
			name: "OpenCV that no lookup finds", facts: func() *facts.Facts {
				f := without(debian12(), "opencv")
				f.Add("opencv", facts.Instance{Version: "4.6.0", Path: "/home/me/opencv", Has: []string{"dnn", "headers", "pkg-config"}, Attrs: map[string]string{"pc": "/home/me/opencv/lib/pkgconfig"}})
				return f
			}(),
			wants: []want{
				{"opencv.version", Fail, "where programs do not look", "export PKG_CONFIG_PATH=/home/me/opencv/lib/pkgconfig"},
				{"gocv.release", Skipped, "", ""},
			}, exit: ExitFail, strict: ExitFail,
		},
		{
			name: "the OpenCV probe failed", facts: func() *facts.Facts {
				f := without(debian12(), "opencv")
				f.Problems = []facts.Problem{{Probe: "opencv", Covers: []string{"opencv"}, Error: "pkg-config did not answer within 3s"}}
				return f
			}(),
			wants: []want{{"opencv.version", Unknown, "pkg-config did not answer within 3s", "again"}, {"gocv.release", Skipped, "", ""}},
			exit:  ExitUnknown, strict: ExitUnknown,
		},
		{
			name: "a problem does not hide what was found", facts: func() *facts.Facts {
				f := debian12()
				f.Problems = []facts.Problem{{Probe: "opencv", Covers: []string{"opencv"}, Error: "ldconfig crashed"}}
				return f
			}(), gocv: "0.31.0",
		},
		{
			name: "g++ missing while clang could not be looked at", facts: func() *facts.Facts {
				f := without(debian12(), "g++")
				f.Problems = []facts.Problem{{Probe: "compilers", Covers: []string{"clang++"}, Error: "timed out"}}
				return f
			}(),
			wants: []want{{"cxx.compiler", Unknown, "timed out", ""}}, gocv: "0.31.0", exit: ExitUnknown, strict: ExitUnknown,
		},
		{
			name: "Go too old for gocv on this OpenCV", facts: debian("12", "4.12.0", "1.20.3", "12.2.0"),
			wants: []want{{"gocv.release", Fail, "gocv 0.42.0, needs Go >= 1.21", "Install Go >= 1.21 instead of 1.20.3 (apt may bring it: sudo apt-get install golang-go)"}},
			exit:  ExitFail, strict: ExitFail,
		},
		{
			name: "OpenCV newer than gocv was tried with", facts: debian("13", "4.14.0", "1.26.8", "14.2.0"),
			wants: []want{{"gocv.release", Warn, "in no list of tested pairs", "deployctl verify"}}, gocv: "0.43.0", strict: ExitStrict,
		},
		{
			name: "arm64", facts: func() *facts.Facts {
				f := debian12()
				f.OS.Arch, f.CPU = "arm64", facts.CPU{Arch: "arm64", Model: "Neoverse-N1", Features: []string{"asimd"}, Cores: 4}
				return f
			}(),
			wants: []want{{"cpu.avx2", Skipped, "amd64 only", ""}}, gocv: "0.31.0",
		},
		{
			name: "32-bit system on a 64-bit ARM", facts: func() *facts.Facts {
				f := debian12()
				f.OS.Arch, f.CPU = "arm", facts.CPU{Arch: "arm64", Model: "Cortex-A72", Features: []string{"asimd"}}
				return f
			}(),
			wants: []want{{"cpu.arch", Fail, "32-bit (arm); only its kernel is 64-bit", "64-bit version"}, {"cpu.avx2", Skipped, "", ""}},
			gocv:  "0.31.0", exit: ExitFail, strict: ExitFail,
		},
		{
			name: "32-bit x86", facts: func() *facts.Facts {
				f := debian12()
				f.OS.Arch, f.CPU = "386", facts.CPU{Arch: "386", Model: "Atom N270", Features: []string{"sse2"}}
				return f
			}(),
			wants: []want{{"cpu.arch", Fail, "386", "64-bit"}, {"cpu.avx2", Skipped, "amd64 only", ""}},
			gocv:  "0.31.0", exit: ExitFail, strict: ExitFail,
		},
		{
			name: "Celeron without AVX2", facts: func() *facts.Facts { f := debian12(); f.CPU.Features = []string{"sse2", "sse4.2"}; return f }(),
			wants: []want{{"cpu.avx2", Warn, "without avx2", "AVX2"}}, gocv: "0.31.0", strict: ExitStrict,
		},
		{
			name: "1 GB of memory", facts: func() *facts.Facts { f := debian12(); f.Memory.Total = 1 << 30; return f }(),
			wants: []want{{"memory.size", Fail, "1 GiB", "2 GB"}, {"memory.comfort", Warn, "1 GiB", "4 GB"}}, gocv: "0.31.0", exit: ExitFail, strict: ExitFail,
		},
		{
			name: "a container's limit counts", facts: func() *facts.Facts { f := debian12(); f.Memory.Limit = 2 << 30; return f }(),
			wants: []want{{"memory.comfort", Warn, "2 GiB, the limit of this container or service; the machine has 8 GiB", "4 GB"}}, gocv: "0.31.0", strict: ExitStrict,
		},
		{
			name: "full and read-only disks", facts: func() *facts.Facts {
				f := debian12()
				f.Disks[0].ReadOnly = true
				f.Disks[1].Free = 10 << 20
				return f
			}(),
			wants: []want{{"disk.cache", Fail, "read-only", "cache"}, {"disk.tmp", Fail, "10 MiB free", "TMPDIR"}}, gocv: "0.31.0", exit: ExitFail, strict: ExitFail,
		},
		{
			name: "unsupported system", facts: func() *facts.Facts {
				f := debian12()
				f.OS = facts.OS{Family: "freebsd", ID: "freebsd", Version: "14", Arch: "amd64"}
				return f
			}(),
			// One line says it; nothing else matters on another system.
			wants: []want{{"os.family", Fail, "freebsd", "Use a Linux"},
				{"os.release", Skipped, "not for this operating system", ""},
				{"cpu.arch", Skipped, "not for this operating system", ""},
				{"cpu.avx2", Skipped, "not for this operating system", ""},
				{"memory.size", Skipped, "not for this operating system", ""},
				{"memory.comfort", Skipped, "not for this operating system", ""},
				{"disk.cache", Skipped, "not for this operating system", ""},
				{"disk.tmp", Skipped, "not for this operating system", ""},
				{"cxx.compiler", Skipped, "not for this operating system", ""},
				{"pkg-config.present", Skipped, "not for this operating system", ""},
				{"go.version", Skipped, "not for this operating system", ""},
				{"opencv.version", Skipped, "not for this operating system", ""},
				{"gocv.release", Skipped, "not for this operating system", ""},
			},
			exit: ExitFail, strict: ExitFail,
		},
		{
			name: "Windows", facts: func() *facts.Facts {
				f := without(debian12(), "apt", "pkg-config", "opencv")
				f.OS = facts.OS{Family: "windows", ID: "windows", Name: "Windows 11", Version: "10.0.22631", Arch: "amd64"}
				return f
			}(),
			wants: []want{{"pkg-config.present", Skipped, "Linux or macOS only", ""}, {"opencv.version", Skipped, "Linux or macOS only", ""},
				{"opencv.mingw", Fail, "not installed", "win_build_opencv.cmd"}, {"gocv.release", Skipped, "waiting for OpenCV 4 built with MinGW (opencv.mingw)", ""}},
			exit: ExitFail, strict: ExitFail,
		},
		{
			name: "nothing is known", facts: &facts.Facts{Problems: []facts.Problem{
				{Probe: "os", Covers: []string{"os"}, Error: "permission denied"},
				{Probe: "everything", Covers: []string{"g++", "clang++", "go", "opencv", "pkg-config"}, Error: "timed out"},
			}},
			wants: []want{
				{"os.family", Unknown, "permission denied", ""}, {"os.release", Unknown, "permission denied", ""},
				{"cpu.arch", Unknown, "could not be determined", ""}, {"cpu.avx2", Unknown, "could not be determined", ""},
				{"memory.size", Unknown, "", ""}, {"memory.comfort", Unknown, "", ""},
				{"disk.cache", Unknown, "", ""}, {"disk.tmp", Unknown, "", ""}, {"disk.system", Unknown, "", ""},
				{"cxx.compiler", Unknown, "timed out", ""}, {"pkg-config.present", Unknown, "permission denied", ""},
				{"go.version", Unknown, "timed out", ""}, {"opencv.version", Unknown, "permission denied", ""},
				{"opencv.mingw", Unknown, "permission denied", ""}, {"gocv.release", Skipped, "", ""},
			}, exit: ExitUnknown, strict: ExitUnknown,
		},
	}
	r, tables := load(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := Evaluate(r, tables, tt.facts)
			wants := map[string]want{}
			for _, w := range tt.wants {
				wants[w.id] = w
			}
			seen := map[string]bool{}
			for _, f := range j.Findings {
				if seen[f.ID] {
					t.Errorf("two findings %s", f.ID)
				}
				seen[f.ID] = true
				checkComplete(t, f)
				w, ok := wants[f.ID]
				if !ok {
					if f.State != OK && !(f.State == Skipped && (f.ID == "disk.system" || f.ID == "opencv.mingw")) {
						t.Errorf("%s: %s (%s), wanted ok", f.ID, f.State, f.Found)
					}
					continue
				}
				if f.State != w.state || !strings.Contains(f.Found, w.found) || !strings.Contains(f.Fix, w.fix) {
					t.Errorf("%s:\n got %s, found %q, fix %q\nwant %s, found …%q…, fix …%q…", f.ID, f.State, f.Found, f.Fix, w.state, w.found, w.fix)
				}
			}
			for id := range wants {
				if !seen[id] {
					t.Errorf("no finding %s", id)
				}
			}
			if got := j.Chosen["gocv"]; got != tt.gocv {
				t.Errorf("gocv %q, wanted %q", got, tt.gocv)
			}
			if got := j.Exit(false); got != tt.exit {
				t.Errorf("exit %d, wanted %d", got, tt.exit)
			}
			if got := j.Exit(true); got != tt.strict {
				t.Errorf("strict exit %d, wanted %d", got, tt.strict)
			}
			again := Evaluate(r, tables, tt.facts)
			if diff := cmp.Diff(j.Findings, again.Findings); diff != "" {
				t.Errorf("a second evaluation differs: %s", diff)
			}
		})
	}
}

// checkComplete asks of every finding what the contract promises.
func checkComplete(t *testing.T, f Finding) {
	t.Helper()
	for name, value := range map[string]string{"id": f.ID, "title": f.Title, "state": string(f.State), "severity": string(f.Severity),
		"wanted": f.Wanted, "found": f.Found, "why": f.Why, "doc": f.Doc} {
		if value == "" {
			t.Errorf("finding %s has no %s", f.ID, name)
		}
	}
	if quiet := f.State == OK || f.State == Skipped; quiet != (f.Fix == "") {
		t.Errorf("finding %s is %s and its fix is %q", f.ID, f.State, f.Fix)
	}
	if !strings.HasPrefix(f.Doc, "recipes/pages/") {
		t.Errorf("finding %s of an embedded recipe points to %q", f.ID, f.Doc)
	}
}

func TestExitPriority(t *testing.T) {
	find := func(states ...State) *Judgement {
		j := &Judgement{}
		for _, s := range states {
			j.Findings = append(j.Findings, Finding{State: s, Severity: recipes.Required})
		}
		return j
	}
	recommended := &Judgement{Findings: []Finding{{State: Unknown, Severity: recipes.Recommended}}}
	tests := []struct {
		j             *Judgement
		plain, strict int
	}{
		{find(), 0, 0},
		{find(OK, Info, Skipped), 0, 0},
		{find(OK, Warn), 0, 4},
		{find(Pending, Warn), 6, 6},
		{find(Unknown, Pending, Warn), 5, 5},
		{find(Warn, Pending, Unknown, Fail), 3, 3},
		{recommended, 0, 4},
		{&Judgement{Findings: []Finding{{State: Unknown, Severity: recipes.Info}}}, 0, 0},
	}
	for i, tt := range tests {
		if got := tt.j.Exit(false); got != tt.plain {
			t.Errorf("case %d: exit %d, wanted %d", i, got, tt.plain)
		}
		if got := tt.j.Exit(true); got != tt.strict {
			t.Errorf("case %d: strict exit %d, wanted %d", i, got, tt.strict)
		}
	}
	if diff := cmp.Diff(map[State]int{OK: 1, Warn: 2}, find(Warn, OK, Warn).Summary()); diff != "" {
		t.Error(diff)
	}
}

// TestExitCodesPinned guards the contract with scripts.
func TestExitCodesPinned(t *testing.T) {
	got := []int{ExitOK, ExitError, ExitUsage, ExitFail, ExitStrict, ExitUnknown, ExitPending}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6}, got); diff != "" {
		t.Error(diff)
	}
}

func TestEvaluateAbsent(t *testing.T) {
	r := &recipes.Recipe{Source: "mine.yaml", Requirements: []recipes.Requirement{{
		ID: "opencv.no5", Title: "No OpenCV 5", Why: "It cannot read Darknet files.", Manual: "Remove it.",
		Component: &recipes.ComponentCheck{Name: "opencv", Version: ">= 5", Absent: true},
	}}}
	tests := []struct {
		name  string
		facts *facts.Facts
		want  State
	}{
		{"none at all", without(debian12(), "opencv"), OK},
		{"only 4", debian12(), OK},
		{"a 5 that does not win", func() *facts.Facts {
			f := debian12()
			f.Add("opencv", facts.Instance{Version: "5.0.0", Path: "/opt/five"})
			return f
		}(), Fail},
		{"one of unknown version", func() *facts.Facts {
			f := debian12()
			f.Add("opencv", facts.Instance{Path: "/opt/what"})
			return f
		}(), Unknown},
		{"the probe failed", func() *facts.Facts {
			f := without(debian12(), "opencv")
			f.Problems = []facts.Problem{{Probe: "opencv", Covers: []string{"opencv"}, Error: "crashed"}}
			return f
		}(), Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := Evaluate(r, nil, tt.facts).Findings[0]
			if f.State != tt.want {
				t.Errorf("%s (%s), wanted %s", f.State, f.Found, tt.want)
			}
			if f.Doc != "mine.yaml#opencv.no5" {
				t.Errorf("doc %q: a user's requirement without a page points into the recipe", f.Doc)
			}
		})
	}
}

// TestEvaluateBadRecipe: a recipe that never saw the linter must not panic or pass.
func TestEvaluateBadRecipe(t *testing.T) {
	r := &recipes.Recipe{Requirements: []recipes.Requirement{
		{ID: "a.none"},
		{ID: "a.version", Component: &recipes.ComponentCheck{Name: "opencv", Version: ">>4"}},
		{ID: "a.table", Compat: &recipes.CompatCheck{Table: "nope", Given: []string{"go"}, Choose: "gocv"}},
		{ID: "a.noname", Component: &recipes.ComponentCheck{}},
	}}
	for _, f := range Evaluate(r, nil, debian12()).Findings {
		if f.State != Unknown {
			t.Errorf("%s is %s", f.ID, f.State)
		}
	}
}

func TestChooseFix(t *testing.T) {
	q := &recipes.Requirement{Fix: []recipes.Fix{
		{Distro: []string{"ubuntu"}, Packages: recipes.PackageSet{"apt": {"a"}}}, {Packages: recipes.PackageSet{"apt": {"b"}}}, {Packages: recipes.PackageSet{"brew": {"c"}}},
	}}
	on := func(os facts.OS, manager string) *facts.Facts {
		f := &facts.Facts{OS: os}
		f.Add(manager, facts.Instance{Path: "/usr/bin/" + manager, Active: true})
		return f
	}
	tests := []struct {
		name  string
		facts *facts.Facts
		want  string
	}{
		{"the distribution", on(facts.OS{ID: "ubuntu"}, "apt"), "apt [a]"},
		{"one like it", on(facts.OS{ID: "linuxmint", Like: []string{"ubuntu", "debian"}}, "apt"), "apt [a]"},
		{"another", on(facts.OS{ID: "debian"}, "apt"), "apt [b]"},
		{"another manager", on(facts.OS{ID: "macos"}, "brew"), "brew [c]"},
		{"no manager", &facts.Facts{}, ""},
	}
	for _, tt := range tests {
		p, ok := ChooseFix(q, tt.facts)
		got := ""
		if ok {
			got = fmt.Sprint(p.Manager, " ", p.Packages)
		}
		if got != tt.want {
			t.Errorf("%s: %q, wanted %q", tt.name, got, tt.want)
		}
	}
}

func BenchmarkEvaluate500(b *testing.B) {
	r, tables := load(b)
	big := &recipes.Recipe{Name: "big", Source: "bench"}
	for len(big.Requirements) < 500 {
		for _, q := range r.Requirements {
			q.ID = fmt.Sprintf("%s.n%d", q.ID, len(big.Requirements))
			big.Requirements = append(big.Requirements, q)
		}
	}
	big.Requirements = big.Requirements[:500]
	f := debian12()
	for b.Loop() {
		if got := len(Evaluate(big, tables, f).Findings); got < 500 {
			b.Fatalf("%d findings", got)
		}
	}
}

// TestDistributionsOwn: installing the package that is here already is no advice
// for a copy that is too old.
func TestDistributionsOwn(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Find("opencv-cuda", "")
	if err != nil {
		t.Fatal(err)
	}
	for path, own := range map[string]bool{"/usr/bin/cmake": true, "": false} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "ubuntu", Arch: "amd64", User: facts.User{Admin: true}}}
		f.Add("apt", facts.Instance{Version: "1.6.12", Active: true, Path: "/usr/bin/apt-get"})
		if path != "" {
			f.Add("cmake", facts.Instance{Version: "3.10.2", Active: true, Path: path})
		}
		for _, got := range Evaluate(r, tables, f).Findings {
			if got.ID == "cmake.version" && strings.Contains(got.Fix, "apt-get install cmake") == own {
				t.Errorf("cmake in %q: %s", path, got.Fix)
			}
		}
	}
}

// TestElsewhere: a recipe for another system names the one for this system: of the
// same purpose, or with the same engine.
func TestElsewhere(t *testing.T) {
	for name, want := range map[string]string{"gocv-windows": "--recipe opencv-yolov3", "openpose-windows": "--recipe openpose-linux", "coreml": "deployctl recipe list"} {
		r, err := recipes.Find(name, "")
		if err != nil {
			t.Fatal(err)
		}
		fix := ""
		for _, f := range Evaluate(r, nil, debian12()).Findings {
			if f.Cause == OtherSystem {
				fix = f.Fix
			}
		}
		if !strings.Contains(fix, want) {
			t.Errorf("%s: %q, without %s", name, fix, want)
		}
	}
}
