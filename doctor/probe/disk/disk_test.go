package disk

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

var probed = probetest.Of(Probe)

func TestWhereThingsAreWritten(t *testing.T) {
	const windows = "-- platform --\nwindows/amd64\n-- disk C:\\ --\n1000 100 NTFS\n-- disk D:\\ --\n2000 200 NTFS\n"
	for _, c := range []struct {
		name, fixture string
		want          map[string]string // purpose → path of its first entry
	}{
		{"home", "-- env --\nHOME=/home/u\n-- disk / --\n1000 100 ext4\n", map[string]string{"cache": "/home/u/.cache/deployctl", "tmp": "/tmp", "system": "/"}},
		{"variables", "-- env --\nHOME=/home/u\nXDG_CACHE_HOME=/big\nTMPDIR=/fast\n-- disk / --\n1000 100 ext4\n", map[string]string{"cache": "/big/deployctl", "tmp": "/fast", "system": "/"}},
		{"a relative cache is none", "-- env --\nHOME=/root\nXDG_CACHE_HOME=big\n-- disk / --\n1000 100\n", map[string]string{"cache": "/root/.cache/deployctl", "tmp": "/tmp", "system": "/"}},
		{"no home", "-- disk / --\n1000 100\n", map[string]string{"tmp": "/tmp", "system": "/"}},
		{"the tightest system disk first", "-- env --\nHOME=/h\n-- disk / --\n1000 900\n-- disk /usr --\n500 10\n-- dir /usr --\n-- disk /var --\n300 20\n-- dir /var --\n", map[string]string{"cache": "/h/.cache/deployctl", "tmp": "/tmp", "system": "/usr"}},
		{"windows", windows + "-- env --\nLocalAppData=D:\\u\\AppData\\Local\nTMP=C:\\t\nTEMP=C:\\x\nSystemDrive=C:\n", map[string]string{"cache": `D:\u\AppData\Local\deployctl`, "tmp": `C:\t`, "system": `C:\`}},
		{"windows without variables", windows, map[string]string{"tmp": `C:\Windows`, "system": `C:\`}},
		{"macos", "-- platform --\ndarwin/arm64\n-- env --\nHOME=/Users/u\nTMPDIR=/var/folders/x/T/\n-- disk / --\n1000 100 apfs\n-- dir /opt/homebrew --\n", map[string]string{"cache": "/Users/u/Library/Caches/deployctl", "tmp": "/var/folders/x/T/", "system": "/opt/homebrew"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := probed(t, hosttest.Parse(t, c.fixture))
			got := map[string]string{}
			for _, d := range f.Disks {
				if _, ok := got[d.Purpose]; !ok {
					got[d.Purpose] = d.Path
				}
			}
			probetest.Same(t, "", c.want, got)
		})
	}
}

func TestOneEntryForEachFileSystem(t *testing.T) {
	f := probed(t, hosttest.Parse(t, "-- disk / --\n1000 100 ext4 ro\n-- dir /usr --\n-- disk /var --\n50 40 xfs\n-- dir /var --\n"))
	var system []string
	for _, d := range f.Disks {
		if d.Purpose == "system" {
			system = append(system, d.Path)
			if d.ReadOnly != (d.Path == "/") {
				t.Errorf("%s: read-only %v", d.Path, d.ReadOnly)
			}
		}
	}
	probetest.Same(t, "", []string{"/var", "/"}, system)
}
