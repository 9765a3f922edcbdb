package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
)

// goAbort is what a Go program writes when C++ code inside cgo aborts.
const goAbort = `terminate called after throwing an instance of 'cv::Exception'
  what():  OpenCV(4.6.0) ./modules/dnn/src/darknet/darknet_importer.cpp:207: error: (-212:Parsing error) Failed to parse NetParameter file: /x/net.cfg in function 'readNetFromDarknet'

SIGABRT: abort
PC=0x7f2b3c8a9e2c m=0 sigcode=18446744073709551610
signal arrived during cgo execution
`

func TestTranslate(t *testing.T) {
	old := []string{"sse2", "sse42", "avx"}
	newest := []string{"sse42", "avx", "avx2", "fma3", "avx512f"}
	for _, c := range []struct {
		name   string
		out    host.Output
		err    error
		cpu    []string
		cause  Cause
		words  string // in the sentence
		absent string
	}{
		{"hang", host.Output{Exit: -1, Signal: "killed"}, fmt.Errorf("worker was stopped: %w", context.DeadlineExceeded), nil, Hang, "no answer within 1m0s", ""},
		{"gone", host.Output{}, &fs.PathError{Op: "fork/exec", Path: "/x/worker", Err: syscall.ENOENT}, nil, Start, "could not be started", ""},
		{"noexec", host.Output{}, &fs.PathError{Op: "fork/exec", Path: "/x/worker", Err: syscall.EACCES}, nil, Start, "noexec", ""},
		{"other machine's program", host.Output{}, &fs.PathError{Op: "fork/exec", Path: "/x/worker", Err: syscall.ENOEXEC}, nil, Start, "could not be started", ""},
		{"SIGILL, old CPU", host.Output{Exit: -1, Signal: "illegal instruction"}, nil, old, Instruction, "built for AVX2, which is missing here (so are: AVX2, FMA, AVX-512)", ""},
		{"SIGILL in cgo", host.Output{Exit: 2, Stderr: []byte("SIGILL: illegal instruction\nPC=0x7f m=0 sigcode=2\n")}, nil, []string{"sse4_2"}, Instruction, "built for AVX,", ""},
		{"SIGILL, new CPU", host.Output{Exit: 132}, nil, newest, Instruction, "newer one", "missing"},
		{"SIGILL, ARM", host.Output{Exit: -1, Signal: "illegal instruction"}, nil, []string{"asimd", "fphp"}, Instruction, "dot product", "AVX"},
		{"SIGILL, unknown CPU", host.Output{Exit: -1, Signal: "illegal instruction"}, nil, nil, Instruction, "does not have", "AVX"},
		{"Windows illegal instruction", host.Output{Exit: 0xC000001D}, nil, old, Instruction, "AVX2", ""},
		{"out of memory", host.Output{Exit: -1, Signal: "killed"}, nil, nil, Killed, "the memory ran out", ""},
		{"out of memory, shell's number", host.Output{Exit: 137}, nil, nil, Killed, "memory", ""},
		{"bad_alloc", host.Output{Exit: 2, Stderr: []byte("terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\nSIGABRT: abort\n")}, nil, nil, Memory, "ran out of memory", ""},
		{"OpenCV out of memory", host.Output{Exit: -1, Signal: "aborted", Stderr: []byte("terminate called after throwing an instance of 'cv::Exception'\n  what():  OpenCV(4.6.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 830472192 bytes in function 'OutOfMemoryError'\n\n")}, nil, nil, Memory, "memory", ""},
		{"address space, loader", host.Output{Exit: 127, Stderr: []byte("/x/worker: error while loading shared libraries: libx265.so.199: failed to map segment from shared object\n")}, nil, nil, Memory, "ran out of memory", "refuses"},
		{"address space, Go", host.Output{Exit: 2, Stderr: []byte("fatal error: failed to reserve page summary memory\n\nruntime stack:\n")}, nil, nil, Memory, "ran out of memory", "page summary"},
		{"address space, fork", host.Output{}, &fs.PathError{Op: "fork/exec", Path: "/x/worker", Err: syscall.ENOMEM}, nil, Memory, "ran out of memory", "could not be run"},
		{"descriptors, loader", host.Output{Exit: 127, Stderr: []byte("/x/worker: error while loading shared libraries: libx.so.1: cannot open shared object file: Error 24\n")}, nil, nil, Descriptors, "too few file descriptors", "where the loader looks"},
		{"descriptors, pipe", host.Output{}, fmt.Errorf("start /x/worker: %w", os.NewSyscallError("pipe2", syscall.EMFILE)), nil, Descriptors, "too few file descriptors", "could not be run"},
		{"abort in cgo", host.Output{Exit: 2, Stderr: []byte("tbb: assertion failed in arena.cpp\nSIGABRT: abort\nPC=0x7f m=0 sigcode=0\n\ngoroutine 1 [syscall]:\nrip    0x7f\ngs     0x0\n")}, nil, nil, Abort, "abort() (tbb: assertion failed in arena.cpp)", "gs "},
		{"silent abort in cgo", host.Output{Exit: 2, Stderr: []byte("SIGABRT: abort\nPC=0x7f m=0 sigcode=0\n\ngoroutine 1 [syscall]:\ngs     0x0\n")}, nil, nil, Abort, "called abort();", "gs "},
		{"crash", host.Output{Exit: -1, Signal: "segmentation fault"}, nil, nil, Segfault, "invalid memory access", ""},
		{"crash in cgo", host.Output{Exit: 2, Stderr: []byte("fatal error: unexpected signal during runtime execution\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0]\n")}, nil, nil, Segfault, "crashed", ""},
		{"Windows crash", host.Output{Exit: 0xC0000005}, nil, nil, Segfault, "crashed", ""},
		{"Windows crash, signed", host.Output{Exit: -1073741819}, nil, nil, Segfault, "crashed", ""},
		{"no library", host.Output{Exit: 127, Stderr: []byte("/x/worker: error while loading shared libraries: libopencv_dnn.so.406: cannot open shared object file: No such file or directory\n")}, nil, nil, Library, "libopencv_dnn.so.406", ""},
		{"no library, musl", host.Output{Exit: 127, Stderr: []byte("Error loading shared library libopencv_dnn.so.406: No such file or directory (needed by /x/worker)\n")}, nil, nil, Library, "libopencv_dnn.so.406", ""},
		{"no library, macOS", host.Output{Exit: -1, Signal: "abort trap", Stderr: []byte("dyld[1]: Library not loaded: /opt/homebrew/opt/opencv/lib/libopencv_dnn.411.dylib\n  Referenced from: x\n")}, nil, nil, Library, "libopencv_dnn.411.dylib", ""},
		{"wrong class of library", host.Output{Exit: 127, Stderr: []byte("/x/worker: error while loading shared libraries: libopencv_core.so.406: wrong ELF class: ELFCLASS32\n")}, nil, nil, Symbol, "ELFCLASS32", ""},
		{"old libstdc++", host.Output{Exit: 1, Stderr: []byte("/x/worker: /opt/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /usr/lib/libopencv_core.so.406)\n")}, nil, nil, Symbol, "libstdc++.so.6 is too old: it lacks GLIBCXX_3.4.30", ""},
		{"no symbol", host.Output{Exit: 127, Stderr: []byte("/x/worker: symbol lookup error: /x/worker: undefined symbol: _ZN2cv3dnn3Net7forwardE\n")}, nil, nil, Symbol, "_ZN2cv3dnn3Net7forwardE", ""},
		{"no DLL", host.Output{Exit: 0xC0000135}, nil, nil, Library, "0xC0000135", ""},
		{"no entry point", host.Output{Exit: 0xC0000139}, nil, nil, Symbol, "0xC0000139", ""},
		{"32-bit DLL", host.Output{Exit: 0xC000007B}, nil, nil, Symbol, "32 and 64", ""},
		{"DLL failed", host.Output{Exit: 0xC0000142}, nil, nil, Library, "0xC0000142", ""},
		{"cv::Exception through Go", host.Output{Exit: 2, Stderr: []byte(goAbort)}, nil, nil, Exception, "Failed to parse NetParameter file: /x/net.cfg", "SIGABRT"},
		{"OpenCV 5", host.Output{Exit: -1, Signal: "aborted", Stderr: []byte("terminate called after throwing an instance of 'cv::Exception'\n  what():  OpenCV(5.0.0) dnn_read.cpp:94: error: (-213:The function/feature is not implemented) Darknet importer has been removed in function 'readNet'\n")}, nil, nil, Exception, "so says the library: OpenCV(5.0.0)", ""},
		{"libc++", host.Output{Exit: -1, Signal: "abort trap", Stderr: []byte("libc++abi: terminating due to uncaught exception of type cv::Exception: OpenCV(4.11.0) x.cpp:1: error: (-215:Assertion failed) total > 0\n")}, nil, nil, Exception, "Assertion failed", ""},
		{"exception without text", host.Output{Exit: -1, Signal: "aborted", Stderr: []byte("terminate called after throwing an instance of 'int'\n")}, nil, nil, Exception, "uncaught int", ""},
		{"abort", host.Output{Exit: -1, Signal: "aborted", Stderr: []byte("free(): invalid pointer\n")}, nil, nil, Abort, "free(): invalid pointer", ""},
		{"Go panic", host.Output{Exit: 2, Stderr: []byte("panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\n")}, nil, nil, Exit, "index out of range", "goroutine"},
		{"another signal", host.Output{Exit: -1, Signal: "terminated"}, nil, nil, Exit, "terminated", ""},
		{"a status", host.Output{Exit: 3, Stderr: []byte("something odd\n\n")}, nil, nil, Exit, "status 3 (something odd)", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Translate(Worker{Engine: "gocv", Runs: Runs{Component: "opencv", Display: "OpenCV", Remedy: func(what string) string {
				if strings.Contains(what, "importer has been removed") {
					return "so says the library: " + what
				}
				return ""
			}}}, c.out, c.err, time.Minute, c.cpu)
			text := d.Error()
			if d.Cause != c.cause {
				t.Errorf("cause is %q, want %q: %s", d.Cause, c.cause, text)
			}
			if !strings.Contains(text, c.words) || !strings.HasPrefix(text, "gocv: ") {
				t.Errorf("no %q in: %s", c.words, text)
			}
			if c.absent != "" && strings.Contains(text, c.absent) {
				t.Errorf("%q in: %s", c.absent, text)
			}
			if strings.Contains(text, "\n") || d.Fix == "" {
				t.Errorf("not one sentence with a next action: %q", text)
			}
		})
	}
}

// TestNoLibraryIsAssumed: what is said of one engine's library is not said of
// another's.
func TestNoLibraryIsAssumed(t *testing.T) {
	for _, c := range []struct {
		library Runs
		want    string
	}{{Runs{Component: "onnxruntime", Display: "ONNX Runtime"}, "folder of ONNX Runtime's DLLs to PATH; deployctl shadow onnxruntime shows"}, {Runs{}, "folder of the library's DLLs to PATH; deployctl doctor"}} {
		for _, exit := range []int{0xC0000135, 0xC0000139, 0xC000007B, 0xC0000142, 0xC0000005} {
			d := Translate(Worker{Engine: "e", Runs: c.library}, host.Output{Exit: exit}, nil, time.Second, nil)
			if text := d.Error(); strings.Contains(strings.ToLower(text), "opencv") || exit == 0xC0000135 && !strings.Contains(text, c.want) {
				t.Errorf("%x: %s", exit, text)
			}
		}
		d := Translate(Worker{Engine: "e", Runs: c.library}, host.Output{Exit: 134, Stderr: []byte("terminate called after throwing an instance of 'x::E'\n  what():  Darknet importer has been removed\n")}, nil, time.Second, nil)
		if strings.Contains(d.Fix, "OpenCV") {
			t.Error(d.Fix)
		}
	}
}

func TestAddressSpaceIsNamed(t *testing.T) {
	d := &Death{Engine: "x"}
	d.outOfMemory("", 2_000_000_000)
	if !strings.Contains(d.Why, "limited to 2.0 GB here (ulimit -v)") || !strings.Contains(d.Fix, "ulimit -v unlimited") {
		t.Error(d)
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add([]byte(goAbort), 2, "")
	f.Add([]byte("error while loading shared libraries: x: y"), 127, "aborted")
	f.Add([]byte("terminate called after throwing an instance of ''\n what(): \xff"), -1, "killed")
	f.Fuzz(func(t *testing.T, log []byte, exit int, signal string) {
		d := Translate(Worker{Engine: "e"}, host.Output{Stderr: log, Exit: exit, Signal: signal}, nil, time.Second, []string{"avx"})
		if d.Why == "" || d.Cause == "" {
			t.Fatal("nothing said")
		}
		if len(d.Log) > maxLog {
			t.Fatal("log not limited")
		}
	})
}

// process answers with a canned output, or does what act says.
type process struct {
	answer []byte // what it writes to the answer's file, nil for nothing
	out    host.Output
	err    error
	act    func(ctx context.Context, cmd host.Command) (host.Output, error)
	got    host.Command
}

func (p *process) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	p.got = cmd
	if p.act != nil {
		return p.act(ctx, cmd)
	}
	if p.answer != nil {
		var j Job
		if err := json.Unmarshal(cmd.Stdin, &j); err != nil {
			return host.Output{}, err
		}
		if err := os.WriteFile(j.AnswerFile, p.answer, 0o600); err != nil {
			return host.Output{}, err
		}
	}
	return p.out, p.err
}

// job wants one head of two inputs; good is a right answer to it.
func job(t *testing.T) (Job, Answer) {
	dir := t.TempDir()
	head := func(input int, name string) Tensor {
		return Tensor{Kind: "head", Layer: 81, Shape: []int{1, 2, 1, 1}, File: filepath.Join(dir, name), Input: input}
	}
	return Job{Inputs: []string{"a", "b"}, Heads: []int{81}, OutDir: dir, Warmup: 1, Runs: 1, Threads: 3},
		Answer{Schema: Schema, RunSeconds: []float64{1, 1}, Outputs: []Tensor{head(0, "o")}, Others: []Tensor{head(1, "p")}, Repeat: []Tensor{head(0, "q")},
			Last: []Tensor{head(0, "r")}, RunDiff: []float64{0, 0, 0}}
}

func TestExecute(t *testing.T) {
	j, a := job(t)
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	// OpenCV's OpenCL backend prints kernel build logs to standard output.
	p := &process{answer: raw, out: host.Output{Stdout: []byte("OpenCL program build log: dnn/conv_layer_spatial\n{\"schema\":9}\n"), Stderr: []byte("[ WARN:0] switching to CPU\n")}}
	seen := ""
	w := Worker{Engine: "x", Argv: []string{"/w"}, Env: []string{"A=1"}, ThreadsEnv: []string{"N"}, Inspect: func(a *Answer) { seen = a.Log }}
	got, err := Execute(t.Context(), p, w, j, time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.Log, "build log") || !strings.Contains(got.Log, "switching to CPU") || seen != got.Log {
		t.Errorf("what was printed is not in the answer's log: %q, inspected %q", got.Log, seen)
	}
	if strings.Join(p.got.Env, " ") != "A=1 N=3" || p.got.Dir != j.OutDir {
		t.Errorf("environment %v, folder %s", p.got.Env, p.got.Dir)
	}
	var sent Job
	if err := json.Unmarshal(p.got.Stdin, &sent); err != nil || sent.Schema != Schema || sent.Heads[0] != 81 {
		t.Errorf("job on standard input: %+v, %v", sent, err)
	}
}

func TestExecuteRefusesAnswers(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(a *Answer)
		raw   func(good []byte) []byte
		words string
	}{
		{"nothing", nil, func([]byte) []byte { return nil }, "without an answer"},
		{"an empty file", nil, func([]byte) []byte { return []byte(" \n") }, "is empty"},
		{"text", nil, func([]byte) []byte { return []byte("Segmentation fault") }, "not JSON"},
		{"half", nil, func([]byte) []byte { return []byte(`{"schema":2,"run_s":[`) }, "not JSON"},
		{"more", nil, func(good []byte) []byte { return append(good, `{"schema":2}`...) }, "not JSON"},
		{"endless", nil, func([]byte) []byte { return make([]byte, maxAnswer+1) }, "longer"},
		{"another schema", func(a *Answer) { a.Schema = 9 }, nil, "schema 9"},
		{"its own error", func(a *Answer) { a.Error = "no such\nlayer" }, nil, "no such layer"},
		{"too few runs", func(a *Answer) { a.RunSeconds = a.RunSeconds[:1] }, nil, "timed 1 runs"},
		{"negative time", func(a *Answer) { a.RunSeconds[1] = -1 }, nil, "-1 s"},
		{"no heads", func(a *Answer) { a.Outputs = nil }, nil, "0 raw heads"},
		{"no repeat", func(a *Answer) { a.Repeat = nil }, nil, `"repeat"`},
		{"no last run", func(a *Answer) { a.Last = nil }, nil, `"last"`},
		{"no comparison of the runs", func(a *Answer) { a.RunDiff = nil }, nil, "compared 0 runs"},
		{"boxes of other runs", func(a *Answer) { a.RunRows = []int{0} }, nil, "compared the boxes of 1 runs"},
		{"no others", func(a *Answer) { a.Others = nil }, nil, `"others"`},
		{"a file elsewhere", func(a *Answer) { a.Outputs[0].File = "/etc/passwd" }, nil, "outside"},
		{"a file above", func(a *Answer) {
			a.Outputs[0].File = filepath.Dir(a.Outputs[0].File) + "/../x"
		}, nil, "outside"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, a := job(t)
			if c.spoil != nil {
				c.spoil(&a)
			}
			raw, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			if c.raw != nil {
				raw = c.raw(raw)
			}
			_, err = Execute(t.Context(), &process{answer: raw}, Worker{Engine: "x", Argv: []string{"/w"}}, j, time.Minute, nil)
			var e *AnswerError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error is %v, want %q", err, c.words)
			}
		})
	}
}

func TestExecuteWithoutInputsOnlyLoads(t *testing.T) {
	p := &process{answer: []byte(`{"schema":2,"versions":{"opencv":"4.6.0"}}`)}
	a, err := Execute(t.Context(), p, Worker{Engine: "x", Argv: []string{"/w"}}, Job{OutDir: t.TempDir()}, time.Minute, nil)
	if err != nil || a.Versions["opencv"] != "4.6.0" {
		t.Fatalf("%+v, %v", a, err)
	}
}

func TestExecuteStops(t *testing.T) {
	j, _ := job(t)
	block := func(ctx context.Context, _ host.Command) (host.Output, error) {
		<-ctx.Done()
		return host.Output{Exit: -1, Signal: "killed"}, fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	var d *Death
	_, err := Execute(t.Context(), &process{act: block}, Worker{Engine: "x", Argv: []string{"/w"}}, j, time.Millisecond, nil)
	if !errors.As(err, &d) || d.Cause != Hang {
		t.Errorf("a hang is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Execute(ctx, &process{act: block}, Worker{Engine: "x", Argv: []string{"/w"}}, j, time.Minute, nil)
	if errors.As(err, &d) && d == nil || !errors.Is(err, context.Canceled) {
		t.Errorf("the caller's cancel is %v", err)
	}
}

// TestRealDeaths lets real children die. The child is this test program.
func TestRealDeaths(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for how, want := range map[string]Cause{"segv": Segfault, "kill": Killed, "hang": Hang, "panic": Exit, "exit": Exit} {
		t.Run(how, func(t *testing.T) {
			if how != "hang" && how != "panic" && how != "exit" && os.PathSeparator == '\\' {
				t.Skip("Windows has no signals; its status codes are in TestTranslate")
			}
			limit := time.Minute
			if how == "hang" {
				limit = 300 * time.Millisecond
			}
			j, _ := job(t)
			w := Worker{Engine: "x", Argv: []string{self, "-test.run=^TestChild$"}, Env: []string{"DEPLOYCTL_TEST_DIE=" + how}}
			_, err := Execute(t.Context(), host.Live(), w, j, limit, nil)
			var d *Death
			if !errors.As(err, &d) || d.Cause != want {
				t.Fatalf("%v, want %q", err, want)
			}
		})
	}
}

func TestChild(t *testing.T) {
	switch how := os.Getenv("DEPLOYCTL_TEST_DIE"); how {
	case "":
		t.Skip("this is the child of TestRealDeaths")
	case "hang":
		select {}
	case "panic":
		panic("on purpose")
	case "exit":
		os.Exit(7)
	default:
		die(how)
	}
}

func TestTensor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t")
	data := []float32{1, -2.5, float32(math.Inf(1)), 0}
	if err := os.WriteFile(file, AppendFloats(nil, data), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Tensor{Shape: []int{1, 2, 2}, File: file}.Load()
	if err != nil || len(got) != 4 || got[1] != -2.5 || !math.IsInf(float64(got[2]), 1) {
		t.Fatalf("%v, %v", got, err)
	}
	for _, shape := range [][]int{{5}, {3}, {}, {0}, {-1}, {1 << 40, 1 << 40}, nil} {
		if _, err := (Tensor{Shape: shape, File: file}).Load(); !errors.Is(err, ErrAnswer) {
			t.Errorf("shape %v: %v", shape, err)
		}
	}
	if _, err := (Tensor{Shape: []int{1}, File: file + "x"}).Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestUnavailable(t *testing.T) {
	u := &Unavailable{Engine: "gocv", Why: "g++ is missing", Fix: "install it", Log: "/x.log", Err: fs.ErrNotExist}
	if got := u.Error(); got != "gocv is not available: g++ is missing; install it (full output: /x.log)" || !errors.Is(u, fs.ErrNotExist) {
		t.Errorf("%s", got)
	}
}
