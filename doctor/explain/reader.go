package explain

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// maxLine is how much of a line is looked at, in bytes; an example has shorter ones.
const (
	maxLine    = 1 << 20
	maxExample = 1 << 12
)

// lineReader gives a text's lines as a person would read them: UTF-16 with a byte
// order mark as UTF-8, without NULs, terminal escapes and carriage returns.
type lineReader struct {
	r *bufio.Reader
	n int // the number of the last line, from 1
}

func newLineReader(r io.Reader, size int) *lineReader {
	// Without a byte order mark the bytes stay what they are.
	decode := unicode.BOMOverride(transform.Nop)
	return &lineReader{r: bufio.NewReaderSize(transform.NewReader(r, decode), size)}
}

// next gives the next line without its end. The bytes are good until the next
// call. What a line has over the reader's size is skipped. The error is io.EOF at the end,
// or says what could not be read.
func (l *lineReader) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the text: %w", err)
	}
	if err != nil && len(line) == 0 {
		return nil, io.EOF
	}
	l.n++
	line = bytes.TrimRight(line, "\r\n")
	if bytes.IndexByte(line, 0x1b) >= 0 || bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0 || bytes.IndexByte(line, '\b') >= 0 {
		line = clean(line)
	}
	return line, nil
}

// clean removes control bytes and terminal escapes (ECMA-48) in place. A carriage
// return within a line, as progress bars write it, becomes a blank.
func clean(line []byte) []byte {
	out := line[:0]
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case b == 0x1b:
			i = escapeEnd(line, i)
		case b == '\r':
			out = append(out, ' ')
		case b >= ' ' || b == '\t':
			out = append(out, b)
		}
	}
	return out
}

// escapeEnd is the index of the last byte of the escape sequence that begins at i.
func escapeEnd(line []byte, i int) int {
	if i+1 >= len(line) {
		return i
	}
	switch line[i+1] {
	case '[': // a control sequence ends with a byte from @ to ~
		for j := i + 2; j < len(line); j++ {
			if line[j] >= '@' && line[j] <= '~' {
				return j
			}
		}
		return len(line) - 1
	case ']': // an operating system command ends with BEL or ESC \
		for j := i + 2; j < len(line); j++ {
			if line[j] == 7 || line[j] == '\\' && line[j-1] == 0x1b {
				return j
			}
		}
		return len(line) - 1
	}
	return i + 1
}

// prefix is what build services and logs put before a line.
var prefix = lazyregexp.New(`^(?:` + strings.Join([]string{
	`(?:> ?)+`,                          // a quote
	`[^\t|]{1,80}\t[^\t|]{1,80}\t`,      // gh run view: job, step
	`##\[[a-z]+\]`,                      // GitHub and Azure commands
	`::(?:error|warning|notice)[^:]*::`, // GitHub commands
	`\d\d[OE][+ ]`,                      // GitLab: the stream of a line
	`#\d+ \d+\.\d+ `, `#\d+ `,           // BuildKit: step and seconds
	`[A-Za-z][A-Za-z0-9_.-]{0,60} +\| `,                                 // docker compose
	`[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ [A-Za-z0-9_./-]+(?:\[\d+\])?: `, // syslog
	`\[ *\d+\.\d+\] `, // the kernel
	`\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]? *`, // ISO 8601
	`\[\d\d:\d\d:\d\d\] `,
	` {0,4}\d+>`, // a project of MSBuild
}, `|`) + `)`)

// unprefixed is the line without those.
func unprefixed(line string) string {
	for range 6 {
		m := prefix.FindString(line)
		if m == "" {
			break
		}
		line = line[len(m):]
	}
	return line
}

// quotes makes one kind of quotation mark of those that compilers write, which
// depend on the language.
var quotes = strings.NewReplacer("‘", "'", "’", "'", "`", "'", "“", "'", "”", "'", "«", "'", "»", "'", "\"", "'")

// plain is a line in the form that rules are written for: one kind of quotation
// mark, no prefix.
func plain(line string) string { return quotes.Replace(unprefixed(strings.ToValidUTF8(line, "?"))) }

// maxEvidence bounds what is shown of a line, in bytes.
const maxEvidence = 400

// excerpt is a line as evidence, shortened around the place that matters.
func excerpt(line string, at int) string {
	line = strings.ToValidUTF8(line, "?")
	if len(line) > maxEvidence {
		from := min(max(0, at-maxEvidence/2), len(line)-maxEvidence)
		line = strings.ToValidUTF8(line[from:from+maxEvidence], "")
	}
	return strings.TrimSpace(unprefixed(line))
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
	strong = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\berror\b\s*(?:[a-z]+\d+)?\s*:|^\s*\[?error\b|\bfatal\b|cmake error|traceback \(most recent|undefined reference|^panic:|[a-z]error: |exception: |\*\*\*.*error|npm err!`)
	})
	// harmless is a line that only counts or names errors.
	harmless = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\b(?:0|no) errors?\b|\berrors?: *0\b|-werror|\berror[-_./]|[-_/.]error\b|ignored`)
	})
)
