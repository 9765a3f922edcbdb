// Command recorded makes a recorded Windows machine real, in a Wine prefix that is thrown
// away afterwards.
//
//	recorded.exe FIXTURE…     writes the files, the registry and the environment of the
//	                          fixtures (doctor/host/hosttest), and a program for each run
//
// Such a program is a copy of this one, under the name of the recorded one. It prints what
// the recorded one printed when it was given the same arguments, and ends as that did.
// Files that Wine brings are left alone; the processor, the memory and the disks stay those
// of the real machine.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/windows/registry"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// database holds what the recorded programs printed: host.RunAnswer by quoted argv.
const database = `C:\recorded\runs.json`

const environment = `SYSTEM\CurrentControlSet\Control\Session Manager\Environment`

func main() {
	self, err := os.Executable()
	if err == nil && strings.EqualFold(filepath.Base(self), "recorded.exe") {
		err = lay(self, os.Args[1:])
	} else if err == nil {
		err = play(self, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "recorded:", err)
		os.Exit(99)
	}
}

// lay writes a machine to this one.
func lay(self string, fixtures []string) error {
	var text strings.Builder
	for _, name := range fixtures {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		// The lines before the first section say what the fixture is.
		_, sections, _ := strings.Cut("\n"+string(data), "\n-- ")
		text.WriteString("-- " + sections)
	}
	r, err := hosttest.Recording(text.String())
	if err != nil {
		return err
	}
	if r.OS != "windows" {
		return fmt.Errorf("the fixtures are of %q, not of windows", r.OS)
	}
	for path, f := range r.Files {
		if f.Err == "" {
			if err := put(path, f.Data); err != nil {
				return err
			}
		}
	}
	for id, answer := range r.Registry {
		if answer.Err == "" {
			if err := key(id, answer.Key); err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
		}
	}
	if err := variables(r.Env); err != nil {
		return err
	}
	return programs(self, r.Runs)
}

// put writes a file unless there is one.
func put(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// key writes a key of the registry; its id has the view and the path.
func key(id string, k host.Key) error {
	view, path, _ := strings.Cut(id, ":")
	hive, path, _ := strings.Cut(path, `\`)
	roots := map[string]registry.Key{"hklm": registry.LOCAL_MACHINE, "hkcu": registry.CURRENT_USER}
	root, ok := roots[hive]
	if !ok && len(k.Values) > 0 {
		return errors.New("of another hive than HKLM and HKCU")
	}
	if len(k.Values) == 0 {
		return nil // a parent
	}
	access := uint32(registry.SET_VALUE | registry.WOW64_64KEY)
	if view == "32" {
		access = registry.SET_VALUE | registry.WOW64_32KEY
	}
	opened, _, err := registry.CreateKey(root, path, access)
	if err != nil {
		return err
	}
	for name, v := range k.Values {
		switch {
		case v.String != "":
			err = errors.Join(err, opened.SetStringValue(name, v.String))
		case v.Int > math.MaxUint32:
			err = errors.Join(err, opened.SetQWordValue(name, v.Int))
		default:
			err = errors.Join(err, opened.SetDWordValue(name, uint32(v.Int)))
		}
	}
	return errors.Join(err, opened.Close())
}

// variables sets the environment that new programs get, without what Wine sets itself.
func variables(env map[string]*string) error {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, environment, registry.SET_VALUE)
	if err != nil {
		return err
	}
	for name, value := range env {
		if value == nil {
			continue
		}
		if _, ours := os.LookupEnv(name); !ours || strings.EqualFold(name, "PATH") {
			err = errors.Join(err, k.SetStringValue(name, *value))
		}
	}
	return errors.Join(err, k.Close())
}

// programs puts this program where the recorded ones were.
func programs(self string, runs map[string]host.RunAnswer) error {
	data, err := json.Marshal(runs)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(database), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(database, data, 0o644); err != nil {
		return err
	}
	program, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	for argv := range runs {
		quoted, err := strconv.QuotedPrefix(argv)
		if err != nil {
			return err
		}
		path, err := strconv.Unquote(quoted)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, program, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// play prints what a recorded program printed.
func play(self string, args []string) error {
	data, err := os.ReadFile(database)
	if err != nil {
		return err
	}
	var runs map[string]host.RunAnswer
	if err := json.Unmarshal(data, &runs); err != nil {
		return err
	}
	asked := strconv.Quote(self)
	for _, a := range args {
		asked += " " + strconv.Quote(a)
	}
	for argv, answer := range runs {
		if !strings.EqualFold(argv, asked) {
			continue
		}
		_, err := os.Stdout.Write(answer.Output.Stdout)
		_, err2 := os.Stderr.Write(answer.Output.Stderr)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		os.Exit(answer.Output.Exit)
	}
	return fmt.Errorf("nothing was recorded of %s", asked)
}
