package recipes

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
		for _, needs := range f[2:] {
			if suffix := f[0][strings.LastIndex(f[0], "-"):]; needs != "nvidia-cublas" && !strings.HasSuffix(needs, suffix) {
				t.Errorf("%s %s requires %s, which is for another CUDA", f[0], f[1], needs)
			}
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

// TestArtifactTargets: a toolkit has code for exactly the GPUs that its ptxas lists.
func TestArtifactTargets(t *testing.T) {
	set := tables(t)
	all := map[string]bool{}
	list := artifactFacts(t, "targets", 3)
	for _, f := range list {
		for _, sm := range f[2:] {
			all[sm] = true
		}
	}
	for _, f := range list {
		for sm := range all {
			row, ok := fits(t, set, "cuda-sm", "generation", map[string]string{"sm": sm, "cuda": f[1]})
			if lists := slices.Contains(f[2:], sm); lists != ok {
				t.Errorf("ptxas of %s %s lists %s: %v, the table says %v", f[0], f[1], sm, lists, ok)
			} else if ok && !strings.Contains(row.Source, "ptxas") {
				t.Errorf("%s %s lists %s, the row does not say so: %s", f[0], f[1], sm, row.Source)
			}
		}
	}
}

// TestArtifactTorch: the CUDA that a PyTorch wheel requires is one that the table of
// its builds has, and goes with the cuDNN that it requires; its headers ask for the
// C++ standard that the table has.
func TestArtifactTorch(t *testing.T) {
	set := tables(t)
	for _, f := range artifactFacts(t, "torch", 4) {
		if row, ok := fits(t, set, "libtorch-cuda", "build", map[string]string{"libtorch": f[0], "cuda": f[1]}); !ok || row.Basis != FromArtifact {
			t.Errorf("PyTorch %s is built for CUDA %s, the table does not say so (%+v)", f[0], f[1], row)
		}
		if _, ok := fits(t, set, "cudnn-cuda", "gpus", map[string]string{"cudnn": f[2], "cuda": f[1], "sm": ""}); !ok {
			t.Errorf("PyTorch %s requires cuDNN %s with CUDA %s, the table has no such pair", f[0], f[2], f[1])
		}
		if row, ok := fits(t, set, "libtorch", "cxx", map[string]string{"libtorch": f[0]}); !ok || row.Then["cxx"] != f[3] || row.Basis != FromArtifact {
			t.Errorf("the headers of PyTorch %s ask for C++%s, the table has %+v", f[0], f[3], row)
		}
		for _, library := range f[4:] {
			if _, n, _ := strings.Cut(library, ".so."); strings.HasPrefix(library, "libcudart.") && strings.Split(n, ".")[0] != strings.Split(f[1], ".")[0] {
				t.Errorf("PyTorch %s requires CUDA %s and loads %s", f[0], f[1], library)
			}
		}
	}
}

// TestArtifactONNXRuntime: a package for the GPU goes with the CUDA that it was built
// with and the cuDNN that it requires or loads.
func TestArtifactONNXRuntime(t *testing.T) {
	set := tables(t)
	check := func(version, cuda, cudnn string) {
		t.Helper()
		row, ok := fits(t, set, "onnxruntime-cuda", "cudnn", map[string]string{"onnxruntime": version, "cuda": cuda})
		if !ok || row.Basis != FromArtifact || cudnn != "" && strings.Split(row.Then["cudnn"], ".")[0] != strings.Split(cudnn, ".")[0] {
			t.Errorf("ONNX Runtime %s is built with CUDA %s and cuDNN %s, the table has %+v", version, cuda, cudnn, row)
		}
	}
	for _, f := range artifactFacts(t, "onnxruntime", 4) {
		if f[2] != "-" {
			check(f[0], f[2], strings.TrimPrefix(f[3], "-"))
		}
	}
	// CUDA 11's runtime is libcudart.so.11.0 and cudart64_110.dll; 11.8 is what
	// ONNX Runtime's documents name.
	series := map[string]string{"11": "11.8", "12": "12.8", "13": "13.0"}
	major := regexp.MustCompile(`^(?:lib)?(cublas|cudnn)(?:64_|\.so\.)([0-9]+)`)
	for _, f := range artifactFacts(t, "imports", 4) {
		found := map[string]string{}
		for _, library := range f[3:] {
			if m := major.FindStringSubmatch(library); m != nil {
				found[m[1]] = m[2]
			}
		}
		check(f[1], series[found["cublas"]], found["cudnn"])
	}
}

// TestArtifactGocv: a gocv release is the one for the OpenCV that its Makefile names,
// with the Go that its go.mod names, and links the libraries of its cgo.go.
func TestArtifactGocv(t *testing.T) {
	set := tables(t)
	newest := map[string]string{}
	for _, f := range artifactFacts(t, "gocv", 4) {
		row, ok := fits(t, set, "gocv-release", "windows", map[string]string{"gocv": f[0]})
		if !ok || row.Then["windows"] != f[3] {
			t.Errorf("gocv %s links OpenCV %s on Windows, the table has %+v", f[0], f[3], row)
		}
		newest[f[1]] = f[0] + " " + f[2]
	}
	for opencv, of := range newest {
		release, language, _ := strings.Cut(of, " ")
		row, ok := fits(t, set, "gocv-opencv", "gocv", map[string]string{"opencv": opencv, "go": language})
		// A measured row names a release that was compiled with several OpenCVs.
		if !ok || row.Then["gocv"] != release && row.Basis != Measured {
			t.Errorf("gocv %s is made for OpenCV %s and Go %s, the table has %+v", release, opencv, language, row)
		}
	}
}

// TestArtifactOpenCV: OpenCV asks for the C++ standard that the table has, and one
// that calls what CUDA 12.9 has no more does not compile with it.
func TestArtifactOpenCV(t *testing.T) {
	set := tables(t)
	for _, f := range artifactFacts(t, "opencv", 3) {
		row, ok := fits(t, set, "opencv-cuda", "cxx", map[string]string{"opencv": f[0], "cuda": "11.8", "cudnn": "8.9"})
		if !ok || row.Then["cxx"] != f[1] {
			t.Errorf("OpenCV %s is C++%s, the table has %+v", f[0], f[1], row)
		}
		_, ok = fits(t, set, "opencv-cuda", "cxx", map[string]string{"opencv": f[0], "cuda": "12.9", "cudnn": "9.10"})
		if context := slices.Contains(f[2:], "nppGetStreamContext"); ok != context {
			t.Errorf("OpenCV %s calls %s; that it compiles with CUDA 12.9 is %v in the table", f[0], strings.Join(f[2:], " "), ok)
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

// TestTablesReport keeps the checker's report in docs/tables.md: which files were read,
// when, and how many rows rest on what.
func TestTablesReport(t *testing.T) {
	list, err := tables(t).All()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "Report of `.ci/tables write`, %s. It read:\n\n", artifactFacts(t, "date", 1)[0][0])
	for _, f := range []struct{ name, what string }{
		{"compilers", "`crt/host_config.h` in NVIDIA's compiler wheels for Linux and Windows"},
		{"targets", "the GPUs that the `ptxas` of a CUDA release lists"},
		{"cudnn", "cuDNN wheels and what they require"},
		{"code", "the machine code in a cuDNN wheel"},
		{"torch", "PyTorch wheels: their requirements, `all.h`, and what `libtorch_global_deps.so` loads"},
		{"onnxruntime", "ONNX Runtime wheels for the GPU: their build information and requirements"},
		{"imports", "the imports of `onnxruntime_providers_cuda` (ELF and PE)"},
		{"gocv", "gocv module zips: `Makefile`, `go.mod` and `cgo.go`"},
		{"opencv", "OpenCV sources in Debian: CMake files and headers"},
	} {
		fmt.Fprintf(&text, "- %s: %d\n", f.what, len(artifactFacts(t, f.name, 1)))
	}
	text.WriteString("\nRows by what confirms them:\n\n| table | complete through | a file or a build | a document | unconfirmed |\n| --- | --- | --- | --- | --- |\n")
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
	if sum[Expected] > 0 {
		text.WriteString("\nUnconfirmed rows:\n\n")
	}
	for _, table := range list {
		for i := range table.Rows {
			row := &table.Rows[i]
			if row.Basis != Expected {
				continue
			}
			var when []string
			for _, column := range table.When {
				if c, ok := row.When[column]; ok {
					when = append(when, column+" "+strings.ReplaceAll(c, "<", "&lt;"))
				}
			}
			fmt.Fprintf(&text, "- %s, %s: %s\n", table.Name, strings.Join(when, "; "), row.Source)
		}
	}
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
	if os.Getenv("DEPLOYCTL_ARTIFACTS") != "" {
		return // the counts of what is published now are not those that are committed
	}
	if *update {
		if err := os.WriteFile(filepath.FromSlash(file), []byte(before+begin+text.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if have != text.String() {
		t.Errorf("%s does not have the rows as they are; run go test ./recipes -run TestTablesReport -update", file)
	}
}
