package opencv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/internal/enginetest"
)

// TestFaults runs a small network through the real OpenCV: rightly, and with one
// fault at a time.
func TestFaults(t *testing.T) {
	o := live(t)
	b := enginetest.New(t, New(o), o.Cache)
	b.Right(t)
	b.Common(t)
	b.Deaths(t, filepath.Base(o.Library)[:len("libopencv_core.so.")]+soversion(t, o.Library))
	b.Caught(t, "no weights", enginetest.Fault{Job: func(j engine.Job) (engine.Job, error) { j.Weights += ".none"; return j, nil }}, "")
	b.Caught(t, "weights cut short", enginetest.Fault{Job: func(j engine.Job) (engine.Job, error) {
		raw, err := os.ReadFile(j.Weights)
		if err != nil {
			return j, err
		}
		j.Weights = filepath.Join(j.OutDir, "cut.weights")
		return j, os.WriteFile(j.Weights, raw[:len(raw)-1000], 0o600)
	}}, "")
	b.Caught(t, "a layer that there is not", enginetest.Fault{Job: func(j engine.Job) (engine.Job, error) {
		return j, os.WriteFile(j.Config, []byte("[net]\nwidth=96\nheight=96\nchannels=3\n[abacus]\nbeads=7\n"), 0o600)
	}}, "abacus")
	b.Caught(t, "CUDA on a build without", enginetest.Fault{Target: "cuda"}, "CUDA cannot be used: this OpenCV was built without it")
}

// TestONNX: the same OpenCV reads the network as ONNX, as OpenCV 5 has to.
func TestONNX(t *testing.T) {
	o := live(t)
	o.Format = engine.ONNX
	b := enginetest.New(t, New(o), o.Cache)
	b.Right(t)
	b.Caught(t, "a damaged model", enginetest.Fault{Job: enginetest.OtherModel([]byte("\x08\x06garbage"))}, "")
	b.Caught(t, "no such output", enginetest.Fault{Job: func(j engine.Job) (engine.Job, error) { j.Outputs[0] = "layer_99"; return j, nil }},
		"OpenCV does not know the model's output layer_99")
}

// soversion is the end of the name that programs load the library by.
func soversion(t *testing.T, library string) string {
	t.Helper()
	links, err := filepath.Glob(filepath.Join(filepath.Dir(library), "libopencv_core.so.*"))
	if err != nil {
		t.Fatal(err)
	}
	shortest := library
	for _, l := range links {
		if len(l) < len(shortest) {
			shortest = l
		}
	}
	return filepath.Base(shortest)[len("libopencv_core.so."):]
}

// TestBuildFaults compiles with one thing at a time that is wrong on the machine.
func TestBuildFaults(t *testing.T) {
	if os.Getenv("DEPLOYCTL_TEST_CXX") == "" {
		t.Skip("skipped: set DEPLOYCTL_TEST_CXX=1 to compile with faults, which takes minutes")
	}
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o700)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o := live(t)
	version, err := os.ReadFile(filepath.Join("/usr/include/opencv4", "opencv2/core/version.hpp"))
	if err != nil {
		t.Skipf("skipped: OpenCV is not in /usr: %v", err)
	}
	newer := regexp.MustCompile(`(#define CV_VERSION_MINOR +)\d+`).ReplaceAll(version, []byte("${1}99"))
	for _, c := range []struct {
		name, variable, value string
		way                   string // the one that is tried
		why                   string
	}{
		{"headers of another release", "CXXFLAGS", "-I" + strings.TrimSuffix(file("opencv2/core/version.hpp", string(newer)), "/opencv2/core/version.hpp"), "CMake", "OpenCV's headers are of "},
		{"a header that does not compile", "CXXFLAGS", "-I" + strings.TrimSuffix(file("opencv2/dnn.hpp", "#error not this one\n"), "/opencv2/dnn.hpp"), "CMake", "not this one"},
		{"the old ABI", "CXXFLAGS", "-D_GLIBCXX_USE_CXX11_ABI=0", "pkg-config", "another C++ ABI"},
		{"a standard that is too old", "CXXFLAGS", "-std=c++98", "CMake", "does not compile with"},
		{"a compiler that does nothing", "CXX", file("none", "#!/bin/sh\nexit 1\n"), "CMake", "does not work"},
		{"a library that is not there", "LDFLAGS", "-lopencv_abacus", "CMake", "opencv_abacus"},
		{"a package that refuses", "OpenCV_DIR", filepath.Dir(file("OpenCVConfig.cmake", "set(OpenCV_FOUND FALSE)\nset(OpenCV_NOT_FOUND_MESSAGE \"not for this compiler\")\n")), "CMake", "it set OpenCV_FOUND to FALSE"},
		{"a package without libraries", "OpenCV_DIR", filepath.Dir(file("OpenCVConfig.cmake", "set(OpenCV_VERSION 4.6.0)\nset(OpenCV_INCLUDE_DIRS /usr/include/opencv4)\nset(OpenCV_LIBS)\n")), "CMake", "the linker lacks cv::"},
		{"no .pc file", "PKG_CONFIG_LIBDIR", t.TempDir(), "pkg-config", "pkg-config does not know opencv4"},
		{"a .pc file of nothing", "PKG_CONFIG_PATH", filepath.Dir(file("opencv4.pc", "Name: OpenCV\nDescription: none\nVersion: 4.6.0\nLibs:\nCflags: -I/usr/include/opencv4\n")), "pkg-config", "the linker lacks cv::"},
		{"a .pc file that needs another", "PKG_CONFIG_PATH", filepath.Dir(file("opencv4.pc", "Name: OpenCV\nDescription: none\nVersion: 4.6.0\nRequires: abacus\n")), "pkg-config", "pkg-config does not know abacus, which opencv4 needs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, env := o, c.variable+"="+c.value
			o.Cache, o.Process = t.TempDir(), setting{o.Process, env}
			o.Getenv = func(name string) (string, bool) {
				if name == c.variable {
					return c.value, true
				}
				return os.LookupEnv(name)
			}
			if c.variable == "CXX" {
				o.Tools.Compiler = []string{c.value}
			}
			if c.way == "CMake" {
				o.Tools.PkgConfig = ""
			} else {
				o.Tools.CMake = ""
			}
			_, err := New(o).Prepare(t.Context(), engine.Silent{})
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v", err)
			}
			t.Log(err)
		})
	}
}

// setting runs commands with one more variable.
type setting struct {
	engine.Process
	env string
}

func (s setting) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	cmd.Env = append(cmd.Env, s.env)
	return s.Process.Run(ctx, cmd)
}
