//go:build nativeworker

package main

import (
	"fmt"
	"unsafe"
)

// functions are those of a loaded library, by name.
type functions struct {
	handle  uintptr
	address map[string]uintptr
}

// dynamic loads a library and finds the functions that it must have. display is
// what the library is called in sentences.
func dynamic(file, display string, names ...string) (*functions, error) {
	handle, err := open(file)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", file, err)
	}
	f := &functions{handle, map[string]uintptr{}}
	for i, name := range names {
		if f.has(name) {
			continue
		}
		if i == 0 { // without the first it is another library
			return nil, fmt.Errorf("%s is not %s: it has no function %s", file, display, name)
		}
		return nil, fmt.Errorf("this %s lacks the function %s: %s", display, name, file)
	}
	return f, nil
}

// has reports whether the library has a function.
func (f *functions) has(name string) bool {
	if f.address[name] == 0 {
		if at, err := symbol(f.handle, name); err == nil {
			f.address[name] = at
		}
	}
	return f.address[name] != 0
}

// call calls a function, which the library must have. It gives a pointer, an
// integer, or nothing.
//
//go:uintptrescapes
func (f *functions) call(name string, args ...uintptr) unsafe.Pointer {
	return invoke(f.address[name], args...)
}
