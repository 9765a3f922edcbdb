package export

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
)

// What works on files is written once, for a POSIX shell; the four languages
// differ in what they put around it. Every line ends in a semicolon or in a
// word that may be followed by one, and comments have lines of their own, so
// that a Dockerfile can join them.
//
// Nothing fetches on its own: a file is fetched by the step that uses it, when
// that is not done already, so that a second run fetches nothing.

// helper is a part of a script that several steps share.
type helper string

const (
	// The word "done already" is what the Ansible play tells a change by.
	posixBasics helper = `exists() { [ -e "$1" ] || [ -L "$1" ]; };
already() { echo 'done already'; };
fail() { printf '%s\n' "$*" >&2; exit 1; };`

	posixFetch helper = `work=$(mktemp -d);
trap 'rm -rf -- "$work"' EXIT;
trap 'exit 1' HUP INT TERM;
sum() { if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1; };
# fetch SHA256 SIZE PROTOCOLS MIRROR...: brings the file to $work/SHA256, checked.
fetch() {
  sha=$1 size=$2 protocols=$3;
  shift 3;
  if [ -e "$work/$sha" ]; then return 0; fi;
  for url do
    rm -f "$work/part";
    if command -v curl >/dev/null; then
      curl --fail --location --silent --show-error --globoff --retry 3 --proto "=$protocols" --max-filesize "$size" --output "$work/part" --url "$url" || continue;
    elif command -v wget >/dev/null; then
      wget -q -O "$work/part" -- "$url" || continue;
    elif [ -x /usr/lib/apt/apt-helper ]; then
      /usr/lib/apt/apt-helper download-file "$url" "$work/part" "SHA256:$sha" >&2 || continue;
    else
      fail 'nothing here can fetch a file: install curl or wget, and ca-certificates';
    fi;
    if [ "$(wc -c <"$work/part")" -eq "$size" ] && [ "$(sum "$work/part")" = "$sha" ]; then
      mv "$work/part" "$work/$sha";
      return 0;
    fi;
    printf '%s\n' "$url gives another file: its size or SHA-256 is wrong" >&2;
  done;
  fail "no address gave the file with the SHA-256 $sha; https needs ca-certificates";
};`

	posixUnpack helper = `# extract FORMAT FILE FOLDER, with whatever is there (tar -C reads \ in a name).
extract() {
  tools='tar cmake bsdtar' how=xo;
  case "$1" in
    zip) tools='unzip cmake bsdtar';;
    tar.gz) how=xoz;;
    tar.xz) how=xoJ;;
  esac;
  for tool in $tools; do
    command -v "$tool" >/dev/null || continue;
    rm -rf -- "$3";
    mkdir -- "$3";
    case "$tool" in
      unzip) (cd -- "$3" && unzip -q "$2") && return 0;;
      cmake) (cd -- "$3" && cmake -E tar xf "$2") && return 0;;
      *) (cd -- "$3" && "$tool" "-${how}f" "$2") && return 0;;
    esac;
  done;
  fail "nothing here unpacks $1 (tried $tools): install unzip for zip, xz-utils for tar.xz, or cmake";
};
# unpack FORMAT STRIP PARTIAL INTO SHA256 [FROM TO]...: the folder appears whole or not at all.
unpack() (
  umask 022;
  strip=$2 part=$3 into=$4;
  rm -rf -- "$part";
  mkdir -p -- "$part";
  extract "$1" "$work/$5" "$part/all";
  shift 5;
  chmod -R u+rwX "$part/all";
  find "$part/all" -type d -exec chmod a-s,u=rwx,go=rx {} +;
  find "$part/all" -type f \( -perm -100 -o -perm -010 -o -perm -001 \) -exec chmod 0755 {} +;
  find "$part/all" -type f ! \( -perm -100 -o -perm -010 -o -perm -001 \) -exec chmod 0644 {} +;
  while [ "$strip" -gt 0 ]; do
    mkdir "$part/stripped";
    for top in "$part"/all/* "$part"/all/.[!.]*; do
      if [ -d "$top" ] && [ ! -L "$top" ]; then cp -pPR "$top/." "$part/stripped"; fi;
    done;
    rm -rf -- "$part/all";
    mv "$part/stripped" "$part/all";
    strip=$((strip - 1));
  done;
  if [ $# -gt 0 ]; then
    mv "$part/all" "$part/whole";
    while [ $# -gt 0 ]; do
      to=$part/all/$2;
      mkdir -p -- "${to%/*}";
      mv -- "$part/whole/$1" "$to";
      shift 2;
    done;
  fi;
  mv -- "$part/all" "$into";
  rm -rf -- "$part";
);`

	posixPlace helper = `# placed PATH SHA256: whether the file is there; another one is not ours.
placed() {
  if [ -f "$1" ] && [ ! -L "$1" ] && [ "$(sum "$1")" = "$2" ]; then return 0; fi;
  if exists "$1"; then fail "$1 is there already and is another file: move it away if it is not wanted"; fi;
  return 1;
};
# place SHA256 FOLDER PARTIAL PATH, for this user only.
place() (
  umask 077;
  mkdir -p -- "$2";
  cp -- "$work/$1" "$3";
  mv -- "$3" "$4";
);`

	posixBuild helper = `# built PRODUCT KEY STAMP: whether the stage or the whole build is done, with this key.
built() {
  if [ "$(cat -- "$1/.deployctl-build" 2>/dev/null)" = "$2" ]; then return 0; fi;
  if exists "$1"; then fail "$1 is already there and was made differently: move it away"; fi;
  [ "$(cat -- "$3" 2>/dev/null)" = "$2" ];
};`
)

// posix is a step that works on files, in a POSIX shell.
type posix struct {
	helpers []helper
	lines   []string
}

func (p *posix) line(text string) { p.lines = append(p.lines, text) }

// call adds a command: plain words as they are, then quoted ones, then where
// its output goes.
func (p *posix) call(indent, plain string, words []string, to string) {
	p.line(indent + strings.Join(foldWords(command(plain, words), 88), " \\\n"+indent+"  ") + to + ";")
}

// do adds a command of a step that is not done.
func (p *posix) do(plain string, words ...string) { p.call("  ", plain, words, "") }

// unless begins what is left out when the step is done.
func (p *posix) unless(condition string, words ...string) {
	p.line("if " + strings.Join(command(condition, words), " ") + "; then already; else")
}

// fetch brings a file to the script's work folder.
func (p *posix) fetch(f *step.Fetch) {
	protocols := "https"
	if f.Trusted {
		protocols = "http,https"
	}
	p.do("fetch", append([]string{f.SHA256, strconv.FormatInt(f.Size, 10), protocols}, f.Mirrors...)...)
}

// partial is the name that a file or folder has until it is whole, deployctl's
// own: the next run of either removes what the other left.
func partial(p string) string {
	return path.Join(path.Dir(p), "."+path.Base(p)+".deployctl-partial")
}

func posixUnpackStep(u *step.Unpack, f *step.Fetch) *posix {
	p := &posix{helpers: []helper{posixBasics, posixFetch, posixUnpack}}
	if u.Product != "" {
		p.unless("exists "+step.Word(u.Product)+" || exists", u.Into)
	} else {
		p.unless("exists", u.Into)
	}
	p.fetch(f)
	words := []string{u.Format, strconv.Itoa(u.Strip), partial(u.Into), u.Into, u.SHA256}
	for _, from := range slices.Sorted(maps.Keys(u.Files)) {
		words = append(words, from, u.Files[from])
	}
	p.do("unpack", words...)
	p.line("fi;")
	return p
}

func posixPlaceStep(to *step.Place, f *step.Fetch) *posix {
	p := &posix{helpers: []helper{posixBasics, posixFetch, posixPlace}}
	p.unless("placed", to.Path, to.SHA256)
	p.fetch(f)
	p.do("place", to.SHA256, path.Dir(to.Path), partial(to.Path), to.Path)
	p.line("fi;")
	return p
}

// posixBuildStep does what cmake.Worker does, stamps included, so that
// deployctl knows the product for its own; only that it does not go on with
// fewer compilers when the memory runs out.
func posixBuildStep(b *step.Build, argv []string) *posix {
	p := &posix{helpers: []helper{posixBasics, posixBuild}}
	stamp := path.Join(b.Work, ".deployctl-build-"+b.Stage)
	if b.Staged != "" {
		stamp = ""
	}
	p.unless("built", b.Product, b.Key, stamp)
	made := path.Join(b.Staged, b.Product)
	switch {
	case b.Staged != "":
		p.do("rm -rf --", b.Staged)
		stamp = path.Join(made, ".deployctl-build")
	case b.Stage == "configure":
		p.do("rm -rf --", path.Join(b.Dir, "CMakeCache.txt"))
		p.do("mkdir -p --", b.Dir)
	}
	p.line("  (")
	p.call("    ", "cd --", []string{b.Dir}, "")
	if len(b.Env) > 0 {
		p.call("    ", "export", b.Env, "")
	}
	p.call("    ", "", argv, "")
	p.line("  );")
	p.call("  ", `printf '%s\n'`, []string{b.Key}, " >"+step.Word(stamp))
	if b.Staged != "" {
		p.do("mkdir -p --", path.Dir(b.Product))
		p.do("mv --", made, b.Product)
		p.do("rm -rf --", b.Staged)
	}
	p.line("fi;")
	return p
}

func posixTidyStep(names []string) *posix {
	p := &posix{helpers: []helper{posixBasics}}
	for _, name := range names {
		p.line("if exists " + step.Word(name) + "; then")
		p.do("rm -rf --", name)
		p.line("else already; fi;")
	}
	return p
}

// text is a script of its own, from set -eu on.
func (p *posix) text() string {
	lines := []string{"set -eu"}
	for _, h := range p.helpers {
		lines = append(lines, string(h))
	}
	return strings.Join(append(lines, p.lines...), "\n") + "\n"
}

// helpersOf are the helpers that tasks share, each once.
func helpersOf(tasks []task) []helper {
	var all []helper
	for _, t := range tasks {
		if t.posix == nil {
			continue
		}
		for _, h := range t.posix.helpers {
			if !slices.Contains(all, h) {
				all = append(all, h)
			}
		}
	}
	return all
}
