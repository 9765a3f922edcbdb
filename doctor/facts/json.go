package facts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// plain has Facts' fields without its methods.
type plain Facts

// MarshalJSON writes lists and maps that hold nothing as [] and {}, never null,
// and puts back the keys of Unknown after the known ones, sorted.
func (f Facts) MarshalJSON() ([]byte, error) {
	p := plain(f)
	p.Disks, p.GPUs = notNil(p.Disks), notNil(p.GPUs)
	components := make(map[string][]Instance, len(p.Components))
	for name, list := range p.Components {
		components[name] = notNil(list)
	}
	p.Components = components
	p.Problems = slices.Clone(p.Problems)
	for i := range p.Problems {
		p.Problems[i].Covers = notNil(p.Problems[i].Covers)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write facts: %w", err)
	}
	out := bytes.NewBuffer(bytes.TrimSuffix(data, []byte("}")))
	known := keys()
	for _, name := range slices.Sorted(maps.Keys(f.Unknown)) {
		if known[name] {
			continue // a key that this version has come to know
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, fmt.Errorf("write facts: key %q: %w", name, err)
		}
		value := f.Unknown[name]
		if value == nil {
			value = json.RawMessage("null")
		}
		fmt.Fprintf(out, ",%s:%s", key, value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// UnmarshalJSON keeps keys it does not know in Unknown.
func (f *Facts) UnmarshalJSON(data []byte) error {
	var p plain
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("read facts: %w", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("read facts: %w", err)
	}
	known := keys()
	for name, value := range all {
		// encoding/json takes any case for a known key; so must this.
		if known[strings.ToLower(name)] {
			continue
		}
		if p.Unknown == nil {
			p.Unknown = map[string]json.RawMessage{}
		}
		p.Unknown[name] = value
	}
	p.Disks, p.GPUs = notNil(p.Disks), notNil(p.GPUs)
	if p.Components == nil {
		p.Components = map[string][]Instance{}
	}
	*f = Facts(p)
	return nil
}

// keys are the top-level keys this version knows.
func keys() map[string]bool {
	known := map[string]bool{}
	for i, t := 0, reflect.TypeFor[Facts](); i < t.NumField(); i++ {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "-" {
			known[name] = true
		}
	}
	return known
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
