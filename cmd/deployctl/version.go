package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/cmd/pipeline"
)

// build is what the program says of itself. Date is when its commit was made, as RFC
// 3339 in UTC; "" for what the build does not know.
type build struct {
	Schema   int    `json:"schema"`
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built with changes that were not committed
	Go       string `json:"go"`
	System   string `json:"system"` // GOOS/GOARCH
}

// thisBuild reads what the Go linker put into the program.
func thisBuild() build {
	b := build{Schema: 1, Version: "unknown", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version = info.Main.Version; b.Version == "" || b.Version == "(devel)" {
		b.Version = "development"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// version is the module's version, or the commit a development build came from.
func version() string {
	b := thisBuild()
	if len(b.Commit) >= 12 && !strings.Contains(b.Version, b.Commit[:12]) {
		return b.Version + " (" + b.Commit[:12] + ")"
	}
	return b.Version
}

func (b build) text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "deployctl version %s\n", b.Version)
	if b.Commit != "" {
		changed := ""
		if b.Modified {
			changed = ", with changes that were not committed"
		}
		fmt.Fprintf(&out, "commit %s%s\n", b.Commit, changed)
	}
	if b.Date != "" {
		fmt.Fprintf(&out, "date   %s\n", b.Date)
	}
	fmt.Fprintf(&out, "go     %s\nsystem %s\n", b.Go, b.System)
	return out.String()
}

func newVersion(c *console.Console) *cobra.Command {
	format := "text"
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show deployctl's version, commit, date and Go version",
		Example: `  deployctl version
  deployctl version --json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			switch b := thisBuild(); format {
			case "json":
				e := json.NewEncoder(c.Out)
				e.SetIndent("", "  ")
				return e.Encode(b)
			case "text":
				_, err := io.WriteString(c.Text(), b.text())
				return err
			}
			return &pipeline.UsageError{Err: formats.Unknown(format, textOrJSON())}
		},
	}
	formatFlag(cmd, &format, textOrJSON(), "")
	return cmd
}
