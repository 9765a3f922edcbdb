package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"github.com/bodgit/sevenzip"
	"github.com/klauspost/compress/zstd"
	"go4.org/readerutil"

	"github.com/deployctl/deployctl/installers/step"
)

const (
	sevenZipMagic = "7z\xbc\xaf\x27\x1c"
	// sevenZipStart is the magic, a version (2 bytes), the CRC of what
	// follows, and where the header is: offset (8), size (8), CRC (4).
	sevenZipStart = 32
	// maxStub bounds where the archive of a self-extracting program begins;
	// 7-Zip's own stubs have 0.2 to 0.6 MB.
	maxStub = 8 << 20
	// maxZstd is the window of a zstd stream, which is not in the header, so
	// that it counts in full; zstd --ultra -22 has 128 MiB.
	maxZstd = maxWindow / 2
)

// The library's decoder of zstd takes windows of 512 MiB and starts goroutines,
// whose panics cannot be recovered.
func init() {
	sevenzip.RegisterDecompressor([]byte(methodZstd), func(_ []byte, _ uint64, in []io.ReadCloser) (io.ReadCloser, error) {
		if len(in) != 1 {
			return nil, errors.New("zstd takes one stream")
		}
		z, err := zstd.NewReader(in[0], zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstd), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, fmt.Errorf("begin with zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	})
}

// sevenZipAt finds where the archive begins: at 0, or behind the program of a
// self-extracting one. -1 when there is none.
func sevenZipAt(r io.ReaderAt, size int64) (int64, error) {
	start := make([]byte, len(sevenZipMagic))
	if _, err := r.ReadAt(start, 0); err != nil {
		return 0, noEnd(err)
	}
	if string(start) == sevenZipMagic {
		return 0, nil
	}
	b, err := io.ReadAll(io.NewSectionReader(r, 0, min(size, maxStub)))
	if err != nil {
		return 0, err
	}
	// The program holds the magic too, to look for it: the archive is where
	// the CRC fits.
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte(sevenZipMagic))
		if i < 0 {
			return -1, nil
		}
		at += i
		if h := b[at:]; len(h) >= sevenZipStart && crc32.ChecksumIEEE(h[12:sevenZipStart]) == binary.LittleEndian.Uint32(h[8:]) {
			return int64(at), nil
		}
		at++
	}
}

// openSevenZip reads and checks the header, then lets the library read it. The
// library would believe any number in it and take memory for it; that ends a
// process, with no panic to recover. A packed header is unpacked here, and the
// library is given the archive with a plain one, so that both read the same.
func (x *extraction) openSevenZip(f *os.File) (*sevenzip.Reader, sevenZipHeader, error) {
	var none sevenZipHeader
	at, err := sevenZipAt(f, x.packed)
	if err == nil && at < 0 {
		err = errors.New("no 7z archive in it")
	}
	if err != nil {
		return nil, none, x.damaged("", err)
	}
	start := make([]byte, sevenZipStart)
	if _, err := f.ReadAt(start, at); err != nil {
		return nil, none, x.damaged("", noEnd(err))
	}
	if crc32.ChecksumIEEE(start[12:]) != binary.LittleEndian.Uint32(start[8:]) {
		return nil, none, x.refuse("", Damaged, errors.New("its first bytes do not match their checksum"))
	}
	body := x.packed - at - sevenZipStart
	offset, size := binary.LittleEndian.Uint64(start[12:]), binary.LittleEndian.Uint64(start[20:])
	if offset > uint64(body) || size > uint64(body)-offset {
		return nil, none, x.damaged("", io.ErrUnexpectedEOF)
	}
	if size > maxTable {
		return nil, none, x.refuse("", TooBig, fmt.Errorf("its header has %s", step.Bytes(int64(size))))
	}
	header := make([]byte, size)
	if _, err := f.ReadAt(header, at+sevenZipStart+int64(offset)); err != nil {
		return nil, none, x.damaged("", noEnd(err))
	}
	if crc32.ChecksumIEEE(header) != binary.LittleEndian.Uint32(start[28:]) {
		return nil, none, x.refuse("", Damaged, errors.New("its header does not match its checksum"))
	}
	streams := io.NewSectionReader(f, at+sevenZipStart, int64(offset))
	if size > 0 && header[0] == idEncodedHeader {
		if header, err = x.encodedHeader(header, streams); err != nil {
			return nil, none, err
		}
	}
	h, err := x.checkHeader(header, streams.Size())
	if err != nil {
		return nil, none, err
	}
	binary.LittleEndian.PutUint64(start[20:], uint64(len(header)))
	binary.LittleEndian.PutUint32(start[28:], crc32.ChecksumIEEE(header))
	binary.LittleEndian.PutUint32(start[8:], crc32.ChecksumIEEE(start[12:]))
	whole := readerutil.NewMultiReaderAt(bytes.NewReader(start), streams, bytes.NewReader(header))
	r, err := sevenzip.NewReader(whole, whole.Size())
	if err != nil {
		return nil, none, x.damaged("", err)
	}
	if len(r.File) != len(h.folders) {
		return nil, none, x.refuse("", Damaged, errors.New("its header can be read in two ways"))
	}
	return r, h, nil
}

// sevenZip unpacks a 7z archive. Its files are packed one behind another in a
// few streams, so to reach one all before it in its stream must be decoded.
func (x *extraction) sevenZip(f *os.File) error {
	r, header, err := x.openSevenZip(f)
	if err != nil {
		return err
	}
	stream := solid{x: x}
	for i, h := range r.File {
		mode := h.Mode()
		e := entry{name: h.Name, exec: mode&0o111 != 0, size: int64(h.UncompressedSize)}
		if e.size < 0 {
			return x.refuse(h.Name, TooBig, nil)
		}
		if err := stream.reach(h); err != nil {
			return err
		}
		e.open = func() (io.ReadCloser, error) { return stream.open(h) }
		const reparsePoint = 0x400 // Windows: a junction, a link, a mount
		switch {
		case h.Attributes&reparsePoint != 0 && mode&fs.ModeType != fs.ModeSymlink:
			return x.refuse(h.Name, Special, nil)
		case mode.IsDir() || header.folders[i]:
			e.kind = folder
		case mode.IsRegular():
			e.kind = file
		case mode&fs.ModeType == fs.ModeSymlink:
			if e.kind = link; e.size > maxTarget {
				return x.refuse(h.Name, TooLong, nil)
			}
			var target bytes.Buffer
			if err := stream.decode(h, &target); err != nil {
				return x.damaged(h.Name, err)
			}
			e.target = target.String()
		default:
			return x.refuse(h.Name, Special, nil)
		}
		if err := x.take(e); err != nil {
			return err
		}
	}
	return stream.end()
}

// solid walks through the files of one stream of a 7z archive after another.
type solid struct {
	x    *extraction
	at   int              // the stream
	last *sevenzip.File   // the file reached, nil when it has been decoded
	left []*sevenzip.File // files before it that were not decoded
	busy bool             // something of the stream has been decoded
}

// reach goes to the next file.
func (s *solid) reach(f *sevenzip.File) error {
	if f.UncompressedSize == 0 {
		return nil // in no stream
	}
	if f.Stream != s.at {
		if err := s.end(); err != nil {
			return err
		}
		s.at = f.Stream
	}
	if s.last != nil {
		s.left = append(s.left, s.last)
	}
	s.last = f
	return nil
}

// end leaves a stream. One that was begun is decoded to its end: else the
// library would keep its decoder, with the dictionary, for every such stream.
func (s *solid) end() error {
	if s.last != nil {
		s.left = append(s.left, s.last)
	}
	if s.busy {
		if err := s.skip(); err != nil {
			return err
		}
	}
	s.last, s.left, s.busy = nil, nil, false
	return nil
}

// skip decodes what was left out. It counts like all else.
func (s *solid) skip() error {
	left := s.left
	s.left = nil
	for _, f := range left {
		if err := s.decode(f, io.Discard); err != nil {
			return s.x.damaged(f.Name, err)
		}
	}
	return nil
}

func (s *solid) decode(f *sevenzip.File, w io.Writer) error {
	r, err := s.open(f)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, r)
	if err == nil && n != int64(f.UncompressedSize) {
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(err, r.Close())
}

// open gives the content of a file, after what was left out before it.
func (s *solid) open(f *sevenzip.File) (io.ReadCloser, error) {
	if f.UncompressedSize == 0 {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	if err := s.skip(); err != nil {
		return nil, err
	}
	var r io.ReadCloser
	err := noPanic(func() error {
		var err error
		r, err = f.Open()
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.busy = true; f == s.last {
		s.last = nil
	}
	return &checked{Reader: counted{s.x, r}, close: r.Close, sum: crc32.NewIEEE(), want: f.CRC32}, nil
}

// checked compares the CRC at the end, which the library does not. 0 means that
// the archive has none.
type checked struct {
	io.Reader
	close func() error
	sum   hash.Hash32
	want  uint32
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.sum.Write(p[:n]) //nolint:errcheck // a hash takes all
	if err == io.EOF && c.want != 0 && c.sum.Sum32() != c.want {
		err = errors.New("it does not match its checksum")
	}
	return n, err
}

func (c *checked) Close() error { return noPanic(c.close) }
