package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/engine"
)

// TestLoadedFilesAreJudged: right numbers from another copy of OpenCV than the
// one that was found prove nothing about this one, at any level.
func TestLoadedFilesAreJudged(t *testing.T) {
	dir := t.TempDir()
	own := write(t, filepath.Join(dir, "libopencv_core.so.406"), []byte("core"))
	if err := os.Mkdir(filepath.Join(dir, "local"), 0o700); err != nil {
		t.Fatal(err)
	}
	other := write(t, filepath.Join(dir, "local", "libopencv_dnn.so.406"), []byte("dnn"))
	f := newFiles(t)
	for _, level := range []int{LevelLoad, LevelCheck} {
		for _, c := range []struct {
			loaded []string
			state  State
			words  string
		}{
			{[]string{own}, OK, ""},
			{[]string{own, other}, Fail, other},
			{nil, Unknown, "not known which files"},
			{[]string{"/lib/x86_64-linux-gnu/libc.so.6"}, Fail, "something that is not OpenCV"},
		} {
			o := f.options(t, fake{name: "gocv", copy: &engine.Copy{Name: "OpenCV", Version: "4.6.0", Prefixes: []string{"libopencv_"}, File: own}})
			o.Level = level
			o.Process = worker{spoil: func(a *engine.Answer) { a.Libraries = c.loaded }}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			e := r.Engines[0]
			if e.State != c.state || r.State != c.state || !strings.Contains(e.Why, c.words) || len(e.Libraries) != len(c.loaded) {
				t.Errorf("level %d, %v: %s: %s", level, c.loaded, e.State, e.Why)
			}
			var text strings.Builder
			if err := Render(&text, r, false); err != nil {
				t.Fatal(err)
			}
			if len(c.loaded) > 0 && c.loaded[0] == own && !strings.Contains(text.String(), "gocv loaded "+own) {
				t.Errorf("the text does not name the loaded files:\n%s", &text)
			}
			if c.state == Fail && len(c.loaded) > 1 && (!strings.Contains(e.Fix, other) || e.Reasons[0] != e.Why) {
				t.Errorf("%q, %v", e.Fix, e.Reasons)
			}
		}
	}
}
