package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// completions are the words that a shell would offer, and the last line.
func completions(t *testing.T, args ...string) (words []string, directive string) {
	t.Helper()
	var out, errs bytes.Buffer
	if exit := run(append([]string{cobra.ShellCompRequestCmd}, args...), &console.Console{Out: &out, Err: &errs}); exit != 0 {
		t.Fatalf("%q ends with %d: %s", args, exit, &errs)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		words = append(words, word)
	}
	return words, lines[len(lines)-1]
}

// place makes a folder for one test the current one, and the user's folders empty ones.
// It returns the folder of the user's recipes.
func place(t *testing.T, names ...string) string {
	t.Helper()
	dir, home := t.TempDir(), t.TempDir()
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "DEPLOYCTL_STATE", "AppData", "LocalAppData"} {
		t.Setenv(name, home)
	}
	recipes := own()
	if err := os.MkdirAll(filepath.Join(recipes, "tables"), 0o700); err != nil {
		t.Fatal(err)
	}
	return recipes
}

// TestComplete asks in each context for words that must be offered, and for one that
// must not; a wanted word that begins with ":" is the directive of files.
func TestComplete(t *testing.T) {
	folder := place(t, "machine.tgz", "notes.txt", "mine.yaml", "net.onnx", "logs/build.log", "facts.json")
	for name, text := range map[string]string{
		"own.yaml":          "schema: 1\nname: own\ntitle: My own\nrequirements: []\n",
		"broken.yaml":       "title: [\x00\x1b",
		"twice.yaml":        "title: One\n",
		"twice.yml":         "title: Two\n",
		"bad\x1bname.yaml":  "title: Bad\n",
		"tables/cuda.yaml":  "rows: [",
		"tables/own-t.yaml": "",
	} {
		if runtime.GOOS == "windows" && strings.ContainsRune(name, 0x1b) {
			continue // no file can have that name there
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	journal := `{"schema":1,"run":"20260102T030405.000-7","seq":1,"time":"2026-01-02T03:04:05Z","event":"done","step":{"id":"a","title":"Install g++"}}`
	if err := os.WriteFile(filepath.Join(os.Getenv("HOME"), "journal.jsonl"), []byte(journal+"\n{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	ofDefault, err := recipes.Find(recipes.DefaultOn(runtime.GOOS), "")
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, os.Getenv("HOME"), ".")
	for _, c := range []struct{ args, want, not string }{
		{"doc", "doctor", "plan"},
		{"comp", "completion", ""},
		{"doctor --rec", "--recipe --recipe-sha256", "--format"},
		{"doctor --recipe op", "opencv-yolov3 openpose-windows", "onnxruntime"},
		{"doctor --recipe o", "own opencv-cuda", "mine.yaml"},
		{"doctor --recipe mi", "mine.yaml", "machine.tgz"},
		{"doctor --recipe b", "broken", ""},
		{"doctor --recipe=opencv-c", "opencv-cuda", ""},
		{"doctor --recipe openpose-windows --set ", "gpu= portable=", ""},
		{"doctor --recipe openpose-windows --set gpu=", "gpu=cuda", ""},
		{"doctor --recipe opencv-yolov3 --only opencv.version,", "opencv.version,pkg-config.present", "opencv.version,opencv.version"},
		{"doctor --only ", ofDefault.Requirements[0].ID, ""},
		{"plan --recipe opencv-cuda --skip cuda.", "cuda.driver", ""},
		{"lock --recipe opencv-yolov3 --downgrade cxx", "cxx.compiler", ""},
		{"doctor --recipe broken --only ", "", "opencv.version"},
		{"facts --only cpu,open", "cpu,opencv", "cpu,cpu"},
		{"doctor --format ", "text json junit sarif github", "itself"},
		{"bench --format ", "text markdown csv json", ""},
		{"plan --format ", "dockerfile ansible", "or"},
		{"bundle list --format ", "text json", "its"},
		{"verify --engine ", "all reference gocv onnxruntime", ""},
		{"bench --engine gocv,", "gocv,onnxruntime", "gocv,gocv reference"},
		{"convert --engine ", "gocv", "all"},
		{"verify --model ", "yolov4-tiny net.onnx", "machine.tgz"},
		{"bench --model yolov3,", "yolov3,yolov4", "yolov3,yolov3"},
		{"lock --model ", "yolov3", ""},
		{"verify --target ", "cpu opencl", ""},
		{"plan --target cu", "cuda= cudnn=", ""},
		{"plan --target cuda=12", "cuda=12.4", "cuda=11.8"},
		{"plan --for deb", "debian:12", "ubuntu:24.04"},
		{"convert --to ", "onnx torchscript", ""},
		{"verify --level ", "1 2 3", "0"},
		{"doctor --level ", "0 1 2 3", ""},
		{"report --template o", "opencv openpose", "gocv"},
		{"undo --run ", "20260102T030405.000-7", ""},
		{"shadow opencv ", "cuda", "opencv"},
		{"explain opencv.", "opencv.version opencv.gocv-place", "opencv-yolov3"},
		{"explain logs/", "logs/build.log", ""},
		{"explain openpose-", "openpose-linux", ""},
		{"explain --from ", "here machine.tgz notes.txt", "mine.yaml"},
		{"diff h", "here", ""},
		{"diff here ", "machine.tgz facts.json", "mine.yaml"},
		{"diff here there ", "", "here"},
		{"recipe show op", "openpose-linux", ""},
		{"recipe ", "list show new lint schema", ""},
		{"table show cuda-", "cuda-driver cuda-gcc", "opencv-cuda"},
		{"models pull ", "yolov3-tiny", ""},
		{"models verify yolov3 ", "yolov4", "yolov3"},
		{"runtimes pull ", "onnxruntime", ""},
		{"completion ", "bash zsh fish powershell", ""},
		{"doctor --from ", "tgz txt :8", ""},
		{"doctor --locked ", "json :8", ""},
		{"bundle import ", "tar :8", ""},
		{"verify --cfg ", "cfg :8", ""},
		{"recipe lint ", "yaml yml :8", ""},
		{"convert --output ", ":16", ""},
		{"verify --size ", ":4", ""},
		{"run -- ", ":0", ""},
	} {
		var args []string
		args = append(args, strings.Split(c.args, " ")...)
		words, directive := completions(t, args...)
		for want := range strings.FieldsSeq(c.want) {
			if !slices.Contains(append(words, directive), want) {
				t.Errorf("%q: %q is missing from %q %s", c.args, want, words, directive)
			}
		}
		for not := range strings.FieldsSeq(c.not) {
			if slices.Contains(words, not) {
				t.Errorf("%q: %q is offered", c.args, not)
			}
		}
		for _, word := range words {
			if strings.ContainsAny(word, "\x1b\x00") {
				t.Errorf("%q: %q has a control character", c.args, word)
			}
		}
	}
	if after := tree(t, os.Getenv("HOME"), "."); !slices.Equal(before, after) {
		t.Errorf("completion wrote: before %q, after %q", before, after)
	}
}

// tree lists all files of folders.
func tree(t *testing.T, folders ...string) (names []string) {
	t.Helper()
	for _, folder := range folders {
		if err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			names = append(names, path)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// freeText are flags and arguments for which there is nothing to offer.
var freeText = []string{
	"--recipe-sha256", "--command", "--size", "--threads", "--runs", "--rounds", "--limit",
	"recipe new NAME",
}

// TestCompletersAreAll: every flag with a value and every argument has a completer or is
// free text, and no completer is for something that does not exist.
func TestCompletersAreAll(t *testing.T) {
	flags, args := flagCompleters(), argCompleters()
	used := map[string]bool{}
	argument := regexp.MustCompile(`[A-Z]+`)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		name := called(cmd)
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" {
				return
			}
			for _, key := range []string{name + " --" + f.Name, "--" + f.Name} {
				if flags[key] != nil || slices.Contains(freeText, key) {
					used[key] = true
					return
				}
			}
			t.Errorf("%s --%s has neither a completer nor an entry in freeText", name, f.Name)
		})
		words := argument.FindString(strings.TrimPrefix(flagless(cmd.Use), cmd.Name()))
		switch {
		case args[name] != nil:
			used["args "+name] = true
			if words == "" && name != "runtimes pull" {
				t.Errorf("%s has a completer of arguments and no argument in %q", name, cmd.Use)
			}
		case words != "":
			key := name + " " + words
			if used[key] = true; !slices.Contains(freeText, key) {
				t.Errorf("%s: its argument has neither a completer nor an entry in freeText (%s)", name, key)
			}
		}
		for _, sub := range cmd.Commands() {
			if !sub.Hidden {
				walk(sub)
			}
		}
	}
	walk(newRoot(&console.Console{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}))
	for _, key := range freeText {
		if !used[key] {
			t.Errorf("freeText has %s, which is not a flag or argument of deployctl, or has a completer", key)
		}
	}
	for key := range flags {
		if !used[key] {
			t.Errorf("the completer of %s is never used", key)
		}
	}
	for key := range args {
		if !used["args "+key] {
			t.Errorf("the completer of the arguments of %s is never used", key)
		}
	}
}

// flagless is a usage line without the flags in it.
func flagless(use string) string {
	return regexp.MustCompile(`--[a-z-]+ [A-Z]+`).ReplaceAllString(use, "")
}

// TestFormats: completion offers for --format what the help names, in each language,
// and every one is accepted by --json's test and described where a format has a page.
func TestFormats(t *testing.T) {
	t.Cleanup(func() { _ = lang.Set(lang.English) })
	for _, language := range lang.All() {
		if err := lang.Set(language); err != nil {
			t.Fatal(err)
		}
		n := 0
		var walk func(cmd *cobra.Command)
		walk = func(cmd *cobra.Command) {
			if format := cmd.Flags().Lookup("format"); format != nil {
				n++
				list := formatNames(cmd)
				document := len(list) == 1 && strings.HasPrefix(list[0], "json\t") // facts has no other form
				if !document && (len(list) < 2 || !strings.HasPrefix(list[0], "text\t")) || cmd.Flags().Lookup("json") == nil {
					t.Errorf("%s: formats %q", cmd.CommandPath(), list)
				}
				for _, name := range list {
					name, _, _ = strings.Cut(name, "\t")
					if !strings.Contains(format.Usage, name) {
						t.Errorf("%s: help lacks the format %s: %s", cmd.CommandPath(), name, format.Usage)
					}
				}
			}
			for _, sub := range cmd.Commands() {
				walk(sub)
			}
		}
		walk(newRoot(&console.Console{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}))
		if n < 11 {
			t.Errorf("%s: only %d commands have a --format", language, n)
		}
	}
}

// TestPowerShell reads the script for PowerShell, which is not run here: it registers
// itself for deployctl, asks the hidden command that the other shells ask, and is whole.
func TestPowerShell(t *testing.T) {
	exit, script, text := said(&console.Console{}, "completion", "powershell")
	if exit != 0 || text != "" {
		t.Fatalf("exit code %d: %s", exit, text)
	}
	for _, want := range []string{"Register-ArgumentCompleter -CommandName 'deployctl' -ScriptBlock", " __complete ", "filter __deployctl_escapeStringWithSpecialChars"} {
		if !strings.Contains(script, want) {
			t.Errorf("it lacks %s:\n%s", want, script)
		}
	}
	if strings.Contains(script, "%!") || strings.Contains(script, "[[") {
		t.Errorf("a format or another shell's line is in it:\n%s", script)
	}
	var open []rune
	for _, r := range regexp.MustCompile("(?m)^ *#.*$|`.|'[^']*'|\"(?:`.|[^\"`])*\"").ReplaceAllString(script, "") {
		switch r {
		case '(', '{', '[':
			open = append(open, r)
		case ')', '}', ']':
			if len(open) == 0 || string(open[len(open)-1])+string(r) != map[rune]string{')': "()", '}': "{}", ']': "[]"}[r] {
				t.Fatalf("%c closes nothing", r)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("not closed: %q", string(open))
	}
}
