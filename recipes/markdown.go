package recipes

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Markdown is the page of a recipe, for docs/recipes and for people: what it
// asks, why, and how to make it hold.
func Markdown(r *Recipe) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s: %s\n", r.Name, r.Title)
	if r.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", r.Description)
	}
	fmt.Fprintf(&b, "\n`deployctl doctor --recipe %s` checks it", r.Name)
	if r.Verify != nil {
		fmt.Fprintf(&b, "; proven with %s in the engine %s", r.Verify.Network, r.Verify.Engine)
	}
	b.WriteString(".\n")
	if len(r.Parameters) > 0 {
		b.WriteString("\n| `--set` | what | choices |\n| --- | --- | --- |\n")
		for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
			p := r.Parameters[name]
			choices := slices.Clone(p.Choices)
			for i, c := range choices {
				if c == p.Default {
					choices[i] = "**" + c + "**"
				}
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, cell(p.Title), strings.Join(choices, ", "))
		}
	}
	if len(r.Artifacts) > 0 {
		b.WriteString("\n| file | bytes | sha256 | from |\n| --- | --- | --- | --- |\n")
		for _, a := range r.Artifacts {
			fmt.Fprintf(&b, "| %s | %d | `%s` | %s |\n", a.Name, uint64(a.Size), a.SHA256, strings.Join(append([]string{a.URL}, a.Mirrors...), " "))
		}
	}
	b.WriteString("\n| requirement | applies to | requires | why | by hand |\n| --- | --- | --- | --- | --- |\n")
	for i := range r.Requirements {
		q := &r.Requirements[i]
		id := "`" + q.ID + "`"
		if PagePath(q.ID) != "" {
			id = "[" + id + "](../../" + PagePath(q.ID) + ")"
		}
		if q.Severity != Required {
			id += " (" + string(q.Severity) + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", id, cell(q.When.String()), cell(q.Wants()), cell(q.Why), cell(byHand(q)))
	}
	return b.Bytes()
}

// byHand is what a requirement says to do by hand, on every system.
func byHand(q *Requirement) string {
	text := q.Manual
	for _, family := range slices.Sorted(maps.Keys(q.ManualOn)) {
		text += " (" + family + ": " + q.ManualOn[family] + ")"
	}
	return text
}

func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(s), "\n", " "), "|", `\|`)
}

// String says in words which hosts a requirement is asked of.
func (w *When) String() string {
	if w == nil {
		return "all"
	}
	var parts []string
	for _, p := range []struct {
		words, join string
		list        []string
	}{{"", " or ", w.OS}, {"", " or ", w.Arch}, {"", " and ", w.Features}, {"without ", " or ", w.Missing}, {"with ", " and ", w.Present}} {
		if len(p.list) > 0 {
			parts = append(parts, p.words+strings.Join(p.list, p.join))
		}
	}
	if w.Compute != "" {
		parts = append(parts, "compute capability "+w.Compute)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Set)) {
		parts = append(parts, name+"="+strings.Join(w.Set[name], " or "))
	}
	return strings.Join(parts, "; ")
}

// Wants says in words what a requirement's check asks.
func (q *Requirement) Wants() string {
	switch {
	case q.OS != nil:
		text := strings.Join(q.OS.Family, ", ")
		for _, m := range []map[string]string{q.OS.Versions, q.OS.Libc} {
			for _, id := range slices.Sorted(maps.Keys(m)) {
				text += "; " + id + " " + m[id]
			}
		}
		return text
	case q.CPU != nil:
		text := strings.Join(q.CPU.Arch, ", ")
		for _, arch := range slices.Sorted(maps.Keys(q.CPU.Features)) {
			text += "; " + arch + " with " + strings.Join(q.CPU.Features[arch], ", ")
		}
		return text
	case q.Memory != nil:
		return q.Memory.Min.Human()
	case q.Disk != nil:
		return q.Disk.Free.Human() + " free for " + q.Disk.For
	case q.GPU != nil:
		text := "a GPU by " + strings.Join(q.GPU.Vendor, " or ")
		if q.GPU.Compute != "" {
			text += ", compute capability " + q.GPU.Compute
		}
		if q.GPU.Memory > 0 {
			text += ", " + q.GPU.Memory.Human()
		}
		return text
	case q.Component != nil:
		c := q.Component
		text := strings.TrimSpace(strings.Join(append(slices.Clone(c.AnyOf), nonEmpty(c.Name)...), " or ") + " " + c.Version)
		if len(c.Has) > 0 {
			text += " with " + strings.Join(c.Has, ", ")
		}
		for _, key := range slices.Sorted(maps.Keys(c.Attr)) {
			text += "; " + key + " " + c.Attr[key]
		}
		if c.Python {
			text += " for Python"
		}
		if c.Absent {
			return "no " + text
		}
		return text
	case q.Compat != nil:
		c := q.Compat
		given := slices.Clone(c.Given)
		for _, column := range slices.Sorted(maps.Keys(c.Parameters)) {
			given = append(given, column+" (--set "+c.Parameters[column]+")")
		}
		text := strings.Join(given, " × ") + " in table " + c.Table
		for _, name := range slices.Sorted(maps.Keys(c.Holds)) {
			text += "; " + name + " " + c.Holds[name] + " its " + c.Choose
		}
		return text
	}
	return ""
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
