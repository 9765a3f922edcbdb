package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// snippet is a piece of shell that a reader is told to use.
type snippet struct{ where, text string }

// documents are the Markdown files of this repository, as slashed paths from its top.
func documents(t *testing.T) []string {
	t.Helper()
	var names []string
	root := filepath.FromSlash("../..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == ".cache") {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 40 {
		t.Fatalf("only %d documents", len(names))
	}
	return names
}

var (
	fence  = regexp.MustCompile("^\\s*```([a-z0-9-]*)")
	inYAML = regexp.MustCompile(`^\s*(?:- )?(?:run|script): (.*deployctl .*)$`)
	inText = regexp.MustCompile("`((?:sudo |\\./)?deployctl(?:\\.exe)? [^`]+)`")
)

// snippets are the code blocks of a document in which deployctl is called, and the
// commands within its sentences. Of a terminal's transcript, the lines after a prompt.
func snippets(t *testing.T, name string) (blocks, sentences []snippet) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var block []string
	language, began := "", 0
	for i, line := range strings.Split(string(text), "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m == nil && began == 0:
			for _, m := range inText.FindAllStringSubmatch(line, -1) {
				sentences = append(sentences, snippet{fmt.Sprintf("%s:%d", filepath.ToSlash(name), i+1), m[1]})
			}
		case m == nil:
			switch language {
			case "console":
				line, _ = strings.CutPrefix(line, "$ ")
				prompt := strings.HasPrefix(line, "# ")
				if prompt {
					line = line[2:]
				}
				if !prompt && !strings.Contains(line, "deployctl explain") {
					continue
				}
			case "yaml":
				m := inYAML.FindStringSubmatch(line)
				if m == nil {
					continue
				}
				line = m[1]
			}
			block = append(block, line)
		case began == 0:
			block, language, began = nil, m[1], i+1
		default:
			if code := strings.Join(block, "\n"); slices.Contains([]string{"", "sh", "bat", "console", "yaml", "powershell"}, language) && strings.Contains(code, "deployctl ") {
				blocks = append(blocks, snippet{fmt.Sprintf("%s:%d", filepath.ToSlash(name), began), code})
			}
			began = 0
		}
	}
	return blocks, sentences
}

// placeholder is a word that a reader replaces by one of their own: FILE, A, NAME=VALUE.
var placeholder = regexp.MustCompile(`^[A-Z][A-Z0-9]*$|…|\$|VALUE|VERSION`)

// checkWords tells what is wrong with arguments of deployctl: the command, its flags, the
// number of its arguments, and values that are not among those that completion offers.
func checkWords(words []string) error {
	root := newRoot(&console.Console{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	cmd, rest, err := root.Find(negativeLast(words))
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if cmd == root {
		root.InitDefaultVersionFlag()
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	args := cmd.Flags().Args()
	named := len(words) == len(strings.Fields(cmd.CommandPath()))-1 // the command itself is spoken of
	if err := cmd.ValidateArgs(args); err != nil && !named {
		return err
	}
	var wrong []error
	offered := func(what string, complete cobra.CompletionFunc, before []string, value string) {
		if complete == nil || placeholder.MatchString(value) {
			return
		}
		list, directive := complete(cmd, before, value)
		if directive&(cobra.ShellCompDirectiveFilterFileExt|cobra.ShellCompDirectiveFilterDirs) != 0 || directive == cobra.ShellCompDirectiveDefault {
			return // any file
		}
		if !slices.ContainsFunc(list, func(v string) bool { name, _, _ := strings.Cut(v, "\t"); return name == value }) {
			wrong = append(wrong, fmt.Errorf("%s: %q is unknown: completion offers %q", what, value, list))
		}
	}
	name := called(cmd)
	flags := flagCompleters()
	cmd.Flags().Visit(func(f *pflag.Flag) {
		complete, ok := flags[name+" --"+f.Name]
		if !ok {
			complete = flags["--"+f.Name]
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if strings.Contains(value, "=") && f.Name == "target" || slices.Contains([]string{".onnx", ".yaml"}, filepath.Ext(value)) {
				continue // any version, any file
			}
			offered("--"+f.Name, complete, nil, value)
		}
	})
	if name == "explain" || name == "run" {
		return errors.Join(wrong...) // any text
	}
	for i, arg := range args {
		if filepath.Ext(arg) == "" {
			offered("argument", argCompleters()[name], args[:i], arg)
		}
	}
	return errors.Join(wrong...)
}

// elsewhere are the commands and flags that this test only checks, and what runs them.
var elsewhere = map[string]string{
	"--fix":    "it changes the machine: .ci/roots, .ci/exports, .ci/offline",
	"verify":   "it runs a whole network: .ci/roots, .ci/engines",
	"bench":    "it measures for minutes: .ci/leaderboard",
	"tune":     "it measures for minutes: .ci/leaderboard",
	"convert":  "it writes files of a whole network: convert.txtar",
	"lock":     "it asks the network: .ci/offline",
	"bundle":   "it asks the network: .ci/offline",
	"models":   "it asks the network: models_test.go",
	"runtimes": "it asks the network: .ci/wheels",
	"snapshot": "it reads for seconds: snapshot.txtar",
	"undo":     "it changes the machine: .ci/roots",
	"run":      "it builds a project: run.txtar",
}

// ends are the exit codes with which a command that did its work may end on any machine.
var ends = map[string][]int{
	"doctor": {0, 3, 4, 5, 6}, "plan": {0, 3, 5}, "diff": {0, 3, 4}, "deps": {0, 3},
}

// reader follows documents: a shell of Go, in which deployctl is the real one, and the
// other programs are those named in program.
type reader struct {
	t        *testing.T
	where    string
	run      bool // else commands are only checked
	seen     int
	ran      map[string]bool // the commands that were run, each once
	readOnly map[string]bool // of elsewhere, those that were met
	terminal io.Writer       // of the shell
}

// program is the shell's handler of commands.
func (r *reader) program(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	name := strings.TrimSuffix(strings.TrimPrefix(args[0], "./"), ".exe")
	switch name {
	case "deployctl":
		return r.deployctl(hc, args[1:])
	case "sudo":
		return r.program(ctx, args[1:])
	case "prove": // of Perl: it runs the command that --exec names with its argument
		return r.program(ctx, append(strings.Fields(args[2]), args[3:]...))
	case "go": // builds deployctl, or runs it at once
		if i := slices.Index(args, "./cmd/deployctl"); i >= 0 && args[1] == "run" {
			return r.deployctl(hc, args[i+1:])
		}
		return nil
	case "make": // a build that fails
		text, err := os.ReadFile(filepath.Join(hc.Dir, "build.log"))
		if err == nil {
			_, err = hc.Stdout.Write(text)
		}
		return err
	case "jq": // what it is given is JSON
		var v any
		err := json.NewDecoder(hc.Stdin).Decode(&v)
		if !r.run {
			err = nil
		}
		return errors.Join(err, drain(hc))
	case "gh": // what it is given is a text
		text, err := io.ReadAll(hc.Stdin)
		if err == nil && r.run && len(text) == 0 {
			err = errors.New("gh was given nothing")
		}
		return err
	case "mv":
		if !r.run {
			return nil
		}
		return os.Rename(filepath.Join(hc.Dir, filepath.Base(args[1])), filepath.Join(hc.Dir, filepath.Base(args[2])))
	case "tar", "bash", "test", "source", "apt-get", "cd": // of the reader's machine
		return nil
	}
	return fmt.Errorf("%s: this test does not know the program %q", r.where, args[0])
}

// drain reads to the end, so that what writes to the pipe is not cut off.
func drain(hc interp.HandlerContext) error {
	if hc.Stdin == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, hc.Stdin)
	return err
}

func (r *reader) deployctl(hc interp.HandlerContext, words []string) error {
	r.seen++
	if err := checkWords(words); err != nil {
		r.t.Errorf("%s: deployctl %s: %v", r.where, strings.Join(words, " "), err)
		return nil
	}
	if len(words) == 0 { // help
		return nil
	}
	line := strings.Join(words, " ")
	for start := range elsewhere {
		if words[0] == start || slices.Contains(words[1:], start) && strings.HasPrefix(start, "--") {
			r.readOnly[start] = true
			return nil
		}
	}
	if !r.run || slices.ContainsFunc(words, placeholder.MatchString) {
		return drain(hc)
	}
	// jq and gh are given what a second run would print.
	if r.ran[line] && hc.Stdout == r.terminal {
		return drain(hc)
	}
	r.ran[line] = true
	cmd := exec.CommandContext(r.t.Context(), "deployctl", words...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = hc.Dir, hc.Stdin, io.MultiWriter(hc.Stdout, &out), &errs
	err := cmd.Run()
	exit := cmd.ProcessState.ExitCode()
	want, ok := ends[words[0]]
	if !ok {
		want = []int{0}
	}
	if !slices.Contains(want, exit) {
		r.t.Errorf("%s: deployctl %s: exit code %d, want one of %v: %v\n%s%s", r.where, line, exit, want, err, &out, &errs)
	}
	return nil
}

// follow runs a snippet in a folder.
func (r *reader) follow(s snippet, dir string) {
	r.where = s.where
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(s.text+"\n"), s.where)
	if err != nil {
		r.t.Errorf("%s: not shell: %v\n%s", s.where, err, s.text)
		return
	}
	shell, err := interp.New(interp.Dir(dir), interp.Env(expand.ListEnviron("HOME="+dir)), interp.StdIO(nil, r.terminal, io.Discard),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return r.program }),
		interp.OpenHandler(func(ctx context.Context, path string, flag int, mode fs.FileMode) (io.ReadWriteCloser, error) {
			if filepath.IsAbs(path) { // /var/lib/node_exporter, say
				path = filepath.Base(path)
			}
			return interp.DefaultOpenHandler()(ctx, path, flag, mode)
		}))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := shell.Run(r.t.Context(), file); err != nil {
		r.t.Errorf("%s: %v\n%s", s.where, err, s.text)
	}
}

// reading is a folder with the files that the documents speak of.
func reading(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/script/explain.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, log, _ := strings.Cut(string(text), "-- build.log --\n")
	log, _, _ = strings.Cut(log, "\n-- ")
	rec, err := hosttest.Recording("-- pe C:\\OpenPoseDemo.exe --\nimport KERNEL32.dll\nimport openpose.dll\n")
	if err != nil {
		t.Fatal(err)
	}
	program, _, err := host.Replay(rec).ReadFile(t.Context(), `C:\OpenPoseDemo.exe`, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := os.ReadFile("testdata/hosts/debian12.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if rec, err = hosttest.Recording(string(machine)); err != nil {
		t.Fatal(err)
	}
	var snapshot bytes.Buffer
	if err := host.WriteSnapshot(&snapshot, rec); err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("../../recipes/library/compat/cuda-gcc.yaml")
	if err != nil {
		t.Fatal(err)
	}
	place(t)
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"build.log": []byte(log), "OpenPoseDemo.exe": program, "onnxruntime.dll": program,
		"snapshot.tgz": snapshot.Bytes(), "build-server.tgz": snapshot.Bytes(), "my-machine.tgz": snapshot.Bytes(), "machine.tgz": snapshot.Bytes(),
		"cuda-gcc.yaml": table, "go.mod": []byte("module example.com/detector\n\ngo 1.26\n\nrequire gocv.io/x/gocv v0.31.0\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestDocuments follows every document, and the examples in help: each call of deployctl
// in a code block is one that deployctl accepts, with values that it knows, and what needs
// no network, changes no machine and takes no minutes runs and ends as it should. Calls
// within sentences are checked, not run. With -short none is run.
func TestDocuments(t *testing.T) {
	commands := visible(t)
	var blocks, sentences []snippet
	for _, name := range documents(t) {
		b, s := snippets(t, name)
		blocks, sentences = append(blocks, b...), append(sentences, s...)
	}
	for _, cmd := range commands {
		for line := range strings.Lines(cmd.Example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "  ") // what it does follows
			blocks = append(blocks, snippet{"help of " + cmd.CommandPath(), line})
		}
	}
	dir := reading(t)
	r := &reader{t: t, run: !testing.Short(), ran: map[string]bool{}, readOnly: map[string]bool{}, terminal: &bytes.Buffer{}}
	for _, s := range blocks {
		r.follow(s, dir)
	}
	t.Logf("%d commands in code blocks and help, %d different ones run", r.seen, len(r.ran))
	if r.seen < 120 || r.run && len(r.ran) < 50 {
		t.Error("that is too few")
	}
	for start := range elsewhere {
		if !r.readOnly[start] {
			t.Errorf("elsewhere has %q, which no document tells anybody to run", start)
		}
	}
	seen := r.seen
	r.run = false
	for _, s := range sentences {
		r.where = s.where
		if err := r.deployctl(interp.HandlerContext{}, sentence(s.text)); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d commands in sentences", r.seen-seen)
	if r.seen-seen < 80 {
		t.Error("that is too few")
	}
}

// sentence gives the arguments of a call within a sentence. Of alternatives (a|b) the
// first counts; what is left out ([…], …) does not.
func sentence(call string) []string {
	var words []string
	for _, w := range strings.Fields(strings.TrimPrefix(strings.TrimPrefix(call, "sudo "), "./"))[1:] {
		w, _, _ = strings.Cut(strings.Trim(w, `"'`), "|")
		if !strings.ContainsAny(w, "[(…") {
			words = append(words, w)
		}
	}
	return words
}
