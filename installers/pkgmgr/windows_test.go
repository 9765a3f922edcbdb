package pkgmgr

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/installers/step"
)

func TestWindowsCode(t *testing.T) {
	for exit, kind := range map[int]step.Kind{
		5: step.NoPrivilege, 112: step.DiskFull, 740: step.NoPrivilege, 1223: step.Refused, 1602: step.Cancelled, 1603: step.Other, 1604: step.Interrupted,
		1605: step.NotFound, 1618: step.Locked, 1619: step.Other, 1625: step.Refused, 1633: step.Conflict, 1638: step.Conflict, 1639: step.Other, 3017: step.Interrupted,
		0x80070005: step.NoPrivilege, 0x80070070: step.DiskFull, 0x80072EE7: step.NoNetwork, 0xC0000135: step.NotFound, 0xC000013A: step.Cancelled, -1073741510: step.Cancelled,
	} {
		c, ok := WindowsCode(exit)
		if !ok || c.Kind != kind || c.Cause == "" || c.Next == "" || strings.Contains(c.Cause+c.Next, "\n") {
			t.Errorf("%d: %+v", exit, c)
		}
	}
	for _, exit := range []int{0, 1, -1, 2, RebootRequired, RebootInitiated, 1600, 1 << 40} {
		if c, ok := WindowsCode(exit); ok {
			t.Errorf("%d: %+v", exit, c)
		}
	}
}

func TestWindowsExplainer(t *testing.T) {
	explain := WindowsExplainer("setup", func(exit int) (Code, bool) { return Code{Kind: step.Locked, Cause: "own"}, exit == 1603 }, nil)
	for _, c := range []struct {
		exit  int
		line  string
		kind  step.Kind
		cause string
	}{
		{1603, "x", step.Locked, "own"},
		{1618, "x", step.Locked, "another installation is running"},
		{1, "The remote name could not be resolved: 'x'", step.NoNetwork, "a server could not be reached"},
		{1, "Access to the path 'C:\\x' is denied.", step.NoPrivilege, "Windows denied access"},
		{0x8A15FFFF, "x", step.Other, "setup ended with exit status 0x8A15FFFF"},
		{77, "x", step.Other, "setup ended with exit status 77"},
	} {
		if f := explain(c.exit, []string{c.line}); f.Kind != c.kind || !strings.HasPrefix(f.Cause, c.cause) {
			t.Errorf("%d %q: %+v", c.exit, c.line, f)
		}
	}
}
