// Package lang owns the language of the texts that people read: which one it is,
// and the catalog of their translations (zh/*.yaml). English is what the program
// and its data are written in, and costs nothing: the catalog is read only when
// another language is set.
//
// It must never decide what is said, and never translate what programs read: ids,
// commands, names of files, keys. It is below every other package and imports none
// of ours. The language is the one value of the process that is not passed along:
// each text would need it.
package lang

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// Language is one that the program speaks.
type Language string

// The languages. Chinese is Simplified Chinese.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// All are the languages, English first.
func All() []Language { return []Language{English, Chinese} }

//go:embed zh/*.yaml
var files embed.FS

// catalog is the set language's: English text to translation; nil is English.
var catalog atomic.Pointer[map[string]string]

// Set makes a language that of all texts that are made from now on. The error says
// what is wrong with the catalog; the language is English then.
func Set(l Language) error {
	catalog.Store(nil)
	if l == English {
		return nil
	}
	if !slices.Contains(All(), l) {
		return fmt.Errorf("unknown language %q: use en or zh", l)
	}
	texts, err := read(files, string(l))
	if err == nil {
		catalog.Store(&texts)
	}
	return err
}

// Current is the language that is set.
func Current() Language {
	if catalog.Load() == nil {
		return English
	}
	return Chinese
}

// T is a text in the language that is set; one without a translation stays as it is.
func T(text string) string {
	if texts := catalog.Load(); texts != nil {
		if translated, ok := (*texts)[text]; ok {
			return translated
		}
	}
	return text
}

// F is fmt.Sprintf with the translation of a format. That may use the arguments in
// another order (%[2]s).
func F(format string, args ...any) string {
	if false {
		_ = fmt.Sprintf(format, args...) // so that go vet checks the arguments
	}
	return fmt.Sprintf(T(format), args...)
}

// Errorf is fmt.Errorf with the translation of a format.
func Errorf(format string, args ...any) error {
	if false {
		_ = fmt.Errorf(format, args...) // so that go vet checks the arguments
	}
	return fmt.Errorf(T(format), args...)
}

// New is errors.New for an error that is compared (errors.Is) and shown: a variable of
// a package is made before the language is known, so that its text is translated when
// it is asked for.
func New(text string) error { return &fixed{text} }

// fixed is an error of one text. Two of the same text are different errors.
type fixed struct{ text string }

func (e *fixed) Error() string { return T(e.text) }

// Count is a number of things: "1 step", "2 steps"; in Chinese "2 个步骤", where the
// noun brings its measure word.
func Count(n int, noun string) string {
	if texts := catalog.Load(); texts != nil {
		if translated, ok := (*texts)[noun]; ok {
			return strconv.Itoa(n) + " " + translated
		}
	}
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// List joins things in a sentence: "a, b and c" ("or" with either), in Chinese
// "a、b 和 c".
func List(things []string, either bool) string {
	last := len(things) - 1
	if last < 1 {
		return strings.Join(things, "")
	}
	form := "%s and %s"
	if either {
		form = "%s or %s"
	}
	return F(form, strings.Join(things[:last], T(", ")), things[last])
}

// Join puts sentences one after the other, with a blank between them where the
// language has one.
func Join(sentences ...string) string {
	sentences = slices.DeleteFunc(sentences, func(s string) bool { return s == "" })
	if Current() == Chinese {
		return strings.Join(sentences, "")
	}
	return strings.Join(sentences, " ")
}

// read reads the catalog of one language.
func read(from fs.FS, folder string) (map[string]string, error) {
	names, err := fs.Glob(from, folder+"/*.yaml")
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, name := range names {
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		if err := pairs(string(data), func(en, translated string) { texts[en] = translated }); err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
	}
	return texts, nil
}

// pairs reads the YAML of a catalog file, which is a list of pairs in double quotes,
// one on a line:
//
//   - en: "…"
//     zh: "…"
//
// A YAML parser takes a hundred times as long, and every run would wait for it.
// TestCatalog compares the two.
func pairs(data string, each func(en, translated string)) error {
	en, open, number := "", false, 0
	for line := range strings.Lines(data) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rest, first := strings.CutPrefix(line, "- en: ")
		if !first {
			var second bool
			if rest, second = strings.CutPrefix(line, "zh: "); !second || !open {
				return fmt.Errorf("%d: a pair is - en: \"…\" and zh: \"…\"", number)
			}
		}
		text, err := strconv.Unquote(rest)
		if err != nil || first && open {
			return fmt.Errorf("%d: a text stands on one line, in double quotes", number)
		}
		if first {
			en, open = text, true
			continue
		}
		each(en, text)
		open = false
	}
	return nil
}

// Sentence makes a sentence of a text: it begins with a capital and ends with a full
// stop.
func Sentence(text string) string {
	if Current() == Chinese {
		return text + "。"
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
