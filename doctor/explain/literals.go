package explain

// literals finds many short texts in one pass over a line (Aho and Corasick,
// "Efficient string matching", 1975). Upper and lower case of ASCII are the same.
// It makes reading a large log cheap: only a line that holds a rule's literal is
// tried with the rule's regular expression.
type literals struct {
	class [256]uint8 // the column of a byte; 0 for bytes that no literal has
	width int
	next  []int32   // state*width + column → state
	out   [][]int32 // the literals that end in a state
}

// newLiterals builds the automaton; the texts are lower case and not empty.
func newLiterals(texts []string) *literals {
	l := &literals{width: 1}
	for _, text := range texts {
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
}

// find calls hit for each literal in the line, with the index after its last byte.
func (l *literals) find(line []byte, hit func(id int32, end int)) {
	state := 0
	for i, b := range line {
		state = int(l.next[state*l.width+int(l.class[b])])
		for _, id := range l.out[state] {
			hit(id, i+1)
		}
	}
}
