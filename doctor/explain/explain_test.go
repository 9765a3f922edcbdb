package explain

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/deployctl/deployctl/recipes"
)

func embedded(t testing.TB) *Set {
	t.Helper()
	s, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func explained(t testing.TB, s *Set, text string) *Result {
	t.Helper()
	r, err := s.Text(strings.NewReader(text), "linux")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answer is what the command answers: a code where the text is one.
func answer(t testing.TB, s *Set, text string) []Match {
	t.Helper()
	if list, ok := s.Code(text, "linux"); ok {
		return list
	}
	return explained(t, s, text).Matches
}

// TestExamples: the examples of each rule hold (Load checks that), and give the
// rule's class first.
func TestExamples(t *testing.T) {
	s := embedded(t)
	if len(s.Rules) < 60 {
		t.Errorf("%d rules, want 60 or more", len(s.Rules))
	}
	for _, r := range s.Rules {
		for _, text := range r.Yes {
			list := explained(t, s, text).Matches
			if len(list) == 0 || list[0].Class != r.Class {
				t.Errorf("rule %s: %q gives %+v first, want class %s", r.ID, text, list, r.Class)
			}
		}
	}
}

// TestPages: a page that a rule or code names is there.
func TestPages(t *testing.T) {
	s := embedded(t)
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	checks, err := tables.Checks()
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	for _, r := range s.Rules {
		pages[r.Page] = r.ID
	}
	for _, f := range s.Codes {
		for _, c := range f.Codes {
			pages[c.Page] = c.Name
		}
	}
	delete(pages, "")
	for page, user := range pages {
		if !pageKnown(checks, page) {
			t.Errorf("%s: there is no page %s", user, page)
		}
	}
}

// TestClasses: every class of classes.yaml has a rule, or a code.
func TestClasses(t *testing.T) {
	s := embedded(t)
	used := map[string]bool{unclassified: true}
	for _, r := range s.Rules {
		used[r.Class] = true
	}
	for class := range s.Classes {
		if !used[class] {
			t.Errorf("no rule has the class %s", class)
		}
	}
	if len(s.Classes) < 50 {
		t.Errorf("%d classes, want 50 or more", len(s.Classes))
	}
}

func TestCodes(t *testing.T) {
	s := embedded(t)
	for text, want := range map[string]string{
		"0xC0000135": "missing-dll", "0xc0000135": "missing-dll", "3221225781": "missing-dll", "-1073741515": "missing-dll",
		"exit status 3221225781": "missing-dll", "exited with code -1073741515": "missing-dll",
		"0xC000007B": "dll-mixed-or-wrong-build", "3221225785": "dll-mixed-or-wrong-build", "0xC0000139": "dll-mixed-or-wrong-build",
		"0x8007007E": "missing-dll", "-2147024770": "missing-dll", "126": "missing-dll", "exit status 126": "program-not-found",
		"exit code 137": "out-of-memory", "errno 28": "disk-full", "-1001": "opencl-no-platform", "LNK1112": "link-arch-mismatch",
		"cuda error 35": "cuda-driver-missing-or-old", "CUDA_ERROR_INVALID_PTX": "cuda-no-kernel-image", "0x8007000E": "out-of-memory", "SIGILL": "no-avx-sigill",
		"cudnn status 8": "cudnn-runtime-error", "cudnn error 5000": "cudnn-runtime-error", "cublas error 3": "gpu-out-of-memory", "error 5": "permission-denied", "exit code -1978334971": "disk-full",
		"0x8A150105": "disk-full", "appinstaller_cli_error_install_disk_full": "disk-full", "msiexec exit code 1633": unclassified, "0x800b0109": "download-tls-problem", "-2146762487": "download-tls-problem",
		"cmp0091": unclassified, "lnk1158": unclassified, "c1047": unclassified, "MSB1009": unclassified, "#20014-D": unclassified, "20014-d": unclassified, "ort error 8": unclassified, "errno 5": unclassified,
		"CL_INVALID_BINARY": unclassified, "-42": unclassified, "0xC0000096": unclassified, "-1073741674": unclassified, "exit status 3221225622": unclassified, "CUDA_ERROR_STUB_LIBRARY": "cuda-driver-missing-or-old",
		"cuda error 702": "gpu-reset", "VkResult -12": unclassified, "0x887a0005": "gpu-reset", "EXIT_SIGTRAP": unclassified, "0x40010005": unclassified, "CUDNN_STATUS_LICENSE_ERROR": unclassified,
	} {
		list, ok := s.Code(text, "linux")
		if !ok || len(list) == 0 || list[0].Class != want {
			t.Errorf("%q gives %+v, %v; want class %s", text, list, ok, want)
		}
	}
	for _, text := range []string{"", "hello", "opencv.version", "error LNK2019: unresolved external symbol", "12 files were copied"} {
		if list, ok := s.Code(text, "linux"); ok {
			t.Errorf("%q is taken for a code: %+v", text, list)
		}
	}
	if list, ok := s.Code("987654321", "linux"); !ok || len(list) != 0 {
		t.Errorf("an unknown code gives %+v, %v", list, ok)
	}
}

// TestLines: single lines that people meet most, written from what compilers, loaders
// and engines print; each has its class.
func TestLines(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "lines.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	s := embedded(t)
	n := 0
	for line := range strings.Lines(string(data)) {
		class, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			t.Fatalf("%q has no tab", line)
		}
		n++
		if list := answer(t, s, text); len(list) == 0 || list[0].Class != class {
			t.Errorf("%q gives %+v first, want class %s", text, list, class)
		}
	}
	if n < 300 {
		t.Errorf("%d lines, want 300 or more", n)
	}
}

// TestCases answers the lines of the shared file, where it is.
func TestCases(t *testing.T) {
	file := filepath.Join("..", "..", "..", "shared", "cases", "explain.txt")
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("not run: %s is not here", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	s := embedded(t)
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		n++
		list := answer(t, s, line)
		if len(list) == 0 || list[0].Class == unclassified || list[0].Cause == "" || list[0].Fix == "" {
			t.Errorf("%q gives %+v", line, list)
			continue
		}
		t.Logf("%-70s %s", line, list[0].Class)
	}
	if n == 0 {
		t.Errorf("%s has no lines", file)
	}
}

// TestWrappings: a line is recognized in every encoding and with every prefix, and
// its evidence has neither.
func TestWrappings(t *testing.T) {
	s := embedded(t)
	const line = "nvcc fatal   : Unsupported gpu architecture 'compute_30'"
	for name, text := range map[string]string{
		"CRLF":           "one\r\n" + line + "\r\ntwo\r\n",
		"ANSI":           "one\nnvcc \x1b[01;31mfatal\x1b[0m   : Unsup\x1b[Kported gpu \x1b]8;;x\x07architecture 'compute_30'\n",
		"NUL":            "one\n" + strings.Join(strings.Split(line, ""), "\x00"),
		"UTF-16 LE":      utf16Text("one\r\n"+line+"\r\n", binary.LittleEndian),
		"UTF-16 BE":      utf16Text("one\r\n"+line+"\r\n", binary.BigEndian),
		"quote":          "> one\n> > " + line,
		"GitHub":         "x\n2026-01-02T03:04:05.1234567Z ##[error]" + line,
		"gh run view":    "x\nbuild\tRun make\t2026-01-02T03:04:05.1234567Z " + line,
		"GitLab":         "x\n2026-01-02T03:04:05.123456Z 01O " + line,
		"BuildKit":       "x\n#12 3.456 " + line,
		"compose":        "x\nbuilder-1  | " + line,
		"syslog":         "x\nNov 28 14:01:02 host make[12]: " + line,
		"kernel":         "x\n[  123.456789] " + line,
		"MSBuild":        "x\n  3>" + line,
		"quotation mark": "x\nnvcc fatal   : Unsupported gpu architecture ‘compute_30’",
		"GBK":            "x\n\xb4\xed\xce\xf3 " + line,
		"Shift-JIS":      "x\n\x83G\x83\x89\x81[ " + line,
		"Jenkins":        "x\n[2026-01-02T03:04:05.123Z] " + line,
		"long":           "x\n" + strings.Repeat("y ", 400_000) + line + strings.Repeat(" z", 50_000),
	} {
		list := explained(t, s, text).Matches
		if len(list) == 0 || list[0].Class != "cuda-arch-unsupported" || list[0].Line != 2 || !strings.Contains(list[0].Cause, "compute_30") {
			t.Errorf("%s: %+v", name, list)
			continue
		}
		if len(list[0].Evidence) > maxEvidence+4 || !strings.Contains(list[0].Evidence, "gpu architecture") {
			t.Errorf("%s: evidence %q", name, list[0].Evidence)
		}
		if name != "long" && name != "GBK" && name != "Shift-JIS" && !strings.HasPrefix(list[0].Evidence, "nvcc fatal") {
			t.Errorf("%s: the prefix is still in the evidence: %q", name, list[0].Evidence)
		}
	}
}

func utf16Text(text string, order binary.AppendByteOrder) string {
	out := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return string(out)
}

// TestFirstCause: a first cause stands before what follows from it, wherever
// that is.
func TestFirstCause(t *testing.T) {
	s := embedded(t)
	for name, c := range map[string]struct {
		text, class string
		line        int
	}{
		"nvcc": {`-- Configuring done
  host_config.h(153): fatal error C1189: #error: -- unsupported Microsoft Visual Studio version!
  error MSB3721: The command "nvcc.exe" exited with code 2.
LINK : fatal error LNK1181: cannot open input file 'openpose.lib'
`, "vs-too-new-for-cuda", 2},
		"download": {`CMake Error at cmake/Download.cmake:10 (file):
  file DOWNLOAD HASH mismatch
    actual hash: [d41d8cd98f00b204e9800998ecf8427e]
         status: [6;"Couldn't resolve host name"]
`, "download-blocked", 4},
		"vague, then sure":           {"-- Could NOT find OpenMP_C (missing: OpenMP_C_FLAGS)\n-- Configuring done\nnvcc fatal   : Unsupported gpu architecture 'compute_30'\n", "cuda-arch-unsupported", 3},
		"denied, then full":          {"cp: cannot create regular file '/usr/share/doc/x': Permission denied\nc++: error: No space left on device\n", "disk-full", 2},
		"module, then TLS":           {"ModuleNotFoundError: No module named 'setuptools_scm'\nfatal: unable to access 'https://example.com/x.git/': server certificate verification failed. CAfile: none CRLfile: none\n", "download-tls-problem", 2},
		"syntax, then out of memory": {"a.cpp(3): error C2059: syntax error: ')'\nc1xx: fatal error C1060: compiler is out of heap space\n", "oom-build", 2},
		"vague alone":                {"CMake Error: Could NOT find Boost (missing: Boost_INCLUDE_DIR)\nmake: *** No targets specified and no makefile found.  Stop.\n", "build-dependency-missing", 1},
		"both sure":                  {"nvcc fatal   : Unsupported gpu architecture 'compute_30'\nc++: fatal error: Killed signal terminated program cc1plus\n", "cuda-arch-unsupported", 1},
		"comparable":                 {"make: gcc: Permission denied\nbash: deviceQuery: command not found\n", "permission-denied", 1},
		"provider":                   {`LoadLibrary failed with error 126 "" when trying to load "C:\x\onnxruntime_providers_cuda.dll"`, "ort-cuda-provider-dependency", 1},
		"memory":                     {"[ 45%] Building CXX object a.cpp.o\ng++: fatal error: Killed signal terminated program cc1plus\nmake[2]: *** No rule to make target 'libx.so', needed by 'y'.  Stop.\n", "oom-build", 2},
	} {
		list := explained(t, s, c.text).Matches
		if len(list) == 0 || list[0].Class != c.class || list[0].Line != c.line {
			t.Errorf("%s: %+v, want %s of line %d", name, list, c.class, c.line)
		}
	}
}

// TestHardWraps: a message that was wrapped by hand is read, where the text fails; one
// of a run that succeeded is not put together from parts.
func TestHardWraps(t *testing.T) {
	s := embedded(t)
	for text, class := range map[string]string{
		"error:\nnvcc fatal   : Unsupported gpu\narchitecture 'compute_30'\n":                                                        "cuda-arch-unsupported",
		"> error: the code execution cannot proceed because\n> opencv_world480.dll was\n> not found.\n":                              "missing-dll",
		"Traceback (most recent call last):\nImportError: libGL.so.1: cannot open sha\nred object file: No such file or directory\n": "so-not-found",
	} {
		if list := explained(t, s, text).Matches; len(list) == 0 || list[0].Class != class || list[0].Line > 2 {
			t.Errorf("%q gives %+v, want %s", text, list, class)
		}
	}
	calm := strings.Repeat("step\n", 20) + "Unsupported gpu\narchitecture\nBuild succeeded\n"
	if list := explained(t, s, calm).Matches; len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestUnknown: a text that no rule knows gives no match and the first line that
// looks like an error.
func TestUnknown(t *testing.T) {
	r := explained(t, embedded(t), "step one\n0 errors so far\nerror: the frobnicator is out of beans\nfatal: giving up\n")
	if r.Kind != KindUnknown || len(r.Matches) != 0 || r.FirstError == nil || r.FirstError.Line != 3 {
		t.Errorf("%+v %+v", r, r.FirstError)
	}
}

// TestLoadMistakes: every mistake of a set is reported.
func TestLoadMistakes(t *testing.T) {
	_, err := Load(fstest.MapFS{
		"classes.yaml": {Data: []byte("one: the one\n")},
		"codes.yaml":   {Data: []byte("- {family: f, title: t, source: s, confidence: 2, codes: [{name: N, class: two, cause: c}]}\n")},
		"a.yaml": {Data: []byte(`
- {id: a.b, class: none, rank: maybe, literals: [UP], pattern: "(", confidence: 0, cause: "{x}", fix: {beos: y}}
- {id: a.b, class: one, rank: cause, literals: [abc], confidence: 1, cause: c, fix: {any: f}, yes: [abc]}
`)},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{`class "none"`, `rank "maybe"`, `literal "UP"`, "pattern: ", "confidence 0", "{x}", `"beos"`, "an example in yes", "used twice", "confidence 2", `class "two"`, "so it needs a fix"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not name %q:\n%v", part, err)
		}
	}
	_, err = Load(fstest.MapFS{
		"classes.yaml": {Data: []byte("one: the one\n")},
		"codes.yaml":   {Data: []byte("[]\n")},
		"a.yaml":       {Data: []byte("- {id: a.b, class: one, rank: cause, literals: [abc], confidence: 1, cause: c, fix: {any: f}, yes: [xyz], no: [abc]}\n")},
	})
	if err == nil || !strings.Contains(err.Error(), "does not match its example") || !strings.Contains(err.Error(), "matches its counterexample") {
		t.Errorf("examples that do not hold: %v", err)
	}
}

// TestReadError: a text that cannot be read gives an error, not an answer.
func TestReadError(t *testing.T) {
	if _, err := embedded(t).Text(io.MultiReader(strings.NewReader("error\n"), failing{}), "linux"); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("error %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken") }

// FuzzText: no text makes the reader fail, and evidence stays short and valid.
func FuzzText(f *testing.F) {
	s := embedded(f)
	f.Add([]byte("\xff\xfeh\x00\x1b[0m\r\n\x1b]x"))
	f.Add([]byte("> > 2026-01-02T03:04:05Z nvcc fatal : Unsupported gpu architecture 'compute_30'"))
	f.Add([]byte("\x1b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := s.Text(bytes.NewReader(data), "windows")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Matches {
			if m.Line < 1 || len(m.Evidence) > maxEvidence+4 || strings.ContainsAny(m.Evidence, "\x00\x1b\n") {
				t.Errorf("%+v", m)
			}
		}
		s.Code(string(data), "windows")
	})
}

// BenchmarkText reads a build log of 100 MB in which an error stands at the end.
func BenchmarkText(b *testing.B) {
	s := embedded(b)
	const line = "[ 45%] Building CXX object modules/dnn/CMakeFiles/opencv_dnn.dir/src/layers/convolution_layer.cpp.o -I/usr/include/error_handling.h\n"
	data := append(bytes.Repeat([]byte(line), 100_000_000/len(line)), "nvcc fatal   : Unsupported gpu architecture 'compute_30'\n"...)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if r, err := s.Text(bytes.NewReader(data), "linux"); err != nil || len(r.Matches) != 1 {
			b.Fatal(r, err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	files, err := recipes.RuleFiles()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Load(files); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSuccess: a log of a run that succeeded gives no match.
func TestSuccess(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/success.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) < 20 {
		t.Errorf("%d logs, want 20 or more", len(archive.Files))
	}
	s := embedded(t)
	for _, f := range archive.Files {
		for _, m := range explained(t, s, string(f.Data)).Matches {
			t.Errorf("%s: %+v", f.Name, m)
		}
	}
}

// TestFailures: texts that are not the rules' own examples give their class first.
// threads.txtar has whole logs, as they are pasted into issues.
func TestFailures(t *testing.T) {
	s := embedded(t)
	for file, least := range map[string]int{"failures.txtar": 25, "threads.txtar": 45, "tenth.txtar": 80, "eleventh.txtar": 35, "twelfth.txtar": 15, "thirteenth.txtar": 55, "fourteenth.txtar": 55} {
		archive, err := txtar.ParseFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if len(archive.Files) < least {
			t.Errorf("%s: %d texts, want %d or more", file, len(archive.Files), least)
		}
		for _, f := range archive.Files {
			classes, _, _ := strings.Cut(f.Name, "/") // several where the thread leaves them open
			list := explained(t, s, string(f.Data)).Matches
			if len(list) == 0 || !slices.Contains(strings.Split(classes, ","), list[0].Class) {
				t.Errorf("%s: %s gives %+v", file, f.Name, list)
			}
		}
	}
}

// pageKnown reports whether a page is a requirement's, a health check's, or a
// recipe's.
func pageKnown(checks []recipes.Check, id string) bool {
	if _, ok := recipes.Page(id); ok || recipes.CheckPage(checks, id) != "" {
		return true
	}
	_, err := recipes.Find(path.Base(id), "")
	return err == nil
}
