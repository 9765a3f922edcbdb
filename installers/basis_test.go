package installers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/installers/mechanism"
)

func TestAStepIsComparedWithWhatWasThereWhenItBegan(t *testing.T) {
	started := Record{Before: map[string]string{"mine": "1"}}
	if d := cmp.Diff(started.Before, basis(started, mechanism.Ended{})); d != "" {
		t.Error(d)
	}
	later := mechanism.State{"mine": {Version: "1", Ready: true}, "theirs": {Version: "2", Ready: true}, "gone": {Leftover: true}}
	if d := cmp.Diff(map[string]string{"mine": "1", "theirs": "2"}, basis(started, mechanism.Ended{Before: later})); d != "" {
		t.Error(d)
	}
}
