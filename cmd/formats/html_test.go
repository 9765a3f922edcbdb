package formats

import (
	"encoding/xml"
	"errors"
	"html/template"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
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
		for _, m := range regexp.MustCompile(`(<a )?(?:src|href|action|data|poster)="([^"]*)"`).FindAllStringSubmatch(got, -1) {
			page := m[1] != "" && strings.HasPrefix(m[2], home+"/blob/main/") // of a check
			if !strings.HasPrefix(m[2], "#") && !strings.HasPrefix(m[2], "data:") && !page {
				t.Errorf("%s: it loads or leads to %s", about, m[2])
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

// TestEscaping: over texts that are hostile in every place, the page is what html/template
// makes of them, which knows the places of HTML: text, attributes, addresses.
func TestEscaping(t *testing.T) {
	funcs := maps.Clone(pageFuncs)
	funcs["lines"] = func(s string) template.HTML { return template.HTML(lines(s)) }
	funcs["address"] = func(s string) template.URL { return template.URL(safeAddress(s)) }
	trusted, err := template.New("page").Funcs(funcs).Parse(htmlTemplate)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile("../../docs/proof.png")
	if err != nil {
		t.Fatal(err)
	}
	for about, d := range documentsIn(t, "html") {
		d.Picture = picture
		for _, text := range []string{"", `<script>alert(1)</script>`, `" onmouseover="alert(1)`, `'><img src=x onerror=alert(1)>`, "\x00+ADw-&lt;&#60;{{.}}", hostile, "</title></style><!--\xff\n::error::"} {
			p := newPage(d)
			appendTo(reflect.ValueOf(&p).Elem(), text)
			got, err := render(htmlTemplate, pageFuncs, p)
			if err != nil {
				t.Fatal(err)
			}
			var want strings.Builder
			if err := trusted.Execute(&want, p); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(want.String(), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s with %q (-html/template +got):\n%s", about, text, diff)
			}
		}
	}
}

// appendTo appends a text to every text within a value, but to the picture's address,
// which is of nothing but base64.
func appendTo(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + text)
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
			if v.Type().Field(i).Name != "Picture" {
				appendTo(v.Field(i), text)
			}
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

// TestUnknownTemplate: what the page's template may not have is an error, not a gap.
func TestUnknownTemplate(t *testing.T) {
	for _, text := range []string{"{{.Nothing}}", "{{.Command.Length}}", "{{.State.String}}", "{{t .Command | t}}", "{{1}}", "{{break}}", "{{range .Tiles}}{{continue}}{{end}}", "{{.Title .Name}}"} {
		if got, err := render(text, pageFuncs, page{Tiles: []tile{{}}}); err == nil {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// wellFormed reads the page as a browser's strictest reader would: every element is
// closed, ids are unique, and references within the page lead somewhere.
func wellFormed(t *testing.T, about, text string) {
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
			open = append(open, e.Name.Local)
			for _, a := range e.Attr {
				switch {
				case a.Name.Local == "id" && ids[a.Value]:
					t.Errorf("%s: two elements with the id %s", about, a.Value)
				case a.Name.Local == "id":
					ids[a.Value] = true
				case a.Name.Local == "aria-labelledby":
					refs = append(refs, a.Value)
				case a.Name.Local == "href" && strings.HasPrefix(a.Value, "#"):
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
}

func TestVerdictOf(t *testing.T) {
	for exit, want := range map[int]judge.State{0: judge.OK, 1: judge.Fail, 3: judge.Fail, 4: judge.Warn, 5: judge.Unknown, 6: judge.Pending} {
		if got, word := verdictOf(exit); got != want || word == "" {
			t.Errorf("%d: %s %q", exit, got, word)
		}
	}
}
