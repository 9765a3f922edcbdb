package closure

import (
	"slices"
	"testing"
)

// TestByVersion: of several symbol versions the newest is named, by number.
func TestByVersion(t *testing.T) {
	list := []string{"GLIBCXX_3.4.9", "CXXABI_1.3.13", "GLIBCXX_3.4.29", "GLIBCXX_3.4", "CXXABI_1.3.9"}
	slices.SortFunc(list, byVersion)
	if want := []string{"CXXABI_1.3.9", "CXXABI_1.3.13", "GLIBCXX_3.4", "GLIBCXX_3.4.9", "GLIBCXX_3.4.29"}; !slices.Equal(list, want) {
		t.Errorf("%q", list)
	}
}
