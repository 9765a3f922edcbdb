package cuda

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
)

func TestInstalled(t *testing.T) {
	const base = `C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA`
	h := hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- reg 64 HKLM\\SOFTWARE\\NVIDIA Corporation\\GPU Computing Toolkit\\CUDA\\v11.8 --\nInstallDir=D:\\CUDA\\v11.8\\\n"+
		"-- file D:\\CUDA\\v11.8\\bin\\nvcc.exe --\nMZ\n"+
		"-- file "+base+`\v12.6\version.json`+" --\n{\"cuda\":{\"name\":\"CUDA SDK\",\"version\":\"12.6.3\"}}\n"+
		"-- file "+base+`\v12.6\bin\cublas64_12.dll`+" --\nMZ\n"+
		"-- file "+base+`\v12.6\lib\x64\cudart.lib`+" --\nx\n"+
		"-- file "+base+`\v12.6\extras\visual_studio_integration\MSBuildExtensions\CUDA 12.6.props`+" --\nx\n"+
		"-- file "+base+`\v13.0\bin\x64\cublas64_13.dll`+" --\nMZ\n"+
		"-- file "+base+`\vX\bin\nvcc.exe`+" --\nMZ\n")
	got, err := Manager().State(context.Background(), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]pkgmgr.Installed{}
	for name, v := range map[string]string{"nvcc_11.8": "11.8", "cublas_12.6": "12.6.3", "cudart_12.6": "12.6.3", "visual_studio_integration_12.6": "12.6.3", "cublas_13.0": "13.0"} {
		want[name] = pkgmgr.Installed{Version: v, Ready: true}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNames(t *testing.T) {
	m := Manager()
	if err := m.CheckNames([]string{"nvcc_12.6", "cublas_dev_11.8", "visual_studio_integration_13.0"}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"Display.Driver", "nvcc", "nvcc_12.6.3", "nosuch_12.6", "-s", "nvcc_12.6 Display.Driver"} {
		if m.CheckNames([]string{bad}) == nil {
			t.Errorf("%q is let through", bad)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add([]byte(`{"cuda":{"version":"12.6.3"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if ParseVersion(data, "12.6") == "" {
			t.Error("empty")
		}
	})
}
