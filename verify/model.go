package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/detect"
	"github.com/deployctl/deployctl/verify/input"
	"github.com/deployctl/deployctl/verify/picture"
	"github.com/deployctl/deployctl/verify/selftest"
)

// model is a network with everything needed to run it anywhere.
type model struct {
	net     *darknet.Network
	config  []byte // the .cfg text at the size asked for
	weights Weights
	names   []string
	// expected are known objects of the input, nil when there are none to know.
	expected []detect.Box
}

// InputError is an option that does not make sense or does not fit another.
type InputError struct{ Text string }

func (e *InputError) Error() string { return e.Text }

// maxNames bounds a names file.
const maxNames = 1 << 20

// resolve finds the network, its weights and its names.
func resolve(ctx context.Context, o Options) (*model, error) {
	if o.Weights == "" {
		if o.Model == "" {
			o.Model = darknet.YOLOv3
		}
		official := filepath.Join(o.Cache, "models", o.Model+".weights")
		info, err := os.Stat(official)
		if err != nil || !info.Mode().IsRegular() {
			return resolveSelfTest(ctx, o)
		}
		return resolveOfficial(o, official)
	}
	return resolveFiles(o)
}

// resolveOfficial uses the published weights of the cache. Others could plant a
// file there: it must be the published one, and stay it until the engine has
// read it.
func resolveOfficial(o Options, file string) (*model, error) {
	if err := cache.Trusted(o.Cache, file); err != nil {
		return nil, err
	}
	o.Weights = file
	m, err := resolveFiles(o)
	if err == nil && m.weights.Kind != Official {
		return nil, lang.Errorf("%s is not the published file: it was changed or damaged. Delete it, or run deployctl models pull %s", file, o.Model)
	}
	return m, err
}

func resolveSelfTest(ctx context.Context, o Options) (*model, error) {
	dir, err := cache.Secure(o.Cache, selfTestFolder(o.Model)...)
	if err != nil {
		return nil, err
	}
	// What another user put there could be changed after it was checked.
	for _, name := range []string{"selftest.cfg", "selftest.weights", "selftest.names"} {
		var unsafe *cache.UnsafeError
		if file := filepath.Join(dir, name); errors.As(cache.Trusted(o.Cache, file), &unsafe) {
			if err := os.Remove(file); err != nil {
				return nil, errors.Join(unsafe, err)
			}
		}
	}
	small, err := darknet.Family(o.Model, selftest.Size)
	if err != nil {
		return nil, lang.Errorf("self-test network: %w", err)
	}
	needed := darknet.WeightsSize(small)
	files, err := selftest.Ensure(ctx, o.Model, dir)
	if err != nil {
		if ctx.Err() != nil {
			return nil, lang.Errorf("prepare the self-test model: %w", context.Cause(ctx))
		}
		return nil, cache.Explain(dir, needed, err)
	}
	size := o.Size
	if size == 0 {
		size = selftest.Size
	}
	// The networks halve their input five times and join what they doubled again.
	if size%32 != 0 {
		return nil, &InputError{lang.F("the input size of YOLO must be a multiple of 32, and %d is not; %d is", size, (size/32+1)*32)}
	}
	text, err := darknet.FamilyConfig(o.Model, size)
	if err != nil {
		return nil, lang.Errorf("self-test network: %w", err)
	}
	m := &model{
		config:  []byte(text),
		weights: Weights{SelfTest, selftest.SHA256(o.Model), files.Weights},
		names:   darknet.COCONames(),
	}
	if m.net, err = darknet.ParseConfig(strings.NewReader(text), o.Model); err != nil {
		return nil, err
	}
	if m.net, err = m.net.Resize(size, size); err != nil {
		return nil, err
	}
	if size == selftest.Size && o.Image == "" {
		objects, err := selftest.Expected(o.Model)
		if err != nil {
			return nil, err
		}
		const scene = 2 * selftest.Size
		for _, b := range objects {
			m.expected = append(m.expected, detect.Box{
				Class: b.Class, Score: b.Score, X: b.X / scene, Y: b.Y / scene, W: b.W / scene, H: b.H / scene,
			})
		}
	}
	return m, nil
}

// selfTestFolder is where a family's self-test model is kept in the cache; YOLOv3's
// has no folder of its own.
func selfTestFolder(family string) []string {
	path := []string{"models", "self-test"}
	if family != darknet.YOLOv3 {
		path = append(path, family)
	}
	return path
}

func resolveFiles(o Options) (*model, error) {
	m := &model{weights: Weights{Kind: User, Path: o.Weights}}
	f, size, err := darknet.OpenWeights(o.Weights)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read-only
	family := ""
	if o.Config != "" {
		// Parsed before the weights are hashed: it is quick to tell that it is bad.
		if m.config, err = darknet.ReadConfig(o.Config); err != nil {
			return nil, err
		}
		if m.net, err = darknet.ParseConfig(bytes.NewReader(m.config), o.Config); err != nil {
			return nil, err
		}
		if err := fits(m.net, f, o.Weights, size); err != nil {
			return nil, err
		}
		m.net.Name = strings.TrimSuffix(filepath.Base(o.Config), filepath.Ext(o.Config))
	}
	if m.weights.SHA256, err = darknet.HashFile(o.Weights); err != nil {
		return nil, err
	}
	if name, ok := darknet.Official(m.weights.SHA256); ok {
		m.weights.Kind, family = Official, name
	}
	if m.net == nil {
		if family == "" {
			family = familyBySize(size)
		}
		if family == "" {
			return nil, &InputError{lang.F("%s has %d bytes, which is the size of none of the networks known here (%s): it is cut short or of another network; give its configuration with --cfg",
				o.Weights, size, strings.Join(darknet.Families(), ", "))}
		}
		text, err := darknet.FamilyConfig(family, selftest.Size)
		if err != nil {
			return nil, err
		}
		m.config = []byte(text)
		if m.net, err = darknet.ParseConfig(strings.NewReader(text), family); err != nil {
			return nil, err
		}
	}
	if o.Size != 0 && (o.Size != m.net.Width || o.Size != m.net.Height) {
		if m.net, err = m.net.Resize(o.Size, o.Size); err != nil {
			return nil, err
		}
		if m.config, err = resizeConfig(m.config, o.Size); err != nil {
			return nil, err
		}
	}
	if len(m.net.Yolos()) == 0 {
		return nil, &InputError{lang.F("%s has no [yolo] layer; only YOLO networks can be verified", o.Config)}
	}
	if m.net.Channels != 3 {
		return nil, &InputError{lang.F("%s reads %d channels; only networks that read RGB pictures can be verified", o.Config, m.net.Channels)}
	}
	m.names, err = loadNames(o.Names, m.net)
	return m, err
}

// fits refuses weights of a wrong size before 248 MB are hashed. It reads the
// header only.
func fits(net *darknet.Network, f io.Reader, path string, size int64) error {
	want := darknet.WeightsSize(net)
	if size == want || size == want-4 { // headers have 20 or 16 bytes
		return nil
	}
	_, err := darknet.ReadWeights(f, size, net, path)
	return err
}

func familyBySize(size int64) string {
	for _, f := range darknet.Families() {
		if net, err := darknet.Family(f, selftest.Size); err == nil && darknet.WeightsSize(net) == size {
			return f
		}
	}
	return ""
}

var (
	reWidth  = lazyregexp.New(`(?m)^([ \t]*width[ \t]*=)[^\n]*`)
	reHeight = lazyregexp.New(`(?m)^([ \t]*height[ \t]*=)[^\n]*`)
	reLayer  = lazyregexp.New(`(?m)^[ \t]*\[[^\]\n]*\]`)
)

// resizeConfig sets width and height in the [net] section of a .cfg text.
// Engines read the file themselves, so a size given on the command line has to
// be in it.
func resizeConfig(config []byte, size int) ([]byte, error) {
	sections := reLayer.Get().FindAllIndex(config, 2)
	if len(sections) < 2 {
		return nil, &InputError{lang.T("the configuration has no layers")}
	}
	head, rest := config[:sections[1][0]], config[sections[1][0]:]
	// A key that is missing is added right under [net].
	at := sections[0][1]
	for _, k := range []struct {
		name string
		re   *regexp.Regexp
	}{{"width", reWidth.Get()}, {"height", reHeight.Get()}} {
		if k.re.Match(head) {
			head = k.re.ReplaceAll(head, fmt.Appendf(nil, "${1}%d", size))
			continue
		}
		head = slices.Concat(head[:at], fmt.Appendf(nil, "\n%s=%d", k.name, size), head[at:])
	}
	return slices.Concat(head, rest), nil
}

// loadNames reads one class name a line. Without a file, 80 classes are COCO's.
func loadNames(path string, net *darknet.Network) ([]string, error) {
	classes := net.Layers[net.Yolos()[0]].Yolo.Classes
	if path == "" {
		if classes == 80 {
			return darknet.COCONames(), nil
		}
		return nil, nil
	}
	raw, err := input.Read(path, maxNames)
	if err != nil {
		return nil, lang.Errorf("read class names: %w", err)
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		return nil, &InputError{lang.F("%s holds binary data; a list of class names has one name a line", path)}
	}
	names := strings.Split(strings.TrimRight(strings.ReplaceAll(string(raw), "\r", ""), "\n"), "\n")
	if len(names) != classes {
		return nil, &InputError{lang.F("%s has %d names, the network has %d classes", path, len(names), classes)}
	}
	return names, nil
}

// view is what the network looks at.
type view struct {
	img *image.NRGBA
	box detect.Letterbox
	// first is the picture, second a different input; swapped says that it is
	// the first with red and blue exchanged, which also tells an engine that
	// exchanges them.
	first, second []float32
	swapped       bool
}

// scene is the user's picture or the embedded one.
func scene(o Options) (*image.NRGBA, error) {
	if o.Image != "" {
		return picture.Load(o.Image)
	}
	src, err := selftest.Scene()
	if err != nil {
		return nil, err
	}
	img := image.NewNRGBA(image.Rect(0, 0, src.Bounds().Dx(), src.Bounds().Dy()))
	draw.Draw(img, img.Rect, src, src.Bounds().Min, draw.Src)
	return img, nil
}

func look(o Options, net *darknet.Network, img *image.NRGBA) (*view, error) {
	v := &view{img: img}
	if net.Stretch {
		v.first, v.box = picture.Stretched(v.img, net.Width, net.Height)
	} else {
		v.first, v.box = picture.Input(v.img, net.Width, net.Height)
	}
	if o.Image == "" && net.Width == selftest.Size && net.Height == selftest.Size {
		// The calibration was made with this reduction and no other.
		first, err := selftest.Input(v.img)
		if err != nil {
			return nil, err
		}
		v.first = first
	}
	v.second, v.swapped = different(v.first)
	return v, nil
}

// different is another input: red and blue exchanged, or, where the picture
// has (almost) no color, its negative.
func different(first []float32) ([]float32, bool) {
	n := len(first) / 3
	out := slices.Concat(first[2*n:], first[n:2*n], first[:n])
	var diff float64
	for i := range n {
		d := float64(first[i] - first[2*n+i])
		diff += d * d
	}
	if diff/float64(n) > 1e-4 {
		return out, true
	}
	for i, v := range first {
		out[i] = 1 - v
	}
	return out, false
}

func hashBytes(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p)) //nolint:errcheck // a hash cannot fail
		h.Write(p)                    //nolint:errcheck // a hash cannot fail
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ErrWeights marks weights that hold no numbers.
var ErrWeights = lang.New("weights are not finite")
