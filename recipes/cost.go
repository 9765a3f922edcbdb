package recipes

import (
	"fmt"
	"math"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Cost is what a component's installation takes: rounded sizes of the vendors'
// installers, and of packages with what they depend on. Those of g++, Go and
// OpenCV are what apt says in a minimal Debian 12. They order plans, and are shown
// as "about" where nobody who knows better was asked.
type Cost struct {
	Download uint64 // bytes
	Minutes  float64
	// Heavy: nobody should get it as a side effect.
	Heavy bool
	// Restart lists the operating systems that must restart afterwards.
	Restart []string
}

const (
	mb = 1_000_000
	gb = 1000 * mb
)

func smallCost() Cost { return Cost{Download: 30 * mb, Minutes: 1} }

// tinyCost is what a single small program takes.
func tinyCost() Cost { return Cost{Download: 1 * mb, Minutes: 0.2} }

// UsualCost is what a component's installation takes, by the catalog; for what is
// not in it, what a small one takes.
func UsualCost(component string) Cost {
	if c, ok := FindComponent(component); ok {
		return c.Cost
	}
	return smallCost()
}

// Count is a number of things: "1 step", "2 steps".
func Count(n int, noun string) string { return lang.Count(n, noun) }

// FormatBytes writes a size for people, in decimal units as package managers do.
func FormatBytes(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	units := []string{"B", "kB", "MB", "GB", "TB"}
	v, u := float64(n), 0
	for v >= 999.5 && u < len(units)-1 {
		v, u = v/1000, u+1
	}
	if u == 0 || v >= 99.95 {
		return fmt.Sprintf("%s%.0f %s", sign, v, units[u])
	}
	return fmt.Sprintf("%s%.1f %s", sign, v, units[u])
}

// Size writes a size to download; an estimate is rounded and called one.
func Size(n int64, estimated bool) string {
	if !estimated || n <= 0 {
		return FormatBytes(n)
	}
	unit := math.Pow(10, math.Floor(math.Log10(float64(n)))-1)
	return lang.F("about %s", strings.Replace(FormatBytes(int64(math.Round(float64(n)/unit)*unit)), ".0 ", " ", 1))
}

// Duration writes a time, which is always an estimate.
func Duration(minutes float64) string {
	if minutes < 0.95 {
		return lang.F("about %.0f s", minutes*60)
	}
	return lang.F("about %.0f min", math.Round(minutes))
}

// Of is the cost where so much is downloaded: the time grows with it. 0 changes nothing.
func (c Cost) Of(download Bytes) Cost {
	if download == 0 {
		return c
	}
	if c.Download > 0 {
		c.Minutes *= float64(download) / float64(c.Download)
	}
	c.Download = uint64(download)
	return c
}
