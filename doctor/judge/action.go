package judge

import (
	"fmt"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Action is a fix that a program can carry out. A finding's Fix is the same
// thing in words, and the installers' step is made from it, so that doctor, plan
// and --fix cannot disagree.
type Action struct {
	// Packages are installed by Manager; Reinstall when they are installed
	// already and have lost a file.
	Manager   string   `json:"manager,omitempty"`
	Packages  []string `json:"packages,omitempty"`
	Reinstall bool     `json:"reinstall,omitempty"`
	// Versions are those of packages that are asked for by name.
	Versions map[string]string `json:"versions,omitempty"`
	// Loader is a folder that the dynamic loader is told of.
	Loader *LoaderEntry `json:"loader,omitempty"`
	Env    []EnvEdit    `json:"env,omitempty"`
	// Set, Copy and Build are what a script does for a person: variables, files in
	// folders that deployctl did not make, and how builds are configured.
	Set   []Variable `json:"set,omitempty"`
	Copy  []FileCopy `json:"copy,omitempty"`
	Build []string   `json:"build,omitempty"`
	// Install is a component that is installed anew.
	Install string `json:"install,omitempty"`
}

// Variable is an environment variable and the value that it gets.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// FileCopy copies files of some names, each from the first folder that has it, to
// another folder. "*" is every file.
type FileCopy struct {
	Names []string `json:"names"`
	From  []string `json:"from"`
	To    string   `json:"to"`
}

// Scripted reports whether the action is one that only a script carries out, or a
// person.
func (a *Action) Scripted() bool { return len(a.Set)+len(a.Copy)+len(a.Build) > 0 || a.Install != "" }

// LoaderEntry is a line of a file below /etc/ld.so.conf.d.
type LoaderEntry struct {
	// File is the file's name without .conf; the loader reads them in order.
	File   string `json:"file"`
	Folder string `json:"folder"`
}

// EnvEdit changes one entry of a variable that holds a list of folders.
type EnvEdit struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Remove takes the entry out. Otherwise it is put first, or before Before
	// where that is set.
	Remove bool   `json:"remove,omitempty"`
	Before string `json:"before,omitempty"`
}

// command is the action as a person types it.
func (e *evaluation) command(a *Action) string {
	var steps []string
	for _, edit := range a.Env {
		switch {
		case e.isWindows() && edit.Before != "":
			steps = append(steps, lang.F("Put %s before %s on %s and open a new terminal.", edit.Value, edit.Before, edit.Name))
		case e.isWindows() && edit.Remove:
			steps = append(steps, lang.F("Remove %s from %s and open a new terminal.", edit.Value, edit.Name))
		case e.isWindows():
			steps = append(steps, lang.F("Add %s to %s and open a new terminal.", edit.Value, edit.Name))
		case edit.Remove:
			steps = append(steps, lang.F("Remove %s from %s.", edit.Value, edit.Name))
		case edit.Name == "PATH":
			steps = append(steps, "export PATH="+edit.Value+":$PATH")
		default:
			steps = append(steps, fmt.Sprintf("export %s=%s${%s:+:$%s}", edit.Name, edit.Value, edit.Name, edit.Name))
		}
	}
	if a.Loader != nil {
		steps = append(steps, register(a.Loader.Folder, a.Loader.File, e.sudo()))
	}
	if len(a.Packages) > 0 {
		text := installCommand(recipes.Packages{Manager: a.Manager, Packages: a.Packages, Versions: a.Versions}, e.facts.OS.User)
		if a.Reinstall {
			text = strings.Replace(text, " install ", " install --reinstall ", 1)
		}
		steps = append(steps, text)
	}
	return strings.Join(steps, lang.T("; then "))
}

// toLoader tells the loader of a folder for good; musl's has no such file.
func (e *evaluation) toLoader(folder, file string) *Action {
	if e.facts.OS.Libc.Kind == "musl" {
		return &Action{Env: []EnvEdit{{Name: "LD_LIBRARY_PATH", Value: folder}}}
	}
	return &Action{Loader: &LoaderEntry{File: file, Folder: folder}}
}

// add joins another action to it.
func (a *Action) add(b *Action) {
	a.Env = append(a.Env, b.Env...)
	if b.Loader != nil {
		a.Loader = b.Loader
	}
}

// action fills what a check says can be done; nil when a word of it is unknown.
func (s subject) action(do *recipes.Do) *Action {
	var a Action
	fill := func(text string) (string, bool) { return recipes.Fill(text, s.word) }
	switch {
	case do == nil:
		return nil
	case do.Packages != "":
		text, whole := fill(do.Packages)
		if !whole || s.e.manager() == "" {
			return nil
		}
		again, _ := fill(do.Reinstall)
		a = Action{Manager: s.e.manager(), Packages: strings.Fields(text), Reinstall: again != ""}
		// Only apt can be told in one command to install and to repair.
		if a.Reinstall && a.Manager != "apt" {
			return nil
		}
	case do.Loader != "":
		folder, whole := fill(do.Loader)
		if !whole {
			return nil
		}
		a = *s.e.toLoader(folder, s.name)
	case do.Copy != "", do.Set != "", len(do.Build) > 0, do.Install != "":
		return s.scripted(do, fill)
	default:
		edit := EnvEdit{Name: do.Variable, Remove: do.Remove != ""}
		value, whole := fill(do.Add + do.Remove)
		before, wholeToo := fill(do.Before)
		if !whole || !wholeToo {
			return nil
		}
		edit.Before = before
		folders := []string{value}
		if s.e.isWindows() {
			folders = strings.Split(value, ";")
		}
		for _, edit.Value = range folders {
			a.Env = append(a.Env, edit)
		}
	}
	return &a
}

// scripted fills what a script does; nil where a word is unknown.
func (s subject) scripted(do *recipes.Do, fill func(string) (string, bool)) *Action {
	a := &Action{}
	if do.Set != "" {
		name, whole := fill(do.Variable)
		value, wholeToo := fill(do.Set)
		if !whole || !wholeToo {
			return nil
		}
		a.Set = []Variable{{Name: name, Value: value}}
		return a
	}
	if do.Install != "" {
		name, whole := fill(do.Install)
		if !whole || !s.e.isWindows() {
			return nil
		}
		a.Install = name
		return a
	}
	for _, word := range do.Build {
		filled, whole := fill(word)
		if !whole {
			return nil
		}
		a.Build = append(a.Build, filled)
	}
	if do.Copy == "" {
		return a
	}
	names, whole := fill(do.Copy)
	to, wholeToo := fill(do.To)
	from, wholeFrom := fill(do.From)
	if !whole || !wholeToo || !wholeFrom {
		return nil
	}
	file := FileCopy{Names: strings.Split(names, ", "), From: strings.Split(from, ";"), To: to}
	if i := strings.LastIndexByte(names, '\\'); i > 0 && do.From == "" {
		file.Names, file.From = []string{names[i+1:]}, []string{names[:i]}
	}
	a.Copy = []FileCopy{file}
	return a
}

// manager is the system's package manager, "" for none that is known to tell
// which package a library is in.
func (e *evaluation) manager() string {
	if e.facts.OS.Family == "darwin" || e.facts.OS.Image != "" {
		return ""
	}
	for _, m := range []string{"apt", "dnf", "zypper", "apk"} {
		if len(e.facts.Components[m]) > 0 {
			return m
		}
	}
	return ""
}

// Automatic reports whether deployctl carries the action out itself; why says
// what keeps it from doing so. It changes no variable that somebody else set,
// and on Windows a user's PATH always comes after the machine's.
func (a *Action) Automatic(o facts.OS) (ok bool, why string) {
	if a.Scripted() {
		return false, lang.T("deployctl changes no files and settings that it did not make; plan --format ps1 writes the commands")
	}
	for _, edit := range a.Env {
		switch {
		case edit.Remove:
			return false, lang.F("%s was set by someone else, and deployctl does not change settings it did not make", edit.Name)
		case edit.Before != "" && o.Family == "windows":
			return false, lang.T("the order of PATH on Windows depends on entries that deployctl did not make")
		}
	}
	return true, ""
}
