package cmake

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Source is what a build is made from and for.
type Source struct {
	Build    recipes.Build
	Artifact recipes.Artifact
	Facts    *facts.Facts
	// Work is the folder for sources and objects, Product what is made.
	Work, Product string
}

// jobsFlag is Ninja's, for how many compilers may run at once.
const jobsFlag = "-j"

// Steps plans the three commands of a build: configure, compile, install. The
// number of compilers at once is what cores and free memory allow.
func Steps(h *host.Host, s Source) ([]step.Step, error) {
	// What is not there yet is installed by a step before.
	tool := func(name string) string {
		found, _ := s.Facts.Active(name)
		return cmp.Or(found.Path, "/usr/bin/"+name)
	}
	cmake := tool("cmake")
	options, err := s.options()
	if err != nil {
		return nil, err
	}
	build := h.Join(s.Work, "build")
	configure := []string{cmake, "-S", h.Join(s.Work, "source"), "-B", build, "-G", "Ninja"}
	for _, k := range slices.Sorted(maps.Keys(options)) {
		configure = append(configure, "-D"+k+"="+options[k])
	}
	key := s.key(configure)
	// DESTDIR puts the whole product path beneath the staging folder, which
	// lies beside the product: a rename does not cross file systems.
	staged := h.Join(h.DirOf(s.Product), "."+h.Base(s.Product)+".deployctl-partial") // durable.Partial, in the host's form
	stages := []struct {
		name, title string
		argv        []string
		env         []string
		cost        step.Cost
	}{
		{Configure, lang.F("Configure %s", s.Build.Name), configure, nil, step.Cost{Minutes: 0.3}},
		// Ninja itself, not cmake --build: it is Ninja that must hear when
		// deployctl dies, and stops its compilers then.
		{Compile, lang.F("Compile %s", s.Build.Name), []string{tool("ninja"), "-C", build, jobsFlag, strconv.Itoa(s.jobs())}, nil,
			step.Cost{DiskBytes: int64(s.Build.Disk), Minutes: s.minutes(), Note: lang.T("the objects go when the build is done")}},
		{Install, lang.F("Install %s into %s", s.Build.Name, s.Product), []string{cmake, "--install", build}, []string{"DESTDIR=" + staged}, step.Cost{Minutes: 0.1}},
	}
	var steps []step.Step
	for _, st := range stages {
		b := &step.Build{Stage: st.name, Dir: build, Work: s.Work, Env: append([]string{"LC_ALL=C"}, st.env...), Product: s.Product, Key: key}
		undo := lang.T("nothing to undo: it works in a folder that goes with the build")
		if st.name == Install {
			b.Staged = staged
			undo = lang.F("deployctl undo removes %s, unless someone changed it", s.Product)
		}
		st.cost.Minutes = max(0.1, st.cost.Minutes)
		steps = append(steps, step.Step{
			ID: s.Build.Name + "." + st.name, Title: st.title, Effect: step.Write, Needs: []step.Need{}, Cost: st.cost,
			Argv: st.argv, Undo: undo, Mechanism: "cmake", Action: step.Install, With: b,
		})
	}
	return steps, nil
}

func (s Source) options() (map[string]string, error) {
	options := map[string]string{"CMAKE_BUILD_TYPE": "Release"}
	ccache, cached := s.Facts.Active("ccache")
	cached = cached && ccache.Path != ""
	if s.Build.Tuned != "" {
		tuned, err := Tune(s.Build.Tuned, s.Facts.CPU, cached)
		if err != nil {
			return nil, err
		}
		maps.Copy(options, tuned)
	}
	maps.Copy(options, s.Build.Options)
	options["CMAKE_INSTALL_PREFIX"] = s.Product
	if cached {
		for _, lang := range []string{"C", "CXX"} {
			if _, set := options["CMAKE_"+lang+"_COMPILER_LAUNCHER"]; !set {
				options["CMAKE_"+lang+"_COMPILER_LAUNCHER"] = ccache.Path
			}
		}
	}
	return options, nil
}

// key names everything that the product is made from.
func (s Source) key(configure []string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %q\n", s.Artifact.SHA256, configure)
	for _, c := range []string{"g++", "clang++"} {
		i, _ := s.Facts.Active(c)
		fmt.Fprintf(h, "%s %s\n", c, i.Version)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// jobs is how many compilers run at once: one a core, and no more than the free
// memory holds.
func (s Source) jobs() int {
	n := max(1, int(s.Facts.CPU.Cores))
	free := s.Facts.Memory.Available
	if limit := s.Facts.Memory.Usable(); free == 0 || limit < free {
		free = limit
	}
	if each := uint64(s.Build.MemoryPerJob); each > 0 && free > 0 {
		n = min(n, max(1, int(free/each)))
	}
	return n
}

func (s Source) minutes() float64 {
	return float64(int(10*s.Build.Minutes/float64(s.jobs())+0.5)) / 10
}

// Tune gives the options that make a project use this processor, and nothing
// that it lacks, everywhere, and that make its build short. OpenCV: CPU_BASELINE
// and CPU_DISPATCH, words of cmake/OpenCVCompilerOptimizations.cmake, and
// precompiled headers, which halve the build and do not go with ccache (4.10).
func Tune(project string, cpu facts.CPU, ccache bool) (map[string]string, error) {
	if project != "opencv" {
		return nil, lang.Errorf("no options are known that tune %q", project)
	}
	has := func(names ...string) bool {
		for _, n := range names {
			if !slices.Contains(cpu.Features, n) {
				return false
			}
		}
		return true
	}
	base := ""
	switch cpu.Arch {
	case "amd64":
		switch {
		case has("fma", "f16c", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"):
			base = "AVX512_SKX"
		case has("avx2", "fma", "f16c"): // AVX2 there implies the other two
			base = "AVX2"
		case has("avx"):
			base = "AVX"
		case has("sse4_2", "popcnt"):
			base = "SSE4_2"
		default:
			base = "SSE3"
		}
	case "arm64":
		words := []string{"NEON", "FP16"} // the default, which a list of one's own replaces
		if has("dotprod") {
			words = append(words, "NEON_DOTPROD")
		}
		if has("fphp") {
			words = append(words, "NEON_FP16")
		}
		base = strings.Join(words, ";")
	}
	options := map[string]string{"ENABLE_CCACHE": "OFF", "ENABLE_PRECOMPILED_HEADERS": "ON"}
	if ccache {
		options = map[string]string{"ENABLE_PRECOMPILED_HEADERS": "OFF"}
	}
	if base != "" {
		// Nothing else is compiled besides: every kernel is the baseline's.
		options["CPU_BASELINE"], options["CPU_DISPATCH"] = base, ""
	}
	return options, nil
}
