package libfind

import (
	"context"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestWheelCuDNN: a cuDNN out of a wheel has no version in its file's name; the
// header beside it says it.
func TestWheelCuDNN(t *testing.T) {
	const library = "-- env --\nLD_LIBRARY_PATH=/opt/deployctl/cudnn-9/lib\n-- file /opt/deployctl/cudnn-9/lib/libcudnn.so.9 --\n\x7fELF\n" +
		"-- link /opt/deployctl/cudnn-9/lib/libcudnn.so --\n/opt/deployctl/cudnn-9/lib/libcudnn.so.9\n"
	const header = "-- file /opt/deployctl/cudnn-9/include/cudnn_version.h --\n#define CUDNN_MAJOR 9\n#define CUDNN_MINOR 10\n#define CUDNN_PATCHLEVEL 2\n"
	for _, tt := range []struct{ name, text, want string }{
		{"with its header", library + header, "9.10.2"},
		{"without", library, "9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Files(context.Background(), hosttest.Parse(t, tt.text), Extra{}, "cudnn")
			if err != nil {
				t.Fatal(err)
			}
			in, ok := f.Active("cudnn")
			if !ok || in.Version != tt.want || in.Conflict != "" {
				t.Errorf("got %+v, want %s", f.Components["cudnn"], tt.want)
			}
		})
	}
}
