// Package near finds the known name that a mistyped one was probably meant as, and words
// the error about it. It owns the distance between two words. It must never know what the
// names are for.
package near

import (
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Unknown is the error for a value that is not among the known ones of what: a flag
// ("--engine") or a noun. It has the nearest one, or all where none is near. Nothing is
// guessed of three letters or less, as gpu is not a mistyped cpu, nor where only numbers
// differ: debian:11 is not debian:12.
func Unknown(what, value string, known []string) error {
	if value == "" {
		value = `""`
	}
	if names := Names(value, known); len(value) > 3 && len(names) > 0 && letters(value) != letters(names[0]) {
		return lang.Errorf("%s %s is unknown; did you mean %s?", what, value, names[0])
	}
	return lang.Errorf("%s %s is unknown: use %s", what, value, lang.List(known, true))
}

// letters leaves out the digits of a word.
func letters(word string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, strings.ToLower(word))
}

// Names gives those of the names that a word may have been meant as, the nearest
// first: names that begin with it, and names that differ in a few letters. At most
// five are given.
func Names(word string, names []string) []string {
	const most = 5
	if len(word) > 64 { // not a name
		return nil
	}
	var out []string
	word = strings.ToLower(word)
	for _, name := range names {
		if strings.HasPrefix(name, word) {
			out = append(out, name)
		}
	}
	for distance := 1; distance <= max(1, len(word)/4) && len(out) < most; distance++ {
		for _, name := range names {
			if Distance(word, name) == distance && !strings.HasPrefix(name, word) {
				out = append(out, name)
			}
		}
	}
	return out[:min(most, len(out))]
}

// Distance counts insertions, deletions, replacements and swaps of neighbors
// (optimal string alignment) between two short words.
func Distance(a, b string) int {
	ra, rb := []rune(a), []rune(b)
	rows := make([][]int, len(ra)+1)
	for i := range rows {
		rows[i] = make([]int, len(rb)+1)
		rows[i][0] = i
	}
	for j := range rb {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(ra); i++ {
		for j := 1; j <= len(rb); j++ {
			cost := 1
			if ra[i-1] == rb[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && ra[i-1] == rb[j-2] && ra[i-2] == rb[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(ra)][len(rb)]
}
