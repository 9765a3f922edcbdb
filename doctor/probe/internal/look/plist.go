package look

import (
	"howett.net/plist"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Plist is what deployctl reads of Apple's property lists. It has named fields only:
// a small binary list can share its arrays so that unfolding the whole of it would
// fill the memory.
type Plist struct {
	ShortVersion   PlistText `plist:"CFBundleShortVersionString"`
	ProductBuild   PlistText `plist:"ProductBuildVersion"`
	ProductName    PlistText `plist:"ProductName"`
	ProductVersion PlistText `plist:"ProductVersion"`
	DTXcodeBuild   PlistText `plist:"DTXcodeBuild"`
	PackageVersion PlistText `plist:"PackageVersion"`
	Version        PlistText `plist:"Version"`
}

// ParsePlist reads a property list in its binary, XML or text form.
func ParsePlist(data []byte) (Plist, error) {
	var p Plist
	if _, err := plist.Unmarshal(data, &p); err != nil {
		return Plist{}, lang.Errorf("property list: %w", err)
	}
	return p, nil
}

// PlistText is a string that another type in its place leaves empty, so that it does
// not hide its neighbors.
type PlistText string

// UnmarshalPlist takes a string and passes over anything else.
func (t *PlistText) UnmarshalPlist(unmarshal func(any) error) error {
	var s string
	if unmarshal(&s) == nil {
		*t = PlistText(s)
	}
	return nil
}
