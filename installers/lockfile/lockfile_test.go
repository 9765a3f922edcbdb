package lockfile

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
)

func sum(digit string) string { return strings.Repeat(digit, 64) }

func sample(t *testing.T) *Lock {
	t.Helper()
	r, err := RecipeOf(&recipes.Recipe{Name: "trial", Source: "embedded"})
	if err != nil {
		t.Fatal(err)
	}
	return &Lock{
		Schema: Schema, Recipe: r, System: System{OS: "debian", Version: "12", Arch: "amd64"},
		Packages: []Package{{Name: "g++", Version: "4:12.2.0-3", Architecture: "amd64",
			Stanza: "Package: g++\nVersion: 4:12.2.0-3\nArchitecture: amd64\nDepends: cpp (>= 4:12.2.0-3), gcc (<< 13)\nSize: 1356\nSHA256: " + sum("a") + "\n",
			File:   step.Fetch{Name: "g++_12.2.0-3_amd64.deb", Size: 1356, SHA256: sum("a"), Mirrors: []string{"http://mirror.example/g++.deb"}, Trusted: true}}},
		Modules: []Module{{Path: "gocv.io/x/gocv", Version: "v0.31.0", Ext: "zip", File: step.Fetch{Name: "gocv.zip", Size: 7, SHA256: sum("b"), Mirrors: []string{"https://proxy.example/gocv.zip"}}}},
		Files:   []step.Fetch{{Name: "yolov3.weights", Size: 9, SHA256: sum("c"), Mirrors: []string{"https://mirror.example/w"}}},
		Models:  []string{"yolov3"},
		Program: &step.Fetch{Name: "deployctl", Size: 3, SHA256: sum("d")},
	}
}

func TestRoundTrip(t *testing.T) {
	l := sample(t)
	name := filepath.Join(t.TempDir(), "a", Name)
	if err := l.Save(name); err != nil {
		t.Fatal(err)
	}
	got, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(l, got); d != "" {
		t.Error(d)
	}
	if n := len(l.All()); n != 4 || l.Bytes() != 1356+7+9+3 {
		t.Errorf("%d files, %d bytes", n, l.Bytes())
	}
	if f, ok := l.Find(sum("c")); !ok || f.Name != "yolov3.weights" {
		t.Errorf("%v %v", f, ok)
	}
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(`\u003c`)) {
		t.Error("constraints are not readable")
	}
}

// TestReadRefuses alters a good lockfile, each time in one place.
func TestReadRefuses(t *testing.T) {
	text, err := sample(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, why string }{
		{`"schema": 1`, `"schema": 2`, "schema 2"},
		{`"schema": 1`, `"schema": 1, "hooks": []`, "unknown field"},
		{`{`, `x`, "not a JSON"},
		{`"name": "trial"`, `"name": "../trial"`, "which recipe"},
		{`"os": "debian"`, `"os": ""`, "which system"},
		{`"name": "g++",`, `"name": "-oFoo",`, "not an apt package"},
		{`"name": "g++",`, `"name": "gcc",`, "says Package"},
		{`"architecture": "amd64"`, `"architecture": "../x"`, "not an apt package"},
		{`Version: 4:12.2.0-3\n`, `Version: 5\n`, "says Version"},
		{`Size: 1356\n`, `Size: 1357\n`, "says Size"},
		{`SHA256: aa`, `SHA256: bb`, "says SHA256"},
		{`SHA256: ` + sum("a") + `\n`, ``, "0 times"},
		{`Depends: `, `Size: 1356\nsize: 1356\nDepends: `, "3 times"},
		{`Depends: `, `\nPackage: evil\nDepends: `, "not a field"},
		{`Depends: `, ` folded\nDepends: `, "not a field"},
		{`"size": 1356`, `"size": 0`, "says Size"},
		{`"sha256": "` + sum("c") + `"`, `"sha256": "` + sum("C") + `"`, "sha256"},
		{`"sha256": "` + sum("c") + `"`, `"sha256": "` + sum("b") + `"`, "two sizes"},
		{`https://mirror.example/w`, `http://mirror.example/w`, "https"},
		{`https://mirror.example/w`, `file:///etc/passwd`, "https"},
		{`"https://mirror.example/w"`, ``, "no mirror"},
		{`"trusted": true`, `"trusted": true, "path": "/etc/cron.d/x"`, "path"},
		{`"path": "gocv.io/x/gocv"`, `"path": "../../x"`, "not a file of a Go module"},
		{`"version": "v0.31.0"`, `"version": "latest"`, "not a file of a Go module"},
		{`"ext": "zip"`, `"ext": "sh"`, "not a file of a Go module"},
		{`"yolov3"`, `"../yolov3"`, "not the name of a model"},
	} {
		altered := strings.Replace(string(text), c.old, c.new, 1)
		if altered == string(text) {
			t.Fatalf("%s is not in the lockfile", c.old)
		}
		_, err := Read(strings.NewReader(altered))
		var refused *Error
		if !errors.As(err, &refused) || refused.Next == "" || !strings.Contains(err.Error(), c.why) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", c.new, err, c.why)
		}
	}
	twice := sample(t)
	twice.Packages = append(twice.Packages, twice.Packages[0])
	if err := twice.Check(); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a package twice: %v", err)
	}
	if _, err := Read(strings.NewReader(`{"schema":1,"x":"` + strings.Repeat("x", MaxBytes) + `"}`)); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("huge: %v", err)
	}
}

func TestFits(t *testing.T) {
	here := func(id, version, arch string) *facts.Facts {
		return &facts.Facts{OS: facts.OS{ID: id, Version: version, Arch: arch}}
	}
	l := sample(t)
	same := &recipes.Recipe{Name: "trial", Source: "/home/me/trial.yaml", Overrides: "embedded"}
	if err := l.Fits(same, here("debian", "12", "amd64")); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		r    *recipes.Recipe
		f    *facts.Facts
		want string
	}{
		{same, here("debian", "13", "amd64"), "is for debian 12 amd64 and this is debian 13 amd64"},
		{same, here("ubuntu", "12", "amd64"), "ubuntu"},
		{same, here("debian", "12", "arm64"), "arm64"},
		{&recipes.Recipe{Name: "other"}, here("debian", "12", "amd64"), "not for other"},
		{&recipes.Recipe{Name: "trial", Settings: map[string]string{"gpu": "cuda"}}, here("debian", "12", "amd64"), "has changed"},
		{&recipes.Recipe{Name: "trial", Requirements: []recipes.Requirement{{ID: "x"}}}, here("debian", "12", "amd64"), "has changed"},
	} {
		if err := l.Fits(c.r, c.f); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "deployctl lock") {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestFitsEveryWindows: a lock for Windows has files only, so it fits each release.
func TestFitsEveryWindows(t *testing.T) {
	windows := func(id, version string) *facts.Facts {
		return &facts.Facts{OS: facts.OS{Family: "windows", ID: id, Version: version}, CPU: facts.CPU{Arch: "amd64"}}
	}
	l := sample(t)
	l.System = SystemOf(windows("windows-server", "10.0.20348"))
	r := &recipes.Recipe{Name: "trial"}
	if err := l.Fits(r, windows("windows", "10.0.26100")); err != nil {
		t.Error(err)
	}
	if err := l.Fits(r, &facts.Facts{OS: facts.OS{ID: "debian", Version: "12", Arch: "amd64"}}); err == nil || !strings.Contains(err.Error(), "is for windows amd64") {
		t.Errorf("on Debian: %v", err)
	}
}

// TestWheel: a wheel is locked by its project, name and hash; it has no address,
// and its name cannot lead anywhere.
func TestWheel(t *testing.T) {
	file := step.Fetch{Name: "onnxruntime-1.20.1-cp313-cp313-win_amd64.whl", Size: 5, SHA256: sum("e"), Project: "onnxruntime"}
	for _, tt := range []struct {
		name   string
		change func(f *step.Fetch)
		ok     bool
	}{
		{"as it is", func(*step.Fetch) {}, true},
		{"without a project", func(f *step.Fetch) { f.Project = "" }, false},
		{"a project that leads elsewhere", func(f *step.Fetch) { f.Project = "../x" }, false},
		{"a name that leads elsewhere", func(f *step.Fetch) { f.Name = "../../x-1-py3-none-any.whl" }, false},
		{"a name of something else", func(f *step.Fetch) { f.Name = "onnxruntime.tar.gz" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, f := sample(t), file
			tt.change(&f)
			l.Files = append(l.Files, f)
			if err := l.Check(); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"schema":1}`))
	f.Add([]byte(fmt.Sprintf(`{"schema":1,"recipe":{"name":"a","sha256":"%s"},"system":{"os":"debian","arch":"amd64"},"packages":[{}]}`, sum("a"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, p := range l.Packages {
			if strings.ContainsAny(p.Name+p.Architecture, "/\\ \n") {
				t.Errorf("%q becomes a file name", p.Name)
			}
		}
	})
}
