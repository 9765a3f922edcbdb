package recipes

import (
	"math"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// maxVersion is the longest version text that is looked at. The longest in
// Debian 12 has 58 characters.
const maxVersion = 200

var (
	// versionStart finds the release numbers: after an optional "v" or "go" and
	// an optional Debian epoch ("1:"). Nine digits a number keep dates
	// (20241114) and stay inside 64 bits; the library underneath has no bound.
	versionStart = lazyregexp.New(`^(?:v|V|go)?(?:[0-9]{1,4}:)?v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,7})`)
	// versionPre finds a mark of "before the release" right behind the numbers.
	// A single letter counts only with a number behind it and only a and b
	// (Python's 3.13.0a1); "1.1.1w" is OpenSSL's patch letter and "9.2p1" a
	// patch, both after the release.
	versionPre = lazyregexp.New(`(?i)^[-._~]?((?:alpha|beta|rc|preview|pre|devel|dev|snapshot|nightly|cr)(?:[-.]?[0-9]{1,9})?|[ab][0-9]{1,9})(?:[^0-9a-z]|$)`)
	// versionMore is a number part too long or a part too many: such a text is
	// refused rather than cut to something else.
	versionMore = lazyregexp.New(`^\.?[0-9]`)

	constraintOp = lazyregexp.New(`^\s*(>=|<=|!=|~>|=|>|<)?`)
)

// Version reads a version as distributions, tools and headers write it and
// gives the upstream version for comparison:
//
//	4.6.0+dfsg-12        4.6.0        Debian: repacked source and revision dropped
//	12.2.0-14+deb12u1    12.2.0       Debian: revision dropped
//	1:8.39-15            8.39         Debian: epoch dropped
//	4.10.0-r2            4.10.0       Alpine: revision dropped
//	4.9.0-3.el9          4.9.0        RPM: release dropped
//	13.1.1_p2            13.1.1       Gentoo, OpenSSH: patches are not compared
//	go1.26.8, v3.2       1.26.8, 3.2  prefixes dropped
//	3.0.0-beta, 1.22rc1  prerelease   before 3.0.0 and 1.22
//	4.6.0~rc1+ds-1       prerelease   Debian's ~ before such a word
//	2:1.19~1             1.19         Debian's ~ before anything else: packaging
//	4.10.0-dev           prerelease   OpenCV's mark of an unreleased tree
//
// The words that mark a prerelease are alpha, beta, rc, pre, preview, dev,
// devel, snapshot, nightly, cr, and a or b with a number. Anything else behind
// the numbers is packaging and is ignored. Text without leading numbers, with
// more than eight numbers or with a number above nine digits is an error.
func Version(s string) (*version.Version, error) {
	text := strings.TrimSpace(s)
	if len(text) > maxVersion {
		return nil, lang.Errorf("version of %d characters: at most %d are read", len(text), maxVersion)
	}
	m := versionStart.Get().FindStringSubmatchIndex(text)
	if m == nil {
		return nil, lang.Errorf("%q is not a version: it does not start with a number", s)
	}
	numbers, rest := text[m[2]:m[3]], text[m[3]:]
	if versionMore.MatchString(rest) {
		return nil, lang.Errorf("%q is not a version: too many or too long numbers", s)
	}
	if p := versionPre.FindStringSubmatch(rest); p != nil {
		numbers += "-" + strings.ToLower(p[1])
	}
	v, err := version.NewVersion(numbers)
	if err != nil {
		return nil, lang.Errorf("%q is not a version: %w", s, err)
	}
	return v, nil
}

// Constraint is a list of comma-separated conditions on a version, in the
// syntax of hashicorp/go-version: ">= 4.5.1, < 5". Every one must hold. The
// zero Constraint accepts every version.
type Constraint struct {
	text  string
	parts []constraintPart
}

type constraintPart struct {
	op    string // "" reads as =
	limit *version.Version
	check *version.Constraint
}

// ParseConstraint reads a constraint; "" accepts every version.
func ParseConstraint(s string) (Constraint, error) {
	if strings.TrimSpace(s) == "" {
		return Constraint{}, nil
	}
	if len(s) > maxVersion {
		return Constraint{}, lang.Errorf("constraint of %d characters: at most %d are read", len(s), maxVersion)
	}
	c := Constraint{text: strings.TrimSpace(s)}
	for single := range strings.SplitSeq(s, ",") {
		parsed, err := version.NewConstraint(single)
		if err != nil {
			return Constraint{}, lang.Errorf("constraint %q: %q is not one of =, !=, >, >=, <, <=, ~> and a version", s, strings.TrimSpace(single))
		}
		op := constraintOp.FindString(single)
		limit, err := version.NewVersion(strings.TrimSpace(single[len(op):]))
		if err != nil {
			return Constraint{}, lang.Errorf("constraint %q: %w", s, err)
		}
		c.parts = append(c.parts, constraintPart{op: strings.TrimSpace(op), limit: limit, check: parsed[0]})
	}
	return c, nil
}

// String gives the constraint as it was written; "any version" for none.
func (c Constraint) String() string {
	if c.text == "" {
		return "any version"
	}
	return c.text
}

// Any reports whether every version satisfies the constraint.
func (c Constraint) Any() bool { return len(c.parts) == 0 }

// Check reports whether the version, read by Version, satisfies every part. It
// is an error when the version cannot be read; "" can be read only by a
// constraint that accepts any version.
//
// A prerelease of X counts neither as X nor as older than X, because either
// guess breaks somebody: 5.0.0-beta satisfies neither ">= 5" (it may lack what
// 5 has) nor "< 5" (it may have lost what 4 had). Against every other limit it
// counts as X: 4.10.0-dev satisfies ">= 4.5.1, < 5". A part that itself names a
// prerelease (">= 1.22-rc1") is compared in full, by semantic versioning.
func (c Constraint) Check(s string) (bool, error) {
	if c.Any() {
		return true, nil
	}
	v, err := Version(s)
	if err != nil {
		return false, err
	}
	return c.accepts(v), nil
}

func (c Constraint) accepts(v *version.Version) bool {
	for _, p := range c.parts {
		if !p.holds(v) {
			return false
		}
	}
	return true
}

func (p constraintPart) holds(v *version.Version) bool {
	if v.Prerelease() == "" {
		return p.check.Check(v)
	}
	if p.limit.Prerelease() != "" {
		// The library's ~> and >= with a prerelease limit accept only
		// prereleases of the same numbers; plain order is what people mean.
		switch p.op {
		case ">=":
			return v.GreaterThanOrEqual(p.limit)
		case ">":
			return v.GreaterThan(p.limit)
		case "<":
			return v.LessThan(p.limit)
		case "<=":
			return v.LessThanOrEqual(p.limit)
		}
		return p.check.Check(v)
	}
	core := v.Core()
	switch p.op {
	case ">=", "~>":
		return p.check.Check(core) && !core.Equal(p.limit)
	case "", "=":
		return false
	case "!=":
		return true
	}
	return p.check.Check(core)
}

// Least is the largest version that the constraint names as a lower limit or
// exactly, as it is written there; "" when it names none.
func (c Constraint) Least() string {
	var least *version.Version
	for _, p := range c.parts {
		if p.op == ">=" || p.op == "=" || p.op == "" || p.op == "~>" {
			if least == nil || p.limit.GreaterThan(least) {
				least = p.limit
			}
		}
	}
	if least == nil {
		return ""
	}
	return least.Original()
}

// gap is how far a version is from the nearest limit that it breaks; 0 when it
// breaks none. The unit is a major number; a minor one counts a millionth.
func (c Constraint) gap(v *version.Version) float64 {
	least := 0.0
	for _, p := range c.parts {
		if p.holds(v) {
			continue
		}
		if d := math.Abs(position(v) - position(p.limit)); least == 0 || d < least {
			least = d
		}
	}
	return least
}

// position puts the first three numbers on one line.
func position(v *version.Version) float64 {
	n := v.Segments64()
	return float64(n[0]) + float64(n[1])*1e-6 + float64(n[2])*1e-12
}
