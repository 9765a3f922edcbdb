package engine

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Copy is the copy of a library that was found on the machine: the one that an
// engine's worker was linked with and that the user's programs must load.
type Copy struct {
	// Name and Version are for people: OpenCV, 4.6.0.
	Name, Version string
	// Prefixes begin the names of the library's files: libopencv_.
	Prefixes []string
	// File is one of its shared libraries, absolute. A static library means
	// that no file is loaded, so nothing is compared.
	File string
	// Getenv reads the environment that the worker runs in; nil is this
	// process's.
	Getenv func(string) (string, bool)
}

// Misloaded is a file that a program loads in place of one of the Copy.
type Misloaded struct {
	File string
	// Why is one sentence, Fix the next action.
	Why, Fix string
}

// Foreign returns the first loaded file of the library that is not of this
// copy, nil when there is none. A file elsewhere with the same content, or one
// that a link in the copy's folder names, is of the copy.
func (c *Copy) Foreign(loaded []string) *Misloaded {
	if c == nil || !shared(c.File) {
		return nil
	}
	dir := filepath.Dir(c.File)
	own := map[string]bool{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return &Misloaded{dir, lang.F("the folder of %s %s cannot be read: %v", c.Name, c.Version, err), lang.T("Run deployctl doctor.")}
	}
	for _, e := range entries {
		if c.names(e.Name()) {
			own[resolved(filepath.Join(dir, e.Name()))] = true
		}
	}
	for _, file := range loaded {
		real := resolved(file)
		if !c.names(filepath.Base(file)) || own[real] || sameContent(real, filepath.Join(dir, filepath.Base(file))) {
			continue
		}
		return &Misloaded{file,
			lang.F("programs load %s, which is not part of the %s %s in %s that they are linked with", file, c.Name, c.Version, dir),
			c.advice(file)}
	}
	return nil
}

// Unused reports whether none of the loaded files is the library's though it is a
// shared one: whatever gave the numbers was something else.
func (c *Copy) Unused(loaded []string) bool {
	return c != nil && shared(c.File) && len(c.Members(loaded)) == 0
}

// Members are the loaded files whose names are the library's.
func (c *Copy) Members(loaded []string) []string {
	var list []string
	for _, file := range loaded {
		if c.names(filepath.Base(file)) {
			list = append(list, file)
		}
	}
	return list
}

// names reports whether a file's name is one of the library's.
func (c *Copy) names(base string) bool {
	if runtime.GOOS == "windows" {
		base = strings.ToLower(base)
	}
	return shared(base) && slices.ContainsFunc(c.Prefixes, func(p string) bool { return strings.HasPrefix(base, p) })
}

// advice says how programs come to load this copy and not the file.
func (c *Copy) advice(file string) string {
	dir, want := filepath.Dir(file), filepath.Dir(c.File)
	for _, name := range []string{"LD_PRELOAD", "DYLD_INSERT_LIBRARIES"} {
		if list, _ := c.getenv(name); strings.Contains(list, filepath.Base(file)) {
			return lang.F("Take %s out of %s.", file, name)
		}
	}
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		list, _ := c.getenv(name)
		for _, entry := range filepath.SplitList(list) {
			if entry != "" && resolved(entry) == resolved(dir) {
				return lang.F("Take %s out of %s, or remove its %s.", entry, name, filepath.Base(file))
			}
		}
	}
	switch runtime.GOOS {
	case "windows":
		return lang.F("Put %s before %s in PATH.", want, dir)
	case "darwin":
		return lang.F("Remove %s, or build with the %s it belongs to.", file, c.Name)
	}
	return lang.F("Remove %s and run ldconfig as root, or build with the %s it belongs to.", file, c.Name)
}

// loaderAdvice says how the loader comes to find a file that this copy has, ""
// when the copy has no such file. name is "" where it is not known.
func (c *Copy) loaderAdvice(name string) string {
	if c == nil || !shared(c.File) {
		return ""
	}
	dir := filepath.Dir(c.File)
	if name != "" {
		if _, err := os.Stat(filepath.Join(dir, filepath.Base(name))); err != nil {
			return ""
		}
	}
	switch runtime.GOOS {
	case "windows":
		list, _ := c.getenv("PATH")
		for _, entry := range filepath.SplitList(list) {
			if strings.EqualFold(filepath.Clean(entry), filepath.Clean(dir)) {
				return "" // it is another DLL that is missing
			}
		}
		return lang.F("Add %s to PATH and open a new terminal.", dir)
	case "darwin":
		return lang.F("Reinstall %s so that its libraries name %s as their own folder (install_name_tool -id).", c.Name, dir)
	}
	return lang.F("Run as root: echo %s >> /etc/ld.so.conf.d/%s.conf && ldconfig", dir, strings.ToLower(c.Name))
}

func (c *Copy) getenv(name string) (string, bool) {
	if c.Getenv != nil {
		return c.Getenv(name)
	}
	return os.LookupEnv(name)
}

// shared reports whether a file's name is that of a shared library.
func shared(file string) bool {
	base := strings.ToLower(filepath.Base(file))
	return strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.") ||
		strings.HasSuffix(base, ".dylib") || strings.HasSuffix(base, ".dll") || strings.HasSuffix(base, ".pyd")
}

// resolved is the path without links, the path itself where it does not exist.
func resolved(file string) string {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return filepath.Clean(file)
	}
	return real
}

// sameContent compares two files whose names differ only in their folders.
func sameContent(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	if errA != nil || errB != nil || ia.Size() != ib.Size() {
		return false
	}
	ra, errA := os.ReadFile(a)
	rb, errB := os.ReadFile(b)
	return errA == nil && errB == nil && bytes.Equal(ra, rb)
}

// traceLimit is the most time that the loader may take to list files.
const traceLimit = 10 * time.Second

var reTraced = lazyregexp.New(`(?m)^\s+\S+ => (/\S.*) \(0x[0-9a-f]+\)$`)

// trace asks glibc's loader which files the worker would load, without running
// any of their code (ld.so(8), LD_TRACE_LOADED_OBJECTS). Other loaders ignore
// the variable; the worker then ends for want of a job, and the list is empty.
func trace(ctx context.Context, p Process, w Worker) []string {
	if runtime.GOOS != "linux" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, traceLimit)
	defer cancel()
	env := append(slices.Clone(w.Env), "LD_TRACE_LOADED_OBJECTS=1")
	out, err := p.Run(ctx, host.Command{Argv: w.Argv, Env: env})
	if err != nil {
		return nil
	}
	var files []string
	for _, m := range reTraced.Get().FindAllSubmatch(out.Stdout, -1) {
		files = append(files, string(m[1]))
	}
	return files
}

// name finds the DLL that a program lacks: Windows tells the status alone. Where it is
// not found the status stands.
func (d *Death) name(ctx context.Context, h *host.Host, program string) {
	tree, err := closure.Of(ctx, h, program)
	if err != nil {
		return
	}
	for _, n := range tree.Needs {
		if n.Cause == facts.NotFound {
			d.Subject = n.Name
			d.Why = lang.F("%s is not found, which %s needs (0x%08X)", n.Name, h.Base(n.By), uint32(statusDLLNotFound))
			d.Fix = lang.F("install what brings %s, or add its folder to PATH; deployctl deps %s shows every DLL", n.Name, program)
			return
		}
	}
}

// blame adds to a death what the loader says: a file of another copy is its
// likely cause, and a missing one may be in the copy that was found.
func (d *Death) blame(ctx context.Context, p Process, w Worker) {
	if d.Cause == Library && d.Subject == "" {
		d.name(ctx, host.Live(), w.Argv[0])
	}
	if w.Copy == nil {
		return
	}
	switch d.Cause {
	case Library:
		if fix := w.Copy.loaderAdvice(d.Subject); fix != "" {
			d.Fix = fix
		}
		return
	case Hang, Killed, Start, Memory:
		return
	}
	if m := w.Copy.Foreign(trace(ctx, p, w)); m != nil {
		d.Why, d.Fix = lang.F("%s; result: %s", m.Why, d.Why), m.Fix
	}
}
