package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// setLanguage sets the language of everything that follows, before there are
// commands: their help is made with them. --lang decides; without it, what programs
// or other people read is English, and the rest as the user's locale has it.
//
// A locale that is set and not UTF-8 cannot show Chinese, as with gettext: texts are
// English then, whatever --lang says, and a note says why. Documents have an encoding of
// their own. The code page of Windows is no such wish of the user's.
func setLanguage(args []string, c *console.Console, getenv func(string) string) error {
	asked, forMachines, document := "", false, false
	named := false
	for i, arg := range args {
		name, value, whole := strings.Cut(arg, "=")
		if !whole && i+1 < len(args) {
			value = args[i+1]
		}
		switch {
		case arg == "--":
			return choose(asked, forMachines, document, c, getenv)
		case name == "--lang":
			asked = value
		case name == "--json", name == "--format" && !formats.ForPeople(value):
			forMachines = true
		case name == "--format" && value != formats.Text:
			document = true
		case !strings.HasPrefix(arg, "-") && !named:
			named = true
			forMachines = forMachines || slices.Contains([]string{"facts", "lock", "snapshot", "report", "worker"}, arg)
		}
	}
	return choose(asked, forMachines, document, c, getenv)
}

func choose(asked string, forMachines, document bool, c *console.Console, getenv func(string) string) error {
	switch {
	case asked == string(lang.Chinese) && !forMachines && !document && !console.UnicodeLocale(getenv):
		c.Note("%s", "--lang zh: this locale has no Chinese characters, so texts are in English. Set LC_ALL=C.UTF-8")
		return lang.Set(lang.English)
	case slices.Contains(lang.All(), lang.Language(asked)): // anything else is the flag's to refuse
		if asked == string(lang.Chinese) {
			c.ASCII = false
		}
		return lang.Set(lang.Language(asked))
	case asked != "" || forMachines || c.ASCII:
		return lang.Set(lang.English)
	}
	return lang.Set(lang.Choose(getenv, lang.System))
}

// langFlag is --lang. It has had its effect before it is parsed (setLanguage).
type langFlag struct{ text string }

func (f *langFlag) Set(text string) error {
	if !slices.Contains(lang.All(), lang.Language(text)) {
		return lang.Errorf("use zh or en")
	}
	f.text = text
	return nil
}

func (f *langFlag) String() string { return f.text }
func (f *langFlag) Type() string   { return "zh|en" }

// translate puts the help of a command and those below it into the language that is
// set, cobra's own commands and flags included.
func translate(cmd *cobra.Command) {
	if lang.Current() == lang.English {
		return
	}
	if !cmd.HasParent() {
		cmd.InitDefaultHelpCmd()
		cmd.InitDefaultVersionFlag()
		if f := cmd.Flags().Lookup("version"); f != nil {
			f.Usage = lang.F("version for %s", cmd.Name())
		}
	}
	cmd.InitDefaultHelpFlag()
	for _, text := range helpTexts(cmd) {
		*text = lang.T(*text)
	}
	cmd.Flags().Lookup("help").Usage = lang.F("help for %s", cmd.Name())
	for _, sub := range cmd.Commands() {
		translate(sub)
	}
}

// helpTexts are a command's own texts.
func helpTexts(cmd *cobra.Command) []*string {
	texts := []*string{&cmd.Short, &cmd.Long, &cmd.Example}
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && f.Name != "version" {
				texts = append(texts, &f.Usage)
			}
		})
	}
	return slices.DeleteFunc(texts, func(text *string) bool { return *text == "" })
}

// headings are what cobra writes between our texts.
var headings = []string{
	"Usage:", "Aliases:", "Examples:", "Available Commands:", "Flags:", "Global Flags:", "Additional help topics:", "Additional Commands:",
}

// translateUsage puts what cobra and pflag write around our texts into the language
// that is set.
func translateUsage(text string) string {
	if lang.Current() == lang.English {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case slices.Contains(headings, line):
			lines[i] = lang.T(line)
		case strings.HasPrefix(line, `Use "`) && strings.HasSuffix(line, ` [command] --help" for more information about a command.`):
			path := strings.TrimSuffix(strings.TrimPrefix(line, `Use "`), ` [command] --help" for more information about a command.`)
			lines[i] = lang.F(`Use "%s [command] --help" for more information about a command.`, path)
		default:
			if at := strings.LastIndex(line, " (default "); at > 0 && strings.HasSuffix(line, ")") {
				lines[i] = line[:at] + lang.F(" (default %s)", strings.TrimSuffix(line[at+len(" (default "):], ")"))
			}
		}
	}
	return strings.Join(lines, "\n")
}
