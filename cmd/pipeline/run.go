package pipeline

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/explain"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// RunOptions is what Run depends on.
type RunOptions struct {
	Console *console.Console
	Folders Folders
	Argv    []string
	NoFacts bool
}

// Exit codes of what shells and env use for commands that cannot be started.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// stopGrace is how long a command may take to stop after it was asked to.
const stopGrace = 10 * time.Second

// Run runs a command with its output shown as it comes, and explains it when it
// fails. The result is a *Verdict with the command's exit code.
func Run(ctx context.Context, o RunOptions) error {
	set, err := explain.Embedded()
	if err != nil {
		return lang.Errorf("load the rules: %w", err)
	}
	// Both streams go where they belong, and line by line to the rules.
	read, write := io.Pipe()
	type answer struct {
		result *explain.Result
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		result, err := set.Text(read, systemHere())
		// The command goes on, whatever became of the explanation.
		_, _ = io.Copy(io.Discard, read)
		done <- answer{result, err}
	}()
	both := &sharedWriter{to: write}
	cmd := exec.CommandContext(ctx, o.Argv[0], o.Argv[1:]...)
	cmd.Stdin = o.Console.In
	cmd.Stdout, cmd.Stderr = io.MultiWriter(o.Console.Out, both.part()), io.MultiWriter(o.Console.Err, both.part())
	cmd.WaitDelay = stopGrace
	ownGroup(cmd, o.Console.InTTY)
	runErr := cmd.Run()
	both.close()
	_ = write.Close() // always nil
	explained := <-done
	if cmd.ProcessState == nil {
		o.Console.Note("deployctl: start %s: %v", o.Argv[0], runErr)
		if errors.Is(runErr, exec.ErrNotFound) || errors.Is(runErr, os.ErrNotExist) {
			return verdict(exitNotFound)
		}
		return verdict(exitNotExecutable)
	}
	exit := exitCodeOf(cmd.ProcessState)
	if exit == 0 { // also where what it left running keeps its output open
		return nil
	}
	if ctx.Err() != nil {
		return verdict(exit) // the user stopped it
	}
	if explained.err != nil {
		o.Console.Note("deployctl: explain the output: %v", explained.err)
		return verdict(exit)
	}
	o.Console.Note("\ndeployctl: %s ended with exit code %d.", o.Argv[0], exit)
	if !o.NoFacts && len(explained.result.Matches) > 0 {
		if err := addHere(ctx, "", explained.result); err != nil {
			o.Console.Note("deployctl: look at this machine: %v", err)
		}
	}
	if err := printExplained(&console.Console{Out: o.Console.Err, Width: o.Console.Width}, explained.result); err != nil {
		return err
	}
	return verdict(exit)
}

// sharedWriter joins the lines of several streams, so that none is torn.
type sharedWriter struct {
	mu    sync.Mutex
	to    io.Writer
	parts []*linePart
}

// linePart is one stream's part of a sharedWriter.
type linePart struct {
	of   *sharedWriter
	rest []byte
}

func (s *sharedWriter) part() *linePart {
	p := &linePart{of: s}
	s.parts = append(s.parts, p)
	return p
}

// maxRest is how much of a line without end is kept together.
const maxRest = 1 << 20

func (p *linePart) Write(data []byte) (int, error) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.rest = append(p.rest, data...)
	end := len(p.rest)
	for end > 0 && p.rest[end-1] != '\n' {
		end--
	}
	if end == 0 && len(p.rest) > maxRest {
		end = len(p.rest)
	}
	if end > 0 {
		_, _ = p.of.to.Write(p.rest[:end]) // the reader reads to the end
		p.rest = append(p.rest[:0], p.rest[end:]...)
	}
	return len(data), nil
}

// close hands over what has no line end.
func (s *sharedWriter) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts {
		if len(p.rest) > 0 {
			_, _ = s.to.Write(append(p.rest, '\n'))
		}
	}
}
