package lang

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestChoose: which language users get who did not say.
func TestChoose(t *testing.T) {
	for _, c := range []struct {
		all, messages, lang string
		system              []string
		want                Language
	}{
		{want: English},
		{lang: "C", want: English},
		{lang: "C.UTF-8", want: English},
		{lang: "en_US.UTF-8", want: English},
		{lang: "de_DE.UTF-8", want: English},
		{lang: "zh_CN.UTF-8", want: Chinese},
		{lang: "zh_CN.utf8", want: Chinese},
		{lang: "zh_CN", want: Chinese},
		{lang: "zh_SG.UTF-8", want: Chinese},
		{lang: "zh", want: Chinese},
		{lang: "zh_CN.GB18030", want: English},
		{lang: "zh_TW.UTF-8", want: English},
		{lang: "zh_HK.UTF-8", want: English},
		{messages: "zh_CN.UTF-8", lang: "en_US.UTF-8", want: Chinese},
		{messages: "en_US.UTF-8", lang: "zh_CN.UTF-8", want: English},
		{all: "C.UTF-8", messages: "zh_CN.UTF-8", lang: "zh_CN.UTF-8", want: English},
		{system: []string{"zh-CN", "en-US"}, want: Chinese},
		{system: []string{"zh-Hans-CN"}, want: Chinese},
		{system: []string{"zh-Hant-TW", "zh-CN"}, want: English},
		{system: []string{"en-US", "zh-CN"}, want: English},
		{lang: "en_US.UTF-8", system: []string{"zh-CN"}, want: English},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang}
		if got := Choose(func(name string) string { return env[name] }, func() []string { return c.system }); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestEnglish: without a catalog every text stays as it is.
func TestEnglish(t *testing.T) {
	if Current() != English {
		t.Fatal(Current())
	}
	for got, want := range map[string]string{
		T("fail"): "fail", F("%s is missing", "CMake"): "CMake is missing",
		Count(1, "problem"): "1 problem", Count(2, "problem"): "2 problems",
		List([]string{"a", "b", "c"}, false): "a, b and c", List([]string{"a", "b"}, true): "a or b", List([]string{"a"}, true): "a", List(nil, false): "",
		Join("One.", "", "Two."): "One. Two.",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if cause := errors.New("x"); !errors.Is(Errorf("read the answer: %w", cause), cause) {
		t.Error("Errorf does not wrap")
	}
	if one, other := New("fail"), New("fail"); !errors.Is(Errorf("read the answer: %w", one), one) || errors.Is(one, other) {
		t.Error("an error of New is not itself, or is another of the same text")
	}
}

// TestChinese: the catalog is used, and a text without a translation stays.
func TestChinese(t *testing.T) {
	made := New("fail") // before the language is known
	if err := Set(Chinese); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = Set(English) }() // cannot fail
	for got, want := range map[string]string{
		T("fail"): "失败", made.Error() + "。": "失败。", T("no such text"): "no such text", F("%s is missing", "CMake"): "缺少 CMake", Count(2, "problem"): "2 个问题",
		Join("一。", "二。"): "一。二。", List([]string{"a", "b", "c"}, false): "a、b 和 c",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := Set("xx"); err == nil || Current() != English {
		t.Errorf("%v, %s", err, Current())
	}
}

// TestCatalog: the files are what a YAML parser makes of them, and no text is there
// twice with two translations.
func TestCatalog(t *testing.T) {
	names, err := fs.Glob(files, "zh/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	where := map[string]string{}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		var want []struct{ En, Zh string }
		if err := yaml.UnmarshalWithOptions(data, &want, yaml.Strict()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := 0
		err = pairs(string(data), func(en, zh string) {
			if n < len(want) && (want[n].En != en || want[n].Zh != zh) {
				t.Errorf("%s: pair %d is %q %q, YAML says %+v", name, n+1, en, zh, want[n])
			}
			n++
			if other, ok := where[en]; ok {
				t.Errorf("%s: %q is in %s, too", name, en, other)
			}
			where[en] = name
			if zh == "" {
				t.Errorf("%s: %q has no translation", name, en)
			}
		})
		if err != nil {
			t.Errorf("%s:%v", name, err)
		}
		if n != len(want) {
			t.Errorf("%s: %d pairs, YAML says %d", name, n, len(want))
		}
	}
}

// TestPairs: what is not a list of pairs is refused, with its line.
func TestPairs(t *testing.T) {
	for data, want := range map[string]string{
		"- en: \"a\"\n- en: \"b\"\n": "2:", "zh: \"a\"\n": "1:", "- en: a\n": "1:", "- en: \"a\"\n  zh: \"b\"\nother\n": "3:",
	} {
		if err := pairs(data, func(string, string) {}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", data, err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		if _, err := read(files, "zh"); err != nil {
			b.Fatal(err)
		}
	}
}
