package memory

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

const meminfo = "-- file /proc/meminfo --\nMemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    6000000 kB\nSwapTotal:       2000000 kB\nHugePages_Total:       0\n"

func probeMemory(t *testing.T, fixture string) facts.Memory {
	t.Helper()
	return probetest.Of(Probe)(t, hosttest.Parse(t, fixture)).Memory
}

func TestLimits(t *testing.T) {
	const (
		v2 = "-- file /proc/self/cgroup --\n0::/a/b\n-- file /proc/self/mountinfo --\n30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
		v1 = "-- file /proc/self/cgroup --\n3:memory:/a\n-- file /proc/self/mountinfo --\n30 1 0:26 / /cg rw - cgroup cgroup rw,memory\n"
	)
	for _, c := range []struct {
		name, fixture string
		want          uint64
	}{
		{"no control groups", "", 0},
		{"max", v2 + "-- file /sys/fs/cgroup/a/b/memory.max --\nmax\n", 0},
		{"own", v2 + "-- file /sys/fs/cgroup/a/b/memory.max --\n1073741824\n", 1 << 30},
		{"a parent's", v2 + "-- file /sys/fs/cgroup/a/b/memory.max --\n2147483648\n-- file /sys/fs/cgroup/a/memory.max --\n1073741824\n", 1 << 30},
		{"above the machine's memory", v2 + "-- file /sys/fs/cgroup/a/b/memory.max --\n99999999999999\n", 0},
		{"version 1", v1 + "-- file /cg/a/memory.limit_in_bytes --\n536870912\n", 512 << 20},
		{"version 1 without", v1 + "-- file /cg/a/memory.limit_in_bytes --\n9223372036854771712\n", 0},
		{"garbage", v2 + "-- file /sys/fs/cgroup/a/b/memory.max --\n-5 GB\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := probeMemory(t, meminfo+c.fixture)
			if m.Limit != c.want || m.Total != 8000000<<10 || m.Available != 6000000<<10 || m.Swap != 2000000<<10 {
				t.Errorf("got %+v, want limit %d", m, c.want)
			}
		})
	}
}

func TestKernelIsAskedWithoutProc(t *testing.T) {
	m := probeMemory(t, "-- memory --\n{\"total\": 4294967296, \"swap\": 1024}\n")
	if m.Total != 4<<30 || m.Swap != 1024 || m.Evidence[0].Kind != "syscall" {
		t.Errorf("got %+v", m)
	}
	if _, err := Probe(t.Context(), hosttest.Empty("linux", "amd64")); err == nil {
		t.Error("memory that nothing tells of is no error")
	}
}

func TestBrokenMeminfoIsAnError(t *testing.T) {
	_, err := Probe(t.Context(), hosttest.Parse(t, "-- file /proc/meminfo --\nnonsense\n"))
	if err == nil || !strings.Contains(err.Error(), meminfoFile) {
		t.Errorf("err = %v", err)
	}
}

func FuzzParseMeminfo(f *testing.F) {
	f.Add("MemTotal: 8000000 kB\nMemFree: 1 kB\nCached: 2 kB\nSwapTotal: 0 kB\n")
	f.Add("MemTotal: 18446744073709551615 kB\nMemAvailable: 18446744073709551615 kB\n:\nX:\n")
	f.Add("total = 2048.00M  used = 1.00M")
	f.Add("total = NaN")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMeminfo(text)
		if err == nil && (m.Total == 0 || m.Available > m.Total) {
			t.Errorf("%+v", m)
		}
		if n := swapTotal(text); n > 1<<50 {
			t.Errorf("%d", n)
		}
	})
}
