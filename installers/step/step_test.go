package step

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 36084: "36.1 kB", 99_960: "100 kB", 999_600: "1.0 MB", 22_800_000: "22.8 MB", -5_000_000: "-5.0 MB", 3_000_000_000_000_000: "3000 TB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{"\x1b[31mred\x1b[0m": "[31mred[0m", "a\tb\r\n": "a b", "x\u202ey": "xy", "caf\u00e9": "caf\u00e9", "\xff": "?"} {
		if got := Clean(in, 50); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := Clean(strings.Repeat("a", 60), 50); got != strings.Repeat("a", 50)+"…" {
		t.Errorf("long: %q", got)
	}
}

// TestPayloadsInJSON: each kind of payload has the key that plans and journals have
// always had, and is read again.
func TestPayloadsInJSON(t *testing.T) {
	for key, with := range map[string]Payload{
		"fetch": &Fetch{Name: "a"}, "unpack": &Unpack{Into: "/a"}, "place": &Place{Path: "/a"}, "build": &Build{Stage: "compile"},
		"env": Edits{{Name: "PATH"}}, "files": Files{{Name: "a"}}, "": nil,
	} {
		s := Step{ID: "x", Mechanism: "m", With: with, Take: []Take{{Name: "t"}}}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Step
		var keys map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal(data, &back), json.Unmarshal(data, &keys)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back.With, with) || back.ID != "x" || len(back.Take) != 1 || key != "" && keys[key] == nil {
			t.Errorf("%s: %s became %+v", key, data, back)
		}
	}
}

// TestEmptyLists: a step of a wheel or an archive runs no command. The document has lists
// all the same, as its schema says, and reading it gives the step back.
func TestEmptyLists(t *testing.T) {
	s := Step{ID: "wheel.cmake", Title: "Install CMake", With: &Wheel{}}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"needs", "argv", "requirements"} {
		if !bytes.Contains(data, []byte(`"`+key+`":[]`)) {
			t.Errorf("%s is not an empty list: %s", key, data)
		}
	}
	var back Step
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.Needs != nil || back.Argv != nil || back.Requirements != nil {
		t.Errorf("%+v", back)
	}
}
