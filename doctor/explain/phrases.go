package explain

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Phrase is what a tool says in other languages, and how the same tool says it in
// English. Rules are written for English; a line with a phrase is read in English.
type Phrase struct {
	// To is the English form. $1 stands for the first group of a pattern.
	To string `yaml:"to"`
	// Texts are replaced as they are.
	Texts []string `yaml:"texts,omitempty"`
	// Patterns are for messages that have a name in another place than in English.
	Patterns []PhrasePattern `yaml:"patterns,omitempty"`
}

// PhrasePattern is a message with a part that varies.
type PhrasePattern struct {
	Has     string `yaml:"has"` // a text in each line that the pattern matches
	Pattern string `yaml:"pattern"`
}

// phrase is one text of a Phrase as lines are searched for it.
type phrase struct {
	// expression is compiled when a line has the text: most logs have none.
	expression func() *regexp.Regexp
	to         string
}

// lowered is a text as the search over literals has it, which knows no upper case but
// that of ASCII.
func lowered(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, text)
}

// preparePhrases adds the texts to the literals; add gives the id of one.
func (s *Set) preparePhrases(add func(text string) int) {
	s.phrases = map[int32][]phrase{}
	one := func(text, expression, to string) {
		id := int32(add(lowered(text)))
		s.phrases[id] = append(s.phrases[id], phrase{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) }), to})
	}
	for _, p := range s.Phrases {
		for _, text := range p.Texts {
			// As plain makes of a line, which is what they are looked for in.
			one(text, "(?i)"+regexp.QuoteMeta(quotes.Replace(text)), strings.ReplaceAll(p.To, "$", "$$"))
		}
		for _, pattern := range p.Patterns {
			one(pattern.Has, pattern.Pattern, p.To)
		}
	}
}

// english is a line with the phrases of these literals in English.
func (s *Set) english(line []byte, ids []int32, end int) []byte {
	text := plain(string(windowOf(line, end)))
	for _, id := range ids {
		for _, p := range s.phrases[id] {
			text = p.expression().ReplaceAllString(text, p.to)
		}
	}
	return []byte(text)
}

// lintPhrases gives what is wrong with the phrases.
func lintPhrases(phrases []Phrase) []error {
	var mistakes []error
	for _, p := range phrases {
		if p.To == "" || len(p.Texts)+len(p.Patterns) == 0 {
			mistakes = append(mistakes, fmt.Errorf("phrase %q: it needs an English form, and texts or patterns", p.To))
		}
		for _, pattern := range p.Patterns {
			if _, err := regexp.Compile(pattern.Pattern); err != nil || len(pattern.Has) < 3 {
				mistakes = append(mistakes, fmt.Errorf("phrase %q: has %q must have 3 or more bytes, and pattern %q must compile", p.To, pattern.Has, pattern.Pattern))
			}
		}
	}
	return mistakes
}
