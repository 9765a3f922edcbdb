package darknet

import (
	"fmt"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// The five families, as our own short descriptions of the published
// architectures (YOLOv3: Redmon and Farhadi 2018; YOLOv4: Bochkovskiy, Wang
// and Liao 2020). The text they yield is read by Darknet, OpenCV and every
// other reader of the form; parsed, it equals the published files layer by
// layer, which a test pins by counts of layers, weights and operations.
const (
	YOLOv3     = "yolov3"
	YOLOv3Tiny = "yolov3-tiny"
	YOLOv3SPP  = "yolov3-spp"
	YOLOv4     = "yolov4"
	YOLOv4Tiny = "yolov4-tiny"
)

// Families are the names Config knows.
func Families() []string {
	return []string{YOLOv3, YOLOv3Tiny, YOLOv3SPP, YOLOv4, YOLOv4Tiny}
}

// FamilyConfig is the .cfg text of one of Families at size × size pixels, 80
// classes. The size is not checked here; ParseConfig does.
func FamilyConfig(family string, size int) (string, error) {
	var t cfgText
	fmt.Fprintf(&t, "# %s for %d×%d pixels, 80 COCO classes; written by deployctl.\n", family, size, size)
	fmt.Fprintf(&t, "[net]\nbatch=1\nsubdivisions=1\nwidth=%d\nheight=%d\nchannels=3\n", size, size)
	switch family {
	case YOLOv3:
		t.yolov3(false)
	case YOLOv3SPP:
		t.yolov3(true)
	case YOLOv3Tiny:
		t.yolov3Tiny()
	case YOLOv4:
		t.yolov4()
	case YOLOv4Tiny:
		t.yolov4Tiny()
	default:
		return "", lang.Errorf("network family %q is not known (known: %s)", family, strings.Join(Families(), ", "))
	}
	return t.String(), nil
}

// Family is FamilyConfig, parsed.
func Family(family string, size int) (*Network, error) {
	text, err := FamilyConfig(family, size)
	if err != nil {
		return nil, err
	}
	return ParseConfig(strings.NewReader(text), family)
}

// cfgText writes sections; act is the activation of the convolutions to come.
type cfgText struct {
	strings.Builder
	act Activation
}

// conv is a convolution with batch-norm, padded to keep the size at stride 1.
func (t *cfgText) conv(filters, size, stride int) {
	fmt.Fprintf(t, "\n[convolutional]\nbatch_normalize=1\nfilters=%d\nsize=%d\nstride=%d\npad=1\nactivation=%s\n", filters, size, stride, t.act)
}

// squeeze is n pairs of a 1×1 convolution to half of wide and a 3×3 one to wide.
func (t *cfgText) squeeze(n, wide int) {
	for range n {
		t.conv(wide/2, 1, 1)
		t.conv(wide, 3, 1)
	}
}

// residual is n blocks of a 1×1, a 3×3 convolution and a sum with their input.
func (t *cfgText) residual(n, narrow, wide int) {
	for range n {
		t.conv(narrow, 1, 1)
		t.conv(wide, 3, 1)
		fmt.Fprintf(t, "\n[shortcut]\nfrom=-3\nactivation=linear\n")
	}
}

func (t *cfgText) route(layers string) { fmt.Fprintf(t, "\n[route]\nlayers=%s\n", layers) }

func (t *cfgText) pool(size, stride int) {
	fmt.Fprintf(t, "\n[maxpool]\nsize=%d\nstride=%d\n", size, stride)
}

func (t *cfgText) upsample() { fmt.Fprintf(t, "\n[upsample]\nstride=2\n") }

// head is the 1×1 convolution to 3·(5+80) values and its yolo layer.
func (t *cfgText) head(mask, anchors, extra string) {
	fmt.Fprintf(t, "\n[convolutional]\nfilters=255\nsize=1\nstride=1\npad=1\nactivation=linear\n")
	num := (strings.Count(anchors, ",") + 1) / 2
	fmt.Fprintf(t, "\n[yolo]\nmask=%s\nanchors=%s\nclasses=80\nnum=%d\n%s", mask, anchors, num, extra)
}

// spp is spatial pyramid pooling: windows of 5, 9 and 13 beside the input.
func (t *cfgText) spp() {
	t.pool(5, 1)
	t.route("-2")
	t.pool(9, 1)
	t.route("-4")
	t.pool(13, 1)
	t.route("-1,-3,-5,-6")
}

func (t *cfgText) yolov3(spp bool) {
	const anchors = "10,13, 16,30, 33,23, 30,61, 62,45, 59,119, 116,90, 156,198, 373,326"
	t.act = Leaky
	t.conv(32, 3, 1)
	for i, n := range []int{1, 2, 8, 8, 4} {
		wide := 64 << i
		t.conv(wide, 3, 2)
		t.residual(n, wide/2, wide)
	}
	// Layers 61 and 36 end the stages at 1/16 and 1/8 of the input.
	if spp {
		t.squeeze(1, 1024)
		t.conv(512, 1, 1)
		t.spp()
		t.squeeze(2, 1024)
	} else {
		t.squeeze(3, 1024)
	}
	t.head("6,7,8", anchors, "")
	t.route("-4")
	t.conv(256, 1, 1)
	t.upsample()
	t.route("-1,61")
	t.squeeze(3, 512)
	t.head("3,4,5", anchors, "")
	t.route("-4")
	t.conv(128, 1, 1)
	t.upsample()
	t.route("-1,36")
	t.squeeze(3, 256)
	t.head("0,1,2", anchors, "")
}

func (t *cfgText) yolov3Tiny() {
	const anchors = "10,14, 23,27, 37,58, 81,82, 135,169, 344,319"
	t.act = Leaky
	for i := range 6 {
		t.conv(16<<i, 3, 1)
		// The last pool has stride 1: it keeps 13×13 by padding right and below.
		t.pool(2, 2-i/5)
	}
	t.conv(1024, 3, 1)
	t.conv(256, 1, 1)
	t.conv(512, 3, 1)
	t.head("3,4,5", anchors, "")
	t.route("-4")
	t.conv(128, 1, 1)
	t.upsample()
	t.route("-1,8")
	t.conv(256, 3, 1)
	t.head("0,1,2", anchors, "")
}

func (t *cfgText) yolov4() {
	const anchors = "12,16, 19,36, 40,28, 36,75, 76,55, 72,146, 142,110, 192,243, 459,401"
	t.act = Mish
	t.conv(32, 3, 1)
	for i, n := range []int{1, 2, 8, 8, 4} {
		// A cross-stage-partial stage: one half passes by, one half goes
		// through the residual blocks; only the first stage keeps full width.
		wide := 64 << i
		half := wide / 2
		block := half
		if i == 0 {
			half, block = wide, wide/2
		}
		t.conv(wide, 3, 2)
		t.conv(half, 1, 1)
		t.route("-2")
		t.conv(half, 1, 1)
		t.residual(n, block, half)
		t.conv(half, 1, 1)
		t.route(fmt.Sprintf("-1,-%d", 3*n+4))
		t.conv(wide, 1, 1)
	}
	t.act = Leaky
	t.squeeze(1, 1024)
	t.conv(512, 1, 1)
	t.spp()
	t.squeeze(1, 1024)
	t.conv(512, 1, 1)
	for i, from := range []string{"85", "54"} { // up: ends of the stages at 1/16, 1/8
		c := 256 >> i
		t.conv(c, 1, 1)
		t.upsample()
		t.route(from)
		t.conv(c, 1, 1)
		t.route("-1,-3")
		t.squeeze(2, 2*c)
		t.conv(c, 1, 1)
	}
	t.conv(256, 3, 1)
	t.head("0,1,2", anchors, "scale_x_y=1.2\n")
	for i, from := range []string{"-1,-16", "-1,-37"} { // and down again
		c := 256 << i
		t.route("-4")
		t.conv(c, 3, 2)
		t.route(from)
		t.squeeze(3, 2*c)
		t.head([]string{"3,4,5", "6,7,8"}[i], anchors, []string{"scale_x_y=1.1\n", "scale_x_y=1.05\n"}[i])
	}
}

func (t *cfgText) yolov4Tiny() {
	const anchors = "10,14, 23,27, 37,58, 81,82, 135,169, 344,319"
	t.act = Leaky
	t.conv(32, 3, 2)
	t.conv(64, 3, 2)
	for i := range 3 {
		c := 64 << i
		t.conv(c, 3, 1)
		fmt.Fprintf(t, "\n[route]\nlayers=-1\ngroups=2\ngroup_id=1\n")
		t.conv(c/2, 3, 1)
		t.conv(c/2, 3, 1)
		t.route("-1,-2")
		t.conv(c, 1, 1)
		t.route("-6,-1")
		t.pool(2, 2)
	}
	t.conv(512, 3, 1)
	t.conv(256, 1, 1)
	t.conv(512, 3, 1)
	t.head("3,4,5", anchors, "scale_x_y=1.05\n")
	t.route("-4")
	t.conv(128, 1, 1)
	t.upsample()
	t.route("-1,23")
	t.conv(256, 3, 1)
	t.head("1,2,3", anchors, "scale_x_y=1.05\n")
}
