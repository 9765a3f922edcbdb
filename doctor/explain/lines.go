package explain

import (
	"strings"

	"github.com/deployctl/deployctl/doctor/internal/logtext"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// maxLine is how much of a line is looked at, in bytes; an example has shorter ones.
const (
	maxLine    = 1 << 20
	maxExample = 1 << 12
)

// quotes makes one kind of quotation mark of those that compilers write, which
// depend on the language.
var quotes = strings.NewReplacer("‘", "'", "’", "'", "`", "'", "“", "'", "”", "'", "«", "'", "»", "'", "\"", "'")

// plain is a line in the form that rules are written for: one kind of quotation
// mark, no prefix.
func plain(line string) string {
	return quotes.Replace(logtext.Unprefixed(strings.ToValidUTF8(line, "?")))
}

// maxEvidence bounds what is shown of a line, in bytes.
const maxEvidence = 400

// excerpt is a line as evidence, shortened around the place that matters.
func excerpt(line string, at int) string {
	line = strings.ToValidUTF8(line, "?")
	if len(line) > maxEvidence {
		from := min(max(0, at-maxEvidence/2), len(line)-maxEvidence)
		line = strings.ToValidUTF8(line[from:from+maxEvidence], "")
	}
	return strings.TrimSpace(logtext.Unprefixed(line))
}

// window bounds what a regular expression sees of a long line, in bytes on each
// side of the literal.
const window = 4096

func windowOf(line []byte, end int) []byte {
	if len(line) <= 2*window {
		return line
	}
	return line[max(0, end-window):min(len(line), end+window)]
}

var (
	// strong is a line that reports an error in the form of a tool.
	strong = lazyregexp.New(`(?i)\berror\b\s*(?:[a-z]+\d+)?\s*:|^\s*\[?error\b|\bfatal\b|cmake error|traceback \(most recent|undefined reference|^panic:|[a-z]error: |exception: |\*\*\*.*error|npm err!`)
	// harmless is a line that only counts or names errors.
	harmless = lazyregexp.New(`(?i)\b(?:0|no) errors?\b|\berrors?: *0\b|-werror|\berror[-_./]|[-_/.]error\b|\berror::|ignored`)
)
