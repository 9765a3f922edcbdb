// Command cases turns recorded hosts into snapshots: cases FOLDER OUT writes one
// snapshot for each NAME.txtar of the folder, so that every case can be tried
// with deployctl doctor --from.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: cases FOLDER OUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "cases:", err)
		os.Exit(1)
	}
}

func run(folder, out string) error {
	names, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		r, err := hosttest.Recording(string(data))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		f, err := os.Create(filepath.Join(out, strings.TrimSuffix(filepath.Base(name), ".txtar")+".snapshot"))
		if err != nil {
			return err
		}
		if err := host.WriteSnapshot(f, r); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
