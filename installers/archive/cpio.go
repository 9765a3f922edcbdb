package archive

import (
	"errors"
	"io"
	"strconv"
)

// cpioReader reads a cpio stream in the "new ASCII" format of SVR4 ("newc"),
// the one that rpm packs files in; cpio(5) of libarchive 3.7. An entry is a
// header of 110 bytes (a magic of six and thirteen numbers of eight hexadecimal
// digits), its name ending with a zero byte, zeros to a multiple of four, its
// bytes, and zeros to a multiple of four again. The last is "TRAILER!!!".
type cpioReader struct {
	r    io.Reader
	left int64 // bytes of the entry that were not read yet, without padding
	pad  int64 // zeros after them
}

// cpioHeader is what deployctl needs of a header.
type cpioHeader struct {
	name  string
	mode  uint64
	links uint64
	size  int64
	// file is the same for all names of one file: inode, major and minor
	// device number.
	file [3]uint64
}

// The types in the mode.
const (
	cpioType   = 0o170000
	cpioFile   = 0o100000
	cpioFolder = 0o040000
	cpioLink   = 0o120000
)

var (
	errCpio = errors.New("not a header of cpio")
	// rpm's own, for packages with a file over 4 GiB: no names, only numbers
	// into the list in rpm's header.
	errStripped = errors.New("a stripped cpio header, which rpm writes for files over 4 GiB")
)

// next goes to the next entry; io.EOF after the last.
func (c *cpioReader) next() (cpioHeader, error) {
	if _, err := io.CopyN(io.Discard, c.r, c.left+c.pad); err != nil {
		return cpioHeader{}, noEnd(err)
	}
	c.left, c.pad = 0, 0
	b := make([]byte, 110)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return cpioHeader{}, noEnd(err) // there must be a trailer
	}
	switch string(b[:6]) {
	case "070701", "070702": // the second has sums; rpm does not write it
	case "07070X":
		return cpioHeader{}, errStripped
	default:
		return cpioHeader{}, errCpio
	}
	var n [13]uint64
	for i := range n {
		v, err := strconv.ParseUint(string(b[6+8*i:14+8*i]), 16, 32)
		if err != nil {
			return cpioHeader{}, errCpio
		}
		n[i] = v
	}
	inode, mode, links, size, major, minor, length := n[0], n[1], n[4], int64(n[6]), n[7], n[8], n[11]
	if length == 0 {
		return cpioHeader{}, errCpio
	}
	if length > 4*maxPath {
		return cpioHeader{}, errors.New("a name that no system takes")
	}
	name := make([]byte, length+(4-(110+length)%4)%4)
	if _, err := io.ReadFull(c.r, name); err != nil {
		return cpioHeader{}, noEnd(err)
	}
	if name[length-1] != 0 {
		return cpioHeader{}, errCpio
	}
	h := cpioHeader{name: string(name[:length-1]), mode: mode, links: links, size: size, file: [3]uint64{inode, major, minor}}
	if h.name == "TRAILER!!!" {
		return cpioHeader{}, io.EOF
	}
	c.left, c.pad = size, (4-size%4)%4
	return h, nil
}

// Read reads the entry's bytes.
func (c *cpioReader) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	if c.left -= int64(n); c.left > 0 {
		err = noEnd(err)
	}
	return n, err
}

// cpio unpacks a stream. A file with several names has its bytes after the last
// of them; the others come before, empty.
func (x *extraction) cpio(r io.Reader) error {
	limited := counted{x, r}
	c := &cpioReader{r: limited}
	first := map[[3]uint64]string{}    // the name that a file was unpacked under
	waiting := map[[3]uint64][]entry{} // names whose file is still to come
	order := [][3]uint64{}             // of the files in waiting
	for held := 0; ; {
		h, err := c.next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, errStripped) {
			return x.refuse("", Unsupported, err)
		}
		if err != nil {
			return x.damaged("", err)
		}
		e := entry{name: h.name, exec: h.mode&0o111 != 0, size: h.size,
			open: func() (io.ReadCloser, error) { return io.NopCloser(plain{c}), nil }}
		switch h.mode & cpioType {
		case cpioFile:
			e.kind = file
		case cpioFolder:
			e.kind = folder
		case cpioLink:
			if e.kind = link; h.size > maxTarget {
				return x.refuse(h.name, TooLong, nil)
			}
			target, err := io.ReadAll(c)
			if err != nil {
				return x.damaged(h.name, err)
			}
			e.target = string(target)
		default:
			return x.refuse(h.name, Special, nil)
		}
		if e.kind == file && h.links > 1 && h.size == 0 {
			if first[h.file] == "" {
				if held++; held > x.limits.Files {
					return x.refuse(h.name, TooMany, nil)
				}
				if waiting[h.file] == nil {
					order = append(order, h.file)
				}
				waiting[h.file] = append(waiting[h.file], e)
				continue
			}
			e.same = first[h.file]
		}
		if err := x.take(e); err != nil {
			return err
		}
		if e.kind != file || h.links < 2 {
			continue
		}
		first[h.file] = h.name
		for _, other := range waiting[h.file] {
			other.same = h.name
			if err := x.take(other); err != nil {
				return err
			}
		}
		delete(waiting, h.file)
	}
	// What still waits has no bytes at all.
	for _, id := range order {
		for i, e := range waiting[id] {
			if i > 0 {
				e.same = waiting[id][0].name
			}
			if err := x.take(e); err != nil {
				return err
			}
		}
	}
	return x.drain(limited)
}
