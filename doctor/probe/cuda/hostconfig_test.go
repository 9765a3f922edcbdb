package cuda

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
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
		{"9.1", "#if _MSC_VER < 1600 || _MSC_VER > 1911\n#error -- unsupported GNU version! gcc versions later than 6 are not supported!\n",
			map[string]string{"gcc_max": "6", "msc_ver_min": "1600", "msc_ver_max": "1911"}},
		{"windows turned round", "#if _MSC_VER < 1940 || _MSC_VER >= 1910\n", map[string]string{}},
		{"nothing", "#include \"crt/host_config.h\"\n", map[string]string{}},
	} {
		if diff := cmp.Diff(tt.want, ParseHostConfig(tt.text)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func FuzzParseHostConfig(f *testing.F) {
	f.Add("#if _MSC_VER < 1910 || _MSC_VER >= 1940\n")
	f.Add("gcc versions later than 11 are not supported clang version must be less than 14 ")
	f.Fuzz(func(t *testing.T, text string) {
		for key, value := range ParseHostConfig(text) {
			if value == "" || len(value) > 4 {
				t.Errorf("%s is %q", key, value)
			}
		}
	})
}

// TestHostConfig: the attributes stand on the toolkit whose header they are from.
func TestHostConfig(t *testing.T) {
	f, err := Probe(t.Context(), hosttest.Parse(t, `
-- exec /usr/local/cuda-12.4/bin/nvcc --
-- file /usr/local/cuda-12.4/include/cuda.h --
#define CUDA_VERSION 12040
-- file /usr/local/cuda-12.4/include/crt/host_config.h --
#if __GNUC__ > 13
#error -- unsupported GNU version! gcc versions later than 13 are not supported!
-- link /usr/local/cuda --
/usr/local/cuda-12.4
`))
	if err != nil {
		t.Fatal(err)
	}
	var kit facts.Instance
	for _, i := range f.Components[Toolkit] {
		kit = i
	}
	if kit.Attrs["gcc_max"] != "13" || kit.Attrs["msc_ver_max"] != "" {
		t.Errorf("%+v", f.Components[Toolkit])
	}
}
