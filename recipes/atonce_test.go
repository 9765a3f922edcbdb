package recipes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAllMistakesAtOnce: no kind of mistake hides one of another kind, and lint says
// exactly what loading says.
func TestAllMistakesAtOnce(t *testing.T) {
	const requirement = "requirements:\n  - id: go.version\n    title: Go\n    why: y\n    manual: z\n    component: {name: go}\n"
	for name, c := range map[string]struct {
		text string
		want []string // parts of the mistakes, all of them, in order
	}{
		"a key and a word": {"schema: 1\nname: mine\ntitel: T\n" + strings.Replace(requirement, "name: go", "name: opencll", 1),
			[]string{`3:1: unknown key "titel"`, `9:23: unknown component "opencll"`}},
		"a shape and a word": {"schema: one\nname: mine\ntitle: T\n" + strings.Replace(requirement, "name: go", "name: opencll", 1),
			[]string{`1:9: expected a whole number`, `unknown component "opencll"`}},
		"an anchor and a word": {"schema: 1\nname: mine\ntitle: &x T\n" + strings.Replace(requirement, "name: go", "name: opencll", 1),
			[]string{`3:8: anchors`, `unknown component "opencll"`}},
		"two tags": {"schema: !!int 1\nname: mine\ntitle: !!str T\n" + requirement,
			[]string{`1:9: "!!int"`, `3:8: "!!str"`}},
		"a tag before a list and a word": {"schema: 1\nname: mine\ntitle: T\ncomponents: !!seq [opencv]\n" + strings.Replace(requirement, "name: go", "name: opencll", 1),
			[]string{`4:13: "!!seq"`, `unknown component "opencll"`}},
		"a mistyped key and what is in it": {"schema: 1\nname: mine\ntitle: T\n" + strings.NewReplacer("requirements", "requirement", "component: {name: go}", "componennt: {name: opencll, verssion: [1]}").Replace(requirement),
			[]string{`4:1: unknown key "requirement"; did you mean requirements?`, `9:5: unknown key "componennt"`, `9:24: unknown component "opencll"`, `9:33: unknown key "verssion"`, `9:43: expected one word`}},
		"a key twice and a word": {"schema: 1\nname: mine\ntitle: T\ntitle: T\n" + strings.Replace(requirement, "name: go", "name: opencll", 1),
			[]string{`4:1: "title" is here a second time`, `unknown component "opencll"`}},
		"another name and a word": {"schema: 1\nname: other\ntitle: T\n" + strings.Replace(requirement, "name: go", "name: opencll", 1),
			[]string{`2:7: the recipe calls itself "other" but the file is named "mine"`, `unknown component "opencll"`}},
		"an unknown recipe, another name and a word": {"schema: 1\nname: other\ntitle: T\nextends: opencv-yolo3\n" + strings.Replace(requirement, "name: go", "name: opencll", 1),
			[]string{`2:7: the recipe calls itself "other"`, `4:10: there is no recipe "opencv-yolo3"; did you mean opencv-yolov3?`, `unknown component "opencll"`}},
		"itself, without one of the program's": {"schema: 1\nname: mine\ntitle: T\nextends: mine\n" + requirement,
			[]string{`4:10: there is no recipe "mine"`}},
		"together with what it extends": {"schema: 1\nname: mine\ntitle: T\nextends: opencv-yolov3\n" + strings.Replace(requirement, "why: y", "why: y\n    when: {set: {no-such: [x]}}", 1) +
			"  - id: two.version\n    title: Go\n    manual: z\n    component: {name: go}\n",
			[]string{`9:18: unknown parameter "no-such"`, "needs a why"}},
		"an id twice, and a line of what it extends": {"schema: 1\nname: mine\ntitle: T\nextends: opencv-yolov3\n" + requirement + "  - id: go.version\n",
			[]string{`11:5: requirement go.version needs a title`, `11:5: requirement go.version needs a why`, `so it needs a fix`, `has 0 checks`, `11:9: id go.version is taken by requirement 1`}},
		"parameters that cannot be read": {"schema: 1\nname: mine\ntitle: T\nparameters: {gpu: {title: G, default: a, choices: a}}\n" + strings.Replace(requirement, "why: y", "why: y\n    when: {set: {gpu: [a]}}", 1),
			[]string{`choices`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "mine.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, byName := Find("mine", dir)
			_, byFile := Find(file, dir)
			lint := LintFile([]byte(c.text), file, dir)
			_, listed := List(dir)
			var invalid *InvalidError
			if !errors.As(lint, &invalid) {
				t.Fatalf("lint: %v", lint)
			}
			for how, err := range map[string]error{"by name": byName, "by file": byFile, "in the list": listed} {
				if err == nil || err.Error() != lint.Error() {
					t.Errorf("%s: %v\nlint: %v", how, err, lint)
				}
			}
			if name == "parameters that cannot be read" {
				if len(invalid.Mistakes) != 1 {
					t.Errorf("one mistake is told as %d: %v", len(invalid.Mistakes), lint)
				}
				return
			}
			if len(invalid.Mistakes) != len(c.want) {
				t.Fatalf("%d mistakes, want %d: %v", len(invalid.Mistakes), len(c.want), lint)
			}
			for i, want := range c.want {
				if !strings.Contains(invalid.Mistakes[i].String(), want) {
					t.Errorf("mistake %d is %s, want …%s…", i+1, invalid.Mistakes[i], want)
				}
			}
		})
	}
}

// TestOneBrokenFile: the other recipes are listed and found.
func TestOneBrokenFile(t *testing.T) {
	dir := t.TempDir()
	good := "schema: 1\nname: good\ntitle: T\nextends: opencv-yolov3\n"
	for name, text := range map[string]string{
		"good.yaml": good, "broken.yaml": "a: [", "wrong.yaml": good, "twice.yaml": good, "twice.yml": good, "empty.yaml": "", "binary.yaml": "\x00",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	embedded, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	list, err := List(dir)
	if len(list) != len(embedded)+1 {
		t.Errorf("%d recipes, want the %d of the program and one: %v", len(list), len(embedded), err)
	}
	for _, name := range []string{"broken.yaml", "wrong.yaml", "twice.yaml", "twice.yml", "empty.yaml", "binary.yaml"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not told: %v", name, err)
		}
	}
	for _, name := range []string{"good", Default} {
		if _, err := Find(name, dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnreadable: lint says of a file that cannot be read what loading says, and of one
// that is there twice, too. What an editor or macOS keeps beside a recipe is not one.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	good := "schema: 1\nname: NAME\ntitle: T\nextends: opencv-yolov3\n"
	for name, text := range map[string]string{
		"twice.yaml": strings.Replace(good, "NAME", "twice", 1), "twice.yml": good, "torn.yaml": "a: [", "torn.yml": "",
		"large.yaml": strings.Repeat("a", MaxFile+1), "._good.yaml": "\x00", "good.yaml": strings.Replace(good, "NAME", "good", 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("user@machine.1", filepath.Join(dir, ".#good.yaml")); err != nil {
		t.Logf("no links here: %v", err)
	}
	for name, want := range map[string]string{
		"twice": "recipe twice is there twice", "torn": "is there twice", "large": "a file may have at most",
	} {
		file := filepath.Join(dir, name+".yaml")
		data, err := ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lint := LintFile(data, file, dir)
		_, byName := Find(name, dir)
		_, byFile := Find(file, dir)
		if lint == nil || !strings.Contains(lint.Error(), want) {
			t.Errorf("%s: %v, want …%s…", name, lint, want)
			continue
		}
		if byName == nil || byFile == nil || byName.Error() != lint.Error() || byFile.Error() != lint.Error() {
			t.Errorf("lint: %v\nby name: %v\nby file: %v", lint, byName, byFile)
		}
	}
	if lint := LintFile([]byte("a: ["), filepath.Join(dir, "torn.yaml"), dir); !strings.Contains(lint.Error(), "not found") {
		t.Errorf("twice hides the syntax: %v", lint)
	}
	for name, want := range map[string]string{"none.yaml": "it does not exist", ".": "it is a folder"} {
		file := filepath.Join(dir, name) + string(filepath.Separator)
		if name != "." {
			file = filepath.Join(dir, name)
		}
		if _, err := Find(file, dir); err == nil || err.Error() != file+": "+want {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := List(dir)
	if err == nil || strings.Contains(err.Error(), "good") {
		t.Errorf("the list: %v", err)
	}
}

// TestOneBrokenTable: the other tables are listed, and only a recipe that asks the broken
// one cannot be used.
func TestOneBrokenTable(t *testing.T) {
	dir := userTables(t, map[string]string{"cuda-gcc.yaml": "schema: 1\nrows: [", "mine.yaml": "titel: x"})
	set, err := FindTables(dir)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := set.All()
	if err == nil || !strings.Contains(err.Error(), "cuda-gcc.yaml") || !strings.Contains(err.Error(), "mine.yaml") {
		t.Errorf("the list: %v", err)
	}
	if want := len(set.Names()) - 2; len(tables) != want {
		t.Errorf("%d tables, want %d", len(tables), want)
	}
	for name, broken := range map[string]bool{"opencv-cuda": true, Default: false} {
		r, err := Find(name, dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := set.Check(r); (err != nil) != broken {
			t.Errorf("%s: %v", name, err)
		}
	}
}
