package memory

import (
	"context"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
)

// kernelLogs are where syslog keeps the kernel's messages, of a week as a rule; in many
// systems they are for the group adm or for root to read.
var kernelLogs = []string{"/var/log/kern.log", "/var/log/messages"}

// buildTools are the programs of a build that take much memory: the compilers of GCC,
// Clang and CUDA, and linkers.
var buildTools = []string{"cc1plus", "cicc", "cc1", "ptxas", "clang", "clang++", "ld", "lto1-ltrans"}

// killed finds a program of a build that the kernel ended for want of memory. It asks for
// the one word by which the kernel names it ("Killed process 3120 (cc1plus) total-vm:",
// mm/oom_kill.c): the rest of such a log is nobody's business, and a snapshot would have it.
func killed(ctx context.Context, h *host.Host) *facts.Killed {
	for _, file := range kernelLogs {
		// Nearly always there is none: one pass over the log says so.
		const any = "Killed process "
		if found, err := h.Search(ctx, file, any, host.MaxFile, len(any)); err != nil || len(found) == 0 {
			continue
		}
		for _, tool := range buildTools {
			word := "(" + tool + ")"
			found, err := h.Search(ctx, file, word, host.MaxFile, len(word))
			if err != nil {
				break
			}
			if len(found) > 0 {
				return &facts.Killed{Program: tool, File: file}
			}
		}
	}
	return nil
}
