package opencl

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
)

// A driver with one platform and one device, one that crashes when it is
// loaded, and one that never returns.
const (
	goodDriver = `
#include <stdio.h>
#include <string.h>
#include <stddef.h>
struct object { void **table; };
static void *table[4];
static struct object plat = { table }, dev = { table };
static int text(const char *s, size_t size, void *value, size_t *need) {
	if (need) *need = strlen(s) + 1;
	if (value) { if (size < strlen(s) + 1) return -30; strcpy(value, s); }
	return 0;
}
static int platform_info(struct object *p, unsigned what, size_t size, void *value, size_t *need) {
	switch (what) {
	case 0x0902: return text("Test platform", size, value, need);
	case 0x0901: return text("OpenCL 2.1 test", size, value, need);
	}
	return -30;
}
static int device_ids(struct object *p, unsigned long kind, unsigned n, struct object **out, unsigned *count) {
	if (count) *count = 1;
	if (out && n) out[0] = &dev;
	return 0;
}
static int device_info(struct object *d, unsigned what, size_t size, void *value, size_t *need) {
	unsigned long number = 0; size_t width = 4;
	switch (what) {
	case 0x102B: return text("Test device", size, value, need);
	case 0x1030: return text("cl_khr_fp16", size, value, need);
	case 0x1000: number = 4; width = 8; break;
	case 0x1002: number = 7; break;
	case 0x101F: number = 5000000000UL; width = 8; break;
	case 0x1027: number = 1; break;
	default: return -30;
	}
	if (need) *need = width;
	if (value) memcpy(value, &number, width);
	return 0;
}
int clIcdGetPlatformIDsKHR(unsigned n, struct object **out, unsigned *count) {
	printf("a driver's chatter"); fflush(stdout);
	table[1] = platform_info; table[2] = device_ids; table[3] = device_info;
	if (count) *count = 1;
	if (out && n) out[0] = &plat;
	return 0;
}
`
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
