package pipeline

import (
	"errors"
	"testing"

	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/step"
)

// TestAFailedStepSaysWhatWasTriedAndWhy: the lines by which the package manager
// explains itself stand below the sentence that speaks of them.
func TestAFailedStepSaysWhatWasTriedAndWhy(t *testing.T) {
	plan := &installers.Plan{Steps: []step.Step{{Title: "Install nasm"}, {Title: "Install ccache"}}}
	result := installers.Result{Steps: []installers.StepResult{{Outcome: installers.WasDone}, {Outcome: installers.WasFailed}}}
	failure := &installers.Failure{Kind: step.NotFound, Cause: "it is nowhere", Next: "look elsewhere", Detail: []string{"No match for argument: ccache", "Error: Unable to find a match"}}
	err := told(plan, result, failure)
	if want := "Install ccache: it is nowhere; look elsewhere\n  | No match for argument: ccache\n  | Error: Unable to find a match"; err.Error() != want || !errors.Is(err, failure) {
		t.Errorf("got %q, wanted %q", err, want)
	}
	plain := errors.New("the journal cannot be opened")
	if err := told(plan, installers.Result{}, plain); err.Error() != plain.Error() {
		t.Errorf("no step failed: %v", err)
	}
}
