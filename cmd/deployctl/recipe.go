package main

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/recipes"
)

func newRecipe(c *console.Console) *cobra.Command {
	cmd := &cobra.Command{
		Use: "recipe",
		Example: `  deployctl recipe list
  deployctl recipe show opencv-yolov3
  deployctl recipe new --from . --output detector.yaml`,
		Short: "List, show or check recipes",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newList(c, &cobra.Command{
			Use: "list", Example: "  deployctl recipe list",
			Short: "List the recipes, those that fit this machine first",
		}, pipeline.RecipeList),
		&cobra.Command{
			Use: "show NAME", Example: "  deployctl recipe show opencv-yolov3",
			Short: "Print a recipe in full, including what it extends", Args: exactArg("a recipe's name or file"),
			RunE: func(_ *cobra.Command, args []string) error {
				return whatFolders(func(f pipeline.Folders) error { return pipeline.RecipeShow(c, f, args[0]) })
			},
		},
		&cobra.Command{
			Use: "lint FILE", Example: "  deployctl recipe lint detector.yaml",
			Short: "Check a recipe or table file; errors are reported with line and column", Args: exactArg("a recipe or table file"),
			RunE: func(_ *cobra.Command, args []string) error {
				return whatFolders(func(f pipeline.Folders) error { return pipeline.RecipeLint(c, f, args[0]) })
			},
		},
		newRecipeNew(c),
		newRecipeSchema(c),
	)
	return cmd
}

func newRecipeNew(c *console.Console) *cobra.Command {
	var n pipeline.NewRecipe
	cmd := &cobra.Command{
		Use:   "new [NAME]",
		Short: "Print a recipe to begin from, or one for your own project (--from)",
		Long: `Print a small recipe to begin from. With --from, read what the project in a
folder asks for (go.mod, CMakeLists.txt, Makefile, requirements.txt,
pyproject.toml) and print a recipe that checks a machine for it.`,
		Example: `  deployctl recipe new --from . --output detector.yaml
  deployctl doctor --recipe detector.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				n.Name = args[0]
			} else if n.Output != "" {
				n.Name = recipes.NameFor(strings.TrimSuffix(filepath.Base(n.Output), filepath.Ext(n.Output)))
			}
			return pipeline.RecipeNew(cmd.Context(), c, n)
		},
	}
	cmd.Flags().StringVar(&n.From, "from", "", "read the project in this `folder`")
	cmd.Flags().StringVar(&n.Output, "output", "", "write the recipe to this `file`, which must not exist yet")
	return cmd
}

func newRecipeSchema(c *console.Console) *cobra.Command {
	tables := false
	cmd := &cobra.Command{
		Use: "schema", Example: "  deployctl recipe schema > recipe.schema.json",
		Short: "Print the JSON Schema of recipes, for editors", Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return pipeline.RecipeSchema(c, tables) },
	}
	cmd.Flags().BoolVar(&tables, "tables", false, "the schema of compatibility tables instead")
	return cmd
}

func newExplain(c *console.Console) *cobra.Command {
	o := pipeline.ExplainOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "explain ID|FILE|-|TEXT|CODE",
		Short: "Explain an error text, a log, an error code or a check: cause and fix",
		Long: `Explain an id that doctor shows in brackets or a recipe (its page), or an error:
a log file, "-" for the standard input, one error line, or a code (decimal, hex,
negative, or by name). deployctl looks for the first cause, shows the line that
proves it, and says how to fix it. It runs nothing and needs no network.

It also reads pasted reports: nvidia-smi, nvcc --version, clinfo, OpenCV's build
information, vswhere, VSSetup and /proc/cpuinfo.

Exit code 3 means that no rule knows the text.`,
		Example: `  deployctl explain opencv.version
  deployctl explain build.log
  make 2>&1 | deployctl explain -
  deployctl explain -1073741515
  deployctl explain "fatal error: cudnn.h: No such file or directory"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactArg("an id, a recipe, a log file, -, an error text or a code")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return whatFolders(func(f pipeline.Folders) error {
				o.Folders, o.Subject = f, strings.Join(args, " ")
				return pipeline.Explain(cmd.Context(), o)
			})
		},
	}
	formatFlag(cmd, &o.Format, textOrJSON(), "")
	cmd.Flags().StringVar(&o.From, "from", "", "add to each cause what was found on the machine in this `snapshot`, or on this one (here)")
	return cmd
}

// negativeLast moves negative numbers after "--", where explain's arguments hold
// one: an error code such as -1073741515 is not a flag.
func negativeLast(args []string) []string {
	if len(args) == 0 || args[0] != "explain" {
		return args
	}
	var first, numbers []string
	for i, arg := range args {
		if arg == "--" {
			if len(numbers) == 0 {
				return args
			}
			numbers = append(numbers, args[i+1:]...)
			break
		}
		if n, err := strconv.ParseInt(arg, 10, 64); err == nil && n < 0 {
			numbers = append(numbers, arg)
		} else {
			first = append(first, arg)
		}
	}
	if len(numbers) == 0 {
		return args
	}
	return slices.Concat(first, []string{"--"}, numbers)
}

// selectRecipe adds the flags that choose and narrow a recipe.
func selectRecipe(f *pflag.FlagSet, s *pipeline.Selection) {
	f.StringVar(&s.Name, "recipe", "", "what to judge against: a `recipe`'s name, file or https address ("+recipes.Default+" by default, "+recipes.DefaultOn("windows")+" on Windows)")
	f.StringVar(&s.SHA256, "recipe-sha256", "", "the `hash` that a recipe from an https address must have")
	f.StringArrayVar(&s.Set, "set", nil, "choose a recipe's parameter, as `name=value` (gpu=cuda)")
	f.Var(list{&s.Only}, "only", "judge only these requirement `ids` (cuda. for all that begin so)")
	f.Var(list{&s.Skip}, "skip", "leave these requirement `ids` out")
	f.Var(list{&s.Downgrade}, "downgrade", "lower the severity of these requirement `ids` by one level")
}

// list is a flag whose values are parted by commas. pflag's own kind makes a
// writer of CSV for each flag, and start-up pays for all their buffers.
type list struct{ to *[]string }

func (l list) Set(text string) error {
	if text != "" {
		*l.to = append(*l.to, strings.Split(text, ",")...)
	}
	return nil
}

func (l list) String() string {
	if l.to == nil {
		return ""
	}
	return strings.Join(*l.to, ",")
}

func (l list) Type() string { return "strings" }
