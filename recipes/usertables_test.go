package recipes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// userTables writes tables into a user's recipe folder.
func userTables(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, TableFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, TableFolder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const myGCC = `schema: 1
name: cuda-gcc
title: Mine
when: [cuda, gcc]
then: [gcc_max]
complete: {as-of: 2026-12, through: {cuda: "13.6"}, decides: my build}
rows:
  - when: {cuda: ">= 13.6, < 13.7", gcc: ">= 6, < 18"}
    then: {gcc_max: "17"}
    basis: measured
    source: my build
  - when: {cuda: ">= 13.4, < 13.6", gcc: ">= 6, < 17"}
    then: {gcc_max: "99"}
    basis: measured
    source: my other build
`

// TestUserTables: a user's rows are added to the program's, or take their place.
func TestUserTables(t *testing.T) {
	dir := userTables(t, map[string]string{"cuda-gcc.yaml": myGCC, "mine.yaml": strings.Replace(goodTable, "name: one", "name: mine", 1), "readme.txt": "no table"})
	set, err := FindTables(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ cuda, gcc, want, from string }{
		{"13.6", "17.1", "17", "cuda-gcc.yaml"},      // added
		{"13.4", "16.1", "99", "cuda-gcc.yaml"},      // replaced
		{"12.4", "13.2", "13", ""},                   // the program's
		{"13.7", "13.2", "newer than", "13.6"},       // the user's table goes further
		{"12.4", "14.2", "no known combination", ""}, // and is not in the way
	} {
		got, row, err := set.Choose("cuda-gcc", map[string]string{"cuda": tt.cuda, "gcc": tt.gcc}, "gcc_max")
		if err != nil {
			if !strings.HasPrefix(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.from) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if got != tt.want || filepath.Base(row.From) != filepath.Base(tt.from) && row.From+tt.from != "" {
			t.Errorf("%+v: %s from %q", tt, got, row.From)
		}
	}
	own, err := set.Table("mine")
	if err != nil || len(own.Yours) > 0 || own.Source != filepath.Join(dir, TableFolder, "mine.yaml") {
		t.Errorf("%+v, %v", own, err)
	}
	both, err := set.Table("cuda-gcc")
	if err != nil || len(both.Yours) != 1 || both.Complete.Through["cuda"] != "13.6" {
		t.Errorf("%+v, %v", both, err)
	}
	embedded, err := EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	before, err := embedded.Table("cuda-gcc")
	if err != nil || len(both.Rows) != len(before.Rows)+1 || before.Complete.Through["cuda"] != "13.5" {
		t.Errorf("the program's table: %d rows, %v (%v)", len(before.Rows), before.Complete, err)
	}
	if none, err := FindTables(filepath.Join(dir, "missing")); err != nil || len(none.Names()) != len(embedded.Names()) {
		t.Errorf("without a folder: %v", err)
	}
}

// sameAsLint: a broken table in the user's folder gives an error with all the texts, and
// lint says the same.
func sameAsLint(t *testing.T, text string, texts ...string) {
	t.Helper()
	dir := userTables(t, map[string]string{"cuda-gcc.yaml": text})
	set, err := FindTables(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, loading := set.Table("cuda-gcc")
	_, _, _, lint := LintTable([]byte(text), filepath.Join(dir, TableFolder, "cuda-gcc.yaml"), dir)
	if loading == nil || lint == nil || loading.Error() != lint.Error() {
		t.Fatalf("loading: %v\nlint: %v", loading, lint)
	}
	for _, want := range texts {
		if !strings.Contains(lint.Error(), want) {
			t.Errorf("no %q in:\n%v", want, lint)
		}
	}
}

// TestUserTableMistakes: a user's table that does not fit the program's is refused.
func TestUserTableMistakes(t *testing.T) {
	for name, change := range map[string][2]string{
		"the table cuda-gcc has no column \"clang\"": {"when: [cuda, gcc]", "when: [cuda, gcc, clang]"},
		"calls itself \"cuda-gccs\"":                 {"name: cuda-gcc", "name: cuda-gccs"},
		"a row needs a source":                       {"    source: my build\n", ""},
		"compares must be as in the table":           {"then: [gcc_max]", "then: [gcc_max]\ncompares: {gcc_max: gcc}"},
	} {
		text := strings.Replace(myGCC, change[0], change[1], 1)
		if strings.HasPrefix(name, "compares") {
			text = strings.NewReplacer(`, gcc: ">= 6, < 18"`, "", `, gcc: ">= 6, < 17"`, "", `"99"`, `"16"`).Replace(text)
		}
		sameAsLint(t, text, name)
	}
	// No kind of mistake hides another.
	text := strings.NewReplacer("name: cuda-gcc", "name: cuda-gccs", "when: [cuda, gcc]", "when: [cuda, gcc, clang]", "    source: my build\n", "", "title:", "titel:").Replace(myGCC)
	sameAsLint(t, text, `unknown key "titel"`, `calls itself "cuda-gccs"`, `has no column "clang"`, "a row needs a source")
	// Two files of one name: that table is an error, and the others stay.
	set, err := FindTables(userTables(t, map[string]string{"cuda-gcc.yaml": myGCC, "cuda-gcc.yml": myGCC}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.Table("cuda-gcc"); err == nil || !strings.Contains(err.Error(), "is there twice") {
		t.Errorf("two files of one name: %v", err)
	}
	if _, err := set.Table("cuda-driver"); err != nil {
		t.Errorf("another table than the one that is there twice: %v", err)
	}
}
