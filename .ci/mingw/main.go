// Command mingw gives programs under Wine a MinGW-w64: as x86_64-w64-mingw32-g++.exe
// and its siblings it asks a server for Debian's cross compiler of that name, with
// the arguments, the folder and, in response files, the paths of this system. On
// Linux it is that server:
//
//	mingw serve PREFIX    Wine's prefix, which has drive_c; drive Z: is the root
//
// Only .ci/windows-opencv uses it. The compiler, its headers and its libraries are
// the real ones; what is not is that they run on Linux.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const address = "127.0.0.1:4711"

type request struct {
	Program   string
	Arguments []string
	Folder    string
}

type answer struct {
	Stdout, Stderr []byte
	Exit           int
}

func main() {
	run := ask
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		run = func() (int, error) { return 1, serve(os.Args[2]) }
	}
	exit, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		exit = 1
	}
	os.Exit(exit)
}

// ask has the server run the program that this one is named after.
func ask() (int, error) {
	folder, err := os.Getwd()
	if err != nil {
		return 1, err
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 1, err
	}
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	if err := json.NewEncoder(c).Encode(request{name, os.Args[1:], folder}); err != nil {
		return 1, err
	}
	var a answer
	if err := json.NewDecoder(c).Decode(&a); err != nil {
		return 1, err
	}
	_, err = os.Stdout.Write(a.Stdout)
	_, errToo := os.Stderr.Write(a.Stderr)
	return a.Exit, errors.Join(err, errToo)
}

// serve answers until it is killed.
func serve(prefix string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			var r request
			if err := json.NewDecoder(c).Decode(&r); err != nil {
				return // whoever only knocked
			}
			if err := json.NewEncoder(c).Encode(r.run(prefix)); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

func (r request) run(prefix string) answer {
	name := "x86_64-w64-mingw32-" + r.Program
	if r.Program == "gcc" || r.Program == "g++" {
		name += "-posix" // std::mutex and std::thread
	}
	var arguments []string
	for _, a := range r.Arguments {
		a = unix(prefix, a)
		if file, ok := strings.CutPrefix(a, "@"); ok {
			text, err := os.ReadFile(filepath.Join(unix(prefix, r.Folder), file))
			if filepath.IsAbs(file) {
				text, err = os.ReadFile(file)
			}
			if err != nil {
				return answer{Stderr: []byte(err.Error()), Exit: 1}
			}
			here, err := os.CreateTemp("", "response")
			if err != nil {
				return answer{Stderr: []byte(err.Error()), Exit: 1}
			}
			defer os.Remove(here.Name())
			_, err = here.WriteString(unix(prefix, string(text)))
			if err := errors.Join(err, here.Close()); err != nil {
				return answer{Stderr: []byte(err.Error()), Exit: 1}
			}
			a = "@" + here.Name()
		}
		arguments = append(arguments, a)
	}
	cmd := exec.Command(name, arguments...)
	cmd.Dir = unix(prefix, r.Folder)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	a := answer{Stdout: []byte(stdout.String()), Stderr: []byte(stderr.String()), Exit: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		a.Stderr, a.Exit = append(a.Stderr, err.Error()...), 1
	}
	return a
}

var drive = regexp.MustCompile(`(^|[^A-Za-z]|-[oIL])([A-Za-z]):[\\/]`)

// unix has the paths of Wine's drives as Linux has them. A definition with a
// backslash keeps it: it is C's.
func unix(prefix, text string) string {
	if strings.HasPrefix(text, "-D") && !drive.MatchString(text) {
		return text
	}
	text = drive.ReplaceAllStringFunc(text, func(m string) string {
		letter := m[len(m)-3]
		before := m[:len(m)-3]
		if letter == 'z' || letter == 'Z' {
			return before + "/"
		}
		return before + prefix + "/drive_" + strings.ToLower(string(letter)) + "/"
	})
	return strings.ReplaceAll(text, `\`, "/")
}
