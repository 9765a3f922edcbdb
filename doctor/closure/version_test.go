package closure

import (
	"slices"
	"testing"
)

// TestByVersion: of several symbol versions the newest is named, by number.
func TestByVersion(t *testing.T) {
	list := []string{"GLIBCXX_3.4.9", "CXXABI_1.3.13", "GLIBCXX_3.4.29", "GLIBCXX_3.4", "CXXABI_1.3.9"}
	slices.SortFunc(list, byVersion)
	if want := []string{"CXXABI_1.3.9", "CXXABI_1.3.13", "GLIBCXX_3.4", "GLIBCXX_3.4.9", "GLIBCXX_3.4.29"}; !slices.Equal(list, want) {
		t.Errorf("%q", list)
	}
}

// TestPackageOfCuDNN: NVIDIA's names, which are not those of Debian's policy.
func TestPackageOfCuDNN(t *testing.T) {
	provider := []string{"libcublasLt.so.12", "libcudnn.so.9", "libcudart.so.12", "libc.so.6"}
	for _, c := range []struct {
		name   string
		beside []string
		want   string
	}{
		{"libcudnn.so.9", provider, "libcudnn9-cuda-12"},
		{"libcudnn_ops.so.9", []string{"libcublas.so.13"}, "libcudnn9-cuda-13"},
		{"libcudnn.so.9", []string{"libc.so.6"}, ""},
		{"libcudnn.so.8", provider, "libcudnn8"},
		{"libcudnn_ops_infer.so.8", provider, "libcudnn8"},
	} {
		got := ""
		if names := ofCuDNN(c.name, c.beside); len(names) > 0 {
			got = names[0]
		}
		if got != c.want {
			t.Errorf("%s beside %v: %q, not %q", c.name, c.beside, got, c.want)
		}
	}
}
