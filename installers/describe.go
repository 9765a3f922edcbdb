package installers

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Describe writes the whole plan for consent: each step with its effect, needs,
// cost, exact command and undo, then what is left to do by hand.
func (p *Plan) Describe(w io.Writer) error {
	b := bufio.NewWriter(w)
	if len(p.Steps) > 0 {
		cost := p.Cost()
		cost.Note = ""
		fmt.Fprint(b, lang.F("Plan: %s, %s\n", recipes.Count(len(p.Steps), "step"), costText(cost)))
	}
	for i, s := range p.Steps {
		fmt.Fprintf(b, "\n%d. %s\n", i+1, step.Clean(s.Title, 200))
		line := func(label, text string) {
			label = lang.T(label)
			fmt.Fprintf(b, "   %s%s%s\n", label, strings.Repeat(" ", max(1, 8-report.Columns(label))), text)
		}
		line("effect", effects()[s.Effect]+needsText(s))
		line("cost", costText(s.Cost))
		line(what(s))
		if s.Note != "" {
			line("note", s.Note)
		}
		if len(s.Requirements) > 0 {
			line("for", strings.Join(s.Requirements, ", "))
		}
		line("undo", s.Undo)
	}
	switch {
	case p.Elevation.UAC():
		fmt.Fprint(b, lang.F("\nOnly the steps that need administrator rights run with them; deployctl itself does not. Windows\nasks for each of them (UAC), and what they print is not visible to deployctl.\n"))
	case p.Elevation.Name != "":
		also := lang.T(", and the shell that records them,")
		if p.Elevation.Bare {
			also = ""
		}
		fmt.Fprint(b, lang.F("\nOnly the commands that begin with %s%s run as root; deployctl itself does not.\n", p.Elevation.Path, also))
	}
	if p.Blocked != nil {
		fmt.Fprint(b, lang.F("\nThis plan cannot be applied: %s.\n", p.Blocked))
	}
	if len(p.Manual) > 0 {
		fmt.Fprint(b, lang.F("\nCannot be fixed automatically:\n"))
		for _, m := range p.Manual {
			fmt.Fprintf(b, "- %s: %s.\n", m.Requirement, strings.TrimSuffix(m.Reason, "."))
			if m.Do != "" {
				fmt.Fprint(b, lang.F("  By hand: %s\n", m.Do))
			}
		}
	}
	if len(p.Kept) > 0 {
		fmt.Fprint(b, lang.T("\nStays:\n"))
		for _, k := range p.Kept {
			fmt.Fprintf(b, "- %s: %s\n", step.Some(k.Names, 12), k.Why)
		}
	}
	if err := b.Flush(); err != nil {
		return lang.Errorf("show the plan: %w", err)
	}
	return nil
}

// effects and needs are the words for people, in the language that is set.
func effects() map[step.Effect]string {
	return map[step.Effect]string{step.Read: lang.T("changes nothing"), step.Write: lang.T("changes the system"), step.Destructive: lang.T("removes something that was there before")}
}

func needs() map[step.Need]string {
	return map[step.Need]string{step.Admin: lang.T("admin rights"), step.Reboot: lang.T("a restart"), step.NewShell: lang.T("a new terminal"), step.Network: lang.T("a network")}
}

func needsText(s Step) string {
	if len(s.Needs) == 0 {
		return ""
	}
	words := make([]string, len(s.Needs))
	for i, n := range s.Needs {
		words[i] = needs()[n]
	}
	return lang.F("; needs %s", lang.List(words, false))
}

func costText(c Cost) string {
	var parts []string
	if c.DownloadBytes > 0 || !c.Estimated {
		parts = append(parts, lang.F("%s to download", recipes.Size(c.DownloadBytes, c.Estimated)))
	}
	// What is used on the disk is known only where the sizes are.
	if !c.Estimated {
		parts = append(parts, lang.F("%s of disk", recipes.FormatBytes(c.DiskBytes)))
	}
	if c.Minutes > 0 {
		parts = append(parts, recipes.Duration(c.Minutes))
	}
	text := strings.Join(parts, lang.T(", "))
	if c.Note != "" {
		text = strings.TrimSpace(text + " (" + c.Note + ")")
	}
	return text
}
