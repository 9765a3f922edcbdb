package darknet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/input"
)

// What can be wrong with a configuration; test with errors.Is.
var (
	ErrSyntax      = lang.New("not a Darknet configuration")
	ErrUnknown     = lang.New("unknown layer type")
	ErrActivation  = lang.New("unknown activation")
	ErrNumber      = lang.New("bad number")
	ErrCycle       = lang.New("cycle")
	ErrShape       = lang.New("shapes do not fit")
	ErrLimit       = lang.New("out of range")
	ErrUnsupported = lang.New("not supported")
)

// ConfigError says what is wrong where. Its text is one sentence.
type ConfigError struct {
	File string
	Line int // 1-based; 0 when it is the whole file
	Err  error
	Text string
}

func (e *ConfigError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v: %s", e.File, e.Err, e.Text)
	}
	return fmt.Sprintf("%s:%d: %v: %s", e.File, e.Line, e.Err, e.Text)
}

func (e *ConfigError) Unwrap() error { return e.Err }

const (
	maxConfig = 1 << 20 // bytes; the largest known cfg has 12 KB
	maxLine   = 1 << 16
)

// LoadConfig parses the file at path.
func LoadConfig(path string) (*Network, error) {
	text, err := ReadConfig(path)
	if err != nil {
		return nil, err
	}
	return ParseConfig(bytes.NewReader(text), path)
}

// ReadConfig reads the text of a configuration, which must be a file.
func ReadConfig(path string) ([]byte, error) {
	text, err := input.Read(path, maxConfig)
	if err != nil {
		return nil, lang.Errorf("read network configuration: %w", err)
	}
	return text, nil
}

// section is the raw text of one [header] and its keys.
type section struct {
	name string
	line int
	keys []entry
}

type entry struct {
	key, value string
	line       int
	used       bool
}

// ParseConfig reads a Darknet .cfg. name is used in messages. All errors about
// the content are *ConfigError.
func ParseConfig(r io.Reader, name string) (*Network, error) {
	sections, err := split(r, name)
	if err != nil {
		return nil, err
	}
	n := &Network{Name: name}
	if len(sections) == 0 {
		return nil, n.fail(0, ErrSyntax, lang.T("it has no [net] section"))
	}
	head := sections[0]
	if head.name != "net" && head.name != "network" {
		return nil, n.fail(head.line, ErrSyntax, lang.F("the first section must be [net], not [%s]", head.name))
	}
	if len(sections) == 1 {
		return nil, n.fail(head.line, ErrSyntax, lang.T("it has no layers after [net]"))
	}
	if len(sections)-1 > maxLayers {
		return nil, n.fail(0, ErrLimit, lang.F("%d layers are more than %d", len(sections)-1, maxLayers))
	}
	p := &sectionReader{net: n, s: &head}
	// 416 is OpenCV's default; Darknet itself has none and fails.
	n.Width = p.integer("width", 416, 1, MaxSide)
	n.Height = p.integer("height", 416, 1, MaxSide)
	n.Channels = p.integer("channels", 3, 1, maxInput)
	n.Stretch = p.integer("letter_box", 1, 0, 1000) == 0
	p.finish(netTraining)
	if p.err != nil {
		return nil, p.err
	}
	for i := range sections[1:] {
		l, err := n.layer(i, &sections[i+1])
		if err != nil {
			return nil, err
		}
		n.Layers = append(n.Layers, l)
	}
	if err := n.shape(); err != nil {
		return nil, err
	}
	return n, nil
}

// split cuts the text into sections. Darknet strips every blank, tab and
// newline from a line, so "[ net ]" and "a = b" are fine; comments start a
// line with # or ;.
func split(r io.Reader, name string) ([]section, error) {
	fail := func(line int, sentinel error, text string) error {
		return &ConfigError{File: name, Line: line, Err: sentinel, Text: text}
	}
	var out []section
	limited := &io.LimitedReader{R: r, N: maxConfig + 1}
	sc := bufio.NewScanner(limited)
	sc.Buffer(make([]byte, 0, 4096), maxLine)
	line := 0
	for sc.Scan() {
		line++
		text := sc.Text()
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff") // Windows editors
		}
		text = strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\r' {
				return -1
			}
			return r
		}, text)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if strings.ContainsRune(text, 0) {
			return nil, fail(line, ErrSyntax, lang.T("it holds binary data; is this a .weights file?"))
		}
		if text[0] == '[' {
			end := strings.IndexByte(text, ']')
			if end < 2 || (end+1 < len(text) && text[end+1] != '#' && text[end+1] != ';') {
				return nil, fail(line, ErrSyntax, lang.F("section header %q is not [name]", clip(text)))
			}
			out = append(out, section{name: text[1:end], line: line})
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, fail(line, ErrSyntax, lang.F("%q is neither [section] nor key=value", clip(text)))
		}
		if len(out) == 0 {
			return nil, fail(line, ErrSyntax, lang.F("key %q comes before the first [section]", clip(key)))
		}
		s := &out[len(out)-1]
		again := false
		for _, e := range s.keys {
			if e.key != key {
				continue
			}
			if e.value != value {
				return nil, fail(line, ErrSyntax, lang.F("%s is given twice in [%s], first on line %d", clip(key), clip(s.name), e.line))
			}
			again = true // said twice, meant once
		}
		if !again {
			s.keys = append(s.keys, entry{key: key, value: value, line: line})
		}
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fail(line+1, ErrSyntax, lang.F("the line is longer than %d bytes; is this a .weights file?", maxLine))
	} else if err != nil {
		return nil, lang.Errorf("read %s: %w", name, err)
	}
	if limited.N <= 0 {
		return nil, fail(0, ErrLimit, lang.F("it is larger than %d bytes; is this a .weights file?", maxConfig))
	}
	return out, nil
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// layer reads one section; shapes come later.
func (n *Network) layer(index int, s *section) (Layer, error) {
	l := Layer{Index: index, Line: s.line, Inputs: []int{index - 1}}
	p := &sectionReader{net: n, s: s, index: index}
	training := layerTraining
	switch s.name {
	case "convolutional", "conv":
		l.Kind = Convolutional
		c := &ConvParams{
			Filters: p.integer("filters", 1, 1, maxChan),
			Size:    p.integer("size", 1, 1, maxKernel),
			Stride:  p.integer("stride", 1, 1, maxStride),
			Groups:  p.integer("groups", 1, 1, maxChan),
		}
		c.Pad = p.integer("padding", 0, 0, maxKernel)
		if p.integer("pad", 0, 0, maxKernel) != 0 {
			c.Pad = c.Size / 2
		}
		c.BatchNorm = p.integer("batch_normalize", 0, 0, 1) == 1
		// Darknet's own default is logistic, OpenCV's linear: silence would
		// mean two different networks.
		c.Activation = p.activation("")
		for _, key := range []string{"stride_x", "stride_y"} {
			if v := p.integer(key, c.Stride, 1, maxStride); v != c.Stride {
				p.fail(key, ErrUnsupported, lang.F("%s=%d differs from stride=%d", key, v, c.Stride))
			}
		}
		p.only("dilation", 1)
		for _, key := range []string{"flipped", "binary", "xnor", "bin_output", "antialiasing", "share_index",
			"assisted_excitation", "sway", "rotate", "stretch", "stretch_sway", "deform", "coordconv", "reverse"} {
			p.only(key, 0)
		}
		l.Conv = c
	case "maxpool", "max":
		l.Kind = Maxpool
		m := &PoolParams{Stride: p.integer("stride", 1, 1, maxStride)}
		m.Size = p.integer("size", m.Stride, 1, maxKernel)
		m.Padding = p.integer("padding", m.Size-1, 0, 2*maxKernel)
		if m.Padding >= 2*m.Size {
			p.fail("padding", ErrShape, lang.F("padding=%d leaves windows of size %d with nothing in them", m.Padding, m.Size))
		}
		for _, key := range []string{"stride_x", "stride_y"} {
			if v := p.integer(key, m.Stride, 1, maxStride); v != m.Stride {
				p.fail(key, ErrUnsupported, lang.F("%s=%d differs from stride=%d", key, v, m.Stride))
			}
		}
		p.only("maxpool_depth", 0)
		p.only("antialiasing", 0)
		l.Pool = m
	case "shortcut":
		l.Kind = Shortcut
		l.Inputs = append(l.Inputs, p.layers("from")...)
		l.Shortcut = &ShortcutParams{Activation: p.activation(Linear)}
		p.only("alpha", 1)
		p.only("beta", 0)
		if v, e := p.text("weights_type"); e != nil && v != "none" {
			p.fail("weights_type", ErrUnsupported, lang.F("a shortcut with weights_type=%s", clip(v)))
		}
		if index == 0 {
			p.fail("from", ErrCycle, lang.T("a shortcut cannot be the first layer"))
		}
	case "route":
		l.Kind = Route
		l.Inputs = p.layers("layers")
		l.Route = &RouteParams{Groups: p.integer("groups", 1, 1, maxChan)}
		l.Route.GroupID = p.integer("group_id", 0, 0, l.Route.Groups-1)
		p.only("stream", 0)
	case "upsample":
		l.Kind = Upsample
		l.Upsample = &UpsampleParams{Stride: p.integer("stride", 2, 1, maxStride), Scale: p.number("scale", 1, -1e6, 1e6)}
	case "yolo":
		l.Kind = Yolo
		l.Yolo = p.yolo()
		if index > 0 && n.Layers[index-1].Kind != Convolutional {
			p.fail("", ErrShape, lang.F("a yolo layer must follow a convolutional layer, not %s", n.Layers[index-1].Kind))
		} else if index == 0 {
			p.fail("", ErrShape, lang.T("a yolo layer cannot be the first layer"))
		}
		training = yoloTraining
	default:
		return l, n.fail(s.line, ErrUnknown, lang.F("[%s] is not a layer of the YOLOv3 and YOLOv4 families", clip(s.name)))
	}
	p.finish(training)
	return l, p.err
}

func (p *sectionReader) yolo() *YoloParams {
	y := &YoloParams{
		Classes:   p.integer("classes", 20, 1, maxClasses),
		ScaleXY:   p.number("scale_x_y", 1, 0.1, 10),
		Thresh:    p.given("thresh", 0, 1),
		NMSThresh: p.given("nms_threshold", 0, 1),
	}
	p.only("new_coords", 0)
	num := p.integer("num", 1, 1, 1024)
	anchors := p.numbers("anchors")
	if p.err == nil && len(anchors) != 2*num {
		p.fail("anchors", ErrNumber, lang.F("num=%d asks for %d numbers in anchors=, there are %d", num, 2*num, len(anchors)))
	}
	for i := 0; i+1 < len(anchors); i += 2 {
		if anchors[i] <= 0 || anchors[i+1] <= 0 || anchors[i] > 1e5 || anchors[i+1] > 1e5 {
			p.fail("anchors", ErrNumber, lang.F("anchor %d is %g×%g pixels", i/2, anchors[i], anchors[i+1]))
		}
		y.Anchors = append(y.Anchors, [2]float64{anchors[i], anchors[i+1]})
	}
	if _, e := p.text("mask"); e == nil {
		for i := range y.Anchors {
			y.Mask = append(y.Mask, i)
		}
		return y
	}
	seen := map[int]bool{}
	for _, v := range p.numbers("mask") {
		m := int(v)
		if float64(m) != v || m < 0 || m >= len(y.Anchors) || seen[m] {
			p.fail("mask", ErrNumber, lang.F("mask entry %g is not one of the anchors 0…%d, each once", v, len(y.Anchors)-1))
			return y
		}
		seen[m] = true
		y.Mask = append(y.Mask, m)
	}
	return y
}

// sectionReader takes keys out of a section and keeps the first error.
type sectionReader struct {
	net   *Network
	s     *section
	index int
	err   error
}

func (p *sectionReader) fail(key string, sentinel error, text string) {
	if p.err != nil {
		return
	}
	line := p.s.line
	for _, e := range p.s.keys {
		if e.key == key {
			line = e.line
		}
	}
	p.err = p.net.fail(line, sentinel, fmt.Sprintf("[%s] %s", p.s.name, text))
}

func (p *sectionReader) text(key string) (string, *entry) {
	for i := range p.s.keys {
		if p.s.keys[i].key == key {
			p.s.keys[i].used = true
			return p.s.keys[i].value, &p.s.keys[i]
		}
	}
	return "", nil
}

func (p *sectionReader) integer(key string, def, low, high int) int {
	v, e := p.text(key)
	if e == nil {
		return def
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		p.fail(key, ErrNumber, lang.F("%s=%s is not a whole number", key, clip(v)))
		return def
	}
	if n < low || n > high {
		p.fail(key, ErrLimit, lang.F("%s=%d is outside %d…%d", key, n, low, high))
		return def
	}
	return n
}

func (p *sectionReader) number(key string, def, low, high float64) float64 {
	v, e := p.text(key)
	if e == nil {
		return def
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsNaN(f) {
		p.fail(key, ErrNumber, lang.F("%s=%s is not a number", key, clip(v)))
		return def
	}
	if f < low || f > high {
		p.fail(key, ErrLimit, lang.F("%s=%g is outside %g…%g", key, f, low, high))
		return def
	}
	return f
}

// given is a number that has no default, nil where it is not given.
func (p *sectionReader) given(key string, low, high float64) *float64 {
	if _, e := p.text(key); e == nil {
		return nil
	}
	v := p.number(key, 0, low, high)
	return &v
}

// only accepts a key that would change the numbers when it says the default.
func (p *sectionReader) only(key string, want float64) {
	if v := p.number(key, want, math.Inf(-1), math.Inf(1)); v != want {
		p.fail(key, ErrUnsupported, fmt.Sprintf("%s=%g", key, v))
	}
}

func (p *sectionReader) numbers(key string) []float64 {
	v, e := p.text(key)
	if e == nil {
		p.fail(key, ErrNumber, lang.F("%s= is missing", key))
		return nil
	}
	var out []float64
	for _, part := range strings.Split(strings.TrimSuffix(v, ","), ",") {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			p.fail(key, ErrNumber, lang.F("%q in %s= is not a number", clip(part), key))
			return nil
		}
		out = append(out, f)
	}
	return out
}

// layers reads a list of layer numbers: negative counts back from this layer,
// others are absolute. Only earlier layers may be named: anything else would
// need its own result.
func (p *sectionReader) layers(key string) []int {
	var out []int
	for _, v := range p.numbers(key) {
		at := int(v)
		if float64(at) != v || math.Abs(v) > maxLayers {
			p.fail(key, ErrNumber, lang.F("%g in %s= is not a layer number", v, key))
			return []int{0}
		}
		if at < 0 {
			at += p.index
		}
		if at >= p.index {
			p.fail(key, ErrCycle, lang.F("layer %d reads layer %d, which is not before it", p.index, at))
			return []int{0}
		}
		if at < 0 {
			p.fail(key, ErrLimit, lang.F("%g in %s= of layer %d points before the first layer", v, key, p.index))
			return []int{0}
		}
		out = append(out, at)
	}
	if len(out) == 0 {
		return []int{0} // an error is set
	}
	return out
}

func (p *sectionReader) activation(def Activation) Activation {
	v, e := p.text("activation")
	if e == nil {
		if def == "" {
			p.fail("", ErrActivation, lang.T("activation= is missing, and engines disagree about its default"))
		}
		return def
	}
	switch a := Activation(v); a {
	case Linear, Leaky, Relu, Mish, Swish, Logistic:
		return a
	}
	p.fail("activation", ErrActivation, lang.F("activation=%s (known: linear, leaky, relu, mish, swish, logistic)", clip(v)))
	return Linear
}

// finish notes keys nobody asked for, except those that matter in training only.
func (p *sectionReader) finish(training string) {
	for _, e := range p.s.keys {
		if !e.used && !strings.Contains(training, " "+e.key+" ") {
			p.net.Ignored = append(p.net.Ignored, IgnoredKey{e.line, p.s.name, e.key})
		}
	}
}

// Keys that steer training, augmentation, logging or Darknet's own drawing,
// and never a forward pass.
const (
	netTraining = " batch subdivisions momentum decay angle saturation exposure hue learning_rate burn_in max_batches" +
		" policy steps scales step scale gamma power seq_scales mosaic mosaic_bound cutmix mixup blur" +
		" gaussian_noise flip jitter resize dynamic_minibatch optimized_memory workspace_size_limit_MB num_sigmas_reject_badlabels" +
		" max_crop min_crop aspect show_receptive_field adam B1 B2 eps inputs label_smooth_eps ema_alpha track augment_speed" +
		" loss_scale sequential_subdivisions time_steps init_sequential_subdivisions equidistant_point badlabels_rejection_percentage" +
		" try_fix_nan random adversarial_lr no_color_distort attention contrastive unsupervised weights_reject_freq "
	layerTraining = " stopbackward dontload dontloadscales onlyforward learning_rate learning_scale train_only_bn dropblock" +
		" burnin_update dont_update max_delta grad_centr cbn "
	yoloTraining = " jitter ignore_thresh truth_thresh random resize iou_normalizer cls_normalizer obj_normalizer iou_loss iou_thresh" +
		" nms_kind beta_nms max max_delta focal_loss counters_per_class label_smooth_eps objectness_smooth uc_normalizer" +
		" delta_normalizer iou_thresh_kind map dontload stopbackward onlyforward embedding_layer track_history_size sim_thresh" +
		" dets_for_track dets_for_show track_ciou_norm show_details "
)
