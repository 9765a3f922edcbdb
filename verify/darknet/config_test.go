package darknet

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFamilies pins what is known of the published architectures: sections,
// convolutions, floats, operations at 416×416, heads (shared/facts/compat.md
// sections 8 and 8.2, computed from the published files).
func TestFamilies(t *testing.T) {
	cases := []struct {
		name                 string
		layers, convs, pools int
		params               int
		gflop                float64
		heads, yolos, grid   []int
		scale                float64 // scale_x_y of the first yolo layer
	}{
		{YOLOv3, 107, 75, 0, 62_001_757, 65.864, []int{81, 93, 105}, []int{82, 94, 106}, []int{13, 26, 52}, 1},
		{YOLOv3Tiny, 24, 13, 6, 8_858_734, 5.565, []int{15, 22}, []int{16, 23}, []int{13, 26}, 1},
		{YOLOv3SPP, 114, 76, 3, 63_052_381, 66.218, []int{88, 100, 112}, []int{89, 101, 113}, []int{13, 26, 52}, 1},
		{YOLOv4, 162, 110, 3, 64_429_405, 60.105, []int{138, 149, 160}, []int{139, 150, 161}, []int{52, 26, 13}, 1.2},
		{YOLOv4Tiny, 38, 21, 3, 6_062_814, 6.908, []int{29, 36}, []int{30, 37}, []int{13, 26}, 1.05},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n, err := Family(c.name, 416)
			if err != nil {
				t.Fatal(err)
			}
			if len(n.Ignored) != 0 {
				t.Errorf("our own text has keys we ignore: %v", n.Ignored)
			}
			pools := 0
			for i, l := range n.Layers {
				if l.Index != i || l.Line == 0 {
					t.Errorf("layer %d says it is %d on line %d", i, l.Index, l.Line)
				}
				if l.Kind == Maxpool {
					pools++
				}
			}
			if len(n.Layers) != c.layers || n.Convolutions() != c.convs || pools != c.pools || n.Params() != c.params {
				t.Errorf("%d layers, %d convolutions, %d pools, %d floats; want %d, %d, %d, %d",
					len(n.Layers), n.Convolutions(), pools, n.Params(), c.layers, c.convs, c.pools, c.params)
			}
			if math.Abs(n.GFLOP()-c.gflop) > 0.0006 {
				t.Errorf("%.4f GFLOP, want %.3f", n.GFLOP(), c.gflop)
			}
			if !slices.Equal(n.Heads(), c.heads) || !slices.Equal(n.Yolos(), c.yolos) {
				t.Errorf("heads %v, yolos %v; want %v, %v", n.Heads(), n.Yolos(), c.heads, c.yolos)
			}
			for k, h := range n.Heads() {
				if want := (Shape{255, c.grid[k], c.grid[k]}); n.Layers[h].Out != want {
					t.Errorf("head %d is %v, want %v", h, n.Layers[h].Out, want)
				}
			}
			if got := n.Layers[n.Yolos()[0]].Yolo.ScaleXY; got != c.scale {
				t.Errorf("scale_x_y %g, want %g", got, c.scale)
			}
		})
	}
	if _, err := Family("yolov9", 416); err == nil || !strings.Contains(err.Error(), "yolov9") {
		t.Errorf("unknown family: %v", err)
	}
}

func TestYOLOv3Anchors(t *testing.T) {
	n, err := Family(YOLOv3, 416)
	if err != nil {
		t.Fatal(err)
	}
	y := n.Layers[82].Yolo
	if !slices.Equal(y.Mask, []int{6, 7, 8}) || len(y.Anchors) != 9 || y.Anchors[6] != [2]float64{116, 90} || y.Classes != 80 {
		t.Errorf("layer 82: %+v", *y)
	}
	if m := n.Layers[106].Yolo.Mask; !slices.Equal(m, []int{0, 1, 2}) {
		t.Errorf("layer 106: mask %v", m)
	}
	if got := WeightsSize(n); got != 248_007_048 {
		t.Errorf("weights file of %d bytes, want 248007048", got)
	}
}

func TestResize(t *testing.T) {
	n, err := Family(YOLOv3, 416)
	if err != nil {
		t.Fatal(err)
	}
	for size, gflop := range map[int]float64{320: 38.973, 608: 140.692} {
		r, err := n.Resize(size, size)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.GFLOP()-gflop) > 0.0006 || r.Params() != n.Params() || r.Width != size {
			t.Errorf("%d: %.4f GFLOP, %d floats; want %.3f", size, r.GFLOP(), r.Params(), gflop)
		}
	}
	r, err := n.Resize(320, 640)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Layers[81].Out, (Shape{255, 20, 10}); got != want {
		t.Errorf("wide head is %v, want %v", got, want)
	}
	if n.Width != 416 || n.Layers[81].Out.H != 13 {
		t.Error("the original was changed")
	}
	for _, bad := range [][2]int{{415, 416}, {416, 0}, {-32, 416}, {8192, 416}} {
		if _, err := n.Resize(bad[0], bad[1]); !errors.Is(err, ErrLimit) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	// A route over unequal paths fits at one size only.
	odd, err := ParseConfig(strings.NewReader("[net]\nwidth=4\nheight=4\n[maxpool]\nsize=1\nstride=4\n[upsample]\nstride=4\n[maxpool]\nsize=1\nstride=2\n[upsample]\nstride=2\n[route]\nlayers=-1,1"), "odd")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := odd.Resize(32, 32); err != nil {
		t.Error(err)
	}
}

func TestConfigErrors(t *testing.T) {
	const net = "[net]\nwidth=32\nheight=32\nchannels=3\n" // four lines
	const conv = "[convolutional]\nfilters=4\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
	cases := map[string]struct {
		text string
		want error
		line int
		says string
	}{
		"empty":                  {"", ErrSyntax, 0, "no [net]"},
		"only comments":          {"# a\n; b\n\n", ErrSyntax, 0, "no [net]"},
		"no layers":              {net, ErrSyntax, 1, "no layers"},
		"net not first":          {conv + net, ErrSyntax, 1, "first section"},
		"key before section":     {"width=3\n", ErrSyntax, 1, "before the first"},
		"no section, no key":     {net + conv + "hello\n", ErrSyntax, 11, "hello"},
		"open header":            {net + "[convolutional\n", ErrSyntax, 5, "not [name]"},
		"empty header":           {net + "[]\n", ErrSyntax, 5, "not [name]"},
		"empty key":              {net + "[maxpool]\n=3\n", ErrSyntax, 6, "neither"},
		"binary":                 {"\x00\x00\x00\x00\x02\x00", ErrSyntax, 1, "binary"},
		"long line":              {net + strings.Repeat("x", 1<<17), ErrSyntax, 5, "longer"},
		"large file":             {net + strings.Repeat("# comment\n", 1<<17), ErrLimit, 0, "larger"},
		"twice":                  {net + "[maxpool]\nsize=2\nsize=3\n", ErrSyntax, 7, "twice"},
		"unknown layer":          {net + conv + "[lstm]\noutput=3\n", ErrUnknown, 11, "[lstm]"},
		"net again":              {net + conv + "[net]\n", ErrUnknown, 11, "[net]"},
		"unknown activation":     {net + "[convolutional]\nfilters=4\nsize=1\nactivation=gelu\n", ErrActivation, 8, "gelu"},
		"no activation":          {net + "[convolutional]\nfilters=4\nsize=1\n", ErrActivation, 5, "missing"},
		"route to itself":        {net + conv + "[route]\nlayers=1\n", ErrCycle, 12, "layer 1 reads layer 1"},
		"route forward":          {net + conv + "[route]\nlayers=0,7\n", ErrCycle, 12, "layer 1 reads layer 7"},
		"route before all":       {net + conv + "[route]\nlayers=-2\n", ErrLimit, 12, "before the first"},
		"route to nothing":       {net + conv + "[route]\n", ErrNumber, 11, "layers= is missing"},
		"route empty":            {net + conv + "[route]\nlayers=\n", ErrNumber, 12, `""`},
		"route half":             {net + conv + "[route]\nlayers=0.5\n", ErrNumber, 12, "0.5"},
		"route word":             {net + conv + "[route]\nlayers=-1,x\n", ErrNumber, 12, `"x"`},
		"route huge":             {net + conv + "[route]\nlayers=1e300\n", ErrNumber, 12, "layer number"},
		"route first":            {net + "[route]\nlayers=-1\n", ErrLimit, 6, "before the first"},
		"route groups":           {net + conv + "[route]\nlayers=-1\ngroups=3\n", ErrShape, 11, "3 groups"},
		"route group_id":         {net + conv + "[route]\nlayers=-1\ngroups=2\ngroup_id=2\n", ErrLimit, 14, "0…1"},
		"route sizes":            {net + conv + "[maxpool]\nsize=2\nstride=2\n[route]\nlayers=-1,0\n", ErrShape, 14, "cannot be joined"},
		"shortcut to itself":     {net + conv + "[shortcut]\nfrom=1\n", ErrCycle, 12, "layer 1 reads layer 1"},
		"shortcut first":         {net + "[shortcut]\nfrom=-1\n", ErrLimit, 6, "before the first"},
		"shortcut shapes":        {net + conv + "[convolutional]\nfilters=5\nactivation=linear\n[shortcut]\nfrom=0\n", ErrShape, 14, "cannot be added"},
		"shortcut weights":       {net + conv + conv + "[shortcut]\nfrom=0\nweights_type=per_feature\n", ErrUnsupported, 19, "per_feature"},
		"filters word":           {net + "[convolutional]\nfilters=many\nactivation=linear\n", ErrNumber, 6, "filters=many"},
		"filters zero":           {net + "[convolutional]\nfilters=0\nactivation=linear\n", ErrLimit, 6, "filters=0"},
		"filters absurd":         {net + "[convolutional]\nfilters=99999999999999999999\nactivation=linear\n", ErrNumber, 6, "whole number"},
		"stride zero":            {net + "[convolutional]\nfilters=2\nstride=0\nactivation=linear\n", ErrLimit, 7, "stride=0"},
		"groups do not divide":   {net + "[convolutional]\nfilters=4\ngroups=2\nactivation=linear\n", ErrShape, 5, "2 groups"},
		"kernel over input":      {net + "[convolutional]\nfilters=4\nsize=63\nactivation=linear\n", ErrShape, 5, "kernel of 63"},
		"dilation":               {net + "[convolutional]\nfilters=4\ndilation=2\nactivation=linear\n", ErrUnsupported, 7, "dilation=2"},
		"xnor":                   {net + "[convolutional]\nfilters=4\nxnor=1\nactivation=linear\n", ErrUnsupported, 7, "xnor=1"},
		"stride_x":               {net + "[convolutional]\nfilters=4\nstride_x=2\nactivation=linear\n", ErrUnsupported, 7, "stride_x=2"},
		"pool over input":        {net + "[maxpool]\nsize=40\nstride=1\npadding=0\n", ErrShape, 5, "window of 40"},
		"pool padding":           {net + "[maxpool]\nsize=2\nstride=1\npadding=4\n", ErrShape, 8, "nothing in them"},
		"width":                  {"[net]\nwidth=-1\n" + conv, ErrLimit, 2, "width=-1"},
		"width absurd":           {"[net]\nwidth=1000000\n" + conv, ErrLimit, 2, "width=1000000"},
		"upsample without end":   {net + strings.Repeat("[upsample]\nstride=64\n", 8), ErrLimit, 7, "too large"},
		"too many weights":       {net + "[convolutional]\nfilters=65536\nsize=1\nactivation=linear\n[convolutional]\nfilters=65536\nsize=1\nactivation=linear\n", ErrLimit, 9, "weights"},
		"yolo channels":          {net + conv + "[yolo]\nclasses=80\nnum=1\nanchors=1,2\n", ErrShape, 11, "need 85"},
		"yolo after pool":        {net + "[maxpool]\n[yolo]\nclasses=80\nnum=1\nanchors=1,2\n", ErrShape, 6, "follow a convolutional"},
		"yolo first":             {net + "[yolo]\nclasses=80\nnum=1\nanchors=1,2\n", ErrShape, 5, "first layer"},
		"yolo anchors":           {net + conv + "[yolo]\nclasses=80\nnum=3\nanchors=1,2\n", ErrNumber, 14, "6 numbers"},
		"yolo no anchors":        {net + conv + "[yolo]\nclasses=80\n", ErrNumber, 11, "anchors= is missing"},
		"yolo anchor of nothing": {net + conv + "[yolo]\nclasses=80\nanchors=0,4\n", ErrNumber, 13, "0×4"},
		"yolo mask":              {net + conv + "[yolo]\nclasses=80\nanchors=1,2\nmask=1\n", ErrNumber, 14, "mask entry 1"},
		"yolo mask twice":        {net + conv + "[yolo]\nclasses=80\nnum=2\nanchors=1,2,3,4\nmask=1,1\n", ErrNumber, 15, "mask entry 1"},
		"yolo not a number":      {net + conv + "[yolo]\nclasses=80\nanchors=1,2\nscale_x_y=NaN\n", ErrNumber, 14, "NaN"},
		"yolo new coordinates":   {net + conv + "[yolo]\nclasses=80\nanchors=1,2\nnew_coords=1\n", ErrUnsupported, 14, "new_coords"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseConfig(strings.NewReader(c.text), "my.cfg")
			var ce *ConfigError
			if !errors.As(err, &ce) {
				t.Fatalf("error is %v, want a *ConfigError", err)
			}
			if !errors.Is(err, c.want) || ce.Line != c.line || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v\nwant %v on line %d, with %q", err, c.want, c.line, c.says)
			}
			if !strings.HasPrefix(err.Error(), "my.cfg:") || strings.Contains(err.Error(), "\n") {
				t.Errorf("not one line that starts with the file: %q", err)
			}
		})
	}
}

func TestConfigTolerance(t *testing.T) {
	n, err := ParseConfig(strings.NewReader("\ufeff# comment\r\n[net]\r\nbatch = 64\r\n width= 32 \r\nheight =\t32\r\nlearning_rate=0.1\r\n"+
		"; other comment\r\n[ convolutional ]\r\nfilters = 2\r\nactivation = linear\r\nfoo=1\r\n[maxpool]\r\nsize=2\r\nsize=2\r\nstride=2"), "w.cfg")
	if err != nil {
		t.Fatal(err)
	}
	if n.Width != 32 || n.Channels != 3 || len(n.Layers) != 2 || n.Layers[1].Out != (Shape{2, 16, 16}) {
		t.Errorf("%+v", n)
	}
	if want := []IgnoredKey{{11, "convolutional", "foo"}}; !slices.Equal(n.Ignored, want) {
		t.Errorf("ignored %v, want %v", n.Ignored, want)
	}
}

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadConfig(filepath.Join(dir, "none.cfg")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := LoadConfig(dir); err == nil {
		t.Error("a folder is no configuration")
	}
	text, err := FamilyConfig(YOLOv4Tiny, 416)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "y.cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := LoadConfig(path); err != nil || n.Name != path || len(n.Layers) != 38 {
		t.Errorf("%v, %v", n, err)
	}
}

func TestCOCONames(t *testing.T) {
	n := COCONames()
	if len(n) != 80 || n[0] != "person" || n[9] != "traffic light" || n[16] != "dog" || n[79] != "toothbrush" {
		t.Errorf("%d names: %q", len(n), n)
	}
}

// FuzzConfig: any text gives a network whose shapes hold, or a ConfigError; never a panic.
func FuzzConfig(f *testing.F) {
	for _, name := range Families() {
		text, err := FamilyConfig(name, 64)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add("[net]\n[route]\nlayers=-1")
	f.Add("[net]\nwidth=1\n[upsample]\nstride=64\n[shortcut]\nfrom=0")
	f.Add("[net]\n[maxpool]\nsize=2\nstride=1\n[route]\nlayers=0\ngroups=3\ngroup_id=2")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseConfig(strings.NewReader(text), "fuzz.cfg")
		if err != nil {
			var ce *ConfigError
			if !errors.As(err, &ce) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if n.Params() < 0 || n.Params() > maxParams {
			t.Errorf("%d weights", n.Params())
		}
		for i := range n.Layers {
			l := &n.Layers[i]
			if l.Out.C < 1 || l.Out.H < 1 || l.Out.W < 1 || l.Out.Len() > maxTensor {
				t.Errorf("layer %d: %v", i, l.Out)
			}
			for _, j := range l.Inputs {
				if j < -1 || j >= i {
					t.Errorf("layer %d reads layer %d", i, j)
				}
			}
		}
		if n.GFLOP() < 0 || len(n.Heads()) != len(n.Yolos()) {
			t.Errorf("%g GFLOP, %v heads, %v yolos", n.GFLOP(), n.Heads(), n.Yolos())
		}
	})
}
