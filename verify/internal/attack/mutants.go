package main

// mutant is an engine that lies in one way.
type mutant struct {
	name string
	spec string // WHEN:WHAT[:NUMBER] of shim.cpp
	what string
	// reason is a pattern of what must be said.
	reason    string
	args, env []string
}

func mutants() []mutant {
	return []mutant{
		{name: "nan", spec: "first:nan", what: "one NaN in the first answer", reason: `NaN`},
		{name: "second-constant", spec: "second:constant:3", what: "3 everywhere for the second input", reason: `for another input, head 0 .* differs`},
		{name: "objectness", spec: "all:objectness:4", what: "one objectness is off by 4", reason: `head 0 .*largest difference 4`},
		{name: "input-scale", spec: "all:input-scale:1.0001", what: "the input is scaled by 1.0001", reason: `all heads are off`},
		{name: "skip", spec: "timed:skip", what: "timed runs give the answer of before at once", reason: `did not do the work`},
	}
}
