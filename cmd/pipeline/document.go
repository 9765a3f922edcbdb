package pipeline

import (
	"cmp"
	"crypto/rand"
	"errors"
	"io"
	"os"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
)

// Made says which deployctl makes a document now.
func Made(c *console.Console, version string) report.Made {
	return report.Made{Tool: report.Tool{Name: "deployctl", Version: version}, Time: c.Now().UTC().Truncate(1e9)}
}

// document is what doctor found, for a format.
func (o DoctorOptions) document(x *examination) *formats.Document {
	d := &formats.Document{
		Command: "doctor", Doctor: x.report, Facts: x.judgement.Facts, Root: root(x.judgement.Facts),
		Version: o.Version, Time: x.report.Time, Exit: x.report.Exit, Style: o.style(),
	}
	d.Plan, _ = x.report.Plan.([]installers.Step)
	d.Manual, _ = x.report.Manual.([]installers.Manual)
	if len(d.Plan)+len(d.Manual) == 0 && x.outline != nil {
		d.Plan, d.Manual = x.outline.Steps, x.outline.Manual
	}
	d.Proof, _ = x.report.Proof.(*verify.Result)
	d.Picture = drawn(o.Console, o.format, d.Proof)
	return d
}

// drawn is the picture of a proof, for a format that shows it; nil where there is none.
func drawn(c *console.Console, f formats.Format, r *verify.Result) []byte {
	if !f.Pictures || r == nil || r.Picture == "" {
		return nil
	}
	const most = 32 << 20
	info, err := os.Stat(r.Picture)
	if err == nil && info.Size() > most {
		err = lang.Errorf("it has %s", step.Bytes(info.Size()))
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(r.Picture)
	}
	if err != nil {
		c.Note("deployctl: the picture is left out: %v", err)
	}
	return data
}

// root is the folder that a CI system names files from, else the project's.
func root(f *facts.Facts) string {
	return cmp.Or(os.Getenv("GITHUB_WORKSPACE"), os.Getenv("CI_PROJECT_DIR"), f.Project.Folder)
}

// out is where a format is written: text is for people, a document is itself.
func out(c *console.Console, f formats.Format) io.Writer {
	if f.Live {
		return c.Text()
	}
	return c.Out
}

// annotated does the work of a command for GitHub's runner: while it runs, nothing
// that it writes is taken for a workflow command; at its end come the annotations,
// and the summary of the step where the runner asks for one. With another format it
// just does the work.
func annotated(c *console.Console, f formats.Format, work func() error, document func() *formats.Document) error {
	if f.Name != formats.GitHub {
		return work()
	}
	token := rand.Text()
	if _, err := io.WriteString(c.Out, formats.StopCommands(token)); err != nil {
		return err
	}
	err := work()
	if _, werr := io.WriteString(c.Out, formats.Resume(token)); werr != nil {
		return errors.Join(err, werr)
	}
	d := document()
	if d == nil { // nothing was found out
		return err
	}
	d.Exit = exitOf(err)
	if werr := f.Write(c.Text(), d); werr != nil {
		return errors.Join(err, werr)
	}
	if name := os.Getenv("GITHUB_STEP_SUMMARY"); name != "" {
		if serr := summarize(name, d); serr != nil {
			c.Note("deployctl: the step has no summary: %v", serr)
		}
	}
	return err
}

// summarize adds the document to the summary of the step.
func summarize(name string, d *formats.Document) error {
	markdown, err := formats.Find(d.Command, "markdown")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := markdown.Write(file, d); err != nil {
		return errors.Join(err, file.Close())
	}
	return file.Close()
}

// exitOf is the exit code that a command's error stands for.
func exitOf(err error) int {
	var verdict *Verdict
	var usage *UsageError
	switch {
	case err == nil:
		return judge.ExitOK
	case errors.As(err, &verdict):
		return verdict.Exit
	case errors.As(err, &usage):
		return judge.ExitUsage
	}
	return judge.ExitError
}

// checkFormat refuses a format that a command does not have.
func checkFormat(command, name string) (formats.Format, error) {
	f, err := formats.Find(command, name)
	if err != nil {
		return f, &UsageError{err}
	}
	return f, nil
}

// planFormats is the sentence on --plan.
func planFormats() string {
	return lang.F("--plan adds the plan to --format %s; for people, use --dry-run", lang.List(formats.Planning(), true))
}
