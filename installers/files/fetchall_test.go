package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

func TestFetchAll(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = fmt.Fprint(w, "the file ", r.URL.Path)
	}))
	defer server.Close()
	cache := t.TempDir()
	f := FetchAll{Options: download.Options{Store: store.New(cache), Client: server.Client()}}
	var list step.Files
	for i := range 20 {
		path := fmt.Sprintf("/%02d", i)
		sum := sha256.Sum256([]byte("the file " + path))
		list = append(list, step.Fetch{Name: path, Size: int64(len("the file " + path)), SHA256: hex.EncodeToString(sum[:]), Mirrors: []string{server.URL + path}, Trusted: true,
			Path: filepath.Join(cache, "pool", path[1:]+".deb")})
	}
	s := step.Step{Mechanism: "fetch-all", With: list}
	if done, err := f.Done(t.Context(), s); err != nil || done {
		t.Fatal(done, err)
	}
	var last, total int64
	if err := f.Do(t.Context(), s, func(p step.Progress) {
		if p.Bytes < last || p.Bytes > p.Total {
			t.Errorf("from %d to %d of %d", last, p.Bytes, p.Total)
		}
		last, total = p.Bytes, p.Total
	}); err != nil {
		t.Fatal(err)
	}
	if done, err := f.Done(t.Context(), s); err != nil || !done || last != total || total != 20*int64(len("the file /00")) || asked.Load() != 20 {
		t.Errorf("done %v %v, %d of %d bytes, %d requests", done, err, last, total, asked.Load())
	}
	if data, err := os.ReadFile(list[7].Path); err != nil || string(data) != "the file /07" {
		t.Errorf("%q %v", data, err)
	}

	// A name that is gone is given again, without a request, also offline.
	if err := os.Remove(list[7].Path); err != nil {
		t.Fatal(err)
	}
	f.Options.Offline = true
	if done, err := f.Done(t.Context(), s); err != nil || done {
		t.Error(done, err)
	}
	if err := f.Do(t.Context(), s, func(step.Progress) {}); err != nil || asked.Load() != 20 {
		t.Error(err, asked.Load())
	}

	// One that cannot be had ends it.
	if err := os.Remove(f.Options.Store.Path(store.Sum(list[3].SHA256))); err != nil {
		t.Fatal(err)
	}
	var missing *download.Error
	if err := f.Do(t.Context(), s, func(step.Progress) {}); !errors.As(err, &missing) || missing.Kind != download.Offline || asked.Load() != 20 {
		t.Error(err, asked.Load())
	}
	if _, err := f.Done(t.Context(), step.Step{}); err == nil {
		t.Error("a step without files was taken")
	}
}
