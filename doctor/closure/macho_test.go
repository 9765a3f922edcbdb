package closure_test

import (
	"debug/macho"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// dylib is a Mach-O library with nothing but load commands; several processors
// make a universal one.
type dylib struct {
	cpus   []macho.Cpu
	needed []string
	rpaths []string
}

func (d dylib) bytes() []byte {
	le := binary.LittleEndian
	var commands []byte
	n := uint32(0)
	add := func(cmd uint32, start int, text string) {
		size := (start + len(text) + 8) / 8 * 8
		c := make([]byte, size)
		le.PutUint32(c, cmd)
		le.PutUint32(c[4:], uint32(size))
		le.PutUint32(c[8:], uint32(start))
		copy(c[start:], text)
		commands = append(commands, c...)
		n++
	}
	for _, name := range d.needed {
		add(0xc, 24, name)
	}
	for _, dir := range d.rpaths {
		add(0x8000001c, 12, dir)
	}
	thin := func(cpu macho.Cpu) []byte {
		h := make([]byte, 32)
		le.PutUint32(h, macho.Magic64)
		le.PutUint32(h[4:], uint32(cpu))
		le.PutUint32(h[12:], 6) // MH_DYLIB
		le.PutUint32(h[16:], n)
		le.PutUint32(h[20:], uint32(len(commands)))
		return append(h, commands...)
	}
	if len(d.cpus) < 2 {
		return thin(append(d.cpus, macho.CpuArm64)[0])
	}
	const each = 4096
	out := make([]byte, each*(len(d.cpus)+1))
	be := binary.BigEndian
	be.PutUint32(out, macho.MagicFat)
	be.PutUint32(out[4:], uint32(len(d.cpus)))
	for i, cpu := range d.cpus {
		e := out[8+20*i:]
		be.PutUint32(e, uint32(cpu))
		be.PutUint32(e[8:], uint32(each*(i+1)))
		be.PutUint32(e[12:], each)
		copy(out[each*(i+1):], thin(cpu))
	}
	return out
}

// TestMacNeeds: what dyld would not give a library of a Mac.
func TestMacNeeds(t *testing.T) {
	const lib, avcodec = "/opt/homebrew/lib/libopencv_core.dylib", "/opt/homebrew/opt/ffmpeg/lib/libavcodec.61.dylib"
	intel := []macho.Cpu{macho.CpuAmd64}
	for _, c := range []struct {
		name  string
		files map[string]dylib
		want  []facts.Need
	}{
		{"everything is there", map[string]dylib{lib: {needed: []string{"/usr/lib/libSystem.B.dylib", avcodec}}, avcodec: {}}, nil},
		{"a formula moved on", map[string]dylib{lib: {needed: []string{avcodec}}, "/opt/homebrew/Cellar/ffmpeg/8/lib/libavcodec.62.dylib": {}}, []facts.Need{{Name: avcodec, By: lib, Cause: facts.NotFound, Package: "ffmpeg", Installed: true}}},
		{"a formula is not installed", map[string]dylib{lib: {needed: []string{avcodec}}}, []facts.Need{{Name: avcodec, By: lib, Cause: facts.NotFound, Package: "ffmpeg"}}},
		{"for Intel", map[string]dylib{lib: {cpus: intel}}, []facts.Need{{Name: "libopencv_core.dylib", By: "a program built with it", Cause: facts.OtherArch, Found: lib}}},
		{"universal", map[string]dylib{lib: {cpus: []macho.Cpu{macho.CpuAmd64, macho.CpuArm64}}}, nil},
		{"a dependency for Intel", map[string]dylib{lib: {needed: []string{avcodec}}, avcodec: {cpus: intel}}, []facts.Need{{Name: avcodec, By: lib, Cause: facts.OtherArch, Found: avcodec}}},
		{"by @rpath and @loader_path", map[string]dylib{lib: {needed: []string{"@rpath/libtbb.12.dylib"}, rpaths: []string{"@loader_path/../tbb"}}, "/opt/homebrew/tbb/libtbb.12.dylib": {}}, nil},
		{"not in any @rpath", map[string]dylib{lib: {needed: []string{"@rpath/libtbb.12.dylib"}, rpaths: []string{"@loader_path/../tbb"}}}, []facts.Need{{Name: "@rpath/libtbb.12.dylib", By: lib, Cause: facts.NotFound}}},
		{"the program may have an @rpath", map[string]dylib{lib: {needed: []string{"@rpath/libtbb.12.dylib"}}}, nil},
		{"the program decides", map[string]dylib{lib: {needed: []string{"@executable_path/libtbb.12.dylib"}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := host.NewRecording("darwin", "arm64", hosttest.Time)
			for file, d := range c.files {
				r.Files[file] = host.File{Data: d.bytes()}
			}
			r.Complete()
			f := facts.Facts{Components: map[string][]facts.Instance{"opencv": {{Active: true, Attrs: map[string]string{"lib": lib}}}}}
			if err := closure.Fill(t.Context(), host.Replay(r), &f); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, f.Components["opencv"][0].Needs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestMacHostile: files that are no libraries, or lie about their sizes.
func TestMacHostile(t *testing.T) {
	whole := dylib{needed: []string{"/opt/x.dylib"}}.bytes()
	for _, data := range [][]byte{nil, whole[:20], whole[:40], append([]byte{0xca, 0xfe, 0xba, 0xbe, 0xff, 0xff, 0xff, 0xff}, whole...), []byte("\xcf\xfa\xed\xfe\x0c\x00\x00\x01                \xff\xff\xff\xff        ")} {
		r := host.NewRecording("darwin", "arm64", hosttest.Time)
		r.Files["/opt/lib.dylib"] = host.File{Data: data}
		r.Complete()
		f := facts.Facts{Components: map[string][]facts.Instance{"opencv": {{Active: true, Attrs: map[string]string{"lib": "/opt/lib.dylib"}}}}}
		if err := closure.Fill(t.Context(), host.Replay(r), &f); err != nil || len(f.Components["opencv"][0].Needs) > 0 {
			t.Errorf("%q: %v, %v", data, f.Components["opencv"][0].Needs, err)
		}
	}
}
