package npm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"debug/elf"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/archive"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

// tarball makes an npm package; its members come in pairs of name and body.
func tarball(t *testing.T, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(members); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: members[i], Mode: 0o644, Size: int64(len(members[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, members[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func served(t *testing.T, body []byte) (registry string, asked *[]string) {
	asked = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/npm/", asked
}

func pinned(body []byte) Package {
	sum := sha256.Sum256(body)
	return Package{Name: "@scope/lib", Folder: "lib", Version: "1.2.3", Size: int64(len(body)), SHA256: store.Sum(hex.EncodeToString(sum[:])),
		Files: map[string]map[string]string{"linux/amd64": {"package/bin/lib.so": "lib/lib.so"}}}
}

func TestPull(t *testing.T) {
	body := tarball(t, "package/package.json", `{"scripts":{"install":"evil"}}`, "package/bin/lib.so", "elf", "package/bin/other", "x")
	registry, asked := served(t, body)
	p, folder := pinned(body), t.TempDir()
	o := download.Options{Store: store.New(t.TempDir())}
	for range 2 {
		dir, err := Pull(t.Context(), p, registry, "linux/amd64", folder, o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "lib", "lib.so"))
		if err != nil || string(got) != "elf" || dir != filepath.Join(folder, "lib-1.2.3") {
			t.Fatalf("%s: %q, %v", dir, got, err)
		}
		if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
			t.Errorf("more than the library was unpacked: %v, %v", list, err)
		}
	}
	if len(*asked) != 1 || (*asked)[0] != "/npm/@scope/lib/-/lib-1.2.3.tgz" {
		t.Errorf("asked for %q", *asked)
	}
	var f *step.Failure
	if _, err := Pull(t.Context(), p, registry, "plan9/mips", folder, o); !errors.As(err, &f) || f.Kind != step.NotFound {
		t.Error(err)
	}
	// Somebody's own folder is not touched.
	if err := os.RemoveAll(p.Dir(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(p.Dir(folder), "mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Pull(t.Context(), p, registry, "linux/amd64", folder, o); !errors.As(err, &f) || f.Kind != step.Changed {
		t.Error(err)
	}
}

func TestHostilePackage(t *testing.T) {
	body := tarball(t, "package/bin/lib.so", "elf", "package/../../evil", "x")
	registry, _ := served(t, body)
	folder := t.TempDir()
	_, err := Pull(t.Context(), pinned(body), registry, "linux/amd64", folder, download.Options{Store: store.New(t.TempDir())})
	var refused *archive.Refused
	if !errors.As(err, &refused) || refused.Why != archive.Escapes {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRegistryOfFiles: npmrc with the mark that Windows' editors write, with variables,
// the machine's where the user has none; npm itself is not needed.
func TestRegistryOfFiles(t *testing.T) {
	const windows = "-- platform --\nwindows/amd64\n-- env --\nUSERPROFILE=C:\\Users\\ada\nAPPDATA=C:\\Users\\ada\\AppData\\Roaming\nMIRROR=npm.corp.example\n"
	user, machine := "-- file C:\\Users\\ada\\.npmrc --\n", "-- file C:\\Users\\ada\\AppData\\Roaming\\npm\\etc\\npmrc --\n"
	for _, c := range []struct{ name, host, want string }{
		{"the mark of UTF-8", windows + user + "\ufeffregistry=https://a.example/npm/\r\n", "https://a.example/npm/"},
		{"a variable", windows + user + "registry = \"https://${MIRROR}/npm/\"\n", "https://npm.corp.example/npm/"},
		{"a variable that may be missing", windows + user + "registry=https://b.example/${NONE?}npm/\n", "https://b.example/npm/"},
		{"a variable that is missing", windows + user + "registry=https://${NONE}/npm/\n", ""},
		{"the machine's", windows + user + "//a.example/:_authToken=x\n" + machine + "registry=https://c.example/\n", "https://c.example/"},
		{"none", windows, ""},
	} {
		got, err := Registry(t.Context(), hosttest.Parse(t, c.host))
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func TestBadRegistries(t *testing.T) {
	for _, r := range []string{"", "undefined", "ftp://h.invalid/", "https://u:p@h.invalid/", "file:///x"} {
		if _, err := ONNXRuntime().Artifact(r); err == nil {
			t.Errorf("%q was taken", r)
		}
	}
}

// TestReal fetches ONNX Runtime from the registry that this machine's npm uses.
func TestReal(t *testing.T) {
	if os.Getenv("DEPLOYCTL_TEST_NETWORK") == "" {
		t.Skip("DEPLOYCTL_TEST_NETWORK is not set: 114 MB are not fetched")
	}
	registry, err := Registry(t.Context(), host.Live())
	if err != nil {
		t.Fatal(err)
	}
	p := ONNXRuntime()
	s := store.New(t.TempDir())
	for system := range p.Files {
		dir, err := Pull(t.Context(), p, registry, system, t.TempDir(), download.Options{Store: s})
		if err != nil {
			t.Fatal(err)
		}
		if system == "linux/amd64" {
			f, err := elf.Open(filepath.Join(dir, "lib", "libonnxruntime.so.1"))
			if err != nil {
				t.Fatal(err)
			}
			names, err := f.DynString(elf.DT_SONAME)
			if err != nil || len(names) != 1 || names[0] != "libonnxruntime.so.1" {
				t.Errorf("soname %v, %v", names, err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	data, err := os.ReadFile(s.Path(p.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(data)
	if want := strings.TrimPrefix(p.Integrity, "sha512-"); base64.StdEncoding.EncodeToString(sum[:]) != want {
		t.Error("the pinned SHA-256 is not of the bytes that the registry's integrity is of")
	}
}
