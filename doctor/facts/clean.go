package facts

import (
	"reflect"
	"strings"
	"unicode/utf8"
)

// maxText is the most bytes that Clean leaves of one text: as long as Linux's
// longest path.
const maxText = 4096

// Clean makes printable lines of every text in the facts. A machine may say
// anything (a file that claims to be a driver's version, an environment with
// terminal escapes), and facts are shown on terminals and written as JSON.
func (f *Facts) Clean() { clean(reflect.ValueOf(f).Elem()) }

func clean(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); !printable(s) {
			v.SetString(Line(s))
		}
	case reflect.Struct:
		if p, ok := v.Addr().Interface().(*Problem); ok {
			p.Error = Text(p.Error)
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			// An error may have several lines.
			if f.Tag.Get("json") == "-" || f.Name == "Error" && v.Type() == reflect.TypeFor[Problem]() {
				continue
			}
			clean(v.Field(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			clean(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			clean(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			clean(value)
			if name := key.String(); !printable(name) {
				v.SetMapIndex(key, reflect.Value{})
				key = reflect.ValueOf(Line(name)).Convert(key.Type())
			}
			v.SetMapIndex(key, value)
		}
	}
}

func printable(s string) bool {
	if len(s) > maxText || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, unprintable)
}

// unprintable are the C0 and C1 control characters, and what Unicode has for
// changing the direction of the text around it.
func unprintable(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == utf8.RuneError
}

// Text makes every line of a text printable, and leaves at most 64 of them.
func Text(s string) string {
	const most = 64
	lines := strings.SplitN(s, "\n", most+1)
	if len(lines) > most {
		lines[most] = "…"
	}
	for i, line := range lines {
		if line = strings.ReplaceAll(line, "\t", "    "); !printable(line) {
			line = Line(line)
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// Line makes one printable line of a text.
func Line(s string) string {
	cut := len(s) > maxText
	if cut {
		s = s[:maxText]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case unprintable(r):
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if cut {
		s += "…"
	}
	return s
}
