// Package osprobe reads what operating system a host runs: distribution,
// kernel, C library, container, and how to become administrator. It owns
// facts.OS. It starts no process on Linux and must never judge.
package osprobe

import (
	"context"
	"errors"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Provides are the fact topics of this probe.
func Provides() []string { return []string{"os"} }

// Probe reads the operating system. The error says what could not be looked
// at; everything else is filled in.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	p := &prober{ctx: ctx, h: h, os: facts.OS{Family: h.OS, Arch: h.Arch, Attrs: map[string]string{}}}
	switch h.OS {
	case "linux":
		p.linux()
	case "windows":
		p.windows()
	case "darwin":
		p.darwin()
	}
	return facts.Facts{OS: p.os}, errors.Join(p.errs...)
}

// prober gathers facts; what cannot be read becomes an error and the rest goes on.
type prober struct {
	ctx  context.Context
	h    *host.Host
	os   facts.OS
	errs []error
}

// text reads a small text file. Missing is no error, and no text.
func (p *prober) text(name string) (string, bool) {
	const enough = 1 << 20 // these files are a few kilobytes; a larger one is cut
	data, _, err := p.h.ReadFile(p.ctx, name, enough)
	if err != nil {
		p.fail(err)
		return "", false
	}
	return string(data), true
}

// optional is text for what adds a detail only: unreadable counts as missing.
func (p *prober) optional(name string) (string, bool) {
	data, _, err := p.h.ReadFile(p.ctx, name, 64<<10)
	return string(data), err == nil
}

// fail keeps an error, unless it says that something is not there.
func (p *prober) fail(err error) {
	if err != nil && !host.IsNotExist(err) && !errors.Is(err, host.ErrUnsupported) {
		p.errs = append(p.errs, err)
	}
}

func (p *prober) evidence(kind, source, detail string) {
	p.os.Evidence = append(p.os.Evidence, facts.Evidence{Kind: kind, Source: source, Detail: detail})
}

func (p *prober) set(key, value string) { look.Set(p.os.Attrs, key, look.Clean(value)) }

// run asks one tool of the system and returns its standard output.
func (p *prober) run(argv ...string) (string, bool) {
	out, err := p.h.Run(p.ctx, host.Command{Argv: argv})
	if err != nil {
		p.fail(lang.Errorf("run %s: %w", argv[0], err))
		return "", false
	}
	return string(out.Stdout), true
}
