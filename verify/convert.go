package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
)

// modelFile describes a converted model; it is in a folder with it, and written
// last.
type modelFile struct {
	Key string `json:"key"`
	// SHA256 are the sums of the model's files, in the order of their names.
	SHA256 []string `json:"sha256"`
	// Seal shows that this cache's owner converted it (cache.Seal of Key and SHA256).
	Seal string `json:"seal"`
}

// converted is the folder of the cache for converted models.
const converted = "converted"

// convert gives the paths of the network's files in a format, from the cache or
// made anew, and the time that making them took. The key holds everything that
// decides what is in them.
func (o *oracle) convert(ctx context.Context, progress engine.Progress, format convert.Format) (files []string, took float64, err error) {
	self, err := program()
	if err != nil {
		return nil, 0, err
	}
	key := hashBytes([]byte(format.Name), []byte(o.model.weights.SHA256), o.model.config, []byte(self))
	dir, err := cache.Secure(o.cache, converted, key[:32])
	if err != nil {
		return nil, 0, err
	}
	for _, name := range format.Files {
		files = append(files, filepath.Join(dir, name))
	}
	if o.kept(dir, files, key) {
		return files, 0, nil
	}
	begin := time.Now()
	progress.Start("convert the network to "+format.Display, -1)
	defer progress.Done()
	if err := ctx.Err(); err != nil {
		return nil, 0, fmt.Errorf("convert the network: %w", context.Cause(ctx))
	}
	if err := o.load(); err != nil {
		return nil, 0, err
	}
	write := func(name string, write func(io.Writer) error) error {
		return cache.Write(filepath.Join(dir, name), darknet.WeightsSize(o.model.net), write)
	}
	if err := format.Write(write, o.model.net, o.weights); err != nil {
		return nil, 0, err
	}
	m := modelFile{Key: key}
	if m.SHA256, err = sums(files); err != nil {
		return nil, 0, err
	}
	if m.Seal, err = cache.Seal(o.cache, sealed(key, m.SHA256)...); err != nil {
		return nil, 0, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, 0, fmt.Errorf("describe the converted network: %w", err)
	}
	return files, time.Since(begin).Seconds(), cache.WriteBytes(filepath.Join(dir, "model.json"), raw)
}

// sealed is what the seal of a converted model covers.
func sealed(key string, sums []string) []string { return append([]string{converted, key}, sums...) }

// sums are the SHA-256 of the files.
func sums(files []string) ([]string, error) {
	var list []string
	for _, file := range files {
		sum, err := darknet.HashFile(file)
		if err != nil {
			return nil, err
		}
		list = append(list, sum)
	}
	return list, nil
}

// kept reports whether the files are those that this user made for the key.
func (o *oracle) kept(dir string, files []string, key string) bool {
	about := filepath.Join(dir, "model.json")
	if o.fresh {
		return false
	}
	for _, file := range append([]string{about}, files...) {
		if cache.Trusted(o.cache, file) != nil {
			return false
		}
	}
	raw, err := os.ReadFile(about)
	var m modelFile
	if err != nil || json.Unmarshal(raw, &m) != nil || m.Key != key {
		return false
	}
	list, err := sums(files)
	if err != nil || !slices.Equal(list, m.SHA256) || !cache.Sealed(o.cache, m.Seal, sealed(key, list)...) {
		return false
	}
	cache.Touch(dir)
	return true
}
