package recipes

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Need is what the files of a project ask for of one component.
type Need struct {
	Component string
	// Version is a constraint, "" for any.
	Version string
	// Parts are the modules that are asked for.
	Parts []string
	// By is the kind of file: go.mod, cmake, makefile, python; Where is the line.
	By, Where string
}

// template is the requirement of the library that says how to install a component.
type template struct{ recipe, id string }

// templates are by component. A component that is not here gets a requirement
// that only names it.
var templates = map[string]template{
	"opencv": {"opencv-yolov3", "opencv.version"}, "cuda": {"opencv-cuda", "cuda.version"}, "libtorch": {"libtorch", "libtorch.version"},
	"onnxruntime": {"onnxruntime", "onnxruntime.version"}, "ncnn": {"ncnn", "ncnn.version"}, "darknet": {"darknet", "darknet.present"},
	"go": {"opencv-yolov3", "go.version"}, "cmake": {"ncnn", "cmake.version"}, "tensorflow": {"tensorflow-c", "tensorflow.version"},
}

// toolchains are the requirements on the compilers of a kind of build file, with
// the systems that they are for.
var toolchains = map[string][]struct {
	template
	os []string
}{
	"go.mod": {
		{template{"opencv-source", "cxx.compiler"}, []string{"linux", "darwin"}}, {template{"gocv-macos", "pkg-config.present"}, []string{"linux", "darwin"}},
		{template{"gocv-windows", "mingw.version"}, []string{"windows"}}, {template{"gocv-windows", "mingw.cgo"}, []string{"windows"}},
	},
	"cmake": {
		{template{"opencv-source", "cxx.compiler"}, []string{"linux", "darwin"}}, {template{"opencv-source", "msvc.present"}, []string{"windows"}},
	},
	"makefile": {{template{"opencv-source", "cxx.compiler"}, []string{"linux", "darwin"}}},
}

// FromProject writes a recipe for a project: a requirement for each component that
// its files ask for, with the ways to install it that the library knows, and one
// for each compiler that its builds need. What Python programs import is judged
// for health where it is installed, as pip decides on its version. The text lints.
func FromProject(name string, needs []Need) ([]byte, error) {
	if !nameForm.MatchString(name) {
		return nil, lang.Errorf("recipe name %q must be lower-case words joined by hyphens, such as my-recipe", name)
	}
	r := Recipe{Schema: Schema, Name: name, Title: "What " + name + " needs", Description: "Made from the build files of the project. Change it as you like."}
	have := map[string]bool{}
	var origins []string
	for _, n := range needs {
		for _, tool := range toolchains[n.By] {
			q, err := fromLibrary(tool.template)
			if err != nil {
				return nil, err
			}
			q.When = &When{OS: tool.os, Present: q.presence()}
			r.add(q, have)
		}
		origins = append(origins, n.Where)
		if n.By == "python" && n.Component != "python" && n.Component != "opencv-python" {
			if !slices.Contains(r.Components, n.Component) {
				r.Components = append(r.Components, n.Component)
			}
			continue
		}
		q, err := n.requirement()
		if err != nil {
			return nil, err
		}
		r.add(q, have)
	}
	if len(r.Requirements) == 0 { // a recipe has at least one
		q, err := (&Need{Component: "python"}).requirement()
		if err != nil {
			return nil, err
		}
		r.add(q, have)
	}
	data, err := yaml.Marshal(&r)
	if err != nil {
		return nil, lang.Errorf("print recipe %s: %w", name, err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Save it as %s.yaml; check with: deployctl doctor --recipe %s.yaml\n# Every key is described in recipes/FORMAT.md. It is made from:\n", name, name)
	for _, o := range slices.Compact(origins) {
		fmt.Fprintf(&out, "#   %s\n", strings.Join(strings.Fields(o), " "))
	}
	out.Write(data)
	return out.Bytes(), nil
}

// NameFor makes a recipe's name of a folder's or a file's.
func NameFor(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	name := strings.Join(words, "-")
	if !nameForm.MatchString(name) {
		return "my-project"
	}
	return name
}

// add appends a requirement whose id is new.
func (r *Recipe) add(q Requirement, have map[string]bool) {
	if !have[q.ID] {
		have[q.ID] = true
		r.Requirements = append(r.Requirements, q)
	}
}

// presence is what has to be there before a requirement is asked.
func (q *Requirement) presence() []string {
	if q.When == nil {
		return nil
	}
	return q.When.Present
}

// requirement is what a need asks of the machine.
func (n *Need) requirement() (Requirement, error) {
	q := Requirement{
		ID: n.Component + ".version", Title: Display(n.Component), Why: "The project's files ask for it.", Manual: "Install " + Display(n.Component) + ".",
		Component: &ComponentCheck{Name: n.Component},
	}
	switch t, known := templates[n.Component]; {
	case known:
		var err error
		if q, err = fromLibrary(t); err != nil {
			return q, err
		}
		q.When = nil
		if n.By != "go.mod" || n.Component != "opencv" { // gocv needs what the library's requirement says
			q.Component.Version, q.Component.Has = "", slices.DeleteFunc(q.Component.Has, func(part string) bool { return part != "headers" && part != "nvcc" })
		}
	case n.Component == "opencv-python":
		q.Manual = "python -m pip install -r requirements.txt, in the environment of the project."
	case n.Component == "python":
		q.Fix = []Fix{{Packages: PackageSet{"apt": {"python3"}}}, {Packages: PackageSet{"dnf": {"python3"}}}, {Packages: PackageSet{"pacman": {"python"}}}, {Packages: PackageSet{"apk": {"python3"}}}, {Packages: PackageSet{"brew": {"python"}}}, {Packages: PackageSet{"winget": {"Python.Python.3.12"}}}}
	}
	if n.Where != "" {
		q.Why = "The project asks for it: " + strings.Join(strings.Fields(n.Where), " ")
	}
	if n.Version != "" {
		if _, err := ParseConstraint(n.Version); err != nil {
			return q, fmt.Errorf("%s: %w", n.Where, err)
		}
		q.Component.Version = n.Version
	}
	component, _ := FindComponent(n.Component)
	for _, part := range n.Parts {
		if slices.Contains(component.Parts, part) && !slices.Contains(q.Component.Has, part) {
			q.Component.Has = append(q.Component.Has, part)
		}
	}
	return q, nil
}

// fromLibrary is a copy of a requirement of an embedded recipe, without the ways to
// install it that refer to other parts of that recipe.
func fromLibrary(t template) (Requirement, error) {
	r, err := Find(t.recipe, "")
	if err != nil {
		return Requirement{}, err
	}
	i := slices.IndexFunc(r.Requirements, func(q Requirement) bool { return q.ID == t.id })
	if i < 0 {
		return Requirement{}, lang.Errorf("recipe %s has no requirement %s", t.recipe, t.id)
	}
	q := r.Requirements[i]
	q.Fix = slices.DeleteFunc(slices.Clone(q.Fix), func(f Fix) bool { return f.Build != "" || f.Archive != nil })
	if q.Component != nil {
		c := *q.Component
		c.Has = slices.Clone(c.Has)
		q.Component = &c
	}
	return q, nil
}
