package judge

import (
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestEnvironment: each hindrance has its finding, and only in recipes that it
// hinders.
func TestEnvironment(t *testing.T) {
	_, tables := load(t)
	folder := func(f facts.Folder) facts.Environment { return facts.Environment{Folders: []facts.Folder{f}} }
	variable := func(v facts.Variable) facts.Environment {
		return facts.Environment{Variables: []facts.Variable{v}}
	}
	for _, c := range []struct {
		name    string
		e       facts.Environment
		id, fix string
		state   State
		// always: the finding does not depend on what the recipe touches.
		always bool
	}{
		{"TMPDIR is gone", folder(facts.Folder{Purpose: "tmp", Variable: "TMPDIR", Path: "/scratch", Problem: facts.FolderMissing}), "build.tmp", "unset TMPDIR", Fail, false},
		{"noexec", folder(facts.Folder{Purpose: "tmp", Path: "/tmp", Problem: facts.NoExec}), "build.tmp-noexec", "TMPDIR=$HOME/tmp", Warn, false},
		{"no HOME", folder(facts.Folder{Purpose: "go-cache", Variable: "HOME", Problem: facts.FolderUnset}), "go.cache", "export GOCACHE", Fail, false},
		{"a relative cache", folder(facts.Folder{Purpose: "go-cache", Variable: "GOCACHE", Path: "cache", Problem: facts.RelativeFolder}), "go.cache", "unset GOCACHE", Fail, false},
		{"gocv is not in the cache", variable(facts.Variable{Name: "GOPROXY", Value: "off", Problem: facts.NotInCache, Detail: "/go/pkg/mod"}), "go.modules", "unset GOPROXY", Fail, false},
		{"GOROOT is gone", variable(facts.Variable{Name: "GOROOT", Value: "/opt/go", Problem: facts.NoGoRoot}), "go.root", "unset GOROOT", Fail, false},
		{"go refuses its flags", variable(facts.Variable{Name: "GOFLAGS", Problem: facts.GoRefuses, Detail: "unknown flag -x"}), "go.starts", "unset GOFLAGS", Fail, false},
		{"a Go that is not known", variable(facts.Variable{Name: "GOTOOLCHAIN", Value: "go1.99.0", Problem: facts.ToolchainAway}), "go.toolchain", "unset GOTOOLCHAIN", Unknown, false},
		{"a flag of cgo's", variable(facts.Variable{Name: "CGO_CXXFLAGS", Problem: facts.FlagRefused, Detail: "g++: error: -x"}), "go.cgo-flag", "unset CGO_CXXFLAGS", Fail, false},
		{"a library of cgo's", variable(facts.Variable{Name: "CGO_LDFLAGS", Value: "-lx", Problem: facts.LibraryGone}), "go.cgo-library", "Take -lx out of CGO_LDFLAGS", Fail, false},
		{"cgo is off", variable(facts.Variable{Name: "CGO_ENABLED", Value: "0", Problem: facts.CgoOff}), "go.cgo", "export CGO_ENABLED=1", Fail, false},
		{"another GOARCH", variable(facts.Variable{Name: "GOARCH", Value: "arm64", Problem: facts.OtherTarget}), "go.cgo", "unset GOARCH", Fail, false},
		{"vendor", variable(facts.Variable{Name: "GOFLAGS", Value: "-mod=vendor", Problem: facts.VendorOnly}), "go.settings", "unset GOFLAGS", Warn, false},
		{"a blank", variable(facts.Variable{Name: "CGO_CXXFLAGS", Value: "/a b", Problem: facts.SplitByBlank}), "go.cgo-flags", "-I/a b", Fail, false},
		{"TLS to a proxy", variable(facts.Variable{Name: "https_proxy", Value: "https://p:3128", Problem: facts.TLSToProxy, Detail: "http://p:3128"}), "proxy.scheme", "export https_proxy=http://p:3128", Warn, true},
		{"malformed", variable(facts.Variable{Name: "https_proxy", Value: `"`, Problem: facts.Malformed}), "proxy.malformed", "unset https_proxy", Warn, true},
		{"two values", variable(facts.Variable{Name: "https_proxy", Value: "a", Problem: facts.TwoValues, Detail: "b"}), "proxy.case", "same proxy", Warn, true},
		{"no such bundle", variable(facts.Variable{Name: "SSL_CERT_FILE", Value: "/x", Problem: facts.NamesNothing}), "certificates.variable", "unset SSL_CERT_FILE", Warn, true},
		{"no certificates", facts.Environment{NoCertificates: true}, "certificates.missing", "apt-get install ca-certificates", Warn, true},
		{"not trusted", facts.Environment{NotTrusted: []string{"/x.crt"}}, "certificates.local", "update-ca-certificates", Warn, true},
		{"no such compiler", variable(facts.Variable{Name: "CC", Value: "gcc-7", Problem: facts.NoProgram}), "build.compiler-variable", "go env -u CC; unset CC", Fail, false},
		{"apt's file", variable(facts.Variable{Name: "/etc/apt/apt.conf", Value: "a:1", Problem: facts.NotForApt, Detail: "http://a:1"}), "proxy.apt", `write "http://a:1"`, Warn, true},
		{"apt and a variable", variable(facts.Variable{Name: "http_proxy", Value: "a:1", Problem: facts.NotForApt, Detail: "http://a:1"}), "proxy.apt", "export http_proxy=http://a:1", Warn, true},
		{"customenv", variable(facts.Variable{Name: "GOFLAGS", Value: "-tags=customenv", Problem: facts.FlagsMissing, Detail: "CGO_LDFLAGS"}), "go.customenv", "pkg-config --libs opencv4", Fail, false},
		{"customenv and a folder", variable(facts.Variable{Name: "CGO_LDFLAGS", Value: "/opt/cv", Problem: facts.FolderGone}), "go.cgo-folder", "in place of /opt/cv", Fail, false},
		{"a host is blocked", facts.Environment{Blocked: []facts.BlockedHost{{Host: "github.com", Address: "0.0.0.0", File: "/etc/hosts", Line: 2}}}, "downloads.hosts-file", "remove the line with github.com from /etc/hosts", Warn, true},
		{"a preload", facts.Environment{Preloads: []facts.Preload{{Library: "/x.so", From: "LD_PRELOAD", Cause: facts.NotFound}}}, "loader.preload", "unset LD_PRELOAD", Warn, true},
		{"the system's preload", facts.Environment{Preloads: []facts.Preload{{Library: "/x.so", From: "/etc/ld.so.preload", Cause: facts.OtherArch}}}, "loader.preload", "remove /x.so from /etc/ld.so.preload", Warn, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Arch: "amd64"}, Environment: c.e}
			f.Add("apt", facts.Instance{Path: "/usr/bin/apt-get", Active: true})
			builds := Evaluate(&recipes.Recipe{Name: "test", Components: []string{"g++", "go", "opencv"}}, tables, f).Findings
			if len(builds) != 1 || builds[0].ID != c.id || builds[0].State != c.state || !strings.Contains(builds[0].Fix, c.fix) {
				t.Errorf("%+v", builds)
			}
			if other := Evaluate(&recipes.Recipe{Name: "test", Components: []string{"vcredist"}}, tables, f).Findings; (len(other) > 0) != c.always {
				t.Errorf("a recipe that builds nothing: %+v", other)
			}
		})
	}
}

// TestPreloadInGo: what the loader prints at each start stops go build where it asks
// pkg-config.
func TestPreloadInGo(t *testing.T) {
	_, tables := load(t)
	f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Arch: "amd64"}}
	f.Environment.Preloads = []facts.Preload{{Library: "/x.so", From: "LD_PRELOAD", Cause: facts.NotFound}}
	for id, components := range map[string][]string{"go.preload": {"go", "opencv", "pkg-config"}, "loader.preload": {"g++", "opencv", "pkg-config"}} {
		got := Evaluate(&recipes.Recipe{Name: "test", Components: components}, tables, f).Findings
		got = slices.DeleteFunc(got, func(f Finding) bool { return f.State == Skipped })
		if len(got) != 1 || got[0].ID != id || (got[0].State == Fail) != (id == "go.preload") {
			t.Errorf("%v: %+v", components, got)
		}
	}
}

// TestCgoWithoutGCC: go build starts gcc unless CC names another compiler.
func TestCgoWithoutGCC(t *testing.T) {
	_, tables := load(t)
	active := func(via ...string) facts.Instance {
		return facts.Instance{Version: "14", Path: "/usr/bin/x", Active: true, Via: append(via, "PATH"), Has: []string{"c", "c++"}}
	}
	for _, c := range []struct {
		name string
		have map[string]facts.Instance
		fix  string // "" for no finding
	}{
		{"gcc", map[string]facts.Instance{"gcc": active(), "g++": active()}, ""},
		{"clang alone", map[string]facts.Instance{"clang": active(), "clang++": active()}, "export CC=clang CXX=clang++"},
		{"clang, and CC names it", map[string]facts.Instance{"clang": active("CC"), "clang++": active("CXX")}, ""},
		{"g++ alone", map[string]facts.Instance{"g++": active()}, ""},
		{"clang++ alone", map[string]facts.Instance{"clang++": active()}, "apt-get install gcc"},
		{"gcc without cc1", map[string]facts.Instance{"gcc": {Path: "/usr/bin/gcc", Active: true, Unusable: &facts.Unusable{Reason: facts.Incomplete, Detail: "its cc1 is missing", Remedy: "Install gcc-12 again."}}, "g++": active()}, "Install gcc-12 again."},
		{"no compiler", nil, ""},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Arch: "amd64"}}
		f.Add("apt", facts.Instance{Path: "/usr/bin/apt-get", Active: true})
		for component, i := range c.have {
			f.Add(component, i)
		}
		got := Evaluate(&recipes.Recipe{Name: "test", Components: []string{"go", "opencv"}}, tables, f).Findings
		if c.fix == "" && len(got) > 0 || c.fix != "" && (len(got) != 1 || got[0].ID != "go.cgo-gcc" || !strings.HasSuffix(got[0].Fix, c.fix)) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestHostCompiler: a compiler that nvcc refuses matters to recipes with CUDA on
// Windows, a macOS library that is gone to all.
func TestHostCompiler(t *testing.T) {
	_, tables := load(t)
	clang := facts.Variable{Name: "CUDAHOSTCXX", Value: "clang-cl", Problem: facts.NotForNVCC}
	gone := facts.Variable{Name: "CC", Value: "gcc-7", Problem: facts.NoProgram}
	insert := facts.Environment{Preloads: []facts.Preload{{Library: "/x.dylib", From: "DYLD_INSERT_LIBRARIES", Cause: facts.NotFound}}}
	for _, c := range []struct {
		os        string
		e         facts.Environment
		component string
		id        string // "" for nothing
	}{
		{"windows", facts.Environment{Variables: []facts.Variable{{Name: "CC", Value: "cl", Problem: facts.NotForCgo}}}, "cuda", ""},
		{"windows", facts.Environment{Variables: []facts.Variable{clang}}, "cuda", "cuda.host-compiler"},
		{"windows", facts.Environment{Variables: []facts.Variable{clang}}, "cmake", ""},
		{"windows", facts.Environment{Variables: []facts.Variable{gone}}, "go", "build.compiler-variable"},
		{"windows", facts.Environment{Variables: []facts.Variable{gone}}, "cmake", ""},
		{"darwin", insert, "opencv", "loader.insert"},
	} {
		f := &facts.Facts{OS: facts.OS{Family: c.os, ID: c.os, Arch: "amd64"}, Environment: c.e}
		list := Evaluate(&recipes.Recipe{Name: "test", Components: []string{c.component}}, tables, f).Findings
		if c.id == "" && len(list) > 0 || c.id != "" && (len(list) != 1 || list[0].ID != c.id || list[0].State != Fail || list[0].Fix == "") {
			t.Errorf("%s, %s: %+v", c.os, c.component, list)
		}
	}
}

// TestCgoCompiler: Microsoft's compiler in CC matters to gocv on Windows.
func TestCgoCompiler(t *testing.T) {
	_, tables := load(t)
	f := &facts.Facts{OS: facts.OS{Family: "windows", ID: "windows", Arch: "amd64"}, Environment: facts.Environment{Variables: []facts.Variable{{Name: "CC", Value: "cl", Problem: facts.NotForCgo}}}}
	list := Evaluate(&recipes.Recipe{Name: "test", Components: []string{"go", "opencv"}}, tables, f).Findings
	if len(list) != 1 || list[0].ID != "go.cgo-compiler" || list[0].State != Fail || !strings.Contains(list[0].Fix, "go env -u CC") {
		t.Errorf("%+v", list)
	}
}

// TestAccess: a device file that the user may not open, and another GPU that does.
func TestAccess(t *testing.T) {
	_, tables := load(t)
	amd := facts.GPU{Vendor: "amd", Name: "Navi 21", NoAccess: "/dev/dri/renderD128", Group: "render"}
	joined, roots, kfd := amd, amd, amd
	kfd.NoAccess = "/dev/kfd"
	joined.Joined, roots.Group = true, ""
	nvidia := facts.GPU{Vendor: "nvidia", NoAccess: "/dev/nvidiactl", Group: "video"}
	for _, c := range []struct {
		name, component, container string
		gpus                       []facts.GPU
		state                      State // "" for nothing
		fix                        string
	}{
		{"not in the group", "opencl", "", []facts.GPU{amd}, Fail, "sudo usermod -aG render $USER"},
		{"in the group since", "opencl", "", []facts.GPU{joined}, Pending, "Log out and in"},
		{"in a container", "vulkan", "docker", []facts.GPU{amd}, Fail, "--group-add render"},
		{"root's own", "opencl", "", []facts.GPU{roots}, Fail, "udev"},
		{"CUDA", "cuda", "", []facts.GPU{nvidia}, Fail, "usermod -aG video"},
		{"CUDA beside a closed Radeon", "cuda", "", []facts.GPU{amd, {Vendor: "nvidia"}}, "", ""},
		{"another one is open", "opencl", "", []facts.GPU{amd, {Vendor: "intel"}}, "", ""},
		{"a server's console is no other one", "opencl", "", []facts.GPU{amd, {Vendor: "aspeed"}}, Fail, "usermod"},
		{"the CPU is asked", "opencv", "", []facts.GPU{amd}, "", ""},
		{"ROCm", "rocm", "", []facts.GPU{kfd}, Fail, "usermod"},
		{"Mesa needs no kfd", "vulkan", "", []facts.GPU{kfd}, "", ""},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Arch: "amd64", Container: c.container, User: facts.User{Elevate: []string{"sudo"}}}, GPUs: c.gpus}
		list := Evaluate(&recipes.Recipe{Name: "test", Components: []string{c.component}}, tables, f).Findings
		if i := slices.IndexFunc(list, func(f Finding) bool { return f.ID == "gpu.access" }); c.state == "" && i >= 0 || c.state != "" && (i < 0 || list[i].State != c.state || !strings.Contains(list[i].Fix, c.fix)) {
			t.Errorf("%s: %+v", c.name, list)
		}
	}
}

// TestGoToFetch: a Go that is not here is a problem where nothing is fetched, not known
// where it is newer than the known releases, and else fetched.
func TestGoToFetch(t *testing.T) {
	_, tables := load(t)
	away := func(version string) facts.Variable {
		return facts.Variable{Name: "GOTOOLCHAIN", Value: version, Problem: facts.ToolchainAway}
	}
	line := func(version string) facts.Project {
		return facts.Project{Demands: []facts.Demand{{By: "go.work", Name: "go", Component: "go", Version: version, File: "/go.work", Line: 1}}}
	}
	local := facts.Variable{Name: "GOTOOLCHAIN", Value: "local", Problem: facts.LocalToolchain}
	for _, c := range []struct {
		name    string
		vars    []facts.Variable
		project facts.Project
		id      string
		state   State
	}{
		{"known", []facts.Variable{away("go1.25.1")}, facts.Project{}, "", ""},
		{"newer than known", []facts.Variable{away("go1.99.0")}, facts.Project{}, "go.toolchain", Unknown},
		{"known, and no downloads", []facts.Variable{away("go1.25.1"), {Name: "GOPROXY", Value: "off", Problem: facts.NotInCache}}, facts.Project{}, "go.toolchain", Fail},
		{"a workspace of a known Go", nil, line("1.26"), "", ""},
		{"a workspace of a newer Go", nil, line("1.99"), "project.go-release", Unknown},
		{"a workspace of a newer Go, and none is fetched", []facts.Variable{local}, line("1.99"), "project.go-toolchain", Fail},
		{"a workspace of an older Go, and none is fetched", []facts.Variable{local}, line("1.21"), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &facts.Facts{OS: facts.OS{Family: "linux", Arch: "amd64"}, Environment: facts.Environment{Variables: c.vars}, Project: c.project}
			f.Add("go", facts.Instance{Version: "1.25.3", Path: "/usr/local/go/bin/go", Active: true})
			found := slices.DeleteFunc(Evaluate(&recipes.Recipe{Name: "test", Components: []string{"go"}}, tables, f).Findings, func(f Finding) bool { return f.ID == "go.modules" })
			if c.id == "" && len(found) == 0 {
				return
			}
			if len(found) != 1 || found[0].ID != c.id || found[0].State != c.state {
				t.Errorf("%+v", found)
			}
		})
	}
}
