package facts

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Each of these has its type's fields without its methods.
type (
	plain         Facts
	plainInstance Instance
	plainDisk     Disk
	plainGPU      GPU
	plainProblem  Problem
)

// MarshalJSON writes lists and maps that hold nothing as [] and {}, never null,
// and puts back the keys of Unknown.
func (f Facts) MarshalJSON() ([]byte, error) {
	p := plain(f)
	p.Disks, p.GPUs = notNil(p.Disks), notNil(p.GPUs)
	components := make(map[string][]Instance, len(p.Components))
	for name, list := range p.Components {
		components[name] = notNil(list)
	}
	p.Components = components
	return write(p, f.Unknown)
}

// UnmarshalJSON keeps keys it does not know in Unknown.
func (f *Facts) UnmarshalJSON(data []byte) error {
	var p plain
	if err := read(data, &p, &p.Unknown); err != nil {
		return err
	}
	p.Disks, p.GPUs = notNil(p.Disks), notNil(p.GPUs)
	if p.Components == nil {
		p.Components = map[string][]Instance{}
	}
	*f = Facts(p)
	return nil
}

// MarshalJSON puts back the keys of Unknown.
func (i Instance) MarshalJSON() ([]byte, error) { return write(plainInstance(i), i.Unknown) }

// UnmarshalJSON keeps keys it does not know in Unknown.
func (i *Instance) UnmarshalJSON(data []byte) error {
	p := (*plainInstance)(i)
	return read(data, p, &p.Unknown)
}

// MarshalJSON puts back the keys of Unknown.
func (d Disk) MarshalJSON() ([]byte, error) { return write(plainDisk(d), d.Unknown) }

// UnmarshalJSON keeps keys it does not know in Unknown.
func (d *Disk) UnmarshalJSON(data []byte) error {
	p := (*plainDisk)(d)
	return read(data, p, &p.Unknown)
}

// MarshalJSON puts back the keys of Unknown.
func (g GPU) MarshalJSON() ([]byte, error) { return write(plainGPU(g), g.Unknown) }

// UnmarshalJSON keeps keys it does not know in Unknown.
func (g *GPU) UnmarshalJSON(data []byte) error {
	p := (*plainGPU)(g)
	return read(data, p, &p.Unknown)
}

// MarshalJSON writes what is covered as a list even where that is empty, and
// puts back the keys of Unknown.
func (p Problem) MarshalJSON() ([]byte, error) {
	p.Covers = notNil(p.Covers)
	return write(plainProblem(p), p.Unknown)
}

// UnmarshalJSON keeps keys it does not know in Unknown.
func (p *Problem) UnmarshalJSON(data []byte) error {
	q := (*plainProblem)(p)
	return read(data, q, &q.Unknown)
}

// separator parts the keys and numbers of a path in Unknown.
const separator = "\x00"

// read fills in a struct, and unknown with the keys that it has no fields for.
func read(data []byte, into any, unknown *map[string]json.RawMessage) error {
	if err := json.Unmarshal(data, into); err != nil {
		return lang.Errorf("read facts: %w", err)
	}
	found := map[string]json.RawMessage{}
	if err := strangers(data, reflect.TypeOf(into).Elem(), "", found); err != nil {
		return lang.Errorf("read facts: %w", err)
	}
	*unknown = nil
	if len(found) > 0 {
		*unknown = found
	}
	return nil
}

// strangers collects the keys that a type does not know, by their path. Types
// that keep their own are left out: their place in a list may change.
func strangers(data []byte, t reflect.Type, path string, found map[string]json.RawMessage) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if path != "" && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) || bytes.Equal(data, []byte("null")) {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		known := keys(t)
		var all map[string]json.RawMessage
		if err := json.Unmarshal(data, &all); err != nil {
			return err
		}
		for name, value := range all {
			// encoding/json takes any case for a known key; so must this.
			field, ok := known[strings.ToLower(name)]
			if !ok {
				found[path+name] = value
			} else if err := strangers(value, field, path+name+separator, found); err != nil {
				return err
			}
		}
	case reflect.Slice:
		var all []json.RawMessage
		if t.Elem().Kind() != reflect.Struct {
			return nil
		}
		if err := json.Unmarshal(data, &all); err != nil {
			return err
		}
		for i, value := range all {
			if err := strangers(value, t.Elem(), path+strconv.Itoa(i)+separator, found); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes a struct and puts back what read kept.
func write(v any, unknown map[string]json.RawMessage) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, lang.Errorf("write facts: %w", err)
	}
	for _, path := range slices.Sorted(maps.Keys(unknown)) {
		value := unknown[path]
		if value == nil {
			value = json.RawMessage("null")
		}
		if data, err = put(data, reflect.TypeOf(v), strings.Split(path, separator), value); err != nil {
			return nil, lang.Errorf("write facts: key %q: %w", path, err)
		}
	}
	return data, nil
}

// put adds a value at a path. What is not there any more, and a key that this
// version has come to know, stays as it is.
func put(data []byte, t reflect.Type, path []string, value json.RawMessage) ([]byte, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		var all []json.RawMessage
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, err
		}
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i >= len(all) || len(path) == 1 {
			return data, nil //nolint:nilerr // a path that is not there changes nothing
		}
		if all[i], err = put(all[i], t.Elem(), path[1:], value); err != nil {
			return nil, err
		}
		return json.Marshal(all)
	}
	known := keys(t)
	field, ok := known[strings.ToLower(path[0])]
	if len(path) == 1 {
		if ok {
			return data, nil
		}
		key, err := json.Marshal(path[0])
		if err != nil {
			return nil, err
		}
		out := bytes.TrimSuffix(data, []byte("}"))
		if len(out) > 1 {
			out = append(out, ',')
		}
		return append(append(append(append(out, key...), ':'), value...), '}'), nil
	}
	if !ok {
		return data, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	inner := all[strings.ToLower(path[0])]
	if inner == nil && field.Kind() == reflect.Struct {
		inner = json.RawMessage("{}") // left out because it had nothing else
	}
	if inner == nil {
		return data, nil
	}
	inner, err := put(inner, field, path[1:], value)
	if err != nil {
		return nil, err
	}
	all[strings.ToLower(path[0])] = inner
	return json.Marshal(all)
}

// keys are the keys that a struct knows, in lower case, with their types.
func keys(t reflect.Type) map[string]reflect.Type {
	known := map[string]reflect.Type{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "-" {
			known[strings.ToLower(name)] = t.Field(i).Type
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
