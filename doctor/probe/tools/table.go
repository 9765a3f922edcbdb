package tools

import (
	"context"
	"regexp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// tool is how one component is found and told its version.
type tool struct {
	component string
	// names are the programs, the usual one first.
	names []string
	on    string // GOOS, or "" for all
	// deb is the Debian package that carries it.
	deb string
	// file tells the version without running anything, where it can.
	file func(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance)
	// args make it say its version; nil means that it must not be run.
	args []string
	says *regexp.Regexp
	// only limits running to a program of that name, after links.
	only string
	// variable may name another program in its place.
	variable string
	// shims: version managers put stand-ins for it on PATH.
	shims bool
	// appleStub: macOS has a stand-in for it in /usr/bin.
	appleStub bool
	// places are folders by GOOS, "unix" for all but Windows. $NAME is a variable,
	// a * in the last but one element any folder.
	places   map[string][]string
	registry []registry
}

// registry is a value that names a folder, and what lies below that.
type registry struct{ key, value, below string }

// table is what is known, by group.
func table() map[string][]tool {
	say := func(before string) *regexp.Regexp { return regexp.MustCompile(`(?m)` + before + `(\d+(?:\.\d+)+)`) }
	number, version := say(""), []string{"--version"}
	condas := map[string][]string{"unix": nil, "windows": nil}
	for _, name := range []string{"miniconda3", "anaconda3", "miniforge3", "mambaforge"} {
		condas["unix"] = append(condas["unix"], "$HOME/"+name+"/bin", "/opt/"+name+"/bin")
		condas["windows"] = append(condas["windows"], `$USERPROFILE\`+name+`\Scripts`, `$ProgramData\`+name+`\Scripts`)
	}
	condas["unix"] = append(condas["unix"], "/opt/conda/bin")
	return map[string][]tool{
		BuildTools: {
			{component: "cmake", names: []string{"cmake", "cmake3"}, args: version, says: say(`cmake\d? version `),
				registry: []registry{{`HKLM\SOFTWARE\Kitware\CMake`, "InstallDir", "bin"}},
				places:   map[string][]string{"linux": {"/opt/cmake/bin"}, "darwin": {"/Applications/CMake.app/Contents/bin"}, "windows": {`$ProgramFiles\CMake\bin`}}},
			{component: "ninja", names: []string{"ninja", "ninja-build"}, args: version, says: say(`^`)},
			{component: "make", names: []string{"make", "gmake", "mingw32-make"}, args: version, says: say(`GNU Make `), appleStub: true},
			// pkgconf alone is not what Go and autotools look for.
			{component: "pkg-config", names: []string{"pkg-config"}, variable: "PKG_CONFIG", args: version, says: say(`^`)},
			{component: "git", names: []string{"git"}, args: version, says: say(`git version `), appleStub: true,
				registry: []registry{{`HKLM\SOFTWARE\GitForWindows`, "InstallPath", "cmd"}}, places: map[string][]string{"windows": {`$ProgramFiles\Git\cmd`}}},
			{component: "go", names: []string{"go"}, file: goVersion, args: []string{"version"}, says: regexp.MustCompile(`go version go(\d+(?:\.\d+)+(?:rc\d+|beta\d+)?)`),
				places: map[string][]string{"unix": {"/usr/local/go/bin"}, "linux": {"/usr/lib/go-1.*/bin"}, "windows": {`$ProgramFiles\Go\bin`, `C:\Go\bin`}}},
			{component: "python", names: []string{"python3", "python"}, file: pythonVersion, args: version, says: say(`Python `), appleStub: true, shims: true,
				registry: []registry{{`HKCU\SOFTWARE\Python\PythonCore\*`, "", `\InstallPath`}, {`HKLM\SOFTWARE\Python\PythonCore\*`, "", `\InstallPath`}}},
			{component: "ccache", names: []string{"ccache"}, args: version, says: say(`ccache version v?`)},
			{component: "nasm", names: []string{"nasm"}, args: []string{"-v"}, says: say(`NASM version `), places: map[string][]string{"windows": {`$ProgramFiles\NASM`}}},
			// bazel starts a server and bazelisk downloads: neither is run.
			{component: "bazel", names: []string{"bazel", "bazelisk"}, file: bazelVersion},
			{component: "protoc", names: []string{"protoc"}, args: version, says: say(`libprotoc `)},
			{component: "swig", names: []string{"swig", "swig4.0", "swig3.0"}, args: []string{"-version"}, says: say(`SWIG Version `)},
		},
		Packagers: {
			{component: "apt", names: []string{"apt-get"}, on: "linux", deb: "apt", args: version, says: number},
			{component: "dnf", names: []string{"dnf", "dnf5", "dnf-3"}, on: "linux", file: dnfVersion, args: version, says: say(`dnf5 version `), only: "dnf5"},
			{component: "yum", names: []string{"yum"}, on: "linux", file: dnfVersion},
			{component: "pacman", names: []string{"pacman"}, on: "linux", file: pacmanVersion, args: version, says: say(`Pacman v`)},
			{component: "apk", names: []string{"apk"}, on: "linux", file: apkVersion, args: version, says: number},
			{component: "zypper", names: []string{"zypper"}, on: "linux", args: version, says: number},
			{component: "brew", names: []string{"brew"}, file: brewVersion,
				places: map[string][]string{"darwin": {"/opt/homebrew/bin", "/usr/local/bin"}, "linux": {"/home/linuxbrew/.linuxbrew/bin", "$HOME/.linuxbrew/bin"}}},
			{component: "winget", names: []string{"winget"}, on: "windows", file: wingetVersion, places: map[string][]string{"windows": {`$LocalAppData\Microsoft\WindowsApps`}}},
			{component: "choco", names: []string{"choco"}, on: "windows", file: chocoVersion, places: map[string][]string{"windows": {`$ChocolateyInstall\bin`, `$ProgramData\chocolatey\bin`}}},
			{component: "scoop", names: []string{"scoop"}, on: "windows", file: scoopVersion, places: map[string][]string{"windows": {`$SCOOP\shims`, `$USERPROFILE\scoop\shims`}}},
			{component: "vcpkg", names: []string{"vcpkg"}, file: vcpkgVersion, places: map[string][]string{
				"windows": {"$VCPKG_ROOT", "$VCPKG_INSTALLATION_ROOT", `C:\vcpkg`, `C:\src\vcpkg`, `C:\dev\vcpkg`, `$USERPROFILE\vcpkg`},
				"unix":    {"$VCPKG_ROOT", "$HOME/vcpkg", "/opt/vcpkg", "/usr/local/vcpkg"},
			}},
			{component: "conan", names: []string{"conan"}, file: distInfo("conan"), shims: true},
			{component: "conda", names: []string{"conda", "mamba", "micromamba"}, file: condaVersion, places: condas},
			{component: "nix", names: []string{"nix", "nix-env"}, file: nixVersion, args: version, says: number, places: map[string][]string{"unix": {"/nix/var/nix/profiles/default/bin", "/run/current-system/sw/bin"}}},
			{component: "snap", names: []string{"snap"}, on: "linux", deb: "snapd"},
			{component: "flatpak", names: []string{"flatpak"}, on: "linux", deb: "flatpak", args: version, says: number},
			{component: "pip", names: []string{"pip3", "pip"}, file: distInfo("pip"), shims: true},
			{component: "uv", names: []string{"uv"}, file: distInfo("uv"), args: version, says: number, shims: true, places: map[string][]string{"unix": {"$HOME/.local/bin", "$HOME/.cargo/bin"}}},
			{component: "npm", names: []string{"npm"}, file: npmVersion},
		},
	}
}
