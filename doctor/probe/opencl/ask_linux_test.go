package opencl

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
)

//go:embed testdata/driver.c
var goodDriver string

// One that crashes when it is loaded, one that never returns, and a library that
// is not a driver.
const (
	crashingDriver = `__attribute__((constructor)) static void go(void) { *(volatile int *)0 = 1; }`
	hangingDriver  = `#include <unistd.h>
__attribute__((constructor)) static void go(void) { for (;;) pause(); }`
	noDriver = `int nothing;`
)

// TestAskingRealLibraries loads libraries of all kinds for real, in the child.
func TestAskingRealLibraries(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("skipped: no C compiler here to make test drivers with")
	}
	dir := t.TempDir()
	ask := filepath.Join(dir, Child)
	build := exec.Command("go", "build", "-o", ask, "./ask")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build ask: %v\n%s", err, out)
	}
	vendors := filepath.Join(dir, "vendors")
	if err := os.Mkdir(vendors, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{"good": goodDriver, "crash": crashingDriver, "hang": hangingDriver, "none": noDriver} {
		lib := filepath.Join(dir, "lib"+name+".so")
		c := exec.Command(cc, "-shared", "-fPIC", "-w", "-x", "c", "-o", lib, "-")
		c.Stdin = strings.NewReader(source)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("compile %s: %v\n%s", name, err, out)
		}
		if err := os.WriteFile(filepath.Join(vendors, name+".icd"), []byte(lib+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("OCL_ICD_VENDORS", vendors)
	h := host.Live()
	h.Self = filepath.Join(dir, "deployctl") // beside which the child is looked for
	f, err := Ask(t.Context(), h)
	for _, word := range []string{"libcrash.so", "crashed", "libhang.so", "no answer"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	for icd, want := range map[string]string{"good.icd": "answered", "crash.icd": "crashed", "hang.icd": "hung", "none.icd": "broken"} {
		if i := byICD(f, icd); i.Attrs["state"] != want {
			t.Errorf("%s: %+v", icd, i)
		}
	}
	good := byICD(f, "good.icd")
	if !good.Active || good.Version != "2.1" || good.Attrs["device.0.name"] != "Test device" || good.Attrs["device.0.memory"] != "5000000000" ||
		good.Attrs["device.0.units"] != "7" || !slices.Equal(good.Has, []string{"fp16", "gpu"}) {
		t.Errorf("the good driver: %+v", good)
	}
}
