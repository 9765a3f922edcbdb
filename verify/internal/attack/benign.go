package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

// variation is a sound machine that is unusual in one way.
type variation struct {
	name, what string
	args, env  []string
	// shell is a line of Bash that runs the program as "$@", "" for none.
	shell string
	// net and change make another network than the suite's.
	net    string
	change func(*darknet.Network, *darknet.Weights)
	// picture gives a file to look at.
	picture func(dir string) (string, error)
}

func benign() []variation {
	var list []variation
	for _, part := range [][]variation{surroundings(), processes(), networkKinds(), pictures()} {
		list = append(list, part...)
	}
	return list
}

// surroundings are environment variables. DIR is the suite's folder.
func surroundings() []variation {
	return []variation{
		{name: "locale-c", what: "LC_ALL=C", env: []string{"LC_ALL=C", "LANG=C"}},
		{name: "locale-tr", what: "a Turkish locale, where the capital of i is İ", env: []string{"LC_ALL=tr_TR.UTF-8", "LANG=tr_TR.UTF-8", "LOCPATH=DIR/locale"}},
		{name: "locale-de", what: "a German locale, with commas in numbers", env: []string{"LC_ALL=de_DE.UTF-8", "LC_NUMERIC=de_DE.UTF-8", "LOCPATH=DIR/locale"}},
		{name: "locale-missing", what: "a locale that is not installed", env: []string{"LC_ALL=xx_YY.UTF-8"}},
		{name: "time-zone", what: "TZ=Pacific/Apia", env: []string{"TZ=Pacific/Apia"}},
		{name: "time-zone-none", what: "a time zone that does not exist", env: []string{"TZ=Nowhere/Else"}},
		{name: "bind-now", what: "LD_BIND_NOW=1", env: []string{"LD_BIND_NOW=1"}},
		{name: "dumb-terminal", what: "TERM=dumb", env: []string{"TERM=dumb"}},
		{name: "no-terminal", what: "TERM unset", shell: `unset TERM; exec "$@"`},
		{name: "blanks-in-home", what: "blanks in HOME and in the cache's name", env: []string{"HOME=DIR/home of two words"}, args: []string{"--cache", "DIR/home of two words/a cache"}},
		{name: "malloc-debug", what: "fresh memory is not zero", env: []string{"MALLOC_PERTURB_=165"}},
		{name: "omp-threads", what: "OMP_NUM_THREADS=1", env: []string{"OMP_NUM_THREADS=1"}},
		{name: "go-processors", what: "GOMAXPROCS=1", env: []string{"GOMAXPROCS=1"}},
		{name: "no-optimized-code", what: "OpenCV's own code for AVX-512 is switched off", env: []string{"OPENCV_CPU_DISABLE=AVX512_SKX"}},
		{name: "verbose-opencv", what: "OpenCV logs everything", env: []string{"OPENCV_LOG_LEVEL=VERBOSE"}},
		{name: "ulp-noise", what: "sums in another order each time: noise of 16 roundings", env: lying("all:noise:1e-6")},
		{name: "flushed", what: "numbers below 2⁻¹²⁶ become zero", env: lying("all:flush"), net: config(64), change: faint},
		{name: "flushed-some", what: "the same where only some are", env: lying("all:flush"), net: config(64), change: fainter},
		{name: "little-environment", what: "no variables but PATH", shell: `exec env -i "PATH=$PATH" "GOCACHE=$GOCACHE" "GOMODCACHE=$GOMODCACHE" "$@"`},
		{name: "no-home", what: "HOME unset", shell: `unset HOME; exec "$@"`},
		{name: "no-temporary-folder", what: "TMPDIR names a folder that does not exist", env: []string{"TMPDIR=DIR/none"}},
		{name: "loader-path-empty", what: "an LD_LIBRARY_PATH of empty parts", env: []string{"LD_LIBRARY_PATH=::"}},
		{name: "no-collector", what: "GOGC=off", env: []string{"GOGC=off"}},
		{name: "opencl-pocl", what: "OpenCL through PoCL", args: []string{"--target", "opencl"}, env: openCL},
		{name: "opencl-disabled", what: "OpenCL is switched off, and the processor asked for", env: []string{"OPENCV_OPENCL_RUNTIME=disabled"}},
	}
}

// processes are ways to be started.
func processes() []variation {
	list := []variation{
		{name: "taskset", what: "one processor only", shell: `exec taskset -c 0 "$@"`},
		{name: "nice", what: "nice -n 19", shell: `exec nice -n 19 "$@"`},
		{name: "batch", what: "scheduled as a batch job", shell: `exec chrt --batch 0 "$@"`},
		{name: "small-stack", what: "a stack of 1 MB", shell: `ulimit -s 1024; exec "$@"`},
		{name: "endless-stack", what: "a stack without a limit", shell: `ulimit -s unlimited; exec "$@"`},
		{name: "few-files", what: "at most 256 open files", shell: `ulimit -n 256; exec "$@"`},
		{name: "no-core", what: "no core dumps", shell: `ulimit -c 0; exec "$@"`},
		{name: "umask", what: "umask 077", shell: `umask 077; exec "$@"`},
		{name: "folder-deleted", what: "the working folder was deleted", shell: `d=$(mktemp -d); cd "$d"; rmdir "$d"; exec "$@"`},
		{name: "folder-read-only", what: "a working folder that root cannot write to", shell: `cd /proc/self; exec "$@"`},
		{name: "folder-with-go.mod", what: "a go.mod of something else in the working folder", shell: `d=$(mktemp -d); cd "$d"; printf 'module x\n\ngo 1.99\n' >go.mod; "$@"; e=$?; rm -r "$d"; exit $e`},
		{name: "stdin-closed", what: "standard input is closed", shell: `exec "$@" <&-`},
		{name: "stdin-endless", what: "standard input never ends", shell: `exec "$@" </dev/zero`},
		{name: "stdout-pipe", what: "standard output is a pipe", shell: `set -o pipefail; "$@" | cat`},
		{name: "stderr-closed", what: "standard error is closed", shell: `exec "$@" 2>&-`},
		{name: "all-closed", what: "standard input and standard error are closed", shell: `exec "$@" <&- 2>&-`},
		{name: "signals-ignored", what: "SIGCHLD, SIGPIPE and SIGHUP are ignored", shell: `trap '' CHLD PIPE HUP; exec "$@"`},
		{name: "two-at-once", what: "two proofs with one cache at the same time", shell: `"$@" >/dev/null & "$@"; e=$?; wait $! && exit $e`},
		{name: "address-space", what: "an address space of 6 GB", shell: `ulimit -v 6000000; exec "$@"`},
		{name: "idle", what: "scheduled only when nothing else runs", shell: `exec chrt --idle 0 "$@"`},
		{name: "no-session", what: "without a terminal, in a session of its own", shell: `exec setsid -w "$@"`},
	}
	for _, n := range []int{1, 2, 3, 16} {
		list = append(list, variation{name: fmt.Sprintf("threads-%d", n), what: fmt.Sprintf("--threads %d", n), args: []string{"--threads", fmt.Sprint(n)}})
	}
	return list
}

// tiny is a network of two convolutions.
var tiny = nets.Net(32, 32,
	nets.Conv(4, 3, 16, "leaky", "batch_normalize=1", "pad=1"), nets.Conv(6, 1, 1, "linear"), nets.Yolo("0", "10,10", 1, 1))

// fill gives every kernel, bias and scale the value of f.
func fill(f func(i int) float64) func(*darknet.Network, *darknet.Weights) {
	return func(net *darknet.Network, w *darknet.Weights) {
		for i := range net.Layers {
			v := w.Layer(i)
			for _, part := range [][]float32{v.Kernel, v.Biases, v.Scales} {
				for k := range part {
					part[k] = float32(f(k))
				}
			}
		}
	}
}

// faint makes heads of numbers that are too small to be normal, fainter some.
func faint(net *darknet.Network, w *darknet.Weights) { faintness(net, w, 1e-40) }

func fainter(net *darknet.Network, w *darknet.Weights) { faintness(net, w, 1e-37) }

func faintness(net *darknet.Network, w *darknet.Weights, by float64) {
	for _, h := range net.Heads() {
		v := w.Layer(h)
		for k := range v.Kernel {
			v.Kernel[k] *= float32(by)
		}
		clear(v.Biases)
	}
}

// lying preloads the engine that lies, for what is not a lie.
func lying(spec string) []string {
	return []string{"LD_PRELOAD=SHIM", "ATTACK=" + spec, fmt.Sprintf("ATTACK_RUNS=%d", 1+runs)}
}

// scaled multiplies every kernel; above what float32 survives, batch
// normalization takes the factor back.
func scaled(by float64) func(*darknet.Network, *darknet.Weights) {
	return func(net *darknet.Network, w *darknet.Weights) {
		for i := range net.Layers {
			v := w.Layer(i)
			for k := range v.Kernel {
				v.Kernel[k] *= float32(by)
			}
			for k := range v.Variances {
				if by > 1000 {
					v.Variances[k] *= float32(by * by)
				}
			}
		}
	}
}

// networkKinds are odd networks.
func networkKinds() []variation {
	oblong := strings.Replace(config(96), "height=96", "height=160", 1)
	return []variation{
		{name: "net-32", what: "an input of 32×32", net: config(32)},
		{name: "net-oblong", what: "an input of 96×160", net: oblong},
		{name: "net-416", what: "an input of 416×416", args: []string{"--size", "416"}},
		{name: "net-tiny", what: "two convolutions", net: tiny},
		{name: "net-stretched", what: "letter_box=0", net: strings.Replace(config(64), "channels=3", "channels=3\nletter_box=0", 1)},
		{name: "net-training", what: "a configuration for training: batch=64", net: strings.Replace(config(64), "channels=3", "batch=64\nsubdivisions=16\nchannels=3\nmomentum=0.9", 1)},
		{name: "net-crlf", what: "lines that end as on Windows", net: strings.ReplaceAll(config(64), "\n", "\r\n")},
		{name: "net-spaced", what: "blanks, comments and empty lines", net: strings.NewReplacer("=", " = ", "[route]", "\n# a comment\n\n[route]").Replace(config(64))},
		{name: "net-thinned", what: "nms_threshold=0.45 in [yolo]", net: strings.ReplaceAll(config(64), "num=6\n", "num=6\nnms_threshold=0.45\n")},
		{name: "net-scale-xy", what: "scale_x_y=1.05", net: strings.ReplaceAll(config(64), "num=6\n", "num=6\nscale_x_y=1.05\n")},
		{name: "net-threshold", what: "thresh=0.5 in [yolo]", net: strings.ReplaceAll(config(64), "num=6\n", "num=6\nthresh=0.5\n")},
		{name: "net-logistic-heads", what: "heads that end in a logistic activation", net: strings.ReplaceAll(config(64), "activation=linear\n[yolo]", "activation=logistic\n[yolo]")},
		{name: "net-relu", what: "ReLU instead of leaky layers", net: strings.ReplaceAll(config(64), "leaky", "relu")},
		{name: "net-mish", what: "mish instead of leaky layers", net: strings.ReplaceAll(config(64), "leaky", "mish")},
		{name: "net-linear", what: "no activation in any layer", net: strings.ReplaceAll(config(64), "leaky", "linear")},
		{name: "net-plain", what: "no batch normalization", net: strings.ReplaceAll(config(64), "batch_normalize=1\n", "")},
		{name: "net-without-pad", what: "no padding in the last layers", net: strings.Replace(tiny, "pad=1\n", "", 1)},
		{name: "weights-zero", what: "weights of zero", net: config(64), change: fill(func(int) float64 { return 0 })},
		{name: "weights-ones", what: "weights of one", net: tiny, change: fill(func(int) float64 { return 1 })},
		{name: "weights-untrained", what: "small random weights, as before training", net: config(64), change: fill(func(i int) float64 { return 0.01 * math.Sin(float64(i)*12.9898) })},
		{name: "weights-hundreds", what: "kernels times 100: boxes of any size, infinite ones, too", net: config(64), change: scaled(100)},
		{name: "weights-thousands", what: "weights in the thousands, tamed by batch normalization but for the heads", net: config(64), change: scaled(30000)},
		{name: "weights-thousands-tiny", what: "two convolutions with weights in the thousands", net: tiny, change: fill(func(i int) float64 { return 3000 * math.Sin(float64(i)*12.9898) })},
		{name: "weights-tiny", what: "weights of 1e-6", net: config(64), change: fill(func(i int) float64 { return 1e-6 * math.Sin(float64(i)) })},
	}
}

// goPicture is a picture of the Go distribution's own tests.
func goPicture(name string) func(string) (string, error) {
	return func(string) (string, error) {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return "", fmt.Errorf("find Go's folder: %w", err)
		}
		return filepath.Join(strings.TrimSpace(string(out)), "src", "image", filepath.FromSlash(name)), nil
	}
}

// drawn is a PNG of img.
func drawn(img image.Image) func(string) (string, error) {
	return func(dir string) (string, error) {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			return "", fmt.Errorf("draw a picture: %w", err)
		}
		name := filepath.Join(dir, "picture.png")
		return name, os.WriteFile(name, b.Bytes(), 0o600)
	}
}

func colors(w, h int) image.Image {
	img := image.NewNRGBA64(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA64(x, y, color.NRGBA64{uint16(x * 4099), uint16(y * 8209), uint16((x + y) * 16411), 65535 - uint16(x*31)})
		}
	}
	return img
}

func plain(c color.Color) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		img.Set(i%64, i/64, c)
	}
	return img
}

func pictures() []variation {
	return []variation{
		{name: "picture-1×1", what: "a picture of one pixel", picture: drawn(colors(1, 1))},
		{name: "picture-wide", what: "4000×3 pixels", picture: drawn(colors(4000, 3))},
		{name: "picture-tall", what: "3×4000 pixels", picture: drawn(colors(3, 4000))},
		{name: "picture-16-bit", what: "16 bits a channel, with transparency", picture: drawn(colors(90, 70))},
		{name: "picture-black", what: "a black picture", picture: drawn(plain(color.Black))},
		{name: "picture-white", what: "a white picture", picture: drawn(plain(color.White))},
		{name: "picture-transparent", what: "a picture that is transparent throughout", picture: drawn(plain(color.Transparent))},
		{name: "picture-gray", what: "a gray PNG", picture: goPicture("testdata/video-005.gray.png")},
		{name: "picture-gray-16", what: "a gray PNG of 16 bits", picture: goPicture("png/testdata/pngsuite/basn0g16.png")},
		{name: "picture-1-bit", what: "a PNG of one bit", picture: goPicture("png/testdata/pngsuite/basn0g01.png")},
		{name: "picture-palette", what: "a PNG with a palette", picture: goPicture("png/testdata/pngsuite/basn3p04.png")},
		{name: "picture-interlaced", what: "an interlaced PNG", picture: goPicture("png/testdata/pngsuite/basn3p04-31i.png")},
		{name: "picture-cmyk", what: "a CMYK JPEG", picture: goPicture("testdata/video-001.cmyk.jpeg")},
		{name: "picture-progressive", what: "a progressive JPEG", picture: goPicture("testdata/video-001.progressive.jpeg")},
		{name: "picture-gray-jpeg", what: "a gray JPEG", picture: goPicture("testdata/video-005.gray.jpeg")},
		{name: "picture-rgb-jpeg", what: "a JPEG that holds RGB", picture: goPicture("testdata/video-001.rgb.jpeg")},
	}
}

// locales compiles what the variations name; the C library's own tool does it.
func (s *suite) locales(ctx context.Context) error {
	dir := filepath.Join(s.dir, "locale")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make a folder of locales: %w", err)
	}
	for _, name := range []string{"tr_TR", "de_DE"} {
		out, err := exec.CommandContext(ctx, "localedef", "-i", name, "-f", "UTF-8", filepath.Join(dir, name+".UTF-8")).CombinedOutput()
		if err != nil {
			return fmt.Errorf("compile the locale %s: %w: %s", name, err, out)
		}
	}
	return nil
}

func (s *suite) unusual(ctx context.Context, v variation) (row, error) {
	begin := time.Now()
	dir, err := os.MkdirTemp(s.dir, "case-*")
	if err != nil {
		return row{}, fmt.Errorf("make a folder for %s: %w", v.name, err)
	}
	m := s.small
	if v.net != "" {
		if m, err = write(dir, v.name, v.net, v.change); err != nil {
			return row{}, err
		}
	}
	args := append([]string(nil), v.args...)
	if v.picture != nil {
		file, err := v.picture(dir)
		if err != nil {
			return row{}, err
		}
		args = append(args, "--image", file)
	}
	here := strings.NewReplacer("DIR", s.dir, "SHIM", s.shim)
	for i := range args {
		args[i] = here.Replace(args[i])
	}
	c := s.command(ctx, m, args...)
	if v.shell != "" {
		c.Args = append([]string{"bash", "-c", v.shell, "bash"}, c.Args...)
		if c.Path, err = exec.LookPath("bash"); err != nil {
			return row{}, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	for _, e := range v.env {
		c.Env = append(c.Env, here.Replace(e))
	}
	c.Env = append(c.Env, "GOCACHE="+s.goCache, "GOMODCACHE="+s.goModules)
	r, err := s.run(c)
	if err != nil {
		return row{}, err
	}
	out := row{name: v.name, what: v.what, want: "green"}
	out.got, out.ok = r.green()
	out.took = time.Since(begin)
	return out, os.RemoveAll(dir)
}

// goFolders are Go's caches: another HOME must not lead to other ones, or
// everything would be compiled once more.
func goFolders(ctx context.Context) (cache, modules string, err error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		return "", "", fmt.Errorf("find Go's caches: %w", err)
	}
	f := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(f) != 2 {
		return "", "", fmt.Errorf("go env printed %q", out)
	}
	return f[0], f[1], nil
}
