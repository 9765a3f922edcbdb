package hosttest

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
)

// TestLinks: a path that leads through a link to a folder, or through two of them,
// answers as the path that it leads to.
func TestLinks(t *testing.T) {
	ctx := t.Context()
	h := Parse(t, `-- env --
PATH=/usr/local/cuda/bin:/usr/local/cuda-12.4/bin:/usr/bin
-- link /usr/local/cuda --
/etc/alternatives/cuda
-- link /etc/alternatives/cuda --
/usr/local/cuda-12.4
-- link /usr/bin/nvcc --
/usr/local/cuda/bin/nvcc
-- link /loop/a --
/loop/b
-- link /loop/b --
/loop/a
-- run "/usr/local/cuda-12.4/bin/nvcc" "--version" --
release 12.4
-- file /usr/local/cuda-12.4/version.json --
{"cuda": 1}
-- dir /usr/local/cuda-12.4/empty --
-- link /usr/local/cuda-12.4/lib64 --
/usr/local/cuda-12.4/targets/x86_64-linux/lib
-- file /usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127 --
x
-- link /usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12 --
/usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127
-- disk / --
2 1
-- disk /usr/local/cuda-12.4 --
20 10
`)
	const nvcc = "/usr/local/cuda-12.4/bin/nvcc"
	if got := h.LookPath(ctx, "nvcc"); !slices.Equal(got, []string{"/usr/local/cuda/bin/nvcc"}) {
		t.Errorf("LookPath gives %q: the second folder is the same one, and so is the link in /usr/bin", got)
	}
	for _, name := range []string{"/usr/local/cuda/bin/nvcc", "/etc/alternatives/cuda/bin/nvcc", "/usr/bin/nvcc"} {
		if info, err := h.Stat(ctx, name); err != nil || !info.Exec || info.Dir {
			t.Errorf("Stat of %s: %+v, %v", name, info, err)
		}
		if real, err := h.Resolve(ctx, name); err != nil || real != nvcc {
			t.Errorf("%s leads to %s, %v", name, real, err)
		}
	}
	if out, err := h.Run(ctx, host.Command{Argv: []string{"/usr/local/cuda/bin/nvcc", "--version"}}); err != nil || string(out.Stdout) != "release 12.4\n" {
		t.Errorf("nvcc says %q, %v", out.Stdout, err)
	}
	if text, err := h.Text(ctx, "/usr/local/cuda/version.json"); err != nil || text != "{\"cuda\": 1}\n" {
		t.Errorf("version.json is %q, %v", text, err)
	}
	if part, err := h.ReadAt(ctx, "/usr/local/cuda/version.json", 2, 4); err != nil || string(part) != "cuda" {
		t.Errorf("a part of version.json is %q, %v", part, err)
	}
	if found, err := h.Search(ctx, "/usr/local/cuda/version.json", "cuda", 100, 4); err != nil || len(found) == 0 {
		t.Errorf("version.json has %q, %v", found, err)
	}
	if got, want := h.Glob(ctx, "/usr/local/cuda/lib64", "libcudart.so*"), []string{"/usr/local/cuda/lib64/libcudart.so.12", "/usr/local/cuda/lib64/libcudart.so.12.4.127"}; !slices.Equal(got, want) {
		t.Errorf("Glob gives %q", got)
	}
	if real, err := h.Resolve(ctx, "/usr/local/cuda/lib64/libcudart.so.12"); err != nil || real != "/usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127" {
		t.Errorf("libcudart.so.12 is %s, %v", real, err)
	}
	var names []string
	entries, err := h.ReadDir(ctx, "/usr/local/cuda")
	for _, e := range entries {
		names = append(names, e.Name)
	}
	if want := []string{"bin", "empty", "lib64", "targets", "version.json"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("the folder has %q, %v", names, err)
	}
	if d, err := h.Disk(ctx, "/usr/local/cuda/new"); err != nil || d.Free != 10 {
		t.Errorf("the disk is %+v, %v", d, err)
	}
	for _, name := range []string{"/usr/local/cuda/none", "/usr/local/cuda-11/bin/nvcc", "/loop/a/x"} {
		if _, err := h.Stat(ctx, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat of %s: %v", name, err)
		}
	}
}
