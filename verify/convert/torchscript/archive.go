package torchscript

import (
	"archive/zip"
	"bufio"
	"hash/crc32"
	"io"
)

// The records' data begins at multiples of this many bytes, so that LibTorch can map
// it into memory (kFieldAlignment in caffe2/serialize/inline_container.h).
const alignment = 64

// header is the size of a record's header in a zip file without its name and extra
// field (APPNOTE.TXT, 4.3.7).
const header = 30

// root is the folder that all records are in.
const root = "model/"

// archive writes a zip file of stored records.
type archive struct {
	zip *zip.Writer
	out *counter
}

// counter counts what goes through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func newArchive(w io.Writer) *archive {
	c := &counter{w: bufio.NewWriterSize(w, 1<<20)}
	return &archive{zip.NewWriter(c), c}
}

// record writes one record. Its sizes come before its data, because LibTorch reads
// no records that tell them afterwards.
func (a *archive) record(name string, data []byte) error {
	if err := a.zip.Flush(); err != nil {
		return err
	}
	h := &zip.FileHeader{
		Name: root + name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data),
		CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
	}
	// PyTorch's own extra field of filler: FB, and its size.
	start := a.out.n + header + int64(len(h.Name)) + 4
	filler := int((alignment - start%alignment) % alignment)
	h.Extra = append([]byte{'F', 'B', byte(filler), 0}, make([]byte, filler)...)
	w, err := a.zip.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func (a *archive) close() error {
	if err := a.zip.Close(); err != nil {
		return err
	}
	return a.out.w.(*bufio.Writer).Flush()
}
