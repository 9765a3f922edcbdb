package recipes

import (
	"math"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// byteUnits are the units a size may carry, largest first, so that String
// finds the largest one that divides a size. Binary units come before decimal
// ones of about the same size: 2147483648 prints as 2GiB.
func byteUnits() []struct {
	name string
	size uint64
} {
	return []struct {
		name string
		size uint64
	}{
		{"TiB", 1 << 40}, {"TB", 1e12},
		{"GiB", 1 << 30}, {"GB", 1e9},
		{"MiB", 1 << 20}, {"MB", 1e6},
		{"KiB", 1 << 10}, {"kB", 1e3},
		{"B", 1},
	}
}

// ParseBytes reads a size such as 2GiB, 1.5 GB or 512B. The unit is required
// (a bare number would be read differently by different people) and its case
// matters not. The result must fit 64 bits.
func ParseBytes(s string) (Bytes, error) {
	trimmed := strings.TrimSpace(s)
	split := strings.IndexFunc(trimmed, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if split <= 0 {
		return 0, lang.Errorf("size %q must be a number with a unit, such as 2GiB or 500MB", s)
	}
	number, unit := trimmed[:split], strings.TrimSpace(trimmed[split:])
	for _, u := range byteUnits() {
		if !strings.EqualFold(u.name, unit) {
			continue
		}
		if whole, err := strconv.ParseUint(number, 10, 64); err == nil {
			if whole > math.MaxUint64/u.size {
				return 0, lang.Errorf("size %q does not fit 64 bits", s)
			}
			return Bytes(whole * u.size), nil
		}
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, lang.Errorf("size %q: %q is not a number", s, number)
		}
		f *= float64(u.size)
		// Above 2^53 a float no longer holds every byte, and 2^64 would wrap.
		if f >= 1<<63 {
			return 0, lang.Errorf("size %q does not fit 64 bits", s)
		}
		return Bytes(math.Round(f)), nil
	}
	return 0, lang.Errorf("size %q: unknown unit %q (known: B, kB, KiB, MB, MiB, GB, GiB, TB, TiB)", s, unit)
}

// String gives the shortest exact form: the largest unit that divides the size
// (2GiB, 1500MB, 17B). ParseBytes reads it back to the same value.
func (b Bytes) String() string {
	if b == 0 {
		return "0B"
	}
	for _, u := range byteUnits() {
		if uint64(b)%u.size == 0 {
			return strconv.FormatUint(uint64(b)/u.size, 10) + u.name
		}
	}
	return strconv.FormatUint(uint64(b), 10) + "B"
}

// Human gives a rounded form for people: 1.9 GiB, 512 MiB, 17 B.
func (b Bytes) Human() string {
	for _, u := range []struct {
		name string
		size uint64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if uint64(b) >= u.size {
			return strconv.FormatFloat(math.Round(float64(b)/float64(u.size)*10)/10, 'f', -1, 64) + " " + u.name
		}
	}
	return strconv.FormatUint(uint64(b), 10) + " B"
}

// MarshalText writes the exact form, in YAML and in JSON.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what ParseBytes reads.
func (b *Bytes) UnmarshalText(text []byte) error {
	v, err := ParseBytes(string(text))
	if err != nil {
		return err
	}
	*b = v
	return nil
}
