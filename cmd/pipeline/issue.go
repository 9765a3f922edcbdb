package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/explain"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// IssueOptions is what Issue depends on.
type IssueOptions struct {
	Console  *console.Console
	Template string
	From     string // a snapshot or a text, "" for this machine
	Recipe   string // what is judged, "" for the template's own
	Log      string // the output that failed, "" for none
	Command  string
	Output   string // "" for standard output
	Snapshot string // where to write the snapshot, "" for none
}

// issueRecipes are the recipes whose findings belong into an issue of a project.
var issueRecipes = map[string]string{"opencv": "opencv-cpp", "gocv": "opencv-yolov3", "darknet": "darknet", "ncnn": "ncnn", "onnxruntime": "onnxruntime"}

// Issue prints the text of an issue as a project's maintainers ask for it, filled in
// from what is known of the machine and without names of its owner.
func Issue(ctx context.Context, o IssueOptions) error {
	text, err := recipes.ReportTemplate(o.Template)
	if err != nil {
		return &UsageError{err}
	}
	f, rec, err := o.facts(ctx)
	if err != nil {
		return err
	}
	log, summary, err := o.log(ctx)
	if err != nil {
		return err
	}
	findings, err := o.findings(f)
	if err != nil {
		return err
	}
	values := issueValues(f)
	values["summary"], values["log"], values["findings"] = cmp.Or(summary, "…"), cmp.Or(log, "…"), findings
	values["command"] = cmp.Or(host.RedactText(o.Command, host.Live().OS, identity()), "…")
	if values["snapshot"], err = o.snapshot(rec); err != nil {
		return err
	}
	text = fillIn(text, values, f)
	if o.Output == "" {
		_, err = io.WriteString(o.Console.Text(), text)
		return err
	}
	if err := durable.WriteFile(o.Output, []byte(text), 0o600); err != nil {
		return lang.Errorf("write the report: %w (choose another place with --output)", err)
	}
	o.Console.Note("wrote %s; read it before you send it", o.Output)
	return nil
}

// facts are those of the machine, redacted, with the recording that they come from;
// nil where they come from a file.
func (o IssueOptions) facts(ctx context.Context) (*facts.Facts, *host.Recording, error) {
	if o.From != "" {
		_, f, err := lookAt(ctx, o.From, false)
		return f, nil, err
	}
	rec, err := record(ctx, o.Console, false)
	if err != nil {
		return nil, nil, err
	}
	f, err := lookWith(ctx, host.Replay(rec), doctor.Probes(false))
	return f, rec, err
}

// snapshot writes the snapshot and gives the line that names it.
func (o IssueOptions) snapshot(rec *host.Recording) (string, error) {
	switch {
	case rec == nil:
		return "Snapshot of the machine: attach " + o.From + ".", nil
	case o.Snapshot == "":
		return "Snapshot of the machine: `deployctl snapshot` writes it.", nil
	}
	place, err := outputFile("a deployctl snapshot", isSnapshot, o.Snapshot)
	if err != nil {
		return "", err
	}
	var archive bytes.Buffer
	if err := host.WriteSnapshot(&archive, rec); err != nil {
		return "", err
	}
	if err := durable.WriteFile(place, archive.Bytes(), 0o600); err != nil {
		return "", lang.Errorf("write the snapshot: %w (choose another place with --snapshot)", err)
	}
	o.Console.Note("wrote %s; attach it to the issue (look inside first: tar -tzf %s)", place, place)
	return "Snapshot of the machine: " + o.Snapshot + " (attached). `deployctl doctor --from` judges it on any system.", nil
}

// log is the end of the output that failed, redacted, with what it means.
func (o IssueOptions) log(ctx context.Context) (text, summary string, err error) {
	if o.Log == "" {
		return "", "", nil
	}
	if err := exists(o.Log); err != nil {
		return "", "", err
	}
	var data []byte
	if o.Log == "-" {
		data, err = io.ReadAll(io.LimitReader(&until{ctx, o.Console.In}, maxLog))
	} else {
		data, err = readLog(o.Log)
	}
	if err != nil {
		return "", "", lang.Errorf("read the log: %w", err)
	}
	set, err := explain.Embedded()
	if err != nil {
		return "", "", lang.Errorf("load the rules: %w", err)
	}
	result, err := set.Text(bytes.NewReader(data), systemHere())
	if err != nil {
		return "", "", err
	}
	clean := func(s string) string { return host.RedactText(s, host.Live().OS, identity()) }
	lines := strings.Split(strings.TrimRight(strings.ToValidUTF8(string(data), "?"), "\n"), "\n")
	const most = 60
	var out strings.Builder
	out.WriteString("```\n")
	if len(result.Matches) > 0 && len(lines)-most >= result.Matches[0].Line {
		fmt.Fprintf(&out, "%s\n…\n", clean(result.Matches[0].Evidence))
	} else if first := result.FirstError; first != nil && len(lines)-most >= first.Line {
		fmt.Fprintf(&out, "%s\n…\n", clean(first.Text))
	}
	for _, line := range lines[max(0, len(lines)-most):] {
		out.WriteString(strings.ReplaceAll(clean(strings.TrimRight(line, "\r")), "```", "'''") + "\n")
	}
	out.WriteString("```")
	if len(result.Matches) > 0 {
		summary = clean(result.Matches[0].Cause)
	}
	return out.String(), summary, nil
}

const maxLog = 64 << 20

func readLog(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read-only
	return io.ReadAll(io.LimitReader(f, maxLog))
}

// findings lists what is wrong for the recipe of the project.
func (o IssueOptions) findings(f *facts.Facts) (string, error) {
	name := cmp.Or(o.Recipe, issueRecipes[o.Template])
	if o.Template == "openpose" && name == "" {
		name = "openpose-linux"
		if f.OS.Family == "windows" {
			name = "openpose-windows"
		}
	}
	if name == "" {
		return "Nothing was judged: no recipe was named (`--recipe`).", nil
	}
	r, err := recipes.Find(name, "")
	if err != nil {
		return "", &UsageError{err}
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, x := range judge.Evaluate(r, tables, f).Findings {
		if x.State == judge.Fail || x.State == judge.Warn {
			fmt.Fprintf(&out, "- %s: %s: %s\n", x.State, x.Title, x.Found)
		}
	}
	if out.Len() == 0 {
		return "Nothing wrong for the recipe " + name + ".", nil
	}
	return fmt.Sprintf("With the recipe %s:\n%s", name, strings.TrimRight(out.String(), "\n")), nil
}

var placeholder = lazyregexp.New(`\{[a-z][a-z0-9-]*\}`)

// fillIn puts the values in; any other word is a component.
func fillIn(text string, values map[string]string, f *facts.Facts) string {
	return placeholder.Get().ReplaceAllStringFunc(text, func(word string) string {
		word = word[1 : len(word)-1]
		if v, ok := values[word]; ok {
			return v
		}
		return componentText(f, word)
	})
}

// componentText is the copy of a component that programs find, in words.
func componentText(f *facts.Facts, name string) string {
	if p, failed := f.Problem(name); failed && len(f.Components[name]) == 0 {
		return "unknown (" + p.Error + ")"
	}
	list := f.Components[name]
	if len(list) == 0 {
		return "not found"
	}
	in, ok := f.Active(name)
	if !ok {
		in = list[0]
	}
	var out string
	switch {
	case in.Version != "" && in.Path != "":
		out = in.Version + " (" + in.Path + ")"
	case in.Version == "" && in.Path != "":
		out = "unknown (found in " + in.Path + ")"
	default:
		out = cmp.Or(in.Version, "unknown")
	}
	if !ok {
		out += "; programs do not find it"
	}
	if len(list) > 1 {
		out += fmt.Sprintf(", and %d more", len(list)-1)
	}
	return out
}

// issueValues are the words that stand for no component.
func issueValues(f *facts.Facts) map[string]string {
	v := map[string]string{
		"os":        strings.TrimSpace(cmp.Or(f.OS.Name, f.OS.Family, "unknown") + " " + f.OS.Build),
		"os-family": cmp.Or(map[string]string{"linux": "Linux", "windows": "Windows", "darwin": "Mac"}[f.OS.Family], "unknown"),
		"arch":      cmp.Or(f.OS.Arch, "unknown"),
		"cpu":       cmp.Or(f.CPU.Model, "unknown"),
		"memory":    "unknown amount",
	}
	if f.OS.Kernel != "" {
		v["os"] += ", kernel " + f.OS.Kernel
	}
	if f.OS.Container != "" {
		v["os"] += ", in " + f.OS.Container
	}
	if f.CPU.Level != "" {
		v["cpu"] += " (" + f.CPU.Level + ")"
	}
	if total := f.Memory.Usable(); total > 0 {
		v["memory"] = recipes.Bytes(total).Human()
	}
	var gpus []string
	for _, g := range f.GPUs {
		name := cmp.Or(g.Name, g.ID, g.Vendor)
		if g.Memory > 0 {
			name += ", " + recipes.Bytes(g.Memory).Human()
		}
		gpus = append(gpus, name)
	}
	v["gpus"] = cmp.Or(strings.Join(gpus, "; "), "none found")
	v["compiler"] = compilerText(f)
	if in, ok := f.Active("opencv"); ok {
		v["opencv-from"] = cmp.Or(in.Attrs["package"], "…")
		v["buildinfo"] = buildText(in)
	} else {
		v["opencv-from"], v["buildinfo"] = "…", "not found"
	}
	v["onnxruntime-from"], v["onnxruntime-backends"] = "…", "…"
	if in, ok := f.Active("onnxruntime"); ok {
		v["onnxruntime-from"] = cmp.Or(in.Attrs["package"], "…")
		v["onnxruntime-backends"] = cmp.Or(strings.Join(in.Built.Backends, ", "), "…")
	}
	return v
}

// compilerText names the compilers that builds find.
func compilerText(f *facts.Facts) string {
	var out []string
	for _, name := range []string{"msvc", "visual-studio", "gcc", "g++", "clang", "mingw"} {
		if in, ok := f.Active(name); ok {
			out = append(out, recipes.Display(name)+" "+cmp.Or(in.Version, "of unknown version"))
		}
	}
	return cmp.Or(strings.Join(out, ", "), "not found")
}

// buildText is what a copy of OpenCV was built with.
func buildText(in facts.Instance) string {
	var keys []string
	for k := range in.Attrs {
		if strings.HasPrefix(k, "build.") {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return "could not be read"
	}
	slices.Sort(keys)
	var out strings.Builder
	out.WriteString("```\n")
	for _, k := range keys {
		fmt.Fprintf(&out, "%-22s %s\n", strings.TrimPrefix(k, "build."), in.Attrs[k])
	}
	out.WriteString("```")
	return out.String()
}
