package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/convert/onnx"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
)

// modelFile describes a converted model; it is in a folder with it, and written
// last.
type modelFile struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"` // of the model
	// Seal shows that this cache's owner converted it (cache.Seal of Key and SHA256).
	Seal string `json:"seal"`
}

// converted is the folder of the cache for converted models.
const converted = "converted"

// convert gives the network as an ONNX file, from the cache or anew, and the time
// that making it took. The key holds everything that decides what is in the file.
func (o *oracle) convert(ctx context.Context, progress engine.Progress) (file string, took float64, err error) {
	self, err := program()
	if err != nil {
		return "", 0, err
	}
	key := hashBytes([]byte(o.model.weights.SHA256), o.model.config, []byte(self))
	dir, err := cache.Secure(o.cache, converted, key[:32])
	if err != nil {
		return "", 0, err
	}
	file = filepath.Join(dir, "model.onnx")
	if o.kept(dir, file, key) {
		return file, 0, nil
	}
	begin := time.Now()
	progress.Start("convert the network to ONNX", -1)
	defer progress.Done()
	if err := ctx.Err(); err != nil {
		return "", 0, fmt.Errorf("convert the network: %w", context.Cause(ctx))
	}
	if err := o.load(); err != nil {
		return "", 0, err
	}
	size := darknet.WeightsSize(o.model.net)
	if err := cache.Write(file, size, func(w io.Writer) error { return onnx.Write(w, o.model.net, o.weights) }); err != nil {
		return "", 0, err
	}
	m := modelFile{Key: key}
	if m.SHA256, err = darknet.HashFile(file); err != nil {
		return "", 0, err
	}
	if m.Seal, err = cache.Seal(o.cache, converted, key, m.SHA256); err != nil {
		return "", 0, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return "", 0, fmt.Errorf("describe the converted network: %w", err)
	}
	return file, time.Since(begin).Seconds(), cache.WriteBytes(filepath.Join(dir, "model.json"), raw)
}

// kept reports whether the file is the one that this user made for the key.
func (o *oracle) kept(dir, file, key string) bool {
	about := filepath.Join(dir, "model.json")
	if o.fresh || cache.Trusted(o.cache, about) != nil || cache.Trusted(o.cache, file) != nil {
		return false
	}
	raw, err := os.ReadFile(about)
	var m modelFile
	if err != nil || json.Unmarshal(raw, &m) != nil || m.Key != key {
		return false
	}
	sum, err := darknet.HashFile(file)
	if err != nil || sum != m.SHA256 || !cache.Sealed(o.cache, m.Seal, converted, key, sum) {
		return false
	}
	cache.Touch(dir)
	return true
}
