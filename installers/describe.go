package installers

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
)

// Describe writes the whole plan for consent: each step with its effect, needs,
// cost, exact command and undo, then what is left to do by hand.
func (p *Plan) Describe(w io.Writer) error {
	b := bufio.NewWriter(w)
	if len(p.Steps) > 0 {
		cost := p.Cost()
		cost.Note = ""
		fmt.Fprintf(b, "Plan: %s, %s\n", recipes.Count(len(p.Steps), "step"), costText(cost))
	}
	for i, s := range p.Steps {
		fmt.Fprintf(b, "\n%d. %s\n", i+1, step.Clean(s.Title, 200))
		line := func(label, text string) { fmt.Fprintf(b, "   %-8s%s\n", label, text) }
		line("effect", string(s.Effect)+needsText(s))
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
		fmt.Fprintf(b, "\nOnly the steps that need admin run as administrator; deployctl itself does not. Windows\nasks for each of them (UAC), and what they print is not visible to deployctl.\n")
	case p.Elevation.Name != "":
		also := ", and the shell that records them,"
		if p.Elevation.Bare {
			also = ""
		}
		fmt.Fprintf(b, "\nOnly the commands that begin with %s%s run as root; deployctl itself does not.\n", p.Elevation.Path, also)
	}
	if p.Blocked != nil {
		fmt.Fprintf(b, "\nThis plan cannot be applied: %s.\n", p.Blocked)
	}
	if len(p.Manual) > 0 {
		fmt.Fprintf(b, "\nCannot be fixed automatically:\n")
		for _, m := range p.Manual {
			fmt.Fprintf(b, "- %s: %s.\n", m.Requirement, strings.TrimSuffix(m.Reason, "."))
			if m.Do != "" {
				fmt.Fprintf(b, "  By hand: %s\n", m.Do)
			}
		}
	}
	if len(p.Kept) > 0 {
		fmt.Fprintf(b, "\nStays:\n")
		for _, k := range p.Kept {
			fmt.Fprintf(b, "- %s: %s\n", step.Some(k.Names, 12), k.Why)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("show the plan: %w", err)
	}
	return nil
}

func needsText(s Step) string {
	if len(s.Needs) == 0 {
		return ""
	}
	words := make([]string, len(s.Needs))
	for i, n := range s.Needs {
		words[i] = string(n)
	}
	return "; needs " + strings.Join(words, ", ")
}

func costText(c Cost) string {
	var parts []string
	if c.DownloadBytes > 0 || !c.Estimated {
		parts = append(parts, recipes.Size(c.DownloadBytes, c.Estimated)+" to download")
	}
	// What is used on the disk is known only where the sizes are.
	if !c.Estimated {
		parts = append(parts, recipes.FormatBytes(c.DiskBytes)+" of disk")
	}
	if c.Minutes > 0 {
		parts = append(parts, recipes.Duration(c.Minutes))
	}
	text := strings.Join(parts, ", ")
	if c.Note != "" {
		text = strings.TrimSpace(text + " (" + c.Note + ")")
	}
	return text
}
