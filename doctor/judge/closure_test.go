package judge_test

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

func TestNeedsAreJudged(t *testing.T) {
	const core = "/usr/lib/libopencv_core.so.406"
	cases := []struct {
		name    string
		need    *facts.Need
		admin   bool
		id, fix string
	}{
		{name: "healthy"},
		{"missing", &facts.Need{Name: "libtbb.so.12", By: core, Cause: facts.NotFound, Package: "libtbb12"}, false, "opencv.library-missing", "sudo apt-get install libtbb12"},
		{"its file removed", &facts.Need{Name: "libtbb.so.12", By: core, Cause: facts.NotFound, Package: "libtbb12", Installed: true}, true, "opencv.library-missing", "apt-get install --reinstall libtbb12"},
		{"no package known", &facts.Need{Name: "libodd.so", By: core, Cause: facts.NotFound}, true, "opencv.library-missing", "Install the package that provides libodd.so, or reinstall OpenCV."},
		{"too old", &facts.Need{Name: "libstdc++.so.6", By: core, Cause: facts.TooOld, Found: "/opt/old/libstdc++.so.6", Through: "LD_LIBRARY_PATH", Lacks: "GLIBCXX_3.4.29"}, true, "opencv.library-too-old", "Remove /opt/old from LD_LIBRARY_PATH: its libstdc++.so.6 lacks GLIBCXX_3.4.29."},
		{"too old in LD_PRELOAD", &facts.Need{Name: "libstdc++.so.6", By: core, Cause: facts.TooOld, Found: "/opt/old/libstdc++.so.6", Through: "LD_PRELOAD", Lacks: "GLIBCXX_3.4.29"}, true, "opencv.library-too-old", "Remove /opt/old/libstdc++.so.6 from LD_PRELOAD: it lacks GLIBCXX_3.4.29."},
		{"elsewhere", &facts.Need{Name: "libtbb.so.12", By: core, Cause: facts.NotFound, Elsewhere: "/opt/tbb/libtbb.so.12"}, true, "opencv.library-elsewhere", "echo /opt/tbb >> /etc/ld.so.conf.d/opencv.conf && ldconfig"},
		{"elsewhere, not root", &facts.Need{Name: "libtbb.so.12", By: core, Cause: facts.NotFound, Elsewhere: "/opt/tbb/libtbb.so.12"}, false, "opencv.library-elsewhere", "echo /opt/tbb | sudo tee -a /etc/ld.so.conf.d/opencv.conf && sudo ldconfig"},
		{"wrong architecture", &facts.Need{Name: "libtbb.so.12", By: core, Cause: facts.OtherArch, Found: "/opt/arm/libtbb.so.12", Through: "LD_LIBRARY_PATH"}, true, "opencv.library-arch", "Remove /opt/arm from LD_LIBRARY_PATH, and install libtbb.so.12 for this architecture."},
		{"cut short, of a package", &facts.Need{Name: "libtbb.so.12", By: core, Cause: facts.Damaged, Found: "/usr/lib/libtbb.so.12", Problem: facts.CutShort, Package: "libtbb12", Installed: true}, true, "opencv.library-damaged", "apt-get install --reinstall libtbb12"},
		{"a pointer in a clone", &facts.Need{Name: "libopencv_core.so.406", By: "a program built with it", Cause: facts.Damaged, Found: "/src/cv/libopencv_core.so.406", Problem: facts.LFSPointer, Repository: "/src/cv"}, true, "opencv.library-damaged", "In /src/cv, run git lfs install and then git lfs pull. They get the real file."},
		{"a page", &facts.Need{Name: "libodd.so", By: core, Cause: facts.Damaged, Found: "/opt/libodd.so", Problem: facts.WebPage}, true, "opencv.library-damaged", "Delete /opt/libodd.so and download it again, in a browser where the address asks for a login. Compare its size with the one on the maker's page."},
		{"empty", &facts.Need{Name: "libodd.so", By: core, Cause: facts.Damaged, Found: "/opt/libodd.so", Problem: facts.EmptyFile}, true, "opencv.library-damaged", "Delete /opt/libodd.so, and unpack, copy or build it again. A full drive or a download that stopped leaves such files."},
		{"stub", &facts.Need{Name: "libcuda.so.1", By: core, Cause: facts.Stub, Found: "/usr/local/cuda/lib64/stubs/libcuda.so.1", Through: "LD_LIBRARY_PATH"}, true, "opencv.library-stub", "Remove /usr/local/cuda/lib64/stubs from LD_LIBRARY_PATH; the NVIDIA driver brings the real libcuda.so.1."},
	}
	r, err := recipes.Find("opencv-yolov3", "")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", User: facts.User{Admin: c.admin, Elevate: []string{"sudo"}}}}
			f.Add("apt", facts.Instance{Version: "2.6", Active: true})
			in := facts.Instance{Version: "4.6.0", Active: true, Path: "/usr"}
			if c.need != nil {
				in.Needs = []facts.Need{*c.need}
			}
			f.Add("opencv", in)
			var got []judge.Finding
			for _, finding := range judge.Evaluate(r, tables, f).Findings {
				if len(finding.ID) > 15 && finding.ID[:15] == "opencv.library-" {
					got = append(got, finding)
				}
			}
			switch {
			case c.need == nil && len(got) == 0:
			case len(got) != 1 || got[0].ID != c.id || got[0].State != judge.Fail || got[0].Fix != c.fix:
				t.Errorf("findings = %+v, want %s with fix %q", got, c.id, c.fix)
			}
		})
	}
}
