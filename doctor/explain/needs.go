package explain

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
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

// branch is one of the alternatives of an expression.
type branch struct {
	needs      needs
	expression func() *regexp.Regexp
}

// branchesOf gives the alternatives of an expression, of which every match is one of. Each
// is far smaller than all together, and so is the time to try it.
func branchesOf(expr string) []branch {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil { // the linter reports it
		return nil
	}
	subs := []*syntax.Regexp{re}
	if re.Op == syntax.OpAlternate {
		subs = re.Sub
	}
	var out []branch
	for _, sub := range subs {
		out = append(out, branch{needsIn(sub), sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(sub.String()) })})
	}
	return out
}

// mayMatch reports whether a line, which is given in the form of folded as well, has what
// one of the alternatives needs, and after many lines also whether it matches that: to
// compile it is worth the time only then.
func mayMatch(branches []branch, line, lower string, many bool) bool {
	return slices.ContainsFunc(branches, func(b branch) bool {
		return b.needs.in(lower) && (!many || b.expression().MatchString(line))
	})
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
