package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/installers/step"
)

// item is an entry of a made archive.
type item struct {
	name string
	body string
	typ  byte // of tar; 0 a file
	to   string
	mode int64
}

func makeTar(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		if i.mode == 0 {
			i.mode = 0o644
		}
		h := &tar.Header{Name: i.name, Typeflag: i.typ, Linkname: i.to, Mode: i.mode, Size: int64(len(i.body)), Format: tar.FormatPAX}
		if i.typ == 0 {
			h.Typeflag = tar.TypeReg
		}
		if i.typ == tar.TypeChar || i.typ == tar.TypeBlock {
			h.Devmajor, h.Devminor = 1, 3
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatalf("%q: %v", i.name, err)
		}
		if _, err := io.WriteString(w, i.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	return closed(t, gzip.NewWriter(&out), &out, b)
}

func closed(t testing.TB, w io.WriteCloser, out *bytes.Buffer, b []byte) []byte {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func makeXz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := xz.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	return closed(t, w, &out, b)
}

func makeZip(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, i := range items {
		h := &zip.FileHeader{Name: i.name, Method: zip.Deflate}
		mode := fs.FileMode(0o644)
		switch i.typ {
		case tar.TypeSymlink:
			mode, i.body = fs.ModeSymlink|0o777, i.to
		case tar.TypeChar:
			mode = fs.ModeDevice | fs.ModeCharDevice
		case tar.TypeFifo:
			mode = fs.ModeNamedPipe
		case tar.TypeDir:
			mode = fs.ModeDir | 0o755
		}
		if i.mode != 0 {
			mode = fs.FileMode(i.mode)
		}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, i.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// changed replaces bytes by others of equal length, everywhere.
func changed(t testing.TB, b []byte, old, new string) []byte {
	t.Helper()
	if !bytes.Contains(b, []byte(old)) || len(old) != len(new) {
		t.Fatalf("%q cannot be replaced", old)
	}
	return bytes.ReplaceAll(b, []byte(old), []byte(new))
}

func zeros(n int) string { return strings.Repeat("\x00", n) }

// sparse is a tar file whose one entry claims a hole of n bytes (GNU format 1.0
// in PAX headers).
func sparse(t testing.TB, n int64) []byte {
	t.Helper()
	record := func(k, v string) string {
		for size := len(k) + len(v) + 3; ; size++ {
			if r := fmt.Sprintf("%d %s=%s\n", size, k, v); len(r) == size {
				return r
			}
		}
	}
	pax := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "hole") + record("GNU.sparse.realsize", fmt.Sprint(n))
	block := func(name string, typ byte, size int) []byte {
		h := make([]byte, 512)
		copy(h, name)
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		copy(h[124:], fmt.Sprintf("%011o\x00%011o\x00", size, 0))
		h[156] = typ
		copy(h[257:], "ustar\x0000")
		copy(h[148:], "        ")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		return h
	}
	pad := func(b []byte) []byte { return append(b, make([]byte, (512-len(b)%512)%512)...) }
	out := append(block("pax", 'x', len(pax)), pad([]byte(pax))...)
	body := pad([]byte(fmt.Sprintf("1\n%d\n0\n", n))) // one fragment of no bytes, at the end
	out = append(out, block("hole", '0', len(body))...)
	return append(append(out, body...), make([]byte, 1024)...)
}

// overlapping is a zip file whose entries all point to one compressed body.
func overlapping(t testing.TB, entries, size int) []byte {
	t.Helper()
	one := makeZip(t, item{name: "00000000", body: zeros(size)})
	end := bytes.LastIndex(one, []byte("PK\x05\x06"))
	dir := bytes.LastIndex(one[:end], []byte("PK\x01\x02"))
	out := bytes.Clone(one[:dir])
	for i := range entries {
		e := bytes.Clone(one[dir:end])
		copy(e[46:], fmt.Sprintf("%08d", i))
		out = append(out, e...)
	}
	tail := bytes.Clone(one[end:])
	binary.LittleEndian.PutUint16(tail[8:], uint16(entries))
	binary.LittleEndian.PutUint16(tail[10:], uint16(entries))
	binary.LittleEndian.PutUint32(tail[12:], uint32(len(out)-dir))
	return append(out, tail...)
}

// bigDictionary is an xz file whose header asks for 3 GiB of memory.
func bigDictionary(t testing.TB) []byte {
	b := makeXz(t, []byte("x"))
	size := (int(b[12]) + 1) * 4
	head := b[12 : 12+size]
	at := bytes.Index(head, []byte{0x21, 0x01})
	if at < 0 {
		t.Fatal("no LZMA2 filter")
	}
	head[at+2] = 39
	binary.LittleEndian.PutUint32(head[size-4:], crc32.ChecksumIEEE(head[:size-4]))
	return b
}

type hostile struct {
	name   string
	format Format
	data   []byte
	limits Limits
	why    Why
}

func hostiles(t testing.TB) []hostile {
	var list []hostile
	// The names, each in a tar and a zip.
	for _, c := range []struct {
		name string
		why  Why
	}{
		{"../evil", Escapes}, {"a/../../evil", Escapes}, {"a/..", Escapes}, {"./../evil", Escapes}, {"a/../b", Escapes},
		{"/etc/evil", Absolute}, {"//server/share/evil", Absolute}, {`C:\evil`, Absolute}, {"C:evil", Absolute}, {`\\server\share\evil`, Absolute}, {`\evil`, Absolute},
		{`..\evil`, Reserved}, {`a\..\..\evil`, Reserved}, {"a/file:stream", Reserved}, {"CON", Reserved}, {"a/nul.txt", Reserved}, {"com1", Reserved}, {"LPT9.log", Reserved},
		{"COM¹", Reserved}, {"aux .h", Reserved}, {"CONOUT$", Reserved}, {"a./b", Reserved}, {"a /b", Reserved}, {"what?", Reserved}, {`a"b`, Reserved}, {"a|b", Reserved}, {"a*", Reserved}, {"<a>", Reserved},
		{"a\nb", BadName}, {"a\x1b[2Jb", BadName}, {"txt.\u202eexe", BadName}, {"\ufeffa", BadName}, {"a\x7f", BadName},
		{strings.Repeat("x", 256), TooLong}, {strings.Repeat("x/", 600) + "y", TooLong}, {strings.Repeat("x/", 65) + "y", TooLong},
	} {
		list = append(list,
			hostile{"tar " + c.name, Tar, makeTar(t, item{name: "before", body: "1"}, item{name: c.name, body: "evil"}), Limits{}, c.why},
			hostile{"zip " + c.name, Zip, makeZip(t, item{name: "before", body: "1"}, item{name: c.name, body: "evil"}), Limits{}, c.why})
	}
	const L, H, D = tar.TypeSymlink, tar.TypeLink, tar.TypeDir
	add := func(name string, format Format, data []byte, limits Limits, why Why) {
		list = append(list, hostile{name, format, data, limits, why})
	}
	each := func(name string, why Why, items ...item) {
		add("tar "+name, Tar, makeTar(t, items...), Limits{}, why)
		add("zip "+name, Zip, makeZip(t, items...), Limits{}, why)
	}
	each("link out, absolute", LinkOut, item{name: "l", typ: L, to: "/etc/passwd"})
	each("link out, up", LinkOut, item{name: "a/l", typ: L, to: "../../x"})
	each("link out, behind a name", LinkOut, item{name: "d", typ: L, to: "."}, item{name: "l", typ: L, to: "d/../x"})
	each("link out, drive", LinkOut, item{name: "l", typ: L, to: `C:\x`})
	each("link to a reserved name", Reserved, item{name: "l", typ: L, to: "NUL"})
	each("file through a link", ThroughLink, item{name: "d", typ: D}, item{name: "l", typ: L, to: "d"}, item{name: "l/x", body: "evil"})
	each("file onto a link", Clash, item{name: "l", typ: L, to: "x"}, item{name: "l", body: "evil"})
	each("folder onto a link", ThroughLink, item{name: "l", typ: L, to: "x"}, item{name: "l/", typ: D})
	each("link onto a file", Clash, item{name: "l", body: "1"}, item{name: "l", typ: L, to: "x"})
	each("a file twice", Clash, item{name: "x", body: "1"}, item{name: "x", body: "2"})
	each("a file twice, spelt otherwise", Clash, item{name: "x", body: "1"}, item{name: "./x", body: "2"})
	each("case", Clash, item{name: "README", body: "1"}, item{name: "readme", body: "2"})
	each("case of a folder", Clash, item{name: "A/x", body: "1"}, item{name: "a/y", body: "2"})
	each("case of a sharp s", Clash, item{name: "Straße", body: "1"}, item{name: "STRASSE", body: "2"})
	each("accents", Clash, item{name: "caf\u00e9", body: "1"}, item{name: "cafe\u0301", body: "2"})
	each("file as a folder", Clash, item{name: "x", body: "1"}, item{name: "x/y", body: "2"})
	each("folder as a file", Clash, item{name: "x/y", body: "1"}, item{name: "x", body: "2"})
	each("character device", Special, item{name: "null", typ: tar.TypeChar})
	each("pipe", Special, item{name: "pipe", typ: tar.TypeFifo})
	add("tar block device", Tar, makeTar(t, item{name: "sda", typ: tar.TypeBlock}), Limits{}, Special)
	add("tar hard link out", Tar, makeTar(t, item{name: "h", typ: H, to: "../../etc/passwd"}), Limits{}, Escapes)
	add("tar hard link, absolute", Tar, makeTar(t, item{name: "h", typ: H, to: "/etc/passwd"}), Limits{}, Absolute)
	add("tar hard link to nothing", Tar, makeTar(t, item{name: "h", typ: H, to: "later"}, item{name: "later", body: "1"}), Limits{}, BadLink)
	add("tar hard link to a link", Tar, makeTar(t, item{name: "l", typ: L, to: "x"}, item{name: "h", typ: H, to: "l"}), Limits{}, BadLink)
	add("tar hard link to a folder", Tar, makeTar(t, item{name: "d/x", body: "1"}, item{name: "h", typ: H, to: "d"}), Limits{}, BadLink)
	add("tar hard link to itself", Tar, makeTar(t, item{name: "h", typ: H, to: "h"}), Limits{}, BadLink)
	named := makeZip(t, item{name: "abcdefgh", body: "x"})
	add("zip name that is not UTF-8", Zip, changed(t, named, "abcdefgh", "abc\xff\xfefgh"), Limits{}, BadName)
	add("zip name with a zero byte", Zip, changed(t, named, "abcdefgh", "abc\x00efgh"), Limits{}, BadName)
	add("zip name that is empty", Zip, makeZip(t, item{name: "", body: "x"}), Limits{}, BadName)

	bomb := makeTar(t, item{name: "zeros", body: zeros(2 << 20)})
	add("gzip bomb", TarGz, gz(t, bomb), Limits{Floor: 1 << 20}, Bomb)
	add("zip bomb", Zip, makeZip(t, item{name: "zeros", body: zeros(2 << 20)}), Limits{Floor: 1 << 20}, Bomb)
	add("zip bomb of overlapping entries", Zip, overlapping(t, 100, 1<<17), Limits{Floor: 1 << 20}, Bomb)
	add("xz memory", TarXz, bigDictionary(t), Limits{}, Bomb)
	add("sparse file", Tar, sparse(t, 1<<40), Limits{}, TooBig)
	add("sparse file within the limit", Tar, sparse(t, 1<<30), Limits{}, Bomb)
	add("too many entries", Tar, makeTar(t, item{name: "a"}, item{name: "b"}, item{name: "c"}), Limits{Files: 2}, TooMany)
	add("too many entries, zip", Zip, makeZip(t, item{name: "a"}, item{name: "b"}, item{name: "c"}), Limits{Files: 2}, TooMany)
	add("too many bytes", Tar, makeTar(t, item{name: "a", body: zeros(2000)}), Limits{Bytes: 1000}, TooBig)
	add("too many bytes, zip", Zip, makeZip(t, item{name: "a", body: zeros(2000)}), Limits{Bytes: 1000}, TooBig)
	// A zip entry that claims less than it holds.
	lying := makeZip(t, item{name: "a", body: zeros(1 << 20)})
	dir := bytes.LastIndex(lying, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lying[dir+24:], 10)
	add("zip that lies about a size", Zip, lying, Limits{}, Damaged)

	good := makeTar(t, item{name: "a", body: strings.Repeat("text", 1000)})
	add("empty file as tar.gz", TarGz, nil, Limits{}, Damaged)
	add("text as zip", Zip, []byte("<html>404</html>"), Limits{}, Damaged)
	add("text as tar", Tar, []byte(strings.Repeat("<html>404</html>", 100)), Limits{}, Damaged)
	add("text as xz", TarXz, []byte(strings.Repeat("<html>404</html>", 100)), Limits{}, Damaged)
	add("tar cut short", Tar, good[:700], Limits{}, Damaged)
	add("tar.gz cut short", TarGz, gz(t, good)[:60], Limits{}, Damaged)
	wrongSum := gz(t, good)
	wrongSum[len(wrongSum)-6] ^= 1
	add("tar.gz with a wrong checksum", TarGz, wrongSum, Limits{}, Damaged)
	cutXz := makeXz(t, good)
	add("tar.xz cut short", TarXz, cutXz[:len(cutXz)-20], Limits{}, Damaged)
	flip := makeZip(t, item{name: "a", body: "some text"})
	add("zip cut short", Zip, flip[:len(flip)-10], Limits{}, Damaged)
	wrong := bytes.Clone(flip)
	binary.LittleEndian.PutUint32(wrong[bytes.LastIndex(wrong, []byte("PK\x01\x02"))+16:], 1)
	add("zip with a wrong checksum", Zip, wrong, Limits{}, Damaged)
	locked := bytes.Clone(flip)
	locked[bytes.LastIndex(locked, []byte("PK\x01\x02"))+8] |= 1
	add("zip that is encrypted", Zip, locked, Limits{}, Unsupported)
	odd := bytes.Clone(flip)
	odd[bytes.LastIndex(odd, []byte("PK\x01\x02"))+10] = 99
	add("zip with an unknown method", Zip, odd, Limits{}, Unsupported)
	return list
}

// TestHostile: each is refused with its reason, and nothing is left behind.
func TestHostile(t *testing.T) {
	list := hostiles(t)
	t.Logf("%d hostile archives", len(list))
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			outer := t.TempDir()
			dir := filepath.Join(outer, "in", "side")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(outer, "archive")
			if err := os.WriteFile(file, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Extract(t.Context(), file, c.format, filepath.Join(dir, "dest"), Options{Limits: c.limits})
			var refused *Refused
			if !errors.As(err, &refused) || refused.Why != c.why {
				t.Fatalf("got %v, want %q", err, c.why)
			}
			if strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("the message carries control characters: %q", err)
			}
			for p, want := range map[string]int{outer: 2, filepath.Join(outer, "in"): 1, dir: 0} {
				if left, err := os.ReadDir(p); err != nil || len(left) != want {
					t.Errorf("%s holds %v (%v)", p, left, err)
				}
			}
		})
	}
}

func TestExtract(t *testing.T) {
	long := strings.Repeat("n", 255) + "/" + strings.Repeat("m", 255) + "/" + strings.Repeat("o", 255) + "/end"
	items := []item{
		{name: "pkg/", typ: tar.TypeDir}, {name: "./pkg/read.me", body: "text"}, {name: "pkg/bin/tool", body: "#!", mode: 0o4711},
		{name: "pkg/\u65e5\u672c\u8a9e/\U0001f600 caf\u00e9", body: "unicode"}, {name: long, body: "long"}, {name: "empty"},
		{name: "pkg/lib/libx.so.1", body: "elf"}, {name: "pkg/lib/libx.so", typ: tar.TypeSymlink, to: "libx.so.1"}, {name: "pkg/bin/x", typ: tar.TypeSymlink, to: "../lib/libx.so"},
	}
	want := map[string]string{"pkg/read.me": "644 text", "pkg/bin/tool": "755 #!", "pkg/\u65e5\u672c\u8a9e/\U0001f600 caf\u00e9": "644 unicode", long: "644 long", "empty": "644 ",
		"pkg/lib/libx.so.1": "644 elf", "pkg/lib/libx.so": "-> libx.so.1", "pkg/bin/x": "-> ../lib/libx.so"}
	plainTar := makeTar(t, items...)
	for _, c := range []struct {
		format Format
		data   []byte
	}{{Tar, plainTar}, {TarGz, gz(t, plainTar)}, {TarXz, makeXz(t, plainTar)}, {Zip, makeZip(t, items...)}} {
		t.Run(string(c.format), func(t *testing.T) {
			if runtime.GOOS == "windows" {
				t.Skip("symbolic links need a privilege on Windows")
			}
			dir := t.TempDir()
			file, dest := filepath.Join(dir, "a"), filepath.Join(dir, "d", "dest")
			if err := os.WriteFile(file, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			res, err := Extract(t.Context(), file, c.format, dest, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if res.Files != len(want) {
				t.Errorf("%+v", res)
			}
			if d := cmp.Diff(want, tree(t, dest)); d != "" {
				t.Error(d)
			}
			if left, err := os.ReadDir(filepath.Dir(dest)); err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			// A second time: nothing is overwritten.
			if _, err := Extract(t.Context(), file, c.format, dest, Options{}); err == nil {
				t.Error("unpacked over what was there")
			}
		})
	}
}

func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(p)
			got[rel] = "-> " + to
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode()
		if runtime.GOOS == "windows" {
			mode = 0o644 // it has no such thing
		}
		body, err := os.ReadFile(p)
		got[rel] = fmt.Sprintf("%o %s", mode, body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPickAndHardLinks(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	data := makeTar(t, item{name: "package/bin/x64/lib.so.1", body: "elf"}, item{name: "package/bin/arm64/lib.so.1", body: "arm"},
		item{name: "package/other", body: "1"}, item{name: "package/bin/x64/same", typ: tar.TypeLink, to: "package/bin/x64/lib.so.1"})
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Extract(t.Context(), file, Tar, filepath.Join(dir, "dest"), Options{Pick: func(name string) string {
		rest, ok := strings.CutPrefix(name, "package/bin/x64/")
		if !ok {
			return ""
		}
		return "lib/" + rest
	}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"lib/lib.so.1": "644 elf", "lib/same": "644 elf"}, tree(t, filepath.Join(dir, "dest"))); d != "" {
		t.Error(d)
	}
	// A pick cannot lead outside either, nor put two entries into one place.
	for to, why := range map[string]Why{"../x": Escapes, "same": Clash, "/x": Absolute} {
		_, err := Extract(t.Context(), file, Tar, filepath.Join(dir, "no"), Options{Pick: func(string) string { return to }})
		var refused *Refused
		if !errors.As(err, &refused) || refused.Why != why {
			t.Errorf("%s: %v", to, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "no")); !os.IsNotExist(err) {
		t.Error("something was left")
	}
}

func TestStopped(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file, makeTar(t, item{name: "a", body: "1"}), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Extract(ctx, file, Tar, filepath.Join(dir, "dest"), Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestUnwritable(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("uses /proc as a folder that nobody can write")
	}
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, makeTar(t, item{name: "a", body: "1"}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Extract(t.Context(), file, Tar, "/proc/self/dest", Options{})
	var f *step.Failure
	if err == nil || errors.As(err, &f) && f.Kind != step.ReadOnly {
		t.Errorf("%v", err)
	}
}

// TestPanic: a decoder that panics is a damaged archive.
func TestPanic(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file, makeTar(t, item{name: "a", body: "1"}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Extract(t.Context(), file, Tar, filepath.Join(dir, "dest"), Options{Pick: func(string) string { panic("as a decoder may") }})
	var refused *Refused
	if !errors.As(err, &refused) || refused.Why != Damaged || !strings.Contains(err.Error(), "as a decoder may") {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// fuzzed unpacks what a fuzzer made, and looks for what it left.
func fuzzed(t *testing.T, format Format, data []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Extract(t.Context(), file, format, filepath.Join(dir, "in", "dest"), Options{Limits: Limits{Files: 1000, Bytes: 1 << 20}})
	left, rerr := os.ReadDir(filepath.Join(dir, "in"))
	want := 1
	if err != nil {
		want = 0
	}
	if rerr != nil || len(left) != want {
		t.Errorf("after %v: %v, %v", err, left, rerr)
	}
	if outer, rerr := os.ReadDir(dir); rerr != nil || len(outer) != 2 {
		t.Errorf("outside: %v, %v", outer, rerr)
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string]Format{"X.TAR": Tar, "/a/x.tgz": TarGz, "x.tar.xz": TarXz, "x-1.0-py3-none-any.whl": Zip, "x.7z": "", "x.exe": "", "tar.gz": ""} {
		if got := ByName(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzExtract(f *testing.F) {
	for _, c := range hostiles(f) {
		if len(c.data) < 64<<10 {
			f.Add(string(c.format), c.data)
		}
	}
	f.Fuzz(func(t *testing.T, format string, data []byte) { fuzzed(t, Format(format), data) })
}

func FuzzNames(f *testing.F) {
	f.Add("a/b", "../c")
	f.Add("..", "/")
	f.Add("C:x", "a/../b")
	f.Fuzz(func(t *testing.T, name, target string) {
		p, why := clean(name)
		if why != "" {
			return
		}
		if p != "." && !filepath.IsLocal(filepath.FromSlash(p)) {
			t.Errorf("%q became %q", name, p)
		}
		if to, why := linkTarget(p, target); why == "" {
			if joined := filepath.Join(filepath.Dir(filepath.FromSlash(p)), filepath.FromSlash(to)); !filepath.IsLocal(joined) {
				t.Errorf("link %q -> %q leads to %q", p, target, joined)
			}
		}
	})
}
