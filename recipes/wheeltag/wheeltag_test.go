package wheeltag

import "testing"

func TestChoose(t *testing.T) {
	ort := []string{
		"onnxruntime-1.20.1-cp310-cp310-macosx_13_0_universal2.whl",
		"onnxruntime-1.20.1-cp310-cp310-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
		"onnxruntime-1.20.1-cp310-cp310-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
		"onnxruntime-1.20.1-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
		"onnxruntime-1.20.1-cp313-cp313t-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
		"onnxruntime-1.20.1-cp312-cp312-win_amd64.whl",
	}
	ninja := []string{
		"ninja-1.11.1.3-py3-none-manylinux1_i686.manylinux_2_5_i686.whl",
		"ninja-1.11.1.3-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.whl",
		"ninja-1.11.1.3-py3-none-musllinux_1_1_x86_64.whl",
		"ninja-1.11.1.3-py3-none-macosx_10_9_universal2.whl",
		"ninja-1.11.1.3-py3-none-win32.whl", "ninja-1.11.1.3-py3-none-win_arm64.whl",
	}
	tests := []struct {
		name   string
		files  []string
		target Target
		want   string
	}{
		{"the newest Python's with its lock", ort, Target{OS: "linux", Arch: "amd64", Glibc: "2.36"}, ort[3]},
		{"one of two tags is enough", ort, Target{OS: "linux", Arch: "amd64", Glibc: "2.27"}, ort[3]},
		{"an older C library", ort, Target{OS: "linux", Arch: "amd64", Glibc: "2.26"}, ""},
		{"2.9 is older than 2.27", ort, Target{OS: "linux", Arch: "amd64", Glibc: "2.9"}, ""},
		{"an unknown C library", ort, Target{OS: "linux", Arch: "amd64"}, ""},
		{"musl is not glibc", ort, Target{OS: "linux", Arch: "amd64", Musl: "1.2"}, ""},
		{"another processor", ort, Target{OS: "linux", Arch: "arm64", Glibc: "2.36"}, ort[1]},
		{"for a Python", ort, Target{OS: "linux", Arch: "amd64", Glibc: "2.36", Python: "3.10.4"}, ort[2]},
		{"for a Python that has none", ort, Target{OS: "linux", Arch: "amd64", Glibc: "2.36", Python: "3.11"}, ""},
		{"Windows", ort, Target{OS: "windows", Arch: "amd64"}, ort[5]},
		{"Windows on ARM", ort, Target{OS: "windows", Arch: "arm64"}, ""},
		{"macOS on Intel", ort, Target{OS: "darwin", Arch: "amd64", MacOS: "13.0"}, ort[0]},
		{"an older macOS", ort, Target{OS: "darwin", Arch: "arm64", MacOS: "12.7"}, ""},
		{"the old names of manylinux", ninja, Target{OS: "linux", Arch: "amd64", Glibc: "2.12"}, ninja[1]},
		{"manylinux1", ninja, Target{OS: "linux", Arch: "386", Glibc: "2.36"}, ninja[0]},
		{"musl", ninja, Target{OS: "linux", Arch: "amd64", Musl: "1.2.4"}, ninja[2]},
		{"an older musl", ninja, Target{OS: "linux", Arch: "amd64", Musl: "1.0"}, ""},
		{"Windows on ARM, its own", ninja, Target{OS: "windows", Arch: "arm64"}, ninja[5]},
		{"32-bit Windows", ninja, Target{OS: "windows", Arch: "386"}, ninja[4]},
		{"a build number", []string{"a-1-2-py3-none-any.whl", "a-1-10-py3-none-any.whl"}, Target{OS: "linux", Arch: "amd64"}, "a-1-10-py3-none-any.whl"},
		{"the newer platform", []string{"a-1-py3-none-manylinux2014_x86_64.whl", "a-1-py3-none-manylinux_2_28_x86_64.whl"}, Target{OS: "linux", Arch: "amd64", Glibc: "2.36"}, "a-1-py3-none-manylinux_2_28_x86_64.whl"},
		{"no wheels at all", []string{"a-1.tar.gz", "a-1-py3.whl", "a--py3-none-any.whl", ""}, Target{OS: "linux", Arch: "amd64"}, ""},
		{"abi3 for a later Python", []string{"a-1-cp38-abi3-win_amd64.whl"}, Target{OS: "windows", Arch: "amd64", Python: "3.12"}, "a-1-cp38-abi3-win_amd64.whl"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := tt.target.Choose(tt.files)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("%s: got %q, %v, want %q", tt.target, got, ok, tt.want)
			}
		})
	}
}
