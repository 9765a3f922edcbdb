package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// TestSetLanguage: --lang decides; what programs read is English without it.
func TestSetLanguage(t *testing.T) {
	defer func() { _ = lang.Set(lang.English) }() // cannot fail
	for _, c := range []struct {
		args   []string
		locale string
		ascii  bool
		want   lang.Language
	}{
		{[]string{"doctor"}, "", false, lang.English},
		{[]string{"doctor"}, "zh_CN.UTF-8", false, lang.Chinese},
		{[]string{"doctor"}, "zh_CN.UTF-8", true, lang.English},
		{[]string{"doctor", "--lang", "zh"}, "C", true, lang.English},
		{[]string{"doctor", "--lang", "zh"}, "zh_CN.GBK", true, lang.English},
		{[]string{"doctor", "--lang", "zh", "--format", "html"}, "C", true, lang.Chinese},
		{[]string{"doctor", "--lang", "zh", "--json"}, "C", true, lang.Chinese},
		{[]string{"doctor", "--lang", "zh"}, "", true, lang.Chinese}, // Windows, into a pipe
		{[]string{"--lang=zh", "doctor", "--json"}, "", false, lang.Chinese},
		{[]string{"doctor", "--lang", "en"}, "zh_CN.UTF-8", false, lang.English},
		{[]string{"doctor", "--lang", "fr"}, "zh_CN.UTF-8", false, lang.English},
		{[]string{"doctor", "--json"}, "zh_CN.UTF-8", false, lang.English},
		{[]string{"doctor", "--format", "sarif"}, "zh_CN.UTF-8", false, lang.English},
		{[]string{"doctor", "--format=html"}, "zh_CN.UTF-8", false, lang.Chinese},
		{[]string{"facts"}, "zh_CN.UTF-8", false, lang.English},
		{[]string{"explain", "facts"}, "zh_CN.UTF-8", false, lang.Chinese},
		{[]string{"run", "--", "make", "--lang", "zh"}, "", false, lang.English},
		{nil, "zh_CN.UTF-8", false, lang.Chinese},
	} {
		var note strings.Builder
		err := setLanguage(c.args, &console.Console{ASCII: c.ascii, Err: &note}, func(name string) string {
			return map[string]string{"LANG": c.locale}[name]
		})
		if err != nil || lang.Current() != c.want {
			t.Errorf("%+v: %s, %v", c, lang.Current(), err)
		}
		refused := slices.Contains(c.args, "zh") && c.args[0] != "run" && lang.Current() == lang.English
		if refused != strings.Contains(note.String(), "LC_ALL=C.UTF-8") {
			t.Errorf("%+v: %q", c, note.String())
		}
	}
}

// TestPlaceholders: a translation has the verbs, placeholders and commands of its text.
func TestPlaceholders(t *testing.T) {
	verb := regexp.MustCompile(`%[-+#0]*[0-9.]*(\[\d+\])?([a-zA-Z%])|(\{[a-z][a-zA-Z0-9_.-]*\})|(` + "`[^`]*`" + `)`)
	of := func(text string) []string {
		var out []string
		for _, m := range verb.FindAllStringSubmatch(text, -1) {
			if m[3] != "{are}" { // is or are, which Chinese does not tell apart
				out = append(out, m[2]+m[3]+m[4])
			}
		}
		slices.Sort(out)
		return out
	}
	for _, p := range translations(t) {
		if a, b := of(p.En), of(p.Zh); !slices.Equal(a, b) {
			t.Errorf("%s: %q has %v, %q has %v", p.File, p.En, a, p.Zh, b)
		}
	}
}
