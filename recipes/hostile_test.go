package recipes

import (
	"strings"
	"testing"
)

// TestHostileRecipes: what a recipe from a stranger could try against the
// machine that applies it is refused when it is read, and the reason names it.
func TestHostileRecipes(t *testing.T) {
	sum := strings.Repeat("a", 64)
	artifact := func(more string) string {
		return "artifacts:\n  - name: a.tar.gz\n    url: https://a.example/a.tar.gz\n    size: 5B\n    sha256: " + sum + "\n    source: somebody\n" + more
	}
	fixed := func(fix string) string {
		return "requirements:\n  - id: a.b\n    title: t\n    why: w\n    component: {name: go}\n    fix:\n      - " + fix + "\n"
	}
	build := func(more string) string {
		return artifact("") + "builds:\n  - name: thing-1.0\n    artifact: a.tar.gz\n" + more + fixed("build: thing-1.0")
	}
	plain := fixed("apt: [cmake]")
	for _, tt := range []struct{ name, body, want string }{
		{"an option as an apt package", fixed(`apt: ["-oDPkg::Pre-Invoke::=touch /tmp/x"]`), "is not a package name"},
		{"a command substitution as a package", fixed("apt: [\"$(reboot)\"]"), "is not a package name"},
		{"a second command as a package", fixed("dnf: [\"cmake; reboot\"]"), "is not a package name"},
		{"a path as a package", fixed("apt: [./evil.deb]"), "is not a package name"},
		{"a line break in a package", fixed(`pacman: ["a\nb"]`), "is not a package name"},
		{"an option for winget", fixed("winget: [\"--source=evil\"]"), "is not a package name"},
		{"a slash option for a Windows feature", fixed("feature: [/enable]"), "is not a package name"},
		{"an address as a vcpkg port", fixed("vcpkg: [\"https://a.example/x\"]"), "is not a package name"},
		{"a path as an npm package", fixed("npm: [../../etc]"), "is not a package name"},
		{"two managers at once", fixed("{apt: [a], dnf: [a]}"), "exactly one package manager"},
		{"a script instead of packages", fixed("run: [sh, -c, reboot]"), "unknown key"},
		{"an archive of no artifact", fixed("archive: {artifact: https://a.example/x.tar.gz, into: x-1}"), "unknown artifact"},
		{"an archive that leaves its folder", artifact("") + fixed("archive: {artifact: a.tar.gz, into: ../../etc}"), "must be the name of one folder"},
		{"an archive into an absolute path", artifact("") + fixed("archive: {artifact: a.tar.gz, into: /etc/profile.d}"), "must be the name of one folder"},
		{"a folder of a drive", artifact("") + fixed(`archive: {artifact: a.tar.gz, into: "c:x"}`), "must be the name of one folder"},
		{"a variable that loads a library everywhere", artifact("") + fixed("archive: {artifact: a.tar.gz, into: x-1, env: {LD_PRELOAD: lib/x.so}}"), "unknown variable"},
		{"a variable that every shell runs", artifact("") + fixed("archive: {artifact: a.tar.gz, into: x-1, env: {BASH_ENV: x}}"), "unknown variable"},
		{"a folder of PATH outside", artifact("") + fixed("archive: {artifact: a.tar.gz, into: x-1, env: {PATH: ../../tmp}}"), "must be a folder below it"},
		{"an absolute folder of PATH", artifact("") + fixed("archive: {artifact: a.tar.gz, into: x-1, env: {PATH: /tmp}}"), "must be a folder below it"},
		{"two folders in one", artifact("") + fixed(`archive: {artifact: a.tar.gz, into: x-1, env: {PATH: "bin:/tmp"}}`), "must be a folder below it"},
		{"code in a folder's name", artifact("") + fixed("archive: {artifact: a.tar.gz, into: x-1, env: {PATH: \"$(reboot)\"}}"), "must be a folder below it"},
		{"a build elsewhere", build("    options: {CMAKE_INSTALL_PREFIX: /usr}\n"), "deployctl's to say"},
		{"an option that ends the option", build("    options: {\"A=1 -P evil.cmake\": x}\n"), "is not the name of a CMake option"},
		{"a line break in an option", build("    options: {A: \"x\\ny\"}\n"), "control character"},
		{"a build that takes endless folders off", build("    strip: 1000\n"), "strip must be"},
		{"a build tuned by a stranger", build("    tuned: ./evil.cmake\n"), "unknown project"},
		{"a build that is not there", artifact("") + fixed("build: nothing-1.0"), "unknown build"},
		{"an artifact without a hash", strings.Replace(artifact(""), sum, "\"\"", 1) + plain, "needs its sha256"},
		{"an artifact without a size", strings.Replace(artifact(""), "    size: 5B\n", "", 1) + plain, "needs its exact size"},
		{"an artifact by plain http", strings.Replace(artifact(""), "https://a", "http://a", 1) + plain, "must be an https address"},
		{"an artifact from a file", strings.Replace(artifact(""), "https://a.example/a.tar.gz", "file:///etc/shadow", 1) + plain, "must be an https address"},
		{"an artifact with a password", strings.Replace(artifact(""), "https://a", "https://me:secret@a", 1) + plain, "must be an https address"},
		{"an artifact that leaves Debian's pool", strings.Replace(artifact(""), "https://a.example/a.tar.gz", "debian:pool/../../x", 1) + plain, "must be debian:"},
		{"an artifact named as a path", strings.Replace(artifact(""), "name: a.tar.gz", "name: ../a.tar.gz", 1) + plain, "must be a file name"},
		{"a recipe that extends a file", "extends: /etc/passwd\n" + plain, "extends must be the name of a recipe"},
		{"an alias", "requirements: &x []\ntitle2: *x\n", "anchor"},
		{"a tag", "requirements: !!python/object/apply:os.system [reboot]\n", "tag"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load([]byte("schema: 1\nname: evil\ntitle: t\n"+tt.body), "evil.yaml", nil)
			if err == nil {
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "evil.yaml:") {
				t.Errorf("the reason is %q, wanted %q with a place", err, tt.want)
			}
		})
	}
	if _, err := Load([]byte("schema: 1\nname: evil\ntitle: t\n"+build("    env: {PATH: bin, PKG_CONFIG_PATH: lib/pkgconfig}\n")), "good.yaml", nil); err != nil {
		t.Errorf("a build that is in order was refused: %v", err)
	}
}
