package libfind

import (
	"context"

	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// ortPackage is ONNX Runtime's package, with its release, in a project of C# or in what
// NuGet and the build write down (project.assets.json, NAME.deps.json).
var ortPackage = lazyregexp.New(`(?i)"Microsoft\.ML\.OnnxRuntime(?:\.Gpu(?:\.Windows)?|\.DirectML)?(?:"\s+Version="|/)([0-9]+\.[0-9]+\.[0-9]+)`)

// dotnetFolder is the folder of native DLLs in what a C# project in the current folder was
// built to, where ONNX Runtime of a NuGet package is there: bin\Debug\net8.0, the folder
// of the platform in it, or runtimes\win-x64\native. The program loads it from there,
// before any other ("" for none; NuGet, "Including native libraries in .NET packages").
// release is that of the package.
func (w *world) dotnetFolder(ctx context.Context) (folder, release string) {
	const most = 16
	h := w.h
	if !look.IsPath(h.Dir) {
		return "", ""
	}
	projects := h.Glob(ctx, h.Dir, "*.csproj")
	if len(projects) == 0 {
		return "", ""
	}
	var built []string
	for _, configuration := range h.Glob(ctx, h.Join(h.Dir, "bin"), "*") {
		for _, framework := range h.Glob(ctx, configuration, "*") {
			built = append(built, framework)
			built = append(built, h.Glob(ctx, framework, "net*")...) // bin\x64\Debug\net8.0
		}
		built = append(built, configuration) // .NET Framework
	}
	for _, dir := range built[:min(len(built), most)] {
		for _, sub := range []string{"", `runtimes\win-x64\native`, "win-x64", "win10-x64"} {
			at := dir
			if sub != "" {
				at = h.Join(dir, sub)
			}
			if w.entry(ctx, at, "onnxruntime.dll") != "" {
				for _, file := range append(projects, append(h.Glob(ctx, dir, "*.deps.json"), h.Join(h.Dir, "obj", "project.assets.json"))...) {
					data, _, err := h.ReadFile(ctx, file, 1<<20)
					if m := ortPackage.FindStringSubmatch(string(data)); err == nil && m != nil && release == "" {
						release = m[1]
					}
				}
				return at, release
			}
		}
	}
	return "", ""
}
