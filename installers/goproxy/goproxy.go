// Package goproxy owns Go modules as locked files: fetching them from a module
// proxy, checking them against go.sum's own hashes, and laying them out as a
// proxy in a folder, from which the Go command builds without a network. It
// must never build anything, and never take a module whose hash was not pinned.
//
// The layout is that of the module proxy protocol (go.dev/ref/mod#goproxy-protocol):
// PATH/@v/VERSION.mod and .zip. Nothing else is asked for a version that go.mod
// names in full.
package goproxy

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Pin is one file of a module with the hash that go.sum has of it.
type Pin struct {
	Path, Version string
	Ext           string // mod or zip
	Sum           string // h1:…
}

// maxBytes bounds a module's file; the Go command's own limit for a zip.
const maxBytes = 500 << 20

// Base is the address of the module proxy that this machine's Go command uses:
// the first one of GOPROXY. goCommand may be "" where GOPROXY is set.
func Base(ctx context.Context, h *host.Host, goCommand string) (string, error) {
	list := h.Env("GOPROXY")
	if list == "" && goCommand != "" {
		// In a folder of its own, so that no go.mod nearby wants another Go.
		out, err := h.Run(ctx, host.Command{Argv: []string{goCommand, "env", "GOPROXY"}, Dir: os.TempDir(), Env: []string{"GOTOOLCHAIN=local"}})
		if err != nil {
			return "", lang.Errorf("ask Go for its module proxy: %w", err)
		}
		list = string(out.Stdout)
	}
	for _, entry := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '|' }) {
		entry = strings.TrimSpace(entry)
		if u, err := url.Parse(entry); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil {
			return strings.TrimSuffix(entry, "/"), nil
		}
	}
	return "", &step.Failure{Kind: step.NotFound, Cause: lang.T("no Go module proxy is known to fetch the worker's modules from (GOPROXY names none that is asked by http or https)"),
		Next: lang.T("set GOPROXY to a proxy with an http or https address")}
}

// Lock fetches the pinned files from the proxy at base into the store and gives
// them with their size and SHA-256. Bytes that differ from a pin are refused.
func Lock(ctx context.Context, pins []Pin, base string, client *http.Client, s *store.Store) ([]lockfile.Module, error) {
	var list []lockfile.Module
	for _, p := range pins {
		m, err := lock(ctx, p, base, client, s)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

func lock(ctx context.Context, p Pin, base string, client *http.Client, s *store.Store) (lockfile.Module, error) {
	name, err := place(p.Path, p.Version, p.Ext)
	if err != nil {
		return lockfile.Module{}, err
	}
	address := base + "/" + name
	m := lockfile.Module{Path: p.Path, Version: p.Version, Ext: p.Ext,
		File: step.Fetch{Name: p.Path + "@" + p.Version + "." + p.Ext, Mirrors: []string{address}, Trusted: strings.HasPrefix(address, "http://")}}
	temp, err := os.CreateTemp("", "deployctl-module-*")
	if err != nil {
		return m, store.Explain(os.TempDir(), err)
	}
	size, err := get(ctx, client, address, temp)
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = check(p, temp.Name())
	}
	if err == nil {
		var sum store.Sum
		if sum, err = store.Hash(ctx, temp.Name()); err == nil {
			m.File.Size, m.File.SHA256 = size, string(sum)
			_, err = download.Import(ctx, download.Artifact{Name: m.File.Name, Size: size, SHA256: sum, Mirrors: m.File.Mirrors}, s, temp.Name())
		}
	}
	return m, errors.Join(err, os.Remove(temp.Name()))
}

// get is a plain request: neither size nor SHA-256 are known before.
func get(ctx context.Context, client *http.Client, address string, w io.Writer) (int64, error) {
	failed := func(why error) error {
		return &step.Failure{Kind: step.NoNetwork, Err: why, Cause: lang.F("the Go module file %s could not be fetched: %v", address, why), Next: lang.T("check the network and GOPROXY, then run this again")}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, failed(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, failed(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read-only
	if download.WebPage(resp) {
		return 0, failed(download.ErrWebPage)
	}
	if resp.StatusCode != http.StatusOK {
		return 0, failed(errors.New(resp.Status))
	}
	n, err := io.Copy(w, io.LimitReader(resp.Body, maxBytes+1))
	if err == nil && n > maxBytes {
		err = lang.Errorf("it is larger than %s", step.Bytes(maxBytes))
	}
	if err != nil {
		return 0, failed(err)
	}
	return n, nil
}

// check compares a file with its pin, as the Go command does.
func check(p Pin, file string) error {
	var sum string
	var err error
	if p.Ext == "zip" {
		sum, err = dirhash.HashZip(file, dirhash.Hash1)
	} else {
		sum, err = dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return os.Open(file) })
	}
	if err != nil && !errors.Is(err, zip.ErrFormat) {
		return lang.Errorf("hash %s@%s: %w", p.Path, p.Version, err)
	}
	if sum != p.Sum {
		return &step.Failure{Kind: step.HashMismatch, Cause: lang.F("the content of %s@%s.%s is not what deployctl pinned (%s instead of %s)", p.Path, p.Version, p.Ext, cmp.Or(sum, lang.T("not a zip file")), p.Sum),
			Next: lang.T("check GOPROXY: a proxy alters files")}
	}
	return nil
}

// place is a file's path beneath a proxy.
func place(path, version, ext string) (string, error) {
	if err := module.Check(path, version); err != nil {
		return "", lang.Errorf("no Go module: %w", err)
	}
	p, err := module.EscapePath(path)
	if err != nil {
		return "", lang.Errorf("no Go module: %w", err)
	}
	v, err := module.EscapeVersion(version)
	if err != nil {
		return "", lang.Errorf("no Go module: %w", err)
	}
	return p + "/@v/" + v + "." + ext, nil
}

// Lay puts the modules into a proxy in the folder dir and gives its address for
// GOPROXY. The files come from the store, hashed now, by a hard link where the
// file system can; the error is store.ErrAbsent for one that is not there.
func Lay(ctx context.Context, modules []lockfile.Module, s *store.Store, dir string) (string, error) {
	for _, m := range modules {
		name, err := place(m.Path, m.Version, m.Ext)
		if err != nil {
			return "", err
		}
		sum := store.Sum(m.File.SHA256)
		if _, err := s.Get(ctx, sum, m.File.Size); err != nil {
			return "", lang.Errorf("take %s out of the store: %w", m.File.Name, err)
		}
		if err := s.Place(ctx, sum, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return "", err
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", lang.Errorf("find %s: %w", dir, err)
	}
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}
	if runtime.GOOS == "windows" {
		address.Path = "/" + address.Path
	}
	return address.String(), nil
}
