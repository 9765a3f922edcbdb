package closure

import (
	"context"
	"debug/pe"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
)

// maxSymbols is more than a DLL of the Visual C++ runtime exports (about 1,500).
const maxSymbols = 8192

// ofRuntime: the DLLs of the Visual C++ runtime of 2015 and newer, of which the
// imported symbols are read, too: a newer one has more.
func ofRuntime(name string) bool {
	low := strings.ToLower(name)
	return strings.HasPrefix(low, "msvcp140") || strings.HasPrefix(low, "vcruntime140") || low == "concrt140.dll"
}

// shared: DLLs that many programs bring, of which PATH may find another program's
// first. Their imported symbols are read, too: an older one has fewer.
func shared(name string) bool {
	low := strings.ToLower(name)
	return slices.ContainsFunc([]string{"libpng1", "zlib1.", "libjpeg", "jpeg62.", "turbojpeg.", "tiff.", "libtiff", "libwebp", "libstdc++-", "libgcc_s_", "libwinpthread-", "libiconv", "libcrypto-", "libssl-", "freetype.", "libfreetype", "libprotobuf"}, func(p string) bool {
		return strings.HasPrefix(low, p)
	})
}

// thunks reads the names of a lookup table: 8 bytes an entry in 64-bit files, 4 in
// others; the highest bit stands for a number instead of a name (Microsoft, PE Format).
func (p *pages) thunks(address uint32, wide bool, offset func(uint32) (uint64, error)) (names []string, err error) {
	if address == 0 {
		return nil, nil
	}
	from, err := offset(address)
	if err != nil {
		return nil, err
	}
	size := uint64(4)
	if wide {
		size = 8
	}
	for i := range uint64(maxSymbols) {
		d, err := p.at(from+size*i, int(size))
		if err != nil {
			return nil, err
		}
		low := binary.LittleEndian.Uint32(d)
		if low == 0 {
			return names, nil
		}
		if d[size-1]&0x80 != 0 {
			continue
		}
		where, err := offset(low)
		if err != nil {
			return nil, err
		}
		text, err := p.text(where + 2) // after the hint
		if err != nil {
			return nil, err
		}
		names = append(names, text)
	}
	return nil, errNoPE
}

// readExports reads the names that a DLL exports (Microsoft, PE Format, the export
// directory table and the name pointer table).
func readExports(ctx context.Context, h *host.Host, file string) (map[string]bool, error) {
	p := &pages{ctx: ctx, h: h, file: file, have: map[int64][]byte{}}
	l, err := p.layout()
	if err != nil {
		return nil, err
	}
	address, err := l.directory(pe.IMAGE_DIRECTORY_ENTRY_EXPORT)
	if err != nil || address == 0 {
		return nil, errNoPE
	}
	at, err := l.offset(address)
	if err != nil {
		return nil, err
	}
	d, err := p.at(at, 40)
	if err != nil {
		return nil, err
	}
	count := binary.LittleEndian.Uint32(d[24:])
	if count > maxSymbols {
		return nil, errNoPE
	}
	from, err := l.offset(binary.LittleEndian.Uint32(d[32:]))
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for i := range uint64(count) {
		d, err := p.at(from+4*i, 4)
		if err != nil {
			return nil, err
		}
		where, err := l.offset(binary.LittleEndian.Uint32(d))
		if err != nil {
			return nil, err
		}
		name, err := p.text(where)
		if err != nil {
			return nil, err
		}
		names[name] = true
	}
	return names, nil
}

// entryPoint is the need for a newer DLL of the Visual C++ runtime, or of a library that
// other programs bring, too, than the one that Windows finds, which does not export what
// the file imports of it.
func (w *desk) entryPoint(name string, s seat, found string) (facts.Need, bool) {
	symbols := s.o.symbols[strings.ToLower(name)]
	if len(symbols) == 0 || found == "" {
		return facts.Need{}, false
	}
	// A program in another folder finds by PATH what this library finds beside it, and
	// maybe another program's first.
	if shared(name) && strings.EqualFold(w.h.DirOf(found), w.h.DirOf(s.file)) {
		onPath := slices.ContainsFunc(w.path, func(dir string) bool { return strings.EqualFold(strings.TrimRight(dir, `\`), w.h.DirOf(found)) })
		if first := w.in(w.path, name); onPath && first != "" {
			found = first
		}
	}
	key := strings.ToLower(found)
	exports, ok := w.exports[key]
	if !ok {
		var err error
		if exports, err = readExports(w.ctx, w.h, found); err != nil {
			exports = nil // a recording has names without contents; nothing is said of such files
		}
		w.exports[key] = exports
	}
	if exports == nil {
		return facts.Need{}, false
	}
	for _, symbol := range symbols {
		if !exports[symbol] {
			if ofRuntime(name) {
				return facts.Need{Name: name, By: s.file, Cause: facts.TooOld, Found: found, Lacks: symbol}, true
			}
			own := w.at(w.h.DirOf(s.file), name)
			if strings.EqualFold(own, found) {
				own = ""
			}
			return facts.Need{Name: name, By: s.file, Cause: facts.OtherDLL, Found: found, Lacks: symbol, Elsewhere: own}, true
		}
	}
	return facts.Need{}, false
}

// runtimeNeed is the oldest Visual C++ runtime with which the loaded files work, by
// what they import of it; nil where no imports could be read.
//
// The constructor of std::mutex that MSVC 14.40 compiles (Visual Studio 2022 17.10)
// calls nothing in msvcp140.dll, so a file with such a mutex imports _Mtx_lock without
// _Mtx_init_in_situ. Runtimes before 14.38 crash on it, 14.38 does not
// (microsoft/onnxruntime issue 24843, onnx/onnx issue 6267; ONNX Runtime's wheels:
// 1.19 and 1.20 import _Mtx_init_in_situ, 1.21 and newer do not).
func runtimeNeed(loaded []seat) *facts.RuntimeNeed {
	var need *facts.RuntimeNeed
	for _, s := range loaded {
		if s.o == nil {
			continue
		}
		symbols := s.o.symbols["msvcp140.dll"]
		if len(symbols) == 0 {
			continue
		}
		if need == nil {
			need = &facts.RuntimeNeed{}
		}
		if need.Version == "" && s.o.linker >= "14.40" && slices.Contains(symbols, "_Mtx_lock") && !slices.Contains(symbols, "_Mtx_init_in_situ") {
			need.Version, need.By = "14.38", s.file
		}
	}
	return need
}

// ownRuntime is the Visual C++ runtime that a program finds before the system's,
// with the newest of the linkers that made the files which use it.
func (w *desk) ownRuntime(loaded []seat) *facts.OwnRuntime {
	const name = "msvcp140.dll"
	var own *facts.OwnRuntime
	for _, s := range loaded {
		if s.o == nil || !slices.ContainsFunc(s.o.imports, func(i string) bool { return strings.EqualFold(i, name) }) {
			continue
		}
		file := w.find(name, s)
		if file == "" || strings.EqualFold(w.h.DirOf(file), w.system) || !strings.EqualFold(w.h.DirOf(file), s.app) && !strings.EqualFold(w.h.DirOf(file), w.h.DirOf(s.file)) {
			continue
		}
		if own == nil {
			own = &facts.OwnRuntime{File: file, By: s.file}
			if data, err := w.h.Search(w.ctx, file, versionKey, 64<<20, 4<<10); err == nil {
				own.Version = FileVersion(data)
			}
		}
		if s.o.linker > own.Linker { // 14.16 and 14.40 are of one length
			own.Linker, own.By = s.o.linker, s.file
		}
	}
	if own == nil || own.Version == "" {
		return nil
	}
	return own
}
