package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// endings of file names, in lower case. .tgz and its like are tar's; .exe is
// not there, since most are no archives.
var endings = []struct {
	end    string
	format Format
}{
	{".zip", Zip}, {".tar", Tar}, {".tar.gz", TarGz}, {".tgz", TarGz}, {".tar.xz", TarXz}, {".txz", TarXz},
	{".tar.zst", TarZst}, {".tzst", TarZst}, {".7z", SevenZip}, {".deb", Deb}, {".rpm", Rpm},
}

// ByName gives the format that a file's name says, "" when it says none.
func ByName(name string) Format {
	name = strings.ToLower(filepath.Base(name))
	for _, e := range endings {
		if strings.HasSuffix(name, e.end) {
			return e.format
		}
	}
	return ""
}

// magics are the first bytes of the formats. Whatever is packed with gzip, xz
// or zstd is taken to be a tar file; unpacking it tells.
var magics = []struct {
	at     int
	bytes  string
	format Format
}{
	{0, "PK\x03\x04", Zip}, {0, "PK\x05\x06", Zip}, // the second has no entries
	{257, "ustar", Tar}, {0, "\x1f\x8b", TarGz}, {0, "\xfd7zXZ\x00", TarXz}, {0, "\x28\xb5\x2f\xfd", TarZst},
	{0, sevenZipMagic, SevenZip}, {0, arMagic + "debian-binary", Deb}, {0, rpmLeadMagic, Rpm},
}

// Detect gives a file's format by its first bytes, of a program (.exe, or one of
// Linux or macOS) by the 7z archive behind it. Only when they say nothing its name
// decides: tar had no magic before 1988. The error is a *Refused when neither
// does.
func Detect(path string) (Format, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open the archive: %w", err)
	}
	defer f.Close() //nolint:errcheck // read-only
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", fmt.Errorf("read the archive: %w", err)
	}
	head = head[:n]
	for _, m := range magics {
		if len(head) > m.at && bytes.HasPrefix(head[m.at:], []byte(m.bytes)) {
			return m.format, nil
		}
	}
	for _, program := range []string{"MZ", "\x7fELF", "\xcf\xfa\xed\xfe"} { // Windows, Linux, macOS
		if !bytes.HasPrefix(head, []byte(program)) {
			continue
		}
		at, err := sevenZipAt(f, maxStub)
		if err != nil {
			return "", fmt.Errorf("read the archive: %w", err)
		}
		if at >= 0 {
			return SevenZip, nil
		}
	}
	if format := ByName(path); format != "" {
		return format, nil
	}
	return "", &Refused{Archive: filepath.Base(path), Why: Unsupported, Err: errors.New("neither its first bytes nor its name say what it is")}
}
