package installers

import (
	"context"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/ldconf"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/recipes"
)

// Outline is the plan as far as the facts and files tell: the same steps, and no
// package manager is asked. That takes milliseconds, where one that computes what
// an installation brings takes seconds, so doctor's closing line and plan show its
// cost. The sizes of published files in it are exact; those of packages are the
// catalog's, and called estimates. --fix asks, and shows what the manager says;
// where one does not tell, --fix shows the same estimates.
func Outline(ctx context.Context, j *judge.Judgement, h *host.Host, places Places) (*Plan, error) {
	var with []*pkgmgr.Manager
	for _, m := range managers() {
		if m.Name != ldconf.Name { // that one is files, and runs nothing
			m = unasked(m)
		}
		with = append(with, m)
	}
	return layOut(ctx, j, h, places, with)
}

// unasked is a manager that says nothing about what is installed and what would
// change.
func unasked(m *pkgmgr.Manager) *pkgmgr.Manager {
	out := *m
	out.Installed = func(context.Context, *host.Host) (map[string]pkgmgr.Installed, error) { return nil, nil }
	out.Quote, out.Damage, out.Busy = nil, nil, nil
	if m.On != nil {
		out.On = func(h *host.Host, target string) *pkgmgr.Manager { return unasked(m.On(h, target)) }
	}
	return &out
}

// usual is what the catalog says of the components that packages bring, each
// counted once in a plan.
func usual(mine []*wish, packages []string, counted map[string]bool) Cost {
	sum := Cost{Estimated: true}
	for _, id := range serves(mine, packages) {
		for _, w := range mine {
			if w.finding.ID != id {
				continue
			}
			key := w.component
			if key == "" {
				key = id
			}
			if !counted[key] {
				counted[key] = true
				c := recipes.UsualCost(w.component).Of(w.choices[0].download)
				sum.DownloadBytes += int64(c.Download)
				sum.Minutes += c.Minutes
			}
		}
	}
	return sum
}
