package explain

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var (
	mixedFile  = flag.String("mixed", "", "write a mixed log of mixedSize bytes to this file")
	mixedKinds = flag.String("mixed-kinds", "success", "what the mixed log has: success, failures or near")
	mixedSize  = flag.Int("mixed-size", 100_000_000, "bytes of the mixed log")
)

// TestMixed writes a mixed log, for measurements of the whole command.
func TestMixed(t *testing.T) {
	if *mixedFile == "" {
		t.Skip("not run: -mixed names no file")
	}
	if err := os.WriteFile(*mixedFile, mixed(t, embedded(t), *mixedKinds, *mixedSize), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mixed is a log of a size that has its error in the last line. Its lines come again and
// again in their order, each time with other numbers and another folder, so that hardly two
// are the same. The kinds: logs of runs that succeeded; those with logs of failures among
// them; and near, lines that hold a rule's literal or are a rule's counterexample.
func mixed(t testing.TB, s *Set, kinds string, size int) []byte {
	t.Helper()
	var lines []string
	files := []string{"success.txtar"}
	switch kinds {
	case "failures":
		files = append(files, "threads.txtar", "tenth.txtar")
	case "near":
		files = nil
		for _, r := range s.Rules {
			lines = append(lines, r.No...)
			for _, text := range r.Literals {
				lines = append(lines, "step 1 of /srv/work/a7 says "+text+" and goes on")
			}
		}
	}
	for _, name := range files {
		archive, err := txtar.ParseFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			lines = append(lines, strings.Split(strings.TrimSuffix(string(f.Data), "\n"), "\n")...)
		}
	}
	var out bytes.Buffer
	for round := 0; out.Len() < size; round++ {
		folder := "/srv/work/run" + strconv.Itoa(round)
		for _, line := range lines {
			line = strings.ReplaceAll(strings.ReplaceAll(line, "/home/u", folder), "/tmp/", folder+"/")
			out.WriteString(renumbered(line, round))
			out.WriteByte('\n')
		}
	}
	out.Truncate(size)
	out.WriteString("\nnvcc fatal   : Unsupported gpu architecture 'compute_30'\n")
	return out.Bytes()
}

// renumbered is a line with another last number where it has two or more: the first ones
// are often those of a code or a version.
func renumbered(line string, round int) string {
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	end := strings.LastIndexFunc(line, digit) + 1
	if end == 0 {
		return line + " " + strconv.Itoa(round)
	}
	from := strings.LastIndexFunc(line[:end], func(r rune) bool { return !digit(r) }) + 1
	if !strings.ContainsFunc(line[:from], digit) {
		return line
	}
	return line[:from] + strconv.Itoa(round) + line[end:]
}

// BenchmarkMixed reads 20 MB of each kind.
func BenchmarkMixed(b *testing.B) {
	s := embedded(b)
	for _, kinds := range []string{"success", "failures", "near"} {
		data := mixed(b, s, kinds, 20_000_000)
		b.Run(kinds, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Text(bytes.NewReader(data), "linux"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestBlocks: a text that several workers read gives what one gives that reads all of it,
// and the first error is that of the whole text.
func TestBlocks(t *testing.T) {
	s := embedded(t)
	calm := "step done\n"
	near := "0 errors, error: ignored\n" // looks like an error, and is none
	for name, text := range map[string]string{
		"success":         string(mixed(t, s, "success", 4*blockSize)),
		"failures":        string(mixed(t, s, "failures", 8*blockSize)),
		"near":            string(mixed(t, s, "near", 4*blockSize)),
		"late error":      strings.Repeat(calm, 5*blockSize/len(calm)) + "error: one\n" + strings.Repeat("error: two\n"+calm, blockSize/10),
		"after near":      strings.Repeat(near, maxTested-1) + strings.Repeat(calm, 3*blockSize/len(calm)) + "error: the last that is tried\nerror: one more\n",
		"after too many":  strings.Repeat(near+strings.Repeat(calm, 200), maxTested) + "error: not tried\n",
		"no end of line":  strings.Repeat(calm, 2*blockSize/len(calm)) + "error: here",
		"long last lines": strings.Repeat(strings.Repeat("x", 300_000)+"\n", 10) + "nvcc fatal   : Unsupported gpu architecture 'compute_30'",
	} {
		many := explained(t, s, text)
		before := runtime.GOMAXPROCS(1)
		one := explained(t, s, text)
		runtime.GOMAXPROCS(before)
		if !reflect.DeepEqual(many, one) {
			t.Errorf("%s: several workers give %+v, one %+v", name, many, one)
		}
		switch first := many.FirstError; name {
		case "late error", "no end of line", "after near":
			if want := strings.Count(text[:strings.Index(text, "error: "+map[string]string{"late error": "one", "no end of line": "here", "after near": "the last"}[name])], "\n") + 1; first == nil || first.Line != want {
				t.Errorf("%s: first error %+v, want line %d", name, first, want)
			}
		case "after too many":
			if first != nil {
				t.Errorf("%s: first error %+v", name, first)
			}
		}
	}
}

// TestBranches: a text that an expression matches has what one of its branches needs, and
// matches that; without it, it is not tried.
func TestBranches(t *testing.T) {
	for expr, want := range map[string][]string{
		`(?i)error: .*FOO|bar(baz)+`: {"error: foo", "barbaz"},
		`(?i)mask\.so`:               {"MA\u017f\u212a.so", "Mask.SO"}, // the long s and the sign of kelvin
		`a(?:bc|de)?f{0,2}gh`:        {"agh", "abcffgh"},
		`(?:x|yy)zz`:                 {"xzz", "yyzz"},
		`Getötet.*cc1`:               {"Getötet cc1"},
		`(?i)ab: one|ab: two|cd`:     {"AB: two", "xcd"},
	} {
		branches := branchesOf(expr)
		for _, text := range want {
			if !regexp.MustCompile(expr).MatchString(text) || !mayMatch(branches, text, folded(text), true) {
				t.Errorf("%s: %q does not match %+v", expr, text, branches)
			}
		}
		for _, b := range branches {
			if b.needs.in("") {
				t.Errorf("%s: %s needs nothing", expr, b.expression())
			}
		}
	}
	s := embedded(t)
	lines := strings.Split(string(mixed(t, s, "failures", 200_000)), "\n")
	lines = append(lines, strings.Split(string(mixed(t, s, "near", 200_000)), "\n")...)
	for _, r := range s.Rules {
		lines = append(lines, strings.Split(strings.Join(r.Yes, "\n"), "\n")...)
	}
	matches := 0
	for _, line := range lines {
		line = plain(line)
		lower := folded(line)
		for _, r := range s.Rules {
			if r.pattern == nil || !slices.ContainsFunc(r.Literals, func(text string) bool { return strings.Contains(lower, text) }) {
				continue
			}
			want := r.pattern.MatchString(line)
			if want {
				matches++
			}
			if got := mayMatch(r.branches(), line, lower, true); got != want {
				t.Errorf("rule %s: %q matches a branch: %v, the pattern: %v", r.ID, line, got, want)
			}
		}
	}
	if matches < 1000 {
		t.Errorf("%d matches, want 1000 or more", matches)
	}
}
