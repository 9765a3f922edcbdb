package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// WriteShadow writes, for each component (all of them when names is empty),
// every copy, which lookups find it, and where two lookups disagree. Components
// of one copy that nothing speaks against are left out unless all is wanted.
func WriteShadow(w io.Writer, f *facts.Facts, names []string, s Style) error {
	b := &strings.Builder{}
	asked := len(names) > 0
	if !asked {
		names = slices.Sorted(maps.Keys(f.Components))
	}
	quiet := 0
	for _, name := range names {
		list := f.Components[name]
		found, disagree := judge.Shadow(name, f)
		if !asked && !s.All && len(list) < 2 && !disagree {
			quiet++
			continue
		}
		shadowTable(b, name, list, s)
		if disagree {
			fmt.Fprintf(b, "  %s  %s\n", s.Paint(stateColor[judge.Warn], string(judge.Warn)), Wrap(found.Found, 8, s.Width))
			if found.Fix != "" {
				fmt.Fprintf(b, "        %s\n", s.Paint("1", Wrap(found.Fix, 8, s.Width)))
			}
		}
		if p, ok := f.Problem(name); ok {
			fmt.Fprintf(b, "  %s  %s\n", s.Paint(stateColor[judge.Unknown], string(judge.Unknown)), Wrap(p.Error, 11, s.Width))
		}
		b.WriteString("\n")
	}
	if quiet > 0 {
		fmt.Fprintf(b, "%s\n", s.Paint("2", lang.F("%d components with one copy each are not shown (--all)", quiet)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Copies are those of one component.
type Copies struct {
	Name   string           `json:"name"`
	Copies []facts.Instance `json:"copies"`
	// Conflict is the finding on two lookups that disagree, nil where all find one.
	Conflict *judge.Finding `json:"conflict,omitempty"`
	// Problem is why the component could not be looked at, "" where it was.
	Problem string `json:"problem,omitempty"`
}

// Shadows are the copies of each component, of all of them when names is empty.
func Shadows(f *facts.Facts, names []string) []Copies {
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(f.Components))
	}
	list := make([]Copies, 0, len(names))
	for _, name := range names {
		c := Copies{Name: name, Copies: f.Components[name]}
		if c.Copies == nil {
			c.Copies = []facts.Instance{}
		}
		if found, disagree := judge.Shadow(name, f); disagree {
			c.Conflict = &found
		}
		if p, ok := f.Problem(name); ok {
			c.Problem = p.Error
		}
		list = append(list, c)
	}
	return list
}

func shadowTable(b *strings.Builder, name string, list []facts.Instance, s Style) {
	fmt.Fprintf(b, "%s\n", s.Paint("1", name))
	if len(list) == 0 {
		fmt.Fprint(b, lang.F("  none\n"))
	}
	version, path := 0, 0
	for _, i := range list {
		version = max(version, runewidth.StringWidth(orUnknown(i.Version)))
		path = max(path, runewidth.StringWidth(i.Path))
	}
	for _, i := range list {
		mark := " "
		if i.Active {
			mark = s.Paint("32", "*")
		}
		via := lang.T("not found by any lookup")
		if len(i.Via) > 0 {
			via = lang.F("found by %s", strings.Join(i.Via, ", "))
		}
		cells, under := pad(i.Path, path)+"  ", 6+version
		if used := under + path + 2; s.Width > 0 && used+Columns(via) > s.Width {
			cells = i.Path + "\n" + strings.Repeat(" ", under) // there is no column for it
			via = Wrap(via, under, s.Width)
		}
		fmt.Fprintf(b, "  %s %s  %s%s\n", mark, pad(orUnknown(i.Version), version), cells, s.Paint("2", via))
	}
}
