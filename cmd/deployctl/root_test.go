package main

import (
	"bytes"
	"slices"
	"testing"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// TestRootFor: a tree with only the command that is asked for answers as the whole one
// does, and is no larger than that.
func TestRootFor(t *testing.T) {
	t.Cleanup(func() { _ = lang.Set(lang.English) })
	// said is what a tree of commands answers, and how many commands it has.
	said := func(make func([]string, *console.Console) *cobra.Command, args ...string) (string, []string) {
		var out bytes.Buffer
		c := &console.Console{Out: &out, Err: &out, Width: 80}
		root := make(args, c)
		root.SetArgs(args)
		if err := root.Execute(); err != nil {
			out.WriteString(err.Error())
		}
		var names []string
		for _, cmd := range root.Commands() {
			names = append(names, cmd.Name())
		}
		return out.String(), names
	}
	whole := func(_ []string, c *console.Console) *cobra.Command { return newRoot(c) }
	for _, language := range lang.All() {
		if err := lang.Set(language); err != nil {
			t.Fatal(err)
		}
		for _, one := range commands() {
			for _, args := range [][]string{{one.name, "--help"}, {one.name, "--no-such-flag"}, {one.name, "--lang", "english"}} {
				want, _ := said(whole, args...)
				got, names := said(rootFor, args...)
				if got != want {
					t.Errorf("%q in %q: the answer is\n%s\nand with all commands\n%s", args, language, got, want)
				}
				if slices.Sort(names); !slices.Equal(names, slices.Sorted(slices.Values([]string{"help", one.name}))) {
					t.Errorf("%q has the commands %q", args, names)
				}
			}
		}
		want, _ := said(whole, "--version")
		if got, names := said(rootFor, "--version"); got != want || len(names) > 0 {
			t.Errorf("--version in %q: %q, not %q, with the commands %q", language, got, want, names)
		}
	}
	// What is not a command first has all of them.
	for _, args := range [][]string{nil, {"--help"}, {"help", "doctor"}, {"--quiet", "doctor", "--help"}, {"doktor"}, {"completion"}, {"__complete", "doc"}, {"--version", "doctor"}} {
		want, _ := said(whole, args...)
		got, names := said(rootFor, args...)
		if got != want || len(names) <= len(commands()) {
			t.Errorf("%q: the answer is\n%s\nand with all commands\n%s\nof %q", args, got, want, names)
		}
	}
}
