package installers

import "github.com/deployctl/deployctl/installers/step"

// Edits are the lasting changes of the environment that the history tells of
// and that were not taken back, oldest first.
func Edits(records []Record) []step.Env {
	undone := undoneBy(records)
	var edits []step.Env
	for _, r := range records {
		if (r.Event == Done || r.Event == CutOff) && r.Step.Action != step.Remove && len(r.Added)+len(r.Changed) > 0 && !undone[r.Key()] {
			edits = append(edits, r.Step.Edits()...)
		}
	}
	return edits
}

// undoneBy are the keys of the records that a later undo took back.
func undoneBy(records []Record) map[string]bool {
	undone := map[string]bool{}
	for _, r := range records {
		if r.Event == Done {
			for _, key := range r.Step.Undoes {
				undone[key] = true
			}
		}
	}
	return undone
}
