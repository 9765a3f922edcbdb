package recipes

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/goccy/go-yaml/token"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Default is the recipe that is used when none is named; DefaultOn knows where it is
// another one.
const Default = "opencv-yolov3"

// DefaultOn is the recipe that is used on a system (GOOS) when none is named. On
// Windows it is the one that needs no compiler: ONNX Runtime is one file there, which
// deployctl.exe loads by itself.
func DefaultOn(system string) string {
	if system == "windows" {
		return "onnxruntime"
	}
	return Default
}

// maxExtends bounds how many recipes may extend one another in a row.
const maxExtends = 8

// The library is part of the program: recipes, tables and requirement pages.
//
//go:embed library/*.yaml library/compat/*.yaml library/providers/*.yaml pages/*.md pages/zh/*.md
var library embed.FS

// embeddedSource marks where an embedded recipe or table came from.
const embeddedSource = "embedded"

// NotFoundError says that there is no recipe of the name.
type NotFoundError struct {
	Name      string
	Available []string
	// Nearest is the name that was probably meant, "" when none is near.
	Nearest string
	// Locked says why the user's own recipes could not be listed, nil otherwise.
	Locked error
}

func (e *NotFoundError) Error() string {
	text := lang.F("there is no recipe %q (available: %s)", e.Name, strings.Join(e.Available, lang.T(", ")))
	if e.Nearest != "" {
		text = lang.F("there is no recipe %q; did you mean %s?", e.Name, e.Nearest)
	}
	if e.Locked != nil {
		text = lang.F("%s; your own recipes could not be listed: %v", text, e.Locked)
	}
	return text
}

// EmbeddedTables are the compatibility tables that are part of the program. The
// set is made at no cost; each table is read when it is first asked for.
func EmbeddedTables() (*Tables, error) {
	files, err := embeddedFiles("library/compat")
	if err != nil {
		return nil, err
	}
	t := &Tables{byName: map[string]func() (*Table, error){}, checks: sync.OnceValues(embeddedChecks), own: map[string]bool{}}
	for name, file := range files {
		t.own[name] = true
		t.byName[name] = sync.OnceValues(func() (*Table, error) {
			data, err := library.ReadFile(file)
			if err != nil {
				return nil, lang.Errorf("read the embedded table %s: %w", name, err)
			}
			table, err := loadTable(data, file, false, nil)
			if err == nil && table.Name != name {
				return nil, lang.Errorf("%s: the table calls itself %q", file, table.Name)
			}
			return table, err
		})
	}
	return t, nil
}

// Embedded loads the recipes that are part of the program, sorted by name and
// with what they extend merged in.
func Embedded() ([]*Recipe, error) { return List("") }

// EmbeddedNamed is Embedded for those recipes alone whose name is accepted; the others
// are not read.
func EmbeddedNamed(accept func(name string) bool) ([]*Recipe, error) { return list("", accept) }

// List loads every recipe: the embedded ones and those in userDir (*.yaml,
// *.yml; "" or a folder that does not exist means none), a user's in place of
// an embedded one of the same name, sorted by name. Where some cannot be loaded, the
// others are returned together with the error, which has all mistakes.
func List(userDir string) ([]*Recipe, error) {
	return list(userDir, func(string) bool { return true })
}

func list(userDir string, accept func(name string) bool) ([]*Recipe, error) {
	s, err := newShelf(userDir)
	if err != nil {
		return nil, err
	}
	var out []*Recipe
	var broken []error
	for _, name := range s.names() {
		if !accept(name) {
			continue
		}
		r, err := s.find(name)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		out = append(out, r)
	}
	return out, errors.Join(broken...)
}

// Named is a recipe as a list of names shows it.
type Named struct{ Name, Title string }

// Names are all recipes, as List has them, sorted by name. The files are not loaded: the
// title is the line that begins with "title:", "" where none can be read. It is for
// completion in a shell, which must be quick and must survive a broken file.
func Names(userDir string) []Named {
	s, err := newShelf(userDir)
	if err != nil {
		if s, err = newShelf(""); err != nil {
			return nil
		}
	}
	var out []Named
	for _, name := range s.names() {
		if !nameForm.MatchString(name) {
			continue
		}
		var data []byte
		if file, ok := s.user[name]; ok {
			data, err = ReadFile(file)
		} else {
			data, err = library.ReadFile(s.embedded[name])
		}
		title := ""
		if err == nil {
			_, after, _ := strings.Cut("\n"+string(data), "\ntitle:")
			line, _, _ := strings.Cut(after, "\n")
			title = strings.Trim(strings.TrimSpace(line), `"'`)
		}
		out = append(out, Named{name, title})
	}
	return out
}

// Find returns a recipe with everything it extends merged in. name is a
// recipe's name or, when it contains a path separator or ends in .yaml or
// .yml, a file. A recipe in userDir takes the place of an embedded one of the
// same name, and Overrides says so; it may extend the one it overrides. The
// error is a *NotFoundError, an *InvalidError, or says what could not be read.
func Find(name, userDir string) (*Recipe, error) {
	if strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://") {
		return nil, lang.Errorf("recipe %s: an address is fetched only together with its SHA-256 (--recipe-sha256)", name)
	}
	s, err := newShelf(userDir)
	if err != nil {
		return nil, err
	}
	if !isFile(name) {
		return s.find(name)
	}
	data, err := ReadFile(name)
	if err != nil {
		return nil, err
	}
	return s.load(data, name, s.nameOf(name), false)
}

// LintFile reports every mistake that Find would meet in a file with these bytes: of its
// own, of its name where it is in userDir, of what it extends, and of the two together.
// The error is an *InvalidError.
func LintFile(data []byte, file, userDir string) error {
	s, err := newShelf(userDir)
	if err != nil {
		return err
	}
	_, err = s.load(data, file, s.nameOf(file), false)
	return err
}

func isFile(name string) bool {
	return strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// shelf is where recipes are looked for.
type shelf struct {
	tables   *Tables
	embedded map[string]string // name → file in library
	user     map[string]string // name → path
	locked   error             // why the user's own could not be listed
	twice    map[string]string // name → a second file of that name
	folder   string            // of the user's recipes, "" for none
}

// nameOf is the name that a recipe in a file must have: in the folder of the user's
// recipes it is that of the file; elsewhere it is free ("").
func (s *shelf) nameOf(file string) string {
	if s.folder == "" {
		return ""
	}
	return nameIn(s.folder, file)
}

// nameIn is a file's name without its extension where it is in a folder, else "".
func nameIn(folder, file string) string {
	in, err := filepath.Abs(folder)
	full, fileErr := filepath.Abs(file)
	if err != nil || fileErr != nil || filepath.Dir(full) != in {
		return ""
	}
	return strings.TrimSuffix(filepath.Base(full), filepath.Ext(full))
}

// load reads a file that is not part of the program, checks it and merges what it
// extends. name is the one it must have, "" for any. All mistakes are reported at once.
func (s *shelf) load(data []byte, file, name string, onlyEmbedded bool) (*Recipe, error) {
	r, d := read(data, file)
	if other, ok := s.twice[name]; ok {
		d.pos(nil, "recipe %s is there twice, as %s and %s; remove one", name, s.user[name], other)
	}
	merged := r
	d.lint(func() {
		lint(r, s.tables, d)
		if name != "" && r.Name != name {
			d.at("$.name", "the recipe calls itself %q but the file is named %q; rename one", r.Name, name)
		}
		if _, ok := s.embedded[r.Name]; ok {
			r.Overrides = embeddedSource
		}
		var err error
		if merged, err = s.merge(r, d, onlyEmbedded, nil); err != nil {
			d.at("$.extends", "%v", err)
		}
	})
	if err := d.err(); err != nil {
		return nil, err
	}
	return merged, nil
}

func newShelf(userDir string) (*shelf, error) {
	tables, err := FindTables(userDir)
	if err != nil {
		return nil, err
	}
	files, err := embeddedFiles("library")
	if err != nil {
		return nil, err
	}
	s := &shelf{tables: tables, embedded: files, user: map[string]string{}, twice: map[string]string{}, folder: userDir}
	if userDir == "" {
		return s, nil
	}
	entries, err := os.ReadDir(userDir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // HOME may name a file
		return s, nil
	}
	if errors.Is(err, fs.ErrPermission) { // and after su, another user's folder
		s.locked = err
		return s, nil
	}
	if err != nil {
		return nil, lang.Errorf("list your recipes: %w", err)
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || hidden(e.Name()) || ext != ".yaml" && ext != ".yml" {
			continue
		}
		name, full := strings.TrimSuffix(e.Name(), ext), filepath.Join(userDir, e.Name())
		if _, ok := s.user[name]; ok {
			s.twice[name] = full // an error for whoever asks for it, and for nobody else
			continue
		}
		s.user[name] = full
	}
	return s, nil
}

// names are the names of all recipes, sorted.
func (s *shelf) names() []string {
	var out []string
	for name := range s.embedded {
		out = append(out, name)
	}
	for name := range s.user {
		if _, ok := s.embedded[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (s *shelf) find(name string) (*Recipe, error) {
	if full, ok := s.user[name]; ok {
		data, err := ReadFile(full)
		if err != nil {
			return nil, err
		}
		return s.load(data, full, name, false)
	}
	r, err := s.one(name, false)
	if err != nil {
		return nil, err
	}
	return s.merge(r, nil, true, nil)
}

// one loads a recipe without what it extends: the user's, or else (or when
// onlyEmbedded) the embedded one.
func (s *shelf) one(name string, onlyEmbedded bool) (*Recipe, error) {
	file, isEmbedded := s.embedded[name]
	full, isUser := s.user[name]
	switch {
	case isUser && !onlyEmbedded:
		if other, ok := s.twice[name]; ok {
			return nil, twice(name, full, other)
		}
		r, err := s.file(full)
		if err != nil {
			return nil, err
		}
		if r.Name != name {
			return nil, &InvalidError{Mistakes: []Mistake{{File: full, Message: fmt.Sprintf("the recipe calls itself %q but the file is named %q; rename one", r.Name, name)}}}
		}
		if isEmbedded {
			r.Overrides = embeddedSource
		}
		return r, nil
	case isEmbedded:
		data, err := library.ReadFile(file)
		if err != nil {
			return nil, lang.Errorf("read the embedded recipe %s: %w", name, err)
		}
		// Not linted in every run: TestLibraryIsWithoutMistakes does it.
		r, d := read(data, file)
		if err := d.err(); err != nil {
			return nil, err
		}
		if r.Name != name {
			return nil, lang.Errorf("%s: the recipe calls itself %q", file, r.Name)
		}
		r.Source = embeddedSource
		return r, nil
	}
	names := s.names()
	if onlyEmbedded {
		names = slices.Sorted(maps.Keys(s.embedded))
	}
	e := &NotFoundError{Name: name, Available: names, Locked: s.locked}
	if w, ok := nearest(name, names); ok {
		e.Nearest = w
	}
	return nil, e
}

func twice(name, file, other string) error {
	return lang.Errorf("recipe %s is there twice, as %s and %s; remove one", name, file, other)
}

// file loads a user's file.
func (s *shelf) file(name string) (*Recipe, error) {
	data, err := ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Load(data, name, s.tables)
}

// merge puts what a recipe extends in front of its own requirements. An
// embedded recipe extends only embedded ones, so that a user's file cannot
// change what the program ships under another name. What is wrong with the two together
// goes to d, or is an error where d is nil.
func (s *shelf) merge(r *Recipe, d *document, onlyEmbedded bool, chain []string) (*Recipe, error) {
	if r.Extends == "" {
		return r, nil
	}
	self := r.Source + " " + r.Name
	if slices.Contains(chain, self) || len(chain) >= maxExtends {
		return nil, &InvalidError{Mistakes: []Mistake{{File: r.Source, Message: fmt.Sprintf("extends %s: the recipes extend one another in a circle, or more than %d in a row", r.Extends, maxExtends)}}}
	}
	// "extends" of its own name means the embedded recipe it overrides.
	parent, err := s.one(r.Extends, onlyEmbedded || r.Extends == r.Name)
	if err != nil {
		if d != nil { // which names the place
			return nil, err
		}
		return nil, lang.Errorf("%s extends %s: %w", r.Source, r.Extends, err)
	}
	parent, err = s.merge(parent, nil, onlyEmbedded || parent.Source == embeddedSource, append(chain, self))
	if err != nil {
		return nil, err
	}
	merged := *r
	merged.Requirements = slices.Clone(parent.Requirements)
	moved := make([]int, len(r.Requirements)) // to where in the merged list
	for n, q := range r.Requirements {
		if slices.ContainsFunc(r.Requirements[:n], func(p Requirement) bool { return p.ID == q.ID }) {
			moved[n] = -1 // the second of an id, which is a mistake already
			continue
		}
		moved[n] = len(merged.Requirements)
		if i := slices.IndexFunc(merged.Requirements, func(p Requirement) bool { return p.ID == q.ID }); i >= 0 {
			merged.Requirements[i], moved[n] = q, i
		} else {
			merged.Requirements = append(merged.Requirements, q)
		}
	}
	merged.Artifacts = append(slices.Clone(parent.Artifacts), r.Artifacts...)
	merged.Builds = append(slices.Clone(parent.Builds), r.Builds...)
	if len(parent.Parameters) > 0 {
		merged.Parameters = maps.Clone(parent.Parameters)
		maps.Copy(merged.Parameters, r.Parameters)
	}
	if merged.Verify == nil {
		merged.Verify = parent.Verify
	}
	if merged.Description == "" {
		merged.Description = parent.Description
	}
	// Parameters that came from the parent could not be checked before.
	whole := merged
	whole.Extends = ""
	if d != nil {
		d.together(&whole, s.tables, moved, len(parent.Artifacts), len(parent.Builds))
	} else if err := Lint(&whole, s.tables); err != nil {
		return nil, lang.Errorf("%s, merged with %s: %w", r.Source, r.Extends, err)
	}
	return &merged, nil
}

// together lints a recipe merged with what it extends, and adds the mistakes that are
// not there yet, at their places in the file: its requirements were moved, and its
// artifacts and builds stand behind others.
func (d *document) together(whole *Recipe, tables *Tables, moved []int, artifacts, builds int) {
	there := func(path string) string {
		for prefix, to := range map[string]func(n int) int{
			"$.requirements[": func(n int) int { return moved[n] },
			"$.artifacts[":    func(n int) int { return n + artifacts },
			"$.builds[":       func(n int) int { return n + builds },
		} {
			rest, ok := strings.CutPrefix(path, prefix)
			number, tail, closed := strings.Cut(rest, "]")
			n, err := strconv.Atoi(number)
			if ok && closed && err == nil && (prefix != "$.requirements[" || n < len(moved)) {
				return prefix + strconv.Itoa(to(n)) + "]" + tail
			}
		}
		return path
	}
	m := &document{name: d.name, places: map[string]*token.Position{}, body: true, refused: d.refused}
	for path, pos := range d.places {
		m.places[there(path)] = pos
	}
	for _, path := range d.broken {
		m.broken = append(m.broken, there(path))
	}
	m.lint(func() { lint(whole, tables, m) })
	known := map[Mistake]bool{}
	for _, mistake := range d.mistakes {
		known[mistake] = true
	}
	for _, mistake := range m.mistakes {
		if !known[mistake] {
			d.mistakes = append(d.mistakes, mistake)
		}
	}
}

// hidden reports whether a file is none of the user's own: an editor's lock (.#mine.yaml,
// a link to nowhere) or what macOS keeps beside a file on other drives (._mine.yaml).
func hidden(file string) bool { return strings.HasPrefix(file, ".") }

// ReadFile reads a recipe or table: a regular file, and no more of it than shows that it
// is too long. A pipe or device could hang or never end.
func ReadFile(name string) (data []byte, err error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &unreadable{name, lang.T("it does not exist"), err}
	case err != nil:
		return nil, &unreadable{name, withoutPath(err), err}
	case info.IsDir():
		return nil, &unreadable{name, lang.T("it is a folder"), nil}
	case !info.Mode().IsRegular():
		return nil, &unreadable{name, lang.T("it is not a regular file"), nil}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, &unreadable{name, withoutPath(err), err}
	}
	data, err = io.ReadAll(io.LimitReader(f, MaxFile+1))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, &unreadable{name, withoutPath(err), err}
	}
	return data, nil
}

// unreadable is a file that cannot be read, told in the form of other mistakes.
type unreadable struct {
	file, why string
	cause     error
}

func (e *unreadable) Error() string { return e.file + ": " + e.why }
func (e *unreadable) Unwrap() error { return e.cause }

// withoutPath is what is wrong with a file, without its name.
func withoutPath(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// embeddedFiles maps the names of a folder's files, without extension, to the
// files.
func embeddedFiles(dir string) (map[string]string, error) {
	entries, err := library.ReadDir(dir)
	if err != nil {
		return nil, lang.Errorf("list the embedded library: %w", err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if !e.IsDir() {
			files[strings.TrimSuffix(e.Name(), ".yaml")] = path.Join(dir, e.Name())
		}
	}
	return files, nil
}

// Page returns the page of a requirement or finding id, in Markdown and in the
// language that is set.
func Page(id string) (string, bool) {
	if !idForm.MatchString(id) {
		return "", false
	}
	name := pageName(id) + ".md"
	if lang.Current() == lang.Chinese {
		if data, err := library.ReadFile("pages/zh/" + name); err == nil {
			return string(data), true
		}
	}
	// The embedded file system fails only for a name it does not have.
	data, err := library.ReadFile("pages/" + name)
	return string(data), err == nil
}

// pageName is the page of an id: opencv.shadow, opencv.conflict and their like
// are one finding.
func pageName(id string) string {
	if strings.HasSuffix(id, ".shadow") || strings.HasSuffix(id, ".conflict") {
		return "component.shadow"
	}
	return id
}

// PagePath is where the repository keeps the page of an id; "" when it has none.
func PagePath(id string) string {
	name := "pages/" + pageName(id) + ".md"
	// Stat, not Page: this is asked for every finding, and Page copies the text.
	if _, err := fs.Stat(library, name); err != nil {
		return ""
	}
	return "recipes/" + name
}

// Pages are the ids that have a page, sorted.
func Pages() []string {
	var out []string
	entries, err := library.ReadDir("pages")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".md"); ok { // the translations are in folders
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
