package loader

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

// cache makes the bytes of an ld.so.cache.
func cache(order binary.ByteOrder, entries ...CacheEntry) []byte {
	var strs bytes.Buffer
	base := newHeaderLen + len(entries)*newEntryLen
	head := make([]byte, base)
	copy(head, newMagic)
	order.PutUint32(head[20:], uint32(len(entries)))
	for i, e := range entries {
		at := head[newHeaderLen+i*newEntryLen:]
		order.PutUint32(at, uint32(e.Flags))
		order.PutUint32(at[4:], uint32(base+strs.Len()))
		strs.WriteString(e.Soname + "\x00")
		order.PutUint32(at[8:], uint32(base+strs.Len()))
		strs.WriteString(e.Path + "\x00")
	}
	order.PutUint32(head[24:], uint32(strs.Len()))
	return append(head, strs.Bytes()...)
}

func TestParseCache(t *testing.T) {
	want := []CacheEntry{{"libz.so.1", "/usr/lib/x86_64-linux-gnu/libz.so.1", 0x0303}, {"liba.so", "/opt/liba.so", 0x0003}}
	for name, data := range map[string][]byte{
		"little": cache(binary.LittleEndian, want...),
		"big":    cache(binary.BigEndian, want...),
		"old":    append([]byte(oldMagic+"\x00\x00\x00\x00\x00"), cache(binary.LittleEndian, want...)...),
	} {
		got, err := ParseCache(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		probetest.Same(t, name, want, got)
	}
	whole := cache(binary.LittleEndian, want...)
	for _, cut := range []int{0, 10, 30, 60} {
		if _, err := ParseCache(whole[:cut]); err == nil {
			t.Errorf("cut at %d: no error", cut)
		}
	}
}

func FuzzParseCache(f *testing.F) {
	f.Add(cache(binary.LittleEndian, CacheEntry{"libz.so.1", "/lib/libz.so.1", 3}))
	f.Add([]byte(newMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := ParseCache(data)
		if err != nil && entries != nil {
			t.Error("an error and entries")
		}
	})
}

func TestLookups(t *testing.T) {
	h := hosttest.Parse(t, `
-- env --
LD_LIBRARY_PATH=/opt/first:relative:
LIBRARY_PATH=/opt/link
-- file /etc/ld.so.conf --
include /etc/ld.so.conf.d/*.conf
# a comment
/opt/conf  /opt/two:/opt/three
-- file /etc/ld.so.conf.d/a.conf --
include /etc/ld.so.conf
/usr/local/lib
-- file /opt/first/liba.so.1 --
-- file /opt/conf/liba.so.1 --
-- file /opt/conf/libb.so.1 --
-- file /usr/lib/x86_64-linux-gnu/libc.so.6 --
-- file /etc/ld.so.cache --
`+string(cache(binary.LittleEndian,
		CacheEntry{"libb.so.1", "/opt/conf/i386/libb.so.1", 0x0003},
		CacheEntry{"libgone.so.1", "/opt/conf/libgone.so.1", 0x0303},
		CacheEntry{"libb.so.1", "/opt/conf/libb.so.1", 0x0303})))
	l := Open(t.Context(), h)
	if l.CacheErr != nil {
		t.Fatal(l.CacheErr)
	}
	probetest.Same(t, "ld.so.conf", []string{"/usr/local/lib", "/opt/conf", "/opt/two", "/opt/three"}, l.Conf)
	for soname, want := range map[string][2]string{
		"liba.so.1":    {"/opt/first/liba.so.1", "LD_LIBRARY_PATH"},
		"libb.so.1":    {"/opt/conf/libb.so.1", "ldconfig"},
		"libc.so.6":    {"/usr/lib/x86_64-linux-gnu/libc.so.6", "ldconfig"},
		"libgone.so.1": {"", ""},
	} {
		file, via := l.Find(t.Context(), soname)
		if file != want[0] || via != want[1] {
			t.Errorf("%s: %s by %s", soname, file, via)
		}
	}
	if got := l.LinkDirs()[0]; got != "/opt/link" {
		t.Errorf("the linker searches %s first", got)
	}
}

func TestMusl(t *testing.T) {
	h := hosttest.Parse(t, `
-- file /lib/ld-musl-x86_64.so.1 --
-- file /etc/ld-musl-x86_64.path --
/lib
/usr/lib:/opt/x
-- file /opt/x/liba.so.1 --
`)
	l := Open(t.Context(), h)
	if file, _ := l.Find(t.Context(), "liba.so.1"); file != "/opt/x/liba.so.1" || !l.Musl {
		t.Errorf("found %q, musl %v", file, l.Musl)
	}
}

const pc = `# comment
prefix=/opt/my\ dir
libdir=${prefix}/lib
Name: X
Description: with a colon: here
Version: 4.6.0  # not part
Requires: zlib >= 1.2, foo
Libs: -L${libdir} -L"/with space" -lopencv_core \
  -lopencv_dnn /abs/libopencv_flann.so.2.4
Cflags: -I${prefix}/include/opencv4 -DX=1
`

func TestParsePackage(t *testing.T) {
	got := ParsePackage("/usr/lib/pkgconfig/x.pc", pc)
	want := Package{
		File: "/usr/lib/pkgconfig/x.pc", Version: "4.6.0",
		Include: []string{"/opt/my dir/include/opencv4"},
		Lib:     []string{"/opt/my dir/lib", "/with space", "/abs"},
		Names:   []string{"opencv_core", "opencv_dnn"},
	}
	got.Vars = nil
	probetest.Same(t, "", want, got)
}

func TestPkgConfigOrder(t *testing.T) {
	for host, want := range map[string]string{
		"-- dir /usr --\n":                                        "/usr/lib64/pkgconfig", // Fedora's and Arch's leave /usr/local out
		"-- file /etc/debian_version --\n12\n":                    "/usr/local/lib/x86_64-linux-gnu/pkgconfig",
		"-- env --\nPKG_CONFIG_PATH=/p\n":                         "/p",
		"-- env --\nPKG_CONFIG_LIBDIR=/usr/local/lib/pkgconfig\n": "/usr/local/lib/pkgconfig",
	} {
		if dirs := PkgConfigDirs(t.Context(), hosttest.Parse(t, host)); dirs[0] != want {
			t.Errorf("%q: %v, want %s first", host, dirs, want)
		}
	}
}

func FuzzParsePackage(f *testing.F) {
	f.Add(pc)
	f.Add(strings.Repeat("a=${a}${a}x\n", 40))
	f.Add("Libs: -L'\\\nCflags: \"")
	f.Fuzz(func(t *testing.T, text string) {
		p := ParsePackage("/x.pc", text)
		for k, v := range p.Vars {
			if len(v) > maxExpand+len(text) {
				t.Errorf("%q grew to %d bytes", k, len(v))
			}
		}
	})
}

func TestEmptyHost(t *testing.T) {
	l := Open(t.Context(), hosttest.Empty("linux", "arm64"))
	if file, via := l.Find(t.Context(), "libc.so.6"); file != "" || via != "" {
		t.Errorf("found %s by %s on an empty host", file, via)
	}
}

// The loader passes by a file for another architecture, where there is another.
func TestFindPassesByForeign(t *testing.T) {
	arm := "-- file /opt/arm/libx.so.1 --\n\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x03\x00\xb7\x00\n"
	const env, here = "-- env --\nLD_LIBRARY_PATH=/opt/arm:/opt/x\n", "-- file /opt/x/libx.so.1 --\n"
	for text, want := range map[string]string{env + arm + here: "/opt/x/libx.so.1", env + arm: "/opt/arm/libx.so.1", env + here: "/opt/x/libx.so.1"} {
		if file, via := Open(t.Context(), hosttest.Parse(t, text)).Find(t.Context(), "libx.so.1"); file != want || via != "LD_LIBRARY_PATH" {
			t.Errorf("%q: %s (%s), want %s", text, file, via, want)
		}
	}
}
