// Command standin plays the installers of Windows for .ci/windows: winget,
// choco, Scoop's PowerShell, DISM, Visual Studio's setup, vcpkg and MSYS2's
// pacman, by the name it is called by. It notes its arguments, changes what the real one would be seen to have changed, and ends
// with the status that a file tells.
//
// In C:\standin:
//
//	argv.jsonl    one line a change: {"program":…,"argv":[…]}
//	NAME.exit     "STATUS", "STATUS nothing" (claims to have worked, changed nothing), or
//	              "STATUS later" (a child that it starts and leaves makes the change, 3 s on)
//	features.txt  lines NAME STATE, which DISM tells
//	path\         a folder on PATH, where it puts programs
//
// A failing status changes nothing.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const home = `C:\standin`

func main() {
	name := strings.ToLower(strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"))
	args := os.Args[1:]
	if name == "gcc" {
		fmt.Println("gcc.exe (Rev1, Built by MSYS2 project) 14.2.0")
		return
	}
	if answer(name, args) {
		return
	}
	status, how := told(name)
	if os.Getenv(child) != "" {
		time.Sleep(3 * time.Second)
		change(name, args, status)
		return
	}
	note(name, args)
	switch {
	case how == "later":
		must(os.Setenv(child, "1"))
		self, err := os.Executable()
		must(err)
		_, err = os.StartProcess(self, os.Args, &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
		must(err)
	case (status == 0 || status == 3010 || status == 1641) && how == "":
		change(name, args, status)
	}
	os.Exit(status)
}

// child marks the process that works after its parent has left.
const child = "STANDIN_CHILD"

// answer plays the commands that change nothing.
func answer(name string, args []string) bool {
	switch {
	case name == "winget" && args[0] == "list":
		id := after(args, "--id")
		if !slices.Contains(lines("winget.txt"), id) {
			fmt.Println("No installed package found matching input criteria.")
			os.Exit(0x8A150014 - 1<<32)
		}
		fmt.Printf("   - \r   \\ \rName   ID   Version   Verfügbar Quelle\r\n-------\r\nSome name %s 1.2.3 1.3.0 winget\r\n", id)
	case name == "dism" && (slices.Contains(args, "/get-features") || slices.Contains(args, "/get-capabilities")):
		fmt.Print("\r\nDeployment Image Servicing and Management tool\r\nVersion: 10.0\r\n\r\nFeature Name | State\r\n------------ | -----\r\n")
		for _, l := range lines("features.txt") {
			feature, state, _ := strings.Cut(l, " ")
			if strings.Contains(feature, "~") == slices.Contains(args, "/get-capabilities") {
				fmt.Printf("%s | %s\r\n", feature, state)
			}
		}
		fmt.Print("\r\nThe operation completed successfully.\r\n")
	case name == "pacman" && args[0] == "-Q":
		for _, p := range lines("pacman.txt") {
			fmt.Println(p, "14.2.0-1")
		}
	default:
		return false
	}
	return true
}

func told(name string) (status int, how string) {
	f := strings.Fields(strings.Join(lines(name+".exit"), " "))
	if len(f) == 0 {
		return 0, ""
	}
	n, err := strconv.ParseInt(f[0], 0, 64)
	must(err)
	return int(int32(uint32(n))), strings.Join(f[1:], " ")
}

// programs are what packages bring. deployctl sees them and does not run them: a
// busy machine under Wine takes longer for that than a probe may.
func programs() map[string]string {
	return map[string]string{"OpenJS.NodeJS": "npm.exe", "miniconda3": "conda.exe", "python": "pip.exe"}
}

func put(file, text string) {
	must(os.MkdirAll(filepath.Dir(file), 0o755))
	must(os.WriteFile(file, []byte(text), 0o644))
}

func bring(id string, there bool) {
	file := filepath.Join(home, "path", programs()[id])
	switch {
	case programs()[id] == "":
	case there:
		put(file, "MZ")
	default:
		must(os.RemoveAll(file))
	}
}

// copyOf puts this program at a path, to play another one.
func copyOf(path string) {
	self, err := os.Executable()
	must(err)
	in, err := os.Open(self)
	must(err)
	must(os.MkdirAll(filepath.Dir(path), 0o755))
	out, err := os.Create(path)
	must(err)
	_, err = io.Copy(out, in)
	must(err)
	must(out.Close())
	must(in.Close())
}

func change(name string, args []string, status int) {
	switch name {
	case "winget":
		id := after(args, "--id")
		if o := after(args, "--override"); o != "" {
			studio(`C:\Program Files (x86)\Microsoft Visual Studio\2022\BuildTools`, strings.Fields(o))
			return
		}
		edit("winget.txt", id, args[0] == "install")
		bring(id, args[0] == "install")
	case "choco":
		for _, id := range args[1:slices.Index(args, "--yes")] {
			dir := filepath.Join(`C:\ProgramData\chocolatey\lib`, id)
			must(os.RemoveAll(dir))
			if args[0] == "install" {
				put(filepath.Join(dir, id+".nuspec"), "\ufeff<package><metadata><id>"+id+"</id><version>1.0</version></metadata></package>")
			}
			bring(id, args[0] == "install")
		}
	case "powershell":
		at := slices.Index(args, "-File")
		root := filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(args[at+1])))))
		for _, app := range args[at+3:] {
			if strings.HasPrefix(app, "--") {
				continue
			}
			must(os.RemoveAll(filepath.Join(root, "apps", app)))
			if args[at+2] == "install" {
				put(filepath.Join(root, "apps", app, "current", "manifest.json"), `{"version":"2.0"}`)
			}
			bring(app, args[at+2] == "install")
		}
	case "dism":
		var list []string
		for _, l := range lines("features.txt") {
			feature, _, _ := strings.Cut(l, " ")
			if slices.Contains(args, "/featurename:"+feature) || slices.Contains(args, "/capabilityname:"+feature) {
				state := map[bool]string{true: "Enabled", false: "Disabled"}[slices.Contains(args, "/enable-feature")]
				if strings.Contains(feature, "~") {
					state = map[bool]string{true: "Installed", false: "Not Present"}[slices.Contains(args, "/add-capability")]
				}
				if status == 3010 && state == "Enabled" {
					state = "Enable Pending"
				}
				l = feature + " " + state
			}
			list = append(list, l)
		}
		put(filepath.Join(home, "features.txt"), strings.Join(list, "\n"))
	case "setup":
		studio(after(args, "--installPath"), args)
	case "vcpkg":
		file := `C:\vcpkg\installed\vcpkg\status`
		var text strings.Builder
		if args[0] == "install" {
			for _, spec := range args[1:] {
				port, features, _ := strings.Cut(strings.TrimSuffix(spec, "]"), "[")
				if strings.HasPrefix(spec, "-") {
					continue
				}
				text.WriteString("Package: " + port + "\nVersion: 1\nArchitecture: x64-windows\nStatus: install ok installed\n\n")
				for _, f := range strings.FieldsFunc(features, func(r rune) bool { return r == ',' }) {
					text.WriteString("Package: " + port + "\nFeature: " + f + "\nArchitecture: x64-windows\nStatus: install ok installed\n\n")
				}
			}
		}
		put(file, text.String())
	case "pacman":
		for _, p := range args[slices.Index(args, "--")+1:] {
			edit("pacman.txt", p, args[0] == "-S")
		}
		exe := `C:\msys64\mingw64\bin\gcc.exe`
		must(os.RemoveAll(exe))
		if args[0] == "-S" {
			copyOf(exe)
		}
	}
}

// studio edits the setup record of the Visual Studio in a folder.
func studio(dir string, args []string) {
	const instances = `C:\ProgramData\Microsoft\VisualStudio\Packages\_Instances`
	record := filepath.Join(instances, "0a1b2c3d", "state.json")
	type ref struct {
		ID string `json:"id"`
	}
	state := struct {
		Path     string `json:"installationPath"`
		Version  string `json:"installationVersion"`
		Product  ref    `json:"product"`
		Packages []ref  `json:"packages"`
	}{dir, "17.14.1", ref{"Microsoft.VisualStudio.Product.BuildTools"}, nil}
	if data, err := os.ReadFile(record); err == nil {
		must(json.Unmarshal([]byte(strings.TrimPrefix(string(data), "\ufeff")), &state))
	}
	if args[0] == "uninstall" {
		must(os.RemoveAll(filepath.Dir(record)))
		must(os.RemoveAll(dir))
		return
	}
	for i, a := range args[:len(args)-1] {
		id := args[i+1]
		if a == "--add" {
			state.Packages = append(state.Packages, ref{id})
		}
		if a == "--remove" {
			state.Packages = slices.DeleteFunc(state.Packages, func(r ref) bool { return r.ID == id })
		}
		if cl := filepath.Join(dir, `VC\Tools\MSVC\14.40.33807\bin\Hostx64\x64\cl.exe`); strings.HasSuffix(id, ".VC.Tools.x86.x64") {
			if a == "--add" {
				put(cl, "MZ")
				put(filepath.Join(dir, `VC\Auxiliary\Build\Microsoft.VCToolsVersion.default.txt`), "14.40.33807\r\n")
			}
			if a == "--remove" {
				must(os.RemoveAll(filepath.Join(dir, `VC\Tools\MSVC`)))
			}
		}
	}
	data, err := json.Marshal(state)
	must(err)
	put(record, "\ufeff"+string(data))
}

func after(args []string, flag string) string {
	if i := slices.Index(args, flag); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

func lines(file string) []string {
	data, err := os.ReadFile(filepath.Join(home, file))
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' || r == '\r' })
}

func edit(file, name string, there bool) {
	list := slices.DeleteFunc(lines(file), func(l string) bool { return l == name })
	if there {
		list = append(list, name)
	}
	put(filepath.Join(home, file), strings.Join(list, "\n"))
}

func note(name string, args []string) {
	line, err := json.Marshal(map[string]any{"program": name, "argv": args})
	must(err)
	f, err := os.OpenFile(filepath.Join(home, "argv.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(err)
	_, err = f.Write(append(line, '\n'))
	must(err)
	must(f.Close())
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(99)
	}
}
