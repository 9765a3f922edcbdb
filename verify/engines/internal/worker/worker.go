// Package worker carries the part that all Go workers share, as source: reading a
// job, writing an answer, comparing runs, listing loaded files. Each engine adds
// its own files to these and compiles them together on the machine that is
// proven, hence the build tags that keep them out of this program.
package worker

import "embed"

// Source are the files; they are of package main.
//
//go:embed source/*.go
var Source embed.FS
