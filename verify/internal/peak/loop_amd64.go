package peak

import "golang.org/x/sys/cpu"

// fastest is the widest loop that this processor and its operating system can run.
func fastest() *loop {
	switch {
	case cpu.X86.HasAVX512F:
		return &loop{fma512, 2 * 12 * 16}
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return &loop{fma256, 2 * 12 * 8}
	}
	return nil
}

//go:noescape
func fma256(rounds int64)

//go:noescape
func fma512(rounds int64)
