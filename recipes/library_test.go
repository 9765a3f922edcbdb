package recipes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// required are the recipes of issue 4.
func required() []string {
	return []string{
		"android-ndk", "caffe2-ios", "ci-image", "coreml", "darknet", "deployctl-dev", "executorch", "gocv-macos", "gocv-windows",
		"libtorch", "mace-android", "ncnn", "onnxruntime", "openvino", "opencv-cuda", "opencv-opencl", "opencv-source", "opencv-yolov3",
		"openpose-linux", "openpose-windows", "tensorflow-c", "caffe", "opencv-python",
	}
}

// TestLibrary: the recipes are there, and every requirement has a page with its
// four parts.
func TestLibrary(t *testing.T) {
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	used := map[string]bool{"component.shadow": true} // the finding every recipe may give
	for _, r := range all {
		names = append(names, r.Name)
		for _, q := range r.Requirements {
			used[q.ID] = true
			page, ok := Page(q.ID)
			if !ok {
				t.Errorf("%s: %s has no page", r.Name, q.ID)
				continue
			}
			for _, part := range []string{"**What**: ", "**Why**: ", "**By hand**: ", "**Sources**: "} {
				if !strings.Contains(page, part) {
					t.Errorf("pages/%s.md has no %s", q.ID, part)
				}
			}
		}
	}
	for _, name := range required() {
		if !slices.Contains(names, name) {
			t.Errorf("there is no recipe %s", name)
		}
	}
	for _, id := range Pages() {
		if !used[id] {
			t.Errorf("pages/%s.md belongs to no requirement", id)
		}
	}
}

// TestChinesePages: each page has a translation with the same four parts, and none
// is left over.
func TestChinesePages(t *testing.T) {
	entries, err := library.ReadDir("pages/zh")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".md"))
	}
	slices.Sort(names)
	if want := Pages(); !slices.Equal(names, want) {
		t.Errorf("pages/zh has %d pages, pages %d: translate each page of recipes/pages, and remove those that are gone", len(names), len(want))
	}
	if err := lang.Set(lang.Chinese); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lang.Set(lang.English) }() // cannot fail
	for _, id := range names {
		page, _ := Page(id)
		for _, part := range []string{"# " + id, "**要求**：", "**原因**：", "**手动处理**：", "**来源**："} {
			if !strings.Contains(page, part) {
				t.Errorf("pages/zh/%s.md has no %s", id, part)
			}
		}
	}
}

// TestRecipePages keeps docs/recipes equal to the library (-update writes it).
func TestRecipePages(t *testing.T) {
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.FromSlash("../docs/recipes")
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range all {
		file := filepath.Join(dir, r.Name+".md")
		want := Markdown(r)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what the recipe says; run go test ./recipes -run TestRecipePages -update", file)
		}
	}
}
