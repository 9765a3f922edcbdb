package recipes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goodTable is a table in which the linter finds nothing.
const goodTable = `schema: 1
name: one
title: One
when: [os, cuda, sm]
then: [driver, gpus]
versions: [driver]
compares: {gpus: sm}
complete:
  as-of: 2026-11
  through: {cuda: "13.5", sm: "12.1"}
  decides: a program that runs.
rows:
  - when: {os: is linux, cuda: ">= 13.0, < 14"}
    then: {driver: "580.65.06", gpus: ">= 7.5"}
    basis: published
    source: release notes
  - when: {os: is linux, cuda: ">= 12.0, < 13"}
    then: {driver: "525.60.13", gpus: ">= 5.0, < 12.2"}
    basis: artifact
    source: a wheel
  - when: {os: is windows, cuda: ">= 12.0, < 13"}
    then: {driver: "527.41", gpus: ">= 5.0, != 5.3"}
    basis: published
    source: release notes
`

// TestTableLint refuses tables that are wrong in one place each.
func TestTableLint(t *testing.T) {
	if _, err := LoadTable([]byte(goodTable), "t.yaml"); err != nil {
		t.Fatal(err)
	}
	row := "  - when: {os: is linux, cuda: \">= 12.0, < 13\"}\n    then: {driver: \"525.60.13\", gpus: \">= 5.0, < 12.2\"}\n    basis: artifact\n    source: a wheel\n"
	for name, tt := range map[string]struct{ old, new, want string }{
		"empty range":                {`">= 12.0, < 13"}`, `">= 13, < 12"}`, `t.yaml:17:26: no version satisfies ">= 13, < 12"`},
		"empty by an excluded point": {`">= 12.0, < 13"}`, `">= 12.4, <= 12.4, != 12.4"}`, "no version satisfies"},
		"empty between two limits":   {`">= 12.0, < 13"}`, `"> 12.4, < 12.4"}`, "no version satisfies"},
		"two exact versions":         {`">= 12.0, < 13"}`, `"= 12.4, = 12.5"}`, "no version satisfies"},
		"overlapping rows":           {`">= 12.0, < 13"}`, `">= 12.0, < 13.1"}`, "t.yaml:17:5: the row overlaps the one in line 13"},
		"overlap at one point":       {`">= 12.0, < 13"}`, `">= 12.0, <= 13.0"}`, "the row overlaps"},
		"duplicate row":              {row, row + row, "t.yaml:21:5: the row repeats the one in line 17"},
		"unreachable row":            {row, row + strings.Replace(row, ">= 12.0, < 13", "~> 12.4.1", 1), "t.yaml:21:5: the row is never reached: the one in line 17 fits all that it fits"},
		"unreachable by fewer columns": {"  - when: {os: is linux, cuda: \">= 13.0, < 14\"}\n    then: {driver: \"580.65.06\", gpus: \">= 7.5\"}", "  - when: {cuda: \">= 12.0\"}\n    then: {driver: \"580.65.06\", gpus: \">= 2.0\"}",
			"t.yaml:17:5: the row is never reached"},
		"impossible CUDA":                {`">= 12.0, < 13"}`, `">= 120, < 130"}`, "120 is not a version of CUDA"},
		"impossible minor":               {`">= 12.0, < 13"}`, `">= 12.0, < 12.10"}`, "12.10 is not a version of CUDA"},
		"capability without a dot":       {`gpus: ">= 5.0, < 12.2"`, `gpus: ">= 50"`, "50 is not a version of compute capability"},
		"empty range of GPUs":            {`gpus: ">= 5.0, < 12.2"`, `gpus: ">= 9.0, < 5.0"`, "no version satisfies"},
		"text in place of a range":       {`gpus: ">= 5.0, < 12.2"`, `gpus: "5.0 to 12.0"`, `constraint "5.0 to 12.0"`},
		"a range in two places":          {`{os: is linux, cuda: ">= 12.0, < 13"}`, `{os: is linux, cuda: ">= 12.0, < 13", sm: ">= 5.0"}`, "gpus holds the condition on sm"},
		"impossible driver":              {`driver: "525.60.13"`, `driver: "52.5"`, "52.5 is not a version"},
		"a driver that is not a version": {`driver: "525.60.13"`, `driver: "R525"`, `"R525" is not a version`},
		"unknown system":                 {"is windows", "is win", `unknown system "win": one of linux, windows, darwin`},
		"system as a version":            {"is windows", `"10"`, `unknown system "10"`},
		"no source":                      {"    source: a wheel\n", "", "a row needs a source"},
		"blank source":                   {"source: a wheel", `source: "  "`, "a row needs a source"},
		"no as-of":                       {"  as-of: 2026-11\n", "", "complete.as-of is missing"},
		"as-of is not a month":           {"as-of: 2026-11", "as-of: 2026-13", `as-of "2026-13" is not a month`},
		"through a column of then":       {`sm: "12.1"}`, `sm: "12.1", driver: "580"}`, `"driver" is not a column of when`},
		"through is not a version":       {`cuda: "13.5"`, `cuda: "newest"`, `"newest" is not a version`},
		"through is impossible":          {`cuda: "13.5"`, `cuda: "135"`, "135 is not a version of CUDA"},
		"nothing decides":                {"  decides: a program that runs.\n", "", "decides is missing"},
		"row beyond the table":           {`">= 13.0, < 14"}`, `">= 13.6, < 14"}`, "begins above 13.5, where the table says that it ends"},
		"versions of nothing":            {"versions: [driver]", "versions: [drivers]", `"drivers" is not a column of then; did you mean driver?`},
		"compares nothing":               {"{gpus: sm}", "{gpus: gpu}", `"gpu" is not a column of when`},
	} {
		changed := strings.Replace(goodTable, tt.old, tt.new, 1)
		if changed == goodTable {
			t.Fatalf("%s: the sample does not contain %q", name, tt.old)
		}
		_, err := LoadTable([]byte(changed), "t.yaml")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s", name, err, tt.want)
		}
	}
}

// TestTableLintAccepts: what looks alike and is not wrong.
func TestTableLintAccepts(t *testing.T) {
	for name, change := range map[string][2]string{
		"rows that touch":       {`">= 12.0, < 13"}`, `">= 12.0, < 13.0"}`},
		"one exact version":     {`">= 12.0, < 13"}`, `">= 12.4, <= 12.4"}`},
		"an excluded version":   {`">= 12.0, < 13"}`, `">= 12.0, < 13, != 12.7"}`},
		"the upper limit of ~>": {`">= 12.0, < 13"}`, `"~> 12.4.1"}`},
	} {
		if _, err := LoadTable([]byte(strings.Replace(goodTable, change[0], change[1], 1)), "t.yaml"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLibraryTables checks every table that is part of the program in full; at run
// time rows are not compared with one another.
func TestLibraryTables(t *testing.T) {
	files, err := filepath.Glob("library/compat/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := LoadTable(data, filepath.Base(file)); err != nil {
			t.Error(err)
		}
	}
}

// TestNewer: a version above what a table accounts for is told from one that no
// row fits.
func TestNewer(t *testing.T) {
	table, err := LoadTable([]byte(goodTable), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set, err := NewTables(table)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ os, cuda, sm, want string }{
		{"linux", "13.5.1", "8.9", "580.65.06"},
		{"linux", "13.6", "8.9", "580.65.06"}, // the row goes on
		{"linux", "14.0", "8.9", "newer than this table (2026-11): CUDA 14.0; its rows end with 13.5"},
		{"windows", "13.6", "8.9", "newer than this table (2026-11): CUDA 13.6"},
		{"windows", "13.5", "8.9", "no known combination"},
		{"linux", "12.4", "13.0", "newer than this table (2026-11): compute capability 13.0; its rows end with 12.1"},
		{"linux", "13.0", "6.1", "no known combination"}, // gpus says 7.5 or newer
		{"linux", "12.4", "6.1", "525.60.13"},
		{"linux", "12.4", "", "525.60.13"}, // the card is not known
	} {
		got, _, err := set.Choose("one", map[string]string{"os": tt.os, "cuda": tt.cuda, "sm": tt.sm}, "driver")
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}
