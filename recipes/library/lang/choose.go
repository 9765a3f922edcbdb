package lang

import (
	"cmp"
	"strings"
)

// Choose is the language for a user whose environment is getenv and whose system
// names languages by itself (system, which only Windows has; nil for none), most
// wanted first. The first of LC_ALL, LC_MESSAGES and LANG that is set decides, as
// POSIX has it (XBD 8.2); a locale that is not UTF-8 cannot show Chinese.
func Choose(getenv func(string) string, system func() []string) Language {
	if locale := cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")); locale != "" {
		name, charset, _ := strings.Cut(locale, ".")
		charset, _, _ = strings.Cut(charset, "@")
		if charset = strings.ToUpper(strings.ReplaceAll(charset, "-", "")); charset != "" && charset != "UTF8" {
			return English
		}
		return of(name)
	}
	if system != nil {
		if names := system(); len(names) > 0 {
			return of(names[0])
		}
	}
	return English
}

// of is the language for a locale's or a language's name: zh_CN, zh-Hans-CN, zh.
// Traditional Chinese (Hant, Taiwan, Hong Kong, Macao) is a script and vocabulary
// of its own, which the program does not have: as with gettext, English stands in.
func of(name string) Language {
	parts := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return c == '_' || c == '-' || c == '@' })
	if len(parts) == 0 || parts[0] != "zh" {
		return English
	}
	for _, part := range parts[1:] {
		switch part {
		case "hans":
			return Chinese
		case "hant", "tw", "hk", "mo":
			return English
		}
	}
	return Chinese
}
