package cgroup_test

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/internal/cgroup"
)

func dirs(t *testing.T, fixture, controller string) []string {
	t.Helper()
	levels, err := cgroup.Levels(t.Context(), hosttest.Parse(t, fixture), controller)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range levels {
		out = append(out, l.Dir)
	}
	return out
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		name, cgroup, mountinfo, controller string
		want                                []string
	}{
		{
			"v2 login session",
			"0::/user.slice/user-1000.slice/session-2.scope\n",
			"30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			"memory",
			[]string{
				"/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope",
				"/sys/fs/cgroup/user.slice/user-1000.slice", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup",
			},
		},
		{
			"v2 container in its own namespace",
			"0::/\n",
			"900 899 0:27 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n",
			"cpu",
			[]string{"/sys/fs/cgroup"},
		},
		{
			"v1 container that sees the host's path",
			"5:memory:/docker/0123abc\n4:cpu,cpuacct:/docker/0123abc\n1:name=systemd:/docker/0123abc\n",
			"700 699 0:30 /docker/0123abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n" +
				"701 699 0:31 /docker/0123abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"cpu",
			[]string{"/sys/fs/cgroup/cpu,cpuacct"},
		},
		{
			"v1 whose group is not in what is mounted",
			"5:memory:/lxc/box\n",
			"701 699 0:31 /other /cg/memory ro - cgroup cgroup rw,memory\n",
			"memory",
			[]string{"/cg/memory"},
		},
		{
			"both versions at once",
			"4:memory:/a\n0::/b\n",
			"1 0 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n2 0 0:2 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"memory",
			[]string{"/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified/b", "/sys/fs/cgroup/unified"},
		},
		{
			"a path that leaves the namespace",
			"0::/../../etc\n",
			"2 0 0:2 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			"memory",
			[]string{"/sys/fs/cgroup"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			fixture := "-- file /proc/self/cgroup --\n" + c.cgroup + "-- file /proc/self/mountinfo --\n" + c.mountinfo
			probetest.Same(t, "", c.want, dirs(t, fixture, c.controller))
		})
	}
	if got := dirs(t, "", "memory"); got != nil {
		t.Errorf("an empty host has groups %v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0::/\n", "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n")
	f.Add("5:memory:/a\\040b\n:::\n", "1 2 3:4 \\040 \\134 rw - cgroup\n")
	f.Fuzz(func(t *testing.T, members, mounts string) {
		for _, m := range cgroup.Members(members) {
			if !strings.HasPrefix(m.Path, "/") {
				t.Errorf("relative path %q", m.Path)
			}
		}
		for _, m := range cgroup.Mounts(mounts) {
			if m.Type == "" || m.Point == "" {
				t.Errorf("incomplete mount %+v", m)
			}
		}
	})
}
