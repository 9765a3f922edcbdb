package host_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

const private = `
-- platform --
linux/amd64
-- env --
HOME=/home/mmustermann
USER=mmustermann
GITHUB_TOKEN=abcdef
PATH=/home/mmustermann/bin:/usr/bin
-- file /home/mmustermann/.config/app.conf --
proxy = http://mmustermann:hunter2@proxy.corp:3128
token ghp_0123456789abcdefghijABCDEFGHIJ012345
mail max.mustermann@corp.example
host wks-4711.corp, wks-4711
-- exec /home/mmustermann/bin/gcc --
-- run "/home/mmustermann/bin/gcc" "-v" --
#stderr configured by mmustermann@wks-4711
gcc version 12
-- file /proc/driver/nvidia/gpus/0/information --
GPU UUID: GPU-0a1b2c3d-1111-2222-3333-0123456789ab
`

func TestSnapshotTellsNobodysNameAndStillReplays(t *testing.T) {
	rec, err := hosttest.Recording(private)
	if err != nil {
		t.Fatal(err)
	}
	rec.Dir = "/home/mmustermann/detect"
	rec.Redact(host.Identity{User: "mmustermann", HostName: "wks-4711", Home: "/home/mmustermann"})
	var buf bytes.Buffer
	if err := host.WriteSnapshot(&buf, rec); err != nil {
		t.Fatal(err)
	}
	all := unpack(t, buf.Bytes())
	for _, secret := range []string{"mustermann", "wks-4711", "hunter2", "ghp_", "abcdef\"", "0a1b2c3d"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in the snapshot", secret)
		}
	}
	back, err := host.ReadSnapshot(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rec, back, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the snapshot reads back differently (-wrote +read):\n%s", diff)
	}
	h := host.Replay(back)
	if h.Dir != "/home/user/detect" {
		t.Errorf("the current folder is %q", h.Dir)
	}
	found := h.LookPath(t.Context(), "gcc")
	if len(found) != 1 || found[0] != "/home/user/bin/gcc" {
		t.Fatalf("LookPath over the redacted PATH = %v", found)
	}
	out, err := h.Run(t.Context(), host.Command{Argv: []string{found[0], "-v"}})
	if err != nil || !strings.Contains(string(out.Stdout), "gcc version 12") {
		t.Errorf("run = %q, %v", out.Stdout, err)
	}
}

func unpack(t *testing.T, data []byte) string {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	tr := tar.NewReader(gz)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return all.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(h.Name + "\n")
		if _, err := io.Copy(&all, tr); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRedactKeepsBinaryOffsets(t *testing.T) {
	rec := host.NewRecording("linux", "amd64", hosttest.Time)
	data := []byte("\x7fELF\x00/home/mmustermann/src\x00tail")
	rec.Files["/usr/lib/x.so"] = host.File{Data: data}
	rec.Redact(host.Identity{User: "mmustermann", Home: "/home/mmustermann"})
	got := rec.Files["/usr/lib/x.so"].Data
	if len(got) != len(data) || bytes.Contains(got, []byte("mustermann")) {
		t.Errorf("got %q", got)
	}
}

func FuzzReadSnapshot(f *testing.F) {
	rec, err := hosttest.Recording(private)
	if err != nil {
		f.Fatal(err)
	}
	var buf bytes.Buffer
	if err := host.WriteSnapshot(&buf, rec); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add([]byte("no gzip"))
	f.Add(buf.Bytes()[:buf.Len()/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := host.ReadSnapshot(bytes.NewReader(data))
		if err == nil && r == nil {
			t.Error("neither a recording nor an error")
		}
	})
}

// TestSnapshotBomb: what unpacks to more than a snapshot can be is refused before
// it fills the memory.
func TestSnapshotBomb(t *testing.T) {
	pack := func(size int64, files int) *bytes.Buffer {
		var b bytes.Buffer
		gz, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		zeros := make([]byte, 1<<20)
		w := tar.NewWriter(gz)
		for i := range files {
			if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("files/%d", i), Mode: 0o600, Size: size}); err != nil {
				t.Fatal(err)
			}
			for at := int64(0); at < size && files > 1; at += int64(len(zeros)) {
				if _, err := w.Write(zeros); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := gz.Close(); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	for name, b := range map[string]*bytes.Buffer{"declared": pack(1<<40, 1), "many files": pack(20<<20, 14)} {
		if _, err := host.ReadSnapshot(b); !errors.Is(err, host.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
