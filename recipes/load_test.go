package recipes

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small is the least complete recipe.
const small = `schema: 1
name: small
title: A small one
requirements:
  - id: go.version
    title: Go
    severity: required
    why: It compiles.
    component: {name: go}
    fix:
      - apt: [golang-go]
`

func tables(t testing.TB) *Tables {
	t.Helper()
	all, err := EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLibraryIsWithoutMistakes lints what doctor, in every run, does not.
func TestLibraryIsWithoutMistakes(t *testing.T) {
	files, err := embeddedFiles("library")
	if err != nil || len(files) == 0 {
		t.Fatal("no recipes: ", err)
	}
	for _, file := range files {
		data, err := library.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load(data, file, tables(t)); err != nil {
			t.Error(err)
		}
	}
}

func TestLoadSmall(t *testing.T) {
	r, err := Load([]byte(small), "small.yaml", tables(t))
	if err != nil {
		t.Fatal(err)
	}
	want := &Recipe{Schema: 1, Name: "small", Title: "A small one", Source: "small.yaml", Requirements: []Requirement{{
		ID: "go.version", Title: "Go", Severity: Required, Why: "It compiles.",
		Component: &ComponentCheck{Name: "go"}, Fix: []Fix{{Packages: PackageSet{"apt": {"golang-go"}}}},
	}}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

// TestLoadMistakes changes the small recipe and asks for the whole message:
// file, line, column and the nearest word are part of the contract.
func TestLoadMistakes(t *testing.T) {
	tests := []struct {
		name     string
		old, new string
		want     []string
	}{
		{"unknown key", "title: A small", "titel: A small", []string{`f.yaml:3:1: unknown key "titel"; did you mean title?`}},
		{"unknown key inside", "    why:", "    wyh:", []string{`f.yaml:8:5: unknown key "wyh"; did you mean why?`}},
		{"key of nothing like it", "    why:", "    reason_for_it:", []string{
			"f.yaml:5:5: requirement go.version needs a why",
			`f.yaml:8:5: unknown key "reason_for_it"; known: id, title, severity, when, why, manual, manual_on, builds, os, cpu, memory, disk, component, compat, gpu, fix`}},
		{"unknown severity", "required", "requierd", []string{`f.yaml:7:15: unknown severity "requierd"; did you mean required?`}},
		{"unknown component", "name: go}", "name: opencll}", []string{`f.yaml:9:23: unknown component "opencll"; did you mean opencl?`}},
		{"unknown package manager", "apt:", "atp:", []string{`f.yaml:11:9: unknown key "atp"; did you mean apt?`}},
		{"two managers in one fix", "apt: [golang-go]", "apt: [golang-go]\n        dnf: [golang]", []string{"f.yaml:11:9: a fix needs the packages of exactly one package manager, found 2"}},
		{"option as package", "[golang-go]", "[--allow-unauthenticated]", []string{`f.yaml:11:15: "--allow-unauthenticated" is not a package name`}},
		{"upper-case id", "go.version", "Go.Version", []string{`f.yaml:5:9: id "Go.Version" must be lower-case words joined by dots, such as opencv.version`}},
		{"id without dot", "go.version", "go", []string{`f.yaml:5:9: id "go" must be lower-case words joined by dots, such as opencv.version`}},
		{"id twice", "    fix:\n      - apt: [golang-go]\n", "    manual: x\n  - id: go.version\n    title: Go\n    why: y\n    manual: z\n    component: {name: go}\n",
			[]string{"f.yaml:11:9: id go.version is taken by requirement 1"}},
		{"no check", "    component: {name: go}\n", "", []string{"f.yaml:5:5: requirement go.version has 0 checks; it needs exactly one of os, cpu, memory, disk, component, compat, gpu"}},
		{"two checks", "{name: go}", "{name: go}\n    memory: {min: 1GiB}", []string{"f.yaml:5:5: requirement go.version has 2 checks; it needs exactly one of os, cpu, memory, disk, component, compat, gpu"}},
		{"no why", "    why: It compiles.\n", "", []string{"f.yaml:5:5: requirement go.version needs a why"}},
		{"no fix", "    fix:\n      - apt: [golang-go]\n", "", []string{"f.yaml:5:5: requirement go.version is required, so it needs a fix, or a manual one"}},
		{"bad constraint", "{name: go}", `{name: go, version: ">> 4"}`, []string{`f.yaml:9:36: constraint ">> 4": ">> 4" is not one of =, !=, >, >=, <, <=, ~> and a version`}},
		{"name and any_of", "{name: go}", "{name: go, any_of: [gcc]}", []string{"f.yaml:9:5: component needs either a name or any_of"}},
		{"size without unit", "component: {name: go}", "memory: {min: 2000}", []string{`f.yaml:9:19: size "2000" must be a number with a unit, such as 2GiB or 500MB`}},
		{"unknown unit", "component: {name: go}", "memory: {min: 2GIGA}", []string{`f.yaml:9:19: size "2GIGA": unknown unit "GIGA" (known: B, kB, KiB, MB, MiB, GB, GiB, TB, TiB)`}},
		{"unknown purpose", "component: {name: go}", "disk: {for: cahce, free: 1GB}", []string{`f.yaml:9:17: unknown purpose "cahce"; did you mean cache?`}},
		{"unknown table", "component: {name: go}", "compat: {table: gocv-opnecv, given: [go], choose: gocv}", []string{`f.yaml:9:21: unknown compatibility table "gocv-opnecv"; did you mean gocv-opencv?`}},
		{"unknown column", "component: {name: go}", "compat: {table: gocv-opencv, given: [go, opencv], choose: gocvv}", []string{`f.yaml:9:63: unknown column to choose in table gocv-opencv "gocvv"; did you mean gocv?`}},
		{"column not given", "component: {name: go}", "compat: {table: gocv-opencv, given: [go], choose: gocv}", []string{"f.yaml:9:34: table gocv-opencv asks for opencv, which neither given nor parameters lists"}},
		{"unknown arch", "component: {name: go}", "cpu: {arch: [amd46]}", []string{`f.yaml:9:18: unknown architecture "amd46"; did you mean amd64?`}},
		{"features of another arch", "component: {name: go}", "cpu: {arch: [amd64], features: {arm64: [neon]}}", []string{"f.yaml:9:37: features for arm64, which arch does not list"}},
		{"unknown family", "component: {name: go}", "os: {family: [linus]}", []string{`f.yaml:9:19: unknown family "linus"; did you mean linux?`}},
		{"unknown distribution", "component: {name: go}", `os: {family: [linux], versions: {debain: ">= 11"}}`, []string{`f.yaml:9:38: unknown distribution "debain"; did you mean debian?`}},
		{"when without condition", "    why:", "    when: {}\n    why:", []string{"f.yaml:8:5: when names no condition"}},
		{"list instead of word", "title: A small one", "title: [a]", []string{"f.yaml:3:8: expected one word or number, found a list"}},
		{"word instead of list", "[golang-go]", "golang-go", []string{`f.yaml:11:14: expected a list, found "golang-go"`}},
		{"value missing", "title: A small one", "title:", []string{"f.yaml:3:1: a value is missing"}},
		{"schema of the future", "schema: 1", "schema: 2", []string{"f.yaml:1:9: schema must be 1, found 2"}},
		{"schema is no number", "schema: 1", "schema: one", []string{`f.yaml:1:9: expected a whole number, found "one"`}},
		{"alias", "title: A small one", "title: &x A small one", []string{"f.yaml:3:8: anchors, aliases and merge keys are not part of the format; repeat the value, or use extends"}},
		{"tag", "title: A small one", "title: !!str small", []string{`f.yaml:3:8: "!!str": tags, directives and complex keys are not part of the format; quote it if it is text`}},
		{"key twice", "title: A small one", "title: A small one\ntitle: Another", []string{`f.yaml:4:1: "title" is here a second time`}},
		{"second document", "schema: 1", "schema: 1\n---\nschema: 1", []string{"f.yaml:3:7: a second document begins here; a file has one"}},
		{"several at once", "schema: 1\nname: small", "schema: 3\nname: Small", []string{
			"f.yaml:1:9: schema must be 1, found 3",
			`f.yaml:2:7: name "Small" must be lower-case words joined by hyphens, such as opencv-yolov3`}},
		{"unknown engine", "title: A small one", "title: A small one\nverify: {engine: gcov, network: yolo3}", []string{
			`f.yaml:4:18: unknown engine "gcov"; did you mean gocv?`, `f.yaml:4:33: unknown network "yolo3"; did you mean yolov3?`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(small, tt.old, tt.new, 1)
			if text == small {
				t.Fatalf("the sample does not contain %q", tt.old)
			}
			_, err := Load([]byte(text), "f.yaml", tables(t))
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("error %v, wanted an *InvalidError", err)
			}
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLoadHostile: a hostile file costs a moment and gives one plain message.
func TestLoadHostile(t *testing.T) {
	bomb := "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
	tests := map[string]struct{ text, want string }{
		"empty":           {"", "f.yaml: the file is empty"},
		"only a comment":  {"# nothing\n", "f.yaml: the file is empty"},
		"too large":       {strings.Repeat("#", MaxFile+1), "f.yaml: 262145 bytes: a file may have at most 262144"},
		"binary":          {"\x7fELF\x00", "f.yaml: this is not a text file: byte 4 is zero"},
		"alias bomb":      {bomb, `f.yaml:1:1: unknown key "a"`},
		"deep flow lists": {strings.Repeat("[", 20_000), "f.yaml:1:17: nested more than 16 deep"},
		"deep flow maps":  {strings.Repeat("{a: ", 20_000), "f.yaml:1:65: nested more than 16 deep"},
		"deep lists":      {strings.Repeat("- ", 20_000), "f.yaml:1:33: nested more than 16 deep"},
		"a list":          {"- a\n- b\n", "f.yaml:1:1: expected keys with values, found a list"},
		"a word":          {"hello\n", `f.yaml:1:1: expected keys with values, found "hello"`},
		"syntax":          {"schema: [1\n", "f.yaml:1:9: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load([]byte(tt.text), "f.yaml", nil)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, wanted %q…", err, tt.want)
			}
		})
	}
	t.Run("many mistakes", func(t *testing.T) {
		var text strings.Builder
		text.WriteString(small)
		for i := range maxMistakes + 80 {
			text.WriteString("x" + strings.Repeat("y", i) + ": 1\n")
		}
		_, err := Load([]byte(text.String()), "f.yaml", nil)
		if err == nil || strings.Count(err.Error(), "\n") != maxMistakes || !strings.HasSuffix(err.Error(), "and 80 more mistakes") {
			t.Errorf("error %v", err)
		}
	})
}

// TestNumbersStayText: a version without quotes is not read as a number.
func TestNumbersStayText(t *testing.T) {
	r, err := Load([]byte(strings.Replace(small, "{name: go}", "{name: go, version: 1.10}", 1)), "f.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Requirements[0].Component.Version; got != "1.10" {
		t.Errorf("version %q, wanted 1.10", got)
	}
}

func TestEmbedded(t *testing.T) {
	list, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range list {
		names = append(names, r.Name)
		if r.Source != "embedded" || r.Overrides != "" {
			t.Errorf("%s: source %q, overrides %q", r.Name, r.Source, r.Overrides)
		}
		if err := Lint(r, tables(t)); err != nil {
			t.Error(err)
		}
		if page, ok := Page("component.shadow"); !ok || page == "" {
			t.Error("component.shadow has no page")
		}
		for _, q := range r.Requirements {
			page, ok := Page(q.ID)
			if !ok {
				t.Errorf("%s has no page recipes/pages/%s.md", q.ID, q.ID)
				continue
			}
			if !strings.HasPrefix(page, "# "+q.ID+": ") {
				t.Errorf("the page of %s begins with another title", q.ID)
			}
			for _, part := range []string{"**What**", "**Why**", "**By hand**", "**Sources**"} {
				if !strings.Contains(page, part) {
					t.Errorf("the page of %s lacks %s", q.ID, part)
				}
			}
		}
	}
	if !slices.Contains(names, Default) {
		t.Errorf("the default recipe %s is not among %v", Default, names)
	}
}

// TestPagesBelong: no page outlives its requirement.
func TestPagesBelong(t *testing.T) {
	list, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{"component.shadow": true}
	for _, r := range list {
		for _, q := range r.Requirements {
			ids[q.ID] = true
		}
	}
	for _, id := range Pages() {
		if !ids[id] {
			t.Errorf("recipes/pages/%s.md belongs to no requirement", id)
		}
	}
	for _, id := range []string{"../recipe", "nope.nope", "", "a/b.c"} {
		if _, ok := Page(id); ok || PagePath(id) != "" {
			t.Errorf("id %q has a page", id)
		}
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	override := strings.Replace(small, "name: small", "name: opencv-yolov3\nextends: opencv-yolov3", 1)
	write(t, dir, "opencv-yolov3.yaml", override)
	file := write(t, dir, "small.yml", small)
	write(t, dir, "notes.txt", "not a recipe")

	t.Run("embedded", func(t *testing.T) {
		r, err := Find("opencv-yolov3", "")
		if err != nil || r.Source != "embedded" || r.Overrides != "" {
			t.Fatalf("%+v, %v", r, err)
		}
	})
	t.Run("a folder that is not there", func(t *testing.T) {
		if _, err := Find("opencv-yolov3", filepath.Join(dir, "nope")); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the user's overrides and extends the embedded one", func(t *testing.T) {
		r, err := Find("opencv-yolov3", dir)
		if err != nil {
			t.Fatal(err)
		}
		if r.Source != filepath.Join(dir, "opencv-yolov3.yaml") || r.Overrides != "embedded" || r.Title != "A small one" {
			t.Errorf("source %q, overrides %q, title %q", r.Source, r.Overrides, r.Title)
		}
		base, err := Find("opencv-yolov3", "")
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Requirements) != len(base.Requirements) {
			t.Errorf("%d requirements, wanted the %d of the embedded recipe with one replaced", len(r.Requirements), len(base.Requirements))
		}
		if r.Verify == nil || r.Verify.Engine != "gocv" {
			t.Error("verify was not inherited")
		}
		for i, q := range r.Requirements {
			if q.ID != base.Requirements[i].ID {
				t.Errorf("requirement %d is %s: the order changed", i, q.ID)
			}
			if q.ID == "go.version" && q.Why != "It compiles." {
				t.Error("go.version was not replaced")
			}
		}
	})
	t.Run("a file", func(t *testing.T) {
		r, err := Find(file, "")
		if err != nil || r.Name != "small" || r.Source != file {
			t.Fatalf("%+v, %v", r, err)
		}
	})
	t.Run("a user's new recipe", func(t *testing.T) {
		r, err := Find("small", dir)
		if err != nil || r.Source != file || r.Overrides != "" {
			t.Fatalf("%+v, %v", r, err)
		}
	})
	t.Run("list", func(t *testing.T) {
		list, err := List(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range list {
			names = append(names, r.Name)
		}
		for _, name := range []string{"opencv-yolov3", "small"} {
			if !slices.Contains(names, name) {
				t.Errorf("%s is not in %v", name, names)
			}
		}
	})
	t.Run("unknown", func(t *testing.T) {
		_, err := Find("opencv-yolo3", dir)
		var missing *NotFoundError
		if !errors.As(err, &missing) {
			t.Fatalf("error %v, wanted a *NotFoundError", err)
		}
		if missing.Nearest != "opencv-yolov3" || !slices.Contains(missing.Available, "small") {
			t.Errorf("%+v", missing)
		}
		if !strings.HasPrefix(err.Error(), `there is no recipe "opencv-yolo3"; did you mean opencv-yolov3?`) {
			t.Error(err)
		}
	})
}

func TestFindBad(t *testing.T) {
	child := func(name, extends string) string {
		return "schema: 1\nname: " + name + "\ntitle: t\nextends: " + extends + "\nrequirements: []\n"
	}
	tests := []struct {
		name  string
		files map[string]string
		find  string
		want  string
	}{
		{"circle", map[string]string{"a.yaml": child("a", "b"), "b.yaml": child("b", "a")}, "a", "extend one another in a circle"},
		{"itself with nothing below", map[string]string{"a.yaml": child("a", "a")}, "a", `4:10: there is no recipe "a"`},
		{"unknown parent", map[string]string{"a.yaml": child("a", "opencv-yolov2")}, "a", "did you mean opencv-yolov3?"},
		{"another name inside", map[string]string{"a.yaml": small}, "a", `the recipe calls itself "small" but the file is named "a"`},
		{"both extensions", map[string]string{"small.yaml": small, "small.yml": small}, "small", "is there twice"},
		{"mistake", map[string]string{"small.yaml": strings.Replace(small, "why", "wyh", 1)}, "small", `small.yaml:8:5: unknown key "wyh"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tt.files {
				write(t, dir, name, text)
			}
			if _, err := Find(tt.find, dir); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, wanted …%q…", err, tt.want)
			}
		})
	}
	t.Run("no such file", func(t *testing.T) {
		if _, err := Find("./nope.yaml", ""); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a folder", func(t *testing.T) {
		dir := t.TempDir()
		if _, err := Find(dir+"/", ""); err == nil || !strings.Contains(err.Error(), "it is a folder") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("too large", func(t *testing.T) {
		file := write(t, t.TempDir(), "big.yaml", strings.Repeat("# x\n", MaxFile))
		if _, err := Find(file, ""); err == nil || !strings.Contains(err.Error(), "at most 262144") {
			t.Errorf("error %v", err)
		}
	})
}

// FuzzLoad: whatever the bytes, Load returns and gives a recipe that passes its
// own linter, or mistakes with a message.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("- - - [{a: 1"))
	f.Add([]byte("schema: 1\n---\n? a\n"))
	f.Add([]byte("requirements:\n  - fix:\n      - {apt: [a], distro: }\n"))
	f.Add([]byte("\ufeffschema: |\n  1\n"))
	if data, err := os.ReadFile("library/opencv-yolov3.yaml"); err == nil {
		f.Add(data)
	}
	all := tables(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Load(data, "fuzz.yaml", all)
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || err.Error() == "" {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if err := Lint(r, all); err != nil {
			t.Fatalf("loaded, but does not lint: %v", err)
		}
	})
}

func FuzzLoadTable(f *testing.F) {
	if data, err := os.ReadFile("library/compat/gocv-opencv.yaml"); err == nil {
		f.Add(data)
	}
	f.Add([]byte("schema: 1\nname: a\ntitle: b\nwhen: [a]\nthen: [b]\nrows:\n  - {when: {a: is x}, then: {b: 1}, basis: measured, source: s}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := LoadTable(data, "fuzz.yaml")
		if err != nil {
			return
		}
		set, err := NewTables(table)
		if err != nil {
			t.Fatal(err)
		}
		given := map[string]string{}
		for _, c := range table.When {
			given[c] = "4.6.0"
		}
		for _, column := range table.Then {
			_, row, err := set.Choose(table.Name, given, column)
			if (row == nil) == (err == nil) {
				t.Fatalf("row %v with error %v", row, err)
			}
			if err != nil && err.Error() == "" {
				t.Fatal("an error without text")
			}
		}
	})
}

// BenchmarkFind is what every run pays before the first probe.
func BenchmarkFind(b *testing.B) {
	for b.Loop() {
		if _, err := Find(Default, ""); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAllTables is what solving over every table pays once.
func BenchmarkAllTables(b *testing.B) {
	for b.Loop() {
		all, err := EmbeddedTables()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := all.All(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEmbeddedTables reads every table: at run time each is read only when it
// is asked for, so a mistake would stay hidden.
func TestEmbeddedTables(t *testing.T) {
	list, err := tables(t).All()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no tables")
	}
	for _, table := range list {
		for i, r := range table.Rows {
			if low := strings.ToUpper(r.Source); strings.Contains(low, "UNKNOWN") || strings.Contains(low, "UNVERIFIED") {
				t.Errorf("%s row %d rests on %q", table.Name, i, r.Source)
			}
		}
	}
}

// TestUnknownDetails: what no probe fills cannot be asked for.
func TestUnknownDetails(t *testing.T) {
	tables, err := EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"component: {name: opencv, has: [dnnn]}":                          "did you mean dnn?",
		"component: {name: opencv, attr: {build.cudaa: is YES}}":          "did you mean build.cuda?",
		"component: {name: visual-studio, attr: {yeer: is 2022}}":         "did you mean year?",
		"cpu: {arch: [amd64], features: {amd64: [avxx2]}}":                "did you mean avx2?",
		"when: {features: [avxx2]}\n    component: {name: git}":           "did you mean avx2?",
		"component: {any_of: [opencl, opencl-framework], has: [nothing]}": "",
	} {
		_, err := Load([]byte("schema: 1\nname: one\ntitle: One\nrequirements:\n  - id: a.b\n    title: a\n    why: b\n    manual: c\n    "+asked+"\n"), "one.yaml", tables)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", asked, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", asked, err, want)
		}
	}
}

// TestFixKeys: in JSON each package manager is a key of the fix, in a fixed order,
// as in YAML: a lockfile knows its recipe by these bytes.
func TestFixKeys(t *testing.T) {
	r, err := Load([]byte("schema: 1\nname: a\ntitle: t\nrequirements:\n  - {id: a.b, title: t, why: w, component: {name: go}, fix: [{apt: [g++], distro: [debian], note: n}, {winget: [GoLang.Go]}]}\n"), "a.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(r.Requirements[0].Fix)
	if want := `[{"distro":["debian"],"apt":["g++"],"note":"n"},{"winget":["GoLang.Go"]}]`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	for text, want := range map[string]string{"{atp: [x]}": "did you mean apt?", "{apt: [x1], apt: [y1]}": "is here a second time", "{apt: [--force]}": "is not a package name", "{apt: [x1], dnf: [x]}": "exactly one package manager, found 2", "{winget: [Go]}": "is not a package name"} {
		_, err := Load([]byte("schema: 1\nname: a\ntitle: t\nrequirements:\n  - {id: a.b, title: t, why: w, component: {name: go}, fix: ["+text+"]}\n"), "a.yaml", nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a.yaml:5:") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
