package installers

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
)

// atOnce is the smallest program of Windows there can be: it ends with a status before
// anything else could happen. The format is that of Microsoft's "PE Format".
func atOnce(t *testing.T, status uint32) string {
	t.Helper()
	const align, text = 0x200, 0x1000
	image := make([]byte, 2*align)
	put := func(at int, v any) {
		if n, err := binary.Encode(image[at:], binary.LittleEndian, v); err != nil || n == 0 {
			t.Fatal(err)
		}
	}
	copy(image, "MZ")
	put(0x3c, uint32(0x40))
	copy(image[0x40:], "PE\x00\x00")
	put(0x44, []uint16{0x8664, 1})        // machine, sections
	put(0x54, []uint16{0xf0, 0x22})       // size of the optional header; executable, large addresses
	put(0x58, uint16(0x20b))              // PE32+
	put(0x68, uint32(text))               // entry point
	put(0x6c, uint32(text))               // base of code
	put(0x70, uint64(0x140000000))        // image base
	put(0x78, []uint32{0x1000, align})    // alignment in memory, in the file
	put(0x80, []uint16{6, 0, 0, 0, 6, 0}) // versions of Windows and the subsystem
	put(0x90, []uint32{0x2000, align})    // size of the image, of the headers
	put(0x9c, []uint16{3, 0})             // console
	put(0xa0, []uint64{1 << 20, 1 << 12, 1 << 20, 1 << 12})
	put(0xc4, uint32(16)) // directories
	copy(image[0x148:], ".text")
	put(0x150, []uint32{align, text, align, align})
	put(0x16c, uint32(0x60000020)) // code, executable, readable
	image[align] = 0xb8            // mov eax, status; ret
	put(align+1, status)
	image[align+5] = 0xc3
	file := filepath.Join(t.TempDir(), "at-once.exe")
	if err := os.WriteFile(file, image, 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestEndsAtOnce: a program that is over before it could be put into a job is run like
// any other, many times and several at once, by a step and by a probe.
func TestEndsAtOnce(t *testing.T) {
	exe, dir := atOnce(t, 77), t.TempDir()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			log := filepath.Join(dir, string(rune('a'+i)))
			for range 25 {
				if exit, err := (Live{Poll: time.Millisecond}).Stream(t.Context(), Job{Argv: []string{exe}, Log: log, Owned: i%2 == 0}, func(string) {}); exit != 77 || err != nil {
					t.Errorf("a step: exit %d, %v", exit, err)
				}
				if out, err := host.Live().Run(t.Context(), host.Command{Argv: []string{exe}}); out.Exit != 77 || err != nil {
					t.Errorf("a probe: exit %d, %v", out.Exit, err)
				}
			}
		})
	}
	all.Wait()
}

// leaves is the command of a program that starts another and leaves; the other one
// writes the file after a while.
func leaves(t *testing.T) (argv []string, file string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "done")
	return []string{self, "-test.run=TestLeavesChild", "-test.v=false", "leave", file}, file
}

func there(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// TestLeavesChild is the started program.
func TestLeavesChild(t *testing.T) {
	if len(os.Args) < 5 || os.Args[1] != "-test.run=TestLeavesChild" {
		t.Skip("started by the tests below only")
	}
	if os.Args[3] == "leave" {
		// It has this one's output, too, and keeps it open.
		child, err := os.StartProcess(os.Args[0], []string{os.Args[0], os.Args[1], os.Args[2], "work", os.Args[4]}, &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Release(); err != nil {
			t.Fatal(err)
		}
		os.Exit(0)
	}
	time.Sleep(2 * time.Second)
	if err := os.WriteFile(os.Args[4], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Exit(0)
}

// TestLeftBehind: a setup program that hands its work to another one and leaves is
// waited for, until the work is done; where nobody waits, the work goes on.
func TestLeftBehind(t *testing.T) {
	stream := func(job Job, linger time.Duration) (lines []string) {
		job.Log = filepath.Join(t.TempDir(), "log")
		exit, err := Live{Poll: time.Millisecond, Linger: linger}.Stream(t.Context(), job, func(l string) { lines = append(lines, l) })
		if exit != 0 || err != nil {
			t.Errorf("exit %d, %v", exit, err)
		}
		return lines
	}
	argv, file := leaves(t)
	lines := stream(Job{Argv: argv, Done: func() bool { return there(file) }}, 0)
	if !there(file) || !strings.Contains(strings.Join(lines, "\n"), "still at work") {
		t.Errorf("it was not waited for: %q", lines)
	}
	for name, job := range map[string]Job{"no wait": {}, "a limit": {Done: func() bool { return false }}} {
		job.Argv, file = leaves(t)
		stream(job, time.Millisecond)
		if there(file) {
			t.Errorf("%s: it was waited for", name)
		}
		for end := time.Now().Add(20 * time.Second); !there(file); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: what was left behind did not go on", name)
			}
		}
	}
}

// TestNothingEscapes: what a build or a probe leaves behind ends with it, although it
// holds the output.
func TestNothingEscapes(t *testing.T) {
	argv, step := leaves(t)
	if exit, err := (Live{}).Stream(t.Context(), Job{Argv: argv, Log: filepath.Join(t.TempDir(), "log"), Owned: true}, func(string) {}); exit != 0 || err != nil {
		t.Errorf("a build: exit %d, %v", exit, err)
	}
	argv, probe := leaves(t)
	began := time.Now()
	if out, err := host.Live().Run(context.WithoutCancel(t.Context()), host.Command{Argv: argv}); out.Exit != 0 || err != nil {
		t.Errorf("a probe: exit %d, %v", out.Exit, err)
	}
	t.Logf("the probe took %v", time.Since(began))
	time.Sleep(4 * time.Second)
	if there(step) || there(probe) {
		t.Errorf("it went on: of a build %v, of a probe %v", there(step), there(probe))
	}
}
