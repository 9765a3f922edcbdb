package export

import (
	"fmt"
	"strings"
)

// yamlString is a double-quoted YAML 1.1 scalar in ASCII: everything that is
// not plain is escaped, so that no parser folds or refuses a character.
func yamlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// unsafe marks a scalar that Ansible must not read as a Jinja template; only
// where it could be one, since the tag makes plain words hard to read.
func unsafe(s string) string {
	if strings.Contains(s, "{") {
		return "!unsafe " + yamlString(s)
	}
	return yamlString(s)
}

// yamlScript is a script that Ansible must not read as a template: as it is
// where YAML keeps every character of it, else as one string.
func yamlScript(s string, indent int) string {
	if strings.ContainsFunc(s, func(r rune) bool { return (r < ' ' || r > '~') && r != '\n' }) {
		return "!unsafe " + yamlString(s)
	}
	pad := "\n" + strings.Repeat(" ", indent)
	return "!unsafe |" + pad + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", pad)
}

// writeAnsible uses the command module for every command, and the shell module
// for what works on files: get_url and unarchive know neither several mirrors
// nor a folder that appears whole or not at all. The apt module would be
// shorter, but it installs python3-apt first where that is missing, and the
// state would not be the same.
func writeAnsible(p *page, tasks []task) {
	p.head(tasks)
	p.line("- name: %s", unsafe("deployctl "+p.about.Recipe))
	p.line("  hosts: all")
	p.line("  gather_facts: false")
	if len(tasks) == 0 {
		p.line("  tasks: []")
		return
	}
	p.line("  tasks:")
	for i, t := range tasks {
		p.explain("    ", i, len(tasks), t)
		p.line("    - name: %s", unsafe(t.title))
		if t.admin {
			p.line("      become: true")
		}
		if t.posix != nil {
			p.line("      ansible.builtin.shell:")
			p.line("        cmd: %s", yamlScript(t.posix.text(), 10))
			p.line("      register: deployctl_step")
			p.line("      changed_when: %s", yamlString("'done already' not in deployctl_step.stdout_lines"))
			continue
		}
		// The environment stays in the words (env K=V …): the play's own
		// "environment" goes through a shell on its way (seen with
		// ansible-core 2.14: "$(id)" in a value was run).
		p.line("      ansible.builtin.command:")
		p.line("        argv:")
		for _, a := range t.argv {
			p.line("          - %s", unsafe(a))
		}
		p.line("      register: deployctl_step")
		// What a package manager says when it had nothing to do; the words of
		// one that is not named here count as a change.
		p.line("      changed_when: %s", yamlString(changed(t)))
	}
}

func changed(t task) string {
	switch {
	case t.cache:
		return "false"
	case t.by != nil && t.by.Unchanged != "":
		return "deployctl_step.stdout is not search('" + t.by.Unchanged + "')"
	}
	return "true"
}
