package recipes

import "testing"

func TestPinned(t *testing.T) {
	for _, tt := range []struct{ manager, name, constraint, want string }{
		{"winget", "Kitware.CMake", "", "4.2.3"},
		{"winget", "Kitware.CMake", ">= 3.7, < 4", "3.31.6"},
		{"winget", "Kitware.CMake", ">= 99", ""},
		{"winget", "Nvidia.CUDA", "~> 12.9.0", "12.9"},
		{"winget", "Nvidia.CUDA", "~> 11.4.0", ""},
		{"choco", "cuda", "~> 11.8.0", "11.8.0.52206"},
		{"winget", "Nobody.Knows", "", ""},
	} {
		if got := Pinned(tt.manager, tt.name, tt.constraint); got != tt.want {
			t.Errorf("%s %s %s: %q, want %q", tt.manager, tt.name, tt.constraint, got, tt.want)
		}
	}
	for want, p := range map[string]Packages{
		"winget install --exact --id Git.Git --version 2.53.0; winget install --exact --id Nobody.Knows": {Manager: "winget", Packages: []string{"Git.Git", "Nobody.Knows"}},
		"choco install git mingw; choco install cmake --version 3.27.4":                                  {Manager: "choco", Packages: []string{"git", "cmake", "mingw"}},
		"apt-get install cmake git": {Manager: "apt", Packages: []string{"cmake", "git"}},
	} {
		if got := p.Pin("").Command(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestPins: the embedded list loads. Pinned panics where it does not.
func TestPins(t *testing.T) {
	if _, err := pins(); err != nil {
		t.Fatal(err)
	}
}
