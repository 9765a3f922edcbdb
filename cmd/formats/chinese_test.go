package formats

import (
	"bytes"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// TestChinesePages: in Chinese, a page has no English word that the document does not
// bring, and says which language it is in. Two of the pages are kept.
func TestChinesePages(t *testing.T) {
	if err := lang.Set(lang.Chinese); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lang.Set(lang.English) })
	names := []string{"deployctl", "doctor", "verify", "JSON", "UTC", "GFLOP", "GFLOPS", "MB", "GB", "GiB", "ms", "GPU", "L2", "p95", "run", "CUDA", "Toolkit", "Go"}
	parts := regexp.MustCompile(`(?s)<style>.*?</style>|<code>.*?</code>|<pre.*?</pre>|https?://[^ )">]+|<[^>]*>`)
	spoken := regexp.MustCompile(`(?:aria-label|alt)="([^"]*)"`)
	escape := regexp.MustCompile(`\\(u[0-9a-f]{4}|.)`)
	word := regexp.MustCompile(`[A-Za-z][A-Za-z0-9]+`)
	for _, format := range []string{"html", "markdown"} {
		for about, d := range documentsIn(t, format) {
			page := written(t, format, d)
			if format == "html" && !strings.Contains(page, `<html lang="zh-Hans">`) {
				t.Errorf("%s: the page is in another language", about)
			}
			if about == d.Command && about == Doctor {
				keep(t, filepath.Join("testdata", "golden", "doctor.zh."+format), page)
			}
			var own bytes.Buffer
			if err := encode(&own, d); err != nil {
				t.Fatal(err)
			}
			known := append(word.FindAllString(d.host()+escape.ReplaceAllString(own.String(), " "), -1), names...)
			seen := parts.ReplaceAllString(page, " ")
			for _, m := range spoken.FindAllStringSubmatch(page, -1) {
				seen += " " + m[1]
			}
			var foreign []string
			for _, w := range word.FindAllString(html.UnescapeString(seen), -1) {
				if !slices.Contains(known, w) && !slices.Contains(foreign, w) {
					foreign = append(foreign, w)
				}
			}
			if len(foreign) > 0 {
				t.Errorf("%s of %s has English: %q", format, about, foreign)
			}
		}
	}
}

// keep compares a page with the file that was looked at.
func keep(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; go test ./cmd/formats -update):\n%s", file, diff)
	}
}
