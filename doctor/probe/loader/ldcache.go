package loader

import (
	"bytes"
	"encoding/binary"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// CacheEntry is one line of what `ldconfig -p` prints.
type CacheEntry struct {
	Soname string
	Path   string
	// Flags are the entry's type and architecture bits.
	Flags int32
}

// The layout is that of glibc's sysdeps/generic/dl-cache.h: the "new" format,
// alone since 2.32 and after the "old" one before.
const (
	newMagic     = "glibc-ld.so.cache1.1"
	oldMagic     = "ld.so-1.7.0"
	newHeaderLen = 48
	newEntryLen  = 24
	oldEntryLen  = 12
	// maxCacheEntries is far above any real cache (a desktop has about 4,000).
	maxCacheEntries = 200_000
)

var errNotCache = lang.New("not an ld.so cache")

// ParseCache reads the bytes of /etc/ld.so.cache, either byte order.
func ParseCache(data []byte) ([]CacheEntry, error) {
	// The new format may follow an old one that older loaders read.
	start := bytes.Index(data, []byte(newMagic))
	if start < 0 {
		return nil, errNotCache
	}
	if start > 0 && !bytes.HasPrefix(data, []byte(oldMagic)) {
		return nil, errNotCache
	}
	data = data[start:]
	if len(data) < newHeaderLen {
		return nil, lang.Errorf("%w: cut off in its header", errNotCache)
	}
	var order binary.ByteOrder = binary.LittleEndian
	n := order.Uint32(data[20:])
	if n > maxCacheEntries {
		order = binary.BigEndian
		n = order.Uint32(data[20:])
	}
	if n > maxCacheEntries || newHeaderLen+int(n)*newEntryLen > len(data) {
		return nil, lang.Errorf("%w: it names %d entries in %d bytes", errNotCache, n, len(data))
	}
	entries := make([]CacheEntry, 0, n)
	for i := range int(n) {
		e := data[newHeaderLen+i*newEntryLen:]
		name, ok1 := cString(data, order.Uint32(e[4:]))
		path, ok2 := cString(data, order.Uint32(e[8:]))
		if !ok1 || !ok2 {
			continue
		}
		entries = append(entries, CacheEntry{Soname: name, Path: path, Flags: int32(order.Uint32(e))})
	}
	return entries, nil
}

func cString(data []byte, at uint32) (string, bool) {
	if uint64(at) >= uint64(len(data)) {
		return "", false
	}
	end := bytes.IndexByte(data[at:], 0)
	if end < 0 {
		return "", false
	}
	return string(data[at : int(at)+end]), true
}
