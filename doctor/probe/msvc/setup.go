package msvc

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Setup is what Visual Studio's installer says of one instance, in state.json of
// the setup cache or through vswhere's JSON.
type Setup struct {
	InstanceID string
	Path       string // installation folder, no trailing slash
	Version    string // 17.10.34928.147
	// DisplayVersion is what people see: 17.10.1, 18.0.0 Insiders.
	DisplayVersion string
	DisplayName    string
	ProductID      string // Microsoft.VisualStudio.Product.BuildTools
	ChannelID      string // VisualStudio.17.Release
	Nickname       string
	UpdateDate     string
	LineVersion    string // 2017 … 2026, or 18 in early previews
	Milestone      string // RTW, Preview, Insiders
	// The following are nil where the source does not say.
	Prerelease, Complete, Launchable, RebootRequired *bool
	// State holds the bits of Microsoft.VisualStudio.Setup.Configuration.InstanceState.
	State *uint32
	// Registered: state.json names a product (setup got that far).
	Registered *bool
	// Packages are the ids of everything installed; Selected what was asked for.
	Packages []string
	Selected []string
	// Failed are the ids of packages that setup could not install.
	Failed []string
}

// Bits of InstanceState (Microsoft.VisualStudio.Setup.Configuration).
const (
	stateLocal            = 1
	stateRegistered       = 2
	stateNoRebootRequired = 4
	stateNoErrors         = 8
	stateComplete         = 0xFFFFFFFF
)

// maxPackages bounds the package ids kept of one record; a full Enterprise
// installation has about 3,000.
const maxPackages = 20_000

// ParseState reads one state.json. A byte order mark and unknown keys do not
// matter; of a file that was cut, what stands before the cut is returned
// together with the error.
func ParseState(data []byte) (Setup, error) {
	v, err := lenientJSON(strings.TrimPrefix(string(data), "\ufeff"))
	obj, ok := v.(map[string]any)
	if !ok {
		if err == nil {
			err = lang.Errorf("not a JSON object")
		}
		return Setup{}, lang.Errorf("visual studio setup record: %w", err)
	}
	s := fromObject(obj)
	// Only state.json has the product nested, so only here its absence means
	// that setup had not registered one.
	registered := s.ProductID != ""
	if p, ok := obj["product"].(map[string]any); ok {
		if installed, ok := p["installed"].(bool); ok {
			registered = registered && installed
		}
	}
	s.Registered = &registered
	if err != nil {
		return s, lang.Errorf("visual studio setup record: %w", err)
	}
	return s, nil
}

// ParseVSWhere reads vswhere's JSON. What a damaged console code page or a cut
// left readable is still read. No instance and no error means that vswhere found
// none.
func ParseVSWhere(data []byte) ([]Setup, error) {
	body := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
	if body == "" {
		return nil, nil
	}
	if body[0] != '[' && body[0] != '{' {
		return nil, lang.Errorf("vswhere output: no instance in it: %q", clip(body, 80))
	}
	v, err := lenientJSON(body)
	list := fromList(v)
	if err == nil {
		return list, nil
	}
	// The lines say more than the part before the damage.
	if byLine := parseJSONLines(body); better(byLine, list) {
		list = byLine
	}
	if len(list) == 0 {
		return nil, lang.Errorf("vswhere output: %w", err)
	}
	return list, nil
}

func better(a, b []Setup) bool {
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	full := func(list []Setup) (n int) {
		for _, s := range list {
			for _, f := range []string{s.Path, s.Version, s.ProductID, s.ChannelID, s.DisplayVersion} {
				if f != "" {
					n++
				}
			}
		}
		return n
	}
	return full(a) > full(b)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// lenientJSON decodes a JSON text; where it breaks off, what was read so far is
// returned with the error.
func lenientJSON(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return jsonValue(d, 0)
}

// maxDepth keeps a hostile file from exhausting the stack.
const maxDepth = 64

func jsonValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, lang.Errorf("nested deeper than %d", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := jsonValue(d, depth+1)
			if v != nil || err == nil {
				list = append(list, v)
			}
			if err != nil {
				return list, err
			}
		}
		_, err = d.Token()
		return list, unexpected(err)
	}
	obj := map[string]any{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return obj, unexpected(err)
		}
		v, err := jsonValue(d, depth+1)
		if name, ok := key.(string); ok && v != nil {
			obj[name] = v
		}
		if err != nil {
			return obj, err
		}
	}
	_, err = d.Token()
	return obj, unexpected(err)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func fromList(v any) []Setup {
	switch v := v.(type) {
	case map[string]any:
		if s := fromObject(v); s.identified() {
			return []Setup{s}
		}
	case []any:
		var list []Setup
		for _, e := range v {
			if obj, ok := e.(map[string]any); ok {
				if s := fromObject(obj); s.identified() {
					list = append(list, s)
				}
			}
		}
		return list
	}
	return nil
}

// identified: the record names an instance at all.
func (s Setup) identified() bool { return s.InstanceID != "" || s.Path != "" }

// fromObject reads a record of either form.
func fromObject(obj map[string]any) Setup {
	flat := map[string]string{}
	var s Setup
	for key, v := range obj {
		k := strings.ToLower(key)
		if k == "cataloginfo" { // state.json's name
			k = "catalog"
		}
		switch v := v.(type) {
		case map[string]any:
			switch k {
			case "product":
				flat["productid"] = cmp.Or(scalar(v["id"]), scalar(v["Id"]))
			case "installationversion": // VSSetup gives .NET's version object
				flat[k] = fmt.Sprintf("%s.%s.%s.%s", scalar(v["Major"]), scalar(v["Minor"]), scalar(v["Build"]), scalar(v["Revision"]))
			case "errors":
				s.Failed = failed(v)
			default:
				for sub, x := range v {
					flat[k+"_"+strings.ToLower(sub)] = scalar(x)
				}
			}
		case []any:
			switch k {
			case "packages":
				s.Packages = ids(v)
			case "selectedpackages":
				s.Selected = ids(v)
			case "errors":
				s.Failed = ids(v)
				if len(s.Failed) == 0 && len(v) > 0 {
					s.Failed = []string{"unnamed"}
				}
			case "localizedresources":
				flat["title"] = title(v)
			case "catalog", "properties": // VSSetup gives lists of keys and values
				for _, e := range v {
					if pair, ok := e.(map[string]any); ok {
						flat[k+"_"+strings.ToLower(scalar(pair["Key"]))] = scalar(pair["Value"])
					}
				}
			}
		default:
			flat[k] = scalar(v)
		}
	}
	s.fill(flat)
	return s
}

// fill takes the fields from lower-case keys, nested ones joined by "_".
func (s *Setup) fill(flat map[string]string) {
	first := func(keys ...string) string {
		for _, k := range keys {
			if flat[k] != "" {
				return flat[k]
			}
		}
		return ""
	}
	s.InstanceID = first("instanceid")
	s.Path = trimSlash(first("installationpath", "resolvedinstallationpath", "path"))
	s.Version = first("installationversion", "catalog_buildversion", "version")
	s.DisplayVersion = first("catalog_productdisplayversion")
	s.DisplayName = first("displayname", "title")
	s.ProductID = first("productid")
	s.ChannelID = first("channelid", "installedchannelid")
	s.Nickname = first("properties_nickname", "nickname")
	s.UpdateDate = first("updatedate")
	s.LineVersion = first("catalog_productlineversion")
	s.Milestone = first("catalog_productmilestone")
	s.Prerelease = boolean(first("isprerelease", "catalog_productmilestoneisprerelease"))
	s.Complete = boolean(first("iscomplete"))
	s.Launchable = boolean(first("islaunchable"))
	s.RebootRequired = boolean(first("isrebootrequired"))
	if n, err := strconv.ParseInt(first("state"), 10, 64); err == nil && n >= -1 && n <= stateComplete {
		bits := uint32(n) // -1 is how a signed reader prints eComplete
		s.State = &bits
		if s.RebootRequired == nil {
			reboot := bits&stateNoRebootRequired == 0
			s.RebootRequired = &reboot
		}
		if s.Complete == nil {
			complete := bits == stateComplete
			s.Complete = &complete
		}
	}
	if s.ProductID == "" {
		for _, id := range s.Packages {
			if strings.HasPrefix(id, "Microsoft.VisualStudio.Product.") {
				s.ProductID = id
				break
			}
		}
	}
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func boolean(s string) *bool {
	var b bool
	switch strings.ToLower(s) {
	case "1", "true", "yes":
		b = true
	case "0", "false", "no":
	default:
		return nil
	}
	return &b
}

// ids reads a list of package references: objects with an id, or plain strings.
func ids(list []any) []string {
	var out []string
	for _, e := range list {
		var id string
		switch e := e.(type) {
		case string:
			id = e
		case map[string]any:
			id = cmp.Or(scalar(e["id"]), scalar(e["Id"]))
		}
		if id != "" && len(out) < maxPackages {
			out = append(out, id)
		}
	}
	return out
}

// failed reads the error record: lists of packages under several names.
func failed(v map[string]any) []string {
	var out []string
	for _, key := range []string{"failedPackages", "packages", "skippedPackages"} {
		if list, ok := v[key].([]any); ok {
			out = append(out, ids(list)...)
		}
	}
	if len(out) == 0 && len(v) > 0 {
		out = []string{"unnamed"}
	}
	return out
}

// title is the English name where there is one, else the first.
func title(list []any) string {
	var first string
	for _, e := range list {
		r, ok := e.(map[string]any)
		if !ok {
			continue
		}
		t := scalar(r["title"])
		if strings.HasPrefix(strings.ToLower(scalar(r["language"])), "en") && t != "" {
			return t
		}
		first = cmp.Or(first, t)
	}
	return first
}

func trimSlash(p string) string {
	t := strings.TrimRight(p, `\/`)
	if strings.HasSuffix(t, ":") { // C:\ itself
		return t + `\`
	}
	return t
}

var jsonLine = lazyregexp.New(`^\s*"(\w+)"\s*:\s*(.*?),?\s*$`)

// parseJSONLines reads indented JSON line by line, for a text whose quotes were
// eaten by a wrong console code page or that was cut.
func parseJSONLines(text string) []Setup {
	var list []Setup
	flat, group, depth := map[string]string{}, "", 0
	end := func() {
		var s Setup
		if s.fill(flat); s.identified() {
			list = append(list, s)
		}
		flat, group, depth = map[string]string{}, "", 0
	}
	for line := range strings.SplitSeq(text, "\n") {
		if t := strings.TrimSpace(line); strings.HasPrefix(t, "}") || strings.HasPrefix(t, "]") {
			if depth > 0 {
				depth--
			}
			if depth == 0 {
				group = ""
			}
			continue
		}
		m := jsonLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		key, value := strings.ToLower(m[1]), m[2]
		if key == "instanceid" && flat["instanceid"] != "" {
			end()
		}
		if value == "{" || value == "[" {
			if depth++; depth == 1 {
				group = key + "_"
			}
			continue
		}
		if depth > 1 {
			continue
		}
		flat[group+key] = unquote(value)
	}
	end()
	return list
}

var keyLine = lazyregexp.New(`^\s*(\w+)\s*: ?(.*?)\s*$`)

// ParseKeyLines reads vswhere's text ("installationPath: C:\…") and the list of
// PowerShell's VSSetup module ("InstallationPath    : C:\…"). A text of something
// else gives no instance.
func ParseKeyLines(text string) []Setup {
	var list []Setup
	flat := map[string]string{}
	end := func() {
		var s Setup
		if s.fill(flat); s.identified() {
			list = append(list, s)
		}
		flat = map[string]string{}
	}
	for line := range strings.SplitSeq(text, "\n") {
		m := keyLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		key := strings.ToLower(m[1])
		if key == "instanceid" && flat["instanceid"] != "" {
			end()
		}
		if flat[key] == "" {
			flat[key] = m[2]
		}
	}
	end()
	return list
}

func unquote(v string) string {
	if s, err := strconv.Unquote(v); err == nil && strings.HasPrefix(v, `"`) {
		return s
	}
	v = strings.TrimPrefix(v, `"`)
	v = strings.TrimSuffix(v, `"`)
	return strings.ReplaceAll(v, `\\`, `\`)
}
