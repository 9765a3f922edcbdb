package pipeline

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/tensorflow"
)

// TestTensorFlow runs a small network through a real TensorFlow.
func TestTensorFlow(t *testing.T) {
	const others = "TF_NewGraph TF_NewBufferFromString TF_DeleteBuffer TF_NewImportGraphDefOptions TF_GraphImportGraphDef TF_NewSessionOptions" +
		" TF_SetConfig TF_NewSession TF_CloseSession TF_SessionListDevices TF_DeviceListCount TF_DeviceListType TF_GraphOperationByName TF_SessionRun" +
		" TF_AllocateTensor TF_TensorData TF_TensorByteSize TF_TensorType TF_NumDims TF_Dim TF_DeleteTensor"
	const version = "const char *TF_Version(void) { return \"2.99.0\"; } int s;\n"
	var rest strings.Builder
	for _, name := range strings.Fields(others) {
		rest.WriteString("void *" + name + "(void) { return &s; }\n")
	}
	rest.WriteString("int TF_GetCode(void *s) { return 3; } const char *TF_Message(void *s) { return \"Op type not registered 'LeakyRelu' in binary\"; }\n")
	n := native{
		name: "tensorflow", library: libraryHere(t, "DEPLOYCTL_TEST_TENSORFLOW", tensorflow.Spec()), make: tensorflow.New,
		config: odd, reads: engine.TensorFlow, limit: 1e-5, damaged: "load other.pb", unnamed: "layer_99",
		stubs: map[string]struct{ library, why string }{
			"another library":       {stub(t, "other", "int other;\n"), "is not TensorFlow"},
			"a function less":       {stub(t, "less", version), "lacks the function TF_NewStatus"},
			"an operator less":      {stub(t, "operator", version+rest.String()+"void *TF_NewStatus(void) { return &s; }\n"), "Op type not registered"},
			"an instruction":        {stub(t, "trap", version+rest.String()+"void *TF_NewStatus(void) { __builtin_trap(); }\n"), "instruction"},
			"a crash":               {stub(t, "crash", version+rest.String()+"void *TF_NewStatus(void) { return *(void **)8; }\n"), "crashed"},
			"a library that aborts": {stub(t, "abort", "#include <stdlib.h>\n"+version+rest.String()+"void *TF_NewStatus(void) { abort(); }\n"), "abort"},
		},
	}
	n.run(t)
}
