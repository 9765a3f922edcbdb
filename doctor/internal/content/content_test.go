package content_test

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/internal/content"
)

func TestProblem(t *testing.T) {
	for head, want := range map[string]facts.FileProblem{
		"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n": facts.LFSPointer,
		"\xef\xbb\xbf\r\n<!DOCTYPE HTML><html>":                              facts.WebPage,
		"<html lang=en>":                                                     facts.WebPage,
		`<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`:      facts.WebPage,
		"404: Not Found":              facts.WebPage,
		"libonnxruntime.so.1.20.1":    facts.LinkText,
		"../lib/libtorch_cpu.so":      facts.LinkText,
		"libc++.1.dylib":              facts.LinkText,
		"libx.so.1 and libx.so.2":     "",
		"INPUT(libx.so.1)":            "",
		"/* GNU ld script */ libx.so": "",
		"":                            "",
		"\x7fELF\x02\x01":             "",
		"MZ":                          "",
		"INPUT ( libtbb.so.2 )":       "", // a linker script, as Intel's libtbb.so
		"[net]\nbatch=1\n":            "",
	} {
		if got := content.Problem([]byte(head)); got != want {
			t.Errorf("%q: %q, not %q", head, got, want)
		}
	}
}
