package compile

import (
	"context"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
)

// tick is how often a build says that it goes on.
const tick = 200 * time.Millisecond

// Result is what the Go command did.
type Result struct {
	Out host.Output
	Err error
}

// OK reports whether it ended well.
func (r Result) OK() bool { return r.Err == nil && r.Out.Exit == 0 && r.Out.Signal == "" }

// Run runs the Go command in dir, with a sign of life.
func Run(ctx context.Context, p engine.Process, dir string, argv, env []string, progress engine.Progress) Result {
	done := make(chan Result, 1)
	go func() {
		out, err := p.Run(ctx, host.Command{Argv: argv, Env: env, Dir: dir})
		done <- Result{out, err}
	}()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case r := <-done:
			return r
		case <-ticker.C:
			progress.Add(1)
		}
	}
}

// Environment makes a build depend on nothing but the worker's recipe. GOPROXY
// and the caches stay the user's, so that a mirror or a filled module cache works;
// where that folder is missing or another user's, they are below cache.
func Environment(cache string) []string {
	return append([]string{
		"GO111MODULE=on", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOTOOLCHAIN=local",
		// The worker's go.sum pins every byte; a checksum database adds nothing.
		"GOSUMDB=off",
		"GOOS=", "GOARCH=",
		// Compilers translate their messages, which are read in English.
		"LC_ALL=C",
	}, folders(cache)...)
}

// Version asks the Go command for its version (1.19.8). known is used when not
// empty.
func Version(ctx context.Context, p engine.Process, name, command, known string) (string, error) {
	if command == "" {
		return "", &engine.Unavailable{Engine: name, Why: lang.T("there is no Go command to compile its worker with"), Fix: lang.T("install Go (deployctl doctor --fix)")}
	}
	if known != "" {
		return strings.TrimPrefix(known, "go"), nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// GOTOOLCHAIN=local here too: otherwise a go.mod nearby decides.
	out, err := p.Run(ctx, host.Command{Argv: []string{command, "version"}, Env: []string{"GOTOOLCHAIN=local"}})
	f := strings.Fields(string(out.Stdout))
	if err != nil || out.Exit != 0 || len(f) < 3 || !strings.HasPrefix(f[2], "go") {
		return "", &engine.Unavailable{Engine: name, Why: lang.F("%s does not tell its version", command), Fix: lang.T("reinstall Go"), Err: err}
	}
	return strings.TrimPrefix(f[2], "go"), nil
}

// AtLeast compares two versions of the Go command.
func AtLeast(have, want string) bool {
	h, errH := version.NewVersion(have)
	w, errW := version.NewVersion(want)
	return errH == nil && errW == nil && h.GreaterThanOrEqual(w)
}

// Unfetched explains the log of a Go command that could not fetch a module; why
// is "" for another log.
func Unfetched(log string) (why, fix string) {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(log, p) {
				return true
			}
		}
		return false
	}
	if !has("dial tcp", "no such host", "connection refused", "proxyconnect", "i/o timeout", "TLS handshake", "x509:", "not a valid zip file", "invalid character '<'",
		"403 Forbidden", "404 Not Found", "407 Proxy", "410 Gone", "511 Network", "502 Bad Gateway", "503 Service", "module lookup disabled", "unexpected EOF", "server misbehaving") {
		return "", ""
	}
	switch {
	case has("certificate has expired or is not yet valid"):
		return lang.T("by this machine's clock the server's certificate is not valid"), lang.T("correct the clock (see date)")
	case has("x509:"):
		if runtime.GOOS == "windows" {
			return lang.T("this machine does not trust the server's certificate"), lang.T("add the certificate of a proxy that inspects TLS to the Trusted Root Certification Authorities (certmgr.msc)")
		}
		return lang.T("this machine does not trust the server's certificate"), lang.T("install the certificate authorities (the package ca-certificates), and add that of a proxy which inspects TLS")
	case has("407 Proxy", "proxyconnect"):
		return lang.T("the proxy did not let it through"), lang.T("check HTTPS_PROXY: its address, and its user name and password")
	case has("no such host", "server misbehaving"):
		return lang.T("the server's name was not found (DNS)"), lang.T("check the network and its DNS servers, or set GOPROXY to a mirror (file:///… works offline)")
	case has("404 Not Found", "410 Gone", "module lookup disabled", "403 Forbidden"):
		return lang.T("GOPROXY's server does not serve it"), lang.T("set GOPROXY to a mirror that has it (file:///… works offline)")
	case has("511 Network", "not a valid zip file", "invalid character '<'"):
		return lang.T("a web page came in its place"), lang.T("log in to the network (open any http page in a browser), or check the proxy")
	}
	return lang.T("the server was not reached"), lang.T("check the network, or set GOPROXY to a mirror (file:///… works offline)")
}

// TooFewDescriptors is the sentence for a process that cannot open enough files.
func TooFewDescriptors() (why, fix string) {
	return lang.T("there are too few file descriptors to compile its worker"), lang.T("raise the limit (ulimit -n 1024)")
}
