package environment_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/probe/environment"
)

const pem = `-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH
ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkjihgfedcba9876543210+/
AA==
-----END CERTIFICATE-----
`

// TestEnvironment: what hinders tools, and neighbors in which nothing does.
func TestEnvironment(t *testing.T) {
	const user = "-- file /proc/self/status --\nUid:\t1000\t1000\n-- disk / --\n500000000000 200000000000 ext4\n-- dir /tmp --\n-- dir /home/user --\n"
	env := func(lines string) string {
		return user + "-- env --\nPATH=/usr/bin\nHOME=/home/user\n" + lines
	}
	folder := func(purpose, variable, path string, problem facts.FolderProblem) facts.Environment {
		return facts.Environment{Folders: []facts.Folder{{Purpose: purpose, Variable: variable, Path: path, Problem: problem}}}
	}
	variable := func(name, value string, problem facts.VariableProblem, detail string) facts.Environment {
		return facts.Environment{Variables: []facts.Variable{{Name: name, Value: value, Problem: problem, Detail: detail}}}
	}
	bundle := "-- file /etc/ssl/certs/ca-certificates.crt --\nAnother\n"
	for _, c := range []struct {
		name, host string
		want       facts.Environment
	}{
		{"nothing", env(""), facts.Environment{}},
		{"no environment was recorded", user, facts.Environment{}},
		{"TMPDIR is gone", env("TMPDIR=/scratch\n"), folder("tmp", "TMPDIR", "/scratch", facts.FolderMissing)},
		{"/tmp is full", env("") + "-- disk /tmp --\n1000000000 1000000 tmpfs\n", folder("tmp", "", "/tmp", facts.FolderFull)},
		{"/tmp is read-only", env("") + "-- disk /tmp --\n1000000000 900000000 tmpfs ro\n", folder("tmp", "", "/tmp", facts.ReadOnlyFolder)},
		{"/tmp is noexec", env("") + "-- file /proc/self/mountinfo --\n21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n30 21 0:30 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw\n", folder("tmp", "", "/tmp", facts.NoExec)},
		{"another mount is noexec", env("") + "-- file /proc/self/mountinfo --\n21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n30 21 0:30 / /tmpx rw,noexec - tmpfs tmpfs rw\n", facts.Environment{}},
		{"no HOME", user + "-- env --\nPATH=/usr/bin\n", folder("go-cache", "HOME", "", facts.FolderUnset)},
		{"no HOME, but a cache", user + "-- env --\nPATH=/usr/bin\nXDG_CACHE_HOME=/home/user/c\n", facts.Environment{}},
		{"HOME is /", user + "-- env --\nPATH=/usr/bin\nHOME=/\n", folder("go-cache", "HOME", "/", facts.FolderOfRoot)},
		{"HOME is read-only", env("") + "-- disk /home/user --\n1000 900 nfs ro\n", folder("go-cache", "HOME", "/home/user", facts.ReadOnlyFolder)},
		{"cgo is off", env("CGO_ENABLED=0\n"), variable("CGO_ENABLED", "0", facts.CgoOff, "")},
		{"go env -w wrote it", env("") + "-- file /home/user/.config/go/env --\nCGO_ENABLED=0\n", variable("CGO_ENABLED", "0", facts.CgoOff, "")},
		{"another GOARCH", env("GOARCH=arm64\n"), variable("GOARCH", "arm64", facts.OtherTarget, "amd64")},
		{"this GOARCH", env("GOARCH=amd64\nGOFLAGS=-mod=mod\nCGO_ENABLED=1\n"), facts.Environment{}},
		{"vendor", env("GOFLAGS=-v -mod=vendor\n"), variable("GOFLAGS", "-mod=vendor", facts.VendorOnly, "")},
		{"a blank in cgo's flags", env("CGO_CXXFLAGS=-I/home/me/My Libs/include -O2\n"), variable("CGO_CXXFLAGS", "/home/me/My Libs/include", facts.SplitByBlank, "")},
		{"plain cgo flags", env("CGO_LDFLAGS=-L/usr/local/lib -lopencv_core /opt/lib/x.a -framework OpenCL\n"), facts.Environment{}},
		{"a proxy by https", env("https_proxy=https://me:secret@proxy:3128\n"), variable("https_proxy", "https://proxy:3128", facts.TLSToProxy, "http://proxy:3128")},
		{"a proxy with quotes", env("https_proxy=\"http://proxy:3128\"\n"), variable("https_proxy", "\"http://proxy:3128\"", facts.Malformed, "")},
		{"two proxies", env("https_proxy=http://a:3128\nHTTPS_PROXY=http://b:3128\n"), variable("https_proxy", "http://a:3128", facts.TwoValues, "http://b:3128")},
		{"one proxy twice, and without a scheme", env("https_proxy=http://a:3128/\nHTTPS_PROXY=http://a:3128\nhttp_proxy=a:3128\n"), facts.Environment{}},
		{"a bundle that is gone", env("SSL_CERT_FILE=/etc/corp.pem\n"), variable("SSL_CERT_FILE", "/etc/corp.pem", facts.NamesNothing, "")},
		{"a bundle that is there", env("SSL_CERT_FILE=/etc/corp.pem\n") + "-- file /etc/corp.pem --\nx\n", facts.Environment{}},
		{"no certificates", env("") + "-- file /var/lib/dpkg/status --\nPackage: base-files\nStatus: install ok installed\n", facts.Environment{NoCertificates: true}},
		{"certificates in another place", env("") + "-- file /var/lib/dpkg/status --\nPackage: base-files\n\nPackage: ca-certificates\n", facts.Environment{}},
		{"a local certificate that is not trusted", env("") + bundle + "-- file /usr/local/share/ca-certificates/proxy.crt --\n" + pem, facts.Environment{NotTrusted: []string{"/usr/local/share/ca-certificates/proxy.crt"}}},
		{"a local certificate", env("") + bundle + pem + "-- file /usr/local/share/ca-certificates/proxy.crt --\n" + pem, facts.Environment{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := environment.Probe(t.Context(), hosttest.Parse(t, c.host))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, f.Environment); diff != "" {
				t.Error(diff)
			}
		})
	}
}
