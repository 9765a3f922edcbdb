//go:build linux

package export

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/recipes"
)

// Inside a bare root this test program is started again with this variable set.
const insideVar = "DEPLOYCTL_EXPORT_INSIDE"

func TestMain(m *testing.M) {
	if os.Getenv(insideVar) != "" {
		if err := inside(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// inside plans, writes the plan in every format into /export, and applies it.
func inside(ctx context.Context) error {
	rec := &recipes.Recipe{Name: "export-test"}
	j := &judge.Judgement{Recipe: rec, Facts: &facts.Facts{
		OS:         facts.OS{Family: "linux", ID: "debian", Version: "12", User: facts.User{Admin: true}},
		Components: map[string][]facts.Instance{"apt": {{Path: "/usr/bin/apt"}}}}}
	for _, name := range []string{"pkg-config", "ninja-build"} {
		rec.Requirements = append(rec.Requirements, recipes.Requirement{ID: name, Fix: []recipes.Fix{{Packages: recipes.PackageSet{"apt": {name}}}}})
		j.Findings = append(j.Findings, judge.Finding{ID: name, State: judge.Fail, Listed: true})
	}
	plan, err := installers.MakePlan(ctx, j, host.Live(), installers.Places{}, installers.Sources{})
	if err != nil {
		return err
	}
	if err := os.MkdirAll("/export", 0o755); err != nil {
		return err
	}
	for _, f := range Formats() {
		var b bytes.Buffer
		if err := Write(&b, f, plan, About{Recipe: rec.Name, OS: j.Facts.OS}); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join("/export", "plan."+string(f)), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	a := &installers.Applier{Host: host.Live(), Exec: installers.Live{}, State: "/var/lib/deployctl", Command: os.Args}
	_, err = a.Apply(ctx, plan)
	return err
}

// TestSameStateInBareRoots applies a plan in one bare root, runs the shell
// script in a second and the Dockerfile's RUN lines in a third, and compares
// what dpkg says. DEPLOYCTL_BARE_ROOT names a tar archive of a minimal Debian
// (debootstrap --variant=minbase --include=ca-certificates); the folders are
// made beside DEPLOYCTL_BARE_DIR.
func TestSameStateInBareRoots(t *testing.T) {
	archive, dir := os.Getenv("DEPLOYCTL_BARE_ROOT"), os.Getenv("DEPLOYCTL_BARE_DIR")
	if archive == "" || dir == "" {
		t.Skip("DEPLOYCTL_BARE_ROOT and DEPLOYCTL_BARE_DIR are not set: no bare root to try in")
	}
	if os.Geteuid() != 0 {
		t.Skip("chroot needs root")
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", insideVar + "=1"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	roots := map[string]string{}
	for _, name := range []string{"apply", "sh", "dockerfile"} {
		root := filepath.Join(dir, name)
		roots[name] = root
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if out, err := exec.Command("umount", root+"/proc").CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, out)
				return // removing would reach into /proc
			}
			if err := os.RemoveAll(root); err != nil {
				t.Error(err)
			}
		})
		run("tar", "-C", root, "-xf", archive)
		run("mount", "-t", "proc", "proc", root+"/proc")
		for _, f := range []string{"/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"} {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(root+f, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	packages := func(root string) []string {
		return strings.Split(run("chroot", root, "dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n"), "\n")
	}
	manual := func(root string) string { return run("chroot", root, "apt-mark", "showmanual") }
	before := packages(roots["sh"])
	run("cp", self, roots["apply"]+"/inside")
	run("chroot", roots["apply"], "/inside")
	want := packages(roots["apply"])
	if len(want) <= len(before) {
		t.Fatalf("nothing was installed: %d packages before, %d after", len(before), len(want))
	}

	run("cp", roots["apply"]+"/export/plan.sh", roots["sh"]+"/plan.sh")
	run("chroot", roots["sh"], "/bin/sh", "/plan.sh")
	text, err := os.ReadFile(roots["apply"] + "/export/plan.dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	runs := runLines(string(text))
	if len(runs) == 0 {
		t.Fatal("no RUN line")
	}
	for _, r := range runs {
		run("chroot", roots["dockerfile"], "/bin/sh", "-c", r)
	}
	for _, name := range []string{"sh", "dockerfile"} {
		if d := cmp.Diff(want, packages(roots[name])); d != "" {
			t.Errorf("%s ends in another state:\n%s", name, d)
		}
		if d := cmp.Diff(manual(roots["apply"]), manual(roots[name])); d != "" {
			t.Errorf("%s marks other packages as wanted by hand:\n%s", name, d)
		}
	}
	left, err := os.ReadDir(roots["dockerfile"] + "/var/lib/apt/lists")
	if err != nil || len(left) > 0 {
		t.Errorf("the layer keeps package lists: %v, %v", left, err)
	}
	t.Logf("%d packages before, %d after, in all three", len(before)-1, len(want)-1)
}
