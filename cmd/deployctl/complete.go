package main

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/images"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/models"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engines"
)

// Completion in a shell. A completer reads what is part of the program, the user's own
// recipes and tables, the journal and the names of files: it must never look at the
// machine, use the network, write, or fail because of a broken file.

// values gives what a word can be, each with a description after a tab or without one.
type values func(cmd *cobra.Command) []string

// flagCompleters are the completers of flags, by "command --flag", or by "--flag" for
// every command that has no other one.
func flagCompleters() map[string]cobra.CompletionFunc {
	snapshots := files("tgz", "gz", "txt", "log")
	machine := wordsAndFiles(of("here\tthis machine"), "tgz", "gz", "txt", "log")
	picture := files("png", "jpg", "jpeg")
	return map[string]cobra.CompletionFunc{
		"--color":        one(of("auto", "always", "never")),
		"--lang":         one(of("zh\tSimplified Chinese", "en\tEnglish")),
		"--format":       one(formatNames),
		"--recipe":       wordsAndFiles(recipeNames, "yaml", "yml"),
		"--set":          pairs(settings),
		"--only":         several(requirementIDs),
		"--skip":         several(requirementIDs),
		"--downgrade":    several(requirementIDs),
		"facts --only":   several(topics),
		"--level":        one(of("1\tthe engine loads", "2\tone checked forward pass", "3\ttimed runs")),
		"doctor --level": one(of("0\tnothing", "1\tthe engine loads", "2\tone checked forward pass", "3\ttimed runs")),
		"--engine":       several(engineNames),
		"convert --engine": one(func(*cobra.Command) []string {
			return engines.Names()
		}),
		"--target":              one(func(*cobra.Command) []string { return engines.Targets() }),
		"bench --target":        several(func(*cobra.Command) []string { return engines.Targets() }),
		"--precision":           several(of("fp32", "fp16", "bf16", "any")),
		"plan --target":         pairs(componentVersions),
		"--model":               one(families),
		"verify --model":        wordsAndFiles(families, "onnx"),
		"bench --model":         several(families),
		"lock --model":          one(modelNames),
		"bundle create --model": one(modelNames),
		"--for":                 one(func(*cobra.Command) []string { return images.Names() }),
		"--template":            one(func(*cobra.Command) []string { return recipes.ReportTemplates() }),
		"--run":                 one(runs),
		"convert --to":          one(conversions),
		"--opset":               one(opsets),
		"--system":              one(of("linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64", "windows/arm64")),

		"--from":                 snapshots,
		"explain --from":         machine,
		"recipe new --from":      folders,
		"recipe new --output":    files("yaml", "yml"),
		"--snapshot":             files("tgz"),
		"snapshot --output":      files("tgz"),
		"lock --output":          files("json"),
		"bundle create --output": files("tar"),
		"convert --output":       folders,
		"report --output":        files("md"),
		"--lock":                 files("json"),
		"--locked":               files("json"),
		"--compare":              files("json"),
		"--chart":                files("svg"),
		"--apply":                files("md"),
		"--log":                  anyFile,
		"--cfg":                  files("cfg"),
		"--weights":              files("weights"),
		"--names":                files("names", "txt"),
		"--image":                picture,
		"--picture":              picture,
		"--cache":                folders,
		"runtimes pull --to":     folders,
	}
}

// argCompleters are the completers of arguments, by command.
func argCompleters() map[string]cobra.CompletionFunc {
	yaml := first(files("yaml", "yml"))
	bundle := first(files("tar"))
	machines := wordsAndFiles(of("here\tthis machine"), "tgz", "json")
	return map[string]cobra.CompletionFunc{
		"shadow": rest(components),
		"diff": func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) >= 2 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return machines(cmd, args, word)
		},
		"explain":       first(wordsAndFiles(subjects)),
		"deps":          first(anyFile),
		"run":           anyFile,
		"recipe show":   first(wordsAndFiles(recipeNames, "yaml", "yml")),
		"recipe lint":   yaml,
		"table show":    first(one(tableNames)),
		"table lint":    yaml,
		"models pull":   first(one(modelNames)),
		"models verify": rest(modelNames),
		"models import": first(files("weights")),
		"runtimes pull": first(one(of("onnxruntime\tONNX Runtime's CPU library"))),
		"bundle list":   bundle,
		"bundle import": bundle,
	}
}

// addCompletion gives every flag and argument below root its completer. Where nothing
// can be completed, the shell is told so and offers no files.
func addCompletion(root *cobra.Command) {
	flags, args := flagCompleters(), argCompleters()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		name := called(cmd)
		if complete, ok := args[name]; ok {
			cmd.ValidArgsFunction = complete
		} else {
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			complete, ok := flags[name+" --"+f.Name]
			if !ok {
				complete, ok = flags["--"+f.Name]
			}
			if !ok {
				complete = cobra.NoFileCompletions
			}
			// It fails only for a flag that does not exist or has a completer already.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, complete)
		})
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// addCompletionCommand adds cobra's command completion. Bash escapes the comma of a list,
// which needs no escape, and inserts it so: the script for bash takes that back.
func addCompletionCommand(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Example = "  deployctl completion bash --help"
		cmd.Args = noArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		for _, shell := range cmd.Commands() {
			shell.Example = "  deployctl completion " + shell.Name() + "    how to load it: see above"
			if write := shell.RunE; shell.Name() == "bash" {
				shell.RunE = func(cmd *cobra.Command, args []string) error {
					if err := write(cmd, args); err != nil {
						return err
					}
					_, err := io.WriteString(cmd.OutOrStdout(), commasInBash)
					return err
				}
			}
		}
	}
}

const commasInBash = `
if [[ $(type -t compopt) = "builtin" ]]; then
    __deployctl_complete() {
        __start_deployctl "$@"
        COMPREPLY=("${COMPREPLY[@]//\\,/,}")
    }
    complete -o default -F __deployctl_complete deployctl
fi
`

// of gives fixed values.
func of(list ...string) values { return func(*cobra.Command) []string { return list } }

// beginning keeps the values that begin with a text.
func beginning(list []string, text string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return !strings.HasPrefix(v, text) })
}

// one completes one value.
func one(v values) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return beginning(v(cmd), word), cobra.ShellCompDirectiveNoFileComp
	}
}

// several completes the last of the values that have commas between them, with those
// that are not there yet. After a comma there are no descriptions: bash would compare
// what it escaped with what was typed.
func several(v values) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		before, last := "", word
		if at := strings.LastIndexByte(word, ','); at >= 0 {
			before, last = word[:at+1], word[at+1:]
		}
		given := strings.Split(before, ",")
		var out []string
		for _, value := range beginning(v(cmd), last) {
			name, _, _ := strings.Cut(value, "\t")
			switch {
			case slices.Contains(given, name):
			case before == "":
				out = append(out, value)
			default:
				out = append(out, before+name)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// pairs completes NAME=VALUE: first the names, and after "=" the values of that name.
func pairs(list func(cmd *cobra.Command) (names []string, valuesOf func(name string) []string)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		names, valuesOf := list(cmd)
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return beginning(names, word), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
		var out []string
		for _, v := range beginning(valuesOf(name), value) {
			out = append(out, name+"="+v)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// rest completes each argument with the values that are not there yet.
func rest(v values) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		return slices.DeleteFunc(beginning(v(cmd), word), func(value string) bool {
			name, _, _ := strings.Cut(value, "\t")
			return slices.Contains(args, name)
		}), cobra.ShellCompDirectiveNoFileComp
	}
}

// first completes the first argument only.
func first(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, word)
	}
}

// files completes the names of files with one of the extensions, and folders.
func files(extensions ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}

func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func anyFile(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// wordsAndFiles completes words, and files with one of the extensions, all where there
// is none: a shell offers either words or files by itself.
func wordsAndFiles(v values, extensions ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		out, directive := beginning(v(cmd), word), cobra.ShellCompDirectiveNoFileComp
		folder, begin := filepath.Split(word)
		entries, err := os.ReadDir(filepath.Clean("./" + folder))
		if filepath.IsAbs(folder) {
			entries, err = os.ReadDir(folder)
		}
		if err != nil { // there is nothing to offer
			return out, directive
		}
		for _, e := range entries {
			ext := strings.TrimPrefix(filepath.Ext(e.Name()), ".")
			hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(begin, ".")
			switch {
			case hidden || !strings.HasPrefix(e.Name(), begin) || strings.ContainsAny(e.Name(), "\t\n"):
			case e.IsDir():
				out = append(out, folder+e.Name()+string(filepath.Separator))
				directive |= cobra.ShellCompDirectiveNoSpace
			case len(extensions) == 0 || slices.Contains(extensions, ext):
				out = append(out, folder+e.Name())
			}
		}
		return out, directive
	}
}

// own is the folder of the user's recipes.
func own() string {
	f, _ := pipeline.UserFolders() // without them, the program's own are enough
	return f.Recipes
}

// formatNames are the values of a command's --format, with what package formats says
// about them.
func formatNames(cmd *cobra.Command) []string {
	var out []string
	list := formats.All()
	for _, name := range formatsOf(cmd.Flag("format")) {
		if i := slices.IndexFunc(list, func(f formats.Format) bool { return f.Name == name }); i >= 0 {
			name += "\t" + list[i].About
		}
		out = append(out, name)
	}
	return out
}

func recipeNames(*cobra.Command) []string {
	var out []string
	for _, r := range recipes.Names(own()) {
		out = append(out, r.Name+"\t"+r.Title)
	}
	return out
}

// chosen is the recipe that the command line names so far, or else this system's own;
// nil where it cannot be read.
func chosen(cmd *cobra.Command) *recipes.Recipe {
	f := cmd.Flag("recipe")
	if f == nil {
		return nil
	}
	r, err := recipes.Find(cmp.Or(f.Value.String(), recipes.DefaultOn(runtime.GOOS)), own())
	if err != nil {
		return nil
	}
	return r
}

func requirementIDs(cmd *cobra.Command) []string {
	r := chosen(cmd)
	if r == nil {
		return nil
	}
	var out []string
	for i := range r.Requirements {
		out = append(out, r.Requirements[i].ID+"\t"+r.Requirements[i].Title)
	}
	return out
}

// settings are the parameters of the recipe, and their choices.
func settings(cmd *cobra.Command) ([]string, func(string) []string) {
	r := chosen(cmd)
	if r == nil {
		return nil, func(string) []string { return nil }
	}
	var names []string
	for name, p := range r.Parameters {
		names = append(names, name+"=\t"+p.Title)
	}
	slices.Sort(names)
	return names, func(name string) []string { return r.Parameters[name].Choices }
}

func components(*cobra.Command) []string {
	var out []string
	for _, c := range recipes.Catalog() {
		out = append(out, c.Name+"\t"+recipes.Display(c.Name))
	}
	return out
}

func topics(cmd *cobra.Command) []string {
	return append([]string{"os", "cpu", "memory", "disks", "gpus", "environment", "project"}, components(cmd)...)
}

// componentVersions are the components of which the tables know versions, and these.
func componentVersions(*cobra.Command) ([]string, func(string) []string) {
	known := map[string][]string{}
	tables, err := recipes.FindTables(own())
	if err != nil {
		tables, err = recipes.EmbeddedTables()
	}
	if err != nil {
		return nil, func(string) []string { return nil }
	}
	for _, name := range tables.Names() {
		t, err := tables.Table(name)
		if err != nil { // a broken file of the user's
			continue
		}
		for _, column := range append(slices.Clone(t.When), t.Then...) {
			if slices.Contains(recipes.Components(), column) {
				known[column] = append(known[column], t.Known(column)...)
			}
		}
	}
	var names []string
	for name, versions := range known {
		slices.Sort(versions)
		known[name] = slices.Compact(versions)
		names = append(names, name+"=\t"+recipes.Display(name))
	}
	slices.Sort(names)
	return names, func(name string) []string { return known[name] }
}

func engineNames(cmd *cobra.Command) []string {
	out := []string{"all\tthose of this machine"}
	if cmd.Name() == "verify" {
		out = append(out, "reference\tthe built-in one alone")
	}
	for _, e := range engines.All() {
		out = append(out, e.Name+"\t"+e.Library)
	}
	return out
}

func families(*cobra.Command) []string { return darknet.Families() }

func conversions(*cobra.Command) []string {
	var out []string
	for _, f := range convert.All() {
		out = append(out, string(f.Name)+"\t"+f.Display)
	}
	return out
}

func opsets(*cobra.Command) []string {
	var out []string
	for n := 11; n <= 23; n++ {
		out = append(out, strconv.Itoa(n))
	}
	return out
}

func modelNames(*cobra.Command) []string {
	list, err := models.Known()
	if err != nil {
		return nil
	}
	var out []string
	for _, m := range list {
		out = append(out, m.Name+"\t"+m.About)
	}
	return out
}

func tableNames(*cobra.Command) []string {
	tables, err := recipes.FindTables(own())
	if err != nil {
		tables, err = recipes.EmbeddedTables()
	}
	if err != nil {
		return nil
	}
	return tables.Names()
}

// subjects are the ids and recipes that have a page.
func subjects(cmd *cobra.Command) []string {
	out := recipes.Pages()
	if tables, err := recipes.EmbeddedTables(); err == nil {
		if checks, err := tables.Checks(); err == nil {
			for i := range checks {
				out = append(out, checks[i].ID)
			}
		}
	}
	slices.Sort(out)
	return append(slices.Compact(out), recipeNames(cmd)...)
}

// runs are the runs in the journal, the last one first.
func runs(*cobra.Command) []string {
	h := host.Live()
	admin := os.Geteuid() == 0
	state, err := installers.StateDir(h, admin)
	if err != nil {
		return nil
	}
	records, _, err := installers.Histories(state, installers.MachineDir(h, admin))
	if err != nil {
		return nil
	}
	var out []string
	steps := map[string][]string{}
	for _, r := range slices.Backward(records) {
		if r.Event == installers.Started {
			continue
		}
		if steps[r.Run] == nil {
			out = append(out, r.Run)
		}
		steps[r.Run] = append(steps[r.Run], r.Time.Local().Format("2006-01-02 15:04")+" "+r.Step.Title)
	}
	for i, run := range out {
		out[i] = run + "\t" + steps[run][len(steps[run])-1]
	}
	return out
}
