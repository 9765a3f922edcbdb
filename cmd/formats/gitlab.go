package formats

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// violation is an entry of GitLab's code quality report, a subset of Code
// Climate's.
type violation struct {
	Description string            `json:"description"`
	CheckName   string            `json:"check_name"`
	Fingerprint string            `json:"fingerprint"`
	Severity    string            `json:"severity"` // info, minor, major, critical, blocker
	Location    violationLocation `json:"location"`
}

type violationLocation struct {
	Path  string         `json:"path"`
	Lines violationLines `json:"lines"`
}

type violationLines struct {
	Begin int `json:"begin"`
}

// machineFile stands for the machine, where a file of the repository must be
// named: it is where the job's image is chosen.
const machineFile = ".gitlab-ci.yml"

func writeGitLab(w io.Writer, d *Document) error {
	list := []violation{}
	for _, c := range d.checks() {
		if !c.problem() {
			continue
		}
		v := violation{Description: c.message(), CheckName: c.ID, Fingerprint: d.fingerprint(c), Location: violationLocation{machineFile, violationLines{1}}}
		v.Severity = map[outcome]string{warned: "minor", undecided: "major", failed: "critical"}[c.outcome()]
		if c.File != "" {
			v.Location = violationLocation{c.File, violationLines{c.Line}}
		}
		list = append(list, v)
	}
	return encode(w, list)
}

// fingerprint is the same for the same check in every run.
func (d *Document) fingerprint(c check) string {
	sum := sha256.Sum256([]byte(d.Command + "\x00" + d.name() + "\x00" + c.ID + "\x00" + c.File))
	return hex.EncodeToString(sum[:])
}
