package installers

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUAC starts this program by the verb runas, which asks on a real desktop:
// only where the variable says that it may.
func TestUAC(t *testing.T) {
	if os.Getenv("DEPLOYCTL_TEST_UAC") == "" {
		t.Skip("DEPLOYCTL_TEST_UAC is not set")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	said, log := filepath.Join(dir, "said.json"), filepath.Join(dir, "log")
	words := []string{"plain", "two words", `quo"te`, `C:\ends in\`, "", "--override", "--quiet --add X"}
	argv := append([]string{self, "-test.run=TestUACChild", "-test.v=false", said}, words...)
	exit, err := Live{}.Stream(context.Background(), Job{Argv: argv, Log: log, UAC: true}, func(string) {})
	if err != nil || exit != 3010 {
		t.Fatalf("exit %d, %v", exit, err)
	}
	data, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(words, got); d != "" {
		t.Error(d)
	}
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), "not visible to deployctl") {
		t.Errorf("log %q, %v", text, err)
	}
	if _, err := (Live{}).Stream(context.Background(), Job{Argv: []string{`C:\no such program.exe`}, Log: log, UAC: true}, func(string) {}); err == nil {
		t.Error("a program that is not there was started")
	}
}

// TestUACChild is the started program: it writes down its arguments.
func TestUACChild(t *testing.T) {
	if len(os.Args) < 4 || os.Args[1] != "-test.run=TestUACChild" {
		t.Skip("started by TestUAC only")
	}
	data, err := json.Marshal(os.Args[4:])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Args[3], data, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Exit(3010)
}
