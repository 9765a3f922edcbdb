package apt

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// dpkg answers dpkg-query with a text.
type dpkg struct {
	host.World
	says string
}

func (d dpkg) Run(context.Context, host.Command) (host.Output, error) {
	return host.Output{Stdout: []byte(d.says)}, nil
}

func database(t *testing.T, files, says string) *host.Host {
	h := hosttest.Parse(t, "-- platform --\nlinux/amd64\n"+files)
	h.World = dpkg{h.World, says}
	return h
}

func TestNeeded(t *testing.T) {
	const installed = "ii \tbash\t, \t\n" +
		"ii \ttheirs:amd64\tlibc (>= 2), libone:any (>= 1:2) | gone\tvirtual\n" +
		"ii \tlibone\t, libtwo (= 1)\t\n" +
		"ii \tlibtwo\t, \t\n" +
		"ii \tlibc\t, \t\n" +
		"ii \tfree\t, \t\n" +
		"rc \tremoved\t, free\t\n" +
		"ii \tuser\t, chosen | other\t\n" +
		"ii \tchosen\t, \t\n" +
		"ii \tother\t, \t\n" +
		"ii \tmail\t, transport (= 3)\t\n" +
		"ii \texim\t, \ttransport (= 3), something\n"
	got, err := needed(t.Context(), database(t, "", installed), []string{"libone", "libtwo", "free", "chosen", "exim"})
	want := map[string]string{"libone": "theirs", "libtwo": "theirs", "exim": "mail"}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestEdited(t *testing.T) {
	const sum = "d41d8cd98f00b204e9800998ecf8427e" // of nothing
	h := database(t, "-- file /etc/same --\n-- file /etc/own file --\nmine\n-- file /etc/old --\nx\n", strings.Join([]string{
		"one:amd64", " /etc/same " + sum, "", "two", " /etc/own file " + sum, " /etc/gone " + sum, "three", " /etc/old " + sum + " obsolete", "four", "",
	}, "\n"))
	got, err := edited(t.Context(), h, []string{"one"})
	if d := cmp.Diff(map[string]string{"two": "/etc/own file", "three": "/etc/old"}, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
}
