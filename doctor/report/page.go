package report

import (
	"regexp"
	"strings"
	"sync"
)

var emphasis = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\*\*([^*]+)\*\*`) })

// Page draws a page's Markdown for a terminal: wrapped, with headings and bold words
// in bold where there is color. Code blocks and tables stay as they are.
func Page(markdown string, s Style) string {
	bold := func(text string) string {
		if s.Color {
			return "\x1b[1m" + text + "\x1b[0m"
		}
		return text
	}
	var out strings.Builder
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
			out.WriteString(line + "\n")
			continue
		case strings.HasPrefix(bare, "#"):
			out.WriteString(bold(strings.TrimSpace(strings.TrimLeft(bare, "#"))) + "\n")
			continue
		}
		hang := len(line) - len(bare)
		if strings.HasPrefix(bare, "- ") || strings.HasPrefix(bare, "* ") {
			hang += 2
		}
		text := line[:hang] + Wrap(line[hang:], hang, s.Width)
		out.WriteString(emphasis().ReplaceAllStringFunc(text, func(m string) string { return bold(m[2 : len(m)-2]) }) + "\n")
	}
	return out.String()
}

// Near gives those of the names that a word may have been meant as, the nearest
// first: names that begin with it, and names that differ in a few letters. At most
// five are given.
func Near(word string, names []string) []string {
	const most = 5
	var out []string
	word = strings.ToLower(word)
	for _, name := range names {
		if strings.HasPrefix(name, word) {
			out = append(out, name)
		}
	}
	for distance := 1; distance <= max(1, len(word)/4) && len(out) < most; distance++ {
		for _, name := range names {
			if edits(word, name) == distance && !strings.HasPrefix(name, word) {
				out = append(out, name)
			}
		}
	}
	return out[:min(most, len(out))]
}

// edits is the number of letters that are to be added, removed, replaced or swapped with
// their neighbor (the optimal string alignment distance).
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
