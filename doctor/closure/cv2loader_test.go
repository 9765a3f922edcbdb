package closure_test

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestModuleOfOwnBuild: where the loader of a cv2 that OpenCV's own build installed looks
// for DLLs.
func TestModuleOfOwnBuild(t *testing.T) {
	const site = `C:\Python310\Lib\site-packages\cv2`
	const host = "-- platform --\nwindows/amd64\n-- file C:\\Python310\\python.exe --\nMZ\n-- pe " + site + "\\python-3.10\\cv2.cp310-win_amd64.pyd --\nimport opencv_world481.dll\n" +
		"-- pe D:\\cv\\x64\\vc17\\bin\\opencv_world481.dll --\nimport cudart64_110.dll\n-- file C:\\CUDA\\v11.8\\bin\\cudart64_110.dll --\nMZ\n"
	for _, c := range []struct{ name, cuda, config, want string }{
		{"CUDA_PATH is of that CUDA", `C:\CUDA\v11.8`, "BINARIES_PATHS = [\n os.path.join('D:/cv', 'x64/vc17/bin'),\n os.path.join(os.getenv('CUDA_PATH', 'C:/CUDA/v11.8'), 'bin')\n] + BINARIES_PATHS\n", ""},
		{"CUDA_PATH is of another", `C:\CUDA\v12.2`, "BINARIES_PATHS = [\n os.path.join('D:/cv', 'x64/vc17/bin'),\n os.path.join(os.getenv('CUDA_PATH', 'C:/CUDA/v11.8'), 'bin')\n] + BINARIES_PATHS\n", "cudart64_110.dll"},
		{"CUDA_PATH is not set", "", "BINARIES_PATHS = [os.path.join('D:/cv', 'x64/vc17/bin'), os.path.join(os.getenv('CUDA_PATH', 'C:/CUDA/v11.8'), 'bin')] + BINARIES_PATHS\n", ""},
		{"a join in a join, and a line of one's own", "", "BINARIES_PATHS = [\n os.path.join(os.path.join(LOADER_DIR, '../../../../../D:/no'), 'bin')\n] + BINARIES_PATHS\nBINARIES_PATHS = [r\"C:\\CUDA\\v11.8\\bin\", 'D:/cv/x64/vc17/bin'] + BINARIES_PATHS\n", ""},
		{"a form that is not known", "", "BINARIES_PATHS = [os.path.abspath('x')] + BINARIES_PATHS\n", ""},
		{"PATH has no say", "", "BINARIES_PATHS = ['D:/cv/x64/vc17/bin'] + BINARIES_PATHS\n", "cudart64_110.dll"},
	} {
		text := host + "-- file " + site + "\\config.py --\nimport os\n\n" + c.config + "-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Python310;C:\\CUDA\\v11.8\\bin\n"
		if c.cuda != "" {
			text += "CUDA_PATH=" + c.cuda + "\n"
		}
		f := &facts.Facts{Components: map[string][]facts.Instance{"opencv-python": {{Active: true, Path: site, Imports: []string{"cv2 "}, Attrs: map[string]string{"kind": "wheel"}}}}}
		if err := closure.Fill(t.Context(), hosttest.Parse(t, text), f); err != nil {
			t.Fatal(err)
		}
		var needs []string
		for _, n := range f.Components["opencv-python"][0].Needs {
			needs = append(needs, n.Name)
		}
		if got := strings.Join(needs, " "); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}
