package explain

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// literals finds many short texts in one pass over a line (Aho and Corasick,
// "Efficient string matching", 1975). Upper and lower case of ASCII are the same.
// It makes reading a large log cheap: only a line that holds a rule's literal is
// tried with the rule's regular expression.
type literals struct {
	// other finds the texts that are not ASCII. They have many more bytes, which would make
	// the automaton of all lines too large for the processor's cache. It is nil for none.
	other *literals

	class [256]uint8 // the column of a byte; 0 for bytes that no literal has
	width int
	next  []int32   // state*width + column → state
	out   [][]int32 // the literals that end in a state
	// step is next as find uses it: the index of the state's first column, and the
	// complement of that where a literal ends.
	step []int32
}

// newLiterals builds the automata; the texts are lower case and not empty.
func newLiterals(texts []string) *literals {
	ascii := func(text string) bool {
		return !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
	}
	l := automaton(texts, ascii)
	if !slices.ContainsFunc(texts, func(text string) bool { return !ascii(text) }) {
		return l
	}
	l.other = automaton(texts, func(text string) bool { return !ascii(text) })
	return l
}

// automaton is one that finds those of the texts that are wanted.
func automaton(texts []string, wanted func(text string) bool) *literals {
	l := &literals{width: 1}
	for _, text := range texts {
		if !wanted(text) {
			continue
		}
		for i := range len(text) {
			if l.class[text[i]] == 0 {
				l.class[text[i]] = uint8(l.width)
				l.width++
			}
		}
	}
	for c := 'a'; c <= 'z'; c++ {
		l.class[c-'a'+'A'] = l.class[c]
	}
	add := func() int32 {
		for range l.width {
			l.next = append(l.next, -1)
		}
		l.out = append(l.out, nil)
		return int32(len(l.out) - 1)
	}
	add()
	for id, text := range texts {
		if !wanted(text) {
			continue
		}
		state := int32(0)
		for i := range len(text) {
			at := int(state)*l.width + int(l.class[text[i]])
			if l.next[at] < 0 {
				to := add() // moves l.next
				l.next[at] = to
			}
			state = l.next[at]
		}
		l.out[state] = append(l.out[state], int32(id))
	}
	l.link()
	return l
}

// link fills in where a state goes when no literal continues: to the longest
// suffix that begins another.
func (l *literals) link() {
	fail := make([]int32, len(l.out))
	var queue []int32
	for c := range l.width {
		if to := l.next[c]; to > 0 {
			queue = append(queue, to)
		} else {
			l.next[c] = 0
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		for c := range l.width {
			at, other := int(state)*l.width+c, l.next[int(fail[state])*l.width+c]
			to := l.next[at]
			if to < 0 {
				l.next[at] = other
				continue
			}
			fail[to] = other
			l.out[to] = append(l.out[to], l.out[other]...)
			queue = append(queue, to)
		}
	}
	l.step = make([]int32, len(l.next))
	for i, to := range l.next {
		l.step[i] = to * int32(l.width)
		if len(l.out[to]) > 0 {
			l.step[i] = ^l.step[i]
		}
	}
}

// find calls hit for each literal in the line, with the index after its last byte.
func (l *literals) find(line []byte, hit func(id int32, end int)) {
	state, seen := int32(0), byte(0)
	for i, b := range line {
		seen |= b
		state = l.step[state+int32(l.class[b])]
		if state < 0 {
			state = ^state
			for _, id := range l.out[int(state)/l.width] {
				hit(id, i+1)
			}
		}
	}
	if seen >= utf8.RuneSelf && l.other != nil {
		l.other.find(line, hit)
	}
}
