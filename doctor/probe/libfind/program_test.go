package libfind

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestProgramFolder: the ONNX Runtime that a project here was built with, and its release.
func TestProgramFolder(t *testing.T) {
	const project = "-- platform --\nwindows/amd64\n-- cwd --\nC:\\p\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Windows\n-- file C:\\p\\p.csproj --\n<PackageReference Include=\"Microsoft.ML.OnnxRuntime.Gpu\" Version=\"1.20.1\" />\n"
	const cpp = "-- platform --\nwindows/amd64\n-- cwd --\nC:\\p\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Windows\n-- file C:\\p\\p.vcxproj --\n<Import Project=\"packages\\Microsoft.ML.OnnxRuntime.Gpu.1.17.1\\build\\native\\Microsoft.ML.OnnxRuntime.Gpu.targets\" />\n"
	const central = "-- platform --\nwindows/amd64\n-- cwd --\nC:\\p\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Windows\n-- file C:\\p\\p.csproj --\n<PackageReference Include=\"Microsoft.ML.OnnxRuntime.Gpu\" />\n"
	for _, c := range []struct{ name, text, version, folder string }{
		{"a folder of the platform", project + "-- file C:\\p\\bin\\Debug\\net8.0\\runtimes\\win-x64\\native\\onnxruntime.dll --\nMZ\n", "1.20.1", `C:\p\bin\Debug\net8.0\runtimes\win-x64\native`},
		{"beside the program", project + "-- file C:\\p\\bin\\Release\\onnxruntime.dll --\nMZ\n", "1.20.1", `C:\p\bin\Release`},
		{"with a platform in the path", project + "-- file C:\\p\\bin\\x64\\Debug\\net6.0-windows\\onnxruntime.dll --\nMZ\n", "1.20.1", `C:\p\bin\x64\Debug\net6.0-windows`},
		{"the release in deps.json", central + "-- file C:\\p\\bin\\Debug\\net8.0\\onnxruntime.dll --\nMZ\n-- file C:\\p\\bin\\Debug\\net8.0\\p.deps.json --\n{\"Microsoft.ML.OnnxRuntime.Gpu.Windows/1.19.2\": {}}\n", "1.19.2", `C:\p\bin\Debug\net8.0`},
		{"a C++ solution", cpp + "-- file C:\\p\\x64\\Debug\\onnxruntime.dll --\nMZ\n", "1.17.1", `C:\p\x64\Debug`},
		{"a C++ solution before it is built", cpp + "-- file C:\\p\\packages\\Microsoft.ML.OnnxRuntime.Gpu.1.17.1\\runtimes\\win-x64\\native\\onnxruntime.dll --\nMZ\n", "1.17.1", `C:\p\packages\Microsoft.ML.OnnxRuntime.Gpu.1.17.1\runtimes\win-x64\native`},
		{"nothing built", project, "", ""},
		{"no project", "-- platform --\nwindows/amd64\n-- cwd --\nC:\\p\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\Windows\n-- file C:\\p\\bin\\Debug\\net8.0\\onnxruntime.dll --\nMZ\n", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := found(t, hosttest.Parse(t, c.text))
			i, ok := f.Active("onnxruntime")
			if i.Version != c.version || i.Attrs["libdir"] != c.folder || ok != (c.folder != "") {
				t.Errorf("%v: %+v", ok, i)
			}
		})
	}
}
