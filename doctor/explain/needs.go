package explain

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// needs are what every match of an expression holds. Looking for them costs a small part of
// what the expression does, and few lines that have a rule's literal have all of them.
type needs []need

// need is a text in lower case, or one of several needs.
type need struct {
	text string
	any  []needs
}

// in reports whether a text, in the form of folded, has what is needed.
func (n needs) in(lower string) bool {
	for _, one := range n {
		if one.text != "" && !strings.Contains(lower, one.text) {
			return false
		}
		if len(one.any) > 0 && !slices.ContainsFunc(one.any, func(n needs) bool { return n.in(lower) }) {
			return false
		}
	}
	return true
}

// folded is a text in lower case of ASCII, with the two other letters that an expression
// without regard to case takes for one of ASCII.
func folded(text string) string {
	lower := lowered(text)
	if strings.ContainsFunc(lower, func(r rune) bool { return r >= utf8.RuneSelf }) {
		lower = strings.NewReplacer("ſ", "s", "\u212a", "k").Replace(lower)
	}
	return lower
}

// needsOf gives the needs of an expression, none for one that does not compile.
func needsOf(expr string) needs {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	return needsIn(re)
}

// shortest is the shortest text that is worth looking for.
const shortest = 2

func needsIn(re *syntax.Regexp) needs {
	switch re.Op {
	case syntax.OpLiteral:
		text := ""
		for _, part := range strings.FieldsFunc(lowered(string(re.Rune)), func(r rune) bool { return r >= utf8.RuneSelf }) {
			if len(part) > len(text) {
				text = part
			}
		}
		if len(text) >= shortest {
			return needs{{text: text}}
		}
	case syntax.OpConcat:
		var all needs
		for _, sub := range re.Sub {
			all = append(all, needsIn(sub)...)
		}
		return all
	case syntax.OpCapture, syntax.OpPlus:
		return needsIn(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needsIn(re.Sub[0])
		}
	case syntax.OpAlternate:
		var branches []needs
		for _, sub := range re.Sub {
			branch := needsIn(sub)
			if len(branch) == 0 {
				return nil
			}
			branches = append(branches, branch)
		}
		return needs{{any: branches}}
	}
	return nil
}
