package tools

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

// TestVersionsFromFiles: none of these hosts has a recorded process unless it
// is given, so a version can only come from files.
func TestVersionsFromFiles(t *testing.T) {
	const linux = "-- env --\nPATH=/usr/bin:/sbin\nHOME=/home/u\n"
	const windows = "-- platform --\nwindows/amd64\n-- env --\nPath=C:\\Windows\nUSERPROFILE=C:\\Users\\u\nProgramData=C:\\ProgramData\nVCPKG_ROOT=D:\\vcpkg\n"
	for _, c := range []struct{ component, fixture, want string }{
		{"apt", linux + "-- exec /usr/bin/apt-get --\n-- file /var/lib/dpkg/status --\nPackage: apt\nStatus: install ok installed\nVersion: 2.6.1\n", "*2.6.1 /usr/bin/apt-get"},
		{"apt", linux + "-- run \"/usr/bin/apt-get\" \"--version\" --\napt 2.9.8 (amd64)\n", "*2.9.8 /usr/bin/apt-get"},
		{"snap", linux + "-- exec /usr/bin/snap --\n-- file /var/lib/dpkg/status --\nPackage: snapd\nStatus: install ok installed\nVersion: 2.63+24.04\n", "*2.63 /usr/bin/snap"},
		{"snap", linux + "-- exec /usr/bin/snap --\n", "* /usr/bin/snap"},
		{"dnf", linux + "-- exec /usr/bin/dnf-3 --\n-- link /usr/bin/dnf --\n/usr/bin/dnf-3\n-- file /usr/lib/python3.12/site-packages/dnf/const.py --\nVERSION='4.19.2'\n", "*4.19.2 /usr/bin/dnf"},
		{"dnf", linux + "-- exec /usr/bin/dnf5 --\n-- link /usr/bin/dnf --\n/usr/bin/dnf5\n-- run \"/usr/bin/dnf\" \"--version\" --\ndnf5 version 5.2.7.0\n", "*5.2.7.0 /usr/bin/dnf"},
		{"yum", linux + "-- exec /usr/bin/yum --\n-- file /usr/lib/python2.7/site-packages/yum/__init__.py --\n__version__ = '3.4.3'\n", "*3.4.3 /usr/bin/yum"},
		{"pacman", linux + "-- exec /usr/bin/pacman --\n-- dir /var/lib/pacman/local/pacman-6.1.0-3 --\n", "*6.1.0 /usr/bin/pacman"},
		{"apk", linux + "-- exec /sbin/apk --\n-- file /lib/apk/db/installed --\nC:x\nP:apk-tools\nV:2.14.4-r0\n", "*2.14.4 /sbin/apk"},
		{"zypper", linux + "-- run \"/usr/bin/zypper\" \"--version\" --\nzypper 1.14.77\n", "*1.14.77 /usr/bin/zypper"},
		{"flatpak", linux + "-- run \"/usr/bin/flatpak\" \"--version\" --\nFlatpak 1.15.8\n", "*1.15.8 /usr/bin/flatpak"},
		{"nix", linux + "-- exec /nix/store/abc123-nix-2.24.9/bin/nix --\n-- link /nix/var/nix/profiles/default/bin/nix --\n/nix/store/abc123-nix-2.24.9/bin/nix\n", "2.24.9 /nix/var/nix/profiles/default/bin/nix"},
		{"conda", linux + "-- exec /home/u/miniconda3/bin/conda --\n-- file /home/u/miniconda3/conda-meta/conda-24.9.2-py312h06a4308_0.json --\n{}\n-- file /home/u/miniconda3/conda-meta/conda-libmamba-solver-24.9.0-pyhd3eb1b0_0.json --\n{}\n", "24.9.2 /home/u/miniconda3/bin/conda"},
		{"pip", linux + "-- exec /usr/bin/pip --\n-- exec /usr/bin/pip3 --\n-- dir /usr/lib/python3/dist-packages/pip-23.0.1.dist-info --\n", "*23.0.1 /usr/bin/pip3"},
		{"conan", linux + "-- exec /usr/bin/conan --\n-- dir /usr/lib/python3.12/site-packages/conan-2.9.1.dist-info --\n", "*2.9.1 /usr/bin/conan"},
		{"uv", linux + "-- run \"/home/u/.local/bin/uv\" \"--version\" --\nuv 0.4.30 (61ed2a236 2024-11-04)\n", "0.4.30 /home/u/.local/bin/uv"},
		{"npm", linux + "-- exec /usr/lib/node_modules/npm/bin/npm-cli.js --\n-- link /usr/bin/npm --\n/usr/lib/node_modules/npm/bin/npm-cli.js\n-- file /usr/lib/node_modules/npm/package.json --\n{\"name\":\"npm\",\"version\":\"10.9.0\"}\n", "*10.9.0 /usr/bin/npm"},
		{"brew", linux + "-- exec /home/linuxbrew/.linuxbrew/Homebrew/bin/brew --\n-- link /home/linuxbrew/.linuxbrew/bin/brew --\n/home/linuxbrew/.linuxbrew/Homebrew/bin/brew\n-- file /home/linuxbrew/.linuxbrew/Homebrew/.git/HEAD --\n0123456789abcdef0123456789abcdef01234567\n-- file /home/linuxbrew/.linuxbrew/Homebrew/.git/describe-cache/0123456789abcdef0123456789abcdef01234567 --\n4.4.4-12-g0123456\n", "4.4.4 /home/linuxbrew/.linuxbrew/bin/brew"},
		{"vcpkg", windows + "-- exec D:\\vcpkg\\vcpkg.exe --\nMZ\n-- file D:\\vcpkg\\.vcpkg-root --\n-- file D:\\vcpkg\\scripts\\vcpkg-tool-metadata.txt --\nVCPKG_TOOL_RELEASE_TAG=2024-10-18\nVCPKG_TOOL_SHA=x\n", `2024-10-18 D:\vcpkg\vcpkg.exe`},
		{"choco", windows + "-- exec C:\\ProgramData\\chocolatey\\bin\\choco.exe --\nMZ\n-- file C:\\ProgramData\\chocolatey\\lib\\chocolatey\\chocolatey.nuspec --\n<package><metadata><version>2.3.0</version></metadata></package>\n", `2.3.0 C:\ProgramData\chocolatey\bin\choco.exe`},
		{"choco", windows + "-- exec C:\\ProgramData\\chocolatey\\bin\\choco.exe --\nMZ\n-- file C:\\ProgramData\\chocolatey\\lib\\chocolatey\\chocolatey.nuspec --\n<package>broken\n", ` C:\ProgramData\chocolatey\bin\choco.exe`},
		{"scoop", windows + "-- exec C:\\Users\\u\\scoop\\shims\\scoop.cmd --\nx\n-- file C:\\Users\\u\\scoop\\apps\\scoop\\current\\CHANGELOG.md --\n## [v0.5.2](x) - 2024-07-26\n\n## [v0.5.1](x)\n", `0.5.2 C:\Users\u\scoop\shims\scoop.cmd`},
	} {
		f, err := Probe(Packagers).Run(t.Context(), hosttest.Parse(t, c.fixture))
		if err != nil {
			t.Errorf("%s: %v", c.component, err)
		}
		probetest.Copies(t, f, c.component, c.want)
		if len(f.Problems) != 0 {
			t.Errorf("%s: %v", c.component, f.Problems)
		}
	}
}

func TestUnreadablePackageListIsAnError(t *testing.T) {
	f, err := Probe(Packagers).Run(t.Context(), hosttest.Parse(t, "-- env --\nPATH=/usr/bin\n-- run \"/usr/bin/apt-get\" \"--version\" --\napt 2.6.1 (amd64)\n-- deny /var/lib/dpkg/status --\n"))
	if err == nil {
		t.Error("no error")
	}
	probetest.Copies(t, f, "apt", "*2.6.1 /usr/bin/apt-get")
}
