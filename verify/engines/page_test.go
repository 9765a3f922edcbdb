package engines

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/verify/engine"
)

var update = flag.Bool("update", false, "write docs/engines.md")

// TestPage: docs/engines.md lists what the engines declare.
func TestPage(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "engines.md")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- generated: go test ./verify/engines -run TestPage -update -->\n", "<!-- end -->\n"
	before, rest, ok := strings.Cut(string(raw), begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the table", file)
	}
	got := before + begin + table() + end + after
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(raw), got); diff != "" && !*update {
		t.Errorf("%s is not what the engines declare (run go test ./verify/engines -run TestPage -update):\n%s", file, diff)
	}
}

func table() string {
	var text strings.Builder
	text.WriteString("| `--engine` | library | reads | computes on | switches that `tune` tries | recipe |\n| --- | --- | --- | --- | --- | --- |\n")
	names := map[engine.Format]string{
		engine.Darknet: "Darknet's files", engine.ONNX: "ONNX", engine.TorchScript: "TorchScript",
		engine.TensorFlow: "a frozen graph", engine.OpenVINO: "OpenVINO's files", engine.NCNN: "ncnn's files", engine.MNN: "MNN's file", engine.ExecuTorch: "ExecuTorch's file",
	}
	for _, s := range All() {
		var formats, switches []string
		for _, f := range s.Formats {
			formats = append(formats, names[f])
		}
		for _, v := range s.Settings {
			switches = append(switches, fmt.Sprintf("%s: %s", v.Name, strings.Join(v.Values, ", ")))
		}
		recipe := ""
		if s.Recipe != "" {
			recipe = fmt.Sprintf("[%s](recipes/%s.md)", s.Recipe, s.Recipe)
		}
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s | %s | %s |\n", s.Name, s.Library, strings.Join(formats, " or "), strings.Join(s.TargetNames(), ", "), strings.Join(switches, "; "), recipe)
	}
	return text.String()
}
