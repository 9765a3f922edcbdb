package console

import "strings"

// UnicodeLocale reports whether the locale of the environment has Unicode: the first of
// LC_ALL, LC_CTYPE and LANG that is set decides. Where none is, as in a container, the
// terminal is that of another machine, and those have been Unicode for a long time.
func UnicodeLocale(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToUpper(env(name)); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return true
}

// plain are the characters that texts use beyond ASCII, in ASCII.
var plain = strings.NewReplacer(
	"…", "...", "·", "-", "×", "x", "→", "->", "←", "<-", "−", "-", "–", "-", "—", "-", "✓", "+", "✗", "x",
	"≥", ">=", "≤", "<=", "≠", "!=", "±", "+-", "°", " deg", "µ", "u", "‖", "|", "√", "sqrt ", "σ", "sigma", "ε", "eps",
	"‘", "'", "’", "'", "“", `"`, "”", `"`, "«", `"`, "»", `"`, "½", "1/2", "\u00a0", " ",
	"é", "e", "è", "e", "ü", "u", "ö", "o", "ä", "a", "ß", "ss", "ñ", "n", "ç", "c",
)

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹"

// inASCII is a character in ASCII, "?" for one that has no equivalent. 10⁻⁶ becomes
// 10^-6: raised says whether the character before was part of the exponent, and then
// whether this one is.
func inASCII(r rune, raised bool) (string, bool) {
	power := "^"
	if raised {
		power = ""
	}
	digit := 0
	for _, s := range superscripts {
		if r == s {
			return power + string(rune('0'+digit)), true
		}
		digit++
	}
	switch r {
	case '⁻':
		return power + "-", true
	case 'ˣ':
		return power + "x", true
	}
	if text := plain.Replace(string(r)); text[0] < 0x80 {
		return text, false
	}
	return "?", false
}
