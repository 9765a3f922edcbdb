package wheel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

// Listed is one file of a project, as an index lists it.
type Listed struct {
	File string
	// URL is absolute, or the path of a file in a folder of Config.Links.
	URL    string
	SHA256 store.Sum // "" where the index does not say it
	Size   int64     // 0 where the index does not say it
	// RequiresPython is a constraint on Python's release.
	RequiresPython string
	// Yanked: its publisher took it back; only who names exactly this version
	// gets it (PEP 592).
	Yanked bool
}

// maxPage bounds an index's answer. The largest known project's is 4 MB.
const maxPage = 64 << 20

// simpleJSON and simpleHTML are the two forms of an index's answer (PEP 691).
const (
	simpleJSON = "application/vnd.pypi.simple.v1+json"
	simpleHTML = "application/vnd.pypi.simple.v1+html"
)

// Index asks the indexes of a configuration.
type Index struct {
	Config
	client *http.Client
}

// Open makes an index ready: its certificates, proxy and passwords.
func (c Config) Open() (*Index, error) {
	client := download.NewClient()
	base, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, lang.Errorf("the client for downloads has a transport of type %T", client.Transport)
	}
	if c.Cert != "" {
		pem, err := os.ReadFile(c.Cert)
		if err != nil {
			return nil, lang.Errorf("read the certificates that pip is set up with: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, &step.Failure{Kind: step.Other, Cause: lang.F("pip is set up with the certificates in %s, and there are none in it", c.Cert), Next: lang.T("correct PIP_CERT or cert in pip.conf, then run this again")}
		}
		base.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	if c.Proxy != "" {
		proxy, err := url.Parse(c.Proxy)
		if err != nil || proxy.Host == "" {
			return nil, &step.Failure{Kind: step.Other, Cause: lang.F("pip is set up with a proxy that is not an address: %s", Redact(c.Proxy)), Next: lang.T("correct PIP_PROXY or proxy in pip.conf, then run this again")}
		}
		base.Proxy = http.ProxyURL(proxy)
	}
	secrets := map[string]*url.Userinfo{}
	for _, address := range append(append([]string{}, c.Indexes...), c.Links...) {
		if u, err := url.Parse(address); err == nil && u.User != nil {
			secrets[u.Scheme+"://"+u.Host] = u.User
		}
	}
	client.Transport = authorized{base, secrets}
	return &Index{Config: c, client: client}, nil
}

// authorized sends the password of an address to its own host and no other.
type authorized struct {
	base    http.RoundTripper
	secrets map[string]*url.Userinfo
}

// RoundTrip is http.RoundTripper's.
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if user := a.secrets[r.URL.Scheme+"://"+r.URL.Host]; user != nil && r.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		r = r.Clone(r.Context())
		r.SetBasicAuth(user.Username(), password)
	}
	return a.base.RoundTrip(r)
}

// Client is the one that the index's files are fetched with.
func (x *Index) Client() *http.Client { return x.client }

// Files lists a project's wheels: those of all indexes and of the further
// places, in that order. A failure of one place is one only where no other has
// the project.
func (x *Index) Files(ctx context.Context, project string) ([]Listed, error) {
	var all []Listed
	var failed []error
	add := func(files []Listed, err error) error {
		if ctx.Err() != nil {
			return lang.Errorf("ask the Python package index for %s: %w", project, ctx.Err())
		}
		if err != nil {
			failed = append(failed, err)
		}
		for _, f := range files {
			if n, ok := wheeltag.Parse(f.File); ok && wheeltag.Normal(n.Project) == wheeltag.Normal(project) {
				all = append(all, f)
			}
		}
		return nil
	}
	for _, base := range x.Indexes {
		if err := add(x.page(ctx, base+wheeltag.Normal(project)+"/", project)); err != nil {
			return nil, err
		}
	}
	for _, place := range x.Links {
		var files []Listed
		var err error
		if u, perr := url.Parse(place); perr == nil && (u.Scheme == "https" || u.Scheme == "http") {
			files, err = x.page(ctx, place, project)
		} else {
			files, err = folder(strings.TrimPrefix(place, "file://"))
		}
		if err := add(files, err); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 && len(failed) > 0 {
		return nil, failed[0]
	}
	if len(all) == 0 {
		return nil, x.absent(project, "")
	}
	return all, nil
}

func (x *Index) absent(project, file string) error {
	what := lang.F("no wheel of %s", project)
	if file != "" {
		what = lang.F("no file %s", file)
	}
	var places []string
	for _, p := range append(append([]string{}, x.Indexes...), x.Links...) {
		places = append(places, Redact(p))
	}
	return &step.Failure{Kind: step.NotFound, Cause: lang.F("%s is on the Python package index of this machine (%s, by %s)", what, strings.Join(places, lang.T(", ")), x.From),
		Next: lang.T("add an index that has it (PIP_EXTRA_INDEX_URL), or put the wheel into a folder and name that in PIP_FIND_LINKS")}
}

// folder lists the wheels in a folder.
func folder(dir string) ([]Listed, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // pip passes over it, too
	}
	if err != nil {
		return nil, lang.Errorf("read the folder of wheels: %w", err)
	}
	var files []Listed
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && strings.HasSuffix(e.Name(), ".whl") {
			files = append(files, Listed{File: e.Name(), URL: filepath.Join(dir, e.Name()), Size: info.Size()})
		}
	}
	return files, nil
}

// page fetches one list of files.
func (x *Index) page(ctx context.Context, address, project string) ([]Listed, error) {
	failed := func(why error) error {
		var about *url.Error
		if errors.As(why, &about) {
			why = about.Err // its own text shows the address with the password
		}
		return &step.Failure{Kind: step.NoNetwork, Err: why, Cause: lang.F("the Python package index could not be asked for %s: %s: %s", project, Redact(address), step.Clean(why.Error(), 300)),
			Next: lang.T("check the network, the proxy and the index that pip is set up with (pip config list), then run this again")}
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, failed(lang.Errorf("it is not an address"))
	}
	u.User = nil // the transport sends it
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, failed(err)
	}
	req.Header.Set("Accept", simpleJSON+", "+simpleHTML+"; q=0.2, text/html; q=0.1")
	resp, err := x.client.Do(req)
	if err != nil {
		return nil, failed(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read-only
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return nil, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, &step.Failure{Kind: step.Refused, Cause: lang.F("the Python package index %s answers %s", Redact(address), resp.Status),
			Next: lang.T("put the user name and the password into the address (PIP_INDEX_URL or pip.conf), then run this again")}
	default:
		return nil, failed(errors.New(resp.Status))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	if err == nil && len(body) > maxPage {
		err = lang.Errorf("its answer is larger than %s", step.Bytes(maxPage))
	}
	if err != nil {
		return nil, failed(err)
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		kind = "text/html"
	}
	var files []Listed
	switch kind {
	case simpleJSON, "application/json":
		files, err = parseJSON(body, resp.Request.URL)
	case simpleHTML, "text/html", "application/xhtml+xml":
		files = parseHTML(string(body), resp.Request.URL)
	default:
		err = lang.Errorf("it answers with %s, which is not a list of files", step.Clean(kind, 60))
	}
	if err != nil {
		return nil, failed(err)
	}
	return files, nil
}

// parseJSON reads an answer in JSON (PEP 691, sizes from PEP 700).
func parseJSON(body []byte, base *url.URL) ([]Listed, error) {
	var page struct {
		Meta struct {
			Version string `json:"api-version"`
		} `json:"meta"`
		Files []struct {
			Filename       string            `json:"filename"`
			URL            string            `json:"url"`
			Hashes         map[string]string `json:"hashes"`
			RequiresPython string            `json:"requires-python"`
			Yanked         any               `json:"yanked"` // false, true or the reason
			Size           int64             `json:"size"`
		} `json:"files"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, lang.Errorf("its answer is not the JSON of a package index: %w", err)
	}
	if v := page.Meta.Version; v != "" && !strings.HasPrefix(v, "1.") {
		return nil, lang.Errorf("it speaks version %s of the simple API, and this deployctl knows version 1", step.Clean(v, 20))
	}
	var files []Listed
	for _, f := range page.Files {
		l := Listed{File: f.Filename, Size: f.Size, RequiresPython: f.RequiresPython, SHA256: store.Sum(strings.ToLower(f.Hashes["sha256"]))}
		switch y := f.Yanked.(type) {
		case bool:
			l.Yanked = y
		case string:
			l.Yanked = true
		}
		if l.complete(f.URL, base) {
			files = append(files, l)
		}
	}
	return files, nil
}

// complete makes the address absolute; false leaves the file out.
func (l *Listed) complete(address string, base *url.URL) bool {
	u, err := base.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	if sum, ok := strings.CutPrefix(u.Fragment, "sha256="); ok && l.SHA256 == "" {
		l.SHA256 = store.Sum(strings.ToLower(sum))
	}
	if !l.SHA256.Valid() {
		l.SHA256 = ""
	}
	u.User, u.Fragment = nil, ""
	if l.File == "" {
		l.File = path.Base(u.Path)
	}
	l.URL = u.String()
	return strings.HasSuffix(l.File, ".whl") && !strings.ContainsAny(l.File, `/\`)
}

var (
	comment   = lazyregexp.New(`(?s)<!--.*?-->`)
	tag       = lazyregexp.New(`(?is)<(a|base)\s((?:[^>"']|"[^"]*"|'[^']*')*)>`)
	attribute = lazyregexp.New(`(?is)([a-z][a-z0-9-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?`)
)

// parseHTML reads an answer in HTML (PEP 503): the links of a page, with what
// their attributes say.
func parseHTML(body string, base *url.URL) []Listed {
	var files []Listed
	for _, m := range tag.FindAllStringSubmatch(comment.ReplaceAllString(body, ""), -1) {
		attrs := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(m[2], -1) {
			attrs[strings.ToLower(a[1])] = html.UnescapeString(a[2] + a[3] + a[4])
		}
		address, ok := attrs["href"]
		if !ok {
			continue
		}
		if strings.EqualFold(m[1], "base") {
			if u, err := base.Parse(address); err == nil {
				base = u
			}
			continue
		}
		_, yanked := attrs["data-yanked"]
		l := Listed{RequiresPython: attrs["data-requires-python"], Yanked: yanked}
		if l.complete(address, base) {
			files = append(files, l)
		}
	}
	return files
}

// Locate finds a pinned file. An index that publishes another hash for the name
// is refused: it holds another file.
func (x *Index) Locate(ctx context.Context, project, file string, sum store.Sum) (Listed, error) {
	files, err := x.Files(ctx, project)
	if err != nil {
		return Listed{}, err
	}
	var other *Listed
	for i, f := range files {
		switch {
		case f.File != file:
		case f.SHA256 == "" || f.SHA256 == sum:
			return f, nil
		default:
			other = &files[i]
		}
	}
	if other != nil {
		return Listed{}, &step.Failure{Kind: step.HashMismatch, Cause: lang.F("%s is not the file that was locked: the index publishes the SHA-256 %s for it, not %s", file, other.SHA256, sum),
			Next: lang.T("check the index that pip is set up with: it holds an altered file")}
	}
	return Listed{}, x.absent(project, file)
}

// Fetch brings a locked wheel into the store. What is there already is not
// asked for again.
func (x *Index) Fetch(ctx context.Context, project string, a download.Artifact, o download.Options) (string, error) {
	f, err := x.Locate(ctx, project, a.Name, a.SHA256)
	if err != nil {
		return "", err
	}
	if !strings.Contains(f.URL, "://") {
		a.Mirrors = []string{"file"} // Import looks at size and hash only
		return download.Import(ctx, a, o.Store, f.URL)
	}
	a.Mirrors = []string{f.URL}
	// The address is from pip's own configuration, and the hash decides.
	o.AllowHTTP = o.AllowHTTP || strings.HasPrefix(f.URL, "http://")
	o.Client = x.client
	return download.Fetch(ctx, a, o)
}
