package envedit

import (
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// github is one of the files by which a step of a GitHub Actions job changes
// the environment of the steps after it (docs.github.com, "Workflow commands
// for GitHub Actions", environment files; how they are read is in the runner's
// FileCommandManager.cs). Each step of a job has files of its own, so an edit of
// an earlier step is in the environment, not in the file.
type github struct {
	name    string
	path    string // "" when this is no job
	windows bool
	getenv  func(string) (string, bool)
}

func (w Worker) github(name string) github {
	g := github{name: name, windows: w.Host.Windows(), getenv: w.Host.Getenv}
	path := w.Host.Env(name)
	if path == "" {
		return g
	}
	if info, err := os.Stat(w.path(path)); err == nil && info.Mode().IsRegular() {
		g.path = w.path(path)
	}
	return g
}

func (g github) get(e step.Env) (string, bool, error) {
	if g.path == "" {
		return "", false, nil
	}
	c, err := g.read()
	if err != nil {
		return "", false, err
	}
	version, there := g.find(c, e)
	return version, there, nil
}

func (g github) read() (commands, error) {
	f, err := read(g.path)
	if err != nil {
		return commands{}, explain(g.name, err)
	}
	c := commands{file: f}
	if g.name == githubPath {
		c.lines = strings.SplitAfter(f.content, "\n")
		return c, nil
	}
	if c.lines, c.assigned, err = assignments(f.content, g.windows); err != nil {
		return c, fmt.Errorf("%s: %w", g.name, err)
	}
	return c, nil
}

// commands is one of the files, taken apart.
type commands struct {
	file
	lines    []string // with their line ends
	assigned []assignment
}

// last is the assignment that counts, nil for none.
func (c commands) last(name string, windows bool) *assignment {
	for i := len(c.assigned) - 1; i >= 0; i-- {
		if sameName(c.assigned[i].name, name, windows) {
			return &c.assigned[i]
		}
	}
	return nil
}

func (g github) find(c commands, e step.Env) (string, bool) {
	e = g.literal(e)
	if g.name == githubPath {
		return listed, slices.ContainsFunc(c.lines, func(l string) bool { return sameEntry(chomp(l), e.Value, g.windows) })
	}
	a := c.last(e.Name, g.windows)
	if a == nil {
		return "", false
	}
	if e.Prepend {
		return listed, has(a.value, e.Value, g.windows)
	}
	return a.value, true
}

// literal is the edit with no variable in an entry: the runner puts none in.
func (g github) literal(e step.Env) step.Env {
	if e.Prepend {
		e.Value = expand(e.Value, g.windows, g.getenv)
	}
	return e
}

// met is true also for what the environment has already.
func (g github) met(e step.Env) (bool, error) {
	c, err := g.read()
	if err != nil {
		return false, err
	}
	if version, there := g.find(c, e); there && version == wanted(e) {
		return true, nil
	}
	if g.name == githubEnv && c.last(e.Name, g.windows) != nil {
		return false, nil
	}
	return InEffect([]step.Env{e}, g.windows, g.getenv), nil
}

// put adds the edit at the end. A value in the file replaces the variable, so a
// list is written with what it has now.
func (g github) put(e step.Env) error {
	if met, err := g.met(e); err != nil || met {
		return err
	}
	c, err := g.read()
	if err != nil {
		return err
	}
	e = g.literal(e)
	text := e.Value + "\n"
	if g.name == githubEnv {
		value := e.Value
		if e.Prepend {
			list, _ := g.getenv(e.Name)
			if a := c.last(e.Name, g.windows); a != nil {
				list = a.value
			}
			value = prepend(list, e.Value, g.windows)
		}
		text = command(e.Name, value)
	}
	if c.content != "" && !strings.HasSuffix(c.content, "\n") {
		text = "\n" + text // empty lines mean nothing to the runner
	}
	return explain(g.name, c.add(text))
}

// drop takes the edit's lines out again; the variable then is what the line
// before said. Of a list, later lines may have been made with the entry in them.
func (g github) drop(e step.Env, was string) error {
	if g.path == "" {
		return nil
	}
	c, err := g.read()
	if err != nil {
		return err
	}
	e = g.literal(e)
	switch {
	case g.name == githubPath:
		c.lines = slices.DeleteFunc(c.lines, func(l string) bool { return sameEntry(chomp(l), e.Value, g.windows) })
	case e.Prepend:
		for _, a := range c.assigned {
			if !sameName(a.name, e.Name, g.windows) || !has(a.value, e.Value, g.windows) {
				continue
			}
			first, _, _ := strings.Cut(a.value, separator(g.windows))
			c.cut(a)
			if !sameEntry(first, e.Value, g.windows) {
				c.lines[a.from] = command(a.name, without(a.value, e.Value, g.windows))
			}
		}
	default:
		if a := c.last(e.Name, g.windows); a != nil {
			c.cut(*a)
		}
	}
	content := strings.Join(c.lines, "")
	if was != "" {
		if _, left, err := assignments(content, g.windows); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		} else if a := (commands{assigned: left}).last(e.Name, g.windows); a == nil || a.value != was {
			content += command(e.Name, was)
		}
	}
	if content == c.content {
		return nil
	}
	return explain(g.name, c.replace(content))
}

// cut empties an assignment's lines, so that the others keep their numbers.
func (c commands) cut(a assignment) {
	for i := a.from; i < a.to; i++ {
		c.lines[i] = ""
	}
}

func chomp(line string) string { return strings.TrimRight(line, "\r\n") }

// assignment is one variable of GITHUB_ENV, in lines[from:to].
type assignment struct {
	name, value string
	from, to    int
}

// assignments reads a file as the runner does: NAME=value, or NAME<<delimiter
// and the value's lines up to one that is the delimiter. A \r belongs to the
// line end on Windows only.
func assignments(content string, windows bool) ([]string, []assignment, error) {
	lines := strings.SplitAfter(content, "\n")
	plain := func(i int) string {
		line, ended := strings.CutSuffix(lines[i], "\n")
		if windows && ended {
			line = strings.TrimSuffix(line, "\r")
		}
		return line
	}
	var list []assignment
	for i := 0; i < len(lines); i++ {
		line := plain(i)
		if line == "" {
			continue
		}
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		if equals >= 0 && (heredoc < 0 || equals < heredoc) {
			list = append(list, assignment{line[:equals], line[equals+1:], i, i + 1})
			continue
		}
		if heredoc <= 0 || line[heredoc+2:] == "" {
			return nil, nil, lang.Errorf("line %d is neither NAME=value nor NAME<<delimiter", i+1)
		}
		end := i + 1
		var value []string
		for ; end < len(lines) && plain(end) != line[heredoc+2:]; end++ {
			value = append(value, plain(end))
		}
		if end == len(lines) {
			return nil, nil, lang.Errorf("the value that begins in line %d does not end", i+1)
		}
		list = append(list, assignment{line[:heredoc], strings.Join(value, "\n"), i, end + 1})
		i = end
	}
	return lines, list, nil
}

// command is the assignment in the file's language. Only a value with a line
// break needs the longer form. Its delimiter cannot be guessed, so that no value
// can end early and go on as another variable.
func command(name, value string) string {
	if !strings.ContainsAny(value, "\r\n") {
		return name + "=" + value + "\n"
	}
	delimiter := "deployctl_" + rand.Text()
	return name + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n"
}
