package formats

import (
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// markup is HTML that was escaped where it was made: it is written as it is.
type markup string

// render evaluates a template of HTML and escapes what it shows. text/template parses
// it, but its own evaluation is not used, nor html/template's, which rests on it: they
// call methods by names the linker cannot know, so that the program would keep every
// exported method of every type, 3 MB of them. What is evaluated here is what the page
// needs, fields, variables and functions; anything else is an error.
//
// It does not know the places of HTML: actions belong into text and into attributes in
// double quotes, and an address is checked by the function address. TestEscaping
// compares with html/template, which does know them.
func render(text string, funcs map[string]any, data any) (string, error) {
	const name = "page"
	trees, err := parse.Parse(name, text, "", "", funcs)
	if err != nil {
		return "", err
	}
	r := &renderer{out: &strings.Builder{}, trees: trees, funcs: funcs}
	err = r.template(name, data)
	return r.out.String(), err
}

type renderer struct {
	out   *strings.Builder
	trees map[string]*parse.Tree
	funcs map[string]any
	vars  []variable // the innermost last
}

type variable struct {
	name  string
	value any
}

// template evaluates one with variables of its own.
func (r *renderer) template(name string, data any) error {
	inner := *r
	inner.vars = []variable{{"$", data}}
	return inner.list(r.trees[name].Root, data)
}

func (r *renderer) list(l *parse.ListNode, dot any) error {
	if l == nil {
		return nil
	}
	outer := r.vars
	defer func() { r.vars = outer }()
	for _, n := range l.Nodes {
		if err := r.node(n, dot); err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) node(n parse.Node, dot any) error {
	switch n := n.(type) {
	case *parse.TextNode:
		r.out.Write(n.Text)
		return nil
	case *parse.ActionNode:
		v, err := r.pipe(n.Pipe, dot)
		if err == nil && len(n.Pipe.Decl) == 0 {
			r.out.WriteString(escaped(v))
		}
		return err
	case *parse.IfNode:
		return r.branch(&n.BranchNode, dot, func(any) error { return r.list(n.List, dot) })
	case *parse.WithNode:
		return r.branch(&n.BranchNode, dot, func(v any) error { return r.list(n.List, v) })
	case *parse.RangeNode:
		return r.branch(&n.BranchNode, dot, func(v any) error { return r.each(n, v) })
	case *parse.TemplateNode:
		v, err := r.pipe(n.Pipe, dot)
		if err != nil {
			return err
		}
		return r.template(n.Name, v)
	}
	return unknown(n)
}

// branch evaluates a condition, and then what is for a true value, or else.
func (r *renderer) branch(b *parse.BranchNode, dot any, then func(any) error) error {
	outer := r.vars
	defer func() { r.vars = outer }()
	v, err := r.pipe(b.Pipe, dot)
	if err != nil {
		return err
	}
	if truth, _ := template.IsTrue(v); truth {
		return then(v)
	}
	return r.list(b.ElseList, dot)
}

// each evaluates a range's body for every element of a list. Its pipeline has declared
// one variable, the element, or two, the index and the element.
func (r *renderer) each(n *parse.RangeNode, list any) error {
	values, outer := reflect.ValueOf(list), r.vars
	for i := range values.Len() {
		one := values.Index(i).Interface()
		r.vars = outer
		if declared := n.Pipe.Decl; len(declared) > 0 {
			r.vars = append(outer, variable{declared[0].Ident[0], i}, variable{declared[len(declared)-1].Ident[0], one})
		}
		if err := r.list(n.List, one); err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) pipe(p *parse.PipeNode, dot any) (any, error) {
	if len(p.Cmds) != 1 || p.IsAssign {
		return nil, unknown(p)
	}
	args := p.Cmds[0].Args
	v, err := r.value(args[0], args[1:], dot)
	for _, d := range p.Decl {
		r.vars = append(r.vars, variable{d.Ident[0], v})
	}
	return v, err
}

// value is a node's, which only as a function has arguments.
func (r *renderer) value(n parse.Node, args []parse.Node, dot any) (any, error) {
	if f, ok := n.(*parse.IdentifierNode); ok {
		in := make([]reflect.Value, len(args))
		for i, a := range args {
			v, err := r.value(a, nil, dot)
			if err != nil {
				return nil, err
			}
			in[i] = reflect.ValueOf(v)
		}
		return reflect.ValueOf(r.funcs[f.Ident]).Call(in)[0].Interface(), nil
	}
	if len(args) > 0 {
		return nil, unknown(n)
	}
	switch n := n.(type) {
	case *parse.DotNode:
		return dot, nil
	case *parse.StringNode:
		return n.Text, nil
	case *parse.FieldNode:
		return field(dot, n.Ident)
	case *parse.PipeNode:
		return r.pipe(n, dot)
	case *parse.VariableNode:
		for i := len(r.vars) - 1; i >= 0; i-- {
			if r.vars[i].name == n.Ident[0] {
				return field(r.vars[i].value, n.Ident[1:])
			}
		}
	}
	return nil, unknown(n)
}

// field is the value at the end of a path of fields' names.
func field(v any, path []string) (any, error) {
	for _, name := range path {
		of := reflect.Indirect(reflect.ValueOf(v))
		if of.Kind() != reflect.Struct || !of.FieldByName(name).IsValid() {
			return nil, unknown("." + name)
		}
		v = of.FieldByName(name).Interface()
	}
	return v, nil
}

func unknown(what any) error {
	return lang.Errorf("the page's template has %v, which is not known here", what)
}

// escaped is a value as HTML, in text or in an attribute in double quotes, by the
// characters of html/template: a plus sign, too, which a browser that guesses UTF-7
// begins with.
func escaped(v any) string {
	if m, ok := v.(markup); ok {
		return string(m)
	}
	return strings.ReplaceAll(template.HTMLEscapeString(fmt.Sprint(v)), "+", "&#43;")
}
