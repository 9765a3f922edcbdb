package recipes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

var (
	sha256Form   = lazyregexp.New(`^[0-9a-f]{64}$`)
	choiceForm   = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	artifactForm = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$`)
)

func lintParameters(r *Recipe, d *document) {
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		p, at := r.Parameters[name], "$.parameters."+name
		if !nameForm.MatchString(name) {
			d.at(at, "parameter %q must be lower-case words joined by hyphens", name)
		}
		if strings.TrimSpace(p.Title) == "" {
			d.at(at, "parameter %s needs a title", name)
		}
		if len(p.Choices) < 2 {
			d.at(at, "parameter %s needs at least two choices", name)
		}
		for i, c := range p.Choices {
			if !choiceForm.MatchString(c) || slices.Contains(p.Choices[:i], c) {
				d.at(fmt.Sprintf("%s.choices[%d]", at, i), "choice %q is not a word, or is here twice", c)
			}
		}
		if !d.damaged(at + ".choices") {
			d.word(at+".default", lang.F("default of %s", name), p.Default, p.Choices)
		}
	}
}

// parameter looks a name up; in a recipe that extends another the parameter may
// be the other's, and is then checked when they are merged.
func (r *Recipe) parameter(name string, d *document, at string) (Parameter, bool) {
	p, ok := r.Parameters[name]
	if d.damaged("$.parameters") {
		return p, false
	}
	if !ok && r.Extends == "" {
		d.at(at, "unknown parameter %q%s", name, suggest(name, slices.Sorted(maps.Keys(r.Parameters))))
	}
	return p, ok
}

// DebianArchive begins the address of a file in the archive that the machine's
// own apt fetches Debian's packages from.
const DebianArchive = "debian:"

var poolForm = lazyregexp.New(`^pool(/[A-Za-z0-9][A-Za-z0-9.+~_-]*)+$`)

func lintArtifact(a *Artifact, d *document, at string) {
	if !artifactForm.MatchString(a.Name) {
		d.at(at+".name", "artifact name %q must be a file name", a.Name)
	}
	for i, address := range append([]string{a.URL}, a.Mirrors...) {
		key := at + ".url"
		if i > 0 {
			key = fmt.Sprintf("%s.mirrors[%d]", at, i-1)
		}
		if pool, ok := strings.CutPrefix(address, DebianArchive); ok {
			if !poolForm.MatchString(pool) {
				d.at(key, "%q must be %s and a path such as pool/main/o/opencv/NAME", address, DebianArchive)
			}
			continue
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			d.at(key, "%q must be an https address without a user name", address)
		}
	}
	if a.Size == 0 {
		d.at(at, "artifact %s needs its exact size", a.Name)
	}
	if !sha256Form.MatchString(a.SHA256) {
		d.at(at+".sha256", "artifact %s needs its sha256: 64 lower-case hexadecimal digits", a.Name)
	}
	if strings.TrimSpace(a.Source) == "" {
		d.at(at, "artifact %s needs a source that publishes its hash", a.Name)
	}
}

// Setting is the value of a parameter: what Set chose, else its default; "" for
// a name that is no parameter.
func (r *Recipe) Setting(name string) string {
	if v, ok := r.Settings[name]; ok {
		return v
	}
	return r.Parameters[name].Default
}

// Set returns a copy of the recipe with parameters chosen; the recipe itself is
// not changed. An unknown parameter or choice is an error with the nearest.
func (r *Recipe) Set(values map[string]string) (*Recipe, error) {
	out := *r
	out.Settings = maps.Clone(r.Settings)
	if out.Settings == nil {
		out.Settings = map[string]string{}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p, ok := r.Parameters[name]
		if !ok {
			known := slices.Sorted(maps.Keys(r.Parameters))
			if len(known) == 0 {
				return nil, lang.Errorf("recipe %s has no parameters, so %s cannot be set", r.Name, name)
			}
			return nil, lang.Errorf("recipe %s has no parameter %q%s", r.Name, name, suggest(name, known))
		}
		if !slices.Contains(p.Choices, values[name]) {
			return nil, lang.Errorf("parameter %s of recipe %s cannot be %q; choices: %s", name, r.Name, values[name], strings.Join(p.Choices, ", "))
		}
		out.Settings[name] = values[name]
	}
	return &out, nil
}

// ParseSet reads name=value pairs, as --set has them.
func ParseSet(pairs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := out[name]; !ok || name == "" || value == "" || twice {
			return nil, lang.Errorf("--set %s: give NAME=VALUE, each name once", pair)
		}
		out[name] = value
	}
	return out, nil
}

// Select returns a copy of the recipe with only the requirements named (all
// when only is empty), without those in skip, and with those in downgrade made
// one step milder: required becomes recommended, recommended becomes info. The
// recipe itself is not changed. Ids select themselves and, with a dot at the
// end ("opencv."), every id that begins so. An id that no requirement has is an
// error with the nearest one.
func (r *Recipe) Select(only, skip, downgrade []string) (*Recipe, error) {
	ids := make([]string, len(r.Requirements))
	for i := range r.Requirements {
		ids[i] = r.Requirements[i].ID
	}
	matches := func(pattern, id string) bool {
		return id == pattern || strings.HasSuffix(pattern, ".") && strings.HasPrefix(id, pattern)
	}
	for _, list := range []struct {
		flag string
		ids  []string
	}{{"--only", only}, {"--skip", skip}, {"--downgrade", downgrade}} {
		for _, id := range list.ids {
			if !slices.ContainsFunc(ids, func(known string) bool { return matches(id, known) }) {
				return nil, lang.Errorf("%s %s: recipe %s has no such requirement%s", list.flag, id, r.Name, suggest(id, ids))
			}
		}
	}
	in := func(list []string, id string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool { return matches(pattern, id) })
	}
	if len(only)+len(skip)+len(downgrade) == 0 {
		return r, nil
	}
	out := *r
	out.Requirements = nil
	keep := func(id string, s Severity) (Severity, bool) {
		switch {
		case len(only) > 0 && !in(only, id) || in(skip, id):
			return s, false
		case !in(downgrade, id):
			return s, true
		case s == Recommended || s == Info:
			return Info, true
		}
		return Recommended, true
	}
	out.Narrowed = &Narrowed{whole: r, keep: keep}
	for _, q := range r.Requirements {
		severity, kept := keep(q.ID, q.Severity)
		if kept {
			q.Severity = severity
			out.Requirements = append(out.Requirements, q)
		}
	}
	if len(out.Requirements) == 0 {
		return nil, lang.Errorf("--only and --skip leave no requirement")
	}
	return &out, nil
}

// LoadPinned reads a recipe that was fetched from an address, after checking
// that its bytes have the SHA-256 that the user gave. It may extend embedded
// recipes only: what was fetched must not depend on the folder of the reader.
// It opens nothing and runs nothing.
func LoadPinned(data []byte, address, sum string) (*Recipe, error) {
	want := strings.ToLower(strings.TrimSpace(sum))
	if !sha256Form.MatchString(want) {
		return nil, lang.Errorf("recipe %s: --recipe-sha256 must be 64 hexadecimal digits", address)
	}
	got := sha256.Sum256(data)
	if hex.EncodeToString(got[:]) != want {
		return nil, lang.Errorf("recipe %s: its SHA-256 is %x, not %s; it was changed or is another file", address, got, want)
	}
	s, err := newShelf("")
	if err != nil {
		return nil, err
	}
	name := address
	if u, err := url.Parse(address); err == nil && u.Path != "" {
		name = path.Base(u.Path)
	}
	r, err := s.load(data, name, "", true)
	if err != nil {
		return nil, err
	}
	r.Source = address
	return r, nil
}

// Attr is a condition on a named detail of an instance.
type Attr struct {
	text       string
	form       string // version, is, has, not, lacks, series, starts, set, unset
	word       string
	constraint Constraint
}

// ParseAttr reads "unset" (no such detail), "is WORD", "has WORD", "has series of COMPONENT", "starts
// WORD", "not WORD" and "lacks WORD" (both only of a detail that is there), "set"
// or a version constraint.
func ParseAttr(text string) (Attr, error) {
	a := Attr{text: strings.TrimSpace(text)}
	if a.text == "unset" || a.text == "set" {
		a.form = a.text
		return a, nil
	}
	for _, form := range []struct{ prefix, form string }{
		{"has series of ", "series"}, {"has ", "has"}, {"is ", "is"}, {"starts ", "starts"}, {"not ", "not"}, {"lacks ", "lacks"},
	} {
		if word, ok := strings.CutPrefix(a.text, form.prefix); ok {
			a.form, a.word = form.form, strings.TrimSpace(word)
			if a.form == "series" && !slices.Contains(Components(), a.word) {
				return a, lang.Errorf("unknown component %q%s", a.word, suggest(a.word, Components()))
			}
			if a.word == "" {
				return a, lang.Errorf("condition %q names no word", text)
			}
			return a, nil
		}
	}
	c, err := ParseConstraint(a.text)
	if err != nil {
		return a, lang.Errorf("%w, nor is it \"is WORD\", \"has WORD\", \"has series of COMPONENT\" or \"starts WORD\"", err)
	}
	if c.Any() {
		return a, lang.Errorf("an attribute needs a condition")
	}
	a.form, a.constraint = "version", c
	return a, nil
}

// String is the condition as it was written.
func (a Attr) String() string { return a.text }

// SeriesOf names the component whose series is asked for, "" for none.
func (a Attr) SeriesOf() string {
	if a.form == "series" {
		return a.word
	}
	return ""
}

// Check reports whether a value meets the condition. series is the first two
// numbers of SeriesOf's active version. A version that cannot be read is an
// error.
func (a Attr) Check(value, series string) (bool, error) {
	list := func(word string) bool {
		for item := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
			if strings.EqualFold(item, word) {
				return true
			}
		}
		return false
	}
	switch a.form {
	case "unset":
		return value == "", nil
	case "set":
		return value != "", nil
	case "not":
		return value != "" && !strings.EqualFold(value, a.word), nil
	case "lacks":
		return value != "" && !list(a.word), nil
	case "is":
		return strings.EqualFold(value, a.word), nil
	case "has":
		return list(a.word), nil
	case "starts":
		return strings.HasPrefix(strings.ToLower(value), strings.ToLower(a.word)), nil
	case "series":
		return series != "" && list(series), nil
	}
	return a.constraint.Check(value)
}

// Series gives the first two numbers of a version: 12.1 of 12.1.105. It is ""
// when the version cannot be read.
func Series(text string) string {
	v, err := Version(text)
	if err != nil {
		return ""
	}
	n := v.Segments64()
	return fmt.Sprintf("%d.%d", n[0], n[1])
}

// Relate makes the constraint of a compat check's relation and the value that
// the table chose: ">=" 525.60.13 gives ">= 525.60.13"; "series" 11.1.1 gives
// ">= 11.1, < 11.2", "major" ">= 11, < 12".
func Relate(relation, value string) (Constraint, error) {
	switch relation {
	case ">=":
		return ParseConstraint(">= " + value)
	case "series", "major":
		v, err := Version(value)
		if err != nil {
			return Constraint{}, err
		}
		n := v.Segments64()
		if relation == "major" {
			return ParseConstraint(fmt.Sprintf(">= %d, < %d", n[0], n[0]+1))
		}
		return ParseConstraint(fmt.Sprintf(">= %d.%d, < %d.%d", n[0], n[1], n[0], n[1]+1))
	}
	return Constraint{}, lang.Errorf("unknown relation %q%s", relation, suggest(relation, Relations()))
}

// New is a small recipe to begin from: it lints as it is.
func New(name string) ([]byte, error) {
	if !nameForm.MatchString(name) {
		return nil, lang.Errorf("recipe name %q must be lower-case words joined by hyphens, such as my-recipe", name)
	}
	return []byte(`# yaml-language-server: $schema=docs/schema/recipe.schema.json
# Every key is described in recipes/FORMAT.md; check with: deployctl recipe lint ` + name + `.yaml
schema: 1
name: ` + name + `
title: What it is for, in a line
description: What a machine can do once every requirement is satisfied.

# What a user may choose: deployctl doctor --recipe ` + name + ` --set gpu=cuda
parameters:
  gpu:
    title: What computes
    default: cpu
    choices: [cpu, cuda]

requirements:
  - id: cpu.arch
    title: Processor
    why: What breaks on another processor.
    manual: Use a 64-bit machine.
    cpu:
      arch: [amd64, arm64]

  - id: git.version
    title: Git
    why: It fetches the sources.
    component:
      name: git
      version: ">= 2.20"
    fix:
      - apt: [git]
      - dnf: [git]
      - brew: [git]

  - id: cuda.version
    title: CUDA toolkit
    why: The sources are compiled with it when the GPU computes.
    manual: Install a CUDA toolkit between these versions.
    when:
      set: {gpu: [cuda]}
    component:
      name: cuda
      version: ">= 11.8, < 13"
`), nil
}
