package formats

import (
	"cmp"
	"io"
	"net/url"
)

// The objects of SARIF 2.1.0 (OASIS, sarif-v2.1.0) that are used here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Automation  sarifAutomation   `json:"automationDetails"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		URI     string      `json:"informationUri"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string      `json:"id"`
		Short   sarifText   `json:"shortDescription"`
		Full    *sarifText  `json:"fullDescription,omitempty"`
		HelpURI string      `json:"helpUri,omitempty"`
		Help    *sarifText  `json:"help,omitempty"`
		Default sarifConfig `json:"defaultConfiguration"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful bool   `json:"executionSuccessful"`
		ExitCode   int    `json:"exitCode"`
		End        string `json:"endTimeUtc"`
	}
	sarifAutomation struct {
		ID string `json:"id"` // runs of one category replace one another
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Kind         string            `json:"kind"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
)

const home = "https://github.com/deployctl/deployctl"

// writeSARIF writes the problems. What passes is left out: GitHub shows every
// result as an alert, whatever its kind. A result must have a place: the line of
// the project, or one that stands for the machine and names the check.
func writeSARIF(w io.Writer, d *Document) error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "deployctl", Version: line(d.Version), URI: home, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{d.Doctor == nil || d.Doctor.Error == "", d.Exit, d.Time.UTC().Format("2006-01-02T15:04:05Z")}},
		Automation:  sarifAutomation{"deployctl/" + d.Command + "/" + line(d.name()) + "/"},
		Results:     []sarifResult{},
	}
	for _, c := range d.checks() {
		if !c.problem() {
			continue
		}
		level := map[outcome]string{warned: "warning", undecided: "error", failed: "error"}[c.outcome()]
		rule := sarifRule{ID: line(c.ID), HelpURI: c.web(), Short: sarifText{line(c.Title)}, Default: sarifConfig{level}}
		if c.Why != "" {
			rule.Full = &sarifText{c.Why}
		}
		if more := c.explain(); more != "" {
			rule.Help = &sarifText{"Run `" + more + "`."}
		}
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule)
		l := sarifLocation{Physical: sarifPhysical{sarifArtifact{address(c)}, sarifRegion{max(c.Line, 1)}}}
		if c.File == "" {
			l.Logical = []sarifLogical{{line(cmp.Or(c.Where, c.ID)), "resource"}}
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: rule.ID, RuleIndex: len(run.Tool.Driver.Rules) - 1, Kind: "fail", Level: level, Message: sarifText{c.message()},
			Locations: []sarifLocation{l}, Fingerprints: map[string]string{"deployctlCheck/v1": d.fingerprint(c)},
		})
	}
	return encode(w, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// address is where a check is, as a URI relative to the repository: GitHub takes no
// other. What is about the machine has a name of its own there.
func address(c check) string {
	if c.File != "" {
		return (&url.URL{Path: c.File}).String()
	}
	return (&url.URL{Path: "machine/" + line(c.ID)}).String()
}
