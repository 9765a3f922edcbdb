package tools

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"regexp"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// small is enough of the files read here, but for package databases.
const small = 64 << 10

// read returns a file's text, "" when it cannot be read: the version then stays
// unknown, which is no error for a program that is there.
func read(ctx context.Context, h *host.Host, name string, limit int64) string {
	data, _, err := h.ReadFile(ctx, name, limit)
	if err != nil {
		return ""
	}
	return string(data)
}

func tell(inst *facts.Instance, version, source string) {
	if version = look.Clean(version); version == "" {
		return
	}
	inst.Version = version
	inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: source, Detail: version})
}

// tellBy tells the version that an expression finds in a file, and whether it did.
func tellBy(ctx context.Context, h *host.Host, inst *facts.Instance, file string, version *lazyregexp.Regexp) bool {
	m := version.FindStringSubmatch(read(ctx, h, file, small))
	if m != nil {
		tell(inst, m[1], file)
	}
	return m != nil
}

var (
	dnfConst  = lazyregexp.New(`(?m)^VERSION\s*=\s*['"](\d+(?:\.\d+)+)`)
	yumInit   = lazyregexp.New(`(?m)^__version__\s*=\s*['"](\d+(?:\.\d+)+)`)
	pacmanDir = lazyregexp.New(`^pacman-(\d+(?:\.\d+)+)-\d+$`)
)

// dnfVersion reads the version from the Python packages of dnf 4 and yum 3,
// which take a third of a second to start.
func dnfVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	if h.Base(c.Real) == "dnf5" {
		return // a quick program in C++, which is asked
	}
	for _, lib := range []string{"/usr/lib", "/usr/lib64"} {
		for _, dir := range h.Glob(ctx, lib, "python*") {
			if tellBy(ctx, h, inst, dir+"/site-packages/dnf/const.py", dnfConst) || tellBy(ctx, h, inst, dir+"/site-packages/yum/__init__.py", yumInit) {
				return
			}
		}
	}
}

// pacmanVersion reads the name of pacman's own entry in its database.
func pacmanVersion(ctx context.Context, h *host.Host, _ look.Copy, inst *facts.Instance) {
	for _, p := range h.Glob(ctx, "/var/lib/pacman/local", "pacman-[0-9]*") {
		if m := pacmanDir.FindStringSubmatch(h.Base(p)); m != nil {
			tell(inst, m[1], p)
			return
		}
	}
}

// apkVersion reads apk's database (apk-package(5): P: is the name, V: the version).
func apkVersion(ctx context.Context, h *host.Host, _ look.Copy, inst *facts.Instance) {
	for _, name := range []string{"/lib/apk/db/installed", "/usr/lib/apk/db/installed"} {
		const enough = 2 << 10
		found, err := h.Search(ctx, name, "\nP:apk-tools\n", host.MaxFile, enough)
		if err != nil || found == nil {
			continue
		}
		stanza, _, _ := strings.Cut(string(found), "\n\n")
		for line := range strings.SplitSeq(stanza, "\n") {
			if v, ok := strings.CutPrefix(line, "V:"); ok {
				inst.Attrs["package"] = look.Clean(v)
				tell(inst, look.Upstream(v), name)
				return
			}
		}
	}
}

var commit = lazyregexp.New(`^[0-9a-f]{40,64}$`)

// brewVersion reads the description that Homebrew keeps of its commit; brew
// itself is a script that takes long to start.
func brewVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	root := h.DirOf(h.DirOf(c.Real)) // …/Homebrew/bin/brew or PREFIX/bin/brew
	inst.Attrs["root"] = h.DirOf(h.DirOf(c.Path))
	head := strings.TrimSpace(read(ctx, h, root+"/.git/HEAD", 4096))
	if ref, ok := strings.CutPrefix(head, "ref: "); ok && look.IsPath(ref) && !strings.Contains(ref, "..") {
		head = strings.TrimSpace(read(ctx, h, root+"/.git/"+ref, 4096))
	}
	if !commit.MatchString(head) {
		return
	}
	name := root + "/.git/describe-cache/" + head
	text := read(ctx, h, name, 4096)
	if text == "" {
		for _, p := range h.Glob(ctx, root+"/.git/describe-cache", head+"*") {
			name, text = p, read(ctx, h, p, 4096)
		}
	}
	version, _, _ := strings.Cut(strings.TrimSpace(text), "-")
	tell(inst, version, name)
}

// wingetVersion reads the name under which App Installer, which carries
// winget, is registered for the user.
func wingetVersion(ctx context.Context, h *host.Host, _ look.Copy, inst *facts.Instance) {
	const packages = `HKCU\Software\Classes\Local Settings\Software\Microsoft\Windows\CurrentVersion\AppModel\Repository\Packages`
	key, err := h.RegistryKey(ctx, packages, "64")
	if err != nil {
		return
	}
	for _, name := range key.Subkeys {
		if rest, ok := strings.CutPrefix(name, "Microsoft.DesktopAppInstaller_"); ok {
			version, _, _ := strings.Cut(rest, "_")
			inst.Version = look.Clean(version)
			inst.Attrs["version_of"] = "App Installer"
			inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "registry", Source: packages, Detail: look.Clean(name)})
			return
		}
	}
}

// chocoVersion reads Chocolatey's own package description.
func chocoVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	name := h.Join(h.DirOf(h.DirOf(c.Path)), `lib\chocolatey\chocolatey.nuspec`)
	var spec struct {
		Metadata struct {
			Version string `xml:"version"`
		} `xml:"metadata"`
	}
	text := strings.TrimPrefix(read(ctx, h, name, small), "\ufeff")
	if text == "" || xml.Unmarshal([]byte(text), &spec) != nil {
		return
	}
	tell(inst, spec.Metadata.Version, name)
}

var scoopHeading = lazyregexp.New(`(?m)^## \[v(\d+\.\d+\.\d+)\]`)

func scoopVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	name := h.Join(h.DirOf(h.DirOf(c.Path)), `apps\scoop\current\CHANGELOG.md`)
	tellBy(ctx, h, inst, name, scoopHeading)
}

var vcpkgTag = lazyregexp.New(`(?m)^VCPKG_TOOL_RELEASE_TAG=(\S+)`)

// vcpkgVersion reads which tool release (a date) the checkout asks for.
func vcpkgVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	root := h.DirOf(c.Real)
	if h.Exists(ctx, h.Join(root, ".vcpkg-root")) {
		inst.Attrs["root"] = root
	}
	name := h.Join(root, "scripts", "vcpkg-tool-metadata.txt")
	tellBy(ctx, h, inst, name, vcpkgTag)
}

var condaMeta = lazyregexp.New(`^(conda|mamba)-(\d+(?:\.\d+)+)-[^-]*\.json$`)

// condaVersion reads the record of conda's own package.
func condaVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	root := h.DirOf(h.DirOf(c.Real))
	meta := h.Join(root, "conda-meta")
	for _, p := range h.Glob(ctx, meta, c.Name+"-[0-9]*.json") {
		if m := condaMeta.FindStringSubmatch(h.Base(p)); m != nil && m[1] == c.Name {
			inst.Attrs["root"] = root
			tell(inst, m[2], p)
			return
		}
	}
}

var storePath = lazyregexp.New(`^/nix/store/[a-z0-9]+-nix-(\d+(?:\.\d+)+)`)

// nixVersion reads the version from the store path that the program is in.
func nixVersion(_ context.Context, _ *host.Host, c look.Copy, inst *facts.Instance) {
	if m := storePath.FindStringSubmatch(c.Real); m != nil {
		tell(inst, m[1], c.Real)
	}
}

// distInfo reads the version of a Python program from the name of its
// dist-info folder beside the interpreter it belongs to.
func distInfo(name string) func(context.Context, *host.Host, look.Copy, *facts.Instance) {
	folder := regexp.MustCompile(`(?i)^` + name + `-(\d+(?:\.\d+)*[0-9a-z.]*)\.dist-info$`)
	return func(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
		prefix := h.DirOf(h.DirOf(c.Real))
		var libs []string
		if h.Windows() {
			libs = []string{h.Join(prefix, `Lib\site-packages`)}
		} else {
			for _, dir := range h.Glob(ctx, h.Join(prefix, "lib"), "python3*") {
				libs = append(libs, dir+"/site-packages", dir+"/dist-packages")
			}
		}
		for _, lib := range libs {
			for _, p := range h.Glob(ctx, lib, "*.dist-info") {
				if m := folder.FindStringSubmatch(h.Base(p)); m != nil {
					tell(inst, m[1], p)
					return
				}
			}
		}
	}
}

// npmVersion reads npm's package.json, two folders above npm-cli.js or in a
// distribution's folder of Node packages.
func npmVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	names := []string{h.Join(h.DirOf(h.DirOf(c.Real)), "package.json")}
	if h.Windows() {
		names = []string{h.Join(h.DirOf(c.Real), `node_modules\npm\package.json`)}
	} else {
		names = append(names, "/usr/share/nodejs/npm/package.json", "/usr/lib/node_modules/npm/package.json")
	}
	for _, name := range names {
		var p struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		}
		if json.Unmarshal([]byte(read(ctx, h, name, small)), &p) == nil && p.Name == "npm" {
			tell(inst, p.Version, name)
			return
		}
	}
}
