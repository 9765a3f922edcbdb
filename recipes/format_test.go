package recipes

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestFormatDocumented: the page names every key that a file may hold.
func TestFormatDocumented(t *testing.T) {
	data, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[typ] {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			key, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
			if key == "" || key == "-" {
				continue
			}
			if !strings.Contains(page, "`"+key+"`") {
				t.Errorf("recipes/FORMAT.md does not name the key %s of %s", key, typ.Name())
			}
			walk(typ.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[Recipe]())
	walk(reflect.TypeFor[Table]())
	for _, words := range [][]string{Severities(), Bases()} {
		for _, w := range words {
			if !strings.Contains(page, "`"+w+"`") {
				t.Errorf("recipes/FORMAT.md does not name the word %s", w)
			}
		}
	}
}
