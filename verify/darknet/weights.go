package darknet

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"math/bits"
	"os"
	"unsafe"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/input"
)

// What can be wrong with a weights file; test with errors.Is.
var (
	ErrTruncated = lang.New("truncated")
	ErrOversized = lang.New("too large")
	ErrHeader    = lang.New("not a Darknet weights file")
)

// WeightsError says what is wrong with a weights file.
type WeightsError struct {
	File string
	Err  error
	// Expected and Actual are sizes in bytes, header included; both 0 when the
	// error is not about size. Actual is -1 when the stream went on past
	// Expected and was not read further.
	Expected, Actual int64
	Text             string
}

func (e *WeightsError) Error() string { return fmt.Sprintf("%s: %v: %s", e.File, e.Err, e.Text) }

func (e *WeightsError) Unwrap() error { return e.Err }

// Header is the start of a weights file, all little-endian: three int32, then
// the number of training images seen, 64 bits from version 0.2 on and 32
// before (Darknet src/parser.c, load_weights_upto).
type Header struct {
	Major, Minor, Revision int32
	Seen                   uint64
}

// Size is the header's length in bytes, 20 or 16.
func (h Header) Size() int {
	if h.wide() {
		return 20
	}
	return 16
}

// wide follows Darknet: (major*10 + minor) >= 2 with both below 1000.
func (h Header) wide() bool {
	return h.Major < 1000 && h.Minor < 1000 && int64(h.Major)*10+int64(h.Minor) >= 2
}

// Weights are the parameters of one network: all floats in file order in one
// array, with a view for each layer.
type Weights struct {
	Header Header
	// Data is everything after the header, in file order.
	Data []float32
	// SHA256 is the hash of the file these came from, lower-case hex; empty
	// when they did not come from a file.
	SHA256 string
	layers []LayerWeights
}

// LayerWeights are views into Weights.Data, in the order of the file. Only
// Biases and Kernel are set without batch-norm; none for other layer kinds.
type LayerWeights struct {
	Biases, Scales, Means, Variances []float32 // one for each filter
	Kernel                           []float32 // [Filters][In.C/Groups][Size][Size]
}

// Layer is the view of layer i (Darknet's counting).
func (w *Weights) Layer(i int) LayerWeights { return w.layers[i] }

// NewWeights makes zero weights for a network, with header version 0.2.0.
func NewWeights(n *Network) *Weights {
	return newWeights(n, make([]float32, n.Params()))
}

func newWeights(n *Network, data []float32) *Weights {
	w := &Weights{Header: Header{Minor: 2}, Data: data, layers: make([]LayerWeights, len(n.Layers))}
	take := func(c int) []float32 {
		v := data[:c:c]
		data = data[c:]
		return v
	}
	for i := range n.Layers {
		l := &n.Layers[i]
		if l.Kind != Convolutional {
			continue
		}
		v := &w.layers[i]
		f := l.Conv.Filters
		v.Biases = take(f)
		if l.Conv.BatchNorm {
			v.Scales, v.Means, v.Variances = take(f), take(f), take(f)
		}
		v.Kernel = take(f * l.kernelLen())
	}
	return w
}

// WeightsSize is the size in bytes of a weights file of this network with the
// 20-byte header; 248,007,048 for YOLOv3.
func WeightsSize(n *Network) int64 { return 20 + 4*int64(n.Params()) }

// LoadWeights reads the file at path, checks its size to the byte and hashes
// it on the way. It needs memory for the floats once and nothing else.
func LoadWeights(path string, n *Network) (*Weights, error) {
	f, size, err := OpenWeights(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read-only
	return ReadWeights(f, size, n, path)
}

// OpenWeights opens a weights file, which must be a file no larger than one can
// be.
func OpenWeights(path string) (*os.File, int64, error) {
	f, size, err := input.Open(path, 20+4*maxParams)
	if err != nil {
		return nil, 0, lang.Errorf("read weights: %w", err)
	}
	return f, size, nil
}

// ReadWeights reads a weights file from a stream. size is the stream's length
// in bytes when it is known, so that a wrong one is told before 248 MB are
// read; -1 when it is not. name is used in messages. All errors about the
// content are *WeightsError.
func ReadWeights(r io.Reader, size int64, n *Network, name string) (*Weights, error) {
	sum := sha256.New()
	var raw [20]byte
	got, err := io.ReadFull(r, raw[:16])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, lang.Errorf("read %s: %w", name, err)
	}
	if got < 16 {
		return nil, sizeError(name, n, WeightsSize(n), int64(got))
	}
	h := Header{
		Major:    int32(binary.LittleEndian.Uint32(raw[0:])),
		Minor:    int32(binary.LittleEndian.Uint32(raw[4:])),
		Revision: int32(binary.LittleEndian.Uint32(raw[8:])),
		Seen:     uint64(binary.LittleEndian.Uint32(raw[12:])),
	}
	if h.Major > 1000 || h.Minor > 1000 {
		return nil, &WeightsError{File: name, Err: ErrHeader,
			Text: lang.F("version %d.%d marks transposed weights or another kind of file", h.Major, h.Minor)}
	}
	if h.Major < 0 || h.Minor < 0 || h.Revision < 0 {
		return nil, &WeightsError{File: name, Err: ErrHeader, Text: lang.F("version %d.%d.%d is negative", h.Major, h.Minor, h.Revision)}
	}
	want := int64(h.Size()) + 4*int64(n.Params())
	if size >= 0 && size != want {
		return nil, sizeError(name, n, want, size)
	}
	head := raw[:h.Size()]
	if h.wide() {
		if got, err := io.ReadFull(r, raw[16:20]); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, lang.Errorf("read %s: %w", name, err)
			}
			return nil, sizeError(name, n, want, 16+int64(got))
		}
		h.Seen = binary.LittleEndian.Uint64(raw[12:])
	}
	sum.Write(head)

	data := make([]float32, n.Params())
	if got, err := readHashed(r, floatBytes(data), sum); err != nil {
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, lang.Errorf("read %s: %w", name, err)
		}
		return nil, sizeError(name, n, want, int64(len(head)+got))
	}
	if got, err := io.ReadFull(r, raw[:1]); got == 1 {
		return nil, sizeError(name, n, want, -1)
	} else if !errors.Is(err, io.EOF) {
		return nil, lang.Errorf("read %s: %w", name, err)
	}
	if bigEndian {
		swapFloats(data)
	}
	w := newWeights(n, data)
	w.Header = h
	w.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return w, nil
}

// readHashed fills buf from r while another goroutine hashes what has come.
func readHashed(r io.Reader, buf []byte, sum hash.Hash) (int, error) {
	const piece = 4 << 20
	pieces := make(chan []byte, len(buf)/piece+1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p := range pieces {
			sum.Write(p)
		}
	}()
	got := 0
	var err error
	for got < len(buf) && err == nil {
		p := buf[got:min(got+piece, len(buf))]
		var k int
		k, err = io.ReadFull(r, p)
		got += k
		pieces <- p[:k]
	}
	close(pieces)
	<-done
	return got, err
}

func sizeError(name string, n *Network, want, got int64) error {
	e := &WeightsError{File: name, Expected: want, Actual: got}
	switch {
	case got < 0:
		e.Err = ErrOversized
		e.Text = lang.F("it goes on past the %d bytes that %s needs; the configuration belongs to other weights", want, n.Name)
	case got > want:
		e.Err = ErrOversized
		e.Text = lang.F("it has %d bytes, %s needs %d; the configuration belongs to other weights", got, n.Name, want)
	default:
		e.Err = ErrTruncated
		e.Text = lang.F("it has %d bytes, %s needs %d; fetch it again, or give the configuration it belongs to", got, n.Name, want)
	}
	return e
}

// WriteTo writes the weights as a Darknet file.
func (w *Weights) WriteTo(out io.Writer) (int64, error) {
	var raw [20]byte
	binary.LittleEndian.PutUint32(raw[0:], uint32(w.Header.Major))
	binary.LittleEndian.PutUint32(raw[4:], uint32(w.Header.Minor))
	binary.LittleEndian.PutUint32(raw[8:], uint32(w.Header.Revision))
	binary.LittleEndian.PutUint64(raw[12:], w.Header.Seen)
	head := raw[:w.Header.Size()]
	k, err := out.Write(head)
	total := int64(k)
	if err != nil {
		return total, lang.Errorf("write weights: %w", err)
	}
	if !bigEndian {
		k, err = out.Write(floatBytes(w.Data))
		total += int64(k)
		if err != nil {
			return total, lang.Errorf("write weights: %w", err)
		}
		return total, nil
	}
	b := bufio.NewWriterSize(out, 1<<20)
	for _, v := range w.Data {
		binary.LittleEndian.PutUint32(raw[:4], math.Float32bits(v))
		k, err = b.Write(raw[:4])
		total += int64(k)
		if err != nil {
			return total, lang.Errorf("write weights: %w", err)
		}
	}
	if err := b.Flush(); err != nil {
		return total, lang.Errorf("write weights: %w", err)
	}
	return total, nil
}

// HashFile is the SHA-256 of a file, lower-case hex.
func HashFile(path string) (string, error) {
	file, size, err := input.Open(path, math.MaxInt64)
	if err != nil {
		return "", lang.Errorf("hash file: %w", err)
	}
	defer file.Close()              //nolint:errcheck // read-only
	f := io.LimitReader(file, size) // it may grow without end
	sum := sha256.New()
	// Two buffers in turn: while one is hashed the other is read.
	bufs := [2][]byte{make([]byte, 4<<20), make([]byte, 4<<20)}
	hashed := make(chan struct{}, 1)
	hashed <- struct{}{}
	for i := 0; ; i++ {
		n, err := io.ReadFull(f, bufs[i%2])
		<-hashed
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return "", lang.Errorf("hash %s: %w", path, err)
		}
		if err != nil {
			sum.Write(bufs[i%2][:n])
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		go func(p []byte) {
			sum.Write(p)
			hashed <- struct{}{}
		}(bufs[i%2])
	}
}

// Official names the published weights file with this SHA-256 (lower-case
// hex), or says there is none.
func Official(sha256 string) (name string, ok bool) {
	switch sha256 {
	// compat.md section 8: nine independent pins agree on the first.
	case "523e4e69e1d015393a1b0a441cef1d9c7659e3eb2d7e15f793f060a21b32f297":
		return "yolov3", true
	case "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c":
		return "yolov3-tiny", true
	case "87a1e8c85c763316f34e428f2295e1db9ed4abcec59dd9544f8052f50de327b4":
		return "yolov3-spp", true
	case "e8a4f6c62188738d86dc6898d82724ec0964d0eb9d2ae0f0a9d53d65d108d562":
		return "yolov4", true
	case "037676f0d929c24e1bd9a0037fe30dc416fc26e0ca2a4491a44d024873316061":
		return "yolov4-tiny", true
	}
	return "", false
}

// bigEndian: none of the platforms we release for is; the branch costs nothing.
var bigEndian = func() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 0
}()

// floatBytes is the memory of v as bytes: it saves a second copy of 248 MB.
// Safe because float32 has no padding and any byte pattern is a float32.
func floatBytes(v []float32) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

func swapFloats(v []float32) {
	for i, f := range v {
		v[i] = math.Float32frombits(bits.ReverseBytes32(math.Float32bits(f)))
	}
}
