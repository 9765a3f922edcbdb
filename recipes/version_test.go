package recipes

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	tests := map[string]string{
		"4.6.0+dfsg-12":             "4.6.0",
		"4.5.4+dfsg-9ubuntu4":       "4.5.4",
		"4.10.0+dfsg-9+b1":          "4.10.0",
		"12.2.0-14+deb12u1":         "12.2.0",
		"2:4.6.0-1":                 "4.6.0",
		"go1.26.8":                  "1.26.8",
		"go1.22rc1":                 "1.22.0-rc1",
		"v3.25.1":                   "3.25.1",
		"3.0.0-beta":                "3.0.0-beta",
		"3.0.0-rc.2":                "3.0.0-rc.2",
		"13.1.1_p2":                 "13.1.1",
		"9.2p1":                     "9.2.0",
		"1.1.1w":                    "1.1.1",
		"4.10.0-r2":                 "4.10.0",
		"4.9.0-3.el9":               "4.9.0",
		"4.10.0-dev":                "4.10.0-dev",
		"5.0.0-alpha":               "5.0.0-alpha",
		"4.6.0~rc1+ds-1":            "4.6.0-rc1",
		"2:1.19~1":                  "1.19.0",
		"4.10.0+dfsg-5~bpo12+1":     "4.10.0",
		"3.13.0a1":                  "3.13.0-a1",
		"12.6.20241114":             "12.6.20241114",
		"560.35.03":                 "560.35.3",
		"10.0.22631":                "10.0.22631",
		"22.04":                     "22.4.0",
		"12":                        "12.0.0",
		" 4.6 ":                     "4.6.0",
		"1.27-devel_abc123":         "1.27.0-devel",
		"14.44.35207":               "14.44.35207",
		"1.2.3.4.5.6.7.8":           "1.2.3.4.5.6.7.8",
		"4.6.0 (built from source)": "4.6.0",
		"4.6.0-prefix":              "4.6.0",
		"2.1.0a0+git1":              "2.1.0-a0",
		"16.0.6 (15~deb12u1)":       "16.0.6",
	}
	for in, want := range tests {
		v, err := Version(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if v.String() != want {
			t.Errorf("%q reads as %s, wanted %s", in, v, want)
		}
	}
	for _, in := range []string{"", "unknown", "-1", ".5", "1234567890.1", "1.2.3.4.5.6.7.8.9", "4.1234567890", strings.Repeat("1", 300), "deb12"} {
		if v, err := Version(in); err == nil {
			t.Errorf("%q reads as %s, wanted an error", in, v)
		}
	}
}

func TestConstraint(t *testing.T) {
	tests := []struct {
		constraint, version string
		want                bool
	}{
		{"", "", true},
		{"", "anything", true},
		{">= 4.5.1, < 5", "4.5.1", true},
		{">= 4.5.1, < 5", "4.5.0", false},
		{">= 4.5.1, < 5", "4.14.0", true},
		{">= 4.5.1, < 5", "5.0.0", false},
		{">= 4.5.1, < 5", "4.6.0+dfsg-12", true},
		// A prerelease of the limit itself is on neither side.
		{">= 4.5.1, < 5", "5.0.0-beta", false},
		{"< 5", "5.0.0-alpha", false},
		{">= 5", "5.0.0-alpha", false},
		{"<= 5", "5.0.0-alpha", true},
		{"> 4.9", "4.9.0-rc1", false},
		{">= 4.5.1, < 5", "4.10.0-dev", true},
		{">= 4.5.1", "4.5.1-rc1", false},
		{"~> 4.5.1", "4.5.1-rc1", false},
		{"~> 4.5.1", "4.5.2-rc1", true},
		{"= 4.5.1", "4.5.1-rc1", false},
		{"!= 4.5.1", "4.5.1-rc1", true},
		// A limit that is a prerelease is compared in full.
		{">= 1.22-rc1", "go1.22rc2", true},
		{">= 1.22-rc2", "go1.22rc1", false},
		{">= 1.22-rc1", "go1.22", true},
		{">= 1.22-rc1", "go1.23", true},
		{"< 5.0.0-beta", "5.0.0-alpha", true},
		{"~> 4.5", "4.9.0", true},
		{"~> 4.5.0", "4.6.0", false},
		{"4.6", "4.6.0", true},
		{"!= 4.7.0", "4.6.0", true},
		{">= 12.4, < 13", "12.6.20241114", true},
	}
	for _, tt := range tests {
		c, err := ParseConstraint(tt.constraint)
		if err != nil {
			t.Errorf("%q: %v", tt.constraint, err)
			continue
		}
		got, err := c.Check(tt.version)
		if err != nil || got != tt.want {
			t.Errorf("%q on %q: %v (%v), wanted %v", tt.constraint, tt.version, got, err, tt.want)
		}
	}
	c, err := ParseConstraint(">= 4")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check("unknown"); err == nil {
		t.Error("a version that cannot be read was judged")
	}
	for _, bad := range []string{">> 4", ">= x", ",", ">= 4,", "four", strings.Repeat(">= 4,", 100)} {
		if _, err := ParseConstraint(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// FuzzVersion: what is read can be read again to the same order, and satisfies
// its own bounds.
func FuzzVersion(f *testing.F) {
	for _, s := range []string{"4.6.0+dfsg-12", "go1.22rc1", "1:2.3~rc1", "13.1.1_p2", "3.0.0-beta", "v1", "1.2.3.4.5.6.7.8", "4.6.0 (x)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Version(s)
		if err != nil {
			return
		}
		again, err := Version(v.String())
		if err != nil || again.Compare(v) != 0 {
			t.Fatalf("%q reads as %s, and that as %v (%v)", s, v, again, err)
		}
		c, err := ParseConstraint("= " + v.String() + ", >= " + v.String() + ", <= " + v.String())
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := c.Check(s); err != nil || !ok {
			t.Fatalf("%q does not satisfy %s: %v", s, c, err)
		}
	})
}

func FuzzConstraint(f *testing.F) {
	f.Add(">= 4.5.1, < 5", "4.6.0")
	f.Add("~> 1.2-rc1", "1.2rc2")
	f.Add("!=1,", "x")
	f.Fuzz(func(t *testing.T, constraint, version string) {
		c, err := ParseConstraint(constraint)
		if err != nil {
			return
		}
		first, err1 := c.Check(version)
		second, err2 := c.Check(version)
		if first != second || (err1 == nil) != (err2 == nil) {
			t.Fatal("two checks differ")
		}
	})
}

func TestBytes(t *testing.T) {
	tests := []struct {
		in    string
		want  Bytes
		print string
		human string
	}{
		{"2GiB", 2 << 30, "2GiB", "2 GiB"},
		{"1.5GiB", 3 << 29, "1536MiB", "1.5 GiB"},
		{"512 MiB", 512 << 20, "512MiB", "512 MiB"},
		{"1500MB", 1_500_000_000, "1500MB", "1.4 GiB"},
		{"2gb", 2_000_000_000, "2GB", "1.9 GiB"},
		{"17B", 17, "17B", "17 B"},
		{"0B", 0, "0B", "0 B"},
		{"1TiB", 1 << 40, "1TiB", "1 TiB"},
		{"18446744073709551615B", math.MaxUint64, "18446744073709551615B", "16777216 TiB"},
	}
	for _, tt := range tests {
		got, err := ParseBytes(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("%q: %d (%v), wanted %d", tt.in, got, err, tt.want)
			continue
		}
		if got.String() != tt.print || got.Human() != tt.human {
			t.Errorf("%q prints as %q and %q, wanted %q and %q", tt.in, got, got.Human(), tt.print, tt.human)
		}
	}
	for _, bad := range []string{"", "2", "GiB", "-1GiB", "1.2.3GiB", "2 gibi", "18446744073709551616B", "99999999TiB", "1e3MB", "9223372036854775808.5B", "NaNB"} {
		if got, err := ParseBytes(bad); err == nil {
			t.Errorf("%q reads as %d, wanted an error", bad, got)
		}
	}
}

func FuzzBytes(f *testing.F) {
	f.Add("1.5GiB")
	f.Add("17 B")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBytes(s)
		if err != nil {
			return
		}
		again, err := ParseBytes(b.String())
		if err != nil || again != b {
			t.Fatalf("%q is %d, prints as %s and reads as %d (%v)", s, b, b, again, err)
		}
	})
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"opencvv": "opencv", "g+": "g++", "pkgconfig": "pkg-config", "nijna": "ninja", "OpenCV": "opencv", "tensorflwo": "tensorflow", "xyzzy": "", "a-very-long-word-like-nothing": ""} {
		got, ok := nearest(word, Components())
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q: nearest %q, wanted %q", word, got, want)
		}
	}
}

func TestChoose(t *testing.T) {
	all := tables(t)
	tests := []struct{ opencv, go_, want string }{
		{"4.2.0+dfsg-5", "1.13", "0.22.0"},
		{"4.5.1+dfsg-5", "1.15.15", "0.31.0"},
		{"4.5.4", "1.18", "0.31.0"},
		{"4.5.5", "1.18", "0.31.0"},
		{"4.6.0+dfsg-12", "go1.19.8", "0.31.0"},
		{"4.6.0", "go1.26.8", "0.31.0"},
		{"4.7.0", "1.26", "0.33.0"},
		{"4.8.0", "1.26", "0.34.0"},
		{"4.8.1", "1.26", "0.35.0"},
		{"4.9.0", "1.26", "0.36.1"},
		{"4.10.0", "1.24.4", "0.43.0"},
		{"4.10.0", "1.19", "0.35.0"},
		{"4.11.0", "1.22", "0.41.0"},
		{"4.12.0", "1.24", "0.42.0"},
		{"4.13.0", "1.25", "0.43.0"},
		{"4.14.0", "1.26", "0.43.0"},
	}
	for _, tt := range tests {
		got, row, err := all.Choose("gocv-opencv", map[string]string{"opencv": tt.opencv, "go": tt.go_}, "gocv")
		if err != nil || got != tt.want || row.Source == "" {
			t.Errorf("OpenCV %s, Go %s: %q (%v), wanted %s", tt.opencv, tt.go_, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ opencv, go_, want string }{
		{"5.0.0", "1.26", "no known combination has Go 1.26 with OpenCV 5.0.0; the nearest known one, with gocv 0.43.0, needs OpenCV >= 4.14, < 5"},
		{"4.12.0", "1.20", "no known combination has Go 1.20 with OpenCV 4.12.0; the nearest known one, with gocv 0.42.0, needs Go >= 1.21"},
		{"3.4.1", "1.11", "no known combination has Go 1.11 with OpenCV 3.4.1; the nearest known one, with gocv 0.22.0, needs OpenCV >= 4.2, < 4.3 and Go >= 1.13"},
	} {
		_, _, err := all.Choose("gocv-opencv", map[string]string{"opencv": tt.opencv, "go": tt.go_}, "gocv")
		var none *NoRowError
		if !errors.As(err, &none) || err.Error() != tt.want {
			t.Errorf("error %v\nwanted %s", err, tt.want)
		}
	}
	for name, call := range map[string]func() error{
		"unknown table":  func() error { _, _, err := all.Choose("gocv", nil, "gocv"); return err },
		"unknown column": func() error { _, _, err := all.Choose("gocv-opencv", nil, "opencv"); return err },
		"version missing": func() error {
			_, _, err := all.Choose("gocv-opencv", map[string]string{"go": "1.2"}, "gocv")
			return err
		},
		"version unreadable": func() error {
			_, _, err := all.Choose("gocv-opencv", map[string]string{"go": "1.2", "opencv": "?"}, "gocv")
			return err
		},
	} {
		var none *NoRowError
		if err := call(); err == nil || errors.As(err, &none) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestLoadTableMistakes(t *testing.T) {
	const good = "schema: 1\nname: a\ntitle: b\nwhen: [x]\nthen: [y]\ncomplete: {as-of: 2026-11}\nrows:\n  - when: {x: \">= 1\"}\n    then: {y: \"2\"}\n    basis: measured\n    source: s\n"
	if _, err := LoadTable([]byte(good), "t.yaml"); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ old, new, want string }{
		"no source":           {"    source: s\n", "", "t.yaml:8:5: a row needs a source"},
		"no basis":            {"    basis: measured\n", "", "t.yaml:8:5: a row needs a basis: measured, artifact, published, expected"},
		"unknown basis":       {"measured", "mesured", `t.yaml:10:12: unknown basis "mesured"; did you mean measured?`},
		"unknown column":      {"{x:", "{xx:", `t.yaml:8:12: unknown column "xx"; did you mean x?`},
		"bad constraint":      {`">= 1"`, `">> 1"`, `t.yaml:8:12: constraint ">> 1": ">> 1" is not one of`},
		"empty condition":     {`">= 1"`, `""`, "t.yaml:8:12: "},
		"column on two sides": {"then: [y]", "then: [x]", `t.yaml:5:8: column "x" is empty or here a second time`},
		"no rows":             {"rows:\n  - when: {x: \">= 1\"}\n    then: {y: \"2\"}\n    basis: measured\n    source: s\n", "rows: []\n", "t.yaml:1:1: the table has no rows"},
	}
	for name, tt := range tests {
		changed := strings.Replace(good, tt.old, tt.new, 1)
		if changed == good {
			t.Fatalf("%s: the sample does not contain %q", name, tt.old)
		}
		_, err := LoadTable([]byte(changed), "t.yaml")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, wanted …%s…", name, err, tt.want)
		}
	}
	table, err := LoadTable([]byte(good), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewTables(table, table); err == nil {
		t.Error("two tables of one name were accepted")
	}
}

// TestTableWords: a column may hold a word instead of a version.
func TestTableWords(t *testing.T) {
	const text = "schema: 1\nname: a\ntitle: b\nwhen: [os, cuda]\nthen: [driver]\ncomplete: {as-of: 2026-11}\nrows:\n" +
		"  - {when: {os: is linux, cuda: \">= 12\"}, then: {driver: \"525\"}, basis: published, source: s}\n" +
		"  - {when: {os: is windows, cuda: \">= 12\"}, then: {driver: \"527\"}, basis: published, source: s}\n"
	table, err := LoadTable([]byte(text), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set, err := NewTables(table)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := set.Choose("a", map[string]string{"os": "windows", "cuda": "12.4"}, "driver")
	if err != nil || got != "527" {
		t.Errorf("%q, %v", got, err)
	}
	if _, _, err := set.Choose("a", map[string]string{"os": "darwin", "cuda": "12.4"}, "driver"); err == nil || !strings.Contains(err.Error(), "needs system is linux") {
		t.Errorf("error %v", err)
	}
}

func TestVersioned(t *testing.T) {
	for _, tt := range []struct{ column, value, want string }{
		{"visual-studio", "15.9.28307", "Visual Studio 2017 (15.9.28307)"},
		{"visual-studio", ">= 14, < 15", "Visual Studio 2015"},
		{"visual-studio", ">= 16.8, < 17", "Visual Studio >= 16.8, < 17"},
		{"visual-studio", ">= 16", "Visual Studio >= 16"},
		{"visual-studio", "", "Visual Studio "},
		{"cuda", "11.8", "CUDA 11.8"},
	} {
		if got := Versioned(tt.column, tt.value); got != tt.want {
			t.Errorf("Versioned(%q, %q) is %q, wanted %q", tt.column, tt.value, got, tt.want)
		}
	}
}
