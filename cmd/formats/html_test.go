package formats

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/judge"
)

// TestHTML: the page is complete by itself, says what a reader without eyes needs,
// and no text of another party becomes markup.
func TestHTML(t *testing.T) {
	picture, err := os.ReadFile("../../docs/proof.png")
	if err != nil {
		t.Fatal(err)
	}
	for about, d := range documentsIn(t, "html") {
		d.Picture = picture
		got := written(t, "html", d)
		for _, bad := range []string{"<script", "@import", "url(", "<iframe", "ZgotmplZ", "hunter2", "javascript:"} {
			if i := strings.Index(got, bad); i >= 0 {
				t.Errorf("%s: %q: %q", about, bad, got[max(0, i-60):i+40])
			}
		}
		for _, want := range []string{`<html lang="en">`, "<main ", "<header>", "<footer>", "<title>", `class="skip" href="#main"`, "prefers-color-scheme: dark", "@media print"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: lacks %s", about, want)
			}
		}
		if n := strings.Count(got, "<h1>"); n != 1 {
			t.Errorf("%s: %d first headings", about, n)
		}
		if d.Proof != nil && len(d.Proof.Engines) > 0 && !regexp.MustCompile(`<img src="data:image/png;base64,[^"]+" alt="The picture [^"]*car \(91 %\)`).MatchString(got) {
			t.Errorf("%s: no picture with a description", about)
		}
		wellFormed(t, about, got)
	}
}

// TestEscaping: texts that are hostile in every place change no element, no attribute's
// name, and no address but to another that is harmless.
func TestEscaping(t *testing.T) {
	picture, err := os.ReadFile("../../docs/proof.png")
	if err != nil {
		t.Fatal(err)
	}
	for about, d := range documentsIn(t, "html") {
		d.Picture = picture
		with := func(text string) (elements []string) {
			p := newPage(d)
			appendTo(reflect.ValueOf(&p).Elem(), clean(text))
			var b strings.Builder
			if err := p.html().Render(&b); err != nil {
				t.Fatal(err)
			}
			return wellFormed(t, fmt.Sprintf("%s with %q", about, text), b.String())
		}
		want := with("x")
		for _, text := range []string{`<script>alert(1)</script>`, `" onmouseover="alert(1)`, `x onmouseover=alert(1) `, `'><img src=x onerror=alert(1)>`, "+ADw-&lt;&#60;{{.}}", hostile, "</title></style></pre><!--\n::error::", "javascript:alert(1)"} {
			if diff := cmp.Diff(want, with(text)); diff != "" {
				t.Errorf("%s with %q (-harmless +got):\n%s", about, text, diff)
			}
		}
	}
}

// TestNoLineOfOthers: no line of the file begins with what another party wrote, whatever
// text of the document it is in.
func TestNoLineOfOthers(t *testing.T) {
	for about, d := range documentsIn(t, "html") {
		command := d.Command
		appendTo(reflect.ValueOf(d).Elem(), "\n::error::two")
		d.Command = command // deployctl's own
		got := written(t, "html", d)
		if !strings.Contains(got, "::error::two") {
			t.Errorf("%s: the page shows nothing of it", about)
		}
		for line := range strings.Lines(got) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") {
				t.Errorf("%s: %s", about, line)
			}
		}
	}
}

// appendTo appends a text to every text within a value that can be set; those of a type
// of their own (states) are none.
func appendTo(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() && v.Type() == reflect.TypeFor[string]() {
			v.SetString(v.String() + text)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			appendTo(v.Elem(), text)
		}
	case reflect.Slice:
		for i := range v.Len() {
			appendTo(v.Index(i), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			appendTo(v.Field(i), text)
		}
	}
}

func TestSafeAddress(t *testing.T) {
	for in, want := range map[string]string{
		"javascript:alert(1)": "#", "JaVaScRiPt:alert(1)": "#", "data:text/html;base64,PHN": "#", "//host/page": "#", "http://host/": "#", "java\nscript:": "#", "": "#",
		home + "/blob/main/docs/probes.md#opencv": home + "/blob/main/docs/probes.md#opencv",
		home + "/<script>":                        home + "/%3Cscript%3E",
		"data:image/png;base64,ab+/=":             "data:image/png;base64,ab+/=",
	} {
		if got := safeAddress(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// wellFormed reads the page as a browser's strictest reader would: every element is
// closed, ids are unique, references within the page lead somewhere, and nothing runs or
// is loaded. It returns the elements, but line ends, with the names of their attributes.
func wellFormed(t *testing.T, about, text string) (elements []string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open []string
	ids, refs := map[string]bool{}, []string{}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", about, err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			if e.Name.Local != "br" {
				elements = append(elements, described(e, len(open)))
			}
			open = append(open, e.Name.Local)
			if why := runs(e); why != "" {
				t.Errorf("%s: <%s> %s", about, e.Name.Local, why)
			}
			for _, a := range e.Attr {
				switch {
				case a.Name.Local == "id" && ids[a.Value]:
					t.Errorf("%s: two elements with the id %s", about, a.Value)
				case a.Name.Local == "id":
					ids[a.Value] = true
				case a.Name.Local == "aria-labelledby":
					refs = append(refs, a.Value)
				case a.Name.Local == "href" && strings.HasPrefix(a.Value, "#") && a.Value != "#":
					refs = append(refs, a.Value[1:])
				}
			}
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != e.Name.Local {
				t.Fatalf("%s: </%s> in %v", about, e.Name.Local, open)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: not closed: %v", about, open)
	}
	for _, r := range refs {
		if !ids[r] {
			t.Errorf("%s: no element has the id %s", about, r)
		}
	}
	return elements
}

// described is an element at a depth with the names of its attributes.
func described(e xml.StartElement, depth int) string {
	out := strings.Repeat(" ", depth) + e.Name.Local
	for _, a := range e.Attr {
		out += " " + a.Name.Space + ":" + a.Name.Local
	}
	return out
}

// runs is what an element runs, loads or leads to that a page must not, "" for nothing.
func runs(e xml.StartElement) string {
	if slices.Contains([]string{"script", "iframe", "object", "embed", "base", "form"}, e.Name.Local) {
		return "in a page"
	}
	for _, a := range e.Attr {
		name := strings.ToLower(a.Name.Local)
		switch {
		case strings.HasPrefix(name, "on"), name == "style", name == "srcset", name == "srcdoc":
			return "has " + name
		case slices.Contains([]string{"src", "href", "action", "formaction", "data", "poster"}, name):
			image := strings.HasPrefix(a.Value, "data:image/") || a.Value == "data:,"        // the icon, which is none
			ofCheck := e.Name.Local == "a" && strings.HasPrefix(a.Value, home+"/blob/main/") // its page
			if !strings.HasPrefix(a.Value, "#") && !image && !ofCheck {
				return "loads or leads to " + a.Value
			}
		}
	}
	return ""
}

func TestVerdictOf(t *testing.T) {
	for exit, want := range map[int]judge.State{0: judge.OK, 1: judge.Fail, 3: judge.Fail, 4: judge.Warn, 5: judge.Unknown, 6: judge.Pending} {
		if got, word := verdictOf(exit); got != want || word == "" {
			t.Errorf("%d: %s %q", exit, got, word)
		}
	}
}
