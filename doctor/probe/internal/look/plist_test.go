package look_test

import (
	"testing"

	"howett.net/plist"

	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

func TestParsePlistForms(t *testing.T) {
	want := look.Plist{ShortVersion: "15.4", ProductBuild: "15F31d", PackageVersion: "15.3.0.0.1.1708646388"}
	source := map[string]any{
		"CFBundleShortVersionString": "15.4", "ProductBuildVersion": "15F31d", "PackageVersion": "15.3.0.0.1.1708646388",
		"InstallDate": 7, "Version": []string{"of another type"},
	}
	for _, format := range []int{plist.XMLFormat, plist.BinaryFormat, plist.OpenStepFormat, plist.GNUStepFormat} {
		data, err := plist.Marshal(source, format)
		if err != nil {
			t.Fatal(err)
		}
		got, err := look.ParsePlist(data)
		if err != nil {
			t.Fatal(err)
		}
		probetest.Same(t, plist.FormatNames[format], want, got)
	}
}

// A few hundred bytes whose arrays share their members would unfold to 2^40 values.
func TestPlistBomb(t *testing.T) {
	const depth = 40
	var objects [][]byte
	objects = append(objects, []byte{0xd2, 1, 2, 3, 4}) // dict of two
	objects = append(objects, append([]byte{0x5a}, "Properties"...), append([]byte{0x57}, "Version"...))
	objects = append(objects, []byte{0xa2, 5, 5}, append([]byte{0x53}, "9.9"...))
	for n := range depth {
		objects = append(objects, []byte{0xa2, byte(6 + n), byte(6 + n)})
	}
	objects = append(objects, []byte{0x51, 'x'})
	data := []byte("bplist00")
	var offsets []byte
	for _, o := range objects {
		offsets = append(offsets, byte(len(data)>>8), byte(len(data)))
		data = append(data, o...)
	}
	table := len(data)
	data = append(data, offsets...)
	data = append(data, 0, 0, 0, 0, 0, 0, 2, 1)                        // offsets of 2 bytes, references of 1
	data = append(data, 0, 0, 0, 0, 0, 0, 0, byte(len(objects)))       // objects
	data = append(data, 0, 0, 0, 0, 0, 0, 0, 0)                        // the first is the top
	data = append(data, 0, 0, 0, 0, 0, 0, byte(table>>8), byte(table)) // where the offsets stand
	info, err := look.ParsePlist(data)
	if err != nil || info.Version != "9.9" {
		t.Errorf("%+v, %v", info, err)
	}
}

func FuzzParsePlist(f *testing.F) {
	for _, format := range []int{plist.XMLFormat, plist.BinaryFormat, plist.OpenStepFormat} {
		data, err := plist.Marshal(map[string]any{"CFBundleShortVersionString": "15.4", "Version": []any{1, "x"}}, format)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("bplist00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if info, err := look.ParsePlist(data); err != nil && info != (look.Plist{}) {
			t.Errorf("%+v with %v", info, err)
		}
	})
}
