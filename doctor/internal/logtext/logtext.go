// Package logtext owns reading texts as a person would read them: UTF-16 with a byte
// order mark, terminal colors, NULs, carriage returns, and what build services,
// logs and mail programs put before a line. It must never decide what a text means.
package logtext

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Reader gives a text's lines as a person would read them: UTF-16 with a byte
// order mark as UTF-8, without NULs, terminal escapes and carriage returns.
type Reader struct {
	// N is the number of the last line, from 1.
	N int
	r *bufio.Reader
}

// NewReader reads lines of at most size bytes; what a line has over that is skipped.
func NewReader(r io.Reader, size int) *Reader {
	// Without a byte order mark the bytes stay what they are.
	decode := unicode.BOMOverride(transform.Nop)
	return &Reader{r: bufio.NewReaderSize(transform.NewReader(r, decode), size)}
}

// Next gives the next line without its end. The bytes are good until the next
// call. What a line has over the reader's size is skipped. The error is io.EOF at the end,
// or says what could not be read.
func (l *Reader) Next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, lang.Errorf("read the text: %w", err)
	}
	if err != nil && len(line) == 0 {
		return nil, io.EOF
	}
	l.N++
	line = bytes.TrimRight(line, "\r\n")
	if bytes.IndexByte(line, 0x1b) >= 0 || bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0 || bytes.IndexByte(line, '\b') >= 0 {
		line = clean(line)
	}
	return line, nil
}

// Text reads the beginning of a text, at most size bytes of it.
func Text(r io.Reader, size int) (string, error) {
	lines := NewReader(r, 1<<20)
	var out strings.Builder
	for out.Len() < size {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	return out.String(), nil
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

// prefix is what may stand before a line.
var prefix = lazyregexp.New(`^(?:` + strings.Join([]string{
	`(?:> ?)+`,                          // a quote
	`##\[[a-z]+\]`,                      // GitHub and Azure commands
	`::(?:error|warning|notice)[^:]*::`, // GitHub commands
	`\d\d[OE][+ ]`,                      // GitLab: the stream of a line
	`#\d+ \d+\.\d+ `, `#\d+ `,           // BuildKit: step and seconds
	`[A-Za-z][A-Za-z0-9_.-]{0,60} +\| `,                                 // docker compose
	`[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ [A-Za-z0-9_./-]+(?:\[\d+\])?: `, // syslog
	`\[ *\d+\.\d+\] `, // the kernel
	`\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]? ?`, // ISO 8601
	`\[\d\d:\d\d:\d\d\] `,
	` {0,4}\d+>`, // a project of MSBuild
}, `|`) + `)`)

// columns are the job and the step of gh run view. They are apart from prefix, which is
// several times faster without them.
var columns = lazyregexp.New(`^[^\t|>][^\t|]{0,79}\t[^\t|]{1,80}\t`)

// maxColumns is how far columns reach, in bytes.
const maxColumns = 2 * (80*utf8.UTFMax + 1)

// prefixOf is what stands before a line, "" for nothing.
func prefixOf(line string) string {
	if strings.Count(line[:min(len(line), maxColumns)], "\t") >= 2 {
		if m := columns.FindString(line); m != "" {
			return m
		}
	}
	return prefix.FindString(line)
}

// errorList is the start of a line of Visual Studio's error list as the clipboard
// has it: severity (which people leave out) and code are columns, and not the job and
// step of a CI log.
var errorList = lazyregexp.New(`(?:^|\t)(?:LNK|MSB|NVCC|CS|RC|C|D)\d{3,5}\t`)

// mayHavePrefix is a cheap test before prefix, which most lines fail: it costs far more
// than all else that is done with a line.
func mayHavePrefix(line string) bool {
	if line == "" {
		return false
	}
	switch c := line[0]; {
	case c >= '0' && c <= '9' || strings.IndexByte(">#:[", c) >= 0:
		return true
	case c == ' ': // a project of MSBuild
		rest := strings.TrimLeft(line, " ")
		return rest != "" && rest[0] >= '0' && rest[0] <= '9' || tabOrBar(line)
	case len(line) > 15 && line[3] == ' ' && line[6] == ' ' && line[9] == ':': // syslog
		return true
	}
	return tabOrBar(line)
}

// tabOrBar: the columns of gh run view, or the name of Docker Compose.
func tabOrBar(line string) bool {
	return strings.IndexByte(line[:min(len(line), 162)], '\t') >= 0 || strings.Contains(line[:min(len(line), 80)], " |")
}

// Unprefixed is the line without what build services, logs and quotes put before it.
// What it is indented by stays.
func Unprefixed(line string) string {
	for range 6 {
		if !mayHavePrefix(line) {
			break
		}
		m := prefixOf(line)
		if m == "" || errorList.MatchString(m) {
			break
		}
		line = line[len(m):]
	}
	return line
}
