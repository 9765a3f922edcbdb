package archive

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hostile7z: the ways of 7z to be hostile, besides names and kinds of entries.
func hostile7z(t testing.TB) []hostile {
	t.Helper()
	var list []hostile
	add := func(name string, data []byte, limits Limits, why Why) {
		list = append(list, hostile{"7z " + name, SevenZip, data, limits, why})
	}
	text := item{name: "a", body: "some text"}
	good := make7z(t, text)
	packed, header := made7z{items: []item{text}}.parts(t)
	one := func(m made7z) []byte {
		if m.items == nil {
			m.items = []item{text}
		}
		return m.archive(t)
	}
	seal := func(parts ...any) []byte { return seal7z(packed, join(parts...)) }
	lzma := func(dictionary uint32) []byte {
		return join(0x23, methodLZMA, num(5), 0x5d, binary.LittleEndian.AppendUint32(nil, dictionary))
	}

	// Memory: dictionaries, and numbers that a reader may believe.
	add("dictionary of 4 GiB", one(made7z{coders: join(1, lzma(math.MaxUint32))}), Limits{}, Bomb)
	add("dictionary of 4 GiB, LZMA2", one(made7z{coders: join(1, 0x21, methodLZMA2, num(1), 40)}), Limits{}, Bomb)
	add("dictionaries in a row", one(made7z{coders: join(2, lzma(200<<20), lzma(200<<20), num(1), num(0)), sizes: []int64{9, 9}}), Limits{}, Bomb)
	add("dictionary of its header", packed7z(t, func(b []byte) []byte {
		at := bytes.Index(b, []byte(methodLZMA)) + len(methodLZMA) + len(num(5))
		return join(b[:at+1], "\xff\xff\xff\xff", b[at+5:])
	}, text), Limits{}, Bomb)
	add("window of zstd", one(made7z{coders: join(1, 0x04, methodZstd), pack: func([]byte) []byte {
		return []byte("\x28\xb5\x2f\xfd\x00\x98\x01\x00\x00") // 512 MiB
	}}), Limits{}, Bomb)
	add("4 billion files", one(made7z{files: math.MaxUint32}), Limits{}, TooMany)
	add("4 billion packed streams", seal(idHeader, idStreams, idPackInfo, num(0), num(int64(math.MaxUint32)), idCRC, 1), Limits{}, TooMany)
	add("4 billion streams", seal(idHeader, idStreams, idUnpackInfo, idFolder, num(int64(math.MaxUint32)), 0), Limits{}, TooMany)
	add("4 billion inputs", seal(idHeader, idStreams, idUnpackInfo, idFolder, num(1), 0, 1, 0x11, 0, num(int64(math.MaxUint32)), num(1)), Limits{}, TooMany)
	add("4 GB of properties", seal(idHeader, idStreams, idUnpackInfo, idFolder, num(1), 0, 1, 0x21, 0, num(int64(math.MaxUint32))), Limits{}, TooMany)
	add("4 billion files in a stream", changedNumber(t, good, idSubStreams, math.MaxUint32), Limits{}, TooMany)
	add("too many entries", make7z(t, item{name: "a"}, item{name: "b"}, item{name: "c"}), Limits{Files: 2}, TooMany)
	add("header of 4 GiB", packed7z(t, func(b []byte) []byte {
		at := bytes.LastIndex(b, join(idUnpackSize, 0xff))
		return join(b[:at+1], num(int64(math.MaxUint32)), b[at+10:])
	}, text), Limits{}, TooBig)
	add("size of 8 EiB", one(made7z{sizes: []int64{math.MaxInt64}}), Limits{}, TooBig)
	add("size over 63 bits", one(made7z{sizes: []int64{-1}}), Limits{}, TooBig)

	// Bombs.
	add("bomb", packed7z(t, nil, item{name: "zeros", body: zeros(2 << 20)}), Limits{Floor: 1 << 20}, Bomb)
	add("more than the limit", packed7z(t, nil, item{name: "zeros", body: zeros(2 << 20)}), Limits{Bytes: 1 << 20}, TooBig)
	add("bomb of many files", packed7z(t, nil, item{name: "a", body: zeros(1 << 20)}, item{name: "b", body: zeros(1 << 20)}), Limits{Floor: 1 << 20}, Bomb)

	// Encryption and what is not known.
	aes := join(1, 0x24, methodAES, num(2), 0x3f, 0xff)
	add("encrypted", one(made7z{coders: aes}), Limits{}, Unsupported)
	add("encrypted header", packed7z(t, func(b []byte) []byte {
		at, end := bytes.Index(b, join(1, 0x23, methodLZMA)), bytes.Index(b, join(idUnpackSize, 0xff))
		return join(b[:at], aes, b[end:])
	}, text), Limits{}, Unsupported)
	add("PPMd", one(made7z{coders: join(1, 0x23, "\x03\x04\x01", num(5), "\x06\xff\xff\xff\xff")}), Limits{}, Unsupported)
	add("method without a name", one(made7z{coders: join(1, 0)}), Limits{}, Unsupported)
	add("header packed otherwise", packed7z(t, func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte("\x23"+methodLZMA), []byte("\x23"+methodDeflate))
	}, text), Limits{}, Unsupported)
	add("junction of Windows", junction(t), Limits{}, Special)

	// Checksums and cut files.
	add("cut in the files", good[:sevenZipStart+4], Limits{}, Damaged)
	add("cut in the header", good[:len(good)-3], Limits{}, Damaged)
	add("cut at once", good[:20], Limits{}, Damaged)
	add("packed, cut", packed7z(t, nil, text)[:60], Limits{}, Damaged)
	add("wrong checksum of a file", one(made7z{sums: func([]byte) uint32 { return 1 }}), Limits{}, Damaged)
	add("wrong checksum of the start", join(good[:8], "1234", good[12:]), Limits{}, Damaged)
	add("wrong checksum of the header", seal7z(packed, header)[:len(good)-1], Limits{}, Damaged)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-3] ^= 1
	add("a bit of the header", flipped, Limits{}, Damaged)
	inside := bytes.Clone(good)
	inside[sevenZipStart] ^= 1
	add("a bit of a file", inside, Limits{}, Damaged)
	add("wrong checksum of the packed header", packed7z(t, func(b []byte) []byte {
		at := len(b) - 6
		return join(b[:at], "1234", b[at+4:])
	}, text), Limits{}, Damaged)
	add("shorter than it says", one(made7z{sizes: []int64{20}, sums: func([]byte) uint32 { return 0 }}), Limits{}, Damaged)

	// Headers that contradict themselves.
	add("no streams for its files", seal(idHeader, idFiles, num(1), idNames, num(5), "\x00a\x00\x00\x00", idEnd, idEnd), Limits{}, Damaged)
	add("no size of a file", one(made7z{items: []item{text, {name: "b", body: "more"}}, props: join(idEmptyStream, num(1), 0xc0)}), Limits{}, Damaged)
	add("names twice", one(made7z{props: join(idNames, num(5), "\x00a\x00\x00\x00")}), Limits{}, Damaged)
	add("a name too few", one(made7z{items: []item{text, {name: "b"}}, files: 3}), Limits{}, Damaged)
	add("streams beyond its end", seal(idHeader, idStreams, idPackInfo, num(int64(1<<40)), num(1), idSize, num(1), idEnd,
		idUnpackInfo, idFolder, num(1), 0, 1, 1, 0, idUnpackSize, num(1), idEnd, idEnd, idEnd), Limits{}, Damaged)
	add("coders in a circle", one(made7z{coders: join(2, 1, 0, 1, 0, num(0), num(0)), sizes: []int64{9, 9}}), Limits{}, Damaged)
	add("a pair out of range", one(made7z{coders: join(2, 1, 0, 1, 0, num(7), num(0)), sizes: []int64{9, 9}}), Limits{}, Damaged)
	add("more behind the header", seal7z(packed, append(bytes.Clone(header), 0)), Limits{}, Damaged)
	add("empty header", seal7z(nil, nil), Limits{}, Damaged)
	add("garbage", []byte(strings.Repeat("garbage ", 100)), Limits{}, Damaged)
	add("garbage as a header", seal7z(nil, []byte(strings.Repeat("garbage ", 100))), Limits{}, Damaged)
	add("program without an archive", join("MZ", zeros(5000), sevenZipMagic, zeros(300)), Limits{}, Damaged)
	return list
}

// changedNumber puts another number of files into the streams of an archive.
func changedNumber(t testing.TB, b []byte, id int, n int64) []byte {
	t.Helper()
	packed, header := b[sevenZipStart:sevenZipStart+9], b[sevenZipStart+9:]
	at := bytes.Index(header, join(id, idUnpackStreams, 0xff))
	if at < 0 {
		t.Fatal("no such number")
	}
	return seal7z(packed, join(header[:at+2], num(n), header[at+11:]))
}

// junction has the attribute of a reparse point and no mode of Unix.
func junction(t testing.TB) []byte {
	t.Helper()
	packed, header := made7z{items: []item{{name: "j", body: `\??\C:\Windows`}}}.parts(t)
	at := len(header) - 6
	return seal7z(packed, join(header[:at], binary.LittleEndian.AppendUint32(nil, 0x410), header[at+4:]))
}

func hostileDeb(t testing.TB) []hostile {
	t.Helper()
	var list []hostile
	add := func(name string, data []byte, limits Limits, why Why) {
		list = append(list, hostile{"deb " + name, Deb, data, limits, why})
	}
	inner := gz(t, makeTar(t, item{name: "./a", body: "some text"}))
	good := makeDeb(t, "data.tar.gz", inner)
	for name, why := range map[string]Why{"../../etc/evil": Escapes, "/etc/evil": Absolute, "./etc/CON": Reserved, `./a\b`: Reserved, "./a\nb": BadName} {
		add("name "+name, makeDeb(t, "data.tar.gz", gz(t, makeTar(t, item{name: name, body: "evil"}))), Limits{}, why)
	}
	add("alternative", makeDeb(t, "data.tar.xz", makeXz(t, makeTar(t, item{name: "./usr/lib/libblas.so.3", typ: tar.TypeSymlink, to: "/etc/alternatives/libblas.so.3"}))), Limits{}, LinkOut)
	add("hard link out", makeDeb(t, "data.tar.gz", gz(t, makeTar(t, item{name: "./h", typ: tar.TypeLink, to: "/etc/shadow"}))), Limits{}, Absolute)
	add("block device", makeDeb(t, "data.tar.gz", gz(t, makeTar(t, item{name: "./dev/sda", typ: tar.TypeBlock}))), Limits{}, Special)
	bomb := makeTar(t, item{name: "zeros", body: zeros(2 << 20)})
	add("bomb", makeDeb(t, "data.tar.gz", gz(t, bomb)), Limits{Floor: 1 << 20}, Bomb)
	add("bomb of zstd", makeDeb(t, "data.tar.zst", makeZst(t, bomb)), Limits{Floor: 1 << 20}, Bomb)
	add("dictionary", makeDeb(t, "data.tar.xz", bigDictionary(t)), Limits{}, Bomb)
	add("too many entries", makeDeb(t, "data.tar", makeTar(t, item{name: "a"}, item{name: "b"}, item{name: "c"})), Limits{Files: 2}, TooMany)
	add("cut in data.tar", good[:len(good)-5], Limits{}, Damaged)
	add("cut in a header", good[:30], Limits{}, Damaged)
	add("cut between members", good[:bytes.Index(good, []byte("data.tar.gz"))], Limits{}, Damaged)
	wrong := bytes.Clone(good)
	wrong[bytes.Index(good, inner)+len(inner)-6] ^= 1
	add("wrong checksum", wrong, Limits{}, Damaged)
	add("data.tar cut inside", makeDeb(t, "data.tar.gz", inner[:len(inner)-10]), Limits{}, Damaged)
	add("no data.tar", makeAr("debian-binary", "2.0\n", "control.tar", ""), Limits{}, Damaged)
	add("data.tar too early", makeAr("debian-binary", "2.0\n", "data.tar", ""), Limits{}, Damaged)
	add("other member", makeAr("debian-binary", "2.0\n", "control.tar", "", "database", ""), Limits{}, Damaged)
	add("other version", makeAr("debian-binary", "3.0\n", "control.tar", "", "data.tar", ""), Limits{}, Unsupported)
	add("no version", makeAr("debian-binary", "", "control.tar", "", "data.tar", ""), Limits{}, Damaged)
	add("lzma", makeAr("debian-binary", "2.0\n", "control.tar", "", "data.tar.lzma", "x"), Limits{}, Unsupported)
	add("negative size", []byte(arMagic+"debian-binary   0           0     0     100644  -60       `\n"), Limits{}, Damaged)
	add("size that is no number", bytes.Replace(good, []byte("4         `\n"), []byte("4x        `\n"), 1), Limits{}, Damaged)
	add("header without an end", bytes.Replace(good, []byte("`\n"), []byte("``"), 1), Limits{}, Damaged)
	add("garbage", []byte(strings.Repeat("garbage ", 100)), Limits{}, Damaged)
	add("garbage as ar", []byte(arMagic+strings.Repeat("garbage ", 100)), Limits{}, Damaged)
	add("empty", nil, Limits{}, Damaged)
	return list
}

func hostileRpm(t testing.TB) []hostile {
	t.Helper()
	var list []hostile
	add := func(name string, data []byte, limits Limits, why Why) {
		list = append(list, hostile{"rpm " + name, Rpm, data, limits, why})
	}
	plainCpio := makeCpio(item{name: "./a", body: "some text"})
	good := makeRpm(gz(t, plainCpio))
	rpm := func(cpio []byte) []byte { return makeRpm(gz(t, cpio)) }
	link := func(name string) item { return item{name: name, typ: tar.TypeLink} }
	add("block device", rpm(makeCpio(item{name: "./dev/sda", typ: tar.TypeBlock})), Limits{}, Special)
	add("socket", rpm(makeCpio(item{name: "./s", mode: 0o140000})), Limits{}, Special)
	add("hard link with a bad name", rpm(makeCpio(link("../evil"), item{name: "./b", body: "1"})), Limits{}, Escapes)
	add("hard link twice", rpm(makeCpio(link("./b"), item{name: "./b", body: "1"})), Limits{}, Clash)
	add("hard link, case", rpm(makeCpio(link("./B"), item{name: "./b", body: "1"})), Limits{}, Clash)
	add("hard link without its file", rpm(makeCpio(link("./a"), link("/etc/evil"))), Limits{}, Absolute)
	add("too many hard links", rpm(makeCpio(link("./a"), link("./b"), link("./c"))), Limits{Files: 2}, TooMany)
	add("name that is not UTF-8", rpm(makeCpio(item{name: "./\xff", body: "1"})), Limits{}, BadName)
	add("link with a long target", rpm(makeCpio(item{name: "./l", typ: tar.TypeSymlink, to: strings.Repeat("x", 5000)})), Limits{}, TooLong)
	add("too many entries", rpm(makeCpio(item{name: "a"}, item{name: "b"}, item{name: "c"})), Limits{Files: 2}, TooMany)
	bomb := makeCpio(item{name: "zeros", body: zeros(2 << 20)})
	add("bomb", rpm(bomb), Limits{Floor: 1 << 20}, Bomb)
	add("bomb of zstd", makeRpm(makeZst(t, bomb)), Limits{Floor: 1 << 20}, Bomb)
	add("dictionary", makeRpm(bigDictionary(t)), Limits{}, Bomb)
	add("file of 4 GiB, by its header", rpm(bytes.Replace(plainCpio, []byte("00000009"), []byte("ffffffff"), 1)), Limits{}, Bomb)

	add("wrong checksum of the payload", join(good[:len(good)-1], string(good[len(good)-1]^1)), Limits{}, Damaged)
	add("more behind the payload", append(bytes.Clone(good), 0), Limits{}, Damaged)
	spoilt := bytes.Replace(good, []byte("cpio\x00"), []byte("cpi0\x00"), 1)
	add("wrong checksum of the header", spoilt, Limits{}, Damaged)
	old := sealRpm(rpmTable(), gz(t, plainCpio))
	add("wrong MD5", join(old[:len(old)-1], string(old[len(old)-1]^1)), Limits{}, Damaged)
	lead := make([]byte, rpmLead)
	copy(lead, rpmLeadMagic)
	add("no checksum", join(lead, rpmTable(), rpmTable(), gz(t, plainCpio)), Limits{}, Damaged)
	add("checksum that is no number", sealRpm(rpmTable(tag{rpmPayloadDigest, rpmStrings, 1, []byte("xyz\x00")}), plainCpio), Limits{}, Damaged)
	add("cut in the payload", good[:len(good)-20], Limits{}, Damaged)
	add("cut in the header", good[:rpmLead+16+32+100], Limits{}, Damaged)
	add("cut in the lead", good[:50], Limits{}, Damaged)
	add("cut before the payload", makeRpm(nil), Limits{}, Damaged)
	trailer := bytes.Index(plainCpio, []byte("TRAILER"))
	add("cpio without its end", rpm(plainCpio[:trailer-110]), Limits{}, Damaged)
	add("cpio cut in a file", rpm(plainCpio[:120]), Limits{}, Damaged)
	add("cpio with a bad number", rpm(bytes.Replace(plainCpio, []byte("00000009"), []byte("-0000009"), 1)), Limits{}, Damaged)
	add("cpio with no name", rpm(bytes.Replace(plainCpio, []byte("00000004"), []byte("00000000"), 1)), Limits{}, Damaged)
	add("cpio with a name of 4 GiB", rpm(bytes.Replace(plainCpio, []byte("00000004"), []byte("ffffffff"), 1)), Limits{}, Damaged)
	add("stripped cpio", rpm(bytes.Replace(plainCpio, []byte("070701"), []byte("07070X"), 1)), Limits{}, Unsupported)
	add("garbage as cpio", rpm([]byte(strings.Repeat("garbage ", 100))), Limits{}, Damaged)
	add("delta rpm", sealRpm(rpmTable(tag{rpmPayloadFormat, rpmString, 1, []byte("drpm\x00")}), plainCpio), Limits{}, Unsupported)
	add("bzip2", makeRpm([]byte("BZh91AY&SY")), Limits{}, Unsupported)
	huge := bytes.Clone(good)
	binary.BigEndian.PutUint32(huge[rpmLead+8:], math.MaxUint32)
	add("header of 64 GiB", huge, Limits{}, Damaged)
	claims := bytes.Clone(good)
	binary.BigEndian.PutUint32(claims[rpmLead+12:], 60<<20)
	add("header that claims 60 MB", claims, Limits{}, Damaged)
	far := bytes.Clone(good)
	binary.BigEndian.PutUint32(far[rpmLead+16+8:], math.MaxUint32) // its place in the data
	binary.BigEndian.PutUint32(far[rpmLead+32+8:], math.MaxUint32)
	far[len(far)-1] ^= 1
	add("tags that point nowhere", far, Limits{}, Damaged)
	add("garbage", []byte(strings.Repeat("garbage ", 100)), Limits{}, Damaged)
	add("garbage behind the lead", join(lead, strings.Repeat("garbage ", 100)), Limits{}, Damaged)
	add("empty", nil, Limits{}, Damaged)
	return list
}

// unpacked extracts data and gives what is there.
func unpacked(t *testing.T, format Format, data []byte, o Options) map[string]string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Extract(t.Context(), file, format, filepath.Join(dir, "dest"), o); err != nil {
		t.Fatal(err)
	}
	return tree(t, filepath.Join(dir, "dest"))
}

// TestMadeBy7Zip reads what 7-Zip 26.02 wrote (7z a NAME.7z calls empty folder
// -m0=…, the methods as in the name; two with -p, one of these with -mhe=on):
// filters, packed headers, encryption.
func TestMadeBy7Zip(t *testing.T) {
	var calls []byte // many calls of few places, which the filters are for
	for i := range 600 {
		calls = append(binary.LittleEndian.AppendUint32(append(calls, 0xe8), uint32(100000-9*i)), "code"...)
	}
	mode := "755 "
	if runtime.GOOS == "windows" {
		mode = "644 "
	}
	want := map[string]string{"calls": mode + string(calls), "empty": "644 "}
	names, err := filepath.Glob("testdata/*.7z")
	if err != nil || len(names) != 8 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(name, "secret") {
			if d := cmp.Diff(want, unpacked(t, SevenZip, data, Options{})); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			continue
		}
		_, err = Extract(t.Context(), name, SevenZip, filepath.Join(t.TempDir(), "dest"), Options{})
		var refused *Refused
		if !errors.As(err, &refused) || refused.Why != Unsupported || !strings.Contains(err.Error(), "encrypted") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestZstd: 7-Zip itself does not write it; its decoder is not the library's.
func TestZstd(t *testing.T) {
	got := unpacked(t, SevenZip, made7z{items: []item{{name: "a", body: "text"}, {name: "b", body: zeros(1 << 20)}}, coders: join(1, 0x04, methodZstd),
		pack: func(b []byte) []byte { return makeZst(t, b) }}.archive(t), Options{})
	if got["a"] != "644 text" || got["b"] != "644 "+zeros(1<<20) {
		t.Error("not what went in")
	}
}

// TestSolid: of a stream of several files any may be left out, and what is
// left out is checked when something behind it is taken.
func TestSolid(t *testing.T) {
	items := []item{{name: "a", body: "first"}, {name: "b", body: "second"}, {name: "empty"}, {name: "c", body: "third"}, {name: "d", body: "fourth"}}
	all := map[string]string{"a": "644 first", "b": "644 second", "empty": "644 ", "c": "644 third", "d": "644 fourth"}
	for bits := range 1 << len(items) {
		want := map[string]string{}
		for i, it := range items {
			if bits&(1<<i) != 0 {
				want[it.name] = all[it.name]
			}
		}
		got := unpacked(t, SevenZip, packed7z(t, nil, items...), Options{Pick: func(name string) string {
			if want[name] == "" {
				return ""
			}
			return name
		}})
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%b: %s", bits, d)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	bad := made7z{items: items, sums: func(b []byte) uint32 {
		if string(b) == "second" {
			return 1
		}
		return crc32.ChecksumIEEE(b)
	}}.archive(t)
	if err := os.WriteFile(file, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Extract(t.Context(), file, SevenZip, filepath.Join(dir, "dest"), Options{Pick: func(name string) string { return strings.Trim(name, "abd") }})
	var refused *Refused
	if !errors.As(err, &refused) || refused.Why != Damaged || refused.Entry != "b" {
		t.Error(err)
	}
}

// TestSkippedBomb: what is left out counts too.
func TestSkippedBomb(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file, packed7z(t, nil, item{name: "a", body: zeros(1 << 20)}, item{name: "b", body: zeros(1 << 20)}, item{name: "c", body: "1"}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Extract(t.Context(), file, SevenZip, filepath.Join(dir, "dest"), Options{Limits: Limits{Bytes: 3 << 19}, Pick: func(name string) string { return strings.Trim(name, "ab") }})
	var refused *Refused
	if !errors.As(err, &refused) || refused.Why != TooBig {
		t.Error(err)
	}
}

// TestFoldersOf7z: without attributes, an entry in no stream is a folder.
func TestFoldersOf7z(t *testing.T) {
	data := seal7z(nil, join(idHeader, idFiles, num(2), idEmptyStream, num(1), 0xc0, idEmptyFile, num(1), 0x40,
		idDummy, num(3), 0, 0, 0, idNames, num(9), "\x00d\x00\x00\x00f\x00\x00\x00", idEnd, idEnd))
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Extract(t.Context(), file, SevenZip, filepath.Join(dir, "dest"), Options{}); err != nil {
		t.Fatal(err)
	}
	for name, folder := range map[string]bool{"d": true, "f": false} {
		if info, err := os.Stat(filepath.Join(dir, "dest", name)); err != nil || info.IsDir() != folder {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestNumber(t *testing.T) {
	for in, want := range map[string]uint64{
		"\x00": 0, "\x7f": 0x7f, "\x80\x80": 0x80, "\xbf\xff": 0x3fff, "\xc1\x34\x12": 0x11234, "\xe1\x01\x02\x03": 0x1030201,
		"\xfe\x01\x02\x03\x04\x05\x06\x07": 0x07060504030201, "\xff\x01\x02\x03\x04\x05\x06\x07\x08": 0x0807060504030201,
	} {
		f := fields{b: []byte(in)}
		if got := f.number(); got != want || f.err != nil || len(f.b) != 0 {
			t.Errorf("%x: %x, want %x, %v", in, got, want, f.err)
		}
	}
	f := fields{b: []byte("\xc1\x34")}
	if f.number(); f.err == nil {
		t.Error("a cut number was read")
	}
}

// TestCpioLinks: names of one file, its bytes behind the last; and a file
// without bytes.
func TestCpioLinks(t *testing.T) {
	link := func(name string) item { return item{name: name, typ: tar.TypeLink} }
	got := unpacked(t, Rpm, makeRpm(gz(t, makeCpio(link("./a"), link("./b"), item{name: "./c", body: "text"}, item{name: "./d", body: "1"}, link("./e"), link("./f")))), Options{})
	if d := cmp.Diff(map[string]string{"a": "644 text", "b": "644 text", "c": "644 text", "d": "644 1", "e": "644 ", "f": "644 "}, got); d != "" {
		t.Error(d)
	}
}

// TestAlternatives: a link that leads outside may be left out.
func TestAlternatives(t *testing.T) {
	data := makeDeb(t, "data.tar.gz", gz(t, makeTar(t, item{name: "./usr/lib/a.so", body: "elf"}, item{name: "./usr/lib/b.so", typ: tar.TypeSymlink, to: "/etc/alternatives/b.so"})))
	got := unpacked(t, Deb, data, Options{Strip: 1, Pick: func(name string) string {
		if name == "lib/b.so" {
			return ""
		}
		return name
	}})
	if d := cmp.Diff(map[string]string{"lib/a.so": "644 elf"}, got); d != "" {
		t.Error(d)
	}
}

func TestDetect(t *testing.T) {
	text := item{name: "a", body: "1"}
	plainTar := makeTar(t, text)
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		data []byte
		want Format
	}{
		{"x", makeZip(t, text), Zip}, {"x", makeZip(t), Zip}, {"x", plainTar, Tar}, {"x", gz(t, plainTar), TarGz}, {"x", makeXz(t, plainTar), TarXz}, {"x", makeZst(t, plainTar), TarZst},
		{"x", make7z(t, text), SevenZip}, {"x.exe", join("MZ", zeros(5000), sevenZipMagic, zeros(300), packed7z(t, nil, text)), SevenZip},
		{"x", makeDeb(t, "data.tar", plainTar), Deb}, {"x", makeRpm(makeCpio(text)), Rpm},
		{"x.zip", plainTar, Tar}, // the bytes decide
		{"X.TAR", []byte("old"), Tar}, {"x.tgz", nil, TarGz},
		{"x.exe", join("MZ", zeros(5000)), ""}, {"x", nil, ""}, {"x.a", makeAr("x.o", "elf"), ""}, {"x.txt", []byte("text"), ""}, {"tar.gz", []byte("text"), ""},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Detect(path)
		var refused *Refused
		if got != c.want || (err != nil) != (c.want == "") || err != nil && (!errors.As(err, &refused) || refused.Why != Unsupported) {
			t.Errorf("%s, %.20q: %q, %v, want %q", c.name, c.data, got, err, c.want)
		}
	}
	if _, err := Detect(filepath.Join(dir, "absent.zip")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
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

// FuzzSevenZip changes packed bytes and header, behind right checksums.
func FuzzSevenZip(f *testing.F) {
	for _, c := range hostile7z(f) {
		if n := len(c.data); n < 64<<10 && n > sevenZipStart {
			if at := binary.LittleEndian.Uint64(c.data[12:]); string(c.data[:6]) == sevenZipMagic && at < uint64(n-sevenZipStart) {
				f.Add(c.data[sevenZipStart:sevenZipStart+at], c.data[sevenZipStart+at:])
			}
		}
	}
	f.Fuzz(func(t *testing.T, packed, header []byte) { fuzzed(t, SevenZip, seal7z(packed, header)) })
}

// FuzzAr changes a deb.
func FuzzAr(f *testing.F) {
	for _, c := range hostileDeb(f) {
		if len(c.data) < 64<<10 {
			f.Add(c.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzed(t, Deb, data) })
}

// FuzzRpm changes a whole rpm, or its cpio behind right checksums.
func FuzzRpm(f *testing.F) {
	for _, c := range hostileRpm(f) {
		if len(c.data) < 64<<10 {
			f.Add(c.data, true)
		}
	}
	f.Add(makeCpio(item{name: "./l", typ: tar.TypeSymlink, to: "a"}, item{name: "./h", typ: tar.TypeLink}, item{name: "./a", body: "text"}), false)
	f.Fuzz(func(t *testing.T, data []byte, whole bool) {
		if !whole {
			data = makeRpm(data)
		}
		fuzzed(t, Rpm, data)
	})
}
