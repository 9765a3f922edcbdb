package pipeline

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/darknet"
)

// plain is a network without what pjreddie's Darknet does not know.
var plain = strings.NewReplacer("activation=mish", "activation=leaky", "activation=swish", "activation=leaky", `[route]
layers=-1
groups=2
group_id=1
`, "").Replace(odd)

// TestDarknet runs a small network through a real libdarknet.
func TestDarknet(t *testing.T) {
	const (
		begin   = "void *make_yolo_layer(void) { return 0; } int network_width(void *n) { return 96; }\n"
		network = "int net; void *load_network(char *c, char *w, int clear) { return &net; }\n"
	)
	n := native{
		name: "darknet", library: libraryHere(t, "DEPLOYCTL_TEST_DARKNET", darknet.Spec()), make: darknet.New,
		config: plain, reads: engine.Darknet, limit: 1e-5,
		more: map[string]wrong{
			"heads in another order": {func(j engine.Job) (engine.Job, error) {
				j.Heads[0], j.Heads[1] = j.Heads[1], j.Heads[0]
				return j, nil
			}, "has the shape"},
			"no shapes":  {func(j engine.Job) (engine.Job, error) { j.Shapes = nil; return j, nil }, "without the shapes"},
			"no weights": {func(j engine.Job) (engine.Job, error) { j.Weights += "x"; return j, nil }, "read the weights"},
			"no cfg":     {func(j engine.Job) (engine.Job, error) { j.Config += "x"; return j, nil }, "read the network"},
		},
		stubs: map[string]struct{ library, why string }{
			"another library":       {stub(t, "other", "int other;\n"), "is not Darknet"},
			"older than YOLOv3":     {stub(t, "old", network), "lacks the function make_yolo_layer"},
			"AlexeyAB's of 2018":    {stub(t, "fork", begin+network+"int load_network_custom, network_predict;\n"), "lacks the function network_predict_ptr"},
			"no network":            {stub(t, "none", begin+"void *load_network(char *c, char *w, int clear) { return 0; } int network_predict;\n"), "did not load the network"},
			"another size":          {stub(t, "size", begin+network+"int network_predict; int network_outputs(void *n) { return 7; }\n"), "network_outputs is 7"},
			"no result":             {stub(t, "result", begin+network+"float *network_predict(void *n, float *x) { return 0; }\n"), "gave no result"},
			"an exit":               {stub(t, "exit", "#include <stdlib.h>\n"+begin+"void *load_network(char *c, char *w, int clear) { exit(0); } int network_predict;\n"), "ended without an answer"},
			"an instruction":        {stub(t, "trap", begin+network+"float *network_predict(void *n, float *x) { __builtin_trap(); }\n"), "instruction"},
			"a crash":               {stub(t, "crash", begin+network+"float *network_predict(void *n, float *x) { return *(float **)8; }\n"), "crashed"},
			"a library that aborts": {stub(t, "abort", "#include <stdlib.h>\n"+begin+network+"float *network_predict(void *n, float *x) { abort(); }\n"), "abort"},
		},
	}
	n.run(t)
}
