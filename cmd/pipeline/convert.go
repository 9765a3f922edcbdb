package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/convert/onnx"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines"
)

// ConvertOptions are what Convert depends on.
type ConvertOptions struct {
	// VerifyOptions name the network, and the engine that checks the result: "" for
	// the first one here that reads the format.
	VerifyOptions
	// To is the format's name, Opset ONNX's operator set, 0 for the oldest.
	To    string
	Opset int
	// Output is the folder to write to.
	Output string
	// Unchecked writes the files though no engine has run them, Force replaces files
	// that are there.
	Unchecked, Force bool
}

// conversion is what Convert did, for JSON.
type conversion struct {
	heading
	Model *verify.Model `json:"model"`
	// Proof is how the engine's results compare with the reference's; nil with
	// --unchecked.
	Proof *verify.Result `json:"proof"`
}

// Convert writes a network in another format, once an engine has run it and its
// results are those of the reference.
func Convert(ctx context.Context, o ConvertOptions) error {
	if err := textOrJSON(o.Format); err != nil {
		return err
	}
	format, err := o.format()
	if err != nil {
		return err
	}
	folder, err := filepath.Abs(o.Output)
	if err != nil {
		return lang.Errorf("find %s: %w", o.Output, err)
	}
	files, err := o.targets(format, folder)
	if err != nil {
		return err
	}
	c := conversion{heading: heading{1, Made(o.Console, o.Version)}}
	if o.Unchecked || format.Elsewhere != "" {
		c.Model, err = o.unchecked(ctx, format)
	} else {
		c.Model, c.Proof, err = o.checked(ctx, format)
	}
	if err != nil {
		return err
	}
	if err := handOut(c.Model, files); err != nil {
		return err
	}
	if o.Format == "json" {
		return writeJSON(o.Console, c)
	}
	return c.write(o.Console.Text(), format)
}

// format is the one asked for.
func (o ConvertOptions) format() (convert.Format, error) {
	names := Formats()
	format, ok := convert.Named(engine.Format(o.To))
	if !ok {
		format, ok = toolFormat(engine.Format(o.To))
	}
	switch {
	case ok && o.Unchecked && format.Write == nil:
		return format, usagef("--unchecked: %s's own tool writes this file, so the engine must be here. Leave --unchecked out", format.Display)
	case o.To == "":
		return format, usagef("name the format: deployctl convert --to %s", strings.Join(names, ", "))
	case !ok:
		return format, unknown("--to", o.To, names)
	case o.Opset == 0:
		return format, nil
	case format.Name != engine.ONNX:
		return format, usagef("--opset is a setting of ONNX; leave it out for %s", format.Display)
	case o.Opset < onnx.Oldest || o.Opset > onnx.Newest:
		return format, usagef("--opset %d is not supported: use %d to %d", o.Opset, onnx.Oldest, onnx.Newest)
	}
	return convert.ONNX(o.Opset), nil
}

// Formats are the names of the formats that can be asked for: those that deployctl
// writes, then those that an engine's own tool makes.
func Formats() []string {
	var names []string
	for _, f := range convert.All() {
		names = append(names, string(f.Name))
	}
	for _, s := range engines.All() {
		if s.File != "" {
			names = append(names, string(s.Formats[0]))
		}
	}
	return names
}

// toolFormat is a format that an engine's own tool makes: deployctl does not write it.
func toolFormat(name engine.Format) (convert.Format, bool) {
	for _, s := range engines.All() {
		if s.File != "" && s.Formats[0] == name {
			return convert.Format{Name: name, Display: s.Library, Files: []string{s.File}}, true
		}
	}
	return convert.Format{}, false
}

// unchecked converts without an engine.
func (o ConvertOptions) unchecked(ctx context.Context, format convert.Format) (*verify.Model, error) {
	options, err := o.asked()
	if err != nil {
		return nil, err
	}
	options.Progress = &progress{console: o.Console}
	m, err := heed(ctx, func() (*verify.Model, error) { return verify.Convert(ctx, options, format) })
	return m, asUsage(o.VerifyOptions, err)
}

// checked converts and has an engine run what came out.
func (o ConvertOptions) checked(ctx context.Context, format convert.Format) (*verify.Model, *verify.Result, error) {
	readers := slices.DeleteFunc(engines.All(), func(s engine.Spec) bool { return !slices.Contains(s.Formats, format.Name) })
	if o.Engine != "" {
		if _, ok := engines.Named(o.Engine); !ok {
			return nil, nil, unknown("--engine", o.Engine, engines.Names())
		}
		readers = slices.DeleteFunc(readers, func(s engine.Spec) bool { return s.Name != o.Engine })
		if len(readers) == 0 {
			return nil, nil, usagef("--engine %s cannot check the result: it does not read %s", o.Engine, format.Display)
		}
	}
	o.reads, o.readers = &format, readers
	p, err := prove(ctx, o.VerifyOptions, func() (*host.Host, *judge.Judgement, error) { return o.machine(ctx) })
	if err != nil {
		return nil, nil, err
	}
	e := p.result.Engines[0]
	if p.exit != judge.ExitOK || e.Model == nil {
		return nil, nil, lang.Errorf("nothing was written: %s ran the converted network and %s. %s", e.Name, e.Why, e.Fix)
	}
	return e.Model, p.result, nil
}

// targets are the files that are to be written, named after the network. Files that are there are
// refused without --force, before anything runs.
func (o ConvertOptions) targets(format convert.Format, folder string) ([]string, error) {
	name := o.Model
	switch {
	case name != "" && !slices.Contains(darknet.Families(), name):
		return nil, unknown("--model", name, darknet.Families())
	case o.Config != "":
		name = strings.TrimSuffix(filepath.Base(o.Config), filepath.Ext(o.Config))
	case name == "":
		name = darknet.YOLOv3
	}
	var files []string
	for _, file := range format.Files {
		to := filepath.Join(folder, name+strings.TrimPrefix(file, "model"))
		if _, err := os.Lstat(to); err == nil && !o.Force {
			return nil, usagef("%s exists already. Use --force to replace it, or --output for another folder", to)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, lang.Errorf("write the model: %w", err)
		}
		files = append(files, to)
	}
	return files, nil
}

// handOut copies the model's files from the cache.
func handOut(m *verify.Model, files []string) error {
	if err := os.MkdirAll(filepath.Dir(files[0]), 0o755); err != nil { //nolint:gosec // the user's own folder
		return lang.Errorf("write the model: %w", err)
	}
	for i, from := range m.Files {
		if err := copyFile(from, files[i]); err != nil {
			return lang.Errorf("write %s: %w", files[i], err)
		}
	}
	m.Files = files
	return nil
}

func copyFile(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read-only
	return durable.Write(to, 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// write says what was written and what is known of it.
func (c conversion) write(w io.Writer, format convert.Format) error {
	var text strings.Builder
	for i, file := range c.Model.Files {
		size := ""
		if info, err := os.Stat(file); err == nil {
			size = step.Bytes(info.Size())
		}
		fmt.Fprint(&text, lang.F("%s  %s\n  SHA-256 %s\n", file, size, c.Model.SHA256[i]))
	}
	fmt.Fprintf(&text, "\n%s\n", strings.TrimSpace(format.Display+" "+format.Version))
	fmt.Fprint(&text, lang.F("  input   %s: float32 %s, RGB, 0 to 1\n", c.Model.Input.Name, dimensions(c.Model.Input.Shape)))
	for _, p := range c.Model.Outputs {
		fmt.Fprint(&text, lang.F("  output  %s: float32 %s\n", p.Name, dimensions(p.Shape)))
	}
	switch {
	case c.Proof == nil && format.Elsewhere != "":
		fmt.Fprint(&text, lang.F("\nNot run: %s\n", format.Try(c.Model.Files)))
	case c.Proof == nil:
		text.WriteString(lang.T("\nNot checked: no engine has run this file.\n"))
	default:
		e, worst := c.Proof.Engines[0], 0.0
		for _, v := range e.RelL2 {
			worst = max(worst, float64(v))
		}
		name, version := e.Name, e.Version
		if spec, ok := engines.Named(e.Name); ok {
			name, version = spec.Library, cmp.Or(e.Versions[spec.Component], version)
		}
		fmt.Fprint(&text, lang.F("\nChecked: %s %s computes the same as the reference engine (relative L2 at most %.1e).\n", name, version, worst))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// dimensions is a shape for people: 1×3×416×416.
func dimensions(shape []int) string {
	var parts []string
	for _, n := range shape {
		parts = append(parts, fmt.Sprint(n))
	}
	return strings.Join(parts, "×")
}
