package recipes

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Limits on a recipe or table file. They are far above what a file needs and
// keep a hostile one from costing more than a moment.
const (
	// MaxFile is the most bytes of one file.
	MaxFile = 256 << 10
	// maxDepth is how deeply lists and mappings may nest; the format needs 5.
	maxDepth = 16
	// maxMistakes ends the list of mistakes; beyond it nobody reads on.
	maxMistakes = 100
)

// Mistake is one thing wrong in a recipe or table file.
type Mistake struct {
	// File is the name the file was loaded under, Line and Column count from 1;
	// Line is 0 when the mistake has no place in a file.
	File         string
	Line, Column int
	Message      string
}

func (m Mistake) String() string {
	switch {
	case m.Line > 0:
		return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
	case m.File != "":
		return m.File + ": " + m.Message
	}
	return m.Message
}

// InvalidError is what loading a bad recipe or table gives: every mistake that
// was found, in the order of the file.
type InvalidError struct {
	Mistakes []Mistake
}

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

// document is a parsed file with the place of every value, so that the linter,
// which sees Go values, can name line and column.
type document struct {
	name     string
	places   map[string]*token.Position // $.requirements[2].id
	mistakes []Mistake
	// body: the syntax is right, so there are values to look at.
	body bool
	// broken are the paths whose value could not be read. What the linter says of them,
	// and of what lacks them, would only repeat that.
	broken  []string
	linting bool
	// refused are the places of tokens that the format does not use.
	refused map[token.Position]bool
	said    int // mistakes, those included that repeat another
}

// lint has the linter look at the values. It sees those beside a broken one, too: all
// mistakes are reported at once.
func (d *document) lint(look func()) {
	if !d.body {
		return
	}
	d.linting = true
	look()
	d.linting = false
}

// damaged reports whether a value at the path, or below it, could not be read.
func (d *document) damaged(path string) bool {
	return slices.ContainsFunc(d.broken, func(b string) bool { return within(b, path) })
}

// within reports whether a path is another one or below it.
func within(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// repeats reports whether a mistake at the path comes of a value that could not be read:
// this one, one around it, or one directly in it.
func (d *document) repeats(path string) bool {
	return slices.ContainsFunc(d.broken, func(b string) bool {
		return within(path, b) || b[:max(0, strings.LastIndexAny(b, ".["))] == path
	})
}

// at records a mistake at the place of a path, or of its nearest parent that
// has one. The format is one of the catalog.
func (d *document) at(path, format string, args ...any) {
	if d.linting && d.repeats(path) {
		return
	}
	for {
		if pos, ok := d.places[path]; ok {
			d.pos(pos, format, args...)
			return
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut <= 0 {
			d.pos(nil, format, args...)
			return
		}
		path = path[:cut]
	}
}

func (d *document) pos(pos *token.Position, format string, args ...any) {
	d.said++
	if pos != nil && d.refused[at(pos)] {
		return
	}
	m := Mistake{File: d.name, Message: lang.F(format, args...)}
	if pos != nil {
		m.Line, m.Column = pos.Line, pos.Column
	}
	d.mistakes = append(d.mistakes, m)
}

// at is a position by line and column alone.
func at(pos *token.Position) token.Position {
	return token.Position{Line: pos.Line, Column: pos.Column}
}

// refuse records a token that the format does not use, and goes on.
func (d *document) refuse(pos *token.Position, format string, args ...any) {
	d.pos(pos, format, args...)
	if d.refused == nil {
		d.refused = map[token.Position]bool{}
	}
	d.refused[at(pos)] = true
}

// err gives the mistakes in file order, or nil when there are none.
func (d *document) err() error {
	if len(d.mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(d.mistakes, func(a, b Mistake) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	list := slices.Compact(d.mistakes)
	if len(list) > maxMistakes {
		more := len(list) - maxMistakes
		list = append(list[:maxMistakes:maxMistakes], Mistake{File: d.name, Message: lang.F("and %d more mistakes", more)})
	}
	return &InvalidError{Mistakes: list}
}

// decode reads one YAML document into the struct that into points to. Unknown
// and repeated keys, values of another shape, anchors, aliases, tags and merge
// keys are mistakes: the file says what it says at the place where it says it,
// and no alias can blow it up.
//
// It walks the syntax tree itself instead of letting the YAML library fill the
// struct: the library stops at the first mistake, knows no nearest word, and
// reads version 4.10 written without quotes as a number.
func decode(data []byte, name string, into any) *document {
	d := &document{name: name, places: map[string]*token.Position{}}
	if len(data) > MaxFile {
		d.pos(nil, "%d bytes: a file may have at most %d", len(data), MaxFile)
		return d
	}
	if i := slices.Index(data, 0); i >= 0 {
		d.pos(nil, "this is not a text file: byte %d is zero", i)
		return d
	}
	tokens := lexer.Tokenize(string(data))
	if !d.plain(tokens) {
		return d
	}
	if text, ok := untagged(string(data), tokens); ok {
		tokens = lexer.Tokenize(text)
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var located yaml.Error
		if errors.As(err, &located) && located.GetToken() != nil {
			d.pos(located.GetToken().Position, "%s", located.GetMessage())
		} else {
			d.pos(nil, "%v", err)
		}
		return d
	}
	var body ast.Node
	only := true
	for _, doc := range file.Docs {
		if doc == nil || doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			d.pos(doc.Body.GetToken().Position, "a second document begins here; a file has one")
			only = false // half a file lacks what is in the other half
			break
		}
		body = doc.Body
	}
	if body == nil {
		d.pos(nil, "the file is empty")
		return d
	}
	d.body = only
	d.value(body, reflect.ValueOf(into).Elem(), "$", 0)
	return d
}

// untagged blanks out the tags, which are mistakes already: the parser stops at one in
// front of a list, and what follows would stay unread.
func untagged(text string, tokens token.Tokens) (string, bool) {
	var lines []string
	for _, t := range tokens {
		if t.Type != token.TagType {
			continue
		}
		if lines == nil {
			lines = strings.Split(text, "\n")
		}
		line, from := t.Position.Line-1, t.Position.Column-1
		if line >= len(lines) {
			continue
		}
		runes, tag := []rune(lines[line]), []rune(t.Value)
		if to := from + len(tag); to <= len(runes) && string(runes[from:to]) == t.Value {
			lines[line] = string(runes[:from]) + strings.Repeat(" ", len(tag)) + string(runes[to:])
		}
	}
	return strings.Join(lines, "\n"), lines != nil
}

// plain refuses, before the parser sees them, tokens the format does not use
// and nesting that could exhaust the parser's stack.
func (d *document) plain(tokens token.Tokens) bool {
	depth, line, onLine := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, onLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			d.refuse(t.Position, "anchors, aliases and merge keys are not part of the format; repeat the value, or use extends")
		case token.TagType, token.DirectiveType, token.MappingKeyType:
			d.refuse(t.Position, "%q: tags, directives and complex keys are not part of the format; quote it if it is text", t.Value)
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			onLine++
		}
		if depth > maxDepth || onLine > maxDepth {
			d.pos(t.Position, "nested more than %d deep", maxDepth)
			return false
		}
	}
	return true
}

// value fills v from a node.
func (d *document) value(n ast.Node, v reflect.Value, path string, depth int) {
	said, broken := d.said, len(d.broken)
	d.fill(n, v, path, depth)
	if d.said > said && len(d.broken) == broken {
		d.broken = append(d.broken, path)
	}
}

func (d *document) fill(n ast.Node, v reflect.Value, path string, depth int) {
	if n == nil || n.GetToken() == nil {
		d.at(path, "a value is missing")
		return
	}
	pos := place(n)
	if _, ok := d.places[path]; !ok {
		d.places[path] = pos
	}
	if depth > maxDepth {
		d.pos(pos, "nested more than %d deep", maxDepth)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if n.Type() == ast.NullType {
		d.at(path, "a value is missing")
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		text, ok := scalar(n)
		if !ok {
			d.pos(pos, "expected one word or number, found %s", shape(n))
			return
		}
		if err := u.UnmarshalText([]byte(text)); err != nil {
			d.pos(pos, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path, depth)
	case reflect.Map:
		pairs, ok := mapping(n)
		if !ok {
			d.pos(pos, "expected keys with values, found %s", shape(n))
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for _, p := range pairs {
			key := keyOf(p)
			d.places[path+"."+key] = p.Key.GetToken().Position
			if v.MapIndex(reflect.ValueOf(key)).IsValid() {
				d.pos(p.Key.GetToken().Position, "%q is here a second time", key)
				d.broken = append(d.broken, path+"."+key)
				continue
			}
			item := reflect.New(v.Type().Elem()).Elem()
			d.value(p.Value, item, path+"."+key, depth+1)
			v.SetMapIndex(reflect.ValueOf(key), item)
		}
	case reflect.Slice:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.pos(pos, "expected a list, found %s", shape(n))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
		for i, item := range seq.Values {
			d.value(item, v.Index(i), path+"["+strconv.Itoa(i)+"]", depth+1)
		}
	default:
		d.scalar(n, v)
	}
}

func (d *document) structure(n ast.Node, v reflect.Value, path string, depth int) {
	pairs, ok := mapping(n)
	if !ok {
		d.pos(place(n), "expected keys with values, found %s", shape(n))
		return
	}
	fields := map[string]int{}
	var known []string
	var packages reflect.Value // of a fix: one key for each package manager
	for i := range v.NumField() {
		if v.Type().Field(i).Type == reflect.TypeFor[PackageSet]() {
			packages = v.Field(i)
			for _, m := range managers {
				fields[m.Name] = i
				known = append(known, m.Name)
			}
			continue
		}
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if key != "" && key != "-" {
			fields[key] = i
			known = append(known, key)
		}
	}
	seen, there := map[string]bool{}, map[string]bool{}
	for _, p := range pairs {
		there[keyOf(p)] = true
	}
	for _, p := range pairs {
		key, pos := keyOf(p), p.Key.GetToken().Position
		i, ok := fields[key]
		switch {
		case !ok:
			d.pos(pos, "unknown key %q%s", key, suggest(key, known))
			d.broken = append(d.broken, path+"."+key)
			meant, ok := nearest(key, known)
			if !ok {
				continue
			}
			if there[meant] {
				d.broken = append(d.broken, path+"."+meant)
				continue
			}
			// Read as what it was meant to be: the mistakes in it are reported, too.
			key, i, there[meant] = meant, fields[meant], true
		case seen[key]:
			d.pos(pos, "%q is here a second time", key)
			d.broken = append(d.broken, path+"."+key)
			continue
		}
		seen[key] = true
		d.places[path+"."+key] = pos
		if p.Value != nil && p.Value.GetToken() != nil && p.Value.Type() != ast.NullType {
			if _, ok := scalar(p.Value); ok {
				d.places[path+"."+key] = p.Value.GetToken().Position
			}
		}
		if packages.IsValid() && v.Type().Field(i).Type == packages.Type() {
			var names []string
			d.value(p.Value, reflect.ValueOf(&names).Elem(), path+"."+key, depth+1)
			if packages.IsNil() {
				packages.Set(reflect.ValueOf(PackageSet{}))
			}
			packages.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(names))
			continue
		}
		d.value(p.Value, v.Field(i), path+"."+key, depth+1)
	}
}

func (d *document) scalar(n ast.Node, v reflect.Value) {
	pos := place(n)
	text, ok := scalar(n)
	if !ok {
		d.pos(pos, "expected one word or number, found %s", shape(n))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.pos(pos, "expected true or false, found %q", text)
			return
		}
		v.SetBool(b.Value)
	case reflect.Int:
		i, err := strconv.Atoi(text)
		if err != nil {
			d.pos(pos, "expected a whole number, found %q", text)
			return
		}
		v.SetInt(int64(i))
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f < 0 || f > 1e15 {
			d.pos(pos, "expected a number of at least 0, found %q", text)
			return
		}
		v.SetFloat(f)
	default:
		// Only a new field of an unsupported type in the Go structs gets here.
		d.pos(pos, "deployctl cannot read a %s here", v.Type())
	}
}

// mapping returns the pairs of a mapping with one or more keys.
func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// keyOf gives a key's text.
func keyOf(p *ast.MappingValueNode) string {
	if text, ok := scalar(p.Key); ok {
		return text
	}
	return p.Key.GetToken().Value
}

// scalar gives the text of a word or number as the file spells it, so that
// 4.10 stays 4.10.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(n.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NanNode, *ast.InfinityNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// place is where a node begins. The library's own token of a mapping without
// braces is its first colon.
func place(n ast.Node) *token.Position {
	if m, ok := n.(*ast.MappingNode); !ok || !m.IsFlowStyle {
		if pairs, ok := mapping(n); ok && len(pairs) > 0 {
			return pairs[0].Key.GetToken().Position
		}
	}
	return n.GetToken().Position
}

// shape names what a node is, for messages.
func shape(n ast.Node) string {
	if _, ok := mapping(n); ok {
		return lang.T("keys with values")
	}
	if _, ok := n.(*ast.SequenceNode); ok {
		return lang.T("a list")
	}
	if text, ok := scalar(n); ok {
		if len(text) > 40 {
			text = text[:40] + "…"
		}
		return strconv.Quote(text)
	}
	return strings.ToLower(n.Type().String())
}
