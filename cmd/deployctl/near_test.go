package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/judge"
)

// needed are the arguments and flags without which a command says nothing of a value.
var needed = map[string][]string{
	"bundle list":     {"bundle.tar"},
	"bundle create":   {"--output", "new.tar"},
	"lock":            {"--output", "new.json"},
	"convert":         {"--to", "onnx"},
	"deps":            {"program.exe"},
	"explain":         {"126"},
	"diff":            {"here", "here"},
	"models verify":   {"yolov3"},
	"runtimes pull":   {"onnxruntime"},
	"doctor --only":   {"--recipe", "opencv-yolov3"},
	"convert --opset": {"--to", "onnx"},
}

// openValues are flags and arguments that accept more than what completion offers, so
// that only the file system can refuse a value.
var openValues = map[string]string{
	"diff":                  "a file",
	"explain":               "any text",
	"explain --from":        "a file",
	"models verify":         "see models pull",
	"plan --target":         "any version: its names are in TestUnknownValues",
	"--set":                 "its names are in TestUnknownValues",
	"undo --run":            "the runs of this machine",
	"runtimes pull --to":    "a folder",
	"bundle create --model": "see lock --model",
}

// mistyped makes a value that is not known but near: the last two letters change places,
// or one is added where they are the same.
func mistyped(value string) string {
	n := len(value)
	if n < 3 || value[n-1] == value[n-2] {
		return value + "q"
	}
	return value[:n-2] + string(value[n-1]) + string(value[n-2])
}

// TestUnknownValues: every flag and argument whose values are known refuses one that is
// not: exit code 2, nothing on standard output, one line that names the value and the
// nearest known one, or all that are known.
func TestUnknownValues(t *testing.T) {
	place(t, "bundle.tar", "program.exe")
	flags, args := flagCompleters(), argCompleters()
	digits := regexp.MustCompile("[0-9]")
	n := 0
	refused := func(what, near string, list []string, words ...string) {
		t.Helper()
		n++
		exit, out, text := said(&console.Console{}, words...)
		line := strings.TrimSuffix(text, "\n")
		named := strings.Contains(line, "did you mean")
		for _, v := range list {
			named = named || near == "" && strings.Contains(line, v)
		}
		if near != "" {
			named = strings.Contains(line, near)
		}
		if exit != judge.ExitUsage || strings.Contains(line, "\n") || !named || out != "" && !strings.HasPrefix(out, "{") {
			t.Errorf("%s: %q: exit code %d, standard output %q, error %q", what, words, exit, out, text)
		}
	}
	both := func(what string, list []string, before, after []string, flag string) {
		if len(list) == 0 {
			return
		}
		first, _, _ := strings.Cut(list[0], "\t")
		for value, near := range map[string]string{mistyped(first): first, "zzzzzzzz": ""} {
			if len(value) <= 3 || near != "" && digits.ReplaceAllString(value, "") == digits.ReplaceAllString(near, "") {
				near = "" // nothing is guessed
			}
			asked := value
			if flag != "" {
				asked = flag + "=" + value
			}
			words := slices.Concat(before, []string{asked}, after)
			var names []string
			for _, v := range list {
				name, _, _ := strings.Cut(v, "\t")
				names = append(names, name)
			}
			refused(what, near, names, words...)
		}
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		name := called(cmd)
		own := strings.Fields(name)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			key := name + " --" + f.Name
			complete := flags[key]
			if complete == nil {
				complete = flags["--"+f.Name]
			}
			if complete == nil || openValues[key]+openValues["--"+f.Name] != "" || f.Value.Type() == "int" {
				return
			}
			list, _ := complete(cmd, nil, "")
			if len(list) == 0 || isExtension(list) {
				return
			}
			more := needed[name]
			if k, ok := needed[key]; ok {
				more = k
			}
			if key == "convert --to" {
				more = nil
			}
			both(key, list, own, more, "--"+f.Name)
		})
		if complete := args[name]; complete != nil && openValues[name] == "" {
			if list, directive := complete(cmd, nil, ""); directive&cobra.ShellCompDirectiveNoFileComp != 0 && !isExtension(list) {
				both(name, list, own, nil, "")
			}
		}
		for _, sub := range cmd.Commands() {
			if !sub.Hidden && sub.Name() != "help" {
				walk(sub)
			}
		}
	}
	root := newRoot(&console.Console{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	for _, cmd := range root.Commands() {
		walk(cmd)
	}
	refused("names of --set", "portable", nil, "doctor", "--recipe", "openpose-windows", "--set", "portabl=yes")
	refused("values of --set", "", []string{"cuda", "opencl"}, "doctor", "--recipe", "openpose-windows", "--set", "gpu=zzzzzzzz")
	refused("names of plan --target", "cudnn", nil, "plan", "--target", "cudn=9")
	if n < 100 {
		t.Errorf("only %d values", n)
	}
	for _, words := range [][]string{
		{"bundle", "list", "gone.tar"}, {"bundle", "import", "gone.tar"}, {"bundle", "create", "--lock", "gone.json", "--output", "new.tar"},
		{"models", "import", "gone.weights"}, {"report", "--log", "gone.log"}, {"deps", "gone.exe"}, {"recipe", "lint", "gone.yaml"},
		{"table", "lint", "gone.yaml"}, {"doctor", "--from", "gone.tgz"}, {"diff", "here", "gone.tgz"}, {"bench", "--compare", "gone.json"},
		{"doctor", "--fix", "--locked", "gone.json"},
	} {
		refused("a file that is not there", "gone.", nil, words...)
	}
}

// isExtension tells values that are extensions of files.
func isExtension(list []string) bool {
	for _, v := range list {
		switch v {
		case "tgz", "yaml", "json", "tar", "svg", "md", "cfg", "weights", "names", "png":
			return true
		}
	}
	return false
}
