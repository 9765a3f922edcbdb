package zypper

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/installers/step"
)

// The outputs are those of zypper 1.14.89 on the repositories of .ci/managers.
func TestExplain(t *testing.T) {
	const leftOut = `Repository 'ours' is invalid.
[ours|dir:/srv/repo/rpm] Failed to retrieve new repository metadata.
History:
 - Signature verification failed for repomd.xml
Please check if the URIs defined for this repository are pointing to a valid repository.
Warning: Skipping repository 'ours' because of the above error.
Some of the repositories have not been refreshed because of an error.
Loading repository data...
Reading installed packages...
'nasm' not found in package names. Trying capabilities.
No provider of 'nasm' found.`
	for _, c := range []struct {
		kind  step.Kind
		cause string
		text  string
	}{
		{step.NotFound, "not in this system's sources", `'no-such-package' not found in package names. Trying capabilities.
No provider of 'no-such-package' found.`},
		// What only a source has that was left out is not found either.
		{step.Untrusted, "has not been accepted", `New repository or package signing key received:
  Repository:       ours
Do you want to reject the key, trust temporarily, or trust always? [r/t/a/?] (r): r
error]
` + leftOut},
		{step.Untrusted, "could not be trusted", `Signature verification failed for file 'repomd.xml' from repository 'ours'. Continue? [yes/no] (no): no
error]
` + leftOut},
		{step.NoNetwork, "could not be reached", `Repository 'ours' is invalid.
[ours|http://127.0.0.1:9/none] Failed to retrieve new repository metadata.
History:
 - [|] Error trying to read from 'http://127.0.0.1:9/none'
 - Download (curl) error for 'http://127.0.0.1:9/none/content':
   Error code: Connection failed
   Error message: Failed to connect to 127.0.0.1 port 9 after 0 ms: Could not connect to server
Warning: Skipping repository 'ours' because of the above error.
'ccache' not found in package names. Trying capabilities.
No provider of 'ccache' found.`},
		{step.Conflict, "in none of this system's sources", `Problem: 1: nothing provides 'nothing-that-anyone-has' needed by the to be installed ninja-1.11-1.noarch
 Solution 1: do not install ninja-1.11-1.noarch
 Solution 2: break ninja-1.11-1.noarch by ignoring some of its dependencies

Choose from above solutions by number or cancel [1/2/c/d/?] (c): c`},
		{step.DiskFull, "not enough disk space", `(1/1) Installing: protoc-25.1-1.noarch [..
	installing package protoc-25.1-1.noarch needs 41MB more space on the /opt/small filesystem
error]
Installation of protoc-25.1-1.noarch failed:
Error: Subprocess failed. Error: RPM failed: Command exited with status 1.
Abort, retry, ignore? [a/r/i] (a): a
Problem occurred during or after installation or removal of packages:`},
		{step.Locked, "holds the package manager's lock", `System management is locked by the application with pid 5059 (zypper).
Close this application before trying again.`},
		{step.NoPrivilege, "needs more rights", `Root privileges are required to run this command.`},
	} {
		f := Manager().Explain(1, strings.Split(c.text, "\n"))
		if f.Kind != c.kind || !strings.Contains(f.Cause, c.cause) || f.Next == "" {
			t.Errorf("%s: %s: %s; %s", c.text, f.Kind, f.Cause, f.Next)
		}
	}
}
