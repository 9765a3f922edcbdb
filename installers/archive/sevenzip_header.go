package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/ulikunitz/xz/lzma"

	"github.com/deployctl/deployctl/installers/step"
)

// The header of a 7z archive: 7zFormat.txt (18.06) of the LZMA SDK,
// https://github.com/ip7z/7zip/blob/main/DOC/7zFormat.txt. Its words: a stream
// is packed into one or more packed streams by a "folder", a graph of coders;
// several files may be one behind another in a stream. Only what the library
// reads is let through, each number bounded before it sees it.
const (
	idEnd           = 0x00
	idHeader        = 0x01
	idStreams       = 0x04
	idFiles         = 0x05
	idPackInfo      = 0x06
	idUnpackInfo    = 0x07
	idSubStreams    = 0x08
	idSize          = 0x09
	idCRC           = 0x0a
	idFolder        = 0x0b
	idUnpackSize    = 0x0c
	idUnpackStreams = 0x0d
	idEmptyStream   = 0x0e
	idEmptyFile     = 0x0f
	idNames         = 0x11
	idCreated       = 0x12
	idAccessed      = 0x13
	idModified      = 0x14
	idAttributes    = 0x15
	idEncodedHeader = 0x17
	idDummy         = 0x19
)

// The methods that are let through: Methods.txt (23.01) beside 7zFormat.txt;
// Zstandard's is of 7-Zip-zstd.
const (
	methodCopy    = "\x00"
	methodDelta   = "\x03"
	methodARM64   = "\x0a"
	methodLZMA2   = "\x21"
	methodLZMA    = "\x03\x01\x01"
	methodBCJ     = "\x03\x03\x01\x03"
	methodBCJ2    = "\x03\x03\x01\x1b"
	methodPPC     = "\x03\x03\x02\x05"
	methodARM     = "\x03\x03\x05\x01"
	methodSPARC   = "\x03\x03\x08\x05"
	methodDeflate = "\x04\x01\x08"
	methodBzip2   = "\x04\x02\x02"
	methodZstd    = "\x04\xf7\x11\x01"
	methodAES     = "\x06\xf1\x07\x01"
)

const (
	maxCoders = 32 // of a stream, and of streams in and out of a coder
	maxProps  = 64 // bytes of a coder's properties
)

var (
	errSevenZip = errors.New("its header is not one of 7z")
	errTooMany  = errors.New("a number in its header is higher than allowed")
)

// fields reads a header. After an error, which stays, all is zero.
type fields struct {
	b   []byte
	err error
}

func (f *fields) fail(err error) {
	if f.err == nil {
		f.b, f.err = nil, err
	}
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.fail(io.ErrUnexpectedEOF)
		return make([]byte, min(n, 8)) // enough for a number
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *fields) byte() byte { return f.take(1)[0] }

// must reads one byte that can only be this.
func (f *fields) must(id byte) {
	if f.byte() != id {
		f.fail(errSevenZip)
	}
}

// number reads a 64-bit number of variable length: as many bytes follow the
// first as it has leading ones; they are the low bytes, its other bits the rest.
func (f *fields) number() uint64 {
	first := f.byte()
	var v uint64
	for i, mask := 0, byte(0x80); i < 8; i, mask = i+1, mask>>1 {
		if first&mask == 0 {
			return v | uint64(first&(mask-1))<<(8*i)
		}
		v |= uint64(f.byte()) << (8 * i)
	}
	return v
}

// count reads a number that is at most most.
func (f *fields) count(most int) int {
	n := f.number()
	if n > uint64(most) {
		f.fail(errTooMany)
		return 0
	}
	return int(n)
}

// bits reads n bits, and gives them with the number of ones.
func (f *fields) bits(n int) ([]bool, int) {
	b := f.take((n + 7) / 8)
	list, ones := make([]bool, n), 0
	for i := range list {
		if i/8 < len(b) && b[i/8]&(0x80>>(i%8)) != 0 {
			list[i] = true
			ones++
		}
	}
	return list, ones
}

// defined reads which of n things have a value.
func (f *fields) defined(n int) int {
	if f.byte() != 0 {
		return n
	}
	_, ones := f.bits(n)
	return ones
}

// coder is one step of unpacking a stream.
type coder struct {
	method string
	props  []byte
}

// streams is what a header says of the packed bytes.
type streams struct {
	from    uint64     // of the first packed stream, behind the archive's first bytes
	packed  []uint64   // sizes
	folders [][]coder  // of each stream
	sizes   [][]uint64 // of each coder's output
	crc     []byte     // four bytes for each stream, where they have one
	files   int        // in all streams
}

// streams reads the part of a header that describes them. most bounds all its
// numbers of things.
func (f *fields) streams(most int) streams {
	var s streams
	id := f.byte()
	if id == idPackInfo {
		s.from = f.number()
		n := f.count(4 * most)
		if id = f.byte(); id == idSize {
			for range n {
				s.packed = append(s.packed, f.number())
			}
			id = f.byte()
		}
		if id == idCRC {
			f.take(4 * f.defined(n))
			id = f.byte()
		}
		if id != idEnd || len(s.packed) != n {
			f.fail(errSevenZip)
		}
		id = f.byte()
	}
	if id == idUnpackInfo {
		f.must(idFolder)
		n := f.count(most)
		f.must(0) // not elsewhere
		inputs := 0
		for range n {
			coders, packed := f.folder()
			s.folders = append(s.folders, coders)
			inputs += packed
			if f.err != nil {
				break
			}
		}
		if inputs != len(s.packed) {
			f.fail(errSevenZip)
		}
		f.must(idUnpackSize)
		for _, coders := range s.folders {
			sizes := make([]uint64, len(coders))
			for i := range sizes {
				sizes[i] = f.number()
			}
			s.sizes = append(s.sizes, sizes)
		}
		if id = f.byte(); id == idCRC {
			s.crc = f.take(4 * f.defined(n))
			id = f.byte()
		}
		if id != idEnd {
			f.fail(errSevenZip)
		}
		id = f.byte()
	}
	s.files = len(s.folders)
	if id == idSubStreams {
		s.files = f.subStreams(len(s.folders), most)
		id = f.byte()
	}
	if id != idEnd {
		f.fail(errSevenZip)
	}
	return s
}

// folder reads the coders of a stream, and how many packed streams they take.
func (f *fields) folder() ([]coder, int) {
	n := f.count(maxCoders)
	var coders []coder
	inputs := 0
	for range n {
		var c coder
		flags := f.byte()
		c.method = string(f.take(int(flags & 0x0f)))
		in := 1
		if flags&0x10 != 0 {
			if in = f.count(maxCoders); f.count(maxCoders) != 1 {
				f.fail(errSevenZip) // outputs; the library knows one
			}
		}
		if flags&0x20 != 0 {
			c.props = f.take(f.count(maxProps))
		}
		if flags&0xc0 != 0 || in == 0 {
			f.fail(errSevenZip)
		}
		inputs += in
		coders = append(coders, c)
	}
	// Each coder but one feeds an input of another.
	packed := inputs - (n - 1)
	if n == 0 || packed < 1 {
		f.fail(errSevenZip)
		return nil, 0
	}
	for range n - 1 {
		if f.number() >= uint64(inputs) || f.number() >= uint64(n) {
			f.fail(errSevenZip)
		}
	}
	if packed > 1 {
		for range packed {
			if f.number() >= uint64(inputs) {
				f.fail(errSevenZip)
			}
		}
	}
	return coders, packed
}

// subStreams reads how the streams are divided, and gives the number of files.
func (f *fields) subStreams(folders, most int) int {
	each := make([]int, folders)
	for i := range each {
		each[i] = 1
	}
	id := f.byte()
	if id == idUnpackStreams {
		for i := range each {
			each[i] = f.count(most)
		}
		id = f.byte()
	}
	files := 0
	for _, n := range each {
		if files += n; files > most {
			f.fail(errTooMany)
			return 0
		}
	}
	if id == idSize {
		for _, n := range each {
			for range n - 1 { // the last has the rest
				f.number()
			}
		}
		id = f.byte()
	}
	if id == idCRC {
		f.take(4 * f.defined(files))
		id = f.byte()
	}
	if id != idEnd {
		f.fail(errSevenZip)
	}
	return files
}

// sevenZipHeader is what the library does not tell.
type sevenZipHeader struct {
	folders []bool // of each entry, whether it is one
}

// files reads the part of a header that lists them. packed is how many of them
// must have bytes.
func (f *fields) files(most, packed int) sevenZipHeader {
	n := f.count(most)
	empty, none := make([]bool, n), 0
	folders := empty
	seen := map[byte]bool{}
	for f.err == nil {
		id := f.byte()
		if id == idEnd {
			break
		}
		if seen[id] && id != idDummy {
			f.fail(errSevenZip)
			break
		}
		seen[id] = true
		size := f.number()
		if size > uint64(len(f.b)) {
			f.fail(io.ErrUnexpectedEOF)
			break
		}
		p := fields{b: f.take(int(size))}
		switch id {
		case idEmptyStream:
			empty, none = p.bits(n)
			folders = empty
		case idEmptyFile: // of those: which are files
			isFile, _ := p.bits(none)
			folders = make([]bool, n)
			for i, j := 0, 0; i < n; i++ {
				if empty[i] {
					folders[i] = !isFile[j]
					j++
				}
			}
		case idNames:
			p.must(0) // not elsewhere
			p.names(n)
		case idCreated, idAccessed, idModified, idAttributes:
			has := p.defined(n)
			p.must(0) // not elsewhere
			if p.take(4 * has); id != idAttributes {
				p.take(4 * has)
			}
		case idDummy:
			p.take(len(p.b))
		default: // comments, anti-items …
			p.fail(fmt.Errorf("its header has a part %#x, which deployctl does not know", id))
		}
		if p.err == nil && len(p.b) > 0 {
			p.fail(errSevenZip)
		}
		if p.err != nil {
			f.fail(p.err)
		}
	}
	if n-none != packed {
		f.fail(errSevenZip)
	}
	return sevenZipHeader{folders}
}

// names passes over n names in UTF-16, each with a zero behind it.
func (f *fields) names(n int) {
	for range n {
		for f.err == nil {
			if c := f.take(2); c[0] == 0 && c[1] == 0 {
				break
			}
		}
	}
}

// encodedHeader unpacks a header. 7-Zip packs it with LZMA, and encrypts it
// when the names are to be secret.
func (x *extraction) encodedHeader(b []byte, body *io.SectionReader) ([]byte, error) {
	f := fields{b: b[1:]}
	s := f.streams(1)
	if f.err == nil && (len(f.b) > 0 || len(s.folders) != 1 || len(s.packed) == 0) {
		f.fail(errSevenZip)
	}
	if f.err != nil {
		return nil, x.damaged("", f.err)
	}
	if err := x.allowed(s.folders[0]); err != nil {
		return nil, err
	}
	c, size := s.folders[0][0], s.sizes[0][0]
	if len(s.folders[0]) != 1 || c.method != methodLZMA || len(c.props) != 5 {
		return nil, x.refuse("", Unsupported, errors.New("its header is not packed with LZMA"))
	}
	if size > maxTable {
		return nil, x.refuse("", TooBig, fmt.Errorf("its header has %s", step.Bytes(int64(min(size, 1<<62)))))
	}
	if s.from > uint64(body.Size()) || s.packed[0] > uint64(body.Size())-s.from {
		return nil, x.damaged("", io.ErrUnexpectedEOF)
	}
	// The library reads the format of .lzma files: properties, size, bytes.
	head := binary.LittleEndian.AppendUint64(bytes.Clone(c.props), size)
	r, err := lzma.ReaderConfig{DictCap: maxWindow}.NewReader(io.MultiReader(bytes.NewReader(head), io.NewSectionReader(body, int64(s.from), int64(s.packed[0]))))
	if err != nil {
		return nil, x.damaged("", err)
	}
	header, err := io.ReadAll(io.LimitReader(counted{x, r}, int64(size)))
	if err == nil && uint64(len(header)) < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, x.damaged("", err)
	}
	if len(s.crc) == 4 && crc32.ChecksumIEEE(header) != binary.LittleEndian.Uint32(s.crc) {
		return nil, x.refuse("", Damaged, errors.New("its header does not match its checksum"))
	}
	return header, nil
}

// checkHeader says whether the library may read a header. body is the size of
// what is packed.
func (x *extraction) checkHeader(b []byte, body int64) (sevenZipHeader, error) {
	f := fields{b: b}
	f.must(idHeader)
	var s streams
	var h sevenZipHeader
	id := f.byte()
	if id == idStreams {
		s = f.streams(x.limits.Files)
		id = f.byte()
	}
	if id == idFiles {
		h = f.files(x.limits.Files, s.files)
		id = f.byte()
	}
	if f.err == nil && (id != idEnd || len(f.b) > 0) {
		f.fail(errSevenZip)
	}
	switch {
	case errors.Is(f.err, errTooMany):
		return h, x.refuse("", TooMany, f.err)
	case f.err != nil:
		return h, x.damaged("", f.err)
	}
	left := uint64(body)
	if s.from > left {
		return h, x.damaged("", io.ErrUnexpectedEOF)
	}
	left -= s.from
	for _, n := range s.packed {
		if n > left {
			return h, x.damaged("", io.ErrUnexpectedEOF)
		}
		left -= n
	}
	for _, coders := range s.folders {
		if err := x.allowed(coders); err != nil {
			return h, err
		}
	}
	return h, nil
}

// allowed judges how a stream is packed: known methods, and dictionaries that
// together stay in bounds.
func (x *extraction) allowed(coders []coder) error {
	memory := int64(0)
	for _, c := range coders {
		switch c.method {
		case methodCopy, methodDelta, methodBCJ, methodBCJ2, methodARM64, methodARM, methodPPC, methodSPARC, methodDeflate, methodBzip2:
		case methodZstd:
			memory += maxZstd
		case methodLZMA:
			if len(c.props) != 5 {
				return x.refuse("", Damaged, errSevenZip)
			}
			memory += int64(binary.LittleEndian.Uint32(c.props[1:]))
		case methodLZMA2:
			if len(c.props) != 1 || c.props[0] > 40 {
				return x.refuse("", Damaged, errSevenZip)
			}
			memory += lzma2Dictionary(c.props[0])
		case methodAES:
			return x.refuse("", Unsupported, errors.New("it is encrypted"))
		default:
			return x.refuse("", Unsupported, fmt.Errorf("it is packed with the method %x", c.method))
		}
	}
	if memory > maxWindow {
		return x.refuse("", Bomb, fmt.Errorf("its dictionaries would take %s of memory", step.Bytes(memory)))
	}
	return nil
}
