package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/dump"
	"github.com/deployctl/deployctl/doctor/explain"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
)

// ExplainOptions is what explain is asked for.
type ExplainOptions struct {
	Console *console.Console
	Folders Folders
	// Subject is an id, a recipe, a file, "-" for the standard input, a code or a
	// text.
	Subject string
	Format  string // text or json
	// From is a snapshot, a text with reports, or "here": the facts of that machine
	// are part of the answer; "" for none.
	From string
}

// Explain prints the page of a requirement or finding id, or of a recipe; any
// other subject is read as an error text or code, and its cause and fix are
// printed. A text that no rule knows is a *Verdict of exit code 3.
func Explain(ctx context.Context, o ExplainOptions) error {
	if err := textOrJSON(o.Format); err != nil {
		return err
	}
	page, err := pageOf(o.Folders, o.Subject)
	if err != nil {
		return err
	}
	if page != "" {
		if o.Format == "json" {
			return usagef("%q has a page, which is text only: leave out --format json", o.Subject)
		}
		if o.Console.OutTTY {
			page = report.Page(page, report.Style{Color: o.Console.Color, Width: cmp.Or(o.Console.Width, 80)})
			return o.Console.Page(ctx, page)
		}
		_, err := fmt.Fprint(o.Console.Text(), page)
		return err
	}
	result, err := explainSubject(ctx, o)
	if err != nil {
		return err
	}
	if o.From != "" && len(result.Matches) > 0 {
		if err := addHere(ctx, o.From, result); err != nil {
			return err
		}
	}
	if o.Format == "json" {
		err = writeJSON(o.Console, result)
	} else {
		err = printExplained(o.Console, result)
	}
	if err == nil && len(result.Matches) == 0 && len(result.Machines) == 0 {
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

// pageNames are the ids and recipes that have a page.
func pageNames() []string {
	names := recipes.Pages()
	if all, err := recipes.Embedded(); err == nil { // without them, the ids are enough
		for _, r := range all {
			names = append(names, r.Name)
		}
	}
	return names
}

// explainSubject reads a file, the standard input, a code or a text.
func explainSubject(ctx context.Context, o ExplainOptions) (*explain.Result, error) {
	set, err := explain.Embedded()
	if err != nil {
		return nil, lang.Errorf("load the rules: %w", err)
	}
	system := systemHere()
	if o.Subject == "-" {
		return set.Text(&until{ctx, o.Console.In}, system)
	}
	file, err := os.Open(o.Subject)
	if err == nil {
		defer func() { _ = file.Close() }() // only read
		info, err := file.Stat()
		if err != nil {
			return nil, lang.Errorf("read %s: %w", o.Subject, err)
		}
		if info.IsDir() {
			return nil, usagef("%s is a folder: give a log file, an error text, a code or an id", o.Subject)
		}
		return set.Text(&until{ctx, file}, system)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, lang.Errorf("read the text: %w", err)
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
		meant := ""
		if names := near.Names(o.Subject, pageNames()); len(names) > 0 {
			meant = lang.F("; did you mean %s?", strings.Join(names, ", "))
		}
		return nil, usagef("there is no page for %q, no recipe, file or known code of that name: give an id that doctor shows in brackets, a recipe's name, a log file, or an error text%s", o.Subject, meant)
	}
	return result, err
}

// systemHere is this system as rules name it.
func systemHere() string {
	return cmp.Or(map[string]string{"darwin": "macos"}[runtime.GOOS], runtime.GOOS)
}

// addHere adds to the matches what is so on a machine: the findings of their pages, of
// the first recipe for its system that has them. from is as openHost's, or "here".
func addHere(ctx context.Context, from string, r *explain.Result) error {
	if from == "here" {
		from = ""
	}
	_, f, err := lookAt(ctx, from, false)
	if err != nil {
		return err
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		return err
	}
	all, err := recipes.Embedded()
	if err != nil {
		return lang.Errorf("read the recipes: %w", err)
	}
	open := map[string][]int{} // page → matches without a finding
	for i := range r.Matches {
		if page := r.Matches[i].Page; page != "" {
			open[page] = append(open[page], i)
		}
	}
	for _, recipe := range all {
		if len(open) == 0 {
			break
		}
		if !judge.ForSystem(recipe, f.OS.Family) {
			continue
		}
		for _, x := range judge.Evaluate(recipe, tables, f).Findings {
			if len(open[x.ID]) == 0 || x.State == judge.Skipped || x.Found == "" {
				continue
			}
			for _, i := range open[x.ID] {
				r.Matches[i].Here = &explain.Here{State: string(x.State), Found: x.Found, Fix: x.Fix}
			}
			delete(open, x.ID)
		}
	}
	return nil
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
	for i, m := range r.Machines {
		if len(r.Machines) > 1 {
			fmt.Fprint(&out, lang.F("Machine %d\n", i+1))
		}
		for _, one := range m.Reports {
			writeReport(&out, one, width)
		}
	}
	if len(r.Machines) > 0 && len(r.Matches) > 0 {
		out.WriteString("\n")
	}
	if len(r.Matches) == 0 && len(r.Machines) == 0 {
		out.WriteString(lang.T("No rule of deployctl knows this.\n"))
		if r.FirstError != nil {
			fmt.Fprint(&out, lang.F("The first line that looks like an error:\n  %d: %s\n", r.FirstError.Line, r.FirstError.Text))
		}
	}
	for i, m := range r.Matches {
		if i == maxExplained {
			fmt.Fprint(&out, lang.F("\nNot shown: %d more. --format json has all of them.\n", len(r.Matches)-i))
			break
		}
		if i > 0 {
			out.WriteString("\n")
		}
		note := ""
		if m.Rank == explain.FollowOn {
			note = lang.T(", follows from another error")
		}
		fmt.Fprint(&out, lang.F("%s  (confidence %.0f %%%s)\n", m.Class, 100*m.Confidence, note))
		if r.Kind != explain.KindCode {
			fmt.Fprint(&out, lang.F("  line %d: %s\n", m.Line, m.Evidence))
		}
		row := func(name, text string) {
			for j, part := range strings.Split(text, "\n") {
				if j > 0 {
					name = ""
				}
				fmt.Fprintf(&out, "  %s %s\n", runewidth.FillRight(name, 6), report.Wrap(part, 9, width))
			}
		}
		row(lang.T("cause"), m.Cause)
		if m.Fix != "" {
			row(lang.T("fix"), m.Fix)
		}
		if m.Here != nil {
			row(lang.T("here"), m.Here.Found)
			if m.Here.Fix != "" && m.Here.State != string(judge.OK) {
				row("", m.Here.Fix)
			}
		}
		if m.Page != "" {
			row(lang.T("page"), "deployctl explain "+m.Page)
		}
		if m.Rank == explain.FollowOn && i == 0 && r.FirstError != nil && r.FirstError.Line < m.Line {
			fmt.Fprint(&out, lang.F("  The first line that looks like an error:\n  %d: %s\n", r.FirstError.Line, r.FirstError.Text))
		}
	}
	_, err := io.WriteString(c.Text(), out.String())
	return err
}

// writeReport prints what was read of a report.
func writeReport(out *strings.Builder, r dump.Report, width int) {
	fmt.Fprint(out, lang.F("%s  (line %d)\n", r.Kind, r.Line))
	for _, key := range slices.Sorted(maps.Keys(r.Facts)) {
		name := strings.ReplaceAll(key, "_", " ")
		switch v := r.Facts[key].(type) {
		case []map[string]any:
			for _, one := range v {
				fmt.Fprintf(out, "  %-20s %s\n", strings.TrimSuffix(name, "s"), report.Wrap(oneLine(one), 23, width))
			}
		case []string:
			fmt.Fprintf(out, "  %-20s %s\n", name, report.Wrap(strings.Join(v, " "), 23, width))
		default:
			fmt.Fprintf(out, "  %-20s %s\n", name, report.Wrap(fmt.Sprint(v), 23, width))
		}
	}
}

// oneLine is one of several things as words: its name or path first.
func oneLine(one map[string]any) string {
	var parts []string
	add := func(key string) {
		if v, ok := one[key]; ok && fmt.Sprint(v) != "" {
			parts = append(parts, fmt.Sprint(v))
		}
	}
	for _, key := range []string{"index", "name", "path", "version", "display_version", "product", "type", "driver"} {
		add(key)
	}
	if v, ok := one["memory_mib"]; ok {
		parts = append(parts, lang.F("%d MiB", v))
	}
	if devices, ok := one["devices"].([]map[string]any); ok {
		for _, d := range devices {
			parts = append(parts, lang.F("device %s", oneLine(d)))
		}
	}
	return strings.Join(parts, ", ")
}
