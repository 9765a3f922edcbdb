package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/dump"
	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
)

// openHost is this machine, the one in the snapshot file, or what a text with reports
// (nvidia-smi, build information …) tells of one, with the probes that look at it.
func openHost(from string, deep bool) (*host.Host, []probe.Probe, error) {
	all := doctor.Probes(deep)
	if from == "" {
		return host.Live(), all, nil
	}
	f, err := host.Open(from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, usagef("there is no snapshot %s: give the file that deployctl snapshot wrote, or a text with reports", from)
	case errors.Is(err, host.ErrNotRegular) || host.IsNotExist(err): // a pipe may never end
		return nil, nil, usagef("%s is not a file: save the snapshot in a file first", from)
	case err != nil:
		return nil, nil, lang.Errorf("open the snapshot: %w", err)
	}
	defer f.Close() //nolint:errcheck // read-only
	in := bufio.NewReader(f)
	if magic, err := in.Peek(2); err == nil && string(magic) != "\x1f\x8b" {
		m, err := toldBy(in, from)
		if err != nil {
			return nil, nil, err
		}
		return m.Host(), []probe.Probe{m.Probe(all)}, nil
	}
	r, err := host.ReadSnapshot(in)
	if err != nil {
		return nil, nil, usagef("%s: %w", from, readable(err))
	}
	return host.Replay(r), all, nil
}

// toldBy is the one machine that a text has reports of.
func toldBy(in io.Reader, from string) (*dump.Machine, error) {
	reports, err := dump.ReadFrom(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	switch list := dump.Machines(reports); len(list) {
	case 0:
		return nil, usagef("%s is neither a deployctl snapshot nor the output of a tool that describes a machine (nvidia-smi, nvcc --version, build information of OpenCV, clinfo, vswhere, /proc/cpuinfo)", from)
	case 1:
		return &list[0], nil
	default:
		return nil, usagef("%s: has reports of %d machines: save those of each machine in a file of their own", from, len(list))
	}
}

// lookAt gathers the facts of this machine, or of the one that a file tells of.
func lookAt(ctx context.Context, from string, deep bool) (*host.Host, *facts.Facts, error) {
	h, probes, err := openHost(from, deep)
	if err != nil {
		return nil, nil, err
	}
	f, err := lookWith(ctx, h, probes)
	return h, f, err
}

// look gathers the facts of a host. One that the user stopped is not shown as if
// it were everything.
func look(ctx context.Context, h *host.Host, deep bool) (*facts.Facts, error) {
	return lookWith(ctx, h, doctor.Probes(deep))
}

func lookWith(ctx context.Context, h *host.Host, probes []probe.Probe) (*facts.Facts, error) {
	f := doctor.Probe(ctx, h, probes)
	if err := ctx.Err(); err != nil {
		return nil, lang.Errorf("stopped while looking at the machine: %w", err)
	}
	return f, nil
}

// FactsOptions are what Facts depends on.
type FactsOptions struct {
	Console *console.Console
	From    string
	Only    []string
	Deep    bool
	Timings bool
}

// Facts prints the facts of a host.
func Facts(ctx context.Context, o FactsOptions) error {
	_, f, err := lookAt(ctx, o.From, o.Deep)
	if err != nil {
		return err
	}
	if !o.Timings {
		f.Timings = nil
	}
	if len(o.Only) > 0 {
		if f, err = only(f, o.Only); err != nil {
			return err
		}
	}
	return writeJSON(o.Console, f)
}

// only keeps the named topics and components.
func only(f *facts.Facts, names []string) (*facts.Facts, error) {
	topics := []string{"os", "cpu", "memory", "disks", "gpus", "environment", "project"}
	var known []string
	for _, p := range doctor.Probes(false) {
		known = append(known, p.Provides...)
	}
	for _, n := range names {
		if !slices.Contains(topics, n) && !slices.Contains(known, n) {
			known = append(topics, known...)
			slices.Sort(known)
			known = slices.Compact(known)
			if meant := near.Names(n, known); len(meant) > 0 {
				return nil, usagef("no probe knows %q; did you mean %s?", n, lang.List(meant, true))
			}
			return nil, usagef("no probe knows %q; the topics and components are %s", n, strings.Join(known, ", "))
		}
	}
	out := *f
	if !slices.Contains(names, "os") {
		out.OS = facts.OS{}
	}
	if !slices.Contains(names, "cpu") {
		out.CPU = facts.CPU{}
	}
	if !slices.Contains(names, "memory") {
		out.Memory = facts.Memory{}
	}
	if !slices.Contains(names, "disks") {
		out.Disks = []facts.Disk{}
	}
	if !slices.Contains(names, "gpus") {
		out.GPUs = []facts.GPU{}
	}
	if !slices.Contains(names, "environment") {
		out.Environment = facts.Environment{}
	}
	if !slices.Contains(names, "project") {
		out.Project = facts.Project{}
	}
	out.Components = map[string][]facts.Instance{}
	for _, n := range names {
		if list, ok := f.Components[n]; ok {
			out.Components[n] = list
		}
	}
	return &out, nil
}

// SnapshotOptions are what Snapshot depends on.
type SnapshotOptions struct {
	Console *console.Console
	Output  string
	Deep    bool
}

// Snapshot records this machine, redacted, into one file.
func Snapshot(ctx context.Context, o SnapshotOptions) error {
	place, err := outputFile(lang.T("a deployctl snapshot"), isSnapshot, o.Output)
	if err != nil {
		return err
	}
	o.Output = place
	rec, err := record(ctx, o.Console, o.Deep)
	if err != nil {
		return err
	}
	if o.Output == "-" {
		return host.WriteSnapshot(o.Console.Out, rec)
	}
	var archive bytes.Buffer
	if err := host.WriteSnapshot(&archive, rec); err != nil {
		return err
	}
	// A full disk leaves no half archive.
	if err := durable.WriteFile(o.Output, archive.Bytes(), 0o600); err != nil {
		return lang.Errorf("write the snapshot: %w (choose another place with --output)", err)
	}
	o.Console.Note("wrote %s; look inside before you send it: tar -tzf %s", o.Output, o.Output)
	return nil
}

// record looks at this machine and keeps what was asked and answered, redacted, with
// the probes that did not come to their end.
func record(ctx context.Context, c *console.Console, deep bool) (*host.Recording, error) {
	h, rec := host.Record(host.Live())
	f, err := look(ctx, h, deep)
	if err != nil {
		return nil, err
	}
	for _, p := range f.Problems {
		if p.Late {
			rec.Late = append(rec.Late, p.Probe)
			c.Note("deployctl: %s; the snapshot lacks what it had not read by then, so take it again when the machine is less busy", p.Error)
		}
	}
	rec.Redact(identity())
	return rec, nil
}

// identity is what the snapshot must not tell. What cannot be found out cannot
// be told apart in the recording either.
func identity() host.Identity {
	var id host.Identity
	if u, err := user.Current(); err == nil {
		id.User, id.Home = u.Username, u.HomeDir
	}
	if home, err := os.UserHomeDir(); err == nil {
		id.Home = home
	}
	if name, err := os.Hostname(); err == nil {
		id.HostName = name
	}
	return id
}

// DiffOptions are what Diff depends on.
type DiffOptions struct {
	Console *console.Console
	A, B    string // a snapshot, a facts file, or "here"
	Format  string // one of formats.Names
	All     bool
	Version string // deployctl's own
}

// Diff compares two machines; the exit code is the comparison's.
func Diff(ctx context.Context, o DiffOptions) error {
	format, err := checkFormat(formats.Diff, o.Format)
	if err != nil {
		return err
	}
	a, err := factsOf(ctx, o.A)
	if err != nil {
		return err
	}
	b, err := factsOf(ctx, o.B)
	if err != nil {
		return err
	}
	c := report.Compare(o.A, a, o.B, b)
	c.Made = Made(o.Console, o.Version)
	d := &formats.Document{
		Command: formats.Diff, Comparison: c, Version: o.Version, Time: c.Time, Exit: c.Exit,
		Style: report.Style{Color: o.Console.Color, All: o.All, Width: o.Console.Width},
	}
	return annotated(o.Console, format, func() error {
		if format.Name == formats.GitHub {
			err = c.WriteText(o.Console.Text(), d.Style)
		} else {
			err = format.Write(out(o.Console, format), d)
		}
		if err != nil {
			return err
		}
		return verdict(c.Exit)
	}, func() *formats.Document { return d })
}

func factsOf(ctx context.Context, name string) (*facts.Facts, error) {
	if name == "here" {
		name = ""
	} else if data, err := factsFile(name); err != nil {
		return nil, err
	} else if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var f facts.Facts
		if err := json.Unmarshal(data, &f); err != nil {
			return nil, usagef("%s: not a facts file: %w", name, readable(err))
		}
		if f.Schema != facts.Schema {
			return nil, usagef("%s: facts of schema %d, and this deployctl reads %d: write them again with deployctl facts", name, f.Schema, facts.Schema)
		}
		f.Clean() // as facts from a probe are
		return &f, nil
	}
	_, f, err := lookAt(ctx, name, false)
	return f, err
}

// readable says where a JSON text is wrong, without the names of Go's types.
func readable(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	field := wrong.Field
	if _, own, ok := strings.Cut(field, "Recording."); ok {
		field = own
	}
	return lang.Errorf("damaged: %s cannot be %s", field, wrong.Value)
}

// factsFile reads what may be a facts file; nil when it is none, which is then
// for openHost to say.
func factsFile(name string) ([]byte, error) {
	const most = 64 << 20 // facts have some 20 KiB
	f, err := host.Open(name)
	if err != nil {
		return nil, nil
	}
	defer f.Close() //nolint:errcheck // read-only
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, lang.Errorf("read %s: %w", name, err)
	}
	if len(data) > most {
		return nil, nil
	}
	return data, nil
}

// writeJSON writes one document to standard output.
func writeJSON(c *console.Console, v any) error {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return lang.Errorf("encode the answer: %w", err)
	}
	_, err := buf.WriteTo(c.Out)
	return err
}

// ShadowOptions are what Shadow depends on.
type ShadowOptions struct {
	Console    *console.Console
	From       string
	Components []string
	All        bool
	Format     string // text or json
	Version    string // deployctl's own
}

// Shadow shows all copies of components and which lookups find them.
func Shadow(ctx context.Context, o ShadowOptions) error {
	if err := textOrJSON(o.Format); err != nil {
		return err
	}
	_, f, err := lookAt(ctx, o.From, false)
	if err != nil {
		return err
	}
	if len(o.Components) > 0 {
		if _, err := only(f, o.Components); err != nil {
			return err
		}
	}
	if o.Format == formats.JSON {
		return writeJSON(o.Console, struct {
			heading
			Components []report.Copies `json:"components"`
		}{heading{1, Made(o.Console, o.Version)}, report.Shadows(f, o.Components)})
	}
	return report.WriteShadow(o.Console.Text(), f, o.Components, report.Style{Color: o.Console.Color, All: o.All, Width: o.Console.Width})
}
