// Package hosttest makes hosts for tests from one readable file each.
//
// A fixture is a txtar archive; the name of each section says what it is:
//
//	platform               "linux/amd64"; default linux/amd64
//	env                    lines K=V
//	cwd                    the folder that deployctl was started in
//	cpuid                  JSON of host.CPUID
//	memory                 JSON of host.Memory
//	file /etc/os-release   the file's bytes
//	pe C:\x.dll            a Windows program or DLL: lines "machine ARCH", "import NAME", "delay NAME"
//	empty /opt/x.so        a file of no bytes, where one without text has unknown ones
//	exec /usr/bin/gcc      a file with the execute bit (and these bytes)
//	dir /empty             an empty folder
//	link /usr/bin/cc       its target (absolute), which the fixture also names
//	deny /root/secret      a file or folder that may not be read
//	shut /opt/x.so         a file that is seen in its folder and may not be read
//	device /dev/kfd        a device; "denied" and the number of its group where this user may not open it
//	disk /                 "total free [kind] [ro]" in bytes; answers for all paths below
//	run "/usr/bin/gcc" "--version"     a process: argv, each element quoted as Go does;
//	                       standard output, after optional lines "#exit N", "#signal NAME",
//	                       "#error TEXT" and "#stderr TEXT"; the program itself is made executable
//	alias C:\…\winget.exe  an app execution alias of Windows; the body is the program it starts
//	gone /etc/x.conf       takes back what earlier sections named there and below
//	reg 64 HKLM\SOFTWARE\X lines name=text or name=dword:N; sub-keys follow from other sections
//
// What a fixture does not name does not exist.
package hosttest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/deployctl/deployctl/doctor/host"
)

// Time is the clock of every fixture host.
var Time = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// Load reads testdata-style fixture files, later ones adding to earlier ones.
func Load(t testing.TB, names ...string) *host.Host {
	t.Helper()
	var text strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatalf("read fixture: %v", err)
		}
		// Its first lines, which say what it is, must not end up in the last file of
		// the one before.
		archive := txtar.Parse(data)
		archive.Comment = nil
		text.Write(txtar.Format(archive))
	}
	return Parse(t, text.String())
}

// Empty is a host on which nothing is found.
func Empty(goos, goarch string) *host.Host {
	r := host.NewRecording(goos, goarch, Time)
	r.Complete()
	return host.Replay(r)
}

// Parse makes a host from a fixture's text.
func Parse(t testing.TB, text string) *host.Host {
	t.Helper()
	r, err := Recording(text)
	if err != nil {
		t.Fatalf("fixture: %v", err)
	}
	return host.Replay(r)
}

// Recording makes the recording that a fixture's text describes.
func Recording(text string) (*host.Recording, error) {
	archive := txtar.Parse([]byte(text))
	r := host.NewRecording("linux", "amd64", Time)
	regKeys := map[string][2]string{} // lower-case key with view → view, spelling
	for _, f := range withoutGone(archive.Files) {
		kind, arg, _ := strings.Cut(f.Name, " ")
		body := string(f.Data)
		switch kind {
		case "platform":
			goos, goarch, ok := strings.Cut(strings.TrimSpace(body), "/")
			if !ok {
				return nil, fmt.Errorf("platform %q: want GOOS/GOARCH", body)
			}
			r.OS, r.Arch = goos, goarch
		case "env":
			for _, line := range lines(body) {
				k, v, _ := strings.Cut(line, "=")
				r.Env[k] = &v
			}
		case "cwd":
			r.Dir = strings.TrimSpace(body)
		case "cpuid":
			r.CPUID = new(host.CPUID)
			if err := json.Unmarshal(f.Data, r.CPUID); err != nil {
				return nil, fmt.Errorf("cpuid: %w", err)
			}
		case "memory":
			r.Memory = new(host.Memory)
			if err := json.Unmarshal(f.Data, r.Memory); err != nil {
				return nil, fmt.Errorf("memory: %w", err)
			}
		case "file":
			r.Files[arg] = host.File{Data: f.Data}
		case "empty":
			r.Empty(arg)
		case "pe":
			data, err := peImage(body)
			if err != nil {
				return nil, fmt.Errorf("pe %s: %w", arg, err)
			}
			r.Files[arg] = host.File{Data: data}
		case "exec":
			r.Files[arg] = host.File{Data: f.Data}
			r.Stats[arg] = host.StatAnswer{Info: host.Info{Size: int64(len(f.Data)), Exec: true, ModTime: Time}}
		case "alias":
			r.Files[arg] = host.File{Err: "The file cannot be accessed by the system."}
			r.Stats[arg] = host.StatAnswer{Info: host.Info{Exec: true, Alias: strings.TrimSpace(body), ModTime: Time}}
		case "dir":
			r.Dirs[arg] = host.Listing{}
			r.Stats[arg] = host.StatAnswer{Info: host.Info{Dir: true, ModTime: Time}}
		case "deny":
			r.Files[arg] = host.File{Err: "permission denied"}
			r.Dirs[arg] = host.Listing{Err: "permission denied"}
			r.Stats[arg] = host.StatAnswer{Err: "permission denied"}
		case "shut":
			r.Files[arg] = host.File{Err: "permission denied"}
			r.Stats[arg] = host.StatAnswer{Info: host.Info{Size: 1 << 20, ModTime: Time}}
		case "device":
			info, err := device(body)
			if err != nil {
				return nil, fmt.Errorf("device %s: %w", arg, err)
			}
			r.Files[arg] = host.File{Err: "not a regular file but a device"}
			r.Stats[arg] = host.StatAnswer{Info: info}
		case "link":
			r.Resolved[arg] = host.PathAnswer{Path: strings.TrimSpace(body)}
		case "disk":
			d, err := disk(body)
			if err != nil {
				return nil, fmt.Errorf("disk %s: %w", arg, err)
			}
			r.Disks[arg] = d
		case "run":
			if err := run(r, arg, body); err != nil {
				return nil, err
			}
		case "reg":
			view, key, ok := strings.Cut(arg, " ")
			if !ok {
				return nil, fmt.Errorf("reg %q: want a view and a key", arg)
			}
			registry(r, regKeys, view, key, body)
		default:
			return nil, fmt.Errorf("unknown section %q", f.Name)
		}
	}
	// A program that a run section names and whose bytes another section has.
	for name, a := range r.Stats {
		if size := len(r.Files[name].Data); a.Info.Size == 0 && a.Info.Exec && size > 0 {
			a.Info.Size = int64(size)
			r.Stats[name] = a
		}
	}
	follow(r)
	for _, vk := range regKeys {
		linkKeys(r, vk[0], vk[1])
	}
	r.Complete()
	return r, nil
}

// withoutGone leaves out what a later section says is gone.
func withoutGone(files []txtar.File) []txtar.File {
	var out []txtar.File
	for _, f := range files {
		gone, ok := strings.CutPrefix(f.Name, "gone ")
		if !ok {
			out = append(out, f)
			continue
		}
		out = slices.DeleteFunc(out, func(f txtar.File) bool {
			_, arg, _ := strings.Cut(f.Name, " ")
			name, _, _ := strings.Cut(strings.TrimPrefix(arg, `"`), `"`)
			return name == gone || strings.HasPrefix(name, strings.TrimSuffix(gone, "/")+"/") || strings.HasPrefix(name, strings.TrimSuffix(gone, `\`)+`\`)
		})
	}
	return out
}

func lines(s string) []string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func device(body string) (host.Info, error) {
	info := host.Info{ModTime: Time}
	words := strings.Fields(body)
	if len(words) == 0 {
		return info, nil
	}
	if len(words) != 2 || words[0] != "denied" {
		return info, fmt.Errorf("%q: want nothing, or denied and a group", body)
	}
	group, err := strconv.ParseUint(words[1], 10, 32)
	info.Denied, info.Group = true, uint32(group)
	return info, err
}

func disk(body string) (host.DiskAnswer, error) {
	words := strings.Fields(body)
	if len(words) < 2 {
		return host.DiskAnswer{}, fmt.Errorf("%q: want total and free", body)
	}
	total, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		return host.DiskAnswer{}, err
	}
	free, err := strconv.ParseUint(words[1], 10, 64)
	if err != nil {
		return host.DiskAnswer{}, err
	}
	d := host.Disk{Total: total, Free: free}
	for _, w := range words[2:] {
		if w == "ro" {
			d.ReadOnly = true
		} else {
			d.Kind = w
		}
	}
	return host.DiskAnswer{Disk: d}, nil
}

func run(r *host.Recording, argv, body string) error {
	first, err := strconv.QuotedPrefix(argv)
	if err != nil {
		return fmt.Errorf("run %s: argv elements are quoted: %w", argv, err)
	}
	program, err := strconv.Unquote(first)
	if err != nil {
		return fmt.Errorf("run %s: %w", argv, err)
	}
	var a host.RunAnswer
	for strings.HasPrefix(body, "#") {
		line, rest, _ := strings.Cut(body, "\n")
		word, value, _ := strings.Cut(line, " ")
		switch word {
		case "#exit":
			n, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("run %s: %w", argv, err)
			}
			a.Output.Exit = n
		case "#signal":
			a.Output.Signal, a.Output.Exit = value, -1
		case "#error":
			a.Err = value
		case "#stderr":
			a.Output.Stderr = append(a.Output.Stderr, value+"\n"...)
		default:
			return fmt.Errorf("run %s: unknown line %q", argv, line)
		}
		body = rest
	}
	a.Output.Stdout = []byte(body)
	r.Runs[argv] = a
	if _, ok := r.Stats[program]; !ok {
		r.Stats[program] = host.StatAnswer{Info: host.Info{Exec: true, ModTime: Time}}
	}
	return nil
}

// follow gives every link what its target is, through chains of links and through links
// to folders. What is below a link to a folder, the recording itself finds.
func follow(r *host.Recording) {
	for from := range r.Resolved {
		to := r.Follow(from)
		if f, ok := r.Files[to]; ok {
			r.Files[from] = f
		}
		if s, ok := r.Stats[to]; ok {
			r.Stats[from] = s
		} else if f, ok := r.Files[to]; ok {
			r.Stats[from] = host.StatAnswer{Info: host.Info{Size: int64(len(f.Data)), ModTime: Time}}
		} else {
			r.Stats[from] = host.StatAnswer{Info: host.Info{Dir: true, ModTime: Time}}
		}
		r.Resolved[from] = host.PathAnswer{Path: to}
	}
}

func registry(r *host.Recording, seen map[string][2]string, view, key, body string) {
	k := host.Key{Values: map[string]host.Value{}}
	for _, line := range lines(body) {
		name, value, _ := strings.Cut(line, "=")
		if n, ok := strings.CutPrefix(value, "dword:"); ok {
			if i, err := strconv.ParseUint(n, 0, 64); err == nil {
				k.Values[name] = host.Value{Int: i}
				continue
			}
		}
		k.Values[name] = host.Value{String: value}
	}
	id := view + ":" + strings.ToLower(key)
	old := r.Registry[id]
	k.Subkeys = old.Key.Subkeys
	r.Registry[id] = host.KeyAnswer{Key: k}
	seen[id] = [2]string{view, key}
}

// linkKeys makes every parent of a key list it.
func linkKeys(r *host.Recording, view, key string) {
	for {
		i := strings.LastIndex(key, `\`)
		if i < 0 {
			return
		}
		parent, base := key[:i], key[i+1:]
		id := view + ":" + strings.ToLower(parent)
		p := r.Registry[id]
		known := false
		for _, s := range p.Key.Subkeys {
			known = known || strings.EqualFold(s, base)
		}
		if !known {
			p.Key.Subkeys = append(p.Key.Subkeys, base)
			sort.Strings(p.Key.Subkeys)
		}
		r.Registry[id] = p
		key = parent
	}
}
