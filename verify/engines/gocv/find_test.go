package gocv

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/probe/libfind"
)

// TestWindowsFlags: the flags for the OpenCVs of recorded machines.
func TestWindowsFlags(t *testing.T) {
	msys2 := &Flags{
		CPP: "-IC:/msys64/ucrt64/include/opencv4", CXX: "-std=c++11",
		LD: "-LC:/msys64/ucrt64/lib -lopencv_dnn -lopencv_imgcodecs -lopencv_imgproc -lopencv_core",
	}
	for name, want := range map[string]*Flags{
		"blind/ok-msys2-customenv":             msys2,
		"blind/msys2-mingw64-with-ucrt-opencv": msys2,
		"blind/ok-msys2-ucrt-gocv": {
			CPP: "-IC:/opencv/build/install/include", CXX: "-std=c++11",
			LD: "-LC:/opencv/build/install/x64/mingw/lib -lopencv_dnn4100 -lopencv_imgcodecs4100 -lopencv_imgproc4100 -lopencv_core4100",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.Load(t, "../../../doctor/testdata/hosts/"+name+".txtar")
			f, err := libfind.ProbeOpenCV(context.Background(), h)
			if err != nil {
				t.Fatal(err)
			}
			cv, ok := f.Active("opencv")
			if !ok {
				t.Fatal("no OpenCV is active")
			}
			got, err := flags(cv, func(dir string) ([]string, error) {
				entries, err := h.ReadDir(context.Background(), dir)
				var list []string
				for _, e := range entries {
					list = append(list, e.Name)
				}
				return list, err
			})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func libOf(include, dlls string) facts.Instance {
	return facts.Instance{Attrs: map[string]string{"include": include, "libdir": dlls}}
}

// TestWindowsFlagsOf: names and folders that no recorded machine has.
func TestWindowsFlagsOf(t *testing.T) {
	cv := libOf(`C:\Program Files\cv\include`, `C:\Program Files\cv\x64\mingw\bin\`)
	files := []string{"libopencv_core4100d.dll.a", "libopencv_dnn_objdetect4100.dll.a", "libopencv_world4100.dll.a", "libopencv_core.a"}
	list := func(dir string) ([]string, error) {
		if want := `C:\Program Files\cv\x64\mingw\lib`; dir != want {
			t.Errorf("looks in %s, not in %s", dir, want)
		}
		return files, nil
	}
	got, err := flags(cv, list)
	want := &Flags{CPP: "'-IC:/Program Files/cv/include'", CXX: "-std=c++11", LD: "'-LC:/Program Files/cv/x64/mingw/lib' -lopencv_world4100"}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
	files = files[:2]
	if got, err := flags(cv, list); err == nil {
		t.Errorf("only a debug build: %+v", got)
	}
	if got, err := flags(libOf("", `C:\x`), list); err == nil {
		t.Errorf("no headers: %+v", got)
	}
}
