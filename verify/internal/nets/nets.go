// Package nets writes small networks and fills them with numbers that are the
// same everywhere: for the fingerprint of the reference, and for tests. It must
// never read a file.
package nets

import (
	"fmt"
	"strings"
)

// Net is a configuration of the sections for pictures of that size.
func Net(width, height int, sections ...string) string {
	return fmt.Sprintf("[net]\nwidth=%d\nheight=%d\nchannels=3\n", width, height) + strings.Join(sections, "")
}

// Conv is a [convolutional] section; more are further lines of it.
func Conv(filters, size, stride int, activation string, more ...string) string {
	var b strings.Builder
	b.WriteString("[convolutional]\n")
	for _, line := range more {
		b.WriteString(line + "\n")
	}
	fmt.Fprintf(&b, "filters=%d\nsize=%d\nstride=%d\nactivation=%s\n", filters, size, stride, activation)
	return b.String()
}

// Yolo is a [yolo] section of num anchors.
func Yolo(mask, anchors string, classes, num int) string {
	return fmt.Sprintf("[yolo]\nmask=%s\nanchors=%s\nclasses=%d\nnum=%d\n", mask, anchors, classes, num)
}

// Everything is a network with every kind of layer and every activation.
func Everything() string {
	return Net(64, 32,
		Conv(8, 3, 2, "leaky", "batch_normalize=1", "pad=1"),
		Conv(8, 3, 1, "mish", "batch_normalize=1", "pad=1"),
		"[shortcut]\nfrom=-2\nactivation=leaky\n",
		Conv(12, 3, 1, "swish", "batch_normalize=1", "pad=1", "groups=4"),
		"[maxpool]\nsize=2\nstride=2\n",
		"[maxpool]\nsize=2\nstride=1\n",
		"[maxpool]\nsize=5\nstride=1\n",
		Conv(8, 1, 1, "relu"),
		"[upsample]\nstride=2\n",
		"[upsample]\nstride=1\nscale=0.5\n",
		"[route]\nlayers=2,-1\n",
		"[route]\nlayers=-1,3\ngroups=2\ngroup_id=1\n",
		Conv(6, 1, 1, "logistic"),
		Yolo("0", "10,10", 1, 1),
		"[route]\nlayers=6\ngroups=2\ngroup_id=0\n",
		"[route]\nlayers=-1\n",
		Conv(7, 2, 1, "linear", "batch_normalize=1"),
		Yolo("0", "10,10", 2, 1))
}

// Randoms are numbers that are the same everywhere; any start will do.
type Randoms uint32

// Unit is the next number in 0…1.
func (r *Randoms) Unit() float64 {
	*r = *r*1664525 + 1013904223 // Numerical Recipes' generator
	return float64(*r>>8) / (1 << 24)
}

// Sign is the next number in -1…1.
func (r *Randoms) Sign() float64 { return 2*r.Unit() - 1 }
