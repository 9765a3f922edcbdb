package dnf

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/installers/step"
)

// The outputs are those of dnf 4.23 on the repositories of .ci/managers.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		kind  step.Kind
		cause string
		text  string
	}{
		{step.NotFound, "not in this system's sources", `No match for argument: no-such-package
Error: Unable to find a match: no-such-package`},
		{step.Conflict, "in none of this system's sources", `Error: 
 Problem: conflicting requests
  - nothing provides nothing-that-anyone-has needed by ninja-1.11-1.noarch from ours
(try to add '--skip-broken' to skip uninstallable packages or '--nobest' to use not only best candidate packages)`},
		{step.Untrusted, "could not be trusted", `GPG key at file:///srv/ours.asc (0x932D7156) is already installed
The GPG keys listed for the "ours" repository are already installed but they are not correct for this package.
Check that the correct key URLs are configured for this repository.. Failing package is: swig-4.1-1.noarch
 GPG Keys are configured as: file:///srv/ours.asc
Error: GPG check FAILED`},
		{step.Untrusted, "could not be trusted", `Package "nasm-2.16-1.noarch" from local repository "ours" has incorrect checksum
Error: Some packages from local repository have incorrect checksum`},
		{step.DiskFull, "not enough disk space", `Error: Transaction test error:
  installing package protoc-25.1-1.noarch needs 41MB more space on the /opt/small filesystem

Error Summary
-------------
Disk Requirements:
   At least 41MB more space needed on the /opt/small filesystem.`},
		{step.NoNetwork, "could not be reached", `ours                                            0.0  B/s |   0  B     00:00    
Errors during downloading metadata for repository 'ours':
  - Curl error (7): Could not connect to server for http://127.0.0.1:9/none/repodata/repomd.xml [Failed to connect to 127.0.0.1 port 9 after 0 ms: Could not connect to server]
Error: Failed to download metadata for repo 'ours': Cannot download repomd.xml: Cannot download repodata/repomd.xml: All mirrors were tried`},
		{step.NoPrivilege, "needs more rights", `Error: This command has to be run with superuser privileges (under the root user on most systems).`},
		{step.Other, "exit status 1", `Error: Nothing that anybody knows`},
	} {
		f := Manager().Explain(1, strings.Split(c.text, "\n"))
		if f.Kind != c.kind || !strings.Contains(f.Cause, c.cause) || f.Next == "" {
			t.Errorf("%s: %s: %s; %s", c.text, f.Kind, f.Cause, f.Next)
		}
	}
}
