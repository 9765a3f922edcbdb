package pipeline

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// fit is how a recipe and a machine go together.
type fit int

const (
	fitsHere fit = iota
	lacksHardware
	otherSystem
)

// fitOf tells whether a recipe can be satisfied on a machine by installing
// something. What is unknown speaks against nothing.
func fitOf(r *recipes.Recipe, t *recipes.Tables, f *facts.Facts) fit {
	if !judge.ForSystem(r, f.OS.Family) {
		return otherSystem
	}
	hardware := map[string]bool{}
	for i := range r.Requirements {
		q := &r.Requirements[i]
		// Many recipes can be set to do without a GPU.
		hardware[q.ID] = q.CPU != nil || q.Memory != nil || q.GPU != nil && !slices.Contains(r.Parameters["gpu"].Choices, "cpu")
	}
	for _, x := range judge.Evaluate(r, t, f).Findings {
		switch {
		case x.State != judge.Fail:
		case x.Cause == judge.OtherSystem:
			return otherSystem
		case hardware[x.ID]:
			return lacksHardware
		}
	}
	return fitsHere
}

// purposes are the components that say what a machine is for.
var purposes = []string{"openpose", "libtorch", "onnxruntime", "openvino", "ncnn", "darknet", "tensorflow", "cuda", "visual-studio"}

// others is the sentence on the recipes for what else a machine has; "" when it
// has nothing of the kind. Only the recipes that bear the name of what is there are
// read: all of them take a fifth of the time of a whole look.
func others(asked string, f *facts.Facts, t *recipes.Tables, read func(accept func(name string) bool) ([]*recipes.Recipe, error)) (string, error) {
	present := slices.DeleteFunc(slices.Clone(purposes), func(name string) bool { return len(f.Components[name]) == 0 })
	if len(present) == 0 {
		return "", nil
	}
	list, err := read(func(recipe string) bool {
		return slices.ContainsFunc(present, func(name string) bool { return about(recipe, name) })
	})
	if err != nil {
		return "", err
	}
	var have, commands []string
	for _, name := range present {
		for _, r := range list {
			if r.Name == asked || !about(r.Name, name) || fitOf(r, t, f) != fitsHere {
				continue
			}
			have = append(have, recipes.Display(name))
			if command := "--recipe " + r.Name; !slices.Contains(commands, command) {
				commands = append(commands, command)
			}
			break
		}
	}
	if len(commands) == 0 {
		return "", nil
	}
	return lang.F("Also found: %s. To check for that, run deployctl doctor %s.", strings.Join(have, ", "), strings.Join(commands, lang.T(" or "))), nil
}

// about reports whether a recipe is on a component: it bears its name, or for
// CUDA and Visual Studio is the one that people install them for.
func about(recipe, component string) bool {
	switch component {
	case "cuda":
		return recipe == "opencv-cuda"
	case "visual-studio":
		return recipe == "openpose-windows"
	}
	first, _, _ := strings.Cut(recipe, "-")
	return first == component
}
