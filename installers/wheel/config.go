package wheel

import (
	"context"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Config is what pip on a machine is set up with, as far as fetching a file
// depends on it.
type Config struct {
	// Indexes are the base addresses of the simple repository API, in order.
	// They may hold a user name and a password: show them with Redact only.
	Indexes []string
	// Links are further places to look for files: folders and pages.
	Links []string
	// Cert is a file of the certificates to trust, Proxy the proxy to use; ""
	// for the system's.
	Cert, Proxy string
	// From says where each came from, for messages: PIP_INDEX_URL, a file.
	From string
}

// settings are the values of pip's options by name (index-url), the last one
// that was read.
type settings map[string]struct{ value, from string }

func (s settings) set(key, value, from string) {
	// pip reads its options' names with underscores, too (configuration.py).
	s[strings.ToLower(strings.ReplaceAll(strings.TrimSpace(key), "_", "-"))] = struct{ value, from string }{value, from}
}

// Read reads pip's configuration: its files, then the environment, then what
// pip itself says its default index is. Nothing is fetched.
//
// The files and their order are those of pip's documentation (topics,
// "Configuration"): global, user, site, PIP_CONFIG_FILE; in each the section
// [global], then the one of the command, here [download].
func Read(ctx context.Context, h *host.Host) (Config, error) {
	s := settings{}
	for _, file := range configFiles(ctx, h) {
		text, err := h.Text(ctx, file)
		if host.IsNotExist(err) {
			continue
		}
		if err != nil {
			return Config{}, lang.Errorf("read pip's configuration: %w", err)
		}
		parseINI(text, file, s)
	}
	for _, key := range []string{"index-url", "extra-index-url", "find-links", "no-index", "cert", "proxy"} {
		name := "PIP_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
		if v := h.Env(name); v != "" {
			s.set(key, v, name)
		}
	}
	c := Config{Links: words(s["find-links"].value), Cert: s["cert"].value, Proxy: s["proxy"].value}
	if truth(s["no-index"].value) {
		if len(c.Links) == 0 {
			return c, &step.Failure{Kind: step.NotFound, Cause: lang.F("%s turns the Python package index off (no-index), and find-links names no other place", s["no-index"].from),
				Next: lang.T("set find-links to a folder that holds the wheels, or remove no-index")}
		}
		c.From = s["find-links"].from
		return c, nil
	}
	main := s["index-url"]
	if main.value == "" {
		var err error
		if main.value, err = pipsDefault(ctx, h); err != nil {
			return c, err
		}
		main.from = "pip"
	}
	c.From = main.from
	for _, address := range append([]string{main.value}, words(s["extra-index-url"].value)...) {
		if err := checkIndex(address); err != nil {
			return c, &step.Failure{Kind: step.Other, Cause: lang.F("%s names a Python package index that cannot be used: %v", main.from, err),
				Next: lang.T("correct the address with pip config set global.index-url ADDRESS, then run this again")}
		}
		c.Indexes = append(c.Indexes, strings.TrimSuffix(address, "/")+"/")
	}
	return c, nil
}

// configFiles are the files that pip reads, the one that wins last.
func configFiles(ctx context.Context, h *host.Host) []string {
	var files []string
	home, name := h.Env("HOME"), "pip.conf"
	if h.Windows() {
		home, name = h.Env("USERPROFILE"), "pip.ini"
	}
	add := func(base string, elem ...string) {
		if base != "" {
			files = append(files, h.Join(append([]string{base}, elem...)...))
		}
	}
	own := h.Env("PIP_CONFIG_FILE")
	if own == "/dev/null" || strings.EqualFold(own, "nul") {
		return nil // pip reads no file then (os.devnull)
	}
	switch {
	case h.Windows():
		add(h.Env("ProgramData"), "pip", name)
		add(home, "pip", name)
		add(h.Env("APPDATA"), "pip", name)
	case h.OS == "darwin":
		add("/Library/Application Support", "pip", name)
		add(home, ".pip", name)
		if support := h.Join(home, "Library/Application Support/pip"); home != "" && h.Exists(ctx, support) {
			add(support, name)
		} else {
			add(home, ".config/pip", name)
		}
	default:
		for _, dir := range slices.Backward(strings.Split(orDefault(h.Env("XDG_CONFIG_DIRS"), "/etc/xdg"), ":")) {
			if path.IsAbs(dir) {
				add(dir, "pip", name)
			}
		}
		add("/etc", name)
		add(home, ".pip", name)
		if x := h.Env("XDG_CONFIG_HOME"); x != "" {
			add(x, "pip", name)
		} else {
			add(home, ".config/pip", name)
		}
	}
	add(h.Env("VIRTUAL_ENV"), name)
	add(own)
	return files
}

func orDefault(value, standard string) string {
	if value == "" {
		return standard
	}
	return value
}

// parseINI reads the sections global and download of a file of Python's
// configparser: a value goes on in the lines below it that are indented.
func parseINI(text, from string, into settings) {
	sections := map[string]settings{"global": {}, "download": {}}
	var section settings
	key := ""
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimRight(line, " \t\r\n")
		bare := strings.TrimSpace(line)
		switch {
		case bare == "" || bare[0] == '#' || bare[0] == ';':
		case line[0] == '[' && strings.HasSuffix(bare, "]"):
			section, key = sections[strings.Trim(bare, "[]")], ""
		case section == nil:
		case (line[0] == ' ' || line[0] == '\t') && key != "":
			section.set(key, strings.TrimSpace(section[key].value+" "+bare), from)
		default:
			if i := strings.IndexAny(line, "=:"); i > 0 {
				key = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(line[:i]), "_", "-"))
				section.set(key, strings.TrimSpace(line[i+1:]), from)
			}
		}
	}
	for _, name := range []string{"global", "download"} {
		for key, v := range sections[name] {
			into[key] = v
		}
	}
}

// words splits a list; pip separates its entries by spaces and line breaks.
func words(list string) []string { return strings.Fields(list) }

// truth reads a switch as Python's strtobool does.
func truth(value string) bool {
	switch strings.ToLower(value) {
	case "1", "y", "yes", "t", "true", "on":
		return true
	}
	return false
}

var inHelp = lazyregexp.New(`--index-url <url>\s[^(]*\(default\s+(\S+?)\)`)

// pipsDefault is the index that pip uses where nothing names one. Only pip
// knows it: it stands in the help of its command.
func pipsDefault(ctx context.Context, h *host.Host) (string, error) {
	var broken []string
	for _, argv := range [][]string{{"pip3"}, {"pip"}, {"python3", "-m", "pip"}, {"python", "-m", "pip"}, {"py", "-m", "pip"}} {
		// The system's own first: any pip will say it, and not everybody's may run.
		program := h.SystemPath(ctx, argv[0])
		if found := h.LookPath(ctx, argv[0]); program == "" && len(found) > 0 {
			program = found[0]
		}
		if program == "" {
			continue
		}
		argv[0] = program
		// pip wraps its help to the terminal's width, an address too.
		out, err := h.Run(ctx, host.Command{Argv: append(argv, "download", "--help"), Env: []string{"COLUMNS=1000", "PIP_NO_COLOR=1", "PIP_DISABLE_PIP_VERSION_CHECK=1"}})
		if ctx.Err() != nil {
			return "", lang.Errorf("ask pip for its index: %w", ctx.Err())
		}
		if err != nil || out.Exit != 0 {
			broken = append(broken, strings.Join(argv, " "))
			continue
		}
		if m := inHelp.Get().FindSubmatch(out.Stdout); m != nil {
			return string(m[1]), nil
		}
		broken = append(broken, strings.Join(argv, " "))
	}
	cause := lang.T("no Python package index is known: pip is not installed, and neither PIP_INDEX_URL nor pip.conf names one")
	if len(broken) > 0 {
		cause = lang.F("no Python package index is known: neither PIP_INDEX_URL nor pip.conf names one, and %s does not say its default", step.Clean(broken[0], 120))
	}
	return "", &step.Failure{Kind: step.NotFound, Cause: cause, Next: lang.T("set PIP_INDEX_URL to the address of your index (it usually ends in /simple), then run this again")}
}

func checkIndex(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return lang.Errorf("it is not an address") // url's own error would show the password
	}
	if u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return lang.Errorf("%s is not an address that begins with https:// or http://", Redact(address))
	}
	return nil
}

// Redact is an address that may be shown: without user name, password, query
// and fragment.
func Redact(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		if i := strings.LastIndex(address, "@"); i >= 0 {
			return "…@" + step.Clean(address[i+1:], 200)
		}
		return step.Clean(address, 200)
	}
	if u.User != nil {
		u.User = url.User("…")
	}
	u.RawQuery, u.Fragment = "", ""
	text := u.String()
	if shown, err := url.PathUnescape(text); err == nil {
		text = shown
	}
	return step.Clean(text, 200)
}
