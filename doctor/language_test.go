package doctor_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// TestLanguageDecidesNothing: what a machine is judged by are fields. Probed and judged
// in Chinese, every recorded machine has the same findings as in English, by all that is
// not a text for people.
func TestLanguageDecidesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("every recorded machine: not with -short, which CI uses under the race detector")
	}
	tables := embedded(t)
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	judged := func(a rightAnswer, l lang.Language) *judge.Judgement {
		if err := lang.Set(l); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lang.Set(lang.English) }() // cannot fail
		return judge.Evaluate(a.recipe(t), tables, doctor.Probe(context.Background(), a.host(t), doctor.Probes(false)))
	}
	texts, machines := 0, 0
	for _, table := range names {
		if filepath.Base(table) == "cases.yaml" {
			continue // of machines that are not in the repository
		}
		for _, a := range readAnswers(t, table) {
			machines++
			english, chinese := judged(a, lang.English), judged(a, lang.Chinese)
			if len(english.Findings) != len(chinese.Findings) || english.Exit(true) != chinese.Exit(true) {
				t.Errorf("%s: %d findings and exit %d, in Chinese %d and exit %d", a.Case, len(english.Findings), english.Exit(true), len(chinese.Findings), chinese.Exit(true))
				continue
			}
			for i, f := range english.Findings {
				if f.Found != chinese.Findings[i].Found {
					texts++
				}
				if one, other := decided(t, f), decided(t, chinese.Findings[i]); one != other {
					t.Errorf("%s: %s, in Chinese %s", a.Case, one, other)
				}
			}
		}
	}
	if texts < machines {
		t.Errorf("of %d machines, %d findings have another text in Chinese: the language was not set", machines, texts)
	}
}

// decided is a finding without its texts.
func decided(t *testing.T, f judge.Finding) string {
	t.Helper()
	f.Title, f.Wanted, f.Found, f.Why, f.Fix, f.Where = "", "", "", "", "", ""
	data, err := json.Marshal([]any{f, f.Listed, f.Reach, f.Advised, f.Project, f.About, f.After})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
