package recipes

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// artifactFacts reads the facts that .ci/tables derived from published files: one
// fact a line, in words.
func artifactFacts(t *testing.T, name string, words int) [][]string {
	t.Helper()
	folder := os.Getenv("DEPLOYCTL_ARTIFACTS") // what .ci/tables has just derived
	if folder == "" {
		folder = filepath.Join("testdata", "artifacts")
	}
	data, err := os.ReadFile(filepath.Join(folder, name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for line := range strings.Lines(string(data)) {
		if fact := strings.Fields(line); len(fact) > 0 && fact[0] != "#" {
			if len(fact) < words {
				t.Fatalf("%s.txt: %q has fewer than %d words", name, line, words)
			}
			out = append(out, fact)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s.txt is empty", name)
	}
	return out
}

// fits reports whether a row fits, and which; other errors than a missing row end
// the test.
func fits(t *testing.T, set *Tables, table, column string, given map[string]string) (*Row, bool) {
	t.Helper()
	_, row, err := set.Choose(table, given, column)
	var none *NoRowError
	if err != nil && !errors.As(err, &none) {
		t.Errorf("%s: %v", table, err)
	}
	return row, err == nil
}

// TestArtifactCompilers: the compiler limits in the tables are those in NVIDIA's own
// headers, in every wheel.
func TestArtifactCompilers(t *testing.T) {
	set := tables(t)
	for _, f := range artifactFacts(t, "compilers", 7) {
		nvcc, gcc, clang, low, high := f[1], number(t, f[3]), number(t, f[4]), number(t, f[5]), number(t, f[6])
		for _, limit := range []struct {
			column, decides, last, next string
		}{
			{"gcc", "gcc_max", fmt.Sprintf("%d.9", gcc), strconv.Itoa(gcc + 1)},
			{"clang", "clang_max", fmt.Sprintf("%d.9", clang), strconv.Itoa(clang + 1)},
			{"msvc", "vs", fmt.Sprintf("14.%02d", high-1900), fmt.Sprintf("14.%02d", high-1900+1)},
			{"msvc", "vs", fmt.Sprintf("14.%02d", low-1900), fmt.Sprintf("14.%02d", low-1900-1)},
		} {
			// The update of a toolkit by nvcc's number: 12.2.91 is 12.2.0 and 12.2.140
			// is 12.2.2, which the table of Clang tells apart.
			cuda := nvcc
			if strings.HasPrefix(nvcc, "12.2.") && number(t, nvcc[5:]) < 128 {
				cuda = "12.2"
			}
			table := "cuda-" + limit.column
			if row, ok := fits(t, set, table, limit.decides, map[string]string{"cuda": cuda, limit.column: limit.last}); !ok || row.Basis != FromArtifact {
				t.Errorf("%s %s on %s accepts %s %s, the table does not say so (%+v)", f[0], nvcc, f[2], limit.column, limit.last, row)
			}
			if row, ok := fits(t, set, table, limit.decides, map[string]string{"cuda": cuda, limit.column: limit.next}); ok {
				t.Errorf("%s %s on %s refuses %s %s, the table has %+v", f[0], nvcc, f[2], limit.column, limit.next, row)
			}
		}
	}
}

// TestArtifactCuDNN: every cuDNN wheel goes with its CUDA, and each one runs on the
// GPUs that it has machine code for and on no older ones.
func TestArtifactCuDNN(t *testing.T) {
	set := tables(t)
	table, err := set.Table("cudnn-cuda")
	if err != nil {
		t.Fatal(err)
	}
	newest := map[string]string{"nvidia-cudnn-cu11": "11.8", "nvidia-cudnn-cu12": "12.9", "nvidia-cudnn-cu13": "13.0"}
	for _, f := range artifactFacts(t, "cudnn", 2) {
		if _, ok := fits(t, set, "cudnn-cuda", "gpus", map[string]string{"cudnn": f[1], "cuda": newest[f[0]], "sm": ""}); !ok {
			t.Errorf("no row has %s %s with CUDA %s", f[0], f[1], newest[f[0]])
		}
		if newer := table.Newer(map[string]string{"cudnn": f[1]}); newer != nil {
			t.Errorf("%s %s: %v", f[0], f[1], newer)
		}
	}
	for _, f := range artifactFacts(t, "code", 3) {
		given := map[string]string{"cudnn": f[1], "cuda": newest[f[0]]}
		for _, sm := range []string{"3.5", "5.0", "6.0", "6.1", "7.0", "7.5", "8.0", "9.0", "12.0"} {
			given["sm"] = sm
			_, ok := fits(t, set, "cudnn-cuda", "gpus", given)
			// 7.5 runs the code for 7.0, 6.1 that for 6.0 (CUDA C++ Programming Guide,
			// "Binary Compatibility").
			runs := slices.ContainsFunc(f[2:], func(code string) bool {
				return strings.Split(code, ".")[0] == strings.Split(sm, ".")[0] && !above(code, sm)
			})
			if ok != runs {
				t.Errorf("%s %s has code for %s: it runs on %s is %v, the table says %v", f[0], f[1], strings.Join(f[2:], " "), sm, runs, ok)
			}
		}
	}
}

// TestArtifactTorch: the CUDA that a PyTorch wheel requires is one that the table of
// its builds has, and goes with the cuDNN that it requires.
func TestArtifactTorch(t *testing.T) {
	set := tables(t)
	for _, f := range artifactFacts(t, "torch", 3) {
		if _, ok := fits(t, set, "libtorch-cuda", "build", map[string]string{"libtorch": f[0], "cuda": f[1]}); !ok {
			t.Errorf("PyTorch %s is built for CUDA %s, the table has no such build", f[0], f[1])
		}
		if _, ok := fits(t, set, "cudnn-cuda", "gpus", map[string]string{"cudnn": f[2], "cuda": f[1], "sm": ""}); !ok {
			t.Errorf("PyTorch %s requires cuDNN %s with CUDA %s, the table has no such pair", f[0], f[2], f[1])
		}
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTablesReport keeps the counts in docs/tables.md: how many rows rest on what.
func TestTablesReport(t *testing.T) {
	list, err := tables(t).All()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	text.WriteString("| table | complete through | artifact or measured | published | expected |\n| --- | --- | --- | --- | --- |\n")
	sum := map[Basis]int{}
	for _, table := range list {
		count := map[Basis]int{}
		for i := range table.Rows {
			count[table.Rows[i].Basis]++
			sum[table.Rows[i].Basis]++
		}
		var through []string
		for _, column := range table.When {
			if v := table.Complete.Through[column]; v != "" {
				through = append(through, column+" "+v)
			}
		}
		fmt.Fprintf(&text, "| %s | %s | %d | %d | %d |\n", table.Name, strings.Join(through, ", "), count[FromArtifact]+count[Measured], count[Published], count[Expected])
	}
	fmt.Fprintf(&text, "| all | | %d | %d | %d |\n", sum[FromArtifact]+sum[Measured], sum[Published], sum[Expected])
	const file, begin, end = "../docs/tables.md", "<!-- rows -->\n", "<!-- end of rows -->"
	page, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no %q and %q", file, begin, end)
	}
	if *update {
		if err := os.WriteFile(filepath.FromSlash(file), []byte(before+begin+text.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if have != text.String() {
		t.Errorf("%s does not have the rows as they are; run go test ./recipes -run TestTablesReport -update", file)
	}
}
