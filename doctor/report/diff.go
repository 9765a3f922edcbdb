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
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Weight says how much a difference between two machines means for a program
// that was built or tested on the first and is to run on the second.
type Weight int

// The weights, gravest first.
const (
	Breaks  Weight = iota // a binary from A may not start or link on B
	Matters               // it may behave or perform differently
	Detail                // for completeness
)

func (w Weight) String() string { return [...]string{"breaks", "matters", "detail"}[w] }

// MarshalText gives the word.
func (w Weight) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// Difference is one thing that is not the same on two machines.
type Difference struct {
	Weight Weight `json:"weight"`
	Topic  string `json:"topic"` // os.libc.version, opencv, cpu.features …
	A      string `json:"a"`
	B      string `json:"b"`
	Why    string `json:"why"`
}

// Comparison is the document of two machines compared.
type Comparison struct {
	Schema int `json:"schema"`
	Made
	A           Side           `json:"a"`
	B           Side           `json:"b"`
	Differences []Difference   `json:"differences"` // gravest first
	Summary     map[string]int `json:"summary"`     // how many differences of each weight
	// Exit is 0 for machines that are alike, 3 where a difference breaks programs,
	// and 4 where they differ otherwise.
	Exit int `json:"exit"`
}

// Side is one of the two machines: what the user named it by, and what it is.
type Side struct {
	Name string      `json:"name"`
	Host HostSummary `json:"host"`
}

// Compare compares machine A, where a program was built or works, with B, where it
// is to run.
func Compare(nameA string, a *facts.Facts, nameB string, b *facts.Facts) *Comparison {
	c := &Comparison{
		Schema: 1, A: Side{nameA, HostOf(a)}, B: Side{nameB, HostOf(b)}, Differences: Diff(a, b),
		Summary: map[string]int{Breaks.String(): 0, Matters.String(): 0, Detail.String(): 0},
	}
	if c.Differences == nil {
		c.Differences = []Difference{}
	}
	for _, d := range c.Differences {
		c.Summary[d.Weight.String()]++
	}
	switch {
	case c.Summary[Breaks.String()] > 0:
		c.Exit = judge.ExitFail
	case len(c.Differences) > 0:
		c.Exit = judge.ExitStrict
	}
	return c
}

// isaFeatures are the CPU features that compilers and libraries choose code by.
var isaFeatures = []string{
	"sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
	"avx_vnni", "amx_tile", "amx_int8", "amx_bf16", "neon", "fphp", "asimdhp", "dotprod", "i8mm", "bf16", "sve", "sve2",
}

// Diff compares two machines, gravest first. A is where a program was built or
// works, B is where it shall run.
func Diff(a, b *facts.Facts) []Difference {
	d := &differ{}
	d.os(a, b)
	d.cpu(a, b)
	d.hardware(a, b)
	d.components(a, b)
	slices.SortStableFunc(d.list, func(x, y Difference) int { return int(x.Weight) - int(y.Weight) })
	return d.list
}

type differ struct{ list []Difference }

func (d *differ) add(w Weight, topic, a, b, why string) {
	if a != b {
		d.list = append(d.list, Difference{w, topic, orNone(a), orNone(b), why})
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// older reports whether version b is below a; false when either is unreadable.
func older(a, b string) bool {
	va, err := recipes.Version(a)
	if err != nil {
		return false
	}
	vb, err := recipes.Version(b)
	return err == nil && vb.LessThan(va)
}

func (d *differ) os(a, b *facts.Facts) {
	d.add(Breaks, "os.family", a.OS.Family, b.OS.Family, lang.T("programs are built for one system"))
	d.add(Breaks, "os.arch", a.OS.Arch, b.OS.Arch, lang.T("programs are built for one architecture"))
	la, lb := a.OS.Libc, b.OS.Libc
	d.add(Breaks, "os.libc", la.Kind, lb.Kind, lang.T("a program linked against one C library does not start on the other"))
	need := func(topic, what, x, y string) {
		w, why := Detail, lang.F("programs from A find every %s symbol on B", what)
		if older(x, y) {
			w, why = Breaks, lang.F("a program built on A may ask for %s symbols newer than %s", what, y)
		}
		d.add(w, topic, x, y, why)
	}
	if la.Kind == lb.Kind {
		need("os.libc.version", la.Kind, la.Version, lb.Version)
	}
	need("os.libc.glibcxx", "GLIBCXX", la.GLIBCXX, lb.GLIBCXX)
	need("os.libc.cxxabi", "CXXABI", la.CXXABI, lb.CXXABI)
	d.add(Matters, "os", osName(a.OS), osName(b.OS), lang.T("packages and their versions differ by distribution"))
	d.add(Detail, "os.kernel", a.OS.Kernel, b.OS.Kernel, "")
	d.add(Detail, "os.container", a.OS.Container, b.OS.Container, "")
}

func (d *differ) cpu(a, b *facts.Facts) {
	var lost, gained []string
	for _, f := range isaFeatures {
		inA, inB := slices.Contains(a.CPU.Features, f), slices.Contains(b.CPU.Features, f)
		switch {
		case inA && !inB:
			lost = append(lost, f)
		case inB && !inA:
			gained = append(gained, f)
		}
	}
	if a.CPU.Arch == b.CPU.Arch {
		d.add(Breaks, "cpu.features", strings.Join(lost, " "), "", lang.T("code built for A's processor (-march=native, wheels for AVX) stops with an illegal instruction on B"))
		d.add(Detail, "cpu.features", "", strings.Join(gained, " "), lang.T("B's processor can do more"))
	}
	d.add(Matters, "cpu.level", a.CPU.Level, b.CPU.Level, lang.T("libraries choose their code by this level"))
	d.add(Detail, "cpu.model", a.CPU.Model, b.CPU.Model, "")
	d.add(Matters, "cpu.cores", num(a.CPU.Cores), num(b.CPU.Cores), lang.T("speed follows the usable cores"))
}

func num(f float64) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprintf("%g", f)
}

func (d *differ) hardware(a, b *facts.Facts) {
	gib := func(n uint64) string {
		if n == 0 {
			return ""
		}
		return lang.F("%.1f GiB", float64(n)/(1<<30))
	}
	d.add(Matters, "memory", gib(a.Memory.Usable()), gib(b.Memory.Usable()), lang.T("what fits on A may not fit on B"))
	gpus := func(f *facts.Facts) (names, caps string) {
		var n, c []string
		for _, g := range f.GPUs {
			n = append(n, strings.TrimSpace(g.Vendor+" "+g.Name))
			if g.ComputeCapability != "" {
				c = append(c, g.ComputeCapability)
			}
		}
		return strings.Join(n, ", "), strings.Join(c, ", ")
	}
	na, ca := gpus(a)
	nb, cb := gpus(b)
	d.add(Breaks, "gpu.compute_capability", ca, cb, lang.T("a CUDA program holds code for certain compute capabilities only"))
	d.add(Matters, "gpus", na, nb, "")
}

func (d *differ) components(a, b *facts.Facts) {
	names := slices.Sorted(maps.Keys(a.Components))
	for _, n := range slices.Sorted(maps.Keys(b.Components)) {
		if _, ok := a.Components[n]; !ok {
			names = append(names, n)
		}
	}
	for _, n := range names {
		x, inA := active(a, n)
		y, inB := active(b, n)
		rule, _ := recipes.FindComponent(n)
		switch {
		case inA && !inB:
			w := Matters
			if rule.ABI > 0 {
				w = Breaks
			}
			d.add(w, n, orUnknown(x.Version), "", lang.T("it is missing on B"))
		case inB && !inA:
			d.add(Detail, n, "", orUnknown(y.Version), lang.T("it is on B alone"))
		case x.Version != y.Version:
			w, why := Matters, ""
			if rule.ABI > 0 && prefix(x.Version, rule.ABI) != prefix(y.Version, rule.ABI) {
				w, why = Breaks, rule.ABIWhy
			}
			d.add(w, n, orUnknown(x.Version), orUnknown(y.Version), why)
		}
		if inA && inB {
			d.instance(n, x, y)
		}
	}
}

// instance compares two active copies beyond their versions.
func (d *differ) instance(name string, x, y facts.Instance) {
	for _, part := range x.Has {
		if !y.HasPart(part) {
			d.add(Matters, name+"."+part, "yes", "no", lang.T("a part that A has is missing on B"))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(x.Attrs)) {
		w := Detail
		if strings.HasPrefix(k, "build.") || k == "driver_max_cuda" {
			w = Matters
		}
		d.add(w, name+"."+k, x.Attrs[k], y.Attrs[k], "")
	}
	d.add(Detail, name+".path", x.Path, y.Path, "")
}

// active is the active instance, or the first where none is marked.
func active(f *facts.Facts, name string) (facts.Instance, bool) {
	if i, ok := f.Active(name); ok {
		return i, true
	}
	if list := f.Components[name]; len(list) > 0 {
		return list[0], true
	}
	return facts.Instance{}, false
}

func orUnknown(version string) string {
	if version == "" {
		return "present"
	}
	return version
}

// prefix is the first n parts of a version.
func prefix(s string, n int) string {
	v, err := recipes.Version(s)
	if err != nil {
		return s
	}
	seg := v.Segments()
	return fmt.Sprint(seg[:min(n, len(seg))])
}

// WriteText writes the comparison for people.
func (c *Comparison) WriteText(w io.Writer, s Style) error {
	b := &strings.Builder{}
	list := c.Differences
	names := max(runewidth.StringWidth(c.A.Name), runewidth.StringWidth(c.B.Name))
	for _, side := range []struct {
		letter string
		Side
	}{{"A", c.A}, {"B", c.B}} {
		fmt.Fprintf(b, "%s  %s  %s\n", s.Paint("1", side.letter), pad(side.Name, names), s.Paint("2", Wrap(side.Host.Line(), 5+names, s.Width)))
	}
	b.WriteString("\n")
	if len(list) == 0 {
		b.WriteString(lang.T("The two machines are alike in everything deployctl looks at.\n"))
	}
	width := 0
	for _, x := range list {
		if x.Weight != Detail || s.All {
			width = max(width, len(x.Topic))
		}
	}
	paint := map[Weight]string{Breaks: "31", Matters: "33", Detail: "2"}
	for _, x := range list {
		if x.Weight == Detail && !s.All {
			continue
		}
		fmt.Fprintf(b, "%s  %s  %s\n", s.Paint(paint[x.Weight], pad(lang.T(x.Weight.String()), 7)), pad(x.Topic, width), Wrap(x.A+" → "+x.B, 11+width, s.Width))
		if x.Why != "" {
			fmt.Fprintf(b, "%s%s\n", strings.Repeat(" ", 11+width), s.Paint("2", Wrap(x.Why, 11+width, s.Width)))
		}
	}
	details := 0
	for _, x := range list {
		if x.Weight == Detail {
			details++
		}
	}
	if details > 0 && !s.All {
		noun := "details"
		if details == 1 {
			noun = "detail"
		}
		fmt.Fprint(b, lang.F("and %d %s (--all)\n", details, noun))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
