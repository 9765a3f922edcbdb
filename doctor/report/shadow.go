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
			fmt.Fprintf(b, "  %s  %s\n", s.Paint(stateColor[judge.Warn], string(judge.Warn)), found.Found)
			if found.Fix != "" {
				fmt.Fprintf(b, "        %s\n", s.Paint("1", found.Fix))
			}
		}
		if p, ok := f.Problem(name); ok {
			fmt.Fprintf(b, "  %s  %s\n", s.Paint(stateColor[judge.Unknown], string(judge.Unknown)), p.Error)
		}
		b.WriteString("\n")
	}
	if quiet > 0 {
		fmt.Fprintf(b, "%s\n", s.Paint("2", lang.F("%d components with one copy each are not shown (--all)", quiet)))
	}
	_, err := io.WriteString(w, b.String())
	return err
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
		fmt.Fprintf(b, "  %s %s  %s  %s\n", mark, pad(orUnknown(i.Version), version), pad(i.Path, path), s.Paint("2", via))
	}
}
