package brew

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/installers/step"
)

func TestExplain(t *testing.T) {
	f := Manager().Explain(1, []string{`Error: No available formula with the name "nosuch". Did you mean nosuchs?`})
	if f.Kind != step.NotFound || !strings.HasSuffix(f.Cause, ": nosuch") {
		t.Errorf("%+v", f)
	}
}
