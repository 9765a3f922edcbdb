package installers

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
)

// Describe writes the whole plan for consent: each step with its effect, needs,
// cost, exact command and undo, then what is left to do by hand.
func (p *Plan) Describe(w io.Writer) error {
	b := bufio.NewWriter(w)
	if len(p.Steps) > 0 {
		download, disk, minutes, sure := p.Sum()
		if sure {
			fmt.Fprintf(b, "Plan: %s, %s to download, %s of disk, about %s\n", plural(len(p.Steps), "step"),
				step.Bytes(download), step.Bytes(disk), duration(minutes))
		} else {
			fmt.Fprintf(b, "Plan: %s; not every size is known yet\n", plural(len(p.Steps), "step"))
		}
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
		fmt.Fprintf(b, "\nOnly the commands that begin with %s run as root; deployctl itself does not.\n", p.Elevation.Path)
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
	text := ""
	switch {
	case strings.HasPrefix(c.Note, "unknown"):
		text = "size " + c.Note
	case c.Estimated && c.DownloadBytes == 0 && c.DiskBytes == 0:
		text = "size not known (" + c.Note + ")"
	default:
		text = fmt.Sprintf("%s to download, %s of disk", step.Bytes(c.DownloadBytes), step.Bytes(c.DiskBytes))
		if c.Note != "" {
			text += " (" + c.Note + ")"
		}
	}
	if c.Minutes > 0 {
		text += ", about " + duration(c.Minutes)
	}
	return text
}

func duration(minutes float64) string {
	if minutes < 1 {
		return fmt.Sprintf("%.0f s", minutes*60)
	}
	return fmt.Sprintf("%.1f min", minutes)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
