//go:build nativeworker

package main

import "github.com/ebitengine/purego"

// libraries are the images of this process (dyld(3)).
func libraries() ([]string, error) {
	var count func() uint32
	var name func(uint32) string
	purego.RegisterLibFunc(&count, purego.RTLD_DEFAULT, "_dyld_image_count")
	purego.RegisterLibFunc(&name, purego.RTLD_DEFAULT, "_dyld_get_image_name")
	var list []string
	for i := uint32(0); i < count(); i++ {
		if file := name(i); file != "" {
			list = append(list, file)
		}
	}
	return list, nil
}
