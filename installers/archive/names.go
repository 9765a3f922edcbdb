package archive

import (
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Why an archive is refused.
type Why string

// The reasons. They are the same on every system, so that an archive that one
// machine takes is taken by all.
const (
	BadName     Why = "a name that no file system keeps as it is"            // not UTF-8, control characters, empty
	Absolute    Why = "an absolute path"                                     // /x, C:\x, \\server\x
	Escapes     Why = "a path that leaves the folder"                        // ..
	Reserved    Why = "a name that Windows reserves or changes"              // CON, x., x:stream, a\b
	TooLong     Why = "a name that is too long"                              //
	Clash       Why = "two entries that are the same file on some systems"   // a and A, é twice, file and folder
	ThroughLink Why = "an entry inside a link"                               //
	LinkOut     Why = "a link that leads out of the folder"                  //
	BadLink     Why = "a hard link to an entry that does not come before it" // hard links
	Special     Why = "a device, pipe or other special file"                 //
	TooMany     Why = "more entries than allowed"                            //
	TooBig      Why = "more bytes than allowed"                              // entry or sum
	Bomb        Why = "far more bytes than an archive of its size can hold"  // ratio
	Damaged     Why = "it is damaged"                                        // checksum, cut short, headers
	Unsupported Why = "it is written in a way that is not supported"         // encryption, methods
)

const (
	maxName = 255  // bytes of one part, the limit of ext4, NTFS and APFS (roughly)
	maxPath = 1024 // bytes of a path
	maxDeep = 64   // parts of a path
)

// clean gives the slash-separated path of an entry's name, without "./" and
// doubled or trailing slashes; "." for the root. Every way to name something
// outside, or something that a system would store under another name, is
// refused.
func clean(name string) (string, Why) {
	if name == "" || !utf8.ValidString(name) {
		return "", BadName
	}
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, `\`) || len(name) >= 2 && name[1] == ':' {
		return "", Absolute
	}
	if len(name) > maxPath {
		return "", TooLong
	}
	var parts []string
	for _, p := range strings.Split(name, "/") {
		switch p {
		case "", ".":
			continue
		case "..":
			return "", Escapes
		}
		if why := part(p); why != "" {
			return "", why
		}
		parts = append(parts, p)
	}
	if len(parts) > maxDeep {
		return "", TooLong
	}
	return path.Join(append([]string{"."}, parts...)...), ""
}

// part judges one part of a path. Windows' rules: "Naming Files, Paths, and
// Namespaces", learn.microsoft.com.
func part(p string) Why {
	if len(p) > maxName {
		return TooLong
	}
	for _, r := range p {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return BadName // would also hide what the name is
		case strings.ContainsRune(`\:*?"<>|`, r):
			return Reserved
		}
	}
	if strings.HasSuffix(p, ".") || strings.HasSuffix(p, " ") {
		return Reserved // Windows drops them: "x." is x
	}
	stem, _, _ := strings.Cut(p, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return Reserved
	}
	if rest, ok := strings.CutPrefix(stem, "COM"); ok && digit(rest) {
		return Reserved
	}
	if rest, ok := strings.CutPrefix(stem, "LPT"); ok && digit(rest) {
		return Reserved
	}
	return ""
}

// digit: also the superscripts count for Windows.
func digit(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n == len(s) && (r >= '0' && r <= '9' || r == '¹' || r == '²' || r == '³')
}

// names remembers what an archive has put where.
type names struct {
	fold  cases.Caser
	spelt map[string]string // folded path → the path as first spelt
	kind  map[string]kind   // by path
}

type kind byte

const (
	folder kind = iota + 1
	file
	link
)

func newNames() *names {
	return &names{fold: cases.Fold(), spelt: map[string]string{}, kind: map[string]kind{".": folder}}
}

// add records a path and the folders above it. It refuses a second entry for
// a path, one that differs from another only in case or in the way of writing
// accents, and one that passes through a file or a link.
func (n *names) add(p string, k kind) Why {
	if p == "." {
		if k != folder {
			return Clash
		}
		return ""
	}
	if why := n.add(path.Dir(p), folder); why != "" {
		return why
	}
	key := norm.NFC.String(n.fold.String(norm.NFC.String(p)))
	if first, ok := n.spelt[key]; ok && first != p {
		return Clash
	}
	switch old := n.kind[p]; {
	case old == 0:
	case old == folder && k == folder:
		return ""
	case old == link && k == folder:
		return ThroughLink
	default:
		return Clash
	}
	n.spelt[key], n.kind[p] = p, k
	return ""
}

// linkTarget judges where a symbolic link at p leads, and gives the target in
// slashes. ".." may only stand at the beginning: behind a name, which may be a
// link itself, it would lead above wherever that link leads.
func linkTarget(p, target string) (string, Why) {
	if target == "" || !utf8.ValidString(target) {
		return "", BadName
	}
	if strings.HasPrefix(target, "/") || strings.HasPrefix(target, `\`) || len(target) >= 2 && target[1] == ':' {
		return "", LinkOut
	}
	deep := strings.Count(p, "/")
	named := false
	for _, x := range strings.Split(target, "/") {
		switch x {
		case "", ".":
		case "..":
			if deep--; named || deep < 0 {
				return "", LinkOut
			}
		default:
			named = true
			if why := part(x); why != "" {
				return "", why
			}
		}
	}
	return target, ""
}
