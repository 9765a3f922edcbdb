package export

import "strings"

// shellWord quotes one word for a POSIX shell (POSIX.1-2017, XCU 2.2): inside
// single quotes every character but the single quote stands for itself.
func shellWord(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./_-", r))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func shellWords(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = shellWord(a)
	}
	return strings.Join(words, " ")
}

// command gives the quoted words of a command. The first word is quoted unless
// it is a plain path: "a=b" would be an assignment there and "if" a keyword.
func command(prefix string, argv []string) []string {
	var words []string
	if prefix != "" {
		words = append(words, prefix)
	}
	for i, a := range argv {
		w := shellWord(a)
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
	if len(tasks) == 0 {
		p.line("\n# Nothing to do.")
	}
	for i, t := range tasks {
		p.line("")
		p.explain("", i, len(tasks), t)
		prefix := ""
		if t.admin {
			prefix = "as_root"
		}
		p.line("printf '%%s\\n' %s >&2", shellWord("== "+t.title))
		// No input: the script itself may come through a pipe (… | sh).
		p.line("%s </dev/null", strings.Join(foldWords(command(prefix, t.argv), 92), " \\\n  "))
	}
}

// clean empties what a package manager keeps for later; it belongs into the
// layer that filled it, since a later layer cannot make an image smaller.
func clean(tool string) []string {
	return map[string][]string{
		"apt":    {"/usr/bin/apt-get clean", "rm -rf /var/lib/apt/lists/*"},
		"dnf":    {"/usr/bin/dnf clean all"},
		"zypper": {"/usr/bin/zypper clean --all"},
		"pacman": {"rm -rf /var/cache/pacman/pkg/*"},
		"apk":    {"rm -rf /var/cache/apk/*"},
	}[tool]
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
		p.line("# Nothing to do.")
		return
	}
	root := false
	var tools []string
	for i, t := range tasks {
		p.explain("", i, len(tasks), t)
		root = root || t.admin
		seen := false
		for _, known := range tools {
			seen = seen || known == t.tool
		}
		if !seen {
			tools = append(tools, t.tool)
		}
	}
	if root {
		p.line("USER root")
	}
	var commands []string
	for _, t := range tasks {
		commands = append(commands, strings.Join(foldWords(command("", t.argv), 88), " \\\n      "))
	}
	for _, tool := range tools {
		commands = append(commands, clean(tool)...)
	}
	// One RUN: the lists must be gone before the layer is closed.
	p.line("RUN set -eu; \\\n    %s", strings.Join(commands, "; \\\n    "))
}
