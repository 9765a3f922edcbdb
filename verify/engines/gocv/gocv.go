// Package gocv owns the engine that runs a network through OpenCV's DNN module
// by way of gocv: it compiles a small worker program on the machine that is
// being proven, with the gocv release that fits the OpenCV found there, and
// keeps it in a cache. The main binary contains the worker as source only; this
// package must never link OpenCV itself.
package gocv

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/engine"
)

// Name is the engine's name.
const Name = "gocv"

// workerSource is compiled on the target machine, hence embedded as text; the
// files carry a build tag that keeps them out of this program.
//
//go:embed worker/*.go worker/*.cpp
var workerSource embed.FS

// workerSum pins the content of every gocv release the worker can be compiled
// with (and of what their go.mod files name), so that the Go command needs no
// checksum database and accepts nothing else.
//
//go:embed worker.sum
var workerSum string

// Releases are the gocv releases whose content is pinned, oldest first.
func Releases() []string {
	var list []string
	for _, line := range strings.Split(workerSum, "\n") {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "gocv.io/x/gocv" && !strings.HasSuffix(f[1], "/go.mod") {
			list = append(list, f[1])
		}
	}
	sort.Slice(list, func(a, b int) bool { return older(list[a], list[b]) })
	return list
}

// Module is one file of a Go module with go.sum's hash of it.
type Module struct {
	Path, Version string
	Ext           string // mod or zip
	Sum           string // h1:…
}

// Modules are the files that the Go command needs to compile the worker with a
// release: its content, and the go.mod files of all that any release names.
func Modules(release string) []Module {
	var list []Module
	for _, line := range strings.Split(workerSum, "\n") {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		version, isMod := strings.CutSuffix(f[1], "/go.mod")
		if f[0] == "gocv.io/x/gocv" && version != release {
			continue
		}
		m := Module{Path: f[0], Version: version, Ext: "zip", Sum: f[2]}
		if isMod {
			m.Ext = "mod"
		}
		list = append(list, m)
	}
	return list
}

// older compares two releases; both come from the pinned list.
func older(a, b string) bool {
	va, errA := version.NewVersion(a)
	vb, errB := version.NewVersion(b)
	return errA == nil && errB == nil && va.LessThan(vb)
}

// Options say with what the worker is compiled. Paths are absolute.
type Options struct {
	Process engine.Process
	// Cache is deployctl's cache folder; workers live in Cache/workers/gocv.
	Cache string
	// Release is the gocv release, one of Releases.
	Release string
	// Go is the go command; GoVersion what it calls itself (1.19.8). Asked for
	// when empty.
	Go, GoVersion string
	// CXX and CC are the compilers, CXXVersion what the first calls itself.
	// Empty: the Go command's choice (g++ and gcc from PATH).
	CXX, CC, CXXVersion string
	// OpenCVVersion and OpenCVPath are the copy to link: its version, and a
	// file of it whose change means another build (the core library).
	OpenCVVersion, OpenCVPath string
	// PkgConfigDir holds the opencv4.pc of that copy, for advice: the build sees
	// the same environment as the user's own.
	PkgConfigDir string
	// Getenv reads the environment that Process gives its children; nil is this
	// process's.
	Getenv func(string) (string, bool)
	// Flags replace pkg-config (gocv's build tag customenv); needed on Windows.
	Flags *Flags
	// Proxy gives the one module proxy that the worker may be compiled from
	// (file:///…). It is asked when the worker must be compiled; nil leaves that
	// to the user's own settings of the Go command.
	Proxy func(ctx context.Context) (string, error)
	// Fresh compiles the worker even if there is one.
	Fresh bool
	// BuildLimit is the most time the compilation may take; 0 is 20 minutes.
	BuildLimit time.Duration
}

// Flags are compiler and linker flags for an OpenCV that pkg-config does not know.
type Flags struct{ CPP, CXX, LD string }

const buildLimit = 20 * time.Minute

// New returns the engine. Nothing is looked at until Prepare.
func New(o Options) engine.Engine {
	if o.BuildLimit == 0 {
		o.BuildLimit = buildLimit
	}
	return &builder{o}
}

type builder struct{ o Options }

func (b *builder) Name() string { return Name }

// manifest lies beside a finished worker. It is written last, so a folder
// without one is not finished.
type manifest struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
	// Recipe repeats what the key was made from, for people.
	Recipe []string  `json:"recipe"`
	Built  time.Time `json:"built"`
	Took   float64   `json:"took_s"`
	// Seal shows that this cache's owner built it (cache.Seal of Key and SHA256).
	Seal string `json:"seal"`
}

// Prepare finds the worker in the cache or compiles it, which takes about a
// minute and, the first time, the network.
func (b *builder) Prepare(ctx context.Context, progress engine.Progress) (engine.Worker, error) {
	if !pinned(b.o.Release) {
		return engine.Worker{}, fmt.Errorf("gocv release %q is not pinned; choose one of %s", b.o.Release, strings.Join(Releases(), ", "))
	}
	if b.o.Go == "" {
		return engine.Worker{}, &engine.Unavailable{Engine: Name, Why: "there is no Go command to compile its worker with", Fix: "install Go (deployctl doctor --fix)"}
	}
	goVersion, err := b.goVersion(ctx)
	if err != nil {
		return engine.Worker{}, err
	}
	recipe, err := b.recipe(goVersion)
	if err != nil {
		return engine.Worker{}, err
	}
	sum := sha256.Sum256([]byte(strings.Join(recipe, "\x00")))
	key := hex.EncodeToString(sum[:])[:20]
	dir := filepath.Join(b.o.Cache, "workers", Name, key)

	// What another user could have put there is removed, not run.
	if _, err := cache.Secure(b.o.Cache, "workers", Name); err != nil {
		return engine.Worker{}, err
	}
	if exe, ok := b.cached(dir, key); ok && !b.o.Fresh {
		return b.worker(exe), nil
	}
	lock := flock.New(dir + ".lock")
	if err := acquire(ctx, lock, progress); err != nil {
		return engine.Worker{}, err
	}
	exe, took, err := b.locked(ctx, dir, key, recipe, goVersion, progress)
	if unlockErr := lock.Unlock(); err == nil && unlockErr != nil {
		err = fmt.Errorf("unlock %s: %w", lock.Path(), unlockErr)
	}
	if err != nil {
		return engine.Worker{}, err
	}
	w := b.worker(exe)
	w.Built, w.BuildTime = took > 0, took
	return w, nil
}

// locked builds while no other process does. Another may have finished while
// this one waited; took is 0 then.
func (b *builder) locked(ctx context.Context, dir, key string, recipe []string, goVersion string, progress engine.Progress) (string, time.Duration, error) {
	if exe, ok := b.cached(dir, key); ok && !b.o.Fresh {
		return exe, 0, nil
	}
	// Under the lock nobody else uses these: leftovers of a killed build, or a
	// damaged worker.
	stale, err := filepath.Glob(dir + ".build-*")
	if err != nil {
		return "", 0, fmt.Errorf("look for unfinished builds: %w", err)
	}
	for _, old := range append(stale, dir) {
		if err := os.RemoveAll(old); err != nil {
			return "", 0, cache.Explain(old, 0, err)
		}
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), key+".build-*")
	if err != nil {
		return "", 0, cache.Explain(filepath.Dir(dir), 0, err)
	}
	begin := time.Now()
	err = b.build(ctx, tmp, goVersion, progress)
	took := time.Since(begin)
	if err == nil {
		err = b.finish(tmp, dir, key, recipe, took)
	}
	if err != nil {
		return "", 0, errors.Join(err, os.RemoveAll(tmp))
	}
	return filepath.Join(dir, exeName()), took, nil
}

func (b *builder) finish(tmp, dir, key string, recipe []string, took time.Duration) error {
	sum, err := hashFile(filepath.Join(tmp, exeName()))
	if err != nil {
		return fmt.Errorf("hash the worker: %w", err)
	}
	seal, err := cache.Seal(b.o.Cache, Name, key, sum)
	if err != nil {
		return err
	}
	m, err := json.MarshalIndent(manifest{key, sum, recipe, time.Now().UTC(), took.Seconds(), seal}, "", "  ")
	if err != nil {
		return fmt.Errorf("describe the worker: %w", err)
	}
	if err := cache.WriteBytes(filepath.Join(tmp, "manifest.json"), m); err != nil {
		return err
	}
	return cache.Explain(dir, 0, durable.Rename(tmp, dir))
}

// cached reports a finished worker whose bytes are those that were built here,
// by this user, and that no other user can change before it runs.
func (b *builder) cached(dir, key string) (string, bool) {
	file := filepath.Join(dir, "manifest.json")
	if cache.Trusted(b.o.Cache, file) != nil || cache.Trusted(b.o.Cache, filepath.Join(dir, exeName())) != nil {
		return "", false
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	var m manifest
	if json.Unmarshal(raw, &m) != nil || m.Key != key || !cache.Sealed(b.o.Cache, m.Seal, Name, key, m.SHA256) {
		return "", false
	}
	exe := filepath.Join(dir, exeName())
	sum, err := hashFile(exe)
	cache.Touch(dir)
	return exe, err == nil && sum == m.SHA256
}

func hashFile(name string) (string, error) {
	raw, err := os.ReadFile(name) // a worker has 4 MB
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

func exeName() string {
	if runtime.GOOS == "windows" {
		return "worker.exe"
	}
	return "worker"
}

// acquire waits for a build of the same worker by another process.
func acquire(ctx context.Context, lock *flock.Flock, progress engine.Progress) error {
	ok, err := lock.TryLock()
	if err != nil {
		return cache.Explain(lock.Path(), 0, err)
	}
	if ok {
		return nil
	}
	progress.Start("another deployctl is compiling the gocv worker", -1)
	defer progress.Done()
	_, err = lock.TryLockContext(ctx, 200*time.Millisecond)
	if err != nil {
		return fmt.Errorf("wait for another deployctl that compiles the gocv worker: %w", err)
	}
	return nil
}

func (b *builder) worker(exe string) engine.Worker {
	w := engine.Worker{
		Engine: Name, Version: b.o.Release, Argv: []string{exe},
		// WARNING shows a target that was asked for and not used; more would
		// only be noise.
		Env:     []string{"OPENCV_LOG_LEVEL=WARNING"},
		Inspect: executed,
		Copy:    b.copy(),
		Runs:    engine.Runs{Component: "opencv", Display: "OpenCV", Remedy: remedy},
	}
	return w
}

// remedy knows the few OpenCV messages that have one clear remedy.
func remedy(what string) string {
	switch {
	case strings.Contains(what, "Darknet importer has been removed"), strings.Contains(what, "Cannot determine an origin framework"):
		return "OpenCV 5 no longer reads Darknet files; install OpenCV 4.5.1 or newer below 5"
	case strings.Contains(what, "Failed to parse NetParameter file"):
		return "OpenCV cannot read the configuration or the weights; check that both belong together and are complete"
	case strings.Contains(what, "Unknown layer type"), strings.Contains(what, "Unknown activation"):
		return "this OpenCV is too old for the network; a newer 4.x knows the layer"
	case strings.Contains(what, "is not supported"), strings.Contains(what, "not implemented"):
		return "this OpenCV was built without what the network or the chosen backend needs"
	}
	return ""
}

// copy is the OpenCV that the worker was linked with.
func (b *builder) copy() *engine.Copy {
	return &engine.Copy{
		Name: "OpenCV", Version: b.o.OpenCVVersion, File: b.o.OpenCVPath, Getenv: b.o.Getenv,
		Prefixes: []string{"libopencv_", "opencv_"}, // the second is Visual C++'s
	}
}

// steering are the variables by which pkg-config, the compilers and the linker
// choose files. They stay the user's, and another value is another worker.
var steering = []string{
	"PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH",
	"LIBRARY_PATH", "LD_RUN_PATH", "INCLUDE", "LIB",
}

func (b *builder) steered() string {
	getenv := b.o.Getenv
	if getenv == nil {
		getenv = os.LookupEnv
	}
	var list []string
	for _, name := range steering {
		if v, ok := getenv(name); ok && v != "" {
			list = append(list, name+"="+v)
		}
	}
	return strings.Join(list, " ")
}

// recipe lists everything that decides what the worker becomes.
func (b *builder) recipe(goVersion string) ([]string, error) {
	src := sha256.New()
	names, err := fs.Glob(workerSource, "worker/*")
	if err != nil {
		return nil, fmt.Errorf("list the worker's source: %w", err)
	}
	for _, name := range names {
		text, err := workerSource.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the worker's source: %w", err)
		}
		fmt.Fprintf(src, "%s %d\n", name, len(text)) //nolint:errcheck // a hash cannot fail
		src.Write(text)                              //nolint:errcheck // a hash cannot fail
	}
	list := []string{
		"source " + hex.EncodeToString(src.Sum(nil)),
		"gocv " + b.o.Release,
		"tags " + b.tags(),
		"go " + goVersion + " " + runtime.GOOS + "/" + runtime.GOARCH,
	}
	if b.trims() {
		list = append(list, "without "+strings.Join(unused, " "))
	}
	return append(list, b.inputs()...), nil
}

// inputs are the parts of the recipe that the Go command does not see: what
// pkg-config, the compiler and the linker find.
func (b *builder) inputs() []string {
	opencv := "opencv " + b.o.OpenCVVersion + " " + b.o.OpenCVPath
	if info, err := os.Stat(b.o.OpenCVPath); err == nil {
		opencv += fmt.Sprintf(" %d %d", info.Size(), info.ModTime().UnixNano())
	}
	list := []string{opencv, "compiler " + b.o.CXX + " " + b.o.CXXVersion, "environment " + b.steered()}
	if f := b.o.Flags; f != nil {
		list = append(list, "flags", f.CPP, f.CXX, f.LD)
	}
	return list
}

func (b *builder) tags() string {
	tags := []string{"gocvworker"}
	if !older(b.o.Release, "v0.41.0") {
		tags = append(tags, "gocv_exceptions")
	}
	if !older(b.o.Release, "v0.42.0") {
		// gocv's own tags for leaving out the modules not named.
		tags = append(tags, "gocv_specific_modules", "gocv_dnn")
	}
	if b.o.Flags != nil {
		tags = append(tags, "customenv")
	}
	return strings.Join(tags, ",")
}

func pinned(release string) bool {
	for _, r := range Releases() {
		if r == release {
			return true
		}
	}
	return false
}

func (b *builder) goVersion(ctx context.Context) (string, error) {
	if b.o.GoVersion != "" {
		return strings.TrimPrefix(b.o.GoVersion, "go"), nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// GOTOOLCHAIN=local here too: otherwise a go.mod nearby decides.
	out, err := b.o.Process.Run(ctx, host.Command{Argv: []string{b.o.Go, "version"}, Env: []string{"GOTOOLCHAIN=local"}})
	f := strings.Fields(string(out.Stdout))
	if err != nil || out.Exit != 0 || len(f) < 3 || !strings.HasPrefix(f[2], "go") {
		return "", &engine.Unavailable{Engine: Name, Why: fmt.Sprintf("%s does not tell its version", b.o.Go), Fix: "reinstall Go", Err: err}
	}
	return strings.TrimPrefix(f[2], "go"), nil
}
