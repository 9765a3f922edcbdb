package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"deployctl": func() { os.Exit(run(os.Args[1:], console.System())) },
	})
}

// TestScripts runs the real main over constructed machines. Beside testscript's
// own commands there are
//
//	snapshot HOST OUT          a snapshot of a machine in testdata/hosts or doctor/testdata/hosts
//	                           (of several parts: a+b)
//	exits CODE COMMAND ARG…    the command ends with exactly that code
//	isjson FILE                the file is one JSON document and nothing else
//	valid NAME FILE            the file is valid against docs/schema/NAME.schema.json
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			home := e.WorkDir + "/home"
			e.Setenv("HOME", home)
			e.Setenv("XDG_CACHE_HOME", home+"/.cache")
			e.Setenv("XDG_CONFIG_HOME", home+"/.config")
			e.Setenv("LOCALAPPDATA", home+"/.cache") // Windows' of both
			e.Setenv("APPDATA", home+"/.config")
			e.Setenv("NO_COLOR", "1")
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"snapshot": snapshotCmd,
			"exits":    exitsCmd,
			"isjson":   isJSONCmd,
			"valid":    validCmd,
		},
	})
}

func snapshotCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: snapshot HOST[+PART…] OUT")
	}
	var text strings.Builder
	for name := range strings.SplitSeq(args[0], "+") {
		// Beside this package's machines, those of the whole doctor.
		data, err := os.ReadFile("testdata/hosts/" + name + ".txtar")
		if errors.Is(err, fs.ErrNotExist) {
			data, err = os.ReadFile("../../doctor/testdata/hosts/" + name + ".txtar")
		}
		ts.Check(err)
		text.Write(data)
		text.WriteString("\n")
	}
	rec, err := hosttest.Recording(text.String())
	ts.Check(err)
	var buf bytes.Buffer
	ts.Check(host.WriteSnapshot(&buf, rec))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), buf.Bytes(), 0o600))
}

func exitsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if want := args[0]; want != strconv.Itoa(got) {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

func isJSONCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: isjson FILE")
	}
	var v any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(d.Decode(&v))
	if d.More() {
		ts.Fatalf("%s holds more than one JSON document", args[0])
	}
}

func validCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: valid NAME FILE")
	}
	schema, err := jsonschema.NewCompiler().Compile("../../docs/schema/" + args[0] + ".schema.json")
	ts.Check(err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Check(schema.Validate(value))
}

// TestExitCodes pins the contract with scripts.
func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct{ got, want int }{
		"ok":      {judge.ExitOK, 0},
		"error":   {judge.ExitError, 1},
		"usage":   {judge.ExitUsage, 2},
		"fail":    {judge.ExitFail, 3},
		"strict":  {judge.ExitStrict, 4},
		"unknown": {judge.ExitUnknown, 5},
		"pending": {judge.ExitPending, 6},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, want %d", name, c.got, c.want)
		}
	}
}
