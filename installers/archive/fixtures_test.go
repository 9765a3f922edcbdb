package archive

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
	"unicode/utf16"

	"github.com/ulikunitz/xz/lzma"
)

// num is a number of a 7z header, in its longest form.
func num[T int | int64 | uint64](n T) []byte {
	return binary.LittleEndian.AppendUint64([]byte{0xff}, uint64(n))
}

func join(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// mask is a list of bits, the first the highest.
func mask(list []bool) []byte {
	b := make([]byte, (len(list)+7)/8)
	for i, on := range list {
		if on {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	return b
}

// made7z is what a 7z archive is made of; tests change parts of it.
type made7z struct {
	items  []item
	coders []byte  // of the one stream: their number, each, the pairs; nil for Copy
	sizes  []int64 // of the coders' outputs, where there is more than one
	pack   func([]byte) []byte
	sums   func([]byte) uint32 // of a file
	props  []byte              // more properties of the files
	files  int64               // claimed; 0 for the true number
}

// parts gives the packed bytes and the header.
func (m made7z) parts(t testing.TB) (packed, header []byte) {
	t.Helper()
	var body []byte
	var sums, names, attributes []byte
	var empty, isFile []bool
	var lengths []int
	if m.sums == nil {
		m.sums = crc32.ChecksumIEEE
	}
	for _, i := range m.items {
		mode, attribute := uint32(i.mode), uint32(0x8000)
		if mode == 0 {
			mode = 0o644
		}
		switch i.typ {
		case tar.TypeSymlink:
			mode, i.body = 0o120777, i.to
		case tar.TypeChar:
			mode |= 0o020000
		case tar.TypeBlock:
			mode |= 0o060000
		case tar.TypeFifo:
			mode |= 0o010000
		case tar.TypeDir:
			mode, attribute = 0o040755, attribute|0x10
		default:
			mode |= 0o100000
		}
		for _, u := range append(utf16.Encode([]rune(i.name)), 0) {
			names = binary.LittleEndian.AppendUint16(names, u)
		}
		attributes = binary.LittleEndian.AppendUint32(attributes, attribute|mode<<16)
		empty = append(empty, i.body == "")
		if i.body == "" {
			isFile = append(isFile, i.typ != tar.TypeDir)
			continue
		}
		body = append(body, i.body...)
		lengths = append(lengths, len(i.body))
		sums = binary.LittleEndian.AppendUint32(sums, m.sums([]byte(i.body)))
	}
	packed = body
	if m.pack != nil {
		packed = m.pack(body)
	}
	if m.coders == nil {
		m.coders = []byte{1, 1, 0}
	}
	if m.sizes == nil {
		m.sizes = []int64{int64(len(body))}
	}
	header = join(idHeader)
	if len(lengths) > 0 {
		header = join(header, idStreams, idPackInfo, num(0), num(1), idSize, num(len(packed)), idEnd,
			idUnpackInfo, idFolder, num(1), 0, m.coders, idUnpackSize)
		for _, n := range m.sizes {
			header = append(header, num(n)...)
		}
		header = join(header, idEnd, idSubStreams, idUnpackStreams, num(len(lengths)))
		if len(lengths) > 1 {
			header = append(header, idSize)
			for _, n := range lengths[:len(lengths)-1] { // the last has the rest
				header = append(header, num(n)...)
			}
		}
		header = join(header, idCRC, 1, sums, idEnd, idEnd)
	}
	if m.files == 0 {
		m.files = int64(len(m.items))
	}
	header = join(header, idFiles, num(m.files))
	property := func(id int, b []byte) { header = join(header, id, num(len(b)), b) }
	if len(isFile) > 0 {
		property(idEmptyStream, mask(empty))
		property(idEmptyFile, mask(isFile))
	}
	property(idNames, join(0, names))
	property(idAttributes, join(1, 0, attributes))
	return packed, join(header, m.props, idEnd, idEnd)
}

// seal7z makes an archive of packed bytes and a header, with right checksums.
func seal7z(packed, header []byte) []byte {
	start := binary.LittleEndian.AppendUint64(nil, uint64(len(packed)))
	start = binary.LittleEndian.AppendUint64(start, uint64(len(header)))
	start = binary.LittleEndian.AppendUint32(start, crc32.ChecksumIEEE(header))
	head := binary.LittleEndian.AppendUint32([]byte(sevenZipMagic+"\x00\x04"), crc32.ChecksumIEEE(start))
	return join(head, start, packed, header)
}

func (m made7z) archive(t testing.TB) []byte { return seal7z(m.parts(t)) }

func make7z(t testing.TB, items ...item) []byte { return made7z{items: items}.archive(t) }

// pack7z packs with LZMA: properties and bytes.
func pack7z(t testing.TB, b []byte) (props, packed []byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := lzma.WriterConfig{Size: int64(len(b)), DictCap: 1 << 16}.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	all := closed(t, w, &out, b)
	return all[:5], all[13:]
}

// packed7z is an archive as 7-Zip writes it: files and header in LZMA. change,
// unless nil, may change the packed header's description.
func packed7z(t testing.TB, change func([]byte) []byte, items ...item) []byte {
	t.Helper()
	m := made7z{items: items}
	var props []byte
	m.pack = func(b []byte) []byte {
		var packed []byte
		props, packed = pack7z(t, b)
		return packed
	}
	m.parts(t)
	m.coders = join(1, 0x23, methodLZMA, num(len(props)), props)
	packed, header := m.parts(t)
	hprops, hpacked := pack7z(t, header)
	encoded := join(idEncodedHeader, idPackInfo, num(len(packed)), num(1), idSize, num(len(hpacked)), idEnd,
		idUnpackInfo, idFolder, num(1), 0, 1, 0x23, methodLZMA, num(5), hprops, idUnpackSize, num(len(header)),
		idCRC, 1, binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(header)), idEnd, idEnd)
	if change != nil {
		encoded = change(encoded)
	}
	return seal7z(join(packed, hpacked), encoded)
}

// makeAr makes an ar file of names and contents in turn.
func makeAr(members ...string) []byte {
	b := []byte(arMagic)
	for i := 0; i < len(members); i += 2 {
		b = fmt.Appendf(b, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", members[i], 0, 0, 0, 0o100644, len(members[i+1]), members[i+1])
		if len(members[i+1])%2 == 1 {
			b = append(b, '\n')
		}
	}
	return b
}

// makeDeb makes a package with a data.tar.
func makeDeb(t testing.TB, name string, data []byte) []byte {
	t.Helper()
	return makeAr("debian-binary", "2.0\n", "control.tar.gz", string(gz(t, makeTar(t, item{name: "./control", body: "Package: x\n"}))), name, string(data))
}

// makeCpio makes a cpio stream; an item of tar.TypeLink is a name of the file
// that comes next.
func makeCpio(items ...item) []byte {
	var b []byte
	entry := func(name string, inode, mode, links int, body string) {
		b = fmt.Appendf(b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", inode, mode, 0, 0, links, 0, len(body), 0, 0, 0, 0, len(name)+1, 0, name)
		b = append(b, make([]byte, (4-len(b)%4)%4)...)
		b = append(b, body...)
		b = append(b, make([]byte, (4-len(b)%4)%4)...)
	}
	inode, links := 1, 1
	for _, i := range items {
		mode := int(i.mode)
		if mode == 0 {
			mode = 0o644
		}
		switch i.typ {
		case tar.TypeLink:
			links++
			entry(i.name, inode, cpioFile|mode, 2, "")
			continue
		case tar.TypeSymlink:
			mode, i.body = cpioLink|0o777, i.to
		case tar.TypeChar:
			mode |= 0o020000
		case tar.TypeBlock:
			mode |= 0o060000
		case tar.TypeFifo:
			mode |= 0o010000
		case tar.TypeDir:
			mode = cpioFolder | 0o755
		default:
			mode |= cpioFile
		}
		entry(i.name, inode, mode, links, i.body)
		inode, links = inode+1, 1
	}
	entry("TRAILER!!!", 0, 0, 1, "")
	return b
}

// tag is an entry of an rpm's header.
type tag struct {
	id, kind, count uint32
	data            []byte
}

func rpmTable(tags ...tag) []byte {
	head, data := []byte(rpmTableMagic), []byte(nil)
	var entries []byte
	for _, t := range tags {
		if t.kind == rpmInt32 {
			data = append(data, make([]byte, (4-len(data)%4)%4)...)
		}
		for _, n := range []uint32{t.id, t.kind, uint32(len(data)), t.count} {
			entries = binary.BigEndian.AppendUint32(entries, n)
		}
		data = append(data, t.data...)
	}
	head = binary.BigEndian.AppendUint32(head, uint32(len(tags)))
	head = binary.BigEndian.AppendUint32(head, uint32(len(data)))
	return join(head, entries, data)
}

// sealRpm makes a package of a header and its payload, with right checksums of
// the header, and of both together.
func sealRpm(header, payload []byte) []byte {
	sum := sha256.Sum256(header)
	both := md5.Sum(join(header, payload))
	signature := rpmTable(tag{rpmSigSHA256, rpmString, 1, fmt.Appendf(nil, "%x\x00", sum)}, tag{rpmSigMD5, rpmBytes, 16, both[:]})
	signature = append(signature, make([]byte, -len(signature)&7)...)
	lead := make([]byte, rpmLead)
	copy(lead, rpmLeadMagic+"\x03\x00")
	return join(lead, signature, header, payload)
}

// makeRpm makes a package as rpm 4.14 and later do.
func makeRpm(payload []byte) []byte {
	sum := sha256.Sum256(payload)
	return sealRpm(rpmTable(tag{rpmPayloadFormat, rpmString, 1, []byte("cpio\x00")},
		tag{rpmPayloadDigest, rpmStrings, 1, fmt.Appendf(nil, "%x\x00", sum)}, tag{rpmPayloadAlgo, rpmInt32, 1, []byte{0, 0, 0, 8}}), payload)
}
