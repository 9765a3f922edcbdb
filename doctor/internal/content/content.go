// Package content tells what a file is in place of the library or model that its
// name promises: what a failed download or a clone without Git LFS leaves.
package content

import (
	"bytes"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Problem is what a file that begins with these bytes is in place of a library or a
// model; "" where nothing is known to be wrong. Whether it is empty only its size says.
func Problem(head []byte) facts.FileProblem {
	switch {
	// Git LFS, docs/spec.md: every pointer begins with this line.
	case bytes.HasPrefix(head, []byte("version https://git-lfs.github.com/spec/")):
		return facts.LFSPointer
	case WebPage(head):
		return facts.WebPage
	case linkText.MatchString(string(head)):
		return facts.LinkText
	}
	return ""
}

// linkText is all that is in the file which a link becomes where there are no links: zip
// without its attributes, a Windows drive, git with core.symlinks=false.
var linkText = lazyregexp.New(`^(\.{0,2}/)?([A-Za-z0-9_.+-]+/)*lib[A-Za-z0-9_.+-]+\.(so(\.[0-9]+)*|dylib)\n?$`)

// WebPage reports whether a file begins as a web page or a server's error does.
func WebPage(head []byte) bool {
	head = head[:min(len(head), 1024)]
	head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	for _, start := range []string{"<!doctype html", "<html", "<?xml", "404: not found"} {
		if len(head) >= len(start) && bytes.EqualFold(head[:len(start)], []byte(start)) {
			return true
		}
	}
	return false
}
