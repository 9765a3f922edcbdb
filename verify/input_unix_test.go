//go:build unix

package verify

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInputsAreFiles: a pipe without a writer, devices and folders are refused at
// once, whichever input they are given as; and so are files that are too long.
func TestInputsAreFiles(t *testing.T) {
	f := newFiles(t)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo.png")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	long := write(t, filepath.Join(dir, "long"), nil)
	if err := os.Truncate(long, 1<<40); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, words string }{
		{fifo, "it is a pipe"}, {"/dev/zero", "it is a device"}, {"/dev/null", "it is a device"}, {dir, "it is a folder"}, {long, "too large"},
	} {
		for name, set := range map[string]func(o *Options){
			"image":                 func(o *Options) { o.Image = c.file },
			"weights":               func(o *Options) { o.Weights = c.file },
			"weights without a cfg": func(o *Options) { o.Weights, o.Config, o.Names = c.file, "", "" },
			"cfg":                   func(o *Options) { o.Config = c.file },
			"names":                 func(o *Options) { o.Names = c.file },
		} {
			o := f.options(t, fake{name: "gocv"})
			set(&o)
			begin := time.Now()
			_, err := Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), c.file) {
				t.Errorf("%s as %s: %v", c.file, name, err)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("%s as %s: refused after %v", c.file, name, took)
			}
		}
	}
	for _, file := range []string{fifo, "/dev/full"} {
		o := f.options(t, untouchable{})
		o.Picture = file
		var refused *InputError
		if _, err := Run(t.Context(), o); !errors.As(err, &refused) {
			t.Errorf("a picture as %s: %v", file, err)
		}
	}
}
