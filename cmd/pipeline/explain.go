package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/explain"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes"
)

// ExplainOptions is what explain is asked for.
type ExplainOptions struct {
	Console *console.Console
	Folders Folders
	// Subject is an id, a recipe, a file, "-" for the standard input, a code or a
	// text.
	Subject string
	Format  string // text or json
}

// Explain prints the page of a requirement or finding id, or of a recipe; any
// other subject is read as an error text or code, and its cause and fix are
// printed. A text that no rule knows is a *Verdict of exit code 3.
func Explain(ctx context.Context, o ExplainOptions) error {
	if o.Format != "text" && o.Format != "json" {
		return usagef("--format %s is unknown: use text or json", o.Format)
	}
	page, err := pageOf(o.Folders, o.Subject)
	if err != nil {
		return err
	}
	if page != "" {
		if o.Format == "json" {
			return usagef("%q has a page, which is text only: leave out --format json", o.Subject)
		}
		_, err := fmt.Fprint(o.Console.Text(), page)
		return err
	}
	result, err := explainSubject(ctx, o)
	if err != nil {
		return err
	}
	if o.Format == "json" {
		err = writeJSON(o.Console, result)
	} else {
		err = printExplained(o.Console, result)
	}
	if err == nil && len(result.Matches) == 0 {
		err = verdict(judge.ExitFail)
	}
	return err
}

// pageOf is the page of an id or recipe, "" when there is none of that name.
func pageOf(folders Folders, id string) (string, error) {
	if strings.ContainsAny(id, " \t\n") {
		return "", nil
	}
	if page, ok := recipes.Page(id); ok {
		return page, nil
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		return "", err
	}
	checks, err := tables.Checks()
	if err != nil {
		return "", err
	}
	if page := recipes.CheckPage(checks, id); page != "" {
		return page, nil
	}
	r, err := recipes.Find(id, folders.Recipes)
	if err != nil {
		return "", nil //nolint:nilerr // it is not a recipe, but it may be a text
	}
	return string(recipes.Markdown(r)), nil
}

// explainSubject reads a file, the standard input, a code or a text.
func explainSubject(ctx context.Context, o ExplainOptions) (*explain.Result, error) {
	set, err := explain.Embedded()
	if err != nil {
		return nil, fmt.Errorf("load the rules: %w", err)
	}
	system := cmp.Or(map[string]string{"darwin": "macos"}[runtime.GOOS], runtime.GOOS)
	if o.Subject == "-" {
		return set.Text(&until{ctx, o.Console.In}, system)
	}
	file, err := os.Open(o.Subject)
	if err == nil {
		defer file.Close() // only read
		info, err := file.Stat()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", o.Subject, err)
		}
		if info.IsDir() {
			return nil, usagef("%s is a folder: give a log file, an error text, a code or an id", o.Subject)
		}
		return set.Text(&until{ctx, file}, system)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("read the text: %w", err)
	}
	if matches, ok := set.Code(o.Subject, system); ok {
		kind := explain.KindCode
		if len(matches) == 0 {
			kind, matches = explain.KindUnknown, []explain.Match{}
		}
		return &explain.Result{Kind: kind, Matches: matches, Facts: map[string]any{}}, nil
	}
	result, err := set.Text(strings.NewReader(o.Subject), system)
	if err == nil && len(result.Matches) == 0 && explain.LooksLikeName(o.Subject) {
		return nil, usagef("there is no page for %q, no recipe, file or known code of that name: give an id that doctor shows in brackets, a recipe's name, a log file, or an error text", o.Subject)
	}
	return result, err
}

// until ends reading when the context is done.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// maxExplained is how many matches are printed; JSON has all.
const maxExplained = 3

func printExplained(c *console.Console, r *explain.Result) error {
	var out strings.Builder
	width := cmp.Or(c.Width, 80)
	if len(r.Matches) == 0 {
		out.WriteString("No rule of deployctl knows this.\n")
		if r.FirstError != nil {
			fmt.Fprintf(&out, "The first line that looks like an error:\n  %d: %s\n", r.FirstError.Line, r.FirstError.Text)
		}
	}
	for i, m := range r.Matches {
		if i == maxExplained {
			fmt.Fprintf(&out, "\nNot shown: %d more. --format json has all of them.\n", len(r.Matches)-i)
			break
		}
		if i > 0 {
			out.WriteString("\n")
		}
		note := ""
		if m.Rank == explain.FollowOn {
			note = ", follows from another error"
		}
		fmt.Fprintf(&out, "%s  (confidence %.0f %%%s)\n", m.Class, 100*m.Confidence, note)
		if r.Kind == explain.KindLog {
			fmt.Fprintf(&out, "  line %d: %s\n", m.Line, m.Evidence)
		}
		row := func(name, text string) {
			for j, part := range strings.Split(text, "\n") {
				if j > 0 {
					name = ""
				}
				fmt.Fprintf(&out, "  %-6s %s\n", name, report.Wrap(part, 9, width))
			}
		}
		row("cause", m.Cause)
		if m.Fix != "" {
			row("fix", m.Fix)
		}
		if m.Page != "" {
			row("page", "deployctl explain "+m.Page)
		}
		if m.Rank == explain.FollowOn && i == 0 && r.FirstError != nil && r.FirstError.Line < m.Line {
			fmt.Fprintf(&out, "  The first line that looks like an error:\n  %d: %s\n", r.FirstError.Line, r.FirstError.Text)
		}
	}
	_, err := io.WriteString(c.Text(), out.String())
	return err
}
