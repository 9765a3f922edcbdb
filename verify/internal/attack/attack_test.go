package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
)

// TestMutants: names are unique, patterns compile, and every lie is one that
// shim.cpp knows.
func TestMutants(t *testing.T) {
	shim, err := os.ReadFile(filepath.Join("shim", "shim.cpp"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range append(mutants(), wholes()...) {
		how := fmt.Sprint(m.spec, m.args, strings.HasPrefix(m.name, "full-"))
		if seen[m.name] || seen[how] {
			t.Errorf("%s: twice", m.name)
		}
		seen[m.name], seen[how] = true, true
		if _, err := regexp.Compile(m.reason); err != nil || m.what == "" {
			t.Errorf("%s: %q, %v", m.name, m.what, err)
		}
		f := strings.Split(m.spec, ":")
		if len(f) < 2 || len(f) > 3 || !strings.Contains(string(shim), `"`+f[0]+`"`) || !strings.Contains(string(shim), `"`+strings.TrimPrefix(f[1], "input-")+`"`) && !strings.Contains(string(shim), `"`+f[1]+`"`) {
			t.Errorf("%s: shim.cpp does not know %s", m.name, m.spec)
		}
	}
	for _, p := range plants() {
		if seen[p.name] || p.what == "" || p.reason != "" && p.used {
			t.Errorf("%s: twice, or says nothing", p.name)
		}
		if _, err := regexp.Compile(p.reason); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	for _, v := range benign() {
		if seen[v.name] || v.what == "" {
			t.Errorf("%s: twice, or says nothing", v.name)
		}
		seen[v.name] = true
	}
}

// TestNetwork: the network does enough work to see when it is skipped.
func TestNetwork(t *testing.T) {
	net, err := darknet.ParseConfig(strings.NewReader(config(128)), "small")
	if err != nil {
		t.Fatal(err)
	}
	if g := net.GFLOP(); g < 0.1 || g > 1 || len(net.Heads()) != 2 {
		t.Errorf("%v GFLOP, heads %v", g, net.Heads())
	}
}
