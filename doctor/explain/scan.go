package explain

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/doctor/dump"
	"github.com/deployctl/deployctl/doctor/internal/logtext"
	"github.com/deployctl/deployctl/doctor/internal/parallel"
)

// found is what a pass over a text saw.
type found struct {
	set   *Set
	seen  []bool // literal → it is in the text
	hits  []hit
	done  []bool // matcher → it has a hit
	lines int
	first *Line // the first error
	err   error
}

// block is a part of a text, of whole lines.
type block struct {
	index int
	line  int // the number of its first line
	data  []byte
}

// blockSize is how large a block is, at least. A text of one block is read without
// workers.
const blockSize = 1 << 19

// maxWorkers bounds the blocks that are looked at together, and with them the memory.
const maxWorkers = 4

// scan passes over a text once, looking at size bytes of a line. The beginning of the
// text goes into keep, where that is not nil.
func (s *Set) scan(r io.Reader, size int, keep *strings.Builder) *found {
	lines := logtext.NewReader(r, size)
	first, err := nextBlock(lines, nil, keep)
	all := &firsts{}
	if err != nil {
		w := s.newWorker(all)
		w.block(block{line: 1, data: first})
		return s.merged([]*worker{w}, all, err)
	}
	var workers []*worker
	var running parallel.Group
	blocks := make(chan block)
	free := make(chan []byte, 2*maxWorkers)
	for range min(maxWorkers, max(1, runtime.GOMAXPROCS(0))) {
		w := s.newWorker(all)
		workers = append(workers, w)
		running.Go(func() {
			// A crash ends one block, not the worker: the others would wait for ever.
			for b := range blocks {
				w.err = errors.Join(w.err, parallel.Catch(func() { w.block(b) }))
				free <- b.data[:0]
			}
		})
	}
	b := block{line: 1, data: first}
	for {
		blocks <- b
		if err != nil {
			break
		}
		b.index, b.line, b.data = b.index+1, lines.N+1, nil
		select {
		case b.data = <-free:
		default: // at most one for each worker, and the next
		}
		b.data, err = nextBlock(lines, b.data, keep)
	}
	close(blocks)
	crashed := running.Wait()
	f := s.merged(workers, all, err)
	f.err = errors.Join(f.err, crashed)
	return f
}

// nextBlock reads lines into data. With the last of the text comes the error, io.EOF at
// its end.
func nextBlock(lines *logtext.Reader, data []byte, keep *strings.Builder) ([]byte, error) {
	for len(data) < blockSize {
		line, err := lines.Next()
		if err != nil {
			return data, err
		}
		data = append(append(data, line...), '\n')
		if keep != nil && keep.Len()+len(line) < dump.MaxText {
			keep.Write(line)
			keep.WriteByte('\n')
		}
	}
	return data, nil
}

// merged is what the workers found together, as one that had seen all blocks would have.
func (s *Set) merged(workers []*worker, all *firsts, err error) *found {
	f := workers[0].found
	for _, w := range workers[1:] {
		for id, seen := range w.seen {
			f.seen[id] = f.seen[id] || seen
		}
		f.lines += w.lines
		f.err = errors.Join(f.err, w.err)
		f.hits = append(f.hits, w.hits...)
	}
	slices.SortStableFunc(f.hits, func(a, b hit) int { return cmp.Compare(a.line, b.line) })
	done := make([]bool, len(s.matchers))
	f.hits = slices.DeleteFunc(f.hits, func(h hit) bool {
		again := done[h.at]
		done[h.at] = true
		return again
	})
	f.first = all.first()
	if !errors.Is(err, io.EOF) {
		f.err = errors.Join(f.err, err)
	}
	return f
}

// maxTested bounds the lines that are tried as the first error.
const maxTested = 5000

// tested is what a block gave for the first error.
type tested struct {
	lines int // that were tried, up to first
	first *Line
}

// firsts finds the first error of a text whose blocks are looked at in any order.
type firsts struct {
	mu     sync.Mutex
	blocks []tested
}

// left is how many lines of a block have to be tried, by what is known of those before it:
// it may be less in the end, but not more.
func (f *firsts) left(index int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := maxTested
	for _, t := range f.blocks[:min(index, len(f.blocks))] {
		if t.first != nil {
			return 0
		}
		left -= t.lines
	}
	return max(0, left)
}

func (f *firsts) set(index int, t tested) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.blocks) <= index {
		f.blocks = append(f.blocks, tested{})
	}
	f.blocks[index] = t
}

// first is the first error, nil for none, once all blocks are set.
func (f *firsts) first() *Line {
	left := maxTested
	for _, t := range f.blocks {
		if left -= t.lines; left < 0 {
			return nil
		}
		if t.first != nil {
			return t.first
		}
	}
	return nil
}

// worker looks at blocks of a text, each further back than the last.
type worker struct {
	*found
	all     *firsts
	isError []bool // literal → it is one of errorLiterals

	// Of the line.
	ids, foreign []int32
	ends         []int
	mayFail      int // where a word of an error ends, -1 for none
	foreignEnd   int
}

func (s *Set) newWorker(all *firsts) *worker {
	w := &worker{
		found:   &found{set: s, seen: make([]bool, len(s.texts)), done: make([]bool, len(s.matchers))},
		all:     all,
		isError: make([]bool, len(s.texts)),
	}
	for _, text := range errorLiterals() {
		w.isError[slices.Index(s.texts, text)] = true
	}
	return w
}

// see notes a literal of the line.
func (w *worker) see(id int32, end int) {
	w.seen[id] = true
	if w.isError[id] && w.mayFail < 0 {
		w.mayFail = end
	}
	if len(w.set.users[id]) > 0 && !slices.Contains(w.ids, id) {
		w.ids, w.ends = append(w.ids, id), append(w.ends, end)
	}
	if len(w.set.phrases[id]) > 0 && !slices.Contains(w.foreign, id) {
		w.foreign, w.foreignEnd = append(w.foreign, id), end
	}
}

func (w *worker) block(b block) {
	left := w.all.left(b.index)
	var t tested
	for number, data := b.line, b.data; len(data) > 0; number++ {
		end := bytes.IndexByte(data, '\n')
		line := data[:end]
		data = data[end+1:]
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		w.lines++
		read := w.line(line)
		for i, id := range w.ids {
			w.try(id, read, w.ends[i], number, line)
		}
		if w.mayFail >= 0 && t.first == nil && t.lines < left {
			t.lines++
			t.first = firstError(read, w.mayFail, number, line)
		}
	}
	w.all.set(b.index, t)
}

// line finds the literals of a line, and gives it as rules are written for.
func (w *worker) line(line []byte) []byte {
	w.ids, w.ends, w.foreign, w.mayFail = w.ids[:0], w.ends[:0], w.foreign[:0], -1
	w.set.literals.find(line, w.see)
	if len(w.foreign) == 0 {
		return line
	}
	read := w.set.english(line, w.foreign, w.foreignEnd)
	w.ids, w.ends, w.mayFail = w.ids[:0], w.ends[:0], -1
	w.set.literals.find(read, w.see)
	return read
}

// firstError takes a line as the first error, nil where it is none. may is where a word of
// an error ends in it.
func firstError(read []byte, may, number int, line []byte) *Line {
	part := string(windowOf(read, may))
	if !strong.MatchString(logtext.Unprefixed(part)) || harmless.MatchString(part) {
		return nil
	}
	original := string(windowOf(line, min(may, len(line))))
	return &Line{Line: number, Text: excerpt(original, min(may, len(original)))}
}

// manyLines is the number of lines of a worker from which the alternatives of expressions
// are tried one by one.
const manyLines = 2000

// try tries the matchers of one literal on a line, which is read as rules are written and
// shown as it is.
func (f *found) try(id int32, read []byte, end, number int, line []byte) {
	text, lower := "", ""
	for _, at := range f.set.users[id] {
		if f.done[at] {
			continue
		}
		if text == "" {
			text = plain(string(windowOf(read, end)))
			lower = folded(text)
		}
		if groups, ok := f.set.matchers[at].match(text, lower, f.lines > manyLines); ok {
			f.done[at] = true
			f.hits = append(f.hits, hit{f.set.matchers[at], at, number, excerpt(string(line), min(end, len(line))), groups})
		}
	}
}
