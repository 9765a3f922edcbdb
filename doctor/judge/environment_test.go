package judge

import (
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
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Arch: "amd64"}, Environment: c.e}
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
