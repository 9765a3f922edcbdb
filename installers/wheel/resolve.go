package wheel

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

// Pin is a file that was resolved once, to be locked by its hash.
type Pin struct {
	Project, Version, File string
	Size                   int64
	SHA256                 store.Sum
}

// Resolve gives the newest version that satisfies the specifiers (PEP 440:
// ==1.20.1, or >=1.17,<2; none is any) and has a wheel for the target, and that
// wheel. Prereleases count only where the specifiers name one, yanked files only
// where they name one version exactly (PEP 592), and a wheel that requires
// another Python not at all where the target has a Python.
func (x *Index) Resolve(ctx context.Context, project, specifiers string, t wheeltag.Target) (Pin, error) {
	want, err := parseSpecifiers(specifiers)
	if err != nil {
		return Pin{}, err
	}
	files, err := x.Files(ctx, project)
	if err != nil {
		return Pin{}, err
	}
	byVersion := map[string][]Listed{}
	var versions []release
	for _, f := range files {
		n, ok := wheeltag.Parse(f.File)
		if !ok {
			continue
		}
		v, err := parseRelease(n.Version)
		if err != nil || !want.accept(v) || f.Yanked && !want.exact() || v.pre && !want.prerelease() || !runs(t, f.RequiresPython) || !t.Fits(f.File) {
			continue
		}
		if _, seen := byVersion[n.Version]; !seen {
			versions = append(versions, v)
		}
		byVersion[n.Version] = append(byVersion[n.Version], f)
	}
	if len(versions) == 0 {
		return Pin{}, &step.Failure{Kind: step.NotFound, Cause: lang.F("%s%s has no wheel for %s", project, specifiers, t),
			Next: lang.T("use another version, or another way to install it")}
	}
	newest := slices.MaxFunc(versions, release.compare)
	candidates := byVersion[newest.text]
	var names []string
	for _, f := range candidates {
		names = append(names, f.File)
	}
	file, _ := t.Choose(names) // each fits
	chosen := candidates[slices.Index(names, file)]
	if err := x.complete(ctx, &chosen); err != nil {
		return Pin{}, err
	}
	return Pin{Project: project, Version: newest.text, File: file, Size: chosen.Size, SHA256: chosen.SHA256}, nil
}

// complete finds out what a list left open: the hash of a file in a folder, the
// size of one whose list is HTML.
func (x *Index) complete(ctx context.Context, f *Listed) (err error) {
	if !strings.Contains(f.URL, "://") {
		f.SHA256, err = store.Hash(ctx, f.URL)
		return err
	}
	if f.SHA256 == "" {
		return &step.Failure{Kind: step.Other, Cause: lang.F("the index publishes no SHA-256 for %s", f.File), Next: lang.T("use an index that publishes one: nothing is locked by an unknown hash")}
	}
	if f.Size > 0 {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, f.URL, nil)
	if err != nil {
		return lang.Errorf("ask for the size of %s: %w", f.File, err)
	}
	resp, err := x.client.Do(req)
	if err != nil {
		return &step.Failure{Kind: step.NoNetwork, Err: err, Cause: lang.F("the size of %s could not be asked for", f.File), Next: lang.T("check the network, then run this again")}
	}
	if err := resp.Body.Close(); err != nil {
		return lang.Errorf("ask for the size of %s: %w", f.File, err)
	}
	if resp.StatusCode != http.StatusOK || resp.ContentLength <= 0 {
		return &step.Failure{Kind: step.Other, Cause: lang.F("the index does not say how large %s is (%s)", f.File, resp.Status), Next: lang.T("use an index that publishes it")}
	}
	f.Size = resp.ContentLength
	return nil
}

// runs says whether the target's Python satisfies what a file requires of it.
// What cannot be read excludes nothing, as in pip.
func runs(t wheeltag.Target, requires string) bool {
	if t.Python == "" || requires == "" {
		return true
	}
	want, err := parseSpecifiers(requires)
	if err != nil {
		return true
	}
	have, err := parseRelease(t.Python)
	return err == nil && want.accept(have)
}

// release is a version by PEP 440, without its local part.
type release struct {
	text    string
	numbers []int
	// order is the part behind the numbers as something to compare: dev before
	// a, b and rc before the release itself before post.
	order [4]int
	pre   bool
}

var releaseForm = lazyregexp.New(`^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?$`)

func parseRelease(text string) (release, error) {
	m := releaseForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil {
		return release{}, lang.Errorf("%q is not a version of a Python project", step.Clean(text, 60))
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0 // "": a post release without a number is post0
		}
		return n
	}
	r := release{text: text, numbers: []int{number(m[1])}} // the epoch first
	for part := range strings.SplitSeq(m[2], ".") {
		r.numbers = append(r.numbers, number(part))
	}
	phase := map[string]int{"a": 1, "alpha": 1, "b": 2, "beta": 2, "c": 3, "rc": 3, "pre": 3, "preview": 3}
	isPost, isDev := m[5] != "" || m[6] != "", m[8] != ""
	switch {
	case m[3] != "":
		r.order[0], r.order[1], r.pre = phase[m[3]], number(m[4]), true
	case isDev && !isPost:
		r.order[0] = 0
	default:
		r.order[0] = 4
	}
	if isPost {
		r.order[2] = 1 + number(cmp.Or(m[5], m[7]))
	}
	r.order[3] = 1 << 30 // not a development release
	if isDev {
		r.order[3], r.pre = number(m[9]), true
	}
	return r, nil
}

func (r release) compare(o release) int {
	for i := range max(len(r.numbers), len(o.numbers)) {
		var a, b int
		if i < len(r.numbers) {
			a = r.numbers[i]
		}
		if i < len(o.numbers) {
			b = o.numbers[i]
		}
		if a != b {
			return cmp.Compare(a, b)
		}
	}
	return slices.Compare(r.order[:], o.order[:])
}

// begins says whether the release's numbers begin with the other's.
func (r release) begins(o release) bool {
	padded := slices.Concat(r.numbers, make([]int, len(o.numbers)))
	return slices.Equal(padded[:len(o.numbers)], o.numbers)
}

// specifier is one condition: an operator and a release.
type specifier struct {
	op   string
	than release
	any  bool // the release ended in .*
}

type specifiers []specifier

var specifierForm = lazyregexp.New(`^\s*(===|~=|==|!=|<=|>=|<|>)\s*([^\s,]+?)(\.\*)?\s*$`)

// parseSpecifiers reads a list of conditions (PEP 440, "Version specifiers").
func parseSpecifiers(text string) (specifiers, error) {
	var list specifiers
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		m := specifierForm.FindStringSubmatch(part)
		if m == nil {
			return nil, lang.Errorf("%q is not a condition on a version, such as ==1.20.1 or >=1.17", step.Clean(part, 60))
		}
		than, err := parseRelease(m[2])
		if err != nil {
			return nil, err
		}
		if m[3] != "" && m[1] != "==" && m[1] != "!=" || m[1] == "~=" && len(than.numbers) < 3 {
			return nil, lang.Errorf("%q is not a condition on a version", step.Clean(part, 60))
		}
		list = append(list, specifier{op: m[1], than: than, any: m[3] != ""})
	}
	return list, nil
}

func (l specifiers) exact() bool {
	return len(l) == 1 && (l[0].op == "==" || l[0].op == "===") && !l[0].any
}

func (l specifiers) prerelease() bool {
	return slices.ContainsFunc(l, func(s specifier) bool { return s.than.pre })
}

func (l specifiers) accept(v release) bool {
	for _, s := range l {
		c, ok := v.compare(s.than), false
		switch s.op {
		case "==", "===":
			ok = c == 0 || s.any && v.begins(s.than)
		case "!=":
			ok = c != 0 && !(s.any && v.begins(s.than))
		case "<=":
			ok = c <= 0
		case ">=":
			ok = c >= 0
		case "<": // 1.7.dev is not below 1.7 for whom it is to be older than that
			ok = c < 0 && !(v.pre && !s.than.pre && v.begins(s.than) && s.than.begins(release{numbers: v.numbers}))
		case ">": // nor is 1.7.post1 above 1.7
			ok = c > 0 && !(v.order[2] > 0 && s.than.order[2] == 0 && v.begins(s.than) && len(v.numbers) == len(s.than.numbers))
		case "~=":
			ok = c >= 0 && v.begins(release{numbers: s.than.numbers[:len(s.than.numbers)-1]})
		}
		if !ok {
			return false
		}
	}
	return true
}
