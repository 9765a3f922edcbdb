package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/installers/step"
)

// arReader reads the members of an ar file, the common format without long
// names, as deb(5) of dpkg 1.22 describes it: eight bytes of magic; for each
// member a header of 60 bytes of ASCII (name 16, time 12, uid 6, gid 6, mode 8,
// size 10, end "`\n"), its bytes, and a line feed where their number is odd.
type arReader struct {
	r    io.ReaderAt
	at   int64 // of the next header
	size int64 // of the file
}

const (
	arMagic  = "!<arch>\n"
	arHeader = 60
)

var errAr = errors.New("not a header of ar")

func newArReader(r io.ReaderAt, size int64) (*arReader, error) {
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), magic); err != nil {
		return nil, noEnd(err)
	}
	if string(magic) != arMagic {
		return nil, errAr
	}
	return &arReader{r: r, at: int64(len(arMagic)), size: size}, nil
}

// next gives the next member; io.EOF when there is none.
func (a *arReader) next() (string, *io.SectionReader, error) {
	if a.at >= a.size {
		return "", nil, io.EOF
	}
	h := make([]byte, arHeader)
	if _, err := io.ReadFull(io.NewSectionReader(a.r, a.at, a.size-a.at), h); err != nil {
		return "", nil, noEnd(err)
	}
	size, err := strconv.ParseUint(strings.TrimRight(string(h[48:58]), " "), 10, 62)
	if err != nil || string(h[58:]) != "`\n" {
		return "", nil, errAr
	}
	from := a.at + arHeader
	if int64(size) > a.size-from {
		return "", nil, io.ErrUnexpectedEOF
	}
	a.at = from + int64(size) + int64(size&1)
	name := strings.TrimRight(string(h[:16]), " ")
	return strings.TrimSuffix(name, "/"), io.NewSectionReader(a.r, from, int64(size)), nil
}

// noEnd makes an end in the middle what it is.
func noEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// member gives the next member, which must be called want, and after a dot how
// it is packed. Those whose names begin with "_" are passed over, as deb(5) has it.
func (a *arReader) member(want string) (*io.SectionReader, compression, error) {
	name, r, err := a.next()
	for err == nil && strings.HasPrefix(name, "_") {
		name, r, err = a.next()
	}
	if err != nil {
		return nil, "", noEnd(err)
	}
	if name == want {
		return r, stored, nil
	}
	how, ok := strings.CutPrefix(name, want+".")
	if !ok {
		return nil, "", fmt.Errorf("it has %q where a deb has %s", step.Clean(name, 20), want)
	}
	return r, compression(how), nil
}

// deb unpacks the files of a Debian package: the tar file data.tar. deb(5):
// the members are debian-binary ("2." and a number), control.tar and data.tar
// in this order; what follows is not looked at. The scripts of the package are
// in control.tar, which is not read.
func (x *extraction) deb(f *os.File) error {
	a, err := newArReader(f, x.packed)
	if err != nil {
		return x.damaged("", err)
	}
	binary, _, err := a.member("debian-binary")
	if err != nil {
		return x.damaged("", err)
	}
	version := make([]byte, 2)
	if _, err := io.ReadFull(binary, version); err != nil {
		return x.damaged("debian-binary", noEnd(err))
	}
	if string(version) != "2." {
		return x.refuse("debian-binary", Unsupported, errors.New("a deb of another version than 2"))
	}
	if _, _, err := a.member("control.tar"); err != nil {
		return x.damaged("", err)
	}
	data, how, err := a.member("data.tar")
	if err != nil {
		return x.damaged("", err)
	}
	return x.decompress(data, how, x.tar)
}
