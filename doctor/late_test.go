package doctor_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
)

// TestLateProbesRaiseNoAlarm: on machines that are well nothing fails and nothing is
// warned of because a busy machine stopped a probe, before it had seen anything of a
// component or between a copy and what the copy has.
func TestLateProbesRaiseNoAlarm(t *testing.T) {
	if testing.Short() {
		t.Skip("every recorded machine: not with -short, which CI uses under the race detector")
	}
	tables, machines := embedded(t), 0
	for _, table := range []string{"machines", "unix", "unix-whole", "unix-more", "windows", "lot5", "lot9", "lot10", "lot11"} {
		for _, a := range readAnswers(t, "testdata/"+table+".yaml") {
			if a.Exit != 0 {
				continue
			}
			machines++
			r := a.recipe(t)
			whole := doctor.Probe(context.Background(), a.host(t), doctor.Probes(false))
			before := alarms(judge.Evaluate(r, tables, whole))
			for _, p := range doctor.Probes(false) {
				for what, cut := range map[string]func([]facts.Instance) []facts.Instance{
					"nothing seen": func([]facts.Instance) []facts.Instance { return nil },
					"copies seen, not what they have": func(list []facts.Instance) []facts.Instance {
						list = slices.Clone(list)
						for i := range list {
							list[i].Has, list[i].Attrs, list[i].Built, list[i].Needs, list[i].Unusable = nil, nil, facts.Built{}, nil, nil
						}
						return list
					},
				} {
					f := *whole
					f.Components = maps.Clone(whole.Components)
					for _, name := range p.Provides {
						if list := cut(f.Components[name]); list == nil {
							delete(f.Components, name)
						} else {
							f.Components[name] = list
						}
					}
					f.Problems = append(slices.Clone(whole.Problems), facts.Problem{Probe: p.Name, Covers: p.Provides, Error: "it was stopped", Late: true})
					for _, id := range alarms(judge.Evaluate(r, tables, &f)) {
						if !slices.Contains(before, id) {
							t.Errorf("%s by %s, %s stopped, %s: %s", a.Case, a.Recipe, p.Name, what, id)
						}
					}
				}
			}
		}
	}
	if machines < 30 {
		t.Errorf("%d machines", machines)
	}
}

func alarms(j *judge.Judgement) (ids []string) {
	for _, f := range j.Findings {
		if f.State == judge.Fail || f.State == judge.Warn {
			ids = append(ids, f.ID+" "+string(f.State))
		}
	}
	return ids
}
