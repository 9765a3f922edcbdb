package installers

import (
	"context"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/envedit"
	"github.com/deployctl/deployctl/installers/step"
)

// made reports whether the record is of something that was added.
func (r Record) made() bool {
	return r.Event != Started && r.Step.Action != step.Remove && len(r.Added)+len(r.Changed) > 0
}

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

// Returned are settings that an undo took out and that are there again, by the key of
// the record that had made them: a power cut took the undo back, as far as the system
// had not written it, or somebody put an older profile or registry in place. Only those
// count that name something in deployctl's own folder: nobody else has a reason to name
// that, and any other setting may be somebody's own by now. A place that cannot be
// read has none: a setting of it is not the only thing that there is to undo or to list.
func Returned(ctx context.Context, h *host.Host, user facts.User, records []Record) map[string][]Package {
	places, err := PlacesOf(h, user, "")
	if err != nil {
		return nil // without a folder of its own deployctl made no setting that names it
	}
	own := strings.TrimSuffix(h.Join(places.Opt, "x"), "x")
	undone, back, known := undoneBy(records), map[string][]Package{}, map[string]bool{}
	for _, r := range records {
		for _, p := range r.Added {
			known[p.Name] = known[p.Name] || r.made() && !undone[r.Key()] // a later run's, and no leftover
		}
	}
	for _, r := range slices.Backward(records) {
		if !r.made() || !undone[r.Key()] || r.Shared {
			continue
		}
		s := Step{Mechanism: r.Step.Mechanism, Action: step.Remove, With: r.Step.With}
		for _, p := range r.Added {
			e, of := envedit.Of(p.Name, r.Step.Edits())
			if of && !known[p.Name] && strings.HasPrefix(e.Value, own) {
				known[p.Name] = true
				s.Take = append(s.Take, step.Take(p))
			}
		}
		if s.Take == nil {
			continue
		}
		now, err := (tools{host: h}).mechanism(s).State(ctx, s)
		if err != nil {
			continue
		}
		for _, t := range s.Take {
			if is, there := now[t.Name]; there && is.Version == t.Version {
				back[r.Key()] = append(back[r.Key()], Package(t))
			}
		}
	}
	return back
}
