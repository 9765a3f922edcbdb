package host_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
)

// TestTracer: a tracer hears of a child process, without its secrets.
func TestTracer(t *testing.T) {
	var told [][]string
	ctx := host.WithTracer(context.Background(), func(argv []string, took time.Duration, err error) {
		if err != nil || took <= 0 {
			t.Errorf("%q: %s, %v", argv, took, err)
		}
		told = append(told, argv)
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	secret := "https://user:" + "hunter2@example.org/simple"
	if _, err := host.Live().Run(ctx, host.Command{Argv: []string{self, "-test.run=^$", secret}}); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0][0] != self {
		t.Fatalf("told %q", told)
	}
	if strings.Contains(strings.Join(told[0], " "), "hunter2") {
		t.Errorf("a secret was told: %q", told[0])
	}
	host.Trace(context.Background(), nil)(nil) // without a tracer, nothing
}
