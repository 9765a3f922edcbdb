package recipes

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Manager is a package manager as recipes, the linter, doctor's advice and the
// installers know it: its key in a fix, what its packages are called, and the
// command that a person types. How it is run is in the installers' package of
// the same name.
type Manager struct {
	// Name is the key in a fix, and the component in the facts.
	Name string
	// About describes the key in the schema.
	About string
	// Form is what a package name may look like. It is what keeps a recipe from
	// passing an option or a version pin off as a package.
	Form *lazyregexp.Regexp
	// Command is what a person types before the packages, "" where there is no
	// one command. Root: it needs administrator rights.
	Command string
	Root    bool
}

// managers is the one list of them. npm is in it although deployctl reads the
// registry itself.
var managers = []Manager{
	// Policy 5.6.1: lower case letters, digits, plus, minus, full stop; at least
	// two, the first a letter or digit. A trailing minus is left out: apt would
	// read "name-" as "remove name".
	{Name: "apt", Command: "apt-get install", Root: true, Form: lazyregexp.New(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9-]*[a-z0-9])?$`)},
	// A letter or digit first, so that neither an option nor a group
	// ("@development") passes; no glob characters.
	{Name: "dnf", Command: "dnf install", Root: true, Form: lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9+._-]*$`)},
	// PKGBUILD(5): alphanumerics and @ . _ + -, not starting with - or a full
	// stop. @ is left out: nothing a recipe wants has one.
	{Name: "pacman", Command: "pacman -S --needed", Root: true, Form: lazyregexp.New(`^[a-z0-9][a-z0-9+._-]*$`)},
	// A leading "!" would mean "must be absent", "@" a repository tag and "=<>~" a
	// version; none of them passes.
	{Name: "apk", Command: "apk add", Root: true, Form: lazyregexp.New(`^[a-z0-9][a-z0-9+._-]*$`)},
	// No leading "!", "-" or "~" (zypper: remove instead), no "@" or "=".
	{Name: "zypper", Command: "zypper install", Root: true, Form: lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9+._-]*$`)},
	// A formula of the main tap, with a version suffix (go@1.22). No slash: a tap
	// would fetch and run somebody's Ruby.
	{Name: "brew", Command: "brew install", Form: lazyregexp.New(`^[a-z0-9][a-z0-9+._-]*(@[0-9][0-9.]*)?$`)},
	// Publisher.Package, at least two parts (winget-pkgs' own rule); the first
	// character is no hyphen, so that no option passes.
	{Name: "winget", About: "package ids", Form: lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9+_-]*(\.[A-Za-z0-9+_-]+)+$`)},
	// Lower case as the repository shows them. No name that ends in .config: choco
	// reads one as a file that lists packages.
	{Name: "choco", Command: "choco install", Root: true, Form: lazyregexp.New(`^[a-z0-9][a-z0-9_-]*(\.([0-9][a-z0-9_-]*|install|portable|commandline|tool|app|extension|template|hook))*$`)},
	{Name: "scoop", Command: "scoop install", Form: lazyregexp.New(`^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$`)},
	{Name: "vcpkg", About: "ports, with features: opencv4[dnn]", Command: "vcpkg install", Form: lazyregexp.New(`^[a-z0-9][a-z0-9-]*(\[[a-z0-9-]+(,[a-z0-9-]+)*\])?$`)},
	// Names as PEP 508 has them. No brackets: an extra brings in more than was looked up.
	{Name: "pip", About: "Python packages, into the virtual environment that is active", Command: "python3 -m pip install", Form: lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)},
	{Name: "msys2", About: "packages of MSYS2's pacman", Form: lazyregexp.New(`^[a-z0-9][a-z0-9+._-]*$`)},
	// Microsoft.VisualStudio.Component.VC.Tools.x86.x64: words with dots. No
	// semicolon: ";includeRecommended" after an id would bring in more.
	{Name: "visual-studio", About: "component ids that are added to the newest installed Visual Studio", Form: lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+$`)},
	// A feature, or a capability with ~.
	{Name: "feature", About: "optional features of Windows", Form: lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.-]*(~[A-Za-z0-9_-]*~[A-Za-z0-9_-]*~[A-Za-z0-9_-]*~[0-9.]+)?$`)},
	{Name: "npm", About: "packages of the npm registry whose libraries deployctl knows", Form: lazyregexp.New(`^(@[a-z0-9-]+/)?[a-z0-9][a-z0-9._-]{0,60}$`)},
}

// Managers lists the package managers that a fix can name.
func Managers() []Manager { return slices.Clone(managers) }

// FindManager gives the manager of a name.
func FindManager(name string) (Manager, bool) {
	i := slices.IndexFunc(managers, func(m Manager) bool { return m.Name == name })
	if i < 0 {
		return Manager{}, false
	}
	return managers[i], true
}

// Names reports whether a word is plainly the name of a package.
func (m Manager) Names(word string) bool {
	return len(word) <= 200 && m.Form != nil && m.Form.MatchString(word)
}

// PackageSet is package managers and the packages of each; in a fix it is one.
// In YAML and JSON each manager is a key of the fix itself.
type PackageSet map[string][]string

// Packages is what one package manager would install.
type Packages struct {
	Manager  string
	Packages []string
	// Versions are those that are asked for by name, by package.
	Versions map[string]string
	// Download is the fix's.
	Download Bytes
}

// Installs gives the fix's package manager and packages.
func (f *Fix) Installs() Packages {
	for _, m := range managers {
		if p := f.Packages[m.Name]; len(p) > 0 {
			return Packages{Manager: m.Name, Packages: p, Download: f.Download}
		}
	}
	return Packages{}
}

// MarshalJSON writes the managers as keys of the fix, in the order of the list,
// where Packages stands: a lockfile knows its recipe by these bytes.
func (f Fix) MarshalJSON() ([]byte, error) {
	b := []byte("{")
	add := func(key string, value any) error {
		text, err := json.Marshal(value)
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(b, `"`+key+`":`...), text...)
		return err
	}
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		if v.Type().Field(i).Type == reflect.TypeFor[PackageSet]() {
			for _, m := range managers {
				if names := f.Packages[m.Name]; len(names) > 0 {
					if err := add(m.Name, names); err != nil {
						return nil, err
					}
				}
			}
			continue
		}
		if key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); !v.Field(i).IsZero() {
			if err := add(key, v.Field(i).Interface()); err != nil {
				return nil, err
			}
		}
	}
	return append(b, '}'), nil
}
