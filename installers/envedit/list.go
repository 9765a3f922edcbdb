package envedit

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// separator stands between the entries of a list: PATH, CMAKE_PREFIX_PATH.
func separator(windows bool) string {
	if windows {
		return ";"
	}
	return ":"
}

// sameEntry compares two entries of a list: exactly, or as Windows does, which
// knows neither case nor a last backslash, and lets an entry be in quotes.
func sameEntry(a, b string, windows bool) bool {
	if !windows {
		return a == b
	}
	plain := func(s string) string {
		if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
			s = s[1 : len(s)-1]
		}
		return strings.TrimRight(s, `\/`)
	}
	return strings.EqualFold(plain(a), plain(b))
}

// has reports whether the list has the entry.
func has(list, entry string, windows bool) bool {
	return slices.ContainsFunc(strings.Split(list, separator(windows)), func(s string) bool { return sameEntry(s, entry, windows) })
}

// prepend puts the entry first.
func prepend(list, entry string, windows bool) string {
	if list == "" {
		return entry
	}
	return entry + separator(windows) + list
}

// without takes the entry out and leaves the rest as it is, byte for byte.
func without(list, entry string, windows bool) string {
	rest := slices.DeleteFunc(strings.Split(list, separator(windows)), func(s string) bool { return sameEntry(s, entry, windows) })
	return strings.Join(rest, separator(windows))
}

// Overlay is the variables of the edits as a new shell will see them, made from
// the environment that getenv knows. An entry that a list has already stays
// where it is, as in the places. On Windows a user's entries come after the
// machine's; the environment does not tell the two apart, so Overlay puts them
// first there, too.
func Overlay(edits []step.Env, windows bool, getenv func(string) (string, bool)) map[string]string {
	out := map[string]string{}
	for _, e := range edits {
		name := e.Name
		for known := range out {
			if sameName(known, name, windows) {
				name = known
			}
		}
		if !e.Prepend {
			out[name] = e.Value
			continue
		}
		list, known := out[name]
		if !known {
			list, _ = getenv(name)
		}
		if entry := expand(e.Value, windows, getenv); !has(list, entry, windows) {
			list = prepend(list, entry, windows)
		}
		out[name] = list
	}
	return out
}

// InEffect reports whether the environment that getenv knows has all edits, so
// that no new shell is needed.
func InEffect(edits []step.Env, windows bool, getenv func(string) (string, bool)) bool {
	for _, e := range edits {
		now, there := getenv(e.Name)
		if !there || e.Prepend && !has(now, expand(e.Value, windows, getenv), windows) || !e.Prepend && now != e.Value {
			return false
		}
	}
	return true
}

// reference is a variable within an entry, as the registry has it.
var reference = lazyregexp.New(`%[^%]+%`)

// expand puts in the variables of a Windows entry, as Windows does when a
// program starts; one that is not set stays as it is written.
func expand(entry string, windows bool, getenv func(string) (string, bool)) string {
	if !windows {
		return entry
	}
	return reference.Get().ReplaceAllStringFunc(entry, func(ref string) string {
		if v, ok := getenv(strings.Trim(ref, "%")); ok {
			return v
		}
		return ref
	})
}
