package main

import (
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

// TestList: values parted by commas, from one flag or several.
func TestList(t *testing.T) {
	for _, c := range []struct{ args, want []string }{
		{nil, nil},
		{[]string{"--only", "a,b", "--only=c"}, []string{"a", "b", "c"}},
		{[]string{"--only="}, nil},
	} {
		var got []string
		f := pflag.NewFlagSet("x", pflag.ContinueOnError)
		f.Var(list{&got}, "only", "")
		if err := f.Parse(c.args); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v", c.args, got, err)
		}
	}
}
