package wheel

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

func TestRead(t *testing.T) {
	const help = "Usage:\n  pip download [options]\n\nPackage Index Options:\n  -i, --index-url <url>  Base URL of the Python Package Index (default\n                         https://default.example/simple). This should point to a\n  --extra-index-url <url>  Extra URLs\n"
	type files map[string]string
	tests := []struct {
		name  string
		os    string
		env   map[string]string
		files files
		pip   string // what the help of pip says; "" for no pip
		want  []string
		links []string
		from  string
		fails string
	}{
		{name: "pip's own default", pip: help, want: []string{"https://default.example/simple/"}, from: "pip"},
		{name: "no pip", fails: "pip is not installed"},
		{name: "a pip that does not say it", pip: "Usage: pip", fails: "does not say its default"},
		{name: "the environment", env: map[string]string{"PIP_INDEX_URL": "https://a.example/simple", "PIP_EXTRA_INDEX_URL": "https://b.example/s https://c.example/s/"},
			want: []string{"https://a.example/simple/", "https://b.example/s/", "https://c.example/s/"}, from: "PIP_INDEX_URL"},
		{name: "the environment before files", env: map[string]string{"PIP_INDEX_URL": "https://a.example/simple"}, files: files{"/etc/pip.conf": "[global]\nindex-url = https://no.example\n"},
			want: []string{"https://a.example/simple/"}, from: "PIP_INDEX_URL"},
		{name: "the user's file before the system's", files: files{"/etc/pip.conf": "[global]\nindex-url = https://no.example\n", "/home/u/.config/pip/pip.conf": "[global]\nindex_url: https://a.example\n"},
			want: []string{"https://a.example/"}, from: "/home/u/.config/pip/pip.conf"},
		{name: "the command's section before the general one", files: files{"/etc/pip.conf": "# x\n[download]\nindex-url = https://a.example\n[install]\nindex-url=https://no.example\n[global]\nindex-url = https://no.example\n"},
			want: []string{"https://a.example/"}, from: "/etc/pip.conf"},
		{name: "a value over several lines", files: files{"/etc/pip.conf": "[global]\nindex-url = https://a.example\nextra-index-url =\n    https://b.example\n    # not this\n    https://c.example\nfind-links = /w\n"},
			want: []string{"https://a.example/", "https://b.example/", "https://c.example/"}, links: []string{"/w"}, from: "/etc/pip.conf"},
		{name: "a file that the environment names", env: map[string]string{"PIP_CONFIG_FILE": "/c"}, files: files{"/c": "[global]\nindex-url = https://a.example\n", "/etc/pip.conf": "[global]\nindex-url = https://no.example\n"},
			want: []string{"https://a.example/"}, from: "/c"},
		{name: "no files at all", env: map[string]string{"PIP_CONFIG_FILE": "/dev/null"}, pip: help, files: files{"/etc/pip.conf": "[global]\nindex-url = https://no.example\n"},
			want: []string{"https://default.example/simple/"}, from: "pip"},
		{name: "a virtual environment's", env: map[string]string{"VIRTUAL_ENV": "/v"}, files: files{"/v/pip.conf": "[global]\nindex-url = https://a.example\n"}, want: []string{"https://a.example/"}, from: "/v/pip.conf"},
		{name: "macOS", os: "darwin", files: files{"/home/u/Library/Application Support/pip/pip.conf": "[global]\nindex-url = https://a.example\n"},
			want: []string{"https://a.example/"}, from: "/home/u/Library/Application Support/pip/pip.conf"},
		{name: "Windows", os: "windows", env: map[string]string{"APPDATA": `C:\Users\u\AppData\Roaming`, "ProgramData": `C:\ProgramData`},
			files: files{`C:\Users\u\AppData\Roaming\pip\pip.ini`: "[global]\r\nindex-url = https://a.example/\r\n", `C:\ProgramData\pip\pip.ini`: "[global]\r\nindex-url = https://no.example\r\n"},
			want:  []string{"https://a.example/"}, from: `C:\Users\u\AppData\Roaming\pip\pip.ini`},
		{name: "no index but folders", env: map[string]string{"PIP_NO_INDEX": "true", "PIP_FIND_LINKS": "/w /x"}, links: []string{"/w", "/x"}, from: "PIP_FIND_LINKS"},
		{name: "no index and nothing else", env: map[string]string{"PIP_NO_INDEX": "1"}, fails: "no-index"},
		{name: "not an address", env: map[string]string{"PIP_INDEX_URL": "ftp://me:s3cret@a.example/simple"}, fails: "cannot be used"},
		{name: "not an address at all", env: map[string]string{"PIP_INDEX_URL": "https://me:s3cret@[a.example/simple"}, fails: "cannot be used"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			system := tt.os
			if system == "" {
				system = "linux"
			}
			var b strings.Builder
			fmt.Fprintf(&b, "-- platform --\n%s/amd64\n-- env --\n", system)
			env := map[string]string{"HOME": "/home/u", "PATH": "/usr/bin"}
			if system == "windows" {
				env = map[string]string{"USERPROFILE": `C:\Users\u`}
			}
			maps.Copy(env, tt.env)
			for k, v := range env {
				fmt.Fprintf(&b, "%s=%s\n", k, v)
			}
			for name, text := range tt.files {
				fmt.Fprintf(&b, "-- file %s --\n%s", name, text)
			}
			if tt.pip != "" {
				fmt.Fprintf(&b, "-- run \"/usr/bin/pip3\" \"download\" \"--help\" --\n%s\n", tt.pip)
			}
			h := hosttest.Parse(t, b.String())
			c, err := Read(context.Background(), h)
			if tt.fails != "" {
				f := failureOf(t, err)
				if !strings.Contains(f.Error(), tt.fails) || strings.Contains(f.Error(), "s3cret") || f.Next == "" {
					t.Errorf("got %v, want %q", f, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(c.Indexes, tt.want) || !slices.Equal(c.Links, tt.links) || c.From != tt.from {
				t.Errorf("got %q, links %q from %s, want %q, %q from %s", c.Indexes, c.Links, c.From, tt.want, tt.links, tt.from)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/simple/":                   "https://a.example/simple/",
		"https://me:s3cret@a.example/simple/?token=x": "https://…@a.example/simple/",
		"https://s3cret@a.example/simple/#x":          "https://…@a.example/simple/",
		"https://me:s3cret@[a.example/simple":         "…@[a.example/simple",
		"/srv/wheels":                                 "/srv/wheels",
	} {
		if got := Redact(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
