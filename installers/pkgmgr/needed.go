package pkgmgr

import "slices"

// Relations is what an installed package needs and what others may ask of it.
type Relations struct {
	Name string
	// Depends are the needs, each a list of names of which one is enough.
	Depends [][]string
	// Gives are the names that satisfy a need: its own and what it provides.
	Gives []string
}

// Needed gives those of the leaving packages that an installed package needs which
// is not one of them, each with the name of one that does. What such a package
// needs itself is needed, too. Versions are not compared, since of each package
// one version is installed; a package that satisfies several alternatives is kept
// only if no other does.
func Needed(installed []Relations, leaving []string) map[string]string {
	var queue []Relations // stay, and are still to be looked at
	goes := map[string]Relations{}
	staying := map[string]bool{}
	givers := map[string][]string{} // a name to the leaving packages that give it
	for _, p := range installed {
		if !slices.Contains(leaving, p.Name) {
			queue = append(queue, p)
			for _, n := range p.Gives {
				staying[n] = true
			}
			continue
		}
		goes[p.Name] = p
		for _, n := range p.Gives {
			givers[n] = append(givers[n], p.Name)
		}
	}
	by := map[string]string{}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		for _, alternatives := range p.Depends {
			if slices.ContainsFunc(alternatives, func(n string) bool { return staying[n] }) {
				continue
			}
			for _, n := range alternatives {
				for _, giver := range givers[n] {
					if _, known := by[giver]; known {
						continue
					}
					by[giver] = p.Name
					if why, kept := by[p.Name]; kept {
						by[giver] = why // the one outside that all are kept for
					}
					queue = append(queue, goes[giver])
				}
				if len(givers[n]) > 0 {
					break // the first alternative is enough
				}
			}
		}
	}
	return by
}

// NeededBy finds what must stay by asking the manager again and again: ask says
// which of the names something outside of them needs, with its name. What the
// packages that stay need is found by the next question. Names that stay for one
// that stays are kept for what is outside.
func NeededBy(names []string, ask func(names []string) (map[string]string, error)) (map[string]string, error) {
	by := map[string]string{}
	for len(names) > 0 {
		more, err := ask(names)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			break
		}
		for name, who := range more {
			if why, kept := by[who]; kept {
				who = why
			}
			by[name] = who
		}
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return by[n] != "" })
	}
	return by, nil
}
