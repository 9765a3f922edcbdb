package doctor_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
)

// variations change one thing of a recorded machine's sections that has nothing to do
// with what is wrong there. Each reports whether there was something to change.
var variations = map[string]func(files []txtar.File) bool{
	"Linux Mint in place of Ubuntu 22.04": func(files []txtar.File) bool {
		return change(files, "file /etc/os-release", func(text string) string {
			if !strings.Contains(text, "ID=ubuntu") || !strings.Contains(text, `"22.04"`) {
				return text
			}
			return "NAME=\"Linux Mint\"\nPRETTY_NAME=\"Linux Mint 21.3\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"21.3\"\nVERSION_CODENAME=virginia\nUBUNTU_CODENAME=jammy\n"
		})
	},
	"Windows 10 in place of 11": func(files []txtar.File) bool {
		return change(files, `reg 64 HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`, strings.NewReplacer("22631", "19045", "23H2", "22H2").Replace)
	},
	"PATH with a slash at the end of each folder": func(files []txtar.File) bool {
		return onPath(files, func(list []string) []string {
			for i, dir := range list {
				if strings.Contains(dir, `:\`) && !strings.HasSuffix(dir, `\`) {
					list[i] = dir + `\`
				} else if strings.HasPrefix(dir, "/") {
					list[i] = dir + "/"
				}
			}
			return list
		})
	},
	"other programs on PATH": func(files []txtar.File) bool {
		return onPath(files, func(list []string) []string {
			if strings.Contains(list[len(list)-1], `:\`) {
				return append([]string{`C:\Program Files\Java\jdk-17\bin`, `C:\Program Files\Docker\Docker\resources\bin`}, append(list, `C:\Program Files\dotnet\`)...)
			}
			return append([]string{"/home/user/.cargo/bin"}, append(list, "/usr/games", "/snap/bin")...)
		})
	},
}

// change rewrites the last section of a name, which is the one that counts.
func change(files []txtar.File, name string, rewrite func(string) string) bool {
	for i := len(files) - 1; i >= 0; i-- {
		if before := string(files[i].Data); files[i].Name == name {
			files[i].Data = []byte(rewrite(before))
			return string(files[i].Data) != before
		}
	}
	return false
}

var pathLine = regexp.MustCompile(`(?m)^PATH=(.+)$`)

func onPath(files []txtar.File, rewrite func([]string) []string) (found bool) {
	for i, f := range files {
		if f.Name != "env" {
			continue
		}
		files[i].Data = pathLine.ReplaceAllFunc(f.Data, func(line []byte) []byte {
			found = true
			value, separator := strings.TrimPrefix(string(line), "PATH="), ":"
			if strings.Contains(value, `:\`) {
				separator = ";"
			}
			return []byte("PATH=" + strings.Join(rewrite(strings.Split(value, separator)), separator))
		})
	}
	return found
}

// sections are those of a machine's parts, one after the other.
func (a rightAnswer) sections(t *testing.T) (files []txtar.File) {
	t.Helper()
	for _, part := range a.Parts {
		data, err := os.ReadFile(filepath.Join("testdata", "hosts", part+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, txtar.Parse(data).Files...)
	}
	return files
}

// TestVariations: what does not matter changes no verdict. Every sixth machine is
// varied, which takes a few seconds.
func TestVariations(t *testing.T) {
	if testing.Short() {
		t.Skip("many recorded machines: not with -short, which CI uses under the race detector")
	}
	tables := embedded(t)
	lists, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(lists) < 10 {
		t.Fatal(lists, err)
	}
	problems := func(a rightAnswer, files []txtar.File) (ids []string) {
		h := hosttest.Parse(t, string(txtar.Format(&txtar.Archive{Files: files})))
		for _, f := range judge.Evaluate(a.recipe(t), tables, doctor.Probe(context.Background(), h, doctor.Probes(false))).Findings {
			if f.State != judge.OK && f.State != judge.Skipped && f.State != judge.Info {
				ids = append(ids, f.ID+" "+string(f.State))
			}
		}
		slices.Sort(ids)
		return ids
	}
	n, varied := 0, 0
	for _, list := range lists {
		for _, a := range readAnswers(t, list) {
			if n++; n%6 != 0 || len(a.Parts) == 0 {
				continue
			}
			want := problems(a, a.sections(t))
			for name, vary := range variations {
				files := a.sections(t)
				if !vary(files) {
					continue
				}
				varied++
				if got := problems(a, files); !slices.Equal(got, want) {
					t.Errorf("%s with %s: %v, without %v", a.Case, name, got, want)
				}
			}
		}
	}
	if varied < 100 {
		t.Errorf("only %d variations were tried", varied)
	}
}
