package cuda

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

func TestParseHostConfig(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       map[string]string
	}{
		{"11.7", "#if __GNUC__ > 11\n#error -- unsupported GNU version! gcc versions later than 11 are not supported! The nvcc flag\n" +
			"#error -- unsupported clang version! clang version must be less than 14 and greater than 3.2 . The\n" +
			"#if _MSC_VER < 1910 || _MSC_VER >= 1940\n",
			map[string]string{"gcc_max": "11", "clang_max": "13", "msc_ver_min": "1910", "msc_ver_max": "1939"}},
		// The condition counts, not the message below it, which is wrong in 12.3; nor
		// does the limit of another compiler.
		{"12.3", "#if (__clang_major__ >= 22) || (__clang_major__ < 3)\n#error -- unsupported HOS clang version! The version must be must be less than 22\n#endif\n" +
			"#if (__clang_major__ >= 17) || (__clang_major__ < 3) || ((__clang_major__ == 3) &&  (__clang_minor__ < 3))\n" +
			"#error -- unsupported clang version! clang version must be less than 16 and greater than 3.2 .\n",
			map[string]string{"clang_max": "16"}},
		{"9.1", "#if _MSC_VER < 1600 || _MSC_VER > 1911\n#error -- unsupported GNU version! gcc versions later than 6 are not supported!\n",
			map[string]string{"gcc_max": "6", "msc_ver_min": "1600", "msc_ver_max": "1911"}},
		{"8.0 RC", "#if _MSC_VER < 1600 || _MSC_VER > 1900\n#error -- unsupported\n#elif _MSC_VER == 1900 && _MSC_FULL_VER >= 190023918\n#error -- Update >= 2 is not supported yet!\n",
			map[string]string{"msc_ver_min": "1600", "msc_ver_max": "1900", "msc_2015_below": "23918"}},
		{"windows turned round", "#if _MSC_VER < 1940 || _MSC_VER >= 1910\n", map[string]string{}},
		{"nothing", "#include \"crt/host_config.h\"\n", map[string]string{}},
	} {
		probetest.Same(t, tt.name, tt.want, ParseHostConfig(tt.text))
	}
}

func FuzzParseHostConfig(f *testing.F) {
	f.Add("#if _MSC_VER < 1910 || _MSC_VER >= 1940\n")
	f.Add("gcc versions later than 11 are not supported clang version must be less than 14 ")
	f.Fuzz(func(t *testing.T, text string) {
		for key, value := range ParseHostConfig(text) {
			if value == "" || len(value) > 5 {
				t.Errorf("%s is %q", key, value)
			}
		}
	})
}

// TestHostConfig: the attributes stand on the toolkit whose header they are from.
func TestHostConfig(t *testing.T) {
	f := probed(t, hosttest.Parse(t, `
-- exec /usr/local/cuda-12.4/bin/nvcc --
-- file /usr/local/cuda-12.4/include/cuda.h --
#define CUDA_VERSION 12040
-- file /usr/local/cuda-12.4/include/crt/host_config.h --
#if __GNUC__ > 13
#error -- unsupported GNU version! gcc versions later than 13 are not supported!
-- link /usr/local/cuda --
/usr/local/cuda-12.4
`))
	var kit facts.Instance
	for _, i := range f.Components[Toolkit] {
		kit = i
	}
	if kit.Attrs["gcc_max"] != "13" || kit.Attrs["msc_ver_max"] != "" {
		t.Errorf("%+v", f.Components[Toolkit])
	}
}

// TestHostGCC: the GCC that nvcc is told to call, by variables and by a link.
func TestHostGCC(t *testing.T) {
	const gcc = "-- exec /usr/bin/gcc-11 --\n-- exec /usr/bin/g++-13 --\n"
	for name, c := range map[string]struct{ host, want string }{
		"nothing":             {"-- env --\nPATH=/usr/bin\n" + gcc, ""},
		"NVCC_CCBIN":          {"-- env --\nPATH=/usr/bin\nNVCC_CCBIN=g++-13\n" + gcc, "13"},
		"CUDAHOSTCXX":         {"-- env --\nPATH=/usr/bin\nCUDAHOSTCXX=/usr/bin/gcc-11\n" + gcc, "11"},
		"NVCC_PREPEND_FLAGS":  {"-- env --\nPATH=/usr/bin\nNVCC_PREPEND_FLAGS=-O2 -ccbin=/usr/bin/g++-13\n" + gcc, "13"},
		"one that is gone":    {"-- env --\nPATH=/usr/bin\nNVCC_CCBIN=g++-9\n" + gcc, ""},
		"a link beside nvcc":  {"-- env --\nPATH=/usr/bin\n" + gcc + "-- link /usr/local/cuda/bin/gcc --\n/usr/bin/gcc-11\n", "11"},
		"without its version": {"-- env --\nPATH=/usr/bin\n-- exec /opt/g/gcc --\n-- link /usr/local/cuda/bin/gcc --\n/opt/g/gcc\n", ""},
	} {
		p := &probe{h: hosttest.Parse(t, "-- platform --\nlinux/amd64\n"+c.host)}
		if got := p.hostGCC(t.Context(), &kit{root: "/usr/local/cuda", bin: "/usr/local/cuda/bin", nvcc: "/usr/local/cuda/bin/nvcc"}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestMismatched: what to do where the kernel module is the host's.
func TestMismatched(t *testing.T) {
	for name, c := range map[string]struct {
		files, kernel, library string
		reason                 facts.Reason
		remedy                 string
	}{
		"a machine":              {"", "550.54.14", "550.127.05", facts.NeedsRestart, "Restart the machine"},
		"LXC":                    {"-- file /run/systemd/container --\nlxc\n", "550.127.05", "550.54.14", facts.Mismatch, "--no-kernel-module"},
		"LXC by its first init":  {"-- file /proc/1/environ --\nTERM=linux\x00container=lxc\x00\n", "550.127.05", "550.54.14", facts.Mismatch, "driver 550.127.05 in this container"},
		"an image with its own":  {"-- file /.dockerenv --\n", "550.127.05", "550.54.14", facts.Mismatch, "from the image"},
		"a newer one of its own": {"-- file /.dockerenv --\n-- file /var/lib/dpkg/status --\nPackage: libnvidia-compute-565\nStatus: install ok installed\nArchitecture: amd64\nVersion: 565.57.01-0ubuntu1\n\n", "535.183.01", "565.57.01", facts.Mismatch, "from the image"},
		"a host to be restarted": {"-- file /.dockerenv --\n", "550.54.14", "550.127.05", facts.NeedsRestart, "Restart the host"},
	} {
		p := &probe{h: hosttest.Parse(t, "-- platform --\nlinux/amd64\n"+c.files)}
		if u := p.mismatched(t.Context(), c.kernel, c.library); u.Reason != c.reason || !strings.Contains(u.Remedy, c.remedy) {
			t.Errorf("%s: %+v", name, u)
		}
	}
}
