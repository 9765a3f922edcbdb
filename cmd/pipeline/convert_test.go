package pipeline

import (
	"io"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines"
)

// TestNoReader: where no engine can run the converted network, nothing is converted,
// and the error says what each of those that could lacks.
func TestNoReader(t *testing.T) {
	format := convert.All()[0]
	o := VerifyOptions{Console: &console.Console{Out: io.Discard, Err: io.Discard}, reads: &format, readers: engines.All()[1:2]}
	_, err := o.options(host.Live(), &judge.Judgement{Facts: &facts.Facts{}})
	if err == nil || !strings.Contains(err.Error(), "use --unchecked") || !strings.Contains(err.Error(), "ONNX Runtime is not installed") {
		t.Errorf("%v", err)
	}
}

// TestReaders: each format that deployctl writes is read by an engine, or says that its
// files are not run here.
func TestReaders(t *testing.T) {
	read := map[engine.Format]bool{}
	for _, s := range engines.All() {
		for _, f := range s.Formats {
			read[f] = true
		}
	}
	for _, f := range convert.All() {
		if read[f.Name] == (f.Elsewhere != "") {
			t.Errorf("%s is read by an engine: %v; what is said of that: %q", f.Display, read[f.Name], f.Elsewhere)
		}
	}
}
