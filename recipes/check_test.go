package recipes

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestChecksAsJSON: the embedded checks are those of the YAML files, without mistakes.
func TestChecksAsJSON(t *testing.T) {
	files, err := filepath.Glob("library/checks/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files of checks: ", err)
	}
	var want bytes.Buffer
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list, err := LoadChecks(data, file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if want.Len() > 0 {
				want.WriteString(",")
			}
			want.WriteString("\n")
			e := json.NewEncoder(&want)
			e.SetEscapeHTML(false)
			if err := e.Encode(list[i]); err != nil {
				t.Fatal(err)
			}
			want.Truncate(want.Len() - 1) // the encoder's newline
		}
	}
	out := append(append([]byte("["), want.Bytes()...), "\n]\n"...)
	const file = "library/checks.json"
	if *update {
		if err := os.WriteFile(file, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(checksJSON, out) && !*update {
		t.Errorf("%s is not what library/checks/*.yaml say; make it again: go test ./recipes -run TestChecksAsJSON -update", file)
	}
}
