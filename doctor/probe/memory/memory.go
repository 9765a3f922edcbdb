// Package memory reads how much memory a host has and how much of it a process
// may take. It owns facts.Memory and must never judge.
package memory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/cgroup"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Provides are the fact topics of this probe.
func Provides() []string { return []string{"memory"} }

const meminfoFile = "/proc/meminfo"

// Probe reads the memory. The error says what could not be looked at.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	var m facts.Memory
	var errs []error
	switch h.OS {
	case "linux":
		text, err := h.Text(ctx, meminfoFile)
		if err == nil {
			if m, err = ParseMeminfo(text); err != nil {
				errs = append(errs, lang.Errorf("read %s: %w", meminfoFile, err))
			}
			m.Evidence = []facts.Evidence{{Kind: "file", Source: meminfoFile, Detail: fmt.Sprintf("MemTotal %d kB", m.Total>>10)}}
		} else if !host.IsNotExist(err) {
			errs = append(errs, err)
		}
	case "darwin":
		m, errs = darwin(ctx, h)
	}
	if m.Total == 0 {
		if asked, err := h.Memory(); err == nil {
			m.Total, m.Available, m.Swap = asked.Total, asked.Available, asked.Swap
			m.Evidence = []facts.Evidence{{Kind: "syscall", Source: syscallName(h.OS), Detail: fmt.Sprintf("%d bytes", m.Total)}}
			errs = nil
		} else {
			errs = append(errs, lang.Errorf("ask the kernel: %w", err))
		}
	}
	if m.Total == 0 {
		return facts.Facts{}, lang.Errorf("nothing on this machine tells how much memory it has: %w", errors.Join(errs...))
	}
	if h.OS == "linux" {
		limit, source, err := groupLimit(ctx, h)
		if err != nil {
			errs = append(errs, err)
		}
		if limit > 0 && limit < m.Total {
			m.Limit = limit
			m.Evidence = append(m.Evidence, facts.Evidence{Kind: "file", Source: source, Detail: fmt.Sprintf("%d bytes", limit)})
		}
	}
	if h.OS == "linux" {
		m.Killed = killed(ctx, h)
	}
	return facts.Facts{Memory: m}, errors.Join(errs...)
}

func syscallName(goos string) string {
	switch goos {
	case "windows":
		return "GlobalMemoryStatusEx"
	case "darwin":
		return "sysctl hw.memsize"
	}
	return "sysinfo"
}

// ParseMeminfo reads /proc/meminfo (proc_meminfo(5)): lines of "Name: N kB".
// The error says that it is no such file.
func ParseMeminfo(text string) (facts.Memory, error) {
	values := map[string]uint64{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		words := strings.Fields(rest)
		if len(words) == 0 {
			continue
		}
		n, err := strconv.ParseUint(words[0], 10, 64)
		if err != nil || n > 1<<53 {
			continue
		}
		if len(words) > 1 && words[1] == "kB" {
			n <<= 10
		}
		values[strings.TrimSpace(name)] = n
	}
	m := facts.Memory{Total: values["MemTotal"], Swap: values["SwapTotal"]}
	if m.Total == 0 {
		return m, lang.Errorf("no MemTotal in it")
	}
	available, ok := values["MemAvailable"]
	if !ok { // before Linux 3.14
		available = values["MemFree"] + values["Buffers"] + values["Cached"]
	}
	m.Available = min(available, m.Total)
	return m, nil
}

// groupLimit is the smallest limit of the control groups, 0 for none.
func groupLimit(ctx context.Context, h *host.Host) (limit uint64, source string, err error) {
	levels, err := cgroup.Levels(ctx, h, "memory")
	for _, l := range levels {
		name := l.Dir + "/memory.limit_in_bytes" // v1: a number near 2^63 for none
		if l.V2 {
			name = l.Dir + "/memory.max" // "max" for none
		}
		data, _, readErr := h.ReadFile(ctx, name, 64)
		if readErr != nil {
			continue // the root of a hierarchy has no such file
		}
		n, parseErr := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
		if parseErr != nil || n == 0 {
			continue
		}
		if limit == 0 || n < limit {
			limit, source = n, name
		}
	}
	return limit, source, err
}

// darwin asks sysctl(8); the free pages and those that only cache files can be had.
func darwin(ctx context.Context, h *host.Host) (facts.Memory, []error) {
	values, evidence, err := look.Sysctl(ctx, h, "hw.memsize", "hw.pagesize", "vm.page_free_count", "vm.page_pageable_external_count", "vm.swapusage")
	if host.IsNotExist(err) {
		return facts.Memory{}, nil
	}
	if err != nil {
		return facts.Memory{}, []error{err}
	}
	number := func(name string) uint64 {
		n, err := strconv.ParseUint(values[name], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	m := facts.Memory{Total: number("hw.memsize"), Swap: swapTotal(values["vm.swapusage"])}
	m.Available = min((number("vm.page_free_count")+number("vm.page_pageable_external_count"))*number("hw.pagesize"), m.Total)
	evidence.Detail = fmt.Sprintf("hw.memsize %d", m.Total)
	m.Evidence = []facts.Evidence{evidence}
	return m, nil
}

// swapTotal reads "total = 2048.00M  used = …".
func swapTotal(text string) uint64 {
	_, rest, ok := strings.Cut(text, "total = ")
	if !ok {
		return 0
	}
	word, _, _ := strings.Cut(rest, " ")
	f, err := strconv.ParseFloat(strings.TrimSuffix(word, "M"), 64)
	if err != nil || !(f >= 0 && f < 1e9) {
		return 0
	}
	return uint64(f * (1 << 20))
}
