package report

import (
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

var link = lazyregexp.New(`\[([^\]]+)\]\(([^)]+)\)`)

var emphasis = lazyregexp.New(`\*\*([^*]+)\*\*`)

// Page draws a page's Markdown for a terminal: wrapped, with headings and bold words
// in bold where there is color, and each row of a table as a list. Code blocks stay as
// they are.
func Page(markdown string, s Style) string {
	bold := func(text string) string {
		if s.Color {
			return "\x1b[1m" + text + "\x1b[0m"
		}
		return text
	}
	var out strings.Builder
	var heads []string // of the table that is read
	code := false
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		bare := strings.TrimLeft(line, " ")
		switch {
		case strings.HasPrefix(bare, "```"):
			code = !code
			continue
		case code:
			out.WriteString("    " + line + "\n")
			continue
		case strings.HasPrefix(bare, "|"):
			if cells := cells(bare); heads == nil {
				heads = cells
			} else {
				out.WriteString(row(heads, cells, bold, s.Width))
			}
			continue
		case strings.HasPrefix(bare, "#"):
			out.WriteString(bold(strings.TrimSpace(strings.TrimLeft(bare, "#"))) + "\n")
			continue
		}
		heads = nil
		hang := len(line) - len(bare)
		if strings.HasPrefix(bare, "- ") || strings.HasPrefix(bare, "* ") {
			hang += 2
		}
		text := line[:hang] + Wrap(plain(line[hang:]), hang, s.Width)
		out.WriteString(emphasis.Get().ReplaceAllStringFunc(text, func(m string) string { return bold(m[2 : len(m)-2]) }) + "\n")
	}
	return out.String()
}

// cells are those of a line of a table.
func cells(line string) []string {
	line = strings.ReplaceAll(strings.Trim(line, "| "), `\|`, "\x00")
	var out []string
	for cell := range strings.SplitSeq(line, "|") {
		out = append(out, strings.TrimSpace(strings.ReplaceAll(cell, "\x00", "|")))
	}
	return out
}

// row draws a row of a table: its first cell, and below it the others with the heads of
// their columns. The line that separates the heads is nothing.
func row(heads, cells []string, bold func(string) string, width int) string {
	if strings.Trim(cells[0], "-: ") == "" {
		return ""
	}
	out := "\n" + bold(strings.ReplaceAll(plain(cells[0]), "`", "")) + "\n"
	for i, cell := range cells[1:] {
		if cell == "" || i+1 >= len(heads) {
			continue
		}
		out += "  " + Wrap(heads[i+1]+": "+plain(cell), 4, width) + "\n"
	}
	return out
}

// plain shows the text of a link, and its address where that is one on the web.
func plain(text string) string {
	return link.Get().ReplaceAllStringFunc(text, func(m string) string {
		parts := link.FindStringSubmatch(m)
		if strings.HasPrefix(parts[2], "http") {
			return parts[1] + " (" + parts[2] + ")"
		}
		return parts[1]
	})
}
