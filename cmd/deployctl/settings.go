package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
)

// addSettings adds what every command has: the flags of the console, --json, help that
// fits the terminal, and errors that name the nearest flag.
func addSettings(root *cobra.Command, c *console.Console) {
	f := root.PersistentFlags()
	f.BoolVarP(&c.Quiet, "quiet", "q", false, "only the answer and errors: no notes, no progress")
	f.BoolVar(&c.Verbose, "verbose", false, "also list each program that deployctl runs, and how long it took")
	f.Var(&colorFlag{c: c, text: "auto"}, "color", "auto, always or never: `when` to use colors (auto: on a terminal, without NO_COLOR)")
	f.Var(&langFlag{}, "lang", "language of texts: zh (Simplified Chinese) or en (default: that of the locale; English in formats for programs)")
	addJSON(root)
	root.SetFlagErrorFunc(flagError)
	refuseUnknownHelp(root)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		width := cmp.Or(c.Width, 80)
		text := reflow(strings.TrimSpace(cmp.Or(cmd.Long, cmd.Short)), width)
		// A closed output does not make it fail, as for cobra's own.
		_, _ = io.WriteString(cmd.OutOrStdout(), text+"\n\n"+cmd.UsageString())
	})
	usage := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		to := cmd.OutOrStderr()
		var text strings.Builder
		cmd.SetOut(&text)
		defer cmd.SetOut(to)
		if err := usage(cmd); err != nil {
			return err
		}
		_, err := io.WriteString(to, columns(translateUsage(text.String()), cmp.Or(c.Width, 80)))
		return err
	})
}

// begin is what happens before each command, once its flags are known.
func begin(cmd *cobra.Command, c *console.Console) error {
	if err := cmd.ValidateFlagGroups(); err != nil {
		return &pipeline.UsageError{Err: err}
	}
	ctx := untilSignal(cmd.Context())
	if c.Verbose {
		ctx = host.WithTracer(ctx, func(argv []string, took time.Duration, err error) {
			ended := ""
			if err != nil {
				ended = ": " + err.Error()
			}
			c.Fail("ran %s  (%s)%s", strings.Join(argv, " "), took.Round(time.Millisecond), ended)
		})
	}
	cmd.SetContext(ctx)
	return nil
}

// colorFlag is --color. It changes the console at once.
type colorFlag struct {
	c    *console.Console
	text string
}

func (f *colorFlag) Set(text string) error {
	switch text {
	case "auto":
	case "always":
		f.c.Color = true
	case "never":
		f.c.Color = false
	default:
		return lang.Errorf("use auto, always or never")
	}
	f.text = text
	return nil
}

func (f *colorFlag) String() string { return f.text }
func (f *colorFlag) Type() string   { return "when" }

// jsonFlag is --json, a short form of --format json.
type jsonFlag struct{ format *pflag.Flag }

func (f jsonFlag) Set(text string) error {
	if text != "true" {
		return lang.Errorf("it has no value")
	}
	if f.format.Changed && f.format.Value.String() != "json" {
		return lang.Errorf("it cannot be used together with --format %s", f.format.Value)
	}
	f.format.Changed = true
	if v, ok := f.format.Value.(*formatValue); ok {
		v.json = true
	}
	return f.format.Value.Set("json")
}

func (jsonFlag) String() string   { return "false" }
func (jsonFlag) Type() string     { return "bool" }
func (jsonFlag) IsBoolFlag() bool { return true }

// addJSON gives --json to every command whose --format has json.
func addJSON(cmd *cobra.Command) {
	if format := cmd.Flags().Lookup("format"); format != nil && slices.Contains(formatsOf(format), formats.JSON) {
		cmd.Flags().VarPF(jsonFlag{format}, "json", "", "the same as --format json").NoOptDefVal = "true"
	}
	for _, sub := range cmd.Commands() {
		addJSON(sub)
	}
}

// formatsOf are the values that a --format flag has.
func formatsOf(format *pflag.Flag) []string {
	if v, ok := format.Value.(*formatValue); ok {
		return v.names
	}
	return nil
}

// refuseUnknownHelp makes help for a command that there is not an error, as the command
// itself is; cobra's own shows other help.
func refuseUnknownHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, help := range root.Commands() {
		if help.Name() != "help" {
			continue
		}
		show := help.Run
		help.Run = nil
		help.RunE = func(cmd *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err != nil {
				return &pipeline.UsageError{Err: err}
			}
			if len(rest) > 0 {
				return noArgs(found, rest)
			}
			show(cmd, args)
			return nil
		}
	}
}

// flagError is a usage error; a mistyped flag gets the nearest one.
func flagError(cmd *cobra.Command, err error) error {
	meant := ""
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		err = badValue(invalid)
	}
	var alone *pflag.ValueRequiredError
	if errors.As(err, &alone) {
		err = lang.Errorf("--%s needs a value", alone.GetFlag().Name)
	}
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "" {
		err = lang.Errorf("unknown flag: -%s", unknown.GetSpecifiedName())
	} else if unknown != nil {
		err = lang.Errorf("unknown flag: --%s", unknown.GetSpecifiedName())
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if list := near.Names(unknown.GetSpecifiedName(), names); len(list) > 0 {
			for i := range list {
				list[i] = "--" + list[i]
			}
			meant = lang.F("; did you mean %s?", lang.List(list, true))
		}
	}
	return &pipeline.UsageError{Err: lang.Errorf("%w%s (see %s --help)", err, meant, cmd.CommandPath())}
}

// badValue words the error about a flag's value. Those of Go's parsers name their functions.
func badValue(e *pflag.InvalidValueError) error {
	name, value := e.GetFlag().Name, e.GetValue()
	switch kind := e.GetFlag().Value.Type(); {
	case kind == "int":
		return lang.Errorf("--%s %s is not a whole number", name, value)
	case kind == "duration":
		return lang.Errorf("--%s %s is not a time such as 90s or 10m", name, value)
	case kind == "bool" && errors.Is(e, strconv.ErrSyntax):
		return lang.Errorf("--%s=%s: use true or false", name, value)
	case kind == "bool":
		return e.Unwrap()
	}
	return fmt.Errorf("--%s %s: %w", name, value, e.Unwrap())
}

// reflow fills the paragraphs of a text anew where one of its lines is longer than the
// width; lines that begin with a blank keep their place.
func reflow(text string, width int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		switch {
		case columns(p, width) == p:
		case strings.HasPrefix(p, " ") || strings.Contains(p, "\n "):
			paragraphs[i] = columns(p, width)
		default:
			paragraphs[i] = report.Wrap(strings.ReplaceAll(p, "\n", " "), 0, width)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
