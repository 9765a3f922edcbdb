// Package archive unpacks zip (Python wheels too), tar, tar.gz (npm's tarballs
// too) and tar.xz files that others made. It owns what an archive may contain and
// how large it may become. It must never write outside the folder it was given,
// follow a link, make a special file, keep a set-uid bit, run anything of a
// package, or leave a half unpacked folder behind.
//
// Everything goes into a temporary folder through os.Root, which opens each
// part of a path beneath the last one (openat), so that even a race with
// another program cannot lead outside; the folder is renamed when all is well.
// The rules on names come before, so that a refusal has a reason.
//
// Libraries: archive/tar, archive/zip and compress/gzip of Go, and ulikunitz/xz.
package archive

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Format is a kind of archive.
type Format string

// The formats.
const (
	Zip   Format = "zip"
	Tar   Format = "tar"
	TarGz Format = "tar.gz"
	TarXz Format = "tar.xz"
)

// ByName gives the format that a file's name says, "" when it says none.
func ByName(name string) Format {
	name = strings.ToLower(filepath.Base(name))
	for end, format := range map[string]Format{
		".zip": Zip, ".whl": Zip, ".tar": Tar, ".tar.gz": TarGz, ".tgz": TarGz, ".tar.xz": TarXz, ".txz": TarXz,
	} {
		if strings.HasSuffix(name, end) {
			return format
		}
	}
	return ""
}

// Limits bound what an archive may become. Zero fields mean the defaults.
type Limits struct {
	// Files counts all entries; default 100,000.
	Files int
	// Bytes is the sum of all files unpacked; default 8 GiB.
	Bytes int64
	// Ratio is the most unpacked bytes for each byte of the archive; default
	// 200. (Source trees pack about 1:6; a file of zeros 1:1000.) It is looked
	// at above Floor bytes; default 64 MiB.
	Ratio, Floor int64
}

const (
	maxWindow = 256 << 20 // memory for a decoder's dictionary; xz -9 uses 64 MiB
	maxTarget = 4096      // bytes of a link's target
)

// Options say what to take.
type Options struct {
	Limits Limits
	// Strip is how many leading parts of each name are dropped, like tar's
	// --strip-components; entries that have none left are left out. Hard
	// links' targets are stripped too, symbolic links' are not.
	Strip int
	// Pick gives the place of an entry by its cleaned and stripped name, "" to
	// leave it out; nil takes all as they are. Names are judged before and
	// after. Hard links to entries that were left out are refused.
	Pick func(name string) string
	// Finish is called with the temporary folder when all is unpacked, before it
	// gets its name; nil for nothing.
	Finish func(dir string) error
}

// Refused says which entry made an archive unacceptable, and why.
type Refused struct {
	Archive string
	Entry   string // "" when it is the archive as a whole
	Why     Why
	Err     error
}

// Error is one sentence.
func (e *Refused) Error() string {
	why := lang.T(string(e.Why))
	if e.Entry != "" {
		why += fmt.Sprintf(" (%q)", step.Clean(e.Entry, 120))
	}
	if e.Err != nil {
		why = lang.F("%s: %s", why, e.Err.Error())
	}
	return lang.F("%s was not unpacked: %s; nothing of it was kept", e.Archive, why)
}

// Unwrap gives the decoder's error, if any.
func (e *Refused) Unwrap() error { return e.Err }

// Result is what was unpacked.
type Result struct {
	Files int
	Bytes int64
}

// Extract unpacks an archive into the folder dest, which must not exist; it
// appears whole or not at all. Files are readable by all and executable where
// the archive says so. The error is a *Refused, a *step.Failure (the disk), or
// ctx's.
//
// While it runs there is a folder ".NAME.deployctl-partial" beside dest. One
// that a killed run left is removed first, so no two may unpack to the same
// dest at once: callers hold deployctl's lock. That lock is a user's own. Of
// two users the second cannot remove the first's folder, and fails with nothing
// changed; if it is root, it takes the folder away, and the first fails.
func Extract(ctx context.Context, name string, format Format, dest string, o Options) (Result, error) {
	if _, err := os.Lstat(dest); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return Result{}, lang.Errorf("unpack %s: %s is there already", name, dest)
	}
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return Result{}, store.Explain(filepath.Dir(dest), err)
	}
	temp, err := makePartial(dest)
	if err != nil {
		return Result{}, err
	}
	res, err := extract(ctx, name, format, temp, dest, o)
	if err == nil && o.Finish != nil {
		err = o.Finish(temp)
	}
	if err == nil {
		err = os.Chmod(temp, 0o755) // until now for this user only
	}
	if err == nil {
		err = durable.Rename(temp, dest)
	}
	if err != nil {
		return Result{}, errors.Join(store.Explain(dest, err), RemovePartial(temp))
	}
	return res, nil
}

func extract(ctx context.Context, name string, format Format, dir, dest string, o Options) (Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return Result{}, lang.Errorf("open the archive: %w", err)
	}
	defer f.Close() //nolint:errcheck // read-only
	info, err := f.Stat()
	if err != nil {
		return Result{}, lang.Errorf("open the archive: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Result{}, store.Explain(dir, err)
	}
	x := &extraction{ctx: ctx, archive: name, root: root, dest: dest, names: newNames(), all: newNames(), strip: o.Strip, pick: o.Pick, limits: o.Limits, packed: info.Size()}
	if x.limits.Files == 0 {
		x.limits.Files = 100_000
	}
	if x.limits.Bytes == 0 {
		x.limits.Bytes = 8 << 30
	}
	if x.limits.Ratio == 0 {
		x.limits.Ratio = 200
	}
	if x.limits.Floor == 0 {
		x.limits.Floor = 64 << 20
	}
	if err = noPanic(func() error { return x.read(f, format) }); errors.Is(err, errPanic) {
		err = x.damaged("", err)
	}
	for _, l := range x.links {
		if err != nil {
			break
		}
		err = x.explain(l[1], root.Symlink(l[0], l[1]))
	}
	if cerr := root.Close(); cerr != nil && err == nil {
		err = store.Explain(dir, cerr)
	}
	return x.res, err
}

// explain names a file by the path that it was to have.
func (x *extraction) explain(to string, err error) error {
	return store.Explain(filepath.Join(x.dest, filepath.FromSlash(to)), err)
}

type extraction struct {
	ctx     context.Context
	archive string
	root    *os.Root
	dest    string
	names   *names // what is written
	all     *names // what the archive holds
	strip   int
	pick    func(string) string
	limits  Limits
	packed  int64
	seen    int
	bytes   int64 // decoded, written or not
	// links (target, place) are made last: while files are written there is
	// no link that one could be written through.
	links [][2]string
	res   Result
}

func (x *extraction) refuse(entry string, why Why, err error) error {
	return &Refused{Archive: filepath.Base(x.archive), Entry: entry, Why: why, Err: err}
}

// damaged is a decoder's complaint, unless it is something else's.
func (x *extraction) damaged(entry string, err error) error {
	var refused *Refused
	var disk *step.Failure
	switch {
	case errors.As(err, &refused), errors.As(err, &disk):
		return err
	case x.ctx.Err() != nil:
		return x.ctx.Err()
	case errors.Is(err, zip.ErrAlgorithm):
		return x.refuse(entry, Unsupported, err)
	}
	return x.refuse(entry, Damaged, err)
}

func (x *extraction) read(f *os.File, format Format) error {
	switch format {
	case Zip:
		return x.zip(f)
	case Tar:
		return x.tar(f)
	case TarGz:
		return x.decompress(f, gzipped, x.tar)
	case TarXz:
		return x.decompress(f, xzipped, x.tar)
	}
	return lang.Errorf("unpack %s: no format is called %q", x.archive, step.Clean(string(format), 20))
}

// compression is how a tar file is packed.
type compression string

const (
	gzipped compression = "gz"
	xzipped compression = "xz"
)

// decompress hands a stream's content to read.
func (x *extraction) decompress(r io.Reader, how compression, read func(io.Reader) error) error {
	switch how {
	case gzipped:
		z, err := gzip.NewReader(bufio.NewReaderSize(r, 1<<20))
		if err != nil {
			return x.damaged("", err)
		}
		return read(z)
	case xzipped:
		b := bufio.NewReaderSize(r, 1<<20)
		head, err := b.Peek(12 + 1024)
		if err != nil && !errors.Is(err, io.EOF) {
			return x.damaged("", err)
		}
		// The library takes the dictionary's size from the file and
		// allocates it at once, up to 4 GiB.
		if n := xzDictionary(head); n > maxWindow {
			return x.refuse("", Bomb, lang.Errorf("its dictionary would take %s of memory", step.Bytes(n)))
		}
		z, err := xz.NewReader(b)
		if err != nil {
			return x.damaged("", err)
		}
		return read(z)
	}
	return x.refuse("", Unsupported, lang.Errorf("it is packed with %q", step.Clean(string(how), 20)))
}

// xzDictionary reads the dictionary size of a stream's first block, 0 where it
// is not the plain LZMA2 layout (".xz file format" 1.2.1, sections 2.1.1, 3.1
// and 5.3.1).
func xzDictionary(head []byte) int64 {
	if len(head) < 12+8 || string(head[:6]) != "\xfd7zXZ\x00" || head[12] == 0 {
		return 0
	}
	flags, at := head[13], 14
	for _, bit := range []byte{0x40, 0x80} { // sizes, each a multibyte integer
		for flags&bit != 0 && at < len(head) {
			at++
			if head[at-1]&0x80 == 0 {
				break
			}
		}
	}
	if at+2 >= len(head) || head[at] != 0x21 || head[at+1] != 1 {
		return 0
	}
	bits := head[at+2] & 0x3f
	if bits > 40 {
		return 0 // the library refuses it
	}
	if bits == 40 {
		return 1<<32 - 1
	}
	return (2 | int64(bits&1)) << (bits/2 + 11)
}

// counted ends reading at the limits, whatever headers claim.
type counted struct {
	x *extraction
	r io.Reader
}

func (c counted) Read(p []byte) (int, error) {
	if err := c.x.ctx.Err(); err != nil {
		return 0, err
	}
	n := 0
	err := noPanic(func() error {
		var err error
		n, err = c.r.Read(p)
		return err
	})
	c.x.bytes += int64(n)
	if lerr := c.x.room(0); lerr != nil {
		return n, lerr
	}
	return n, err
}

var errPanic = lang.New("its decoder panicked")

// noPanic makes an error of a decoder's panic: an archive must not be able to
// end deployctl. (A panic in another goroutine would; no decoder starts one.)
func noPanic(do func() error) error {
	var err error
	func() {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%w: %v", errPanic, p)
			}
		}()
		err = do()
	}()
	return err
}

// room says whether more bytes may come.
func (x *extraction) room(more int64) error {
	// Holes of a sparse file are written without being read, so both count.
	switch total := max(x.bytes, x.res.Bytes) + more; {
	case more < 0 || total > x.limits.Bytes:
		return x.refuse("", TooBig, nil)
	case total > x.limits.Floor && total/x.limits.Ratio > x.packed:
		return x.refuse("", Bomb, nil)
	}
	return nil
}

// entry is one entry of any format.
type entry struct {
	name   string
	kind   kind
	exec   bool
	size   int64
	target string // of a symbolic link
	same   string // of a hard link: the entry it is the same file as
	open   func() (io.ReadCloser, error)
}

// take judges an entry and unpacks it.
func (x *extraction) take(e entry) error {
	if x.seen++; x.seen > x.limits.Files {
		return x.refuse(e.name, TooMany, nil)
	}
	p, why := clean(e.name)
	if why == "" {
		why = x.all.add(p, e.kind)
	}
	if why != "" {
		return x.refuse(e.name, why, nil)
	}
	if e.kind == file && e.same == "" {
		if err := x.room(e.size); err != nil {
			return err
		}
	}
	to, why := x.place(p)
	switch {
	case why != "":
		return x.refuse(e.name, why, nil)
	case to == "":
		return nil
	case to == "." && e.kind != folder:
		return x.refuse(e.name, Clash, nil)
	case to == ".":
		return nil
	}
	if x.moves() {
		if why := x.names.add(to, e.kind); why != "" {
			return x.refuse(e.name, why, nil)
		}
	}
	if err := x.root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return x.explain(to, err)
	}
	switch {
	case e.kind == folder:
		return x.explain(to, x.root.MkdirAll(to, 0o755))
	case e.kind == link:
		target, why := linkTarget(to, e.target)
		if why != "" {
			return x.refuse(e.name+" -> "+e.target, why, nil)
		}
		x.links = append(x.links, [2]string{target, to})
		x.res.Files++
		return nil
	case e.same != "":
		return x.hardLink(e, to)
	}
	return x.file(e, to)
}

// moves says whether a place may differ from the name.
func (x *extraction) moves() bool { return x.strip > 0 || x.pick != nil }

// place gives where an entry goes by its cleaned name, "" when it is left out.
func (x *extraction) place(p string) (string, Why) {
	if x.strip > 0 {
		parts := strings.SplitN(p, "/", x.strip+1)
		if len(parts) <= x.strip {
			return "", ""
		}
		p = parts[x.strip]
	}
	if x.pick == nil || p == "." {
		return p, ""
	}
	to := x.pick(p)
	if to == "" {
		return "", ""
	}
	return clean(to)
}

func (x *extraction) hardLink(e entry, to string) error {
	from, why := clean(e.same)
	if why == "" && x.all.kind[from] != file {
		why = BadLink
	}
	if why == "" && x.moves() {
		from, why = x.place(from)
		if why == "" && (from == "" || x.names.kind[from] != file) {
			why = BadLink
		}
	}
	if why == "" && from == to {
		why = BadLink
	}
	if why != "" {
		return x.refuse(e.name+" = "+e.same, why, nil)
	}
	x.res.Files++
	return x.explain(to, x.root.Link(from, to))
}

func (x *extraction) file(e entry, to string) error {
	perm := fs.FileMode(0o644)
	if e.exec {
		perm = 0o755
	}
	in, err := e.open()
	if err != nil {
		return x.damaged(e.name, err)
	}
	// O_EXCL: nothing that is there is ever written through.
	out, err := x.root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return errors.Join(x.explain(to, err), in.Close())
	}
	w := &diskWriter{f: out}
	n, err := io.CopyBuffer(w, io.LimitReader(in, e.size+1), make([]byte, 256<<10))
	if err == nil && n != e.size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		// The umask must not decide who may use a library.
		w.err = out.Chmod(perm)
	}
	if cerr := out.Close(); cerr != nil && w.err == nil {
		w.err = cerr
	}
	if cerr := in.Close(); cerr != nil && err == nil {
		err = cerr
	}
	switch {
	case w.err != nil:
		return x.explain(to, w.err)
	case err != nil:
		return x.damaged(e.name, err)
	}
	x.res.Files++
	x.res.Bytes += n
	return nil
}

// diskWriter keeps the disk's error apart from the decoder's.
type diskWriter struct {
	f   *os.File
	err error
}

func (w *diskWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

func (x *extraction) tar(r io.Reader) error {
	limited := counted{x, r}
	t := tar.NewReader(limited)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return x.damaged("", err)
		}
		e := entry{name: h.Name, exec: h.Mode&0o111 != 0, size: h.Size,
			open: func() (io.ReadCloser, error) { return io.NopCloser(plain{t}), nil }}
		switch h.Typeflag {
		case tar.TypeReg:
			e.kind = file
			if strings.HasSuffix(h.Name, "/") { // how old archives wrote folders
				e.kind = folder
			}
		case tar.TypeDir:
			e.kind = folder
		case tar.TypeSymlink:
			e.kind, e.target = link, h.Linkname
		case tar.TypeLink:
			e.kind, e.same = file, h.Linkname
			if h.Linkname == "" {
				return x.refuse(h.Name, BadLink, nil)
			}
		case tar.TypeXGlobalHeader:
			continue
		default:
			return x.refuse(h.Name, Special, nil)
		}
		if err := x.take(e); err != nil {
			return err
		}
	}
	return x.drain(limited)
}

// drain reads a stream to its end: its checksum comes after the last entry.
func (x *extraction) drain(r io.Reader) error {
	if _, err := io.CopyBuffer(io.Discard, r, make([]byte, 256<<10)); err != nil {
		return x.damaged("", err)
	}
	return nil
}

// plain hides WriteTo, and is not counted again: the stream beneath is.
type plain struct{ io.Reader }

func (x *extraction) zip(f *os.File) error {
	z, err := zip.NewReader(f, x.packed)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // take says what is insecure
		return x.damaged("", err)
	}
	for _, h := range z.File {
		if h.Flags&1 != 0 {
			return x.refuse(h.Name, Unsupported, lang.Errorf("it is encrypted"))
		}
		mode := h.Mode()
		e := entry{name: h.Name, exec: mode&0o111 != 0, size: int64(h.UncompressedSize64), open: func() (io.ReadCloser, error) {
			r, err := h.Open()
			if err != nil {
				return nil, err
			}
			return struct {
				io.Reader
				io.Closer
			}{counted{x, r}, r}, nil
		}}
		switch {
		case h.UncompressedSize64 > 1<<62:
			return x.refuse(h.Name, TooBig, nil)
		case mode.IsRegular():
			e.kind = file
		case mode.IsDir():
			e.kind = folder
		case mode&fs.ModeType == fs.ModeSymlink:
			if e.kind = link; h.UncompressedSize64 > maxTarget {
				return x.refuse(h.Name, TooLong, nil)
			}
			if e.target, err = x.content(h); err != nil {
				return x.damaged(h.Name, err)
			}
		default:
			return x.refuse(h.Name, Special, nil)
		}
		if err := x.take(e); err != nil {
			return err
		}
	}
	return nil
}

// content reads a zip entry that is a link's target.
func (x *extraction) content(h *zip.File) (string, error) {
	r, err := h.Open()
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(r, maxTarget+1))
	return string(b), errors.Join(err, r.Close())
}
