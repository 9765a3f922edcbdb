package archive

import (
	"bufio"
	"bytes"
	"crypto/md5" //nolint:gosec // old packages have no other checksum
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// rpmHeader is one of an rpm's two tables of tags. "RPM V4 Package format" and
// the list of tags, rpm 4.20, https://rpm-software-management.github.io/rpm/manual/:
// magic 8e ad e8 01, four zeros, the number of entries, the size of the data;
// then the entries (tag, type, offset, count, big-endian 32 bits each); then
// the data.
type rpmHeader struct {
	raw     []byte
	entries []byte
	data    []byte
}

// The tags that deployctl looks at. In the signature, a header of its own
// before the real one:
const (
	rpmSigSHA256 = 273  // of the header, a hexadecimal string
	rpmSigMD5    = 1004 // of header and payload, 16 bytes
)

// In the header:
const (
	rpmPayloadFormat = 1124 // "cpio"
	rpmPayloadDigest = 5092 // of the packed payload, a list of one hexadecimal string
	rpmPayloadAlgo   = 5093 // its kind; 8, or none (rpm 6), is SHA-256
)

const (
	rpmLead       = 96 // bytes before the signature; obsolete but for its magic
	rpmLeadMagic  = "\xed\xab\xee\xdb"
	rpmTableMagic = "\x8e\xad\xe8\x01\x00\x00\x00\x00"
	rpmInt32      = 4 // types
	rpmString     = 6
	rpmBytes      = 7
	rpmStrings    = 8
	// maxTable bounds a table's bytes in memory. The largest real ones, of
	// packages with a hundred thousand files, have some 20 MB.
	maxTable = 64 << 20
)

var errRpm = errors.New("not a header of rpm")

func readRpmHeader(r io.Reader) (rpmHeader, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return rpmHeader{}, noEnd(err)
	}
	if string(head[:8]) != rpmTableMagic {
		return rpmHeader{}, errRpm
	}
	entries, data := int64(binary.BigEndian.Uint32(head[8:]))*16, int64(binary.BigEndian.Uint32(head[12:]))
	if entries+data > maxTable {
		return rpmHeader{}, fmt.Errorf("a header of %d bytes", entries+data)
	}
	// Through a buffer that grows: the size is only a claim.
	raw := bytes.NewBuffer(head)
	if _, err := io.CopyN(raw, r, entries+data); err != nil {
		return rpmHeader{}, noEnd(err)
	}
	b := raw.Bytes()
	return rpmHeader{raw: b, entries: b[16 : 16+entries], data: b[16+entries:]}, nil
}

// find gives the bytes of a tag: of strings the first without its zero byte,
// of numbers the first. ok is false when there is no such tag of a known type.
func (h rpmHeader) find(tag uint32) (value []byte, ok bool) {
	for e := h.entries; len(e) > 0; e = e[16:] {
		if binary.BigEndian.Uint32(e) != tag {
			continue
		}
		kind, at, n := binary.BigEndian.Uint32(e[4:]), int64(binary.BigEndian.Uint32(e[8:])), int64(binary.BigEndian.Uint32(e[12:]))
		if at > int64(len(h.data)) {
			return nil, false
		}
		rest := h.data[at:]
		switch kind {
		case rpmInt32:
			n = 4
		case rpmString, rpmStrings:
			n = int64(bytes.IndexByte(rest, 0))
		case rpmBytes:
		default:
			return nil, false
		}
		if n < 0 || n > int64(len(rest)) {
			return nil, false
		}
		return rest[:n], true
	}
	return nil, false
}

// rpm unpacks the files of an RPM package. The checksums are those that the
// package carries; its signatures are not looked at. Its scripts are in the
// header, and are not run.
func (x *extraction) rpm(f *os.File) error {
	r := bufio.NewReaderSize(f, 1<<20)
	lead := make([]byte, rpmLead)
	if _, err := io.ReadFull(r, lead); err != nil {
		return x.damaged("", noEnd(err))
	}
	if string(lead[:4]) != rpmLeadMagic {
		return x.refuse("", Damaged, errRpm)
	}
	signature, err := readRpmHeader(r)
	if err != nil {
		return x.damaged("", err)
	}
	if _, err := io.CopyN(io.Discard, r, int64(-len(signature.raw)&7)); err != nil { // to a multiple of 8
		return x.damaged("", noEnd(err))
	}
	header, err := readRpmHeader(r)
	if err != nil {
		return x.damaged("", err)
	}
	if want, ok := signature.find(rpmSigSHA256); ok {
		if sum := sha256.Sum256(header.raw); hex.EncodeToString(sum[:]) != string(want) {
			return x.refuse("", Damaged, errors.New("the header does not match its checksum"))
		}
	}
	if format, ok := header.find(rpmPayloadFormat); ok && string(format) != "cpio" {
		return x.refuse("", Unsupported, fmt.Errorf("its payload is %q", format))
	}
	sum, want, err := rpmChecksum(signature, header)
	if err != nil {
		return x.refuse("", Damaged, err)
	}
	payload := io.TeeReader(r, sum)
	b := bufio.NewReaderSize(payload, 1<<20)
	magic, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return x.damaged("", err)
	}
	if err := x.decompress(b, packedBy(magic), x.cpio); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, b); err != nil {
		return x.damaged("", err)
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return x.refuse("", Damaged, errors.New("the payload does not match its checksum"))
	}
	return nil
}

// rpmChecksum gives the hash that the payload is still to be written to, and
// what it must come to. Packages of rpm 4.14 and later have a SHA-256 of the
// payload, earlier ones an MD5 of header and payload.
func rpmChecksum(signature, header rpmHeader) (hash.Hash, []byte, error) {
	algo, named := header.find(rpmPayloadAlgo)
	sha := !named || len(algo) == 4 && binary.BigEndian.Uint32(algo) == 8
	if digest, ok := header.find(rpmPayloadDigest); ok && sha {
		want, err := hex.DecodeString(string(digest))
		if err != nil {
			return nil, nil, fmt.Errorf("the payload's checksum: %w", err)
		}
		return sha256.New(), want, nil
	}
	want, ok := signature.find(rpmSigMD5)
	if !ok {
		return nil, nil, errors.New("it carries no checksum")
	}
	h := md5.New() //nolint:gosec // as above
	if _, err := h.Write(header.raw); err != nil {
		return nil, nil, fmt.Errorf("hash the header: %w", err)
	}
	return h, want, nil
}

// packedBy tells a stream's compression by its first bytes. Of what it does
// not know it gives the name, or the bytes.
func packedBy(magic []byte) compression {
	for m, how := range map[string]compression{
		"\x1f\x8b": gzipped, "\xfd7zXZ\x00": xzipped, "\x28\xb5\x2f\xfd": zstandard, "07070": stored,
		"BZh": "bzip2", "\x5d\x00\x00": "lzma",
	} {
		if bytes.HasPrefix(magic, []byte(m)) {
			return how
		}
	}
	return compression(fmt.Sprintf("%x", magic))
}
