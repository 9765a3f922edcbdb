//go:build nativeworker

package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// lineage is whose Darknet a library is, as far as it makes a difference here.
type lineage struct {
	name string
	// predict is the function that takes a pointer to the network.
	predict string
	// custom: load_network_custom sets the batch, and joins batch normalization with
	// the convolutions.
	custom bool
	// norm is how a batch normalization keeps from dividing by zero (engine.Answer).
	norm string
	// lacks are what the lineage does not know in a cfg, with the words for it.
	lacks []lack
}

// lack is a line of a section, of any where section is "".
type lack struct {
	section string
	line    *regexp.Regexp
	what    string
}

// trace tells the lineages apart by their functions. network_predict takes a pointer
// in pjreddie's, and a whole structure in AlexeyAB's, where network_predict_ptr came
// in February 2019; get_network_output is AlexeyAB's alone.
func trace(has func(name string) bool) (lineage, error) {
	switch {
	case has("darknet_version_short") && has("network_predict_ptr") && has("load_network_custom"):
		return lineage{name: "hank-ai", predict: "network_predict_ptr", custom: true, norm: forkNorm}, nil
	case has("network_predict_ptr") && has("load_network_custom"):
		return lineage{name: "AlexeyAB", predict: "network_predict_ptr", custom: true, norm: forkNorm}, nil
	case has("load_network_custom"), has("get_network_output"), !has("network_predict"):
		return lineage{}, errors.New("this Darknet lacks the function network_predict_ptr")
	}
	return lineage{name: "pjreddie", predict: "network_predict", norm: darknetNorm, lacks: []lack{
		{"", regexp.MustCompile(`^activation=(mish|swish|hard_mish|norm_chan.*|relu6|revleaky|gelu)$`), "the activation"},
		{"[route]", regexp.MustCompile(`^(groups=.*)$`), "a route with"},
		{"[shortcut]", regexp.MustCompile(`^(from=.*,.*)$`), "a shortcut with"},
	}}, nil
}

// The values of engine.Answer.BatchNorm.
const (
	forkNorm    = "variance+1e-5"
	darknetNorm = "deviation+1e-6"
)

// joined is a cfg for one picture of a size whose result is that of the heads, one
// after the other. What the lineage does not know is an error: it would print a line
// and compute something else.
func joined(text []byte, width, height int, heads []int, l lineage) ([]byte, error) {
	var out strings.Builder
	section, sections := "", 0
	for _, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "[") {
			section = trimmed
			sections++
			out.WriteString(line + "\n")
			if sections == 1 {
				fmt.Fprintf(&out, "batch=1\nsubdivisions=1\nwidth=%d\nheight=%d\n", width, height)
			}
			continue
		}
		plain := strings.Replace(trimmed, " ", "", -1)
		key := strings.SplitN(plain, "=", 2)[0]
		if sections == 1 && (key == "batch" || key == "subdivisions" || key == "width" || key == "height") {
			continue
		}
		for _, k := range l.lacks {
			if m := k.line.FindStringSubmatch(plain); m != nil && (k.section == "" || k.section == section) {
				return nil, fmt.Errorf("the Darknet of %s does not know %s %s", l.name, k.what, m[1])
			}
		}
		out.WriteString(line + "\n")
	}
	fmt.Fprintf(&out, "\n[route]\nlayers=%s\n", strings.Trim(strings.Replace(fmt.Sprint(heads), " ", ",", -1), "[]"))
	return []byte(out.String()), nil
}
