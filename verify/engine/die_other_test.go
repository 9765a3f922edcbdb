//go:build !unix

package engine

func die(how string) { panic("there are no signals here: " + how) }
