// Command attack tries the proof from outside: deployctl verify on a small
// network with an engine that lies in one way at a time (shim/shim.cpp), which
// must be red with the right reason, and on sound machines that are unusual in
// one way, which must be green, and with caches that were damaged or planted, as
// root and as a user. It prints a table of all. With -full it tells a few lies
// about the whole of YOLOv3 instead.
//
//	attack -deployctl FILE -shim FILE [-only PATTERN] [-write docs/attack.md] [-full] [-flat RUNS]
//
// .ci/attack builds both files and runs it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/deployctl/deployctl/verify"
)

func main() {
	s := suite{}
	only, file := "", ""
	flag.StringVar(&s.deployctl, "deployctl", "", "the program to attack")
	flag.StringVar(&s.shim, "shim", "", "the compiled shim.cpp")
	flag.StringVar(&only, "only", "", "a `pattern`: run only what has such a name")
	flag.StringVar(&file, "write", "", "a `file` for the table")
	flag.IntVar(&s.flatRuns, "flat", 0, "watch memory, files and threads over this number of `runs`, instead of the attack")
	flag.BoolVar(&s.full, "full", false, "a few lies about the whole of YOLOv3, instead of all about a small network")
	flag.IntVar(&s.parallel, "parallel", runtime.NumCPU(), "how many `cases` run at a time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.main(ctx, only, file); err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// suite is what all cases share.
type suite struct {
	deployctl, shim string
	// dir holds everything that a run makes, the cache included.
	dir   string
	small model
	// goCache and goModules are Go's own caches.
	goCache, goModules string
	flatRuns           int
	full               bool
	parallel           int
}

// runs is how many timed runs each case makes after one to warm up.
const runs = 5

// report is how one run of deployctl verify ended.
type report struct {
	exit    int
	state   verify.State
	reasons []string // the likely cause first
	text    string   // what it said on standard error
	reused  bool     // the reference lay in the cache
	built   bool     // a worker was compiled
}

// said is everything that a reason may be in.
func (r report) said() string {
	return strings.Join(append(append([]string(nil), r.reasons...), r.text), "\n")
}

// row is one line of the table.
type row struct {
	name, what, want, got string
	ok                    bool
	took                  time.Duration
}

func (s *suite) main(ctx context.Context, only, file string) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if s.dir, err = os.MkdirTemp("", "attack-*"); err != nil {
		return fmt.Errorf("make a folder for the attack: %w", err)
	}
	defer os.RemoveAll(s.dir) //nolint:errcheck // a folder in /tmp
	if s.goCache, s.goModules, err = goFolders(ctx); err != nil {
		return err
	}
	if err := s.locales(ctx); err != nil {
		return err
	}
	if s.small, err = write(s.dir, "small", config(128), nil); err != nil {
		return err
	}
	if s.full {
		s.small = model{} // the network that deployctl brings along
	}
	if s.flatRuns > 0 {
		return s.flat(ctx, s.flatRuns)
	}
	cases, err := s.cases(ctx, pattern)
	if err != nil {
		return err
	}
	failed, err := s.all(ctx, cases)
	if err != nil {
		return err
	}
	fmt.Printf("%d of %d passed\n", len(cases)-failed, len(cases))
	if file != "" {
		if err := os.WriteFile(file, document(cases), 0o644); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d cases did not come out as they must", failed, len(cases))
	}
	return nil
}

// Chapters of the table.
const (
	lies = iota
	unusual
	caches
)

// attempt is one case of the suite.
type attempt struct {
	chapter int
	name    string
	run     func() (row, error)
	// alone: it is about time, so nothing else may run meanwhile.
	alone bool
	row   row
}

// cases are those that the pattern names. The first compiles the worker, and
// shows that the shim alone does nothing.
func (s *suite) cases(ctx context.Context, pattern *regexp.Regexp) ([]attempt, error) {
	var list []attempt
	add := func(a attempt) {
		if len(list) == 0 || pattern.MatchString(a.name) {
			list = append(list, a)
		}
	}
	all := mutants()
	if s.full {
		all = wholes()
	}
	for _, m := range append([]mutant{{name: "control", spec: "all:quiet", what: "the shim alone, which changes nothing"}}, all...) {
		add(attempt{chapter: lies, name: m.name, alone: m.timed || len(list) == 0, run: func() (row, error) { return s.attacked(ctx, m) }})
	}
	if s.full {
		return list, nil
	}
	for _, b := range benign() {
		add(attempt{chapter: unusual, name: b.name, run: func() (row, error) { return s.unusual(ctx, b) }})
	}
	var users []account
	for _, name := range []string{"root", "user"} {
		for _, p := range plants() {
			if !pattern.MatchString(name + "-" + p.name) {
				continue
			}
			if users == nil {
				var err error
				if users, err = s.accounts(ctx); err != nil {
					return nil, err
				}
			}
			a := users[slices.IndexFunc(users, func(a account) bool { return a.name == name })]
			add(attempt{chapter: caches, name: name + "-" + p.name, run: func() (row, error) { return s.planted(ctx, a, p) }})
		}
	}
	return list, nil
}

// all runs the cases, those that bear it side by side, and counts what failed.
func (s *suite) all(ctx context.Context, cases []attempt) (failed int, err error) {
	var mu sync.Mutex
	one := func(a *attempt) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := a.run()
		if err != nil {
			return err
		}
		a.row = r
		mu.Lock()
		defer mu.Unlock()
		mark := "ok"
		if !r.ok {
			mark = "FAILED"
			failed++
		}
		fmt.Printf("%-6s %5.1f s  %s: %s\n", mark, r.took.Seconds(), r.name, r.got)
		return nil
	}
	for i := range cases {
		if cases[i].alone {
			if err := one(&cases[i]); err != nil {
				return failed, err
			}
		}
	}
	next := make(chan *attempt)
	ends := make(chan error, s.parallel)
	for range s.parallel {
		go func() {
			var errs error
			for a := range next {
				errs = errors.Join(errs, one(a))
			}
			ends <- errs
		}()
	}
	for i := range cases {
		if !cases[i].alone {
			next <- &cases[i]
		}
	}
	close(next)
	for range s.parallel {
		err = errors.Join(err, <-ends)
	}
	return failed, err
}

// attacked runs a mutant. It must fail, and say why.
func (s *suite) attacked(ctx context.Context, m mutant) (row, error) {
	begin := time.Now()
	c := s.command(ctx, s.small, m.args...)
	c.Env = append(c.Env, m.env...)
	c.Env = append(c.Env, "LD_PRELOAD="+s.shim, "ATTACK="+m.spec, "ATTACK_RUNS="+strconv.Itoa(1+runs), "ATTACK_ENTRIES="+strconv.Itoa(s.entries()))
	r, err := s.run(c)
	if err != nil {
		return row{}, err
	}
	out := row{name: m.name, what: m.what, want: "red", took: time.Since(begin)}
	if m.reason == "" {
		out.want = "green"
		out.got, out.ok = r.green()
		return out, nil
	}
	out.got, out.ok = r.red(m.reason)
	return out, nil
}

// red reports whether the proof failed, with the right reason.
func (r report) red(reason string) (string, bool) {
	at := regexp.MustCompile(reason)
	switch {
	case r.exit == 0 || r.state == verify.OK:
		return "green", false
	case !at.MatchString(r.said()):
		return fmt.Sprintf("exit %d, for another reason: %s", r.exit, strings.TrimSpace(r.said())), false
	}
	return r.reason(at), true
}

// reason is the line that has the right reason.
func (r report) reason(at *regexp.Regexp) string {
	for _, line := range strings.Split(r.said(), "\n") {
		if at.MatchString(line) {
			return strings.TrimPrefix(line, "error: ")
		}
	}
	return at.FindString(r.said())
}

func (r report) green() (string, bool) {
	if r.exit == 0 && r.state == verify.OK {
		return "green", true
	}
	return fmt.Sprintf("exit %d, state %q: %s", r.exit, r.state, strings.TrimSpace(r.said())), false
}

// command is deployctl verify of a network.
func (s *suite) command(ctx context.Context, m model, args ...string) *exec.Cmd {
	all := append([]string{"verify", "--format", "json", "--cache", filepath.Join(s.dir, "cache"), "--runs", strconv.Itoa(runs)}, m.args()...)
	c := exec.CommandContext(ctx, s.deployctl, append(all, args...)...)
	c.Env = os.Environ()
	c.WaitDelay = time.Second
	return c
}

func (s *suite) run(c *exec.Cmd) (report, error) {
	var out, log bytes.Buffer
	c.Stdout, c.Stderr = &out, &log
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return report{}, fmt.Errorf("run %s: %w", c, err)
	}
	r := report{exit: c.ProcessState.ExitCode(), text: log.String()}
	if out.Len() == 0 {
		return r, nil
	}
	var result verify.Result
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return r, fmt.Errorf("%s wrote no JSON: %w", c, err)
	}
	r.state, r.reused = result.State, result.Reference.Reused
	for _, e := range result.Engines {
		r.built = r.built || e.BuildSeconds > 0
		if e.State == verify.OK {
			continue
		}
		r.reasons = append(r.reasons, e.Reasons...)
		if len(e.Reasons) == 0 {
			r.reasons = append(r.reasons, e.Why)
		}
	}
	return r, nil
}
