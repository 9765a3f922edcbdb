// Package npm takes shared libraries out of packages of the npm registry, whose
// tarballs carry them for every system. It owns which packages and files those
// are, pinned by hash. It must never run npm's install scripts or any other
// code of a package: it fetches one tarball and unpacks the named files.
//
// The registry is the one that the npm client of this machine is configured
// for, so that a company's mirror is used where there is one. Credentials of
// the npm client are not read; a registry that asks for some answers 401.
package npm

import (
	"context"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/archive"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Package is one version of a package and the libraries in it.
type Package struct {
	// Name in the registry, and what the unpacked folder is called.
	Name, Folder string
	Version      string
	Size         int64 // bytes of the tarball
	SHA256       store.Sum
	// Integrity is what the registry publishes; SHA256 is of the same bytes.
	Integrity string
	// Files are, by GOOS/GOARCH, the files taken from the tarball and their
	// places in the folder.
	Files map[string]map[string]string
}

// ONNXRuntime is the CPU library of ONNX Runtime for every system that the
// package has: no Intel Macs. No headers come with it.
//
// Size, integrity and names as the registry gave them on 2026-11-23; the
// SHA-256 is of the tarball whose SHA-512 is that integrity.
func ONNXRuntime() Package {
	const bin = "package/bin/napi-v6/"
	return Package{
		Name: "onnxruntime-node", Folder: "onnxruntime", Version: "1.30.0", Size: 113_507_888,
		SHA256:    "6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75",
		Integrity: "sha512-twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw==",
		Files: map[string]map[string]string{
			"linux/amd64":   {bin + "linux/x64/libonnxruntime.so.1": "lib/libonnxruntime.so.1"},
			"linux/arm64":   {bin + "linux/arm64/libonnxruntime.so.1": "lib/libonnxruntime.so.1"},
			"darwin/arm64":  {bin + "darwin/arm64/libonnxruntime.1.30.0.dylib": "lib/libonnxruntime.1.30.0.dylib", bin + "darwin/arm64/libonnxruntime.1.dylib": "lib/libonnxruntime.1.dylib"},
			"windows/amd64": {bin + "win32/x64/onnxruntime.dll": "lib/onnxruntime.dll", bin + "win32/x64/DirectML.dll": "lib/DirectML.dll"},
			"windows/arm64": {bin + "win32/arm64/onnxruntime.dll": "lib/onnxruntime.dll", bin + "win32/arm64/DirectML.dll": "lib/DirectML.dll"},
		},
	}
}

// Dir is where a package lies, or would, beneath a folder.
func (p Package) Dir(folder string) string {
	return filepath.Join(folder, p.Folder+"-"+p.Version)
}

// Registry is the registry that this user's npm is configured for: what the
// environment or an npmrc says (npmrc(5), npm 10), else the client's own
// answer. The failure says what to do where there is none of them.
func Registry(ctx context.Context, h *host.Host) (string, error) {
	for _, name := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
		if v := h.Env(name); v != "" {
			return checked(v, name)
		}
	}
	for _, rc := range configs(h) {
		text, err := h.Text(ctx, rc)
		if err != nil && !host.IsNotExist(err) {
			return "", err
		}
		for _, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
			if key, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == "registry" {
				return checked(expand(strings.Trim(strings.TrimSpace(value), `"'`), h), rc)
			}
		}
	}
	found := h.LookPath(ctx, "npm")
	if len(found) == 0 {
		return "", &step.Failure{Kind: step.NotFound, Cause: lang.T("npm is not installed, and nothing else says which registry this machine uses"),
			Next: lang.T("install npm, or set npm_config_registry, or fetch the library by hand")}
	}
	out, err := h.Run(ctx, host.Command{Argv: []string{found[0], "config", "get", "registry"}})
	if err != nil {
		return "", lang.Errorf("ask npm for its registry: %w", err)
	}
	if out.Exit != 0 {
		return "", &step.Failure{Kind: step.Other, Cause: lang.F("npm config get registry ended with exit status %d", out.Exit),
			Next: lang.T("repair npm, then run this again")}
	}
	return checked(strings.TrimSpace(string(out.Stdout)), "npm config get registry")
}

// configs are the user's and the machine's npmrc, in npm's order (npmrc(5): userconfig,
// and globalconfig, which is etc/npmrc below npm's prefix).
func configs(h *host.Host) (files []string) {
	for _, name := range []string{"npm_config_userconfig", "NPM_CONFIG_USERCONFIG"} {
		if v := h.Env(name); v != "" {
			files = append(files, v)
		}
	}
	home := h.Env(map[bool]string{true: "USERPROFILE", false: "HOME"}[h.Windows()])
	if home != "" && len(files) == 0 {
		files = append(files, h.Join(home, ".npmrc"))
	}
	if !h.Windows() {
		return append(files, "/usr/local/etc/npmrc", "/etc/npmrc")
	}
	if data := h.Env("APPDATA"); data != "" {
		files = append(files, h.Join(data, "npm", "etc", "npmrc"))
	}
	return files
}

var variable = lazyregexp.New(`\$\{([^}]+?)(\?)?\}`)

// expand replaces ${NAME} by the environment's value; one that is not set stays as it
// is, or with ${NAME?} is empty (npmrc(5)).
func expand(value string, h *host.Host) string {
	return variable.Get().ReplaceAllStringFunc(value, func(m string) string {
		part := variable.Get().FindStringSubmatch(m)
		if v := h.Env(part[1]); v != "" || part[2] != "" {
			return v
		}
		return m
	})
}

func checked(registry, from string) (string, error) {
	if _, err := base(registry); err != nil {
		return "", &step.Failure{Kind: step.Other, Cause: lang.F("%s gives no address of a registry: %v", from, err),
			Next: lang.T("set the registry with npm config set registry, then run this again")}
	}
	return registry, nil
}

func base(registry string) (*url.URL, error) {
	u, err := url.Parse(registry)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return nil, lang.Errorf("the npm registry's address is not one of http or https without a password")
	}
	return u, nil
}

// Artifact is the package's tarball in a registry.
func (p Package) Artifact(registry string) (download.Artifact, error) {
	u, err := base(registry)
	if err != nil {
		return download.Artifact{}, err
	}
	// A scoped package's file leaves its scope out: @a/b → @a/b/-/b-1.tgz.
	tarball := u.JoinPath(p.Name, "-", path.Base(p.Name)+"-"+p.Version+".tgz")
	return download.Artifact{Name: p.Name + " " + p.Version, Size: p.Size, SHA256: p.SHA256, Mirrors: []string{tarball.String()}}, nil
}

// Pull puts the package's libraries for a system (GOOS/GOARCH) into Dir(folder)
// and gives that folder. What is there already is checked by name only.
// The tarball stays in o.Store. The errors are those of download.Fetch and
// archive.Extract, or that the package has nothing for the system.
func Pull(ctx context.Context, p Package, registry, system, folder string, o download.Options) (string, error) {
	files := p.Files[system]
	if len(files) == 0 {
		return "", &step.Failure{Kind: step.NotFound, Cause: lang.F("%s %s has no library for %s", p.Name, p.Version, step.Clean(system, 40)),
			Next: lang.T("use another engine, or build the library from source")}
	}
	dir := p.Dir(folder)
	if complete(dir, files) {
		return dir, nil
	}
	a, err := p.Artifact(registry)
	if err != nil {
		return "", err
	}
	// npm takes a plain http registry where one is configured (inside a
	// company); the hash decides here as it does there.
	o.AllowHTTP = o.AllowHTTP || strings.HasPrefix(registry, "http://")
	tarball, err := download.Fetch(ctx, a, o)
	if err != nil {
		return "", err
	}
	// A folder that is not complete was not made by this function, which
	// makes it in one rename; it is not deployctl's to remove.
	if _, err := os.Lstat(dir); err == nil {
		return "", &step.Failure{Kind: step.Changed, Cause: lang.F("%s is there and is not complete", dir), Next: lang.T("look at what it holds and remove it, then run this again")}
	}
	res, err := archive.Extract(ctx, tarball, archive.TarGz, dir, archive.Options{Pick: func(name string) string { return files[name] }})
	if err != nil {
		return "", err
	}
	if res.Files != len(files) {
		return "", lang.Errorf("%s holds %d of %d libraries; this is a mistake in deployctl's list", a.Name, res.Files, len(files))
	}
	return dir, nil
}

func complete(dir string, files map[string]string) bool {
	for _, to := range files {
		if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(to))); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
			return false
		}
	}
	return true
}
