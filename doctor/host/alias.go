package host

import (
	"encoding/binary"
	"unicode/utf16"
)

// appExecLink is the reparse tag of app execution aliases (winnt.h,
// IO_REPARSE_TAG_APPEXECLINK).
const appExecLink = 0x8000001B

// aliasTarget reads the program that an app execution alias starts out of its reparse
// data: the tag, two lengths, a version, and strings that end with a zero, of which the
// third is the program. "" for other data. Microsoft documents only the tag; the layout
// is that of PowerShell's FileSystemProvider (REPARSE_DATA_BUFFER_APPEXECLINK).
func aliasTarget(data []byte) string {
	const head = 8 // of every reparse point (REPARSE_DATA_BUFFER)
	if len(data) < head+4 || binary.LittleEndian.Uint32(data) != appExecLink {
		return ""
	}
	length := int(binary.LittleEndian.Uint16(data[4:]))
	if length < 4 || length > len(data)-head {
		return ""
	}
	data = data[head+4 : head+length]
	var words []uint16
	for place := 0; len(data) >= 2; data = data[2:] {
		c := binary.LittleEndian.Uint16(data)
		switch {
		case c != 0 && place == 2:
			words = append(words, c)
		case c == 0 && place == 2:
			return string(utf16.Decode(words))
		case c == 0:
			place++
		}
	}
	return ""
}
