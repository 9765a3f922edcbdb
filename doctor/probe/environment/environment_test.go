package environment_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/environment"
)

const pem = `-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH
ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkjihgfedcba9876543210+/
AA==
-----END CERTIFICATE-----
`

// TestEnvironment: what hinders tools, and neighbors in which nothing does.
// mounted is e with the places that are mounted noexec.
func mounted(e facts.Environment, places ...string) facts.Environment {
	e.NoExec = places
	return e
}

func TestEnvironment(t *testing.T) {
	const user = "-- file /proc/self/status --\nUid:\t1000\t1000\n-- disk / --\n500000000000 200000000000 ext4\n-- dir /tmp --\n-- dir /home/user --\n"
	env := func(lines string) string {
		return user + "-- env --\nPATH=/usr/bin\nHOME=/home/user\n" + lines
	}
	wsl := env("WSL_DISTRO_NAME=Ubuntu\n") + "-- file /proc/sys/kernel/osrelease --\n5.15.153.1-microsoft-standard-WSL2\n"
	folder := func(purpose, variable, path string, problem facts.FolderProblem) facts.Environment {
		return facts.Environment{Folders: []facts.Folder{{Purpose: purpose, Variable: variable, Path: path, Problem: problem}}}
	}
	variable := func(name, value string, problem facts.VariableProblem, detail string) facts.Environment {
		return facts.Environment{Variables: []facts.Variable{{Name: name, Value: value, Problem: problem, Detail: detail}}}
	}
	preloads := func(list ...facts.Preload) facts.Environment { return facts.Environment{Preloads: list} }
	const elf64, elf32 = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x3e\x00\n", "\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x03\x00\n"
	custom := func(lines string) string { return env("GOFLAGS=-v -tags=x,customenv\n" + lines) }
	goSays := func(text string) string {
		return "-- run \"/usr/bin/go\" \"version\" \"/usr/bin/go\" --\n#exit 1\n#stderr " + text + "\n"
	}
	compiler := func(args string, exit int) string {
		text := fmt.Sprintf("-- run \"/usr/bin/g++\" %s --\n#exit %d\n", args, exit)
		if exit != 0 {
			text += "#stderr g++: error: no such flag\n"
		}
		return text
	}
	knows := func(file, dir string) string {
		return "-- run \"/usr/bin/g++\" \"-print-file-name=lib" + file + "\" --\n" + dir + "lib" + file + "\n"
	}
	bundle := "-- file /etc/ssl/certs/ca-certificates.crt --\nAnother\n"
	for _, c := range []struct {
		name, host string
		want       facts.Environment
	}{
		{"nothing", env(""), facts.Environment{}},
		{"no environment was recorded", user, facts.Environment{}},
		{"TMPDIR is gone", env("TMPDIR=/scratch\n"), folder("tmp", "TMPDIR", "/scratch", facts.FolderMissing)},
		{"TMPDIR ends with a slash, as macOS sets it", "-- platform --\ndarwin/arm64\n" + env("TMPDIR=/var/folders/x1/T/\n") + "-- dir /var/folders/x1/T --\n", facts.Environment{}},
		{"/tmp is full", env("") + "-- disk /tmp --\n1000000000 1000000 tmpfs\n", folder("tmp", "", "/tmp", facts.FolderFull)},
		{"/tmp is read-only", env("") + "-- disk /tmp --\n1000000000 900000000 tmpfs ro\n", folder("tmp", "", "/tmp", facts.ReadOnlyFolder)},
		{"/tmp is noexec", env("") + "-- file /proc/self/mountinfo --\n21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n30 21 0:30 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw\n", mounted(folder("tmp", "", "/tmp", facts.NoExec), "/tmp")},
		{"another mount is noexec", env("") + "-- file /proc/self/mountinfo --\n21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n30 21 0:30 / /tmpx rw,noexec - tmpfs tmpfs rw\n", mounted(facts.Environment{}, "/tmpx")},
		{"mounts of the kernel's own, and one below which another is not", env("") + "-- file /proc/self/mountinfo --\n21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n22 21 0:5 / /proc rw,noexec - proc proc rw\n23 21 0:6 / /data rw,noexec - ext4 /dev/sdb1 rw\n24 23 0:7 / /data/bin rw - ext4 /dev/sdc1 rw\n", facts.Environment{}},
		{"no HOME", user + "-- env --\nPATH=/usr/bin\n", folder("go-cache", "HOME", "", facts.FolderUnset)},
		{"no HOME, but a cache", user + "-- env --\nPATH=/usr/bin\nXDG_CACHE_HOME=/home/user/c\n", facts.Environment{}},
		{"HOME is /", user + "-- env --\nPATH=/usr/bin\nHOME=/\n", folder("go-cache", "HOME", "/", facts.FolderOfRoot)},
		{"HOME is read-only", env("") + "-- disk /home/user --\n1000 900 nfs ro\n", folder("go-cache", "HOME", "/home/user", facts.ReadOnlyFolder)},
		{"the cache is relative", env("GOCACHE=cache\n"), folder("go-cache", "GOCACHE", "cache", facts.RelativeFolder)},
		{"the cache is a file", env("GOCACHE=/home/user/c\n") + "-- file /home/user/c --\nx\n", folder("go-cache", "GOCACHE", "/home/user/c", facts.NotAFolder)},
		{"no downloads", env("GOPROXY=off\n"), variable("GOPROXY", "off", facts.NotInCache, "/home/user/go/pkg/mod")},
		{"no downloads, and gocv is there", env("GOPROXY=off\nGOPATH=/go:/x\n") + "-- file /go/pkg/mod/cache/download/gocv.io/x/gocv/@v/list --\nx\n", variable("GOPROXY", "off", facts.DownloadsOff, "/go/pkg/mod")},
		{"no Go in GOROOT", env("GOROOT=/opt/go\n"), variable("GOROOT", "/opt/go", facts.NoGoRoot, "")},
		{"a Go in GOROOT", env("GOROOT=/opt/go\n") + "-- file /opt/go/VERSION --\ngo1.22\n", variable("GOROOT", "/opt/go", facts.OfGoRoot, "1.22")},
		{"go refuses its flags", env("GOFLAGS=-frob\n") + goSays("go: parsing $GOFLAGS: unknown flag -frob"), variable("GOFLAGS", "", facts.GoRefuses, "parsing $GOFLAGS: unknown flag -frob")},
		{"go refuses what go env -w wrote", env("") + "-- file /home/user/.config/go/env --\nGOEXPERIMENT=q\n" + goSays("go: unknown GOEXPERIMENT q"), variable("GOEXPERIMENT", "", facts.GoRefuses, "unknown GOEXPERIMENT q")},
		{"a Go that is to be fetched", env("GOTOOLCHAIN=go1.99.0+auto\n") + goSays("go: downloading go1.99.0 (linux/amd64)\n#stderr go: download go1.99.0 for linux/amd64: toolchain not available"), variable("GOTOOLCHAIN", "go1.99.0", facts.ToolchainAway, "")},
		{"a Go that is not on PATH", env("GOTOOLCHAIN=go1.99.0+path\n") + goSays("go: cannot find \"go1.99.0\" in PATH"), variable("GOTOOLCHAIN", "", facts.GoRefuses, "cannot find \"go1.99.0\" in PATH")},
		{"go fails for a reason of its own", env("GOFLAGS=-v\n") + goSays("go: cannot find GOROOT directory"), facts.Environment{}},
		{"go takes its flags", env("GOFLAGS=-v\n-- run \"/usr/bin/go\" \"version\" \"/usr/bin/go\" --\n/usr/bin/go: go1.26.8\n"), facts.Environment{}},
		{"go is not asked without settings", env("GOTOOLCHAIN=auto\n") + goSays("go: unknown GOTOOLCHAIN"), facts.Environment{}},
		{"g++ refuses a flag", env("CGO_CXXFLAGS=-fnosuch\nCGO_CPPFLAGS=-DX\n") + compiler(`"-DX" "-fnosuch" "-fsyntax-only" "-x" "c++" "/dev/null"`, 1) + compiler(`"-DX" "-fsyntax-only" "-x" "c++" "/dev/null"`, 0) + compiler(`"-fsyntax-only" "-x" "c++" "/dev/null"`, 0), variable("CGO_CXXFLAGS", "", facts.FlagRefused, "g++: error: no such flag")},
		{"g++ compiles nothing", env("CGO_CXXFLAGS=-O2\n") + compiler(`"-O2" "-fsyntax-only" "-x" "c++" "/dev/null"`, 1) + compiler(`"-fsyntax-only" "-x" "c++" "/dev/null"`, 1), facts.Environment{}},
		{"g++ is not asked of what writes files", env("CGO_CXXFLAGS=-save-temps\n") + compiler(`"-save-temps" "-fsyntax-only" "-x" "c++" "/dev/null"`, 1) + compiler(`"-fsyntax-only" "-x" "c++" "/dev/null"`, 0), facts.Environment{}},
		{"nor of what runs another program", env("CGO_CXXFLAGS=-Xclang\n") + compiler(`"-Xclang" "-fsyntax-only" "-x" "c++" "/dev/null"`, 1) + compiler(`"-fsyntax-only" "-x" "c++" "/dev/null"`, 0), facts.Environment{}},
		{"the linker refuses a flag", env("CGO_LDFLAGS=-Wl,--nosuch\n") + compiler(`"-Wl,--nosuch" "-fno-use-linker-plugin" "-Wl,--version"`, 1) + compiler(`"-fno-use-linker-plugin" "-Wl,--version"`, 0), variable("CGO_LDFLAGS", "", facts.FlagRefused, "g++: error: no such flag")},
		{"what the linker says is named", env("CGO_LDFLAGS=-Wl,--nosuch\n") + "-- run \"/usr/bin/g++\" \"-Wl,--nosuch\" \"-fno-use-linker-plugin\" \"-Wl,--version\" --\n#exit 1\n#stderr collect2 version 12.2.0\n#stderr /usr/bin/ld: unrecognized option '--nosuch'\n#stderr collect2: error: ld returned 1 exit status\n" + compiler(`"-fno-use-linker-plugin" "-Wl,--version"`, 0), variable("CGO_LDFLAGS", "", facts.FlagRefused, "/usr/bin/ld: unrecognized option '--nosuch'")},
		{"no such library", env("CGO_LDFLAGS=-L/opt/lib -lthere -l nosuch\n-- file /opt/lib/libthere.a --\nx\n") + compiler(`"-L/opt/lib" "-lthere" "-l" "nosuch" "-fno-use-linker-plugin" "-Wl,--version"`, 0) + knows("nosuch.so", "") + knows("nosuch.a", ""), variable("CGO_LDFLAGS", "-lnosuch", facts.LibraryGone, "")},
		{"a library that the compiler knows", env("CGO_LDFLAGS=-lgomp\n") + compiler(`"-lgomp" "-fno-use-linker-plugin" "-Wl,--version"`, 0) + knows("gomp.so", "/usr/lib/gcc/x86_64-linux-gnu/12/") + knows("gomp.a", ""), facts.Environment{}},
		{"cgo is off", env("CGO_ENABLED=0\n"), variable("CGO_ENABLED", "0", facts.CgoOff, "")},
		{"go env -w wrote it", env("") + "-- file /home/user/.config/go/env --\nCGO_ENABLED=0\n", variable("CGO_ENABLED", "0", facts.CgoOff, "")},
		{"PYTHONHOME of another prefix", env("PYTHONHOME=/opt/py\n-- file /opt/py/lib/python3.8/os.py --\nx\n"), variable("PYTHONHOME", "/opt/py", facts.PythonHome, "3.8")},
		{"NumPy of Python 2.7 in PYTHONPATH", env("PYTHONPATH=/srv:/ros/lib/python2.7/dist-packages\n-- file /ros/lib/python2.7/dist-packages/numpy/__init__.py --\nx\n"), variable("PYTHONPATH", "/ros/lib/python2.7/dist-packages", facts.PythonPath, "2.7")},
		{"PYTHONPATH without such modules", env("PYTHONPATH=/ros/lib/python2.7/dist-packages:/srv\n-- file /ros/lib/python2.7/dist-packages/rospy.py --\nx\n"), facts.Environment{}},
		{"a virtual environment", env("VIRTUAL_ENV=/v\n-- file /v/pyvenv.cfg --\nhome = /usr/bin\n-- exec /v/bin/python3 --\nx\n"), facts.Environment{}},
		{"a virtual environment without its Python", env("VIRTUAL_ENV=/v\n-- file /v/pyvenv.cfg --\nhome = /opt/py/bin\n"), variable("VIRTUAL_ENV", "/v", facts.NoPython, "/opt/py/bin")},
		{"no toolchain file", env("CMAKE_TOOLCHAIN_FILE=/vcpkg/vcpkg.cmake\n"), variable("CMAKE_TOOLCHAIN_FILE", "/vcpkg/vcpkg.cmake", facts.NoToolchain, "")},
		{"a toolchain file", env("CMAKE_TOOLCHAIN_FILE=/vcpkg/vcpkg.cmake\n-- file /vcpkg/vcpkg.cmake --\nx\n"), facts.Environment{}},
		{"Android's toolchain file", env("CMAKE_TOOLCHAIN_FILE=/ndk/android.toolchain.cmake\n-- file /ndk/android.toolchain.cmake --\nx\n"), variable("CMAKE_TOOLCHAIN_FILE", "/ndk/android.toolchain.cmake", facts.OtherToolchain, "Android")},
		{"Go of a distribution fetches no other", env("") + "-- exec /usr/lib/go-1.22/bin/go --\nx\n-- link /usr/bin/go --\n/usr/lib/go-1.22/bin/go\n-- file /usr/lib/go-1.22/go.env --\n# Debian\nGOTOOLCHAIN=local\n", variable("GOTOOLCHAIN", "local", facts.LocalToolchain, "")},
		{"Go fetches others", env("GOTOOLCHAIN=auto\n") + "-- exec /usr/lib/go-1.22/bin/go --\nx\n-- link /usr/bin/go --\n/usr/lib/go-1.22/bin/go\n-- file /usr/lib/go-1.22/go.env --\nGOTOOLCHAIN=local\n", facts.Environment{}},
		{"ROCm's GPUs before Vega", env("ROC_ENABLE_PRE_VEGA=1\n"), variable("ROC_ENABLE_PRE_VEGA", "1", facts.PreVega, "")},
		{"another GOARCH", env("GOARCH=arm64\n"), variable("GOARCH", "arm64", facts.OtherTarget, "amd64")},
		{"this GOARCH", env("GOARCH=amd64\nGOFLAGS=-mod=mod\nCGO_ENABLED=1\n"), facts.Environment{}},
		{"vendor", env("GOFLAGS=-v -mod=vendor\n"), variable("GOFLAGS", "-mod=vendor", facts.VendorOnly, "")},
		{"a blank in cgo's flags", env("CGO_CXXFLAGS=-I/home/me/My Libs/include -O2\n"), variable("CGO_CXXFLAGS", "/home/me/My Libs/include", facts.SplitByBlank, "")},
		{"plain cgo flags", env("CGO_LDFLAGS=-L/usr/local/lib -lopencv_core /opt/lib/x.a -framework OpenCL\n"), facts.Environment{}},
		{"a proxy by https", env("https_proxy=https://me:secret@proxy:3128\n"), variable("https_proxy", "https://proxy:3128", facts.TLSToProxy, "http://proxy:3128")},
		{"a proxy with quotes", env("https_proxy=\"http://proxy:3128\"\n"), variable("https_proxy", "\"http://proxy:3128\"", facts.Malformed, "")},
		{"two proxies", env("https_proxy=http://a:3128\nHTTPS_PROXY=http://b:3128\n"), variable("https_proxy", "http://a:3128", facts.TwoValues, "http://b:3128")},
		{"one proxy twice, and without a scheme", env("https_proxy=http://a:3128/\nHTTPS_PROXY=http://a:3128\nhttp_proxy=a:3128\n"), facts.Environment{}},
		{"a proxy on localhost", env("http_proxy=http://me:secret@127.0.0.1:7890\n"), variable("http_proxy", "http://127.0.0.1:7890", facts.LocalProxy, "7890")},
		{"a proxy on localhost, and the host's network", env("http_proxy=http://localhost:3128\n") + "-- dir /sys/class/net/wlp2s0 --\n", facts.Environment{}},
		{"a proxy on localhost, and WSL's mirrored network", env("http_proxy=http://localhost:3128\nWSL_DISTRO_NAME=Debian\n") + "-- dir /sys/class/net/loopback0 --\n", facts.Environment{}},
		{"a proxy on localhost, and Docker in WSL", env("http_proxy=http://localhost:3128\nWSL_DISTRO_NAME=Debian\n") + "-- dir /sys/class/net/docker0 --\n", variable("http_proxy", "http://localhost:3128", facts.LocalProxy, "3128")},
		{"a terminal of a snap", env("GTK_PATH=/snap/code/172/usr/lib/x86_64-linux-gnu/gtk-3.0\n"), variable("GTK_PATH", "/snap/code/172/usr/lib/x86_64-linux-gnu/gtk-3.0", facts.FromSnap, "")},
		{"a program of a snap", env("SNAP=/snap/code/172\nGTK_PATH=/snap/code/172/usr/lib/x86_64-linux-gnu/gtk-3.0\n"), facts.Environment{}},
		{"GTK of the system", env("GTK_PATH=/usr/lib/x86_64-linux-gnu/gtk-3.0\n"), facts.Environment{}},
		{"nvcc of a CUDA that is gone", env("CUDACXX=/usr/local/cuda-11.8/bin/nvcc\n"), variable("CUDACXX", "/usr/local/cuda-11.8/bin/nvcc", facts.NoProgram, "")},
		{"a bundle that is gone", env("SSL_CERT_FILE=/etc/corp.pem\n"), variable("SSL_CERT_FILE", "/etc/corp.pem", facts.NamesNothing, "")},
		{"a bundle that is there", env("SSL_CERT_FILE=/etc/corp.pem\n") + "-- file /etc/corp.pem --\nx\n", facts.Environment{}},
		{"NVIDIA's open modules", env("") + "-- file /proc/driver/nvidia/version --\nNVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.133.07\n", facts.Environment{Module: facts.Module{Loaded: true, Kind: "open"}}},
		{"NVIDIA's proprietary modules", env("") + "-- file /proc/driver/nvidia/version --\nNVRM version: NVIDIA UNIX x86_64 Kernel Module  570.133.07\n", facts.Environment{Module: facts.Module{Loaded: true, Kind: "proprietary"}}},
		{"a host that is blocked", env("") + "-- file /etc/hosts --\n127.0.0.1 localhost\n0.0.0.0\tRaw.GitHubUserContent.com x # why\n", facts.Environment{Blocked: []facts.BlockedHost{{Host: "raw.githubusercontent.com", Address: "0.0.0.0", File: "/etc/hosts", Line: 2}}}},
		{"hosts that are not blocked", env("") + "-- file /etc/hosts --\n::1 localhost\n#0.0.0.0 github.com\n140.82.121.3 github.com\n0.0.0.0 ads.example.com\n", facts.Environment{}},
		{"Windows' hosts file", "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\n-- file C:\\Windows\\System32\\drivers\\etc\\hosts --\n127.0.0.1 github.com\n", facts.Environment{Blocked: []facts.BlockedHost{{Host: "github.com", Address: "127.0.0.1", File: `C:\Windows\System32\drivers\etc\hosts`, Line: 1}}}},
		{"no certificates", env("") + "-- file /var/lib/dpkg/status --\nPackage: base-files\nStatus: install ok installed\n", facts.Environment{NoCertificates: true}},
		{"certificates in another place", env("") + "-- file /var/lib/dpkg/status --\nPackage: base-files\n\nPackage: ca-certificates\n", facts.Environment{}},
		{"a local certificate that is not trusted", env("") + bundle + "-- file /usr/local/share/ca-certificates/proxy.crt --\n" + pem, facts.Environment{NotTrusted: []string{"/usr/local/share/ca-certificates/proxy.crt"}}},
		{"a local certificate", env("") + bundle + pem + "-- file /usr/local/share/ca-certificates/proxy.crt --\n" + pem, facts.Environment{}},
		{"a preload that is gone", env("LD_PRELOAD=/opt/gone.so:/opt/x.so\n") + "-- file /opt/x.so --\n" + elf64, preloads(facts.Preload{Library: "/opt/gone.so", From: "LD_PRELOAD", Cause: facts.NotFound})},
		{"a preload for 32 bit", env("LD_PRELOAD=/opt/x.so\n") + "-- file /opt/x.so --\n" + elf32, preloads(facts.Preload{Library: "/opt/x.so", From: "LD_PRELOAD", Cause: facts.OtherArch})},
		{"a preload for both", env("LD_PRELOAD=/opt/32/x.so /opt/64/x.so\n") + "-- file /opt/32/x.so --\n" + elf32 + "-- file /opt/64/x.so --\n" + elf64, facts.Environment{}},
		{"a preload that the loader expands", env("LD_PRELOAD=/opt/$LIB/x.so\n"), facts.Environment{}},
		{"a preloaded name, and no cache to search", env("LD_PRELOAD=libx.so\n"), facts.Environment{}},
		{"a preload on Alpine", env("LD_PRELOAD=/opt/gone.so\n") + "-- file /lib/ld-musl-x86_64.so.1 --\nx\n", facts.Environment{}},
		{"the system's preloads", env("") + "-- file /etc/ld.so.preload --\n# ours\n/opt/x.so\t/opt/gone.so # gone\n-- file /opt/x.so --\n" + elf64, preloads(facts.Preload{Library: "/opt/gone.so", From: "/etc/ld.so.preload", Cause: facts.NotFound})},
		{"another glibc in LD_LIBRARY_PATH", env("LD_LIBRARY_PATH=/opt/x:/opt/glibc/lib\n") + libc("/lib/x86_64-linux-gnu", "2.35") + libc("/opt/glibc/lib", "2.39"), variable("LD_LIBRARY_PATH", "/opt/glibc/lib", facts.OtherLibc, "2.39")},
		{"the system's glibc in LD_LIBRARY_PATH", env("LD_LIBRARY_PATH=/lib/x86_64-linux-gnu:/opt/copy\n") + libc("/lib/x86_64-linux-gnu", "2.35") + libc("/opt/copy", "2.35"), facts.Environment{}},
		{"a glibc of unknown release in LD_LIBRARY_PATH", env("LD_LIBRARY_PATH=/opt/glibc\n") + libc("/lib/x86_64-linux-gnu", "2.35") + "-- file /opt/glibc/libc.so.6 --\nx\n", facts.Environment{}},
		{"rusticl's drivers", env("RUSTICL_ENABLE=radeonsi\n"), variable("RUSTICL_ENABLE", "radeonsi", facts.Rusticl, "")},
		{"WSL whose GPU is turned off", wsl + "-- file /etc/wsl.conf --\n[boot]\nenabled = false\n[GPU]\nenabled = False\n", facts.Environment{NoDXG: true, NoWSLGPU: "/etc/wsl.conf"}},
		{"WSL whose GPU is turned off on Windows", wsl + "-- file /mnt/c/Users/ada/.wslconfig --\n[wsl2]\nmemory=8GB\ngpuSupport=false\n", facts.Environment{NoDXG: true, NoWSLGPU: "/mnt/c/Users/ada/.wslconfig"}},
		{"WSL whose GPU is not turned off", wsl + "-- file /etc/wsl.conf --\n[boot]\nenabled=false\n[gpu]\n#enabled=false\nenabled=true\n", facts.Environment{NoDXG: true}},
		{"WSL whose GPU is here all the same", wsl + "-- file /usr/lib/wsl/lib/libcuda.so.1 --\n-- file /etc/wsl.conf --\n[gpu]\nenabled=false\n", facts.Environment{NoDXG: true}},
		{"a kernel whose modules are gone", env("") + "-- file /proc/sys/kernel/osrelease --\n6.11.9-arch1-1\n-- file /lib/modules/6.12.4-arch1-1/pkgbase --\nlinux\n-- file /lib/modules/6.12.4-arch1-1/extramodules/nvidia.ko.zst --\n", facts.Environment{Module: facts.Module{KernelGone: true, Others: []string{"6.12.4-arch1-1"}}}},
		{"WSL without its GPU", env("") + "-- file /proc/sys/kernel/osrelease --\n5.15.153.1-microsoft-standard-WSL2\n", facts.Environment{NoDXG: true}},
		{"WSL with its GPU", env("") + "-- file /proc/sys/kernel/osrelease --\n5.15.153.1-microsoft-standard-WSL2\n-- device /dev/dxg --\n", facts.Environment{}},
		{"macOS", "-- platform --\ndarwin/arm64\n" + env("DYLD_INSERT_LIBRARIES=/opt/gone.dylib:/usr/lib/libgmalloc.dylib\n"), preloads(facts.Preload{Library: "/opt/gone.dylib", From: "DYLD_INSERT_LIBRARIES", Cause: facts.NotFound})},
		{"a compiler that is gone", env("CC=gcc-7 -m64\n") + "-- exec /usr/bin/gcc --\nx\n", variable("CC", "gcc-7", facts.NoProgram, "")},
		{"a compiler's path that is gone", env("CXX=/opt/gcc/bin/g++\n"), variable("CXX", "/opt/gcc/bin/g++", facts.NoProgram, "")},
		{"compilers that are here", env("CC=gcc -m64\nCXX=/usr/bin/gcc\n") + "-- exec /usr/bin/gcc --\nx\n", facts.Environment{}},
		{"go env -w CC", env("") + "-- file /home/user/.config/go/env --\nCC=gcc-7\n-- exec /usr/bin/gcc --\nx\n", variable("CC", "gcc-7", facts.NoProgram, "")},
		{"clang-cl for nvcc", "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\LLVM\\bin\nCUDAHOSTCXX=clang-cl\n-- exec C:\\LLVM\\bin\\clang-cl.exe --\nx\n", variable("CUDAHOSTCXX", "clang-cl", facts.NotForNVCC, "clang-cl")},
		{"a sh.exe that CMake meets", "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\Git\\usr\\bin\nPATHEXT=.EXE\n-- exec C:\\Git\\usr\\bin\\sh.exe --\nx\n", variable("PATH", `C:\Git\usr\bin\sh.exe`, facts.ShellOnPath, "")},
		{"libGL.so of a Jetson that leads nowhere", env("") + "-- file /etc/nv_tegra_release --\nx\n-- link /usr/lib/aarch64-linux-gnu/libGL.so --\n/usr/lib/aarch64-linux-gnu/tegra/libGL.so\n", facts.Environment{NoOpenGL: "/usr/lib/aarch64-linux-gnu/libGL.so"}},
		{"libGL.so of a Jetson", env("") + "-- file /etc/nv_tegra_release --\nx\n-- link /usr/lib/aarch64-linux-gnu/libGL.so --\n/usr/lib/aarch64-linux-gnu/libGL.so.1\n-- file /usr/lib/aarch64-linux-gnu/libGL.so.1 --\nx\n", facts.Environment{}},
		{"cl for cgo", "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\VS\nCC=cl.exe\n-- exec C:\\VS\\cl.exe --\nx\n", variable("CC", "cl.exe", facts.NotForCgo, "cl")},
		{"gcc for cgo", "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\mingw64\\bin\nCC=gcc\n-- exec C:\\mingw64\\bin\\gcc.exe --\nx\n", facts.Environment{}},
		{"cl for nvcc", "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\LLVM\\bin\nNVCC_CCBIN=C:\\VS\\cl.exe\n-- exec C:\\VS\\cl.exe --\nx\n", facts.Environment{}},
		{"nvcc's flags name a folder that is gone", "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\W\nNVCC_PREPEND_FLAGS=-O2 -ccbin \"C:\\V S\\x64\" -lineinfo\n", variable("NVCC_PREPEND_FLAGS", `C:\V S\x64`, facts.NoProgram, "")},
		{"nvcc's flags name a folder", "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\W\nNVCC_APPEND_FLAGS=--compiler-bindir=\"C:\\V S\\x64\"\n-- dir C:\\V S\\x64 --\n", facts.Environment{}},
		{"nvcc's flags name no compiler", env("NVCC_PREPEND_FLAGS=-lineinfo\n"), facts.Environment{}},
		{"CMake's generator", "-- platform --\nwindows/amd64\n-- env --\nCMAKE_GENERATOR_TOOLSET=v141\n", variable("CMAKE_GENERATOR_TOOLSET", "v141", facts.Generator, "")},
		{"a proxy without a scheme, and apt", env("http_proxy=a:3128\n") + "-- dir /etc/apt --\n", variable("http_proxy", "a:3128", facts.NotForApt, "http://a:3128")},
		{"apt's own proxy", env("") + "-- file /etc/apt/apt.conf.d/95proxy --\n// Proxy \"x\";\nAcquire::http::Proxy \"10.0.0.1://3128\";\nAcquire::http::Proxy::mirror \"DIRECT\";\n", variable("/etc/apt/apt.conf.d/95proxy", "10.0.0.1://3128", facts.NotForApt, "")},
		{"apt's own proxy is right", env("http_proxy=http://a:3128\n") + "-- file /etc/apt/apt.conf --\nAcquire { http { Proxy \"http://a:3128/\"; }; };\n-- file /etc/apt/apt.conf.d/old.bak --\nAcquire::http::Proxy \"a:1\";\n", facts.Environment{}},
		{"dpkg was ended at work", env("") + "-- file /var/lib/dpkg/updates/0001 --\nx\n", facts.Environment{Interrupted: true}},
		{"a temporary file of dpkg's", env("") + "-- file /var/lib/dpkg/updates/tmp.i --\nx\n", facts.Environment{}},
		{"udev takes NVIDIA's cards away", env("") + "-- file /etc/udev/rules.d/50-remove-nvidia.rules --\n# Automatically generated by EnvyControl\nACTION==\"add\", SUBSYSTEM==\"pci\", ATTR{vendor}==\"0x10de\", ATTR{class}==\"0x03[0-9]*\", ATTR{power/control}=\"auto\", ATTR{remove}=\"1\"\n",
			facts.Environment{Module: facts.Module{Removed: "/etc/udev/rules.d/50-remove-nvidia.rules", Envy: true}}},
		{"udev takes the sound of NVIDIA's cards away", env("") + "-- file /etc/udev/rules.d/80-nvidia-pm.rules --\n#ATTR{vendor}==\"0x10de\", ATTR{class}==\"0x03[0-9]*\", ATTR{remove}=\"1\"\nATTR{vendor}==\"0x10de\", ATTR{class}==\"0x040300\", ATTR{remove}=\"1\"\n", facts.Environment{}},
		{"the cache is root's", env("") + "-- deny /home/user/.cache/go-build --\n", folder("go-cache", "HOME", "/home/user/.cache/go-build", facts.FolderDenied)},
		{"CUDA compiles PTX only", env("CUDA_FORCE_PTX_JIT=1\nCUDA_DISABLE_PTX_JIT=0\n"), variable("CUDA_FORCE_PTX_JIT", "1", facts.ForcesJIT, "")},
		{"AMD's cards are hidden", env("ROCR_VISIBLE_DEVICES=-1\nGPU_DEVICE_ORDINAL=0\n"), variable("ROCR_VISIBLE_DEVICES", "-1", facts.HidesAMD, "")},
		{"customenv without flags", custom(""), variable("GOFLAGS", "-tags=x,customenv", facts.FlagsMissing, "CGO_LDFLAGS")},
		{"customenv with flags", custom("CGO_LDFLAGS=-L/opt/cv/lib -lopencv_core\nCGO_CPPFLAGS=-I/opt/cv/include\n") + "-- dir /opt/cv/lib --\n-- dir /opt/cv/include --\n", facts.Environment{}},
		{"customenv and a folder that is gone", custom("CGO_LDFLAGS=-L/opt/cv/lib -lopencv_core\n"), variable("CGO_LDFLAGS", "/opt/cv/lib", facts.FolderGone, "")},
		{"a folder that is gone beside gocv's own flags", env("CGO_LDFLAGS=-L/opt/cv/lib\n"), facts.Environment{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := probetest.Of(environment.Probe)(t, hosttest.Parse(t, c.host))
			probetest.Same(t, "", c.want, f.Environment)
		})
	}
}

// libc is a glibc of that release in a folder.
func libc(dir, release string) string {
	return "-- file " + dir + "/libc.so.6 --\nGNU C Library (GNU libc) stable release version " + release + ".\n"
}

// TestCondaFirst: the environment of conda that CMake searches before the system's
// folders, and the ones that change nothing.
func TestCondaFirst(t *testing.T) {
	const conda = "-- file /c/conda-meta/history --\nx\n-- file /c/lib/cmake/zstd/zstdConfig.cmake --\nx\n"
	const packages = conda + "-- file /c/lib/cmake/OpenEXR/OpenEXRConfig.cmake --\nx\n-- file /c/lib/openjpeg-2.5/OpenJPEGConfig.cmake --\nx\n"
	for name, c := range map[string]struct {
		env, files string
		want       *facts.CondaFirst
	}{
		"first on PATH":       {"PATH=/c/bin:/usr/bin\nCONDA_PREFIX=/c", packages, &facts.CondaFirst{Folder: "/c", Through: "PATH", Packages: []string{"OpenEXR", "openjpeg-2.5"}, Activated: true}},
		"by hand":             {"PATH=/x/bin:/c/bin/:/usr/bin", packages, &facts.CondaFirst{Folder: "/c", Through: "PATH", Packages: []string{"OpenEXR", "openjpeg-2.5"}}},
		"in the prefix path":  {"PATH=/usr/bin\nCMAKE_PREFIX_PATH=/x:/c", conda, &facts.CondaFirst{Folder: "/c", Through: "CMAKE_PREFIX_PATH"}},
		"after the system":    {"PATH=/usr/bin:/c/bin\nCONDA_PREFIX=/c", packages, nil},
		"nothing of OpenCV's": {"PATH=/c/bin:/usr/bin\nCONDA_PREFIX=/c", conda, nil},
		"condabin only":       {"PATH=/c/condabin:/usr/bin", packages, nil},
		"no conda":            {"PATH=/c/bin:/usr/bin\nCMAKE_PREFIX_PATH=/c", "-- file /c/lib/cmake/OpenEXR/OpenEXRConfig.cmake --\nx\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := environment.Probe(t.Context(), hosttest.Parse(t, "-- platform --\nlinux/amd64\n-- env --\n"+c.env+"\n"+c.files))
			if err != nil || !reflect.DeepEqual(f.Environment.CondaFirst, c.want) {
				t.Errorf("%+v, not %+v (%v)", f.Environment.CondaFirst, c.want, err)
			}
		})
	}
}

// TestCondaFirstOnWindows: libraries and headers beside a bin folder of PATH count, too.
func TestCondaFirstOnWindows(t *testing.T) {
	const base = "-- platform --\nwindows/amd64\n-- file C:\\c\\conda-meta\\history --\nx\n"
	const protobuf = "-- file C:\\c\\Library\\include\\google\\protobuf\\message.h --\nx\n"
	for name, c := range map[string]struct {
		env, files string
		want       *facts.CondaFirst
	}{
		"activated":     {"PATH=C:\\c;C:\\c\\Library\\bin\nCONDA_PREFIX=C:\\c", protobuf, &facts.CondaFirst{Folder: `C:\c\Library`, Through: "PATH", Packages: []string{"protobuf"}, Activated: true}},
		"by hand":       {"PATH=C:\\c\\library\\bin\\", protobuf, &facts.CondaFirst{Folder: `C:\c\Library`, Through: "PATH", Packages: []string{"protobuf"}}},
		"Python alone":  {"PATH=C:\\c;C:\\c\\Scripts", protobuf, nil},
		"nothing there": {"PATH=C:\\c\\Library\\bin", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := environment.Probe(t.Context(), hosttest.Parse(t, base+"-- env --\n"+c.env+"\n"+c.files))
			if err != nil || !reflect.DeepEqual(f.Environment.CondaFirst, c.want) {
				t.Errorf("%+v, not %+v (%v)", f.Environment.CondaFirst, c.want, err)
			}
		})
	}
}
