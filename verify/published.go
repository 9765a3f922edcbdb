package verify

import (
	_ "embed"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/detect"
	"github.com/deployctl/deployctl/verify/judge"
)

//go:embed published.yaml
var publishedList []byte

// Published is what others published that a network finds in a picture, with its
// published weights.
type Published struct {
	// Model is the network's name, Size its input's width and height in pixels.
	Model string `yaml:"model" json:"model"`
	Size  int    `yaml:"size" json:"size"`
	// Picture is the picture's name, SHA256 that of its file.
	Picture string `yaml:"picture" json:"picture"`
	SHA256  string `yaml:"sha256" json:"sha256"`
	// Source is the page that says so.
	Source string `yaml:"source" json:"source"`
	// ScoreTolerance is how far a score may be off in single precision, Overlap the
	// least IoU with a published place.
	ScoreTolerance float64  `yaml:"score_tolerance" json:"score_tolerance"`
	Overlap        float64  `yaml:"overlap" json:"overlap"`
	Objects        []Object `yaml:"objects" json:"objects"`
}

// Object is one published detection.
type Object struct {
	Class string  `yaml:"class" json:"class"`
	Score float64 `yaml:"score" json:"score"`
	// Place is left, top, right and bottom as fractions of the picture; null: not
	// published.
	Place []float64 `yaml:"place" json:"place"`
}

// published is what was published for the network, the weights and the picture of this
// run, nil for nothing.
func published(o Options, m *model) (*Published, error) {
	name, official := darknet.Official(m.weights.SHA256)
	if !official || o.Image == "" || m.net.Stretch {
		return nil, nil //nolint:nilnil // nothing was published
	}
	var list []Published
	if err := yaml.UnmarshalWithOptions(publishedList, &list, yaml.Strict()); err != nil {
		return nil, lang.Errorf("read the published detections: %w", err)
	}
	list = slices.DeleteFunc(list, func(p Published) bool {
		return p.Model != name || p.Size != m.net.Width || p.Size != m.net.Height
	})
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // nothing was published
	}
	sum, err := darknet.HashFile(o.Image)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(p Published) bool { return p.SHA256 == sum })
	if i < 0 {
		return nil, nil //nolint:nilnil // another picture
	}
	return &list[i], nil
}

// publishedHere judges whether an engine found what was published in a picture of that
// size, in pixels.
func (e *Engine) publishedHere(p *Published, width, height int) {
	if p == nil || e.Boxes == nil || e.State != OK {
		return
	}
	if why := p.differs(e.Boxes, width, height, judge.PrecisionOf(e.Target)); why != "" {
		e.reject(lang.F("what was published for %s on %s was not found: %s (%s)", p.Model, p.Picture, why, p.Source),
			lang.T("Use the configuration that the weights were published with, or leave --cfg out."))
	}
}

// differs says what is not as published, "" for nothing.
func (p *Published) differs(boxes []Box, width, height int, precision judge.Precision) string {
	tolerance := p.ScoreTolerance
	if precision != judge.FP32 {
		tolerance += judge.For(precision).Score
	}
	left := slices.Clone(boxes)
	var wrong []string
	for _, o := range p.Objects {
		i := slices.IndexFunc(left, func(b Box) bool {
			return b.ID == class(o.Class) && math.Abs(b.Score-o.Score) <= tolerance && o.covers(b, width, height) >= p.Overlap
		})
		switch {
		case i >= 0:
			left = slices.Delete(left, i, i+1)
		case o.Score-tolerance >= detect.Show: // a weaker one may not be listed
			wrong = append(wrong, lang.F("%s with %.0f %%", o.Class, 100*o.Score))
		}
	}
	for _, b := range left {
		if b.Score >= detect.Show+tolerance {
			wrong = append(wrong, lang.F("instead %s with %.0f %%", b.Class, 100*b.Score))
		}
	}
	return strings.Join(wrong, lang.T(", "))
}

// class is the index of one of COCO's classes, -1 for none: names of the user's own may
// be shown.
func class(name string) int { return slices.Index(darknet.COCONames(), name) }

// covers is the IoU of a box with the object's place, 1 where none was published.
func (o Object) covers(b Box, width, height int) float64 {
	if len(o.Place) != 4 {
		return 1
	}
	w, h := float64(width), float64(height)
	place := detect.Box{X: o.Place[0] * w, Y: o.Place[1] * h, W: (o.Place[2] - o.Place[0]) * w, H: (o.Place[3] - o.Place[1]) * h}
	return detect.IoU(place, detect.Box{X: b.X, Y: b.Y, W: b.W, H: b.H})
}
