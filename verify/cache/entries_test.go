package cache

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// full makes a cache with something of every kind; ages are in hours.
func full(t *testing.T, ages map[string]int) string {
	t.Helper()
	root, err := Secure(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	for name, hours := range ages {
		path := filepath.Join(root, name)
		file := path
		if filepath.Ext(name) == "" {
			file = filepath.Join(path, "file")
		}
		used := time.Now().Add(-time.Duration(hours) * time.Hour)
		err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, make([]byte, 1000), 0o600), os.Chtimes(path, used, used))
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func ages() map[string]int {
	return map[string]int{
		"workers/gocv/new": 0, "workers/gocv/old": 30, "workers/gocv/ancient": 24 * 100, "workers/gocv/new.build-1": 2,
		"reference/a.heads": 0, "reference/b.heads": 20, "reference/.b.heads.tmp-1": 2, "converted/a": 25,
		"run/job-1": 2, "run/job-2": 0, "models/self-test": 24 * 200, "models/yolov3.weights": 24 * 200,
		"store/sha256": 24 * 200, "logs/gocv.log": 24 * 200, "verify/yolov3.png": 24 * 200,
	}
}

// left are the names of ages that are still there.
func left(root string) []string {
	var list []string
	for name := range ages() {
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func TestPrune(t *testing.T) {
	always := []string{"logs/gocv.log", "models/self-test", "models/yolov3.weights", "reference/a.heads", "run/job-2", "store/sha256", "verify/yolov3.png", "workers/gocv/new"}
	for name, c := range map[string]struct {
		p    Pruning
		want []string
	}{
		"limit not reached": {Pruning{Limit: Limit}, append([]string{"converted/a", "reference/b.heads", "workers/gocv/old"}, always...)},
		"limit":             {Pruning{Limit: 3000}, append([]string{"reference/b.heads"}, always...)},
		"used just now":     {Pruning{Limit: 0}, always},
		"all":               {Pruning{Limit: Limit, All: true}, []string{"models/yolov3.weights", "run/job-2", "store/sha256", "verify/yolov3.png"}},
		"downloads": {Pruning{Limit: Limit, Downloads: true}, []string{"converted/a", "logs/gocv.log", "models/self-test", "reference/a.heads", "reference/b.heads",
			"run/job-2", "verify/yolov3.png", "workers/gocv/new", "workers/gocv/old"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := full(t, ages())
			removed, err := Prune(root, c.p, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(c.want)
			if got := left(root); !slices.Equal(got, c.want) {
				t.Errorf("left %q\nwant %q", got, c.want)
			}
			if len(removed) != len(ages())-len(c.want) {
				t.Errorf("reported %d of %d", len(removed), len(ages())-len(c.want))
			}
		})
	}
}

func TestPruneLeavesWhatIsLocked(t *testing.T) {
	root := full(t, ages())
	var locks []*flock.Flock
	for _, name := range []string{"workers/gocv/ancient.lock", "run/job-1.lock", "workers/gocv/new.lock"} {
		l := flock.New(filepath.Join(root, name))
		if ok, err := l.TryLock(); err != nil || !ok {
			t.Fatal(ok, err)
		}
		locks = append(locks, l)
	}
	locked := []string{"run/job-1", "workers/gocv/ancient", "workers/gocv/new.build-1"}
	if _, err := Prune(root, Pruning{Limit: Limit}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, name := range locked {
		if !slices.Contains(left(root), name) {
			t.Errorf("%s was removed while it was locked", name)
		}
	}
	for _, l := range locks {
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Prune(root, Pruning{Limit: Limit}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, name := range locked {
		if slices.Contains(left(root), name) {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestListCountsEverything(t *testing.T) {
	root := full(t, ages())
	list, err := List(root)
	if err != nil || len(list) != len(ages()) {
		t.Fatalf("%d entries, %v", len(list), err)
	}
	kinds := map[Kind]int{}
	for _, e := range list {
		kinds[e.Kind]++
		if e.Size != 1000 {
			t.Errorf("%s: %d bytes", e.Path, e.Size)
		}
	}
	if kinds[Leftover] != 4 || kinds[Worker] != 3 || kinds[Reference] != 2 || kinds[SelfTest] != 1 || kinds[Download] != 2 || kinds[Log] != 1 || kinds[Other] != 1 {
		t.Errorf("%v", kinds)
	}
	if list, err := List(filepath.Join(root, "none")); err != nil || list != nil {
		t.Errorf("no cache: %v, %v", list, err)
	}
}

func TestScratch(t *testing.T) {
	root := filepath.Join(t.TempDir(), "cache")
	dir, done, err := Scratch(root)
	if err != nil {
		t.Fatal(err)
	}
	// In use, even for a long time: it stays.
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(dir, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := Prune(root, Pruning{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatal("a folder in use was removed")
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(filepath.Join(root, "run")); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
