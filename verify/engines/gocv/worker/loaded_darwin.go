//go:build gocvworker
// +build gocvworker

package main

// #include <mach-o/dyld.h>
import "C"

// libraries are the images of this process (dyld(3)).
func libraries() ([]string, error) {
	var list []string
	for i := C.uint32_t(0); i < C._dyld_image_count(); i++ {
		if name := C._dyld_get_image_name(i); name != nil {
			list = append(list, C.GoString(name))
		}
	}
	return list, nil
}
