package native

import (
	"bytes"
	"context"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/compile"
)

// Damaged says what is wrong with a library's file, "" when nothing is: the
// loader ends the whole process over a file that was cut short.
func Damaged(file, reinstall string) (why, fix string) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return lang.F("the library %s is not there", file), reinstall
	case err != nil:
		return lang.F("the library %s cannot be read: %v", file, err), lang.T("make it readable for you")
	}
	end, processors, err := extent(file)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return lang.F("the library %s cannot be read: %v", file, err), lang.T("make it readable for you")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), err == nil && end > info.Size():
		return lang.F("the library %s is cut short: its headers name parts beyond its %d bytes", file, info.Size()), reinstall
	case err != nil:
		return lang.F("%s is not a shared library, or it is damaged: %v", file, err), reinstall
	case !slices.Contains(processors, runtime.GOARCH):
		// The loader would only say that it does not find it.
		return lang.F("the library %s is for another processor (%s) than this program (%s)", file, lang.List(processors, false), runtime.GOARCH), reinstall
	}
	return "", ""
}

// extent is where the last part of a shared library ends that its headers name, and
// the processors that it is for, in Go's words where it has some.
func extent(name string) (end int64, processors []string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close() //nolint:errcheck // read-only
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil {
		return 0, nil, lang.Errorf("it has no header")
	}
	switch {
	case bytes.Equal(magic, []byte(elf.ELFMAG)):
		e, err := elf.NewFile(f)
		if err != nil {
			return 0, nil, err
		}
		for _, p := range e.Progs {
			end = max(end, int64(p.Off+p.Filesz))
		}
		for _, s := range e.Sections {
			if s.Type != elf.SHT_NOBITS {
				end = max(end, int64(s.Offset+s.FileSize))
			}
		}
		return end, []string{word(e.Machine, map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm"})}, nil
	case bytes.HasPrefix(magic, []byte("MZ")):
		e, err := pe.NewFile(f)
		if err != nil {
			return 0, nil, err
		}
		for _, s := range e.Sections {
			end = max(end, int64(s.Offset)+int64(s.Size))
		}
		return end, []string{word(e.Machine, map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64", pe.IMAGE_FILE_MACHINE_I386: "386"})}, nil
	}
	cpus := map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64", macho.Cpu386: "386"}
	if e, err := macho.NewFatFile(f); err == nil {
		for _, a := range e.Arches {
			end = max(end, int64(a.Offset)+int64(a.Size))
			processors = append(processors, word(a.Cpu, cpus))
		}
		return end, processors, nil
	}
	e, err := macho.NewFile(f)
	if err != nil {
		return 0, nil, lang.Errorf("its header is of no known kind")
	}
	for _, l := range e.Loads {
		if s, ok := l.(*macho.Segment); ok {
			end = max(end, int64(s.Offset+s.Filesz))
		}
	}
	return end, []string{word(e.Cpu, cpus)}, nil
}

// word is Go's word for a processor, or the number that stands for it.
func word[T comparable](machine T, words map[T]string) string {
	if w := words[machine]; w != "" {
		return w
	}
	return fmt.Sprint(machine)
}

// Has reports whether a message has one of the parts.
func Has(message string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(message, p) {
			return true
		}
	}
	return false
}

// remedy knows what to do about the loaders' messages; the others are the library's.
func (r *Runner) remedy(message string) string {
	s := r.kind.Spec
	has := func(parts ...string) bool { return Has(message, parts...) }
	switch {
	case has("GLIBC_", "GLIBCXX_", "CXXABI_"):
		return lang.F("this build of %s is for a newer system: install an older release, or the one of this system", s.Library)
	case has("file too short", "invalid ELF header", "ELF load command", "%1 is not a valid Win32 application"):
		return r.kind.Reinstall()
	case has("wrong ELF class", "cannot open shared object file: No such file or directory", "The specified module could not be found"):
		return lang.F("install what the library needs (deployctl doctor --recipe %s names it)", s.Recipe)
	case has("failed to map segment", "annot allocate memory", "bad allocation", "bad_alloc", "Failed to allocate memory"):
		return engine.FreeMemory(lang.T("YOLOv3 needs about 1 GB"))
	case has("is not " + s.Library + ":"):
		return lang.F("deployctl shadow %s shows every copy; %s", s.Component, r.kind.Reinstall())
	case r.kind.Remedy != nil:
		return r.kind.Remedy(message)
	}
	return ""
}

// explain finds the one sentence in the output of a failed build.
func explain(log string, err error, limit time.Duration) (why, fix string) {
	unfetched, mirror := compile.Unfetched(log)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return lang.F("compiling its worker did not end within %s", limit), lang.T("try again on an idle machine")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), strings.Contains(log, "oo many open files"):
		return compile.TooFewDescriptors()
	case err != nil:
		return lang.F("the Go command could not be run (%v)", err), lang.T("reinstall Go")
	case strings.Contains(log, "checksum mismatch"), strings.Contains(log, "SECURITY ERROR"):
		return lang.F("the content of the Go module purego %s is not what deployctl pinned: a proxy or the module cache was tampered with or damaged", purego),
			lang.T("run go clean -modcache and check GOPROXY")
	case strings.Contains(log, "no space left on device"), strings.Contains(log, "not enough space on the disk"):
		return lang.T("the disk filled up while its worker was compiled"), lang.T("free some space")
	case unfetched != "":
		return lang.F("the Go module github.com/ebitengine/purego %s could not be fetched: %s", purego, unfetched), mirror
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return lang.F("compiling its worker failed: %s", lines[len(lines)-1]), lang.T("see the log")
}
