package libfind

import (
	"context"

	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// ortPackage is ONNX Runtime's NuGet package, with its release: in a project of C# or C++,
// in packages.config, and in what NuGet and the build write down (project.assets.json,
// NAME.deps.json).
var ortPackage = lazyregexp.New(`(?i)["\\]Microsoft\.ML\.OnnxRuntime(?:\.Gpu(?:\.Windows)?|\.DirectML)?(?:"\s+version="|/|\.)([0-9]+\.[0-9]+\.[0-9]+)`)

// programFolder is the folder in which what a project in the current folder was built to
// has its ONNX Runtime: for C# bin\Debug\net8.0, the folder of the platform in it or
// runtimes\win-x64\native, for C++ x64\Release, build\Release and the like. The program
// loads it from there, before any other ("" for none). release is that of its NuGet
// package, where it is of one.
func (w *world) programFolder(ctx context.Context) (folder, release string) {
	const most = 24
	h := w.h
	if !look.IsPath(h.Dir) {
		return "", ""
	}
	var built []string
	projects := h.Glob(ctx, h.Dir, "*.csproj")
	if len(projects) > 0 {
		for _, configuration := range h.Glob(ctx, h.Join(h.Dir, "bin"), "*") {
			for _, framework := range h.Glob(ctx, configuration, "*") {
				built = append(built, framework)
				built = append(built, h.Glob(ctx, framework, "net*")...) // bin\x64\Debug\net8.0
			}
			built = append(built, configuration) // .NET Framework
		}
	}
	own := append(h.Glob(ctx, h.Dir, "*.vcxproj"), h.Glob(ctx, h.Dir, "*.sln")...)
	if len(own) > 0 || h.Exists(ctx, h.Join(h.Dir, "CMakeLists.txt")) {
		for _, sub := range []string{`x64\Release`, `x64\Debug`, `build\Release`, `build\Debug`, `build\bin\Release`, `build\bin`, "build"} {
			built = append(built, h.Join(h.Dir, sub))
		}
		built = append(built, h.Glob(ctx, h.Join(h.Dir, "packages"), "Microsoft.ML.OnnxRuntime*")...)
	}
	projects = append(projects, own...)
	for _, dir := range built[:min(len(built), most)] {
		for _, sub := range []string{"", `runtimes\win-x64\native`, "win-x64", "win10-x64"} {
			at := dir
			if sub != "" {
				at = h.Join(dir, sub)
			}
			if w.entry(ctx, at, "onnxruntime.dll") == "" {
				continue
			}
			told := append(projects, h.Join(h.Dir, "packages.config"), h.Join(h.Dir, "obj", "project.assets.json"))
			for _, file := range append(told, h.Glob(ctx, dir, "*.deps.json")...) {
				data, _, err := h.ReadFile(ctx, file, 1<<20)
				if m := ortPackage.FindStringSubmatch(string(data)); err == nil && m != nil && release == "" {
					release = m[1]
				}
			}
			return at, release
		}
	}
	return "", ""
}
