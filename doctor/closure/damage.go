package closure

import (
	"context"
	"encoding/binary"
	"errors"
	"path"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/internal/content"
)

// damagedError says that a file is not the library that its name promises, or
// only a part of it.
type damagedError facts.FileProblem

func (e damagedError) Error() string { return "damaged: " + string(e) }

// problem is what such an error says; "" for others, and for none.
func problem(err error) facts.FileProblem {
	var d damagedError
	if errors.As(err, &d) {
		return facts.FileProblem(d)
	}
	return ""
}

// start reads the first page, and says by it what else the file is. What a
// recording does not hold is an error of another kind.
func (p *pages) start() error {
	head, err := p.h.ReadAt(p.ctx, p.file, 0, pageSize)
	if err != nil {
		return err
	}
	p.have[0] = head
	if found := content.Problem(head); found != "" {
		return damagedError(found)
	}
	if len(head) > 0 {
		return nil
	}
	info, err := p.h.Stat(p.ctx, p.file)
	if err == nil && info.Size == 0 && !info.Dir {
		return damagedError(facts.EmptyFile)
	}
	return err
}

// whole reports by an error that the file ends before a place which the loader
// maps; the headers say where that is.
func (p *pages) whole(end uint64) error {
	info, err := p.h.Stat(p.ctx, p.file)
	if err == nil && info.Size >= 0 && end > uint64(info.Size) {
		return damagedError(facts.CutShort)
	}
	return nil // a size that is not known says nothing
}

// damaged is a need for a file that the loader finds and cannot use.
func damaged(ctx context.Context, h *host.Host, name, by, file string, what facts.FileProblem) facts.Need {
	n := facts.Need{Name: name, By: by, Cause: facts.Damaged, Found: file, Problem: what}
	if what == facts.LFSPointer {
		n.Repository = repository(ctx, h, file)
	}
	return n
}

// repository is the folder of git's that a file lies in; "" for none.
func repository(ctx context.Context, h *host.Host, file string) string {
	const most = 32
	for dir, n := h.DirOf(file), 0; len(dir) > 1 && n < most; n++ {
		if h.Exists(ctx, h.Join(dir, ".git")) {
			return dir
		}
		up := h.DirOf(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return ""
}

// damagedRoot is what is wrong with a library that nothing finds, for which a
// missing one would be reported otherwise.
func damagedRoot(ctx context.Context, h *host.Host, file string) []facts.Need {
	low := strings.ToLower(file)
	library := strings.HasSuffix(low, ".dll") || strings.HasSuffix(low, ".dylib") || strings.Contains(path.Base(low), ".so")
	if !library {
		return nil
	}
	p := &pages{ctx: ctx, h: h, file: file, have: map[int64][]byte{}}
	if what := problem(p.start()); what != "" {
		return []facts.Need{damaged(ctx, h, h.Base(file), facts.ByProgram, file, what)}
	}
	return nil
}

// elfEnd is where the last of the segments that the loader maps ends.
func (r *reader) elfEnd() (end uint64) {
	for _, s := range r.loads {
		if s.size < 1<<40 && s.off < 1<<40 { // others are no real file's
			end = max(end, s.off+s.size)
		}
	}
	return end
}

// peEnd is where the last section's bytes end (Microsoft, PE Format, "Section
// Table"). An address of 0 has none.
func peEnd(sections []byte) (end uint64) {
	for ; len(sections) >= 40; sections = sections[40:] {
		size, at := binary.LittleEndian.Uint32(sections[16:]), binary.LittleEndian.Uint32(sections[20:])
		if at > 0 {
			end = max(end, uint64(at)+uint64(size))
		}
	}
	return end
}
