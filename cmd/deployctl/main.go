// Command deployctl finds out what a machine lacks to run a deep network, repairs
// it, and proves it with a real forward pass.
//
// This package turns flags into options and results into exit codes. What the
// commands do is in cmd/pipeline.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
	"github.com/deployctl/deployctl/verify/engine"
)

func main() { os.Exit(run(os.Args[1:], console.System())) }

// run is main with its world as parameters: the arguments and the console in,
// the exit code out.
func run(args []string, c *console.Console) int {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	written := &counter{to: c.Out}
	c.Out = written
	if err := setLanguage(args, c, os.Getenv); err != nil {
		c.Fail("deployctl: read the translations: %v", err)
	}
	root := rootFor(args, c)
	root.SetArgs(negativeLast(args))
	// Not before a command runs: --version and --help need no handler, and three
	// of them take a tenth of their time.
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return begin(cmd, c) }
	cmd, err := root.ExecuteContextC(ctx)
	exit := exitCode(err, c)
	if err != nil && written.n == 0 && asksJSON(cmd) {
		// A program that reads the answer gets the reason there, too. That it
		// cannot be written has no better place to be said than the exit code.
		_ = json.NewEncoder(c.Out).Encode(failure{1, pipeline.Made(c, version()), err.Error(), exit})
	}
	return exit
}

// failure is the document of a command that has no other answer.
type failure struct {
	Schema int `json:"schema"`
	report.Made
	Error string `json:"error"`
	Exit  int    `json:"exit"` // deployctl's exit code
}

// untilSignal is a context that the first signal cancels, so that work ends
// cleanly. A second one, with the handler gone, ends the process at once.
func untilSignal(base context.Context) context.Context {
	ctx, stop := signal.NotifyContext(base, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup expects
		// A terminal that is closed sends this twice, by the shell and by the
		// kernel: it stays caught to the end.
		var hung context.CancelFunc
		ctx, hung = signal.NotifyContext(ctx, syscall.SIGHUP)
		context.AfterFunc(base, hung)
	}
	context.AfterFunc(ctx, stop)
	return ctx
}

// counter counts what was written to the standard output.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(data []byte) (int, error) {
	n, err := c.to.Write(data)
	c.n += int64(n)
	return n, err
}

// asksJSON reports whether a command's answer is a JSON document.
func asksJSON(cmd *cobra.Command) bool {
	format := cmd.Flags().Lookup("format")
	return cmd.Name() == "facts" || format != nil && format.Value.String() == "json"
}

// exitCode turns what a command returned into the contract's code and tells
// the user what an error says.
func exitCode(err error, c *console.Console) int {
	if err == nil {
		return judge.ExitOK
	}
	var verdict *pipeline.Verdict
	if errors.As(err, &verdict) {
		return verdict.Exit // the report has said it all
	}
	c.Fail("deployctl: %s", strings.TrimRight(err.Error(), "\n"))
	var usage *pipeline.UsageError
	if errors.As(err, &usage) {
		return judge.ExitUsage
	}
	return judge.ExitError
}

// commands are the commands, by name.
func commands() []command {
	return []command{
		{"doctor", newDoctor},
		{"verify", newVerify},
		{"convert", newConvert},
		{"bench", newBench},
		{"tune", newTune},
		{"facts", newFacts},
		{"snapshot", newSnapshot},
		{"diff", newDiff},
		{"shadow", newShadow},
		{"plan", newPlan},
		{"lock", newLock},
		{"bundle", newBundle},
		{"models", newModels},
		{"cache", newCache},
		{"runtimes", newRuntimes},
		{"recipe", newRecipe},
		{"table", newTable},
		{"explain", newExplain},
		{"deps", newDeps},
		{"run", newRun},
		{"report", newReport},
		{"history", newHistory},
		{"undo", newUndo},
		{"version", newVersion},
		{"man", newMan},
		{engine.ChildCommand, newWorker},
	}
}

type command struct {
	name string
	make func(*console.Console) *cobra.Command
}

// rootFor is newRoot with no more of it than the arguments need: one command where its
// name comes first, none for --version. All of them, with what completes them, would take
// a fifth of the time of such a start.
func rootFor(args []string, c *console.Console) *cobra.Command {
	if len(args) == 0 {
		return newRoot(c)
	}
	asked := slices.DeleteFunc(commands(), func(one command) bool { return one.name != args[0] })
	if len(asked) == 0 && !slices.Equal(args, []string{"--version"}) {
		return newRoot(c)
	}
	root := rootOf(c, asked)
	root.CompletionOptions.DisableDefaultCmd = true
	translate(root)
	return root
}

// newRoot is deployctl with all its commands.
func newRoot(c *console.Console) *cobra.Command {
	root := rootOf(c, commands())
	addCompletionCommand(root)
	addCompletion(root)
	translate(root)
	return root
}

// rootOf is deployctl with some of its commands.
func rootOf(c *console.Console, commands []command) *cobra.Command {
	root := &cobra.Command{
		Use:   "deployctl",
		Short: "Set up a machine to run a neural network, and prove that it works",
		Long: `deployctl checks what this machine lacks to run a trained neural network,
installs or repairs it when asked, and proves the result by running a real
YOLOv3.

Exit codes: 0 all requirements pass, 1 deployctl or a step failed or was
stopped, 2 usage or bad recipe, 3 a requirement fails, 4 only warnings (with
--strict), 5 a requirement is unknown, 6 a restart or a new session is needed.`,
		Example: `  deployctl doctor                 what is missing here (changes nothing)
  deployctl doctor --fix           install it, then prove it
  deployctl verify                 the proof alone`,
		// cobra writes "deployctl version " in front of it. A template of our own would
		// link text/template and, for its sake, every exported method: 4 MB.
		Version:       strings.TrimSpace(strings.TrimPrefix(thisBuild().text(), "deployctl version ")),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(c.In)
	root.SetOut(c.Text())
	root.SetErr(c.Err)
	for _, one := range commands {
		root.AddCommand(one.make(c))
	}
	addSettings(root, c)
	return root
}

// columns wraps lines to a width; the rest of a description stands under it.
func columns(text string, width int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if report.Columns(line) <= width {
			continue
		}
		// The description begins after the last gap of two blanks.
		at := len(line) - len(strings.TrimLeft(line, " "))
		if gap := strings.LastIndex(line, "  "); gap >= at {
			at = gap + 2
		}
		if command := strings.TrimRight(line[:at], " "); report.Columns(line[:at]) > width/2 && strings.HasPrefix(command, "  ") {
			// An example leaves too little of the line: what it does is under it.
			lines[i] = command + "\n" + strings.Repeat(" ", 6) + report.Wrap(line[at:], 6, width)
			continue
		}
		lines[i] = line[:at] + report.Wrap(line[at:], report.Columns(line[:at]), width)
	}
	return strings.Join(lines, "\n")
}

// whatFolders hands a command that looks only the folders that this user has; a
// service and a container may have no HOME.
func whatFolders(do func(pipeline.Folders) error) error {
	folders, _ := pipeline.UserFolders() // the error is in Missing
	return do(folders)
}

// withFolders hands a command this user's folders.
func withFolders(do func(pipeline.Folders) error) error {
	folders, err := pipeline.UserFolders()
	if err != nil {
		return err
	}
	return do(folders)
}

// noArgs refuses stray words; a mistyped command gets the nearest one.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := lang.F("unknown command or argument %q for %s", args[0], cmd.CommandPath())
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if cmd.Flag("recipe") != nil && slices.ContainsFunc(recipes.Names(own()), func(r recipes.Named) bool { return r.Name == args[0] }) {
		text += lang.F("; did you mean %s?", "--recipe "+args[0])
	} else if meant := near.Names(args[0], names); len(meant) > 0 {
		text += lang.F("; did you mean %s?", lang.List(meant, true))
	}
	return &pipeline.UsageError{Err: errors.New(text)}
}

// called is the command's name without the program's: bundle list.
func called(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// exactArg requires one word of the given meaning.
func exactArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return &pipeline.UsageError{Err: lang.Errorf("%s needs one argument: %s", called(cmd), lang.T(what))}
		}
		return nil
	}
}
