package export

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
)

// command gives the quoted words of a command. The first word is quoted unless
// it is a plain path: "a=b" would be an assignment there and "if" a keyword.
func command(prefix string, argv []string) []string {
	var words []string
	if prefix != "" {
		words = append(words, prefix)
	}
	for i, a := range argv {
		w := step.Word(a)
		if i == 0 && prefix == "" && w == a && (a[0] != '/' || strings.Contains(a, "=")) {
			w = "'" + a + "'"
		}
		words = append(words, w)
	}
	return words
}

const asRoot = `as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo -- "$@"
  elif command -v doas >/dev/null 2>&1; then doas -- "$@"
  elif command -v pkexec >/dev/null 2>&1; then pkexec "$@"
  else
    echo "this step needs root, and neither sudo, doas nor pkexec is installed: run the script as root" >&2
    return 1
  fi
}`

func writeShell(p *page, tasks []task) {
	p.line("#!/bin/sh")
	p.head(tasks)
	p.line("set -eu")
	for _, t := range tasks {
		if t.admin {
			p.line("\n%s", asRoot)
			break
		}
	}
	for _, h := range helpersOf(tasks) {
		p.line("\n%s", h)
	}
	if said := p.nothing(); len(tasks) == 0 && said != "" {
		p.line("\nprintf '%%s\\n' %s >&2\nexit 3", step.Word(said))
	} else if len(tasks) == 0 {
		p.line("\n# Nothing to do.")
	}
	for i, t := range tasks {
		p.line("")
		p.explain("", i, len(tasks), t)
		if t.posix != nil {
			p.line("printf '%%s\\n' %s >&2", step.Word("== "+t.title))
			p.line("{\n%s\n} </dev/null", strings.Join(t.posix.lines, "\n"))
			continue
		}
		prefix := ""
		if t.admin {
			prefix = "as_root"
		}
		p.line("printf '%%s\\n' %s >&2", step.Word("== "+t.title))
		// No input: the script itself may come through a pipe (… | sh).
		p.line("%s </dev/null", strings.Join(foldWords(command(prefix, t.argv), 92), " \\\n  "))
	}
}

// image is the official image of a distribution, "" where none is known.
func image(p *page) string {
	os := p.about.OS
	for _, c := range os.Version {
		if !(c >= '0' && c <= '9' || c == '.') {
			return ""
		}
	}
	switch os.ID {
	case "debian", "ubuntu", "fedora", "rockylinux", "almalinux":
		if os.Version != "" {
			return os.ID + ":" + os.Version
		}
	case "alpine":
		if f := strings.Split(os.Version, "."); len(f) >= 2 {
			return "alpine:" + f[0] + "." + f[1] // minor releases have tags of their own
		}
	case "opensuse-leap":
		if os.Version != "" {
			return "opensuse/leap:" + os.Version
		}
	case "opensuse-tumbleweed":
		return "opensuse/tumbleweed"
	case "arch":
		return "archlinux"
	}
	return ""
}

func writeDockerfile(p *page, tasks []task) {
	p.head(tasks)
	if base := image(p); base != "" {
		p.line("ARG BASE=%s", base)
	} else {
		p.comment("", "Name the base image with --build-arg BASE=…")
		p.line("ARG BASE")
	}
	p.line("FROM ${BASE} AS deployctl")
	if len(tasks) == 0 {
		if said := p.nothing(); said != "" {
			p.line("RUN printf '%%s\\n' %s >&2; exit 3", step.Word(said))
		} else {
			p.line("# Nothing to do.")
		}
		return
	}
	user := false
	for begin := 0; begin < len(tasks); {
		end := begin + 1
		for end < len(tasks) && tasks[end].onFiles() == tasks[begin].onFiles() {
			end++
		}
		layer := tasks[begin:end]
		for i, t := range layer {
			p.explain("", begin+i, len(tasks), t)
		}
		if !user && slices.ContainsFunc(layer, func(t task) bool { return t.admin }) {
			p.line("USER root")
			user = true
		}
		commands := dockerCommands(layer)
		if begin = end; !slices.ContainsFunc(tasks[end:], func(t task) bool { return !t.onFiles() }) {
			commands = append(commands, cleanUp(layer)...)
		}
		// The work of a layer ends with it, package lists too: a later layer
		// cannot make an image smaller.
		p.line("RUN set -eu; \\\n    %s", strings.TrimSuffix(strings.Join(commands, " \\\n    "), ";"))
		for _, t := range layer {
			for _, l := range dockerEnv(t.env) {
				p.line("%s", l)
			}
		}
	}
}

// dockerCommands are the lines of a RUN, each ending in a semicolon where one
// may stand: the instruction is one line to the shell.
func dockerCommands(layer []task) []string {
	var lines []string
	for _, h := range helpersOf(layer) {
		for _, l := range strings.Split(string(h), "\n") {
			if !strings.HasPrefix(l, "#") {
				lines = append(lines, l)
			}
		}
	}
	for _, t := range layer {
		if t.posix != nil {
			for _, l := range t.posix.lines {
				lines = append(lines, strings.ReplaceAll(l, "\n", "\n    "))
			}
			continue
		}
		lines = append(lines, strings.Join(foldWords(command("", t.argv), 88), " \\\n      ")+";")
	}
	return lines
}

// cleanUp empties the caches of the package managers that a layer used: a later
// layer cannot make an image smaller.
func cleanUp(layer []task) (commands []string) {
	for i, t := range layer {
		if t.by == nil || slices.ContainsFunc(layer[:i], func(u task) bool { return u.by != nil && u.by.Name == t.by.Name }) {
			continue
		}
		for _, c := range t.by.Clean {
			commands = append(commands, c+";")
		}
	}
	return commands
}
