package recipes

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	mdLink   = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	mdFence  = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	mdSpan   = regexp.MustCompile("`[^`\n]*`")
	mdHead   = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	mdAnchor = regexp.MustCompile(`<a id="([^"]+)">`)
	notSlug  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestLinks: every file and place that a document links to in this repository is there.
func TestLinks(t *testing.T) {
	root := os.DirFS("..")
	texts := map[string]string{}
	err := fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == ".git" || e.Name() == ".cache" || e.Name() == "testdata") {
			return fs.SkipDir
		}
		if path.Ext(name) == ".md" {
			data, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			texts[name] = mdFence.ReplaceAllString(string(data), "")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for name, text := range texts {
		for _, m := range mdLink.FindAllStringSubmatch(mdSpan.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			file, place, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if _, err := fs.Stat(root, target); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			} else if place != "" && path.Ext(target) == ".md" && !places(texts[target])[place] {
				t.Errorf("%s links to %s: %s has no such place", name, m[1], target)
			}
		}
	}
	if links < 500 {
		t.Errorf("only %d links were found", links)
	}
}

// places are the names by which GitHub finds the headings and anchors of a text.
func places(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range mdAnchor.FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	for _, m := range mdHead.FindAllStringSubmatch(text, -1) {
		found[strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return found
}
