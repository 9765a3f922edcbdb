package formats

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
)

// The elements of JUnit's XML, as Apache Ant's schema of it has them
// (windyroad/JUnit-Schema on GitHub); Jenkins' schema has the same and more.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string `xml:"name,attr"`
		Package   string `xml:"package,attr"`
		ID        int    `xml:"id,attr"`
		Hostname  string `xml:"hostname,attr"`
		Timestamp string `xml:"timestamp,attr"` // UTC; the schema forbids a zone
		Tests     int    `xml:"tests,attr"`
		Failures  int    `xml:"failures,attr"`
		Errors    int    `xml:"errors,attr"`
		Skipped   int    `xml:"skipped,attr"`
		Time      string `xml:"time,attr"`

		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		Out        string          `xml:"system-out"`
		Err        string          `xml:"system-err"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Skipped *junitMessage `xml:"skipped"`
		Error   *junitMessage `xml:"error"`
		Failure *junitMessage `xml:"failure"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Body    string `xml:",chardata"`
	}
)

// writeJUnit writes one suite. What could not be checked is an error. A warning
// passes, since JUnit has none; the suite's output says it. The host's name is
// left out.
func writeJUnit(w io.Writer, d *Document) error {
	s := junitSuite{
		Name: line(d.Command + " " + d.name()), Package: "deployctl", Hostname: "localhost",
		Timestamp:  d.Time.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{{"deployctl.version", line(d.Version)}, {"deployctl.exit", strconv.Itoa(d.Exit)}},
	}
	if d.Doctor != nil {
		s.Properties = append(s.Properties, junitProperty{"host", line(d.Doctor.Host.Line())})
	}
	var out strings.Builder
	out.WriteString(d.closing() + "\n")
	total := 0.0
	for _, c := range d.checks() {
		one := junitCase{
			Name: line(c.Title + " [" + c.ID + "]"), Class: line("deployctl." + d.name() + "." + c.Group), Time: seconds(c.Seconds),
		}
		total += c.Seconds
		switch c.outcome() {
		case skipped:
			one.Skipped = &junitMessage{Message: line(c.Found)}
			s.Skipped++
		case warned:
			out.WriteString("warning: " + c.message() + "\n")
		case undecided:
			one.Error = &junitMessage{Message: c.message(), Type: string(c.State), Body: c.body()}
			s.Errors++
		case failed:
			one.Failure = &junitMessage{Message: c.message(), Type: string(c.State), Body: c.body()}
			s.Failures++
		}
		s.Cases = append(s.Cases, one)
	}
	s.Tests, s.Time, s.Out = len(s.Cases), seconds(total), out.String()
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suites: []junitSuite{s}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }
