package main

// mutant is an engine that lies in one way.
type mutant struct {
	name string
	spec string // WHEN:WHAT[:NUMBER] of shim.cpp
	what string
	// reason is a pattern of what must be said; "" must pass.
	reason    string
	args, env []string
	timed     bool // it is about time
}

// Reasons that many lies share.
const (
	headOff   = `head \d+ \(layer \d+\) differs by`
	allOff    = `all heads are off`
	notFinite = `holds \d+ NaN and \d+ infinite of`
	secondOff = `for another input, head \d+ \(layer \d+\) differs`
	lastOff   = `in the last timed run, head \d+ \(layer \d+\) differs`
	middleOff = `run 2 of \d+ on the same input differs`
	wrongSize = `has the shape \[.*\] instead of`
)

func mutants() []mutant {
	var list []mutant
	for _, part := range [][]mutant{numbers(), stales(), shapes(), elements(), precisions(), inputs(), decodings(), networks(), deaths(), targets()} {
		list = append(list, part...)
	}
	return list
}

// numbers are lies about whole answers.
func numbers() []mutant {
	return []mutant{
		{name: "nan-first", spec: "first:nan", what: "one NaN in the first answer", reason: notFinite},
		{name: "nan-second", spec: "second:nan", what: "one NaN for the second input", reason: `for another input, head \d+ .* holds 1 NaN`},
		{name: "nan-timed", spec: "timed:nan", what: "one NaN in every timed run", reason: `run 2 of \d+ on the same input gave NaN`},
		{name: "nan-middle", spec: "middle:nan", what: "one NaN in one timed run", reason: `run 2 of \d+ on the same input gave NaN`},
		{name: "nan-last", spec: "last:nan", what: "one NaN in the last timed run", reason: `in the last timed run, head \d+ .* holds 1 NaN`},
		{name: "nans", spec: "all:nans", what: "nothing but NaN", reason: notFinite},
		{name: "inf", spec: "all:inf", what: "one infinite value", reason: `holds 0 NaN and 1 infinite`},
		{name: "inf-second", spec: "second:-inf", what: "one value of minus infinity for the second input", reason: `holds 0 NaN and 1 infinite`},
		{name: "constant", spec: "all:constant:3", what: "3 everywhere", reason: `one and the same value everywhere`},
		{name: "constant-second", spec: "second:constant:3", what: "3 everywhere for the second input", reason: secondOff},
		{name: "constant-timed", spec: "timed:constant:3", what: "3 everywhere in timed runs", reason: middleOff},
		{name: "zeros", spec: "all:constant:0", what: "zeros", reason: `one and the same value everywhere`},
		{name: "zeros-later", spec: "later:constant:0", what: "zeros in all passes but the first", reason: secondOff},
		{name: "scale-0.01%", spec: "all:scale:1.0001", what: "the answer times 1.0001", reason: allOff},
		{name: "scale-1%", spec: "all:scale:1.01", what: "the answer times 1.01", reason: `times 1\.01`},
		{name: "scale-second", spec: "second:scale:1.0001", what: "the second answer times 1.0001", reason: secondOff},
		{name: "scale-last", spec: "last:scale:1.0001", what: "the answer of the last timed run times 1.0001", reason: lastOff},
		{name: "scale-timed", spec: "timed:scale:1.01", what: "the answers of timed runs times 1.01", reason: middleOff},
		{name: "scale-repeat", spec: "repeat:scale:1.0001", what: "the first input, given again, times 1.0001", reason: `between two runs on one input`},
		{name: "scale-one-head", spec: "all:one-head-scale:1.001", what: "one head times 1.001", reason: `only head 0 is off`},
		{name: "offset", spec: "all:offset:0.001", what: "0.001 added everywhere", reason: headOff},
		{name: "offset-1", spec: "all:offset:1", what: "1 added everywhere", reason: allOff},
		{name: "noise", spec: "all:noise:0.0001", what: "noise of 0.01 %, other in each run", reason: headOff},
		{name: "noise-timed", spec: "timed:noise:0.0001", what: "noise of 0.01 % in timed runs", reason: middleOff},
		{name: "drift", spec: "timed:drift:0.0001", what: "each timed run is 0.01 % above the one before", reason: lastOff},
		{name: "clip", spec: "all:clip:2", what: "values above 2 become 2", reason: headOff},
		{name: "relu", spec: "all:relu", what: "negative values become 0", reason: headOff},
		{name: "sigmoid", spec: "all:sigmoid", what: "the logistic function applied to raw heads", reason: allOff},
		{name: "negate", spec: "all:negate", what: "the sign exchanged", reason: `times -1`},
	}
}

// large makes the network so large that work which is skipped shows on a busy
// machine, too.
var large = []string{"--size", "416"}

// stales are answers to other questions.
func stales() []mutant {
	return []mutant{
		{name: "stale", spec: "all:stale", what: "the answer to the input before", reason: `the same for two different inputs`},
		{name: "stale-second", spec: "second:stale", what: "the second input gets the first one's answer", reason: `the same for two different inputs`},
		{name: "stale-repeat", spec: "repeat:stale", what: "the first input, given again, gets the second one's answer", reason: `between two runs on one input`},
		{name: "stale-half", spec: "second:half-stale", what: "half of each head is the first input's", reason: secondOff},
		{name: "stale-head", spec: "second:stale-head", what: "one head is the first input's", reason: `head 0 .* the same for two different inputs`},
		{name: "stale-one", spec: "second:stale-one", what: "one value is the first input's", reason: secondOff},
		{name: "stale-tile", spec: "second:stale-tile", what: "a corner of one head is the first input's", reason: secondOff},
		{name: "input-kept", spec: "second:input-first", what: "the second input is not read", reason: `the same for two different inputs`},
		{name: "skip-timed", spec: "timed:skip", what: "timed runs give the answer of before at once", reason: `did not do the work`, args: large, timed: true},
		{name: "skip-all", spec: "all:skip", what: "every input is computed once only", reason: `did not do the work`, args: large, timed: true},
	}
}

// shapes are answers of another form or order.
func shapes() []mutant {
	return []mutant{
		{name: "heads-exchanged", spec: "all:exchange-heads", what: "the two heads exchanged", reason: wrongSize},
		{name: "heads-exchanged-second", spec: "second:exchange-heads", what: "the two heads exchanged for the second input", reason: wrongSize},
		{name: "head-missing", spec: "all:missing-head", what: "one output less", reason: `asked for 4 layers, got 3`},
		{name: "head-empty", spec: "all:empty-head", what: "an empty head", reason: `read (head 0|layer conv_13)`},
		{name: "head-short", spec: "all:short-head", what: "a head without its last channel", reason: wrongSize},
		{name: "head-flat", spec: "all:flat-head", what: "a head of one dimension", reason: wrongSize},
		{name: "double", spec: "all:double-heads", what: "heads of double precision", reason: `read (head 0|layer conv_13)`},
		{name: "half-type", spec: "all:half-heads", what: "heads of half precision", reason: `its output cannot be read`},
		{name: "integer", spec: "all:integer-heads", what: "heads of integers", reason: `read (head 0|layer conv_13)`},
		{name: "transpose", spec: "all:transpose", what: "height and width exchanged", reason: `height and width exchanged`},
		{name: "channels-last", spec: "all:channels-last", what: "channels last in memory", reason: `channels last`},
		{name: "mirror", spec: "all:mirror", what: "left and right exchanged", reason: allOff},
		{name: "upside-down", spec: "all:upside-down", what: "top and bottom exchanged", reason: allOff},
		{name: "channels-reversed", spec: "all:reverse-channels", what: "the channels in reverse", reason: allOff},
		{name: "channels-exchanged", spec: "all:exchange-channels", what: "x and y exchanged in one anchor", reason: headOff},
		{name: "channels-exchanged-one", spec: "all:exchange-channels-one", what: "x and y exchanged in one anchor of one head", reason: `head 1 .* differs by`},
		{name: "anchors-exchanged", spec: "all:anchors", what: "two anchors exchanged", reason: headOff},
		{name: "roll", spec: "all:roll", what: "all values one place on", reason: allOff},
		{name: "edge", spec: "all:edge:1.0001", what: "the last column of cells times 1.0001", reason: headOff},
		{name: "channel-zero", spec: "all:channel-zero", what: "one channel is zero", reason: headOff},
		{name: "row-zero", spec: "all:row-zero", what: "the first row of cells is zero", reason: headOff},
		{name: "row-zero-last", spec: "last:row-zero", what: "the same in the last timed run", reason: lastOff},
	}
}

// elements are errors of single values.
func elements() []mutant {
	return []mutant{
		{name: "objectness-4", spec: "all:objectness:4", what: "one objectness is off by 4", reason: `largest difference 4,`},
		{name: "objectness-0.5", spec: "all:objectness:0.5", what: "one objectness is off by 0.5", reason: `largest difference 0\.5,`},
		{name: "objectness-0.001", spec: "all:objectness:0.001", what: "one objectness is off by 0.001", reason: `largest difference 0\.001,`},
		{name: "objectness-first", spec: "first:objectness:-4", what: "one objectness is off by -4 in the first answer", reason: `largest difference 4,`},
		{name: "objectness-second", spec: "second:objectness:0.5", what: "one objectness is off by 0.5 for the second input", reason: secondOff},
		{name: "objectness-middle", spec: "middle:objectness:0.5", what: "one objectness is off by 0.5 in one timed run", reason: middleOff},
		{name: "objectness-middle-0.001", spec: "middle:objectness:0.001", what: "one objectness is off by 0.001 in one timed run", reason: `run 2 of \d+ on the same input differs by 0\.001 in one value`},
		{name: "objectness-last", spec: "last:objectness:0.5", what: "one objectness is off by 0.5 in the last timed run", reason: lastOff},
		{name: "objectness-repeat", spec: "repeat:objectness:0.001", what: "one objectness is off by 0.001 when the first input is given again", reason: `between two runs on one input`},
		{name: "class", spec: "all:class:0.5", what: "one class score is off by 0.5", reason: `largest difference 0\.5,`},
		{name: "class-second", spec: "second:class:0.01", what: "one class score is off by 0.01 for the second input", reason: secondOff},
		{name: "box-x", spec: "all:box-x:0.01", what: "one box is moved a little", reason: `largest difference 0\.01,`},
		{name: "box-w", spec: "all:box-w:0.01", what: "one box is a little wider", reason: `largest difference 0\.01,`},
		{name: "negated-one", spec: "all:negate-one", what: "one value's sign exchanged", reason: headOff},
		{name: "exchanged-two", spec: "all:exchange-two", what: "two values exchanged", reason: headOff},
		{name: "box-dropped", spec: "all:drop-box", what: "the strongest box dropped", reason: `of the reference's boxes are not found`},
		{name: "box-added", spec: "all:add-box", what: "a box added", reason: `found that the reference does not have`},
		{name: "box-dropped-second", spec: "second:drop-box", what: "the strongest box of the second input dropped", reason: secondOff},
		{name: "box-dropped-last", spec: "last:drop-box", what: "the strongest box dropped in the last timed run", reason: lastOff},
	}
}

// precisions are results of another precision than the one asked for.
func precisions() []mutant {
	return []mutant{
		{name: "half", spec: "all:half", what: "results rounded to half precision", reason: `fits in half precision`},
		{name: "bfloat16", spec: "all:bfloat", what: "results rounded to bfloat16", reason: `fits in bfloat16`},
		{name: "half-hidden", spec: "all:half-noise", what: "half precision, with noise in the bits that it lacks", reason: `reduced precision`},
		{name: "half-second", spec: "second:half", what: "half precision for the second input", reason: secondOff},
		{name: "half-timed", spec: "timed:half", what: "half precision in timed runs", reason: middleOff},
		{name: "half-last", spec: "last:half", what: "half precision in the last timed run", reason: lastOff},
		{name: "tf32", spec: "all:input-half", what: "an input rounded to half precision (as TF32 does)", reason: `reduced precision`},
		{name: "int8", spec: "all:int8", what: "results of eight bits", reason: headOff},
	}
}

// inputs are other inputs than those given.
func inputs() []mutant {
	return []mutant{
		{name: "input-scale-0.01%", spec: "all:input-scale:1.0001", what: "the input times 1.0001", reason: allOff},
		{name: "input-scale-1%", spec: "all:input-scale:1.01", what: "the input times 1.01", reason: allOff},
		{name: "input-255", spec: "all:input-scale:255", what: "the input in 0…255", reason: `its input is not scaled`},
		{name: "input-scale-second", spec: "second:input-scale:1.0001", what: "the second input times 1.0001", reason: secondOff},
		{name: "input-scale-timed", spec: "timed:input-scale:1.01", what: "the input times 1.01 in timed runs", reason: middleOff},
		{name: "input-scale-last", spec: "last:input-scale:1.01", what: "the input times 1.01 in the last timed run", reason: lastOff},
		{name: "input-offset", spec: "all:input-offset:0.001", what: "0.001 added to the input", reason: allOff},
		{name: "input-bgr", spec: "all:input-reverse-channels", what: "BGR where RGB is given", reason: `red and blue are exchanged`},
		{name: "input-bgr-second", spec: "second:input-reverse-channels", what: "BGR for the second input", reason: `the same for two different inputs`},
		{name: "input-transpose", spec: "all:input-transpose", what: "height and width of the input exchanged", reason: allOff},
		{name: "input-mirror", spec: "all:input-mirror", what: "a mirrored input", reason: allOff},
		{name: "input-roll", spec: "all:input-roll", what: "the input one pixel on", reason: allOff},
		{name: "input-lower", spec: "all:input-lower", what: "the input one row lower, as a letterbox that is off by one pixel", reason: allOff},
		{name: "input-bytes", spec: "all:input-bytes", what: "the input rounded to bytes", reason: allOff},
		{name: "input-pixel", spec: "all:input-pixel:0.5", what: "one value of one pixel changed", reason: headOff},
		{name: "input-black", spec: "all:input-constant:0", what: "a black input", reason: allOff},
	}
}

// decodings are right heads with wrong boxes.
func decodings() []mutant {
	const off = `its raw head is right but its own decoding is off in `
	return []mutant{
		{name: "rows-objectness", spec: "all:rows-objectness:0.1", what: "one decoded objectness is off by 0.1", reason: off + `objectness`},
		{name: "rows-size", spec: "all:rows-size:1.1", what: "one decoded width is off by 10 %", reason: off + `size`},
		{name: "rows-class", spec: "all:rows-class:0.5", what: "one decoded class score is off by 0.5", reason: off + `class`},
		{name: "rows-reversed", spec: "all:rows-reversed", what: "the decoded boxes in reverse", reason: off + `place`},
		{name: "rows-nms", spec: "all:rows-nms", what: "the strongest box suppressed, as if boxes were thinned twice", reason: off + `class`},
		{name: "rows-pixels", spec: "all:rows-scale:128", what: "boxes in pixels instead of parts of the input", reason: off + `place`},
		{name: "rows-transposed", spec: "all:rows-transposed", what: "the cells of the grid column by column", reason: off + `place`},
		{name: "rows-sigmoid", spec: "all:rows-sigmoid", what: "the logistic function applied twice to objectness", reason: off + `objectness`},
		{name: "rows-inf", spec: "all:rows-inf", what: "an infinite width", reason: off + `size`},
		{name: "rows-second", spec: "second:rows-objectness:0.1", what: "one decoded objectness is off by 0.1 for the second input", reason: `for another input, layer 14: its own decoding .* objectness`},
		{name: "rows-middle", spec: "middle:rows-objectness:0.1", what: "the same in one timed run", reason: `run 2 of \d+ on the same input gave other boxes`},
		{name: "rows-last", spec: "last:rows-class:0.5", what: "one decoded class score is off by 0.5 in the last timed run", reason: `in the last timed run, layer 14: its own decoding .* class`},
		{name: "rows-repeat", spec: "repeat:rows-size:1.1", what: "one decoded width is off by 10 % when the first input is given again", reason: `given again, layer 14: its own decoding .* size`},
		{name: "rows-nan", spec: "all:rows-nan", what: "a NaN among the decoded boxes", reason: off + `place`},
	}
}

// networks are other networks than the one asked for.
func networks() []mutant {
	return []mutant{
		{name: "weights-half", spec: "all:weights-half", what: "weights rounded to half precision", reason: `reduced precision`},
		{name: "weights-bfloat16", spec: "all:weights-bfloat", what: "weights rounded to bfloat16", reason: `reduced precision`},
		{name: "weights-scale", spec: "all:weights-scale:1.0001", what: "weights times 1.0001", reason: allOff},
		{name: "weights-one", spec: "all:weights-one", what: "the sign of one weight exchanged", reason: headOff},
		{name: "weights-int8", spec: "all:weights-int8", what: "weights rounded to 8 bits", reason: headOff},
		{name: "weights-epsilon", spec: "all:weights-epsilon:0.001", what: "a batch-norm epsilon of 1e-3 in one layer", reason: allOff},
		{name: "weights-shift", spec: "all:weights-shift", what: "weights read one value too late", reason: `head`},
		{name: "cfg-activation", spec: "all:cfg-activation", what: "another activation in the first layer", reason: allOff},
		{name: "cfg-shortcut", spec: "all:cfg-shortcut", what: "a shortcut from another layer", reason: `head|load`},
		{name: "cfg-anchors", spec: "all:cfg-anchors", what: "an anchor of 33 instead of 30", reason: `decoding is off in size`},
		{name: "cfg-mask", spec: "all:cfg-mask", what: "the anchors of another head", reason: `decoding is off in size`},
		{name: "cfg-logistic", spec: "all:cfg-logistic", what: "a logistic activation in a head", reason: `only head 0 is off`},
		{name: "net-empty", spec: "all:empty-net", what: "an empty network", reason: `empty network`},
	}
}

// deaths are engines that do not come to an answer.
func deaths() []mutant {
	return []mutant{
		{name: "abort", spec: "all:abort", what: "calls abort()", reason: `abort|SIGABRT`},
		{name: "abort-last", spec: "last:abort", what: "calls abort() in the last timed run", reason: `abort|SIGABRT`},
		{name: "crash", spec: "all:crash", what: "writes to address 0", reason: `crash|SIGSEGV|segmentation|invalid memory`},
		{name: "trap", spec: "all:trap", what: "an illegal instruction", reason: `instruction`},
		{name: "exit-0", spec: "all:exit", what: "ends with exit code 0", reason: `ended without an answer`},
		{name: "exit-3", spec: "all:exit-3", what: "ends with exit code 3", reason: `ended with status 3`},
		{name: "hang", spec: "second:hang", what: "never ends", reason: `gave no answer within 4s`, args: []string{"--limit", "4s"}},
		{name: "exception", spec: "all:throw", what: "throws a C++ exception", reason: `the forward pass failed`},
		{name: "exception-second", spec: "second:throw", what: "throws a C++ exception for the second input", reason: `the forward pass failed`},
		{name: "no-memory", spec: "all:no-memory", what: "throws std::bad_alloc", reason: `memory|bad_alloc`},
		{name: "noise-on-stdout", spec: "all:print", what: "prints JSON and a build log to standard output; the answer is right"},
		{name: "noise-and-lie", spec: "all:print-and-lie:0.5", what: "prints the same, and one objectness is off by 0.5", reason: `largest difference 0\.5,`},
	}
}

// wholes are lies about the whole of YOLOv3 with the weights that deployctl
// brings along: each head is 255 channels, the work 66 GFLOP.
func wholes() []mutant {
	return []mutant{
		{name: "full-objectness", spec: "all:objectness:0.01", what: "one objectness is off by 0.01", reason: `largest difference 0\.01,`},
		{name: "full-stale-second", spec: "second:stale", what: "the second input gets the first one's answer", reason: `the same for two different inputs`},
		{name: "full-nan-last", spec: "last:nan", what: "one NaN in the last timed run", reason: `in the last timed run, head \d+ .* holds 1 NaN`},
		{name: "full-heads-exchanged", spec: "all:exchange-heads", what: "two heads exchanged", reason: wrongSize},
		{name: "full-half-hidden", spec: "all:half-noise", what: "half precision, with noise in the bits that it lacks", reason: `reduced precision`},
		{name: "full-skip", spec: "timed:skip", what: "timed runs give the answer of before at once", reason: `did not do the work`, timed: true},
		{name: "full-box-dropped", spec: "all:drop-box", what: "the strongest box dropped", reason: `of the reference's boxes are not found`},
		{name: "full-rows-second", spec: "second:rows-objectness:0.1", what: "one decoded objectness is off by 0.1 for the second input", reason: `for another input, layer 82: its own decoding .* objectness`},
	}
}

// openCL makes OpenCV accept PoCL, which runs on the processor.
var openCL = []string{"OPENCV_OPENCL_DEVICE=:CPU:", "OPENCV_DNN_OPENCL_ALLOW_ALL_DEVICES=1"}

// targets are other processors than the one asked for.
func targets() []mutant {
	return []mutant{
		{name: "cuda-claimed", spec: "all:claim-cuda", what: "claims CUDA on a machine without it", reason: `CUDA cannot be used`, args: []string{"--target", "cuda"}},
		{name: "opencl-on-cpu", spec: "all:target-cpu", what: "runs on the processor where OpenCL was asked for", reason: `opencl was not used`, args: []string{"--target", "opencl"}, env: openCL},
		{name: "opencl-claimed", spec: "all:target-lie", what: "the same, and says that its layers ran on OpenCL", reason: `to the last bit`, args: []string{"--target", "opencl"}, env: openCL},
		{name: "opencl-wrong", spec: "all:objectness:0.5", what: "one objectness is off by 0.5 on OpenCL", reason: `largest difference 0\.5,`, args: []string{"--target", "opencl"}, env: openCL},
	}
}
