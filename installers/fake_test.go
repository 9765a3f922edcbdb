package installers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
)

// machine is a Debian machine in memory: what its sources offer, what dpkg has
// installed, and what is wrong with it. It is both the World that deployctl
// reads and the Executor that changes it.
type machine struct {
	host.World // nil: a question the tests did not expect panics
	mu         sync.Mutex
	now        time.Time
	// offer maps a package to what it needs; a version is always 1.0.
	offer     map[string][]string
	installed map[string]string // name → three-letter status
	upgraded  []string          // have version 1.1
	conf      map[string]string // configuration files that are not empty
	lists     time.Time         // zero: no lists
	journal   bool              // dpkg's own journal is there
	blind     bool              // dpkg's database cannot be read
	free      uint64
	tools     []string
	// halfway, when set, is a package of which a killed purge left the configuration.
	halfway string
	// fault, when set, answers the next change instead of the machine.
	fault func(m *machine, argv []string, line func(string)) (int, error)
	// onLocks, when set, is what an apt-get that somebody left behind does each
	// time the list of locks is read; false once it has ended.
	onLocks func(m *machine) bool
	ran     []string // the changes, shortened to "tool action packages"
}

func newMachine() *machine {
	return &machine{
		now:   time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		offer: map[string][]string{"cmake": {"cmake-data"}, "cmake-data": nil, "g++": {"gcc"}, "gcc": nil, "ninja-build": nil},
		installed: map[string]string{
			"bash": "ii ",
		},
		lists: time.Date(2026, 11, 1, 11, 0, 0, 0, time.UTC),
		free:  1 << 40,
		tools: []string{"/usr/bin/apt-get", "/usr/bin/dpkg-query", "/usr/bin/sudo"},
	}
}

func (m *machine) host() *host.Host { return &host.Host{World: m, OS: "linux", Arch: "amd64"} }
func (m *machine) Now() time.Time   { return m.now }
func (m *machine) Getenv(k string) (string, bool) {
	return map[string]string{"PATH": "/usr/bin"}[k], k == "PATH"
}
func (m *machine) Resolve(_ context.Context, n string) (string, error) { return n, nil }
func (m *machine) Disk(context.Context, string) (host.Disk, error) {
	return host.Disk{Total: 1 << 41, Free: m.free, ID: "1"}, nil
}
func (m *machine) ReadFile(_ context.Context, n string, _ int64) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case n == "/proc/locks" && m.onLocks != nil && m.onLocks(m):
		return []byte("1: POSIX  ADVISORY  WRITE 12 fe:00:77 0 EOF\n"), false, nil
	case n == "/proc/locks":
		return nil, false, nil
	case m.conf[n] != "":
		return []byte(m.conf[n]), false, nil
	case n == "/proc/12/comm":
		return []byte("apt-get\n"), false, nil
	}
	return nil, false, fs.ErrNotExist
}
func (m *machine) Stat(_ context.Context, n string) (host.Info, error) {
	switch {
	case slices.Contains(m.tools, n):
		return host.Info{Exec: true}, nil
	case n == "/var/lib/apt/lists" && !m.lists.IsZero():
		return host.Info{Dir: true, ModTime: m.lists}, nil
	}
	return host.Info{}, fs.ErrNotExist
}
func (m *machine) ReadDir(_ context.Context, n string) ([]host.Entry, error) {
	switch {
	case n == "/var/lib/apt/lists" && !m.lists.IsZero():
		return []host.Entry{{Name: "mirror_main_Packages"}}, nil
	case n == "/var/lib/dpkg/updates" && m.journal:
		return []host.Entry{{Name: "0000"}}, nil
	}
	return nil, nil
}

// Run answers the questions: dpkg-query, and apt-get that changes nothing.
func (m *machine) Run(_ context.Context, c host.Command) (host.Output, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	switch {
	case c.Argv[0] == "/usr/bin/dpkg-query" && m.blind:
		return host.Output{Exit: 2, Stderr: []byte("dpkg-query: error: failed to open package info file")}, nil
	case c.Argv[0] == "/usr/bin/dpkg-query" && strings.Contains(c.Argv[3], "Conffiles"):
		for _, n := range c.Argv[4:] {
			// The sum is that of an empty file.
			fmt.Fprintf(&b, "%s\n /etc/%s.conf d41d8cd98f00b204e9800998ecf8427e\n", n, n)
		}
	case c.Argv[0] == "/usr/bin/dpkg-query" && strings.Contains(c.Argv[3], "Depends"):
		for n, s := range m.installed {
			fmt.Fprintf(&b, "%s\t%s\t, %s\t\n", s, n, strings.Join(m.offer[n], ", "))
		}
	case c.Argv[0] == "/usr/bin/dpkg-query":
		for n, s := range m.installed {
			version := "1.0"
			if slices.Contains(m.upgraded, n) {
				version = "1.1"
			}
			fmt.Fprintf(&b, "%s\t%s\t%s\n", s, n, version)
		}
	case strings.HasSuffix(c.Argv[0], "/sudo"):
	case c.Argv[0] == "/usr/bin/stat":
		b.WriteString("65024 77\n65024 78\n")
	case c.Argv[0] == "/usr/bin/apt-get" && slices.Contains(c.Argv, "install"):
		want, missing := m.closure(packages(c.Argv))
		if len(missing) > 0 {
			for _, n := range missing {
				fmt.Fprintf(&b, "E: Unable to locate package %s\n", n)
			}
			return host.Output{Stdout: []byte(b.String()), Exit: 100}, nil
		}
		b.WriteString(announce(want))
		for _, n := range want {
			fmt.Fprintf(&b, "'http://mirror.example/%s.deb' %s.deb 1000 MD5Sum:0\n", n, n)
		}
		fmt.Fprintf(&b, "After this operation, %d kB of additional disk space will be used.\n", 5*len(want))
	case c.Argv[0] == "/usr/bin/apt-get" && slices.Contains(c.Argv, "remove"):
		for _, n := range m.dependents(packages(c.Argv)) {
			fmt.Fprintf(&b, "Remv %s [1.0]\n", n)
		}
	default:
		return host.Output{}, fmt.Errorf("unexpected question %q", c.Argv)
	}
	return host.Output{Stdout: []byte(b.String())}, nil
}

// announce is how apt-get lists what it would install.
func announce(names []string) string {
	var b strings.Builder
	b.WriteString("The following NEW packages will be installed:\n")
	for _, n := range names {
		fmt.Fprintf(&b, "   %s (1.0)\n", n)
	}
	fmt.Fprintf(&b, "0 upgraded, %d newly installed, 0 to remove and 0 not upgraded.\n", len(names))
	return b.String()
}

func packages(argv []string) []string {
	return argv[slices.Index(argv, "--")+1:]
}

// closure is what installing names would add.
func (m *machine) closure(names []string) (add, missing []string) {
	for _, n := range names {
		if m.installed[n] == "ii " || slices.Contains(add, n) {
			continue
		}
		needs, ok := m.offer[n]
		if !ok {
			missing = append(missing, n)
			continue
		}
		more, none := m.closure(needs)
		add, missing = append(append(add, more...), n), append(missing, none...)
	}
	return add, missing
}

// dependents is what removing names would remove.
func (m *machine) dependents(names []string) []string {
	out := slices.Clone(names)
	for grown := true; grown; {
		grown = false
		for n := range m.installed {
			if !slices.Contains(out, n) && slices.ContainsFunc(m.offer[n], func(d string) bool { return slices.Contains(out, d) }) {
				out, grown = append(out, n), true
			}
		}
	}
	return out
}

// Stream changes the machine as apt-get and dpkg do.
func (m *machine) Stream(ctx context.Context, job Job, line func(string)) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	argv := job.Argv
	action := ""
	for _, a := range []string{"--configure", "--fix-broken", "update", "install", "remove"} {
		if slices.Contains(argv, a) {
			action = a
			break
		}
	}
	var names []string
	if i := slices.Index(argv, "--"); i >= 0 && action != "--configure" {
		names = argv[lastIndex(argv, "--")+1:]
	}
	m.ran = append(m.ran, strings.TrimSpace(strings.Trim(action, "-")+" "+strings.Join(names, " ")))
	if f := m.fault; f != nil {
		m.fault = nil
		return f(m, argv, line)
	}
	if m.journal && action != "--configure" {
		line("E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.")
		return 100, nil
	}
	switch action {
	case "update":
		line("Get:1 http://mirror.example/debian bookworm InRelease [151 kB]")
		m.lists = m.now
	case "install":
		if strings.HasSuffix(argv[len(argv)-len(names)-3], "apt-mark") {
			for _, n := range names {
				m.installed[n] = "ii "
			}
			break
		}
		add, missing := m.closure(names)
		if len(missing) > 0 {
			line("E: Unable to locate package " + missing[0])
			return 100, nil
		}
		for _, n := range add {
			line("Unpacking " + n + " (1.0) ...")
			m.installed[n] = "ii "
		}
	case "--configure", "--fix-broken":
		m.journal = false
		for n, s := range m.installed {
			if s == "iU " || action == "--fix-broken" {
				m.installed[n] = "ii "
			}
		}
	case "remove":
		purge := slices.Contains(argv, "--purge")
		if purge && m.halfway != "" {
			m.installed[m.halfway], m.halfway = "pc ", ""
			return -1, errors.New("killed")
		}
		for _, n := range names {
			if delete(m.installed, n); !purge {
				m.installed[n] = "rc "
			}
		}
	default:
		return -1, errors.New("unexpected change " + step.Quote(argv))
	}
	return 0, ctx.Err()
}

func lastIndex(list []string, s string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == s {
			return i
		}
	}
	return -1
}

func (m *machine) applier(t *testing.T, dir string) *Applier {
	t.Helper()
	return &Applier{Host: m.host(), Exec: m, State: dir, Command: os.Args[:1], LockTries: 3, LockPause: time.Millisecond}
}

// judgement fails one requirement for each list of fixes.
func judgement(fixes ...[]recipes.Fix) *judge.Judgement {
	r := &recipes.Recipe{Name: "trial"}
	j := &judge.Judgement{Recipe: r, Facts: &facts.Facts{
		OS:         facts.OS{Family: "linux", ID: "ubuntu", Like: []string{"debian"}, User: facts.User{Admin: true}},
		Components: map[string][]facts.Instance{"apt": {{Path: "/usr/bin/apt"}}},
	}}
	for i, f := range fixes {
		id := fmt.Sprintf("req.%c", 'a'+i)
		r.Requirements = append(r.Requirements, recipes.Requirement{ID: id, Fix: f, Manual: "Do it by hand."})
		j.Findings = append(j.Findings, judge.Finding{ID: id, Title: "Title " + id, State: judge.Fail, Listed: true})
	}
	return j
}

func withApt(names ...string) []recipes.Fix {
	return []recipes.Fix{{Packages: recipes.PackageSet{"apt": names}}}
}

func mustPlan(t *testing.T, m *machine, j *judge.Judgement) *Plan {
	t.Helper()
	p, err := MakePlan(context.Background(), j, m.host(), Places{}, Sources{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
